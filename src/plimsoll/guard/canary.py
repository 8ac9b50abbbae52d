"""Whether a canary is worse than the live release: from counts of blocks, to a sentence or nothing.

Each guard counts what both releases did for about a second, and writes the counts down: one block. Blocks of all
guards, in whatever order they come, make one comparison, since the gain of a block depends on what was known before it
and on its own counts alone. A block ends by the clock, never by what was seen in it.
"""

from __future__ import annotations

from typing import Final

import msgspec

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
