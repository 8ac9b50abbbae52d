"""Burstiness, evenness, and distances of two samples, against an independent implementation and by simulation."""

from __future__ import annotations

import doctest
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from plimsoll.errors import NoEvidence
from plimsoll.stats import (
    burstiness,
    chi_square,
    evenness_tails,
    gamma_tails,
    kolmogorov_distance,
    share_difference,
    total_variation,
    two_samples,
)


@pytest.mark.parametrize("module", [chi_square, two_samples], ids=lambda m: m.__name__)
def test_the_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@given(a=st.floats(0.05, 1e4), x=st.floats(0, 2e4))
def test_both_tails_of_the_gamma_distribution_agree_with_scipy(a, x):
    lower, upper = gamma_tails(a, x)
    assert lower == pytest.approx(float(special.gammainc(a, x)), abs=1e-10)
    assert upper == pytest.approx(float(special.gammaincc(a, x)), abs=1e-10)


@given(counts=st.lists(st.integers(0, 10_000), min_size=2, max_size=40).filter(any))
def test_evenness_agrees_with_scipy(counts):
    even, uneven = evenness_tails(counts)
    theirs = stats.chisquare(counts)
    assert uneven == pytest.approx(float(theirs.pvalue), abs=1e-9)
    assert even == pytest.approx(1 - uneven, abs=1e-9)


def test_burstiness_tells_a_clock_chance_and_bursts_apart():
    r = random.Random(1)
    assert burstiness([60.0] * 50) == -1.0
    assert abs(burstiness([r.expovariate(1) for _ in range(20_000)])) < 0.02
    assert burstiness([r.paretovariate(1.1) for _ in range(20_000)]) > 0.3
    assert burstiness([0.0, 0.0]) == 0.0
    with pytest.raises(NoEvidence):
        burstiness([1.0])


@given(
    a=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60), b=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)
)
def test_the_kolmogorov_distance_agrees_with_scipy_and_lies_in_its_interval(a, b):
    found = kolmogorov_distance(a, b)
    assert found.seen == pytest.approx(float(stats.ks_2samp(a, b, method="asymp").statistic))
    assert 0 <= found.lower <= found.seen <= found.upper <= 1
    assert kolmogorov_distance(b, a).seen == pytest.approx(found.seen)


@pytest.mark.parametrize("p", [0.5, 0.3, 0.05])
def test_the_intervals_hold_the_true_distance_at_least_as_often_as_they_say(p):
    """The truth is known here: shares p and 1 - p against one half, and uniform numbers against shifted ones."""
    r = random.Random(7)
    truth, rounds, held = abs(p - 0.5), 300, Counter()
    for _ in range(rounds):
        ours, theirs = Counter(r.random() < p for _ in range(400)), Counter(r.random() < 0.5 for _ in range(300))
        a, b = ({str(k): n for k, n in c.items()} for c in (ours, theirs))
        for name, d in (
            ("variation", total_variation(a, b)),
            ("share", share_difference(ours[True], 400, theirs[True], 300)),
            (
                "kolmogorov",
                kolmogorov_distance([float(x) for x in ours.elements()], [float(x) for x in theirs.elements()]),
            ),
        ):
            held[name] += d.lower - 1e-12 <= truth <= d.upper + 1e-12
    assert min(held["variation"], held["share"], held["kolmogorov"]) >= 0.95 * rounds


def test_nothing_has_no_distance():
    for call in (
        lambda: kolmogorov_distance([], [1.0]),
        lambda: total_variation({}, {"a": 1}),
        lambda: share_difference(0, 0, 1, 2),
    ):
        with pytest.raises(NoEvidence):
            call()


@pytest.mark.parametrize("counts", [[3], [1, -1], [0, 0]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="two counts"):
        evenness_tails(counts)
