"""Whether the calls that wait for an answer went on growing through a load window.

A system that is offered a little more than it can do answers every call, only each a little later than the one before:
in a short window every latency may still be within its limit, and an hour later nothing is. What shows it is the
**backlog**, the calls that are due and not answered yet. A burst or a stall makes a backlog too, but one that is worked
off again; where too much is offered, even the *fewest* calls that wait at any moment become more and more. So it is the
fewest that are compared, as in the control of queues in a network (K. Nichols and V. Jacobson (2012), "Controlling
queue delay", ACM Queue 10(5); RFC 8289), over ten stretches of the second half of the window: the first half is left
for the backlog to settle. They grow when their rise is too steady for chance (`plimsoll.stats.mann_kendall`), and large
enough to matter.
"""

from __future__ import annotations

import enum
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.stats import mann_kendall

STRETCHES: Final = 10  # ten rising figures are one of 3.6 million orders; fewer could not tell a slow rise from chance
CHANCE: Final = 0.001  # of a rise as steady, where there is none; a stage has three windows, and most of them count
LEAST_SHARE: Final = 0.01  # of the calls offered meanwhile; a smaller rise drowns in what the backlog does by itself
LEAST_CALLS: Final = 5
_SETTLED_BY: Final = 0.75  # of the window; what takes longer to answer leaves too little of it to see a trend


class Trend(enum.StrEnum):
    """What the backlog did in the second half of a window."""

    STEADY = "steady"
    GROWING = "growing"
    UNTOLD = "untold"  # calls take nearly as long as the window lasts, so it had not settled before the end


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a window that waited for an answer."""

    trend: Trend = Trend.STEADY
    middle: int = 0  # the fewest that waited at a time, in the first tenth of the second half
    end: int = 0  # the fewest that waited at a time, in its last tenth
    drain_s: float = 0.0  # from the last call due until every one had ended
    settles_s: float = 0.0  # how long nine of ten of the first tenth of the calls took at most


def backlog_of(due: Sequence[float], latency: Sequence[float], counted: Sequence[bool]) -> Backlog:
    """What became of the backlog in one window.

    Args:
        due: seconds at which each call was due, ascending.
        latency: of each call, in seconds from when it was due.
        counted: whether a call waited for the system at all; one that was never sent, or failed at once, did not.

    >>> due = [call / 100 for call in range(1000)]  # 100 a second for ten seconds
    >>> backlog_of(due, [0.05] * 1000, [True] * 1000).trend
    <Trend.STEADY: 'steady'>
    >>> fallen_behind = backlog_of(due, [0.05 * at for at in due], [True] * 1000)  # 5% more than it can do
    >>> fallen_behind.trend, fallen_behind.middle, fallen_behind.end
    (<Trend.GROWING: 'growing'>, 23, 45)
    """
    due = array("d", (at for at, counts in zip(due, counted, strict=True) if counts))
    took = array("d", (t for t, counts in zip(latency, counted, strict=True) if counts))
    if not due or not due[-1]:
        return Backlog()
    ends = sorted(at + t for at, t in zip(due, took, strict=True))
    last = due[-1]
    first_calls = sorted(took[: max(1, bisect_right(due, last / 10))])  # later ones may wait for those before them
    settles_s = first_calls[(9 * len(first_calls) + 9) // 10 - 1]
    begin = max(last / 2, settles_s)
    drain_s = max(0.0, ends[-1] - last)
    if begin > _SETTLED_BY * last:
        return Backlog(trend=Trend.UNTOLD, drain_s=drain_s, settles_s=settles_s)
    fewest, most = _by_stretch(due, ends, begin)
    offered = len(due) - bisect_left(due, begin)
    grown = fewest[-1] - fewest[0]
    growing = (
        grown >= max(LEAST_CALLS, LEAST_SHARE * offered)
        and fewest[-1] > most[0]  # not once did it fall back to where it had been
        and mann_kendall(fewest) <= CHANCE
    )
    return Backlog(
        trend=Trend.GROWING if growing else Trend.STEADY,
        middle=fewest[0],
        end=fewest[-1],
        drain_s=drain_s,
        settles_s=settles_s,
    )


def _by_stretch(due: Sequence[float], ends: Sequence[float], begin: float) -> tuple[list[int], list[int]]:
    """The fewest and the most calls that waited in each stretch from ``begin`` on; stretches without a call are none.

    A backlog is at its lowest just before a call is due, and at its highest just after.
    """
    length = (due[-1] - begin) / STRETCHES
    waiting: list[list[int]] = [[] for _ in range(STRETCHES)]
    for call in range(bisect_left(due, begin), len(due)):
        stretch = min(STRETCHES - 1, int((due[call] - begin) / length))
        waiting[stretch].append(call - bisect_left(ends, due[call]))
    seen = [stretch for stretch in waiting if stretch]
    return [min(stretch) for stretch in seen], [max(stretch) + 1 for stretch in seen]
