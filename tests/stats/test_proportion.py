from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plimsoll.errors import NoEvidence
from plimsoll.stats import MOST_CASES, clopper_pearson_lower, clopper_pearson_upper, smallest_total

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCE = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])


@pytest.mark.parametrize("n", [1, 2, 5, 40, 250, 3000, 100_000])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_bounds_agree_with_scipy(n, confidence):
    for k in sorted({0, 1, n // 100, n // 3, n - n // 50, n - 1, n}):
        lower = stats.beta.ppf(1 - confidence, k, n - k + 1) if k else 0
        upper = stats.beta.ppf(confidence, k + 1, n - k) if k < n else 1
        assert clopper_pearson_lower(k, n, confidence) == pytest.approx(lower, rel=1e-10, abs=1e-15)
        assert clopper_pearson_upper(k, n, confidence) == pytest.approx(upper, rel=1e-10, abs=1e-15)


def test_forty_of_forty_are_at_least_92_8_percent():
    assert round(clopper_pearson_lower(40, 40), 3) == 0.928


@pytest.mark.parametrize("n", [1, 2, 5, 20, 59, 100, 250])
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_exact_coverage_is_never_below_the_promise(n, confidence):
    """All outcomes are enumerated: for each true rate, the probability of those whose bound holds is summed up."""
    lower = np.array([clopper_pearson_lower(k, n, confidence) for k in range(n + 1)])
    upper = np.array([clopper_pearson_upper(k, n, confidence) for k in range(n + 1)])
    # Coverage is lowest right beside a bound, so the grid takes those points too.
    beside = np.concatenate([lower + 1e-9, upper - 1e-9, lower - 1e-9, upper + 1e-9])
    rates = np.clip(np.concatenate([np.linspace(0, 1, 301), beside]), 0, 1)
    outcomes = stats.binom.pmf(np.arange(n + 1)[None, :], n, rates[:, None])
    covered_below = (outcomes * (lower[None, :] <= rates[:, None])).sum(axis=1)
    covered_above = (outcomes * (upper[None, :] >= rates[:, None])).sum(axis=1)
    assert covered_below.min() >= confidence - 1e-9
    assert covered_above.min() >= confidence - 1e-9


@given(counts=COUNTS, confidence=CONFIDENCE)
def test_the_rate_is_between_its_bounds(counts, confidence):
    hits, total = counts
    lower, upper = clopper_pearson_lower(hits, total, confidence), clopper_pearson_upper(hits, total, confidence)
    assert 0 <= lower <= upper <= 1
    if confidence > 0.5:
        assert lower <= hits / total <= upper
    assert lower == pytest.approx(1 - clopper_pearson_upper(total - hits, total, confidence), abs=1e-12)


@given(counts=COUNTS)
def test_a_hit_raises_and_a_miss_lowers_both_bounds(counts):
    hits, total = counts
    for bound in (clopper_pearson_lower, clopper_pearson_upper):
        assert bound(hits + 1, total + 1) >= bound(hits, total) - 1e-12
        assert bound(hits, total + 1) <= bound(hits, total) + 1e-12


@given(counts=COUNTS, times=st.integers(2, 50))
def test_more_cases_at_the_same_rate_only_help(counts, times):
    hits, total = counts
    assert clopper_pearson_lower(hits * times, total * times) >= clopper_pearson_lower(hits, total)
    assert clopper_pearson_upper(hits * times, total * times) <= clopper_pearson_upper(hits, total)


def test_nothing_is_concluded_from_nothing():
    for bound in (clopper_pearson_lower, clopper_pearson_upper):
        with pytest.raises(NoEvidence):
            bound(0, 0)


@pytest.mark.parametrize(
    ("hits", "total", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 0), (1, 3, 1), (1, 3, 2)]
)
def test_impossible_counts_are_refused(hits, total, confidence):
    for bound in (clopper_pearson_lower, clopper_pearson_upper):
        with pytest.raises(ValueError, match=r"not a proportion|confidence"):
            bound(hits, total, confidence)


# -- how many cases decide ----------------------------------------------------------------------------------------------


def first_by_trying(hits: int, total: int, limit: float, *, upwards: bool, most: int) -> int | None:
    for n in range(total, most):
        if upwards:
            if clopper_pearson_lower(hits * n // total, n) >= limit:
                return n
        elif clopper_pearson_upper(-(-hits * n // total), n) <= limit:
            return n
    return None


@pytest.mark.parametrize(
    ("hits", "total", "limit", "upwards"),
    [
        (242, 250, 0.95, True),
        (40, 40, 0.95, True),
        (3, 4, 0.6, True),
        (7, 8, 0.8, True),
        (19, 25, 0.7, True),
        (0, 100, 0.005, False),
        (2, 1000, 0.005, False),
        (1, 3, 0.5, False),
        (499, 1000, 0.52, False),
    ],
)
def test_it_is_the_first_total_at_which_the_bound_is_on_the_right_side(hits, total, limit, upwards):
    by_trying = first_by_trying(hits, total, limit, upwards=upwards, most=5000)
    assert smallest_total(Fraction(hits, total), limit, upwards=upwards, at_least=total) == by_trying
    assert smallest_total(hits / total, limit, upwards=upwards, at_least=total) == by_trying  # a float does as well


@given(total=st.integers(1, 60), data=st.data(), percent=st.integers(1, 99), upwards=st.booleans())
def test_trying_every_total_finds_the_same(total, data, percent, upwards):
    hits = data.draw(st.integers(0, total))
    limit = percent / 100
    found = smallest_total(Fraction(hits, total), limit, upwards=upwards, at_least=total)
    by_trying = first_by_trying(hits, total, limit, upwards=upwards, most=300)
    assert found == by_trying if by_trying is not None else found is None or found >= 300


@pytest.mark.parametrize(
    ("rate", "limit", "upwards"),
    [
        (0.95, 0.95, True),
        (0.9, 0.95, True),
        (1.0, 1.0, True),
        (0.005, 0.005, False),
        (0.0, 0.0, False),
        (0.1, 0, False),
    ],
)
def test_a_figure_on_the_line_is_never_decided(rate, limit, upwards):
    assert smallest_total(rate, limit, upwards=upwards) is None


def test_a_figure_too_near_the_line_is_not_worth_waiting_for():
    assert smallest_total(0.50001, 0.5, upwards=True) is None


@pytest.mark.parametrize(("rate", "limit", "upwards"), [(0.5001, 0.5, True), (9e-5, 1e-4, False), (0.96, 0.9599, True)])
def test_large_totals_are_found_too(rate, limit, upwards):
    total = smallest_total(rate, limit, upwards=upwards)
    assert total is not None
    assert 10**6 <= total <= MOST_CASES
    if upwards:
        assert clopper_pearson_lower(math.ceil(rate * total), total) >= limit
        assert clopper_pearson_lower(math.floor(rate * total * 0.999), math.floor(total * 0.999)) < limit
    else:
        assert clopper_pearson_upper(math.floor(rate * total), total) <= limit
        assert clopper_pearson_upper(math.ceil(rate * total * 0.999), math.floor(total * 0.999)) > limit


def test_arguments_outside_their_range_are_refused():
    for rate, limit, at_least in ((1.5, 0.5, 1), (0.5, -0.1, 1), (0.9, 0.5, 0)):
        with pytest.raises(ValueError, match="must be"):
            smallest_total(rate, limit, upwards=True, at_least=at_least)
