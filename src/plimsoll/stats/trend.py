"""Whether a short series of figures rises: an exact test that assumes nothing about their distribution."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence


def mann_kendall(values: Sequence[float]) -> float:
    """How probable a rise at least as steady as this one is where there is no trend at all.

    Without a trend every order of the values is as probable as every other. Counted are the pairs of which the later
    value is not the larger: inversions. Equal values count as inverted, which can only make the answer larger.

    Args:
        values: in the order of time, at least one; they are taken to be independent of each other.

    Returns:
        A one-sided probability in (0, 1]: of n values that rise from each to the next it is 1 / n!.

    Raises:
        ValueError: there is no value, or one is not a number.

    Source: H. B. Mann (1945), "Nonparametric tests against trend", Econometrica 13(3), 245-259; the exact distribution
    of the count is that of inversions, after M. G. Kendall (1938), "A new measure of rank correlation", Biometrika
    30(1/2), 81-93.

    >>> 1 / mann_kendall([1, 2, 4, 8, 16])
    120.0
    >>> mann_kendall([3, 3, 3, 3, 3])
    1.0
    """
    if not values or any(math.isnan(value) for value in values):
        raise ValueError("a trend needs values, all of them numbers")
    inversions = sum(later <= earlier for earlier, later in itertools.combinations(values, 2))
    return sum(_orders_by_inversions(len(values))[: inversions + 1]) / math.factorial(len(values))


@functools.cache
def _orders_by_inversions(n: int) -> tuple[int, ...]:
    """How many orders of n different values have 0, 1, 2, … inversions."""
    counts = [1]
    for size in range(2, n + 1):
        wider = [0] * (len(counts) + size - 1)
        for at, count in enumerate(counts):
            for moved in range(size):
                wider[at + moved] += count
        counts = wider
    return tuple(counts)
