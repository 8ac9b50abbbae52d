"""Bounds of the mean of bounded values by betting: no assumption beyond the range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

from plimsoll.errors import NoEvidence

_MOST_OF_THE_PURSE: Final = 0.5  # the share of what may be lost that one bet stakes at most; the paper's c
_HALVINGS: Final = 48  # of the range: 3.6e-15 of it


def betting_lower(values: Sequence[float], lower: float, upper: float, confidence: float = 0.95) -> float:
    """Lower bound of the mean of independent values within a declared range.

    It may be looked at after every value: the bound holds at whatever moment one stops, so adding runs until it is
    good enough does no harm. The order of the values matters a little to the figure and never to its guarantee, as
    long as it was not chosen by their size.

    Args:
        values: in the order in which they came, each in [lower, upper], at least one.
        lower: the least value there can be, declared beforehand.
        upper: the greatest value there can be, declared beforehand; above lower.
        confidence: one-sided, in (0, 1).

    Returns:
        A figure in [lower, upper].

    Raises:
        NoEvidence: there are no values.
        ValueError: a value is outside the range, the range is empty, or confidence is outside (0, 1).

    Source: I. Waudby-Smith and A. Ramdas (2024), "Estimating means of bounded random variables by betting", Journal
    of the Royal Statistical Society B 86(1), 1-27: the positive half of the hedged capital process, with predictable
    plug-in bets (section 4.1).

    >>> round(betting_lower([0.9, 1.0, 0.8, 0.95, 0.85] * 40, 0, 1), 3)
    0.872
    """
    scaled = _scaled(values, lower, upper, confidence)
    bets = list(_bets(scaled, confidence))
    if not _rejects(0.0, scaled, bets, confidence):
        return lower
    rejected, kept = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (rejected + kept) / 2
        if _rejects(middle, scaled, bets, confidence):
            rejected = middle
        else:
            kept = middle
    return lower + rejected * (upper - lower)


def betting_upper(values: Sequence[float], lower: float, upper: float, confidence: float = 0.95) -> float:
    """Upper bound of the mean of independent values within a declared range. Otherwise as `betting_lower`.

    >>> round(betting_upper([0.1, 0.0, 0.2, 0.05, 0.15] * 40, 0, 1), 3)
    0.128
    """
    return -betting_lower([-value for value in values], -upper, -lower, confidence)


def betting_total(
    values: Sequence[float],
    lower: float,
    upper: float,
    limit: float,
    confidence: float = 0.95,
    *,
    upwards: bool,
    most: int = 1_000_000,
) -> int | None:
    """After how many values the bound passes a limit, if what is still to come repeats what was seen.

    Args:
        values: as for `betting_lower`.
        lower: as for `betting_lower`.
        upper: as for `betting_lower`.
        limit: what the bound has to reach.
        confidence: one-sided, in (0, 1).
        upwards: True when the lower bound must reach the limit, False when the upper bound must stay at or below it.
        most: how many values are tried.

    Returns:
        A count; None: never at this rate, or not within `most`.

    Raises:
        NoEvidence: there are no values.
        ValueError: as `betting_lower`.

    >>> betting_total([0.9, 1.0, 0.8, 0.95, 0.85] * 4, 0, 1, 0.85, upwards=True)
    107
    """
    if not upwards:
        return betting_total([-v for v in values], -upper, -lower, -limit, confidence, upwards=True, most=most)
    scaled = _scaled(values, lower, upper, confidence)
    wanted = (limit - lower) / (upper - lower)
    if wanted <= 0:
        return 1
    if math.fsum(scaled) / len(scaled) <= wanted:
        return None
    wealth, enough = 0.0, -math.log1p(-confidence)
    for count, (value, bet) in enumerate(_bets_on(cycle(scaled), confidence), start=1):
        wealth += math.log1p(min(bet, _MOST_OF_THE_PURSE / wanted) * (value - wanted))
        if wealth >= enough:
            return count
        if count >= most:
            break
    return None


def _scaled(values: Sequence[float], lower: float, upper: float, confidence: float) -> list[float]:
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise ValueError(f"[{lower}, {upper}] is not a range")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must be in (0, 1)")
    if not values:
        raise NoEvidence("mean")
    if not all(lower <= value <= upper for value in values):
        raise ValueError(f"a value is outside the declared range from {lower} to {upper}")
    return [(value - lower) / (upper - lower) for value in values]


def _rejects(mean: float, scaled: Sequence[float], bets: Sequence[float], confidence: float) -> bool:
    """Whether one who bets that the true mean is larger than this would have become rich enough at some moment."""
    most = _MOST_OF_THE_PURSE / mean if mean > 0 else math.inf
    wealth, enough = 0.0, -math.log1p(-confidence)
    for value, bet in zip(scaled, bets, strict=True):
        wealth += math.log1p(min(bet, most) * (value - mean))
        if wealth >= enough:  # Ville's inequality: once is enough
            return True
    return False


def _bets(scaled: Sequence[float], confidence: float) -> Iterator[float]:
    return (bet for _, bet in _bets_on(iter(scaled), confidence))


def _bets_on(scaled: Iterator[float], confidence: float) -> Iterator[tuple[float, float]]:
    """Each value with the bet placed before it was known, from the mean and the spread of those before it."""
    total, squares, spread = 0.0, 0.0, 0.25
    for count, value in enumerate(scaled, start=1):
        yield value, math.sqrt(-2 * math.log1p(-confidence) / (spread * count * math.log1p(count)))
        total += value
        squares += (value - (0.5 + total) / (count + 1)) ** 2
        spread = (0.25 + squares) / (count + 1)
