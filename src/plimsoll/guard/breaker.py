"""The breaker: when calls to a failing target stop, and how it is found out that the target is back.

Functions of values, with the time as an argument. Times are nanoseconds of one clock that never goes back.

Source: M. T. Nygard (2018), "Release It!", 2nd edition, "Circuit Breaker".
"""

from __future__ import annotations

import enum
import math

import msgspec

from plimsoll.model.breaker import BreakerState


class BreakerRule(msgspec.Struct, frozen=True, kw_only=True):
    """When it opens and when it tries again.

    Args:
        share: in (0, 1]: it opens when this share…
        of: …of so many calls failed, counted over the latest ones; calls not made yet count as good. At least 1.
        half_open_after_s: seconds from opening until a call is let through to find out, above 0.
        probes: calls that are let through to find out, at least 1; it closes when so many succeed one and all.
    """

    share: float = 0.5
    of: int = 20
    half_open_after_s: float = 5.0
    probes: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.of < 1 or self.half_open_after_s <= 0 or self.probes < 1:
            raise ValueError("share must be in (0, 1], of and probes at least 1, half_open_after_s above 0")

    @property
    def failures(self) -> int:
        """How many of the latest calls have to fail."""
        return max(1, math.ceil(self.share * self.of - 1e-9))  # 0.1 * 30 is a little more than 3


class Outcome(enum.Enum):
    """How a call that was let through counts."""

    GOOD = enum.auto()
    FAILED = enum.auto()
    NEITHER = enum.auto()  # it says nothing of the target: its caller gave up


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Where one breaker stands. A new one is closed."""

    state: BreakerState = BreakerState.CLOSED
    recent: int = 0  # one bit for each of the latest calls, the newest lowest: 1 is failed
    since_ns: int = 0  # when it opened; half open, when the latest probe was let through
    under_way: int = 0  # probes without an outcome yet
    passed: int = 0  # probes that succeeded
    turn: int = 0  # counts the changes of state; a call counts only in the turn in which it was let through


def let_through(breaker: Breaker, rule: BreakerRule, now_ns: int) -> tuple[Breaker, bool]:
    """The breaker after somebody asked to call, and whether they may.

    Whoever may must say how it went (`after`), with the turn of the breaker that is given back.
    """
    if breaker.state is BreakerState.CLOSED:
        return breaker, True
    due = now_ns - breaker.since_ns >= rule.half_open_after_s * 1e9
    if breaker.state is BreakerState.OPEN:
        if not due:
            return breaker, False
        opened = Breaker(state=BreakerState.HALF_OPEN, since_ns=now_ns, under_way=1, turn=breaker.turn + 1)
        return opened, True
    # A probe of which nobody hears again must not keep it half open for ever: then another one is sent.
    if breaker.under_way + breaker.passed < rule.probes or due:
        return msgspec.structs.replace(breaker, under_way=breaker.under_way + 1, since_ns=now_ns), True
    return breaker, False


def after(breaker: Breaker, rule: BreakerRule, turn: int, outcome: Outcome, now_ns: int) -> Breaker:
    """The breaker after a call has ended.

    Args:
        breaker: as it stands.
        rule: its rule.
        turn: of the breaker when the call was let through. What was under way when the state changed counts for
            nothing: it says how the target was, not how it is.
        outcome: how it counts.
        now_ns: the time.
    """
    if turn != breaker.turn or breaker.state is BreakerState.OPEN:
        return breaker
    if breaker.state is BreakerState.HALF_OPEN:
        return _after_probe(breaker, rule, outcome, now_ns)
    if outcome is Outcome.NEITHER or (outcome is Outcome.GOOD and not breaker.recent):
        return breaker
    recent = (breaker.recent << 1 | (outcome is Outcome.FAILED)) & ((1 << rule.of) - 1)
    if recent.bit_count() >= rule.failures:
        return Breaker(state=BreakerState.OPEN, since_ns=now_ns, turn=breaker.turn + 1)
    return msgspec.structs.replace(breaker, recent=recent)


def _after_probe(breaker: Breaker, rule: BreakerRule, outcome: Outcome, now_ns: int) -> Breaker:
    if outcome is Outcome.FAILED:
        return Breaker(state=BreakerState.OPEN, since_ns=now_ns, turn=breaker.turn + 1)
    passed = breaker.passed + (outcome is Outcome.GOOD)
    if passed >= rule.probes:
        return Breaker(turn=breaker.turn + 1)
    return msgspec.structs.replace(breaker, under_way=max(0, breaker.under_way - 1), passed=passed)


def wait_s(breaker: Breaker, rule: BreakerRule, now_ns: int) -> float:
    """Seconds until a call may be let through again; 0.0 when one may now."""
    if breaker.state is BreakerState.CLOSED:
        return 0.0
    return max(0.0, rule.half_open_after_s - (now_ns - breaker.since_ns) / 1e9)
