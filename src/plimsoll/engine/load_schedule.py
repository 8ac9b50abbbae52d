"""When each call of a load window is due: fixed before the first one is sent."""

from __future__ import annotations

import enum
import itertools
import random
from array import array
from typing import Final

import msgspec

MOST_CALLS: Final = 10_000_000  # beyond it the arrays of one window no longer fit a small machine's memory
HIGHEST_RATE: Final = 1_000_000.0


class Arrivals(enum.StrEnum):
    """How calls are spread over time."""

    UNIFORM = "uniform"  # evenly: call i is due at i / rate
    POISSON = "poisson"  # as from many independent users: exponential gaps from a seed


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """An open-loop schedule. It never looks at the answers, so a slow system cannot slow its own load down.

    Args:
        rate: calls per second, in (0, 1,000,000].
        count: calls, from 1 to 10,000,000.
        arrivals: how they are spread.
        seed: of the Poisson gaps; equal seeds give equal schedules.
    """

    rate: float
    count: int
    arrivals: Arrivals = Arrivals.UNIFORM
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= HIGHEST_RATE:
            raise ValueError(f"the rate is {self.rate}/s; it must be above 0 and at most {HIGHEST_RATE:.0f}/s")
        if not 1 <= self.count <= MOST_CALLS:
            raise ValueError(f"the schedule has {self.count} calls; it must have from 1 to {MOST_CALLS}")

    @property
    def seconds(self) -> float:
        """How long it lasts: each call and the gap after it; of random arrivals, on average.

        >>> Schedule(rate=4.0, count=3).seconds
        0.75
        """
        return self.count / self.rate

    def offsets(self) -> array[float]:
        """Seconds from the window's start at which each call is due, ascending.

        >>> Schedule(rate=4.0, count=3).offsets().tolist()
        [0.0, 0.25, 0.5]
        """
        if self.arrivals is Arrivals.UNIFORM:
            return array("d", (i / self.rate for i in range(self.count)))
        # The schedule must be repeatable from its seed and need not be unguessable.
        gap = random.Random(self.seed).expovariate  # noqa: S311
        return array("d", itertools.accumulate(gap(self.rate) for _ in range(self.count)))
