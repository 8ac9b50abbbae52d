from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plimsoll.stats import mann_kendall


@given(values=st.permutations(range(9)))
def test_without_ties_it_is_the_exact_one_sided_probability_of_kendalls_tau(values):
    theirs = stats.kendalltau(range(9), values, method="exact", alternative="greater").pvalue
    assert mann_kendall(values) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_it_is_never_too_small_whatever_the_ties(n):
    """Over every order of every multiset of values: a probability of at most p comes at most as often as p says."""
    for multiset in itertools.combinations_with_replacement(range(n), n):
        found = Counter(mann_kendall(order) for order in itertools.permutations(multiset))
        so_far = 0
        for probability, count in sorted(found.items()):
            so_far += count
            assert so_far / math.factorial(n) <= probability + 1e-12


def test_the_steadiest_rise_is_one_of_all_orders():
    assert mann_kendall(range(10)) == 1 / math.factorial(10)
    assert mann_kendall(range(10, 0, -1)) == 1.0
    assert mann_kendall([7]) == 1.0


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=12))
def test_only_the_order_of_the_values_counts(values):
    assert mann_kendall(values) == mann_kendall([math.exp(value) for value in values])


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_what_is_no_series_is_refused(values):
    with pytest.raises(ValueError, match="a trend needs values"):
        mann_kendall(values)
