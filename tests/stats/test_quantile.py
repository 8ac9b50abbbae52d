from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plimsoll.stats import lower_rank, quantile_rank, smallest_window, upper_rank

SHARES = st.sampled_from([0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999])
CONFIDENCE = st.sampled_from([0.8, 0.9, 0.95, 0.99])


def test_a_p99_at_95_percent_needs_299_values():
    assert smallest_window(0.99) == 299
    assert upper_rank(299, 0.99) == 299
    assert upper_rank(298, 0.99) is None


@given(n=st.integers(1, 20_000), q=SHARES, confidence=CONFIDENCE)
def test_the_upper_rank_is_the_smallest_that_covers(n, q, confidence):
    rank = upper_rank(n, q, confidence)
    covered = stats.binom.cdf(np.array([0, n - 1]), n, q)[1]
    if rank is None:
        assert covered < confidence + 1e-12
        return
    assert 1 <= rank <= n
    assert stats.binom.cdf(rank - 1, n, q) >= confidence - 1e-12
    assert rank == 1 or stats.binom.cdf(rank - 2, n, q) < confidence + 1e-12


@given(n=st.integers(1, 20_000), q=SHARES, confidence=CONFIDENCE)
def test_the_lower_rank_is_the_largest_that_covers(n, q, confidence):
    rank = lower_rank(n, q, confidence)
    if rank is None:
        assert 1 - stats.binom.cdf(0, n, q) < confidence + 1e-12
        return
    assert 1 <= rank <= n
    assert stats.binom.sf(rank - 1, n, q) >= confidence - 1e-12
    assert rank == n or stats.binom.sf(rank, n, q) < confidence + 1e-12


@given(q=SHARES, confidence=CONFIDENCE)
def test_the_smallest_window_is_just_enough(q, confidence):
    n = smallest_window(q, confidence)
    assert upper_rank(n, q, confidence) == n
    assert n == 1 or upper_rank(n - 1, q, confidence) is None


@given(n=st.integers(1, 5000), q=SHARES, confidence=CONFIDENCE)
def test_ranks_stand_around_the_samples_own_quantile(n, q, confidence):
    own, upper, lower = quantile_rank(n, q), upper_rank(n, q, confidence), lower_rank(n, q, confidence)
    assert 1 <= own <= n
    assert upper is None or upper >= own
    assert lower is None or lower <= own


def test_the_samples_own_quantile_does_not_stumble_over_floating_point():
    assert quantile_rank(100, 0.07) == 7
    assert quantile_rank(300, 0.99) == 297
    assert quantile_rank(1, 0.99) == 1


DISTRIBUTIONS = {
    "exponential": (lambda r, size: r.exponential(size=size), lambda q: -np.log(1 - q)),
    "heavy-tailed": (lambda r, size: r.pareto(1.1, size=size), lambda q: (1 - q) ** (-1 / 1.1) - 1),
    "uniform": (lambda r, size: r.random(size=size), lambda q: q),
    # Whole milliseconds: most values are tied.
    "ties": (lambda r, size: r.geometric(0.3, size=size).astype(float), lambda q: stats.geom.ppf(q, 0.3)),
    "two values": (lambda r, size: (r.random(size=size) > 0.985).astype(float), lambda q: float(q > 0.985)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("n", "q"), [(299, 0.99), (600, 0.99), (1000, 0.99), (100, 0.5), (200, 0.9)])
def test_bounds_hold_as_often_as_promised_on_any_distribution(name, n, q):
    draw, true_quantile = DISTRIBUTIONS[name]
    trials, confidence = 4000, 0.95
    sample = np.sort(draw(np.random.default_rng(20_261_121), (trials, n)), axis=1)
    upper, lower = upper_rank(n, q, confidence), lower_rank(n, q, confidence)
    assert upper is not None
    assert lower is not None
    above = float((sample[:, upper - 1] >= true_quantile(q)).mean())
    below = float((sample[:, lower - 1] <= true_quantile(q)).mean())
    noise = 4 * np.sqrt(confidence * (1 - confidence) / trials)
    assert above >= confidence - noise
    assert below >= confidence - noise


@pytest.mark.parametrize(
    ("n", "q", "confidence"), [(0, 0.5, 0.95), (5, 0, 0.95), (5, 1, 0.95), (5, 0.5, 0), (5, 0.5, 1)]
)
def test_arguments_outside_their_range_are_refused(n, q, confidence):
    for rank in (upper_rank, lower_rank):
        with pytest.raises(ValueError, match=r"must be|no quantile"):
            rank(n, q, confidence)
