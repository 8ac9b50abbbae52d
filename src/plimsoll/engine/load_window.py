"""What one window of load gave: one latency and one outcome for each call, and the figures that follow from them."""

from __future__ import annotations

import enum
import math
from array import array
from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.engine.load_backlog import Backlog
from plimsoll.model.decision import Disposition


class Outcome(enum.IntEnum):
    """How one call ended. A window's calls are the sum of these, always."""

    OPEN = 0  # not ended yet; never in a finished window
    ANSWERED = 1
    HELD = 2
    QUARANTINED = 3
    REFUSED = 4
    SHED = 5
    FAILED = 6
    LATE = 7  # no reply, or none that was neither failed nor shed, within the time allowed
    UNSENT = 8  # the driver itself could not send it: says nothing of the system


OUTCOME_OF: Final = {disposition: Outcome[disposition.name] for disposition in Disposition}


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One window, as the driver saw it. Times are in seconds, counted from when a call was due.

    Latency of a call that never got a reply is the client's timeout, however soon its connection broke: it was not
    answered within any shorter time.
    """

    rate: float  # calls per second that the schedule asked for
    latency: array[float]  # by call
    outcome: array[int]  # by call, an `Outcome`
    lag: array[float]  # by call that was sent: how late the driver itself was
    errors: dict[str, int]  # kind -> count: "connection refused", "no reply in time", "status 500"
    sending_s: float  # from the start to the last call sent
    wall_s: float  # from the start to the last call ended
    cpu_share: float  # the driver's own processor time / time, while it was sending
    queued: int  # calls that waited in the driver for a free connection; their wait is in their latency
    backlog: Backlog = Backlog()  # whether the calls that waited for an answer went on growing
    unhealthy: tuple[str, ...] = ()  # why the driver's own figures are not to be trusted; empty: healthy

    @property
    def healthy(self) -> bool:
        """Whether the driver kept up, so that the figures speak of the system and not of the driver."""
        return not self.unhealthy

    @property
    def offered(self) -> int:
        """Calls on the schedule."""
        return len(self.outcome)

    @property
    def sent(self) -> int:
        """Calls that went out."""
        return len(self.outcome) - self.count(Outcome.UNSENT)

    def count(self, outcome: Outcome) -> int:
        """How many calls ended in this way."""
        return self.outcome.count(outcome)

    @property
    def errors_total(self) -> int:
        """Calls that failed, were shed, or came too late."""
        return self.count(Outcome.FAILED) + self.count(Outcome.SHED) + self.count(Outcome.LATE)

    @property
    def error_rate(self) -> float:
        """(failed + shed + late) / calls sent; 0 when none was sent."""
        return self.errors_total / self.sent if self.sent else 0.0

    @property
    def shed_rate(self) -> float:
        """Shed / calls sent; 0 when none was sent."""
        return self.count(Outcome.SHED) / self.sent if self.sent else 0.0

    @property
    def achieved_per_s(self) -> float:
        """Calls per second that came back answered, held, quarantined or refused."""
        good = self.sent - self.errors_total
        return good / self.wall_s if self.wall_s > 0 else 0.0

    def latencies(self) -> list[float]:
        """Latencies of all calls that were sent and not shed, ascending."""
        skip = (Outcome.SHED, Outcome.UNSENT)
        return sorted(t for t, o in zip(self.latency, self.outcome, strict=True) if o not in skip)


def quantile(ascending: Sequence[float], q: float) -> float | None:
    """The q-quantile by nearest rank: the smallest value that at least a share q of the values does not exceed.

    Args:
        ascending: sorted values.
        q: in (0, 1].

    Returns:
        One of the values; None when there is none.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    if not ascending:
        return None
    # 0.07 * 100 is a little over 7: without the slack, rounding would move the rank up by one.
    return ascending[max(1, math.ceil(q * len(ascending) - 1e-9)) - 1]
