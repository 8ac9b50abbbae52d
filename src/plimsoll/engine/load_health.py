"""Whether the load driver itself kept up.

A driver out of breath sends late or not at all, and its own wait is then published as the system's. So its health is
part of every verdict: an unhealthy window is no evidence, in either direction.
"""

from __future__ import annotations

import msgspec


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How late and how busy a driver may be.

    The 99th percentile of its own lag may be ``lag_floor_s`` or ``lag_share`` of the measured 99th percentile of
    latency, whichever is more: what it adds to a figure must be small beside the figure.
    """

    lag_floor_s: float = 0.005  # below it, a shared machine's scheduler would be judged, and not the driver
    lag_share: float = 0.2
    cpu_share: float = 0.9  # of one processor: the driver is one thread, and has no more


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the driver after a window."""

    lag_p99_s: float | None  # None: nothing was sent
    latency_p99_s: float | None  # None: everything was shed, or nothing was sent
    cpu_share: float
    over_bound: int  # calls not sent because too many were due and not ended
    bound: int  # how many may be
    own_faults: int  # calls not sent for want of descriptors or ports


def out_of_breath(vitals: Vitals, limits: HealthLimits) -> tuple[str, ...]:
    """Why the driver is not healthy, a plain sentence each; empty when it is.

    >>> fit = Vitals(lag_p99_s=0.001, latency_p99_s=0.02, cpu_share=0.2, over_bound=0, bound=4096, own_faults=0)
    >>> out_of_breath(fit, HealthLimits())
    ()
    """
    why = []
    allowed = max(limits.lag_floor_s, limits.lag_share * (vitals.latency_p99_s or 0.0))
    if vitals.lag_p99_s is not None and vitals.lag_p99_s > allowed:
        why.append(
            f"the driver sent 1 in 100 calls {vitals.lag_p99_s * 1e3:.1f} ms late or later; "
            f"{allowed * 1e3:.1f} ms is allowed beside the latency measured"
        )
    if vitals.cpu_share > limits.cpu_share:
        why.append(
            f"the driver used {vitals.cpu_share:.0%} of its processor; above {limits.cpu_share:.0%} it may lag unseen"
        )
    if vitals.over_bound:
        why.append(f"{vitals.over_bound} calls were not sent: {vitals.bound} were waiting, the driver's bound")
    if vitals.own_faults:
        why.append(f"{vitals.own_faults} calls were not sent: the driver ran out of file descriptors or ports")
    return tuple(why)
