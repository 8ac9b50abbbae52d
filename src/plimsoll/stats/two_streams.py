"""Whether one stream of yes-or-no outcomes has a higher rate than another, looked at after every block, for ever.

A canary is compared with the live release while both run, and stopped as soon as it is worse. A test that was made for
one look at the end would cry wolf: looked at often enough, it crosses any line. This one may be looked at whenever one
likes. What it keeps is *wealth*: the gain of somebody who bets against "the canary is no worse". Where that is true,
wealth exceeds 1/α at any time with probability at most α (Ville's inequality).

Source: R. J. Turner, A. Ly and P. D. Grünwald (2024), "Generic E-variables for exact sequential k-sample tests that
allow for optional stopping", Journal of Statistical Planning and Inference 230, 106116; section 2. The one-sided form
follows since every factor is monotone in the rate that it is about (see `_log_gain`). J. Ville (1939), "Étude critique
de la notion de collectif".
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

# What is bet on: how many times the odds of a bad outcome are higher. A mixture, so that a small rise is found late and
# a large one at once. The average of wealths is a wealth.
ODDS_RATIOS: Final = (1.5, 2.5, 5.0, 20.0)


class TwoStreams(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of both streams so far.

    Fields:
        live, live_bad: outcomes of the stream that one compares with, and how many of them were bad.
        other, other_bad: the same of the stream that may be worse.
        log_wealth: natural logarithm of the wealth of each bet of `ODDS_RATIOS`.
    """

    live: int = 0
    live_bad: int = 0
    other: int = 0
    other_bad: int = 0
    log_wealth: tuple[float, ...] = (0.0,) * len(ODDS_RATIOS)

    @property
    def log_evidence(self) -> float:
        """Natural logarithm of the whole wealth: the mean of the bets."""
        top = max(self.log_wealth)
        return top + math.log(sum(math.exp(w - top) for w in self.log_wealth) / len(self.log_wealth))

    def is_worse(self, alpha: float) -> bool:
        """Whether the other stream has the higher rate of bad outcomes.

        Args:
            alpha: probability, in (0, 1), with which this is ever true of a stream that is no worse.
        """
        return self.log_evidence >= -math.log(alpha)

    def after(self, *, live: int, live_bad: int, other: int, other_bad: int) -> TwoStreams:
        """What is known after one more block.

        How large a block is must not depend on its outcomes: a block a second is right, "until the first bad one" is
        not. A block that lacks one of the two streams tells nothing and is only counted.

        Args:
            live: outcomes of the first stream in this block, at least 0.
            live_bad: how many of them were bad, at most ``live``.
            other: outcomes of the other stream, at least 0.
            other_bad: how many of them were bad, at most ``other``.

        Raises:
            ValueError: a count is negative, or more were bad than there were.
        """
        if not (0 <= live_bad <= live and 0 <= other_bad <= other):
            raise ValueError(f"{live_bad} bad of {live} and {other_bad} bad of {other} are no counts")
        wealth = self.log_wealth
        if live and other:
            base = (self.live_bad + self.other_bad + 0.5) / (self.live + self.other + 1)
            wealth = tuple(
                w + _log_gain(base, ratio, live, live_bad, other, other_bad)
                for w, ratio in zip(wealth, ODDS_RATIOS, strict=True)
            )
        return TwoStreams(
            live=self.live + live,
            live_bad=self.live_bad + live_bad,
            other=self.other + other,
            other_bad=self.other_bad + other_bad,
            log_wealth=wealth,
        )


def _log_gain(base: float, ratio: float, live: int, live_bad: int, other: int, other_bad: int) -> float:
    """What a bet on "the odds are ``ratio`` times higher" gains by one block.

    Under the null the two streams share the rate ``r``: the factor of a stream with the rate ``q`` bet on is
    1 + (r - m)(q - m)/(m(1 - m)), with ``m`` the mean of the two bets weighted by the block's sizes. By the inequality
    of the means their product has an expectation of at most 1, whatever ``r`` is. It falls with the rate of the first
    stream and rises with that of the other, so it is at most 1 for every pair in which the other is no worse.
    """
    first = base
    second = ratio * base / (1 - base + ratio * base)
    mean = (live * first + other * second) / (live + other)
    return (
        live_bad * math.log(first / mean)
        + (live - live_bad) * math.log((1 - first) / (1 - mean))
        + other_bad * math.log(second / mean)
        + (other - other_bad) * math.log((1 - second) / (1 - mean))
    )
