"""Bounds of a quantile from order statistics: no assumption about the distribution."""

from __future__ import annotations

import math

from plimsoll.stats.beta import beta_tails


def quantile_rank(n: int, q: float) -> int:
    """Which of n values in ascending order, counted from 1, is the sample's own q-quantile.

    The inverse of the empirical distribution function: the smallest value with at least a share q at or below it.

    Args:
        n: sample size, at least 1.
        q: share in (0, 1).

    Raises:
        ValueError: an argument is outside its range.

    >>> quantile_rank(300, 0.99)
    297
    """
    _check(n, q, 0.5)
    return max(1, math.ceil(q * n - 1e-9))  # 0.07 * 100 is a little above 7 in floating point


def upper_rank(n: int, q: float, confidence: float = 0.95) -> int | None:
    """Which of n values in ascending order, counted from 1, lies at or above the true q-quantile.

    It does so with at least the given confidence, whatever the distribution; ties only make it safer. The values
    must be independent: a load test's are not within a window, and therefore the worst of several windows counts.

    Args:
        n: sample size, at least 1.
        q: share in (0, 1).
        confidence: one-sided, in (0, 1).

    Returns:
        A rank in [1, n]; None: n is too small, not even the largest value is a bound.

    Raises:
        ValueError: an argument is outside its range.

    Source: H. A. David and H. N. Nagaraja (2003), "Order Statistics", 3rd ed., section 7.1.

    >>> upper_rank(299, 0.99), upper_rank(298, 0.99)
    (299, None)
    """
    _check(n, q, confidence)
    if not _covers(n, n, q, confidence):
        return None
    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _covers(middle, n, q, confidence) else (middle + 1, high)
    return low


def lower_rank(n: int, q: float, confidence: float = 0.95) -> int | None:
    """Which of n values in ascending order, counted from 1, lies at or below the true q-quantile.

    Arguments, errors and source as `upper_rank`.

    >>> lower_rank(100, 0.5)
    42
    """
    mirrored = upper_rank(n, 1 - q, confidence)
    return None if mirrored is None else n + 1 - mirrored


def smallest_window(q: float, confidence: float = 0.95) -> int:
    """The smallest sample whose largest value bounds the q-quantile from above.

    Args:
        q: share in (0, 1).
        confidence: one-sided, in (0, 1).

    Raises:
        ValueError: an argument is outside its range.

    >>> smallest_window(0.99)
    299
    """
    _check(1, q, confidence)
    n = max(1, math.floor(math.log1p(-confidence) / math.log(q)) - 1)
    while not _covers(n, n, q, confidence):
        n += 1
    return n


def _covers(rank: int, n: int, q: float, confidence: float) -> bool:
    """Whether P(Binomial(n, q) < rank) reaches the confidence: so many values are below the quantile at most."""
    missed, _ = beta_tails(q, rank, n - rank + 1)
    return missed <= 1 - confidence


def _check(n: int, q: float, confidence: float) -> None:
    if n < 1:
        raise ValueError(f"a sample of {n} has no quantile")
    if not 0 < q < 1:
        raise ValueError(f"q is {q}; it must be in (0, 1)")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must be in (0, 1)")
