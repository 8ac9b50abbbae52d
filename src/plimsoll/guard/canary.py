"""Whether a canary is worse than the live release: from counts of blocks, to a sentence or nothing.

Each guard counts what both releases did for about a second, and writes the counts down: one block. Blocks of all
guards, in whatever order they come, make one comparison, since the gain of a block depends on what was known before it
and on its own counts alone. A block ends by the clock, never by what was seen in it.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import msgspec

from plimsoll.model.decision import Answer, Disposition
from plimsoll.stats import TwoStreams


class Side(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one release did in one block."""

    decided: int = 0  # decisions that were routed to it
    failed: int = 0  # of those, how many it did not answer: it failed, was shed, or something stood in for it
    timed: int = 0  # answers whose time in the target is known
    slow: int = 0  # of those, how many took longer than nine in ten of the live release's did before this block
    reviewed: int = 0  # answers that a person has judged since
    overturned: int = 0  # of those, how many were judged wrong


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``canary.counted`` entry."""

    canary: str  # digest of the release that is compared
    live: str  # digest of the release that it is compared with
    of_live: Side
    of_canary: Side


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is known so far of a canary beside the live release."""

    failures: TwoStreams = TwoStreams()
    slowness: TwoStreams = TwoStreams()
    overturns: TwoStreams = TwoStreams()

    def after(self, block: Block) -> Comparison:
        """What is known after one more block."""
        live, canary = block.of_live, block.of_canary
        return Comparison(
            failures=self.failures.after(
                live=live.decided, live_bad=live.failed, other=canary.decided, other_bad=canary.failed
            ),
            slowness=self.slowness.after(
                live=live.timed, live_bad=live.slow, other=canary.timed, other_bad=canary.slow
            ),
            overturns=self.overturns.after(
                live=live.reviewed, live_bad=live.overturned, other=canary.reviewed, other_bad=canary.overturned
            ),
        )

    def why_worse(self, alpha: float) -> str:
        """In what the canary is worse, with the figures; "" while nothing shows that it is.

        Args:
            alpha: probability, in (0, 1), with which a canary that is no worse in anything is ever called worse.
                Each of the three comparisons gets a third of it (Bonferroni).
        """
        return "; ".join(_said(what, seen) for what, seen in self._streams if seen.is_worse(alpha / _COMPARED))

    def lines(self) -> tuple[str, ...]:
        """What was seen so far, a line for each comparison."""
        return tuple(_said(what, seen) for what, seen in self._streams)

    @property
    def _streams(self) -> tuple[tuple[str, TwoStreams], ...]:
        return (
            ("not answered", self.failures),
            ("slower than nine in ten live ones", self.slowness),
            ("overturned by a person", self.overturns),
        )


_COMPARED: Final = 3


def _said(what: str, seen: TwoStreams) -> str:
    return f"{what}: {seen.other_bad} of {seen.other} by the canary, {seen.live_bad} of {seen.live} by the live release"


class Tally:
    """What this process saw of the canary and of the live release since the last block.

    How slow is slow is drawn from live answers before the block: nine in ten of the latest thousand were faster.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live, self._canary = _Counts(), _Counts()
        self._judged: dict[str, list[int]] = {}
        self._times: deque[float] = deque(maxlen=_REMEMBERED)
        self._slow_s: float | None = None  # None: too few were timed

    def add(self, answer: Answer, *, by_canary: bool, seconds: float) -> None:
        """Count one decision.

        Args:
            answer: how it ended.
            by_canary: whether the canary took it.
            seconds: how long its caller waited.
        """
        failed = answer.disposition in _NOT_ANSWERED or answer.via.startswith("fallback:")
        with self._lock:
            side = self._canary if by_canary else self._live
            side.decided += 1
            side.failed += failed
            if failed:
                return
            if self._slow_s is not None:
                side.timed += 1
                side.slow += seconds > self._slow_s
            if not by_canary:
                self._times.append(seconds)

    def judged(self, release: str, *, wrong: bool) -> None:
        """Count what a person said of an answer of a release."""
        with self._lock:
            counts = self._judged.setdefault(release, [0, 0])
            counts[0] += 1
            counts[1] += wrong

    def take(self, canary: str, live: str) -> Block | None:
        """The block since the last one, if it holds anything; counting begins anew."""
        with self._lock:
            sides = {
                name: Side(
                    decided=counts.decided,
                    failed=counts.failed,
                    timed=counts.timed,
                    slow=counts.slow,
                    reviewed=self._judged.get(release, _NOTHING)[0],
                    overturned=self._judged.get(release, _NOTHING)[1],
                )
                for name, counts, release in (("live", self._live, live), ("canary", self._canary, canary))
            }
            self._live, self._canary, self._judged = _Counts(), _Counts(), {}
            if len(self._times) >= _FEWEST:
                self._slow_s = sorted(self._times)[int(0.9 * len(self._times))]
        if not canary or sides == {"live": Side(), "canary": Side()}:
            return None
        return Block(canary=canary, live=live, of_live=sides["live"], of_canary=sides["canary"])


class _Counts:
    def __init__(self) -> None:
        self.decided = self.failed = self.timed = self.slow = 0


_REMEMBERED: Final = 1000
_FEWEST: Final = 50  # live times before anything is called slow
_NOTHING: Final = (0, 0)
_NOT_ANSWERED: Final = frozenset({Disposition.FAILED, Disposition.SHED})
