from __future__ import annotations

import decimal
import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from plimsoll.stats import beta, beta_quantile, beta_tails, bounded_mean, proportion, quantile, regularised_beta

PROBABILITIES = (1e-9, 1e-6, 0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99, 1 - 1e-6)


@pytest.mark.parametrize("module", [beta, bounded_mean, proportion, quantile], ids=lambda m: m.__name__)
def test_the_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("n", [1, 2, 3, 10, 59, 250, 1000, 12_345, 10**6])
def test_both_tails_and_the_quantile_agree_with_scipy(n):
    for k in sorted({0, 1, n // 1000, n // 20, n // 2, n - n // 20, n - 1}):
        if not 0 <= k < n:
            continue
        a, b = k + 1, n - k
        for p in PROBABILITIES:
            theirs = float(stats.beta.ppf(p, a, b))
            assert beta_quantile(p, a, b) == pytest.approx(theirs, rel=1e-9)
            lower, upper = beta_tails(theirs, a, b)
            assert lower == pytest.approx(float(special.betainc(a, b, theirs)), rel=1e-9)
            assert upper == pytest.approx(float(special.betaincc(a, b, theirs)), rel=1e-9)


@given(a=st.floats(0.05, 1e4), b=st.floats(0.05, 1e4), x=st.floats(1e-6, 1 - 1e-6))
def test_parameters_need_not_be_whole(a, b, x):
    lower, upper = beta_tails(x, a, b)
    assert lower == pytest.approx(float(special.betainc(a, b, x)), rel=1e-9, abs=1e-14)
    assert upper == pytest.approx(float(special.betaincc(a, b, x)), rel=1e-9, abs=1e-14)


def exact_cdf(k: int, n: int, p: float) -> decimal.Decimal:
    """P(Binomial(n, p) <= k) with 60 digits."""
    with decimal.localcontext(decimal.Context(prec=60)):
        share = decimal.Decimal(p)
        return sum((math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k + 1)), decimal.Decimal(0))


@pytest.mark.parametrize("n", [10**3, 10**6, 10**8, 10**9])
@pytest.mark.parametrize("k", [0, 1, 2, 5, 20])
def test_a_few_failures_among_up_to_a_billion_cases_are_exact_to_12_digits(n, k):
    """scipy itself is only good to eight digits here, so the judge is arithmetic with sixty."""
    for p in (0.5, 0.95, 0.99, 1 - 1e-6):
        bound = beta_quantile(p, k + 1, n - k)
        failures_at_most_k = exact_cdf(k, n, bound)
        assert float(1 - failures_at_most_k) == pytest.approx(p, rel=1e-12)
        lower, upper = beta_tails(bound, k + 1, n - k)
        assert lower == pytest.approx(float(1 - failures_at_most_k), rel=1e-12)
        assert upper == pytest.approx(float(failures_at_most_k), rel=1e-12)
        mirrored = beta_quantile(1 - p, n - k, k + 1)
        assert mirrored == pytest.approx(1 - bound, rel=1e-14)


def test_large_counts_agree_with_the_normal_limit():
    """At 1e8 cases and a half, the bound is 1.6449 standard deviations below, to second order."""
    n = 10**8
    bound = beta_quantile(0.05, n // 2, n // 2 + 1)
    assert bound == pytest.approx(0.5 - 1.6448536269514722 * math.sqrt(0.25 / n), abs=2e-8)


@given(p=st.floats(1e-9, 1 - 1e-9), a=st.integers(1, 10**6), b=st.integers(1, 10**6))
def test_the_quantile_is_the_inverse(p, a, b):
    x = beta_quantile(p, a, b)
    assert 0 < x < 1
    # One unit in the last place of x moves the tail by density * x * 2e-16, which for 1e6 cases is some 1e-13.
    assert regularised_beta(x, a, b) == pytest.approx(p, rel=1e-9, abs=1e-15)


@given(
    a=st.integers(1, 5000), b=st.integers(1, 5000), x=st.floats(0, 1), more=st.floats(0, 1), p=st.floats(0.001, 0.999)
)
def test_the_distribution_function_rises_and_its_tails_are_one_together(a, b, x, more, p):
    low, high = sorted((x, more))
    assert regularised_beta(low, a, b) <= regularised_beta(high, a, b) + 1e-13
    assert sum(beta_tails(x, a, b)) == pytest.approx(1, abs=1e-15)
    assert beta_quantile(p, a, b) <= beta_quantile(min(1.0, p + 1e-3), a, b)


def test_the_ends_are_exact():
    assert beta_tails(0, 3, 4) == (0, 1)
    assert beta_tails(1, 3, 4) == (1, 0)
    assert (beta_quantile(0, 3, 4), beta_quantile(1, 3, 4)) == (0, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: beta_tails(-0.1, 1, 1),
        lambda: beta_tails(1.1, 1, 1),
        lambda: beta_tails(0.5, 0, 1),
        lambda: beta_tails(0.5, 1, -1),
        lambda: beta_tails(0.5, math.inf, 1),
        lambda: beta_tails(math.nan, 1, 1),
        lambda: beta_quantile(-0.1, 1, 1),
        lambda: beta_quantile(math.nan, 1, 1),
        lambda: beta_quantile(0.5, 0, 1),
    ],
)
def test_arguments_outside_their_range_are_refused(call):
    with pytest.raises(ValueError, match=r"must be|needs two"):
        call()
