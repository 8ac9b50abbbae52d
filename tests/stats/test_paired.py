from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plimsoll.stats import mcnemar_exact

COUNT = st.integers(0, 3000)


@given(first=COUNT, second=COUNT)
def test_it_agrees_with_scipys_binomial_test(first, second):
    expected = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-200)


@given(first=COUNT, second=COUNT)
def test_it_is_the_same_seen_from_either_side(first, second):
    assert mcnemar_exact(first, second) == mcnemar_exact(second, first)


@pytest.mark.parametrize("n", [1, 5, 10, 25, 60])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_equally_good_targets_are_told_apart_no_more_often_than_the_level_says(n, level):
    """All outcomes are enumerated."""
    false = sum(stats.binom.pmf(k, n, 0.5) for k in range(n + 1) if mcnemar_exact(k, n - k) <= level)
    assert false <= level


def test_no_difference_shows_nothing():
    assert mcnemar_exact(0, 0) == mcnemar_exact(7, 7) == 1.0


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)
