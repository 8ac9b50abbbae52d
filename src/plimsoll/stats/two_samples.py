"""How far two samples are apart, with an interval in which the distance of what they were drawn from lies."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from plimsoll.errors import NoEvidence
from plimsoll.stats.proportion import clopper_pearson_lower, clopper_pearson_upper


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """A distance in [0, 1] between two distributions: as seen, and where it can lie."""

    seen: float
    lower: float
    upper: float


def kolmogorov_distance(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Distance:
    """The largest gap between two distribution functions.

    Args:
        a: independent draws, at least one.
        b: independent draws, at least one.
        confidence: probability in (0, 1) with which the interval holds, whatever the distributions are.

    Raises:
        NoEvidence: a sample is empty.

    Source: the distance of A. N. Kolmogorov (1933); the band around each empirical distribution function, at half of
    the risk each: P. Massart (1990), "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of
    Probability 18(3), 1269-1283.

    >>> d = kolmogorov_distance(range(1000), range(500, 1500))
    >>> d.seen, round(d.lower, 2), round(d.upper, 2)
    (0.5, 0.41, 0.59)
    """
    if not a or not b:
        raise NoEvidence("distance of two samples")
    one, two = sorted(a), sorted(b)
    seen = max(abs(bisect_right(one, x) / len(one) - bisect_right(two, x) / len(two)) for x in {*one, *two})
    risk = (1 - confidence) / 2
    return _around(seen, sum(math.sqrt(math.log(2 / risk) / (2 * len(each))) for each in (a, b)))


def total_variation(a: Mapping[str, int], b: Mapping[str, int], confidence: float = 0.95) -> Distance:
    """Half the sum of the differences of all shares: the share of one sample that would have to change to be the other.

    Args:
        a: how often each value was seen, at least once in all.
        b: the same of the other sample.
        confidence: probability in (0, 1) with which the interval holds, for the values that were seen in either.

    Raises:
        NoEvidence: a sample is empty.

    Source: the deviation of empirical shares, at half of the risk each: T. Weissman, E. Ordentlich, G. Seroussi,
    S. Verdu and M. Weinberger (2003), "Inequalities for the L1 deviation of the empirical distribution", HP Labs
    HPL-2003-97, theorem 2.1.

    >>> d = total_variation({"mail": 900, "web": 100}, {"mail": 500, "web": 500})
    >>> d.seen, round(d.lower, 2), round(d.upper, 2)
    (0.4, 0.31, 0.49)
    """
    n, m = sum(a.values()), sum(b.values())
    if not n or not m:
        raise NoEvidence("distance of two samples")
    values = {*a, *b}
    seen = math.fsum(abs(a.get(value, 0) / n - b.get(value, 0) / m) for value in values) / 2
    risk = (1 - confidence) / 2
    # ln((2**k - 2) / risk), without the power; one value alone leaves no room to differ, two is the least that does.
    log_term = max(len(values), 2) * math.log(2) + math.log1p(-(2.0 ** (1 - max(len(values), 2)))) - math.log(risk)
    return _around(seen, sum(math.sqrt(2 * log_term / total) / 2 for total in (n, m)))


def share_difference(hits: int, total: int, other_hits: int, other_total: int, confidence: float = 0.95) -> Distance:
    """How far two shares are apart, whichever is the larger.

    Args:
        hits: of the first, 0 <= hits <= total.
        total: at least 1.
        other_hits: of the second.
        other_total: at least 1.
        confidence: probability in (0, 1) with which the interval holds.

    Raises:
        NoEvidence: a total is 0.

    Source: two Clopper-Pearson intervals, each bound at a quarter of the risk; wider than need be, never too narrow.

    >>> d = share_difference(0, 1000, 100, 1000)
    >>> d.seen, round(d.lower, 3), round(d.upper, 3)
    (0.1, 0.075, 0.123)
    """
    if not total or not other_total:
        raise NoEvidence("difference of two shares")
    each = 1 - (1 - confidence) / 4
    low, high = clopper_pearson_lower(hits, total, each), clopper_pearson_upper(hits, total, each)
    other_low = clopper_pearson_lower(other_hits, other_total, each)
    other_high = clopper_pearson_upper(other_hits, other_total, each)
    return Distance(
        seen=abs(hits / total - other_hits / other_total),
        lower=max(0.0, low - other_high, other_low - high),
        upper=max(high - other_low, other_high - low),
    )


def _around(seen: float, band: float) -> Distance:
    return Distance(seen=seen, lower=max(0.0, seen - band), upper=min(1.0, seen + band))
