"""Whether counts are spread as evenly as chance would have it, less evenly, or more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_MOST_STEPS: Final = 100_000
_CLOSE: Final = 1e-15
_TINY: Final = 1e-300  # Lentz: stands in for a zero denominator


def evenness_tails(counts: Sequence[int]) -> tuple[float, float]:
    """Pearson's test against equal shares, with both of its tails.

    Args:
        counts: how often each of at least two values was seen, none below 0, their sum at least 1.

    Returns:
        The probability that independent draws with equal shares would be spread at least as evenly as this, and the
        probability that they would be spread at least as unevenly. A first one near 0 says "more even than chance":
        R. A. Fisher's argument against Mendel's published counts.

    Raises:
        ValueError: there are fewer than two counts, one is below 0, or all are 0.

    Source: K. Pearson (1900), "On the criterion that a given system of deviations…", Philosophical Magazine 50(302),
    157-175. For the lower tail: R. A. Fisher (1936), "Has Mendel's work been rediscovered?", Annals of Science 1(2),
    115-137.

    >>> [round(p, 3) for p in evenness_tails([50, 50])], [round(p, 3) for p in evenness_tails([60, 40])]
    ([0.0, 1.0], [0.954, 0.046])
    """
    total = sum(counts)
    if len(counts) < 2 or min(counts) < 0 or total < 1:
        raise ValueError("it takes two counts or more, none below 0, and at least one draw")
    expected = total / len(counts)
    statistic = math.fsum((count - expected) ** 2 for count in counts) / expected
    return gamma_tails((len(counts) - 1) / 2, statistic / 2)


def gamma_tails(a: float, x: float) -> tuple[float, float]:
    """Lower and upper regularised incomplete gamma function, ``P(a, x)`` and ``Q(a, x)``.

    Args:
        a: above 0, up to about 1e6.
        x: at least 0.

    Returns:
        Two probabilities in [0, 1] that add up to 1.

    Raises:
        ValueError: an argument is outside its range.

    Source: DLMF 8.11.4 (series) below a + 1, DLMF 8.9.2 (continued fraction, by Lentz's method) above.
    """
    if not (a > 0 and x >= 0 and math.isfinite(a)):
        raise ValueError(f"a is {a} and x is {x}; a must be above 0, x at least 0")
    if x == 0:
        return 0.0, 1.0
    if math.isinf(x):
        return 1.0, 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        lower = min(1.0, front * _series(a, x))
        return lower, 1 - lower
    upper = min(1.0, front * _fraction(a, x))
    return 1 - upper, upper


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for step in range(1, _MOST_STEPS):
        term *= x / (a + step)
        total += term
        if term < total * _CLOSE:
            break
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c = 1 / _TINY
    d = 1 / (b or _TINY)
    value = d
    for step in range(1, _MOST_STEPS):
        factor = step * (a - step)
        b += 2
        d = 1 / ((factor * d + b) or _TINY)
        c = (b + factor / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return value
