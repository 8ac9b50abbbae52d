"""How stability is measured: which windows, at which rates, of what. Fixed before anything is sent."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from plimsoll.engine.load_schedule import Arrivals, Schedule
from plimsoll.model.metrics import Kind
from plimsoll.model.quantity import Quantity, UnitKind
from plimsoll.model.threshold import Condition
from plimsoll.stats import smallest_window

LEAST_WINDOWS: Final = 3  # the gate counts the worst of at least three
LEAST_SAMPLES: Final = 300  # a bound of the 99th percentile at 95% needs 299 calls
LATE_GRACE_S: Final = (
    0.05  # a guard that cuts off at its deadline still has to say so; this much is not held against it
)
# Raised when driver, windows or the meaning of a figure change, so that runs of before and after are not pooled.
METHOD: Final = 2
MOST_CALLS: Final = 1_000_000  # in a window; half of their latencies go into the evidence, and every gate reads them

# Whose conditions decide whether a stage was held: what a single load window has a figure for.
HELD_BY: Final = frozenset(
    f"stability.{name}" for name in ("latency_p50", "latency_p99", "error_rate", "shed_rate", "degradation")
)


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One window of the plan."""

    round: int  # from 1
    multiple: float  # of the declared peak
    schedule: Schedule


class StabilityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of windows: in each round every stage once, from the lowest up.

    So the windows of one stage lie apart by the whole rest of a round, and whatever disturbs the machine for a while
    disturbs one of them and not all.

    Args:
        peak: the declared peak, a rate.
        stages: multiples of it, ascending, from 1.
        windows: rounds, at least 3.
        samples: calls in each window at least.
        window_s: seconds that each window lasts at least, as the threshold says; with 0 the samples alone decide.
        arrivals: evenly spread, or as from many independent users.
        seed: of random arrivals.
        warm_up_s: seconds at the peak before the first window; these calls are not counted.
        timeout_s: a call without a reply is given up then, or a second after it is late, whichever is later.
        deadline: what the system promises its callers; None: nothing.
        repeats: a window in which the driver was out of breath is run again at most so often: it says nothing of the
            system. It is judged by the driver's own lag and never by the answers; what was set aside is reported.
        drain_s: the longest wait between windows for what is still under way.
        pause_s: the pause after that.
    """

    peak: Quantity
    stages: tuple[float, ...] = (1.0, 2.0, 3.0)
    windows: int = LEAST_WINDOWS
    samples: int = LEAST_SAMPLES
    window_s: float = 0.0
    arrivals: Arrivals = Arrivals.UNIFORM
    seed: int = 0
    warm_up_s: float = 1.0
    timeout_s: float = 10.0
    deadline: Quantity | None = None
    repeats: int = 2
    drain_s: float = 15.0
    pause_s: float = 0.2

    def __post_init__(self) -> None:
        if self.peak.kind is not UnitKind.RATE or self.peak.base <= 0:
            raise ValueError(f"the peak is '{self.peak}'; it must be a rate above 0, such as 50/s")
        ascending = all(a < b for a, b in zip(self.stages, self.stages[1:], strict=False))
        if not self.stages or self.stages[0] != 1.0 or not ascending or not math.isfinite(self.stages[-1]):
            raise ValueError(f"the stages are {self.stages}; they must ascend from 1")
        if self.windows < LEAST_WINDOWS:
            raise ValueError(f"{self.windows} windows are asked for; the worst of at least {LEAST_WINDOWS} counts")
        if self.samples < 1 or self.repeats < 0 or min(self.window_s, self.warm_up_s, self.pause_s, self.drain_s) < 0:
            raise ValueError("a window needs at least one call, and no time or count may be negative")
        if self.stages[-1] * self.peak.base * self.window_s > MOST_CALLS:
            raise ValueError(
                f"a load window of {self.window_s:g} s has more than {MOST_CALLS:,} calls at {self.stages[-1]:g}x the "
                f"peak of {self.peak}"
            )
        if not 1 <= self.timeout_s <= 600:
            raise ValueError(f"the timeout is {self.timeout_s} s; it must be from 1 s to ten minutes")
        if self.deadline is not None and (self.deadline.kind is not UnitKind.DURATION or self.deadline.base <= 0):
            raise ValueError(f"the deadline is '{self.deadline}'; it must be a duration above 0, such as 300ms")

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Every window, in the order in which they run."""
        order = [(round_, multiple) for round_ in range(1, self.windows + 1) for multiple in self.stages]
        return tuple(
            Pass(round=round_, multiple=multiple, schedule=self._schedule(multiple, place))
            for place, (round_, multiple) in enumerate(order)
        )

    def _schedule(self, multiple: float, place: int) -> Schedule:
        rate = self.peak.base * multiple
        count = max(self.samples, math.ceil(rate * self.window_s - 1e-9))
        return Schedule(rate=rate, count=count, arrivals=self.arrivals, seed=self.seed * 1009 + place)

    @property
    def warm_up(self) -> Schedule | None:
        """Calls at the peak before the first window; None: no warm-up."""
        count = math.ceil(self.peak.base * self.warm_up_s)
        return Schedule(rate=self.peak.base, count=count) if count else None

    @property
    def expected_s(self) -> float:
        """How long a run takes when nothing is slow, in seconds."""
        passes = sum(p.schedule.seconds + self.pause_s for p in self.passes)
        return passes + self.warm_up_s

    @property
    def late_after_s(self) -> float | None:
        """A reply after this is late: the deadline and a small grace; None: only what never comes is late."""
        return None if self.deadline is None else self.deadline.base + LATE_GRACE_S

    @property
    def give_up_s(self) -> float:
        """How long the driver waits for a reply at most: never less than the system's own promise."""
        return max(self.timeout_s, 1.0 + (self.late_after_s or 0.0))

    def protocol(self, path: str, records: Iterable[bytes], conditions: Sequence[Condition]) -> dict[str, Any]:
        """What the protocol digest is taken over: settings and what is sent, never a result.

        Args:
            path: what is driven: "guard in process", "HTTP target".
            records: what is sent, in order.
            conditions: of the threshold; some of them decide what "held" means, and so belong to the method.
        """
        return {
            "method": METHOD,
            "path": path,
            "rates_per_s": [p.schedule.rate for p in self.passes],
            "calls": [p.schedule.count for p in self.passes],
            "window_s": self.window_s,
            "rounds": self.windows,
            "arrivals": self.arrivals.value,
            "seed": self.seed,
            "warm_up_s": self.warm_up_s,
            "give_up_s": self.give_up_s,
            "deadline_s": None if self.deadline is None else self.deadline.base,
            "repeats": self.repeats,
            "pause_s": self.pause_s,
            "drain_s": self.drain_s,
            "sample": sample_digest(records),
            "held": sorted(str(c) for c in conditions if c.metric in HELD_BY),
        }


def samples_for(conditions: Sequence[Condition], confidence: float) -> int:
    """Calls that each window needs so that every quantile condition can be decided, at least 300.

    >>> samples_for((Condition.parse("stability.latency_p99 <= 500ms"),), 0.99)
    459
    """
    wanted = (c.entry.quantile for c in conditions if c.entry.kind is Kind.QUANTILE)
    return max([LEAST_SAMPLES, *(smallest_window(q, confidence) for q in wanted if q is not None)])


def sample_digest(records: Iterable[bytes]) -> str:
    """``sha256:`` over the records in their order, each with its length before it."""
    total = hashlib.sha256()
    for record in records:
        total.update(len(record).to_bytes(8, "big"))
        total.update(record)
    return "sha256:" + total.hexdigest()
