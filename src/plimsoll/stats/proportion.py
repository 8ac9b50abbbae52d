"""Exact bounds of a proportion, and how many cases decide a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Final

from plimsoll.errors import NoEvidence
from plimsoll.stats.beta import beta_quantile, beta_tails

MOST_CASES: Final = 10**9  # nobody collects more; beyond it `smallest_total` gives up
# From here on a forecast may count part of a case: one hit more or less in a million is not seen in the bound, and
# going through the steps of whole hits one by one would take seconds.
_WHOLE_HITS_UP_TO: Final = 10**6


def clopper_pearson_lower(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Exact one-sided lower bound of a proportion.

    Args:
        successes: count, 0 <= successes <= trials.
        trials: count of independent outcomes, at least 1.
        confidence: probability in (0, 1) with which the bound holds.

    Returns:
        A rate in [0, 1], never above successes / trials.

    Raises:
        NoEvidence: trials is 0; a gate must refuse, not assume.
        ValueError: an argument is outside its range.

    Source: C. J. Clopper and E. S. Pearson (1934), "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26(4), 404-413.

    >>> round(clopper_pearson_lower(40, 40), 3)    # forty right out of forty is not "always right"
    0.928
    """
    _check(successes, trials, confidence)
    if successes == 0:
        return 0.0
    if successes == trials:
        return math.exp(math.log1p(-confidence) / trials)
    return beta_quantile(1 - confidence, successes, trials - successes + 1)


def clopper_pearson_upper(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Exact one-sided upper bound of a proportion.

    Arguments, errors and source as `clopper_pearson_lower`. The result is never below successes / trials.

    >>> round(clopper_pearson_upper(0, 598), 5)    # no failure in 598 calls: the rate may still be half a per cent
    0.005
    """
    _check(successes, trials, confidence)
    if successes == trials:
        return 1.0
    if successes == 0:
        return -math.expm1(math.log1p(-confidence) / trials)
    return beta_quantile(confidence, successes + 1, trials - successes)


def smallest_total(
    rate: Fraction | float, limit: float, confidence: float = 0.95, *, upwards: bool, at_least: int = 1
) -> int | None:
    """The smallest number of cases at which, at the rate observed so far, the bound is on the right side of a limit.

    Cases are whole: where the rate gives no whole number of hits, it is rounded against the system. From a million
    cases on that rounding is left out.

    Args:
        rate: observed rate in [0, 1]; a `Fraction` of the counts is exact, a float is taken for the nearest fraction
            with a denominator up to 1e8.
        limit: rate in [0, 1].
        confidence: one-sided, in (0, 1).
        upwards: True when the lower bound must reach the limit (accuracy), False when the upper bound must stay at or
            below it (errors).
        at_least: where to begin, at least 1; what has been seen already.

    Returns:
        A count >= at_least; None: never at this rate, for the rate is not strictly on the right side of the limit, or
        not within `MOST_CASES`.

    Raises:
        ValueError: an argument is outside its range.

    >>> smallest_total(1.0, 0.95, upwards=True)
    59
    >>> smallest_total(Fraction(242, 250), 0.95, upwards=True, at_least=250)
    434
    >>> smallest_total(0.95, 0.95, upwards=True) is None
    True
    """
    exact = rate if isinstance(rate, Fraction) else Fraction(rate).limit_denominator(10**8)
    if not (0 <= exact <= 1 and 0 <= limit <= 1 and 0 < confidence < 1 and at_least >= 1):
        raise ValueError(f"rate {rate} and limit {limit} must be in [0, 1], confidence {confidence} in (0, 1)")
    against = 1 - exact if upwards else exact  # the share of cases that speak against the system
    allowed = 1 - limit if upwards else limit
    if not float(against) < allowed:
        return None

    def decided(against_count: float, total: int) -> bool:
        """Whether the bound is on the right side; the bound itself need not be known for it."""
        if against_count >= total:
            return False
        if upwards:
            tail, _ = beta_tails(limit, total - against_count, against_count + 1)
        else:
            _, tail = beta_tails(limit, against_count + 1, total - against_count)
        return tail <= 1 - confidence

    share = float(against)
    first = _first(lambda total: decided(share * total, total), at_least, MOST_CASES)
    if first is None or first >= _WHOLE_HITS_UP_TO or not against:
        return first
    return _first_whole(against, decided, first)


def _first_whole(against: Fraction, decided: Callable[[float, int], bool], total: int) -> int | None:
    """The first total from here on that decides with the cases against the system rounded up.

    Over a stretch of totals with one count against, more cases only help; so the end of each stretch tells for all.
    """
    while total <= MOST_CASES:
        count = math.ceil(against * total)
        end = math.floor(count / against)
        if decided(count, end):
            return _first(partial(decided, count), total, end)
        total = end + 1
    return None


def _first(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The first number in [low, high] at which something holds that goes on holding from there."""
    step, reached = 1, low
    while reached < high and not holds(reached):
        low, reached, step = reached + 1, min(high, reached + step), step * 2
    if not holds(reached):
        return None
    while low < reached:
        middle = (low + reached) // 2
        low, reached = (low, middle) if holds(middle) else (middle + 1, reached)
    return reached


def _check(successes: int, trials: int, confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must be in (0, 1)")
    if trials == 0:
        raise NoEvidence("proportion")
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a proportion")
