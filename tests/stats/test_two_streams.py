"""The comparison of two streams: what it promises holds by simulation, and it finds what is worse."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.stats import ODDS_RATIOS, TwoStreams
from plimsoll.stats.two_streams import _log_gain


def _run(chance: random.Random, live_rate: float, other_rate: float, *, share: float, decisions: int, alpha: float):
    """Number of the canary's decisions at which it is called worse; None: never."""
    state, seen = TwoStreams(), 0
    for _ in range(decisions // 20):
        counts = [[0, 0], [0, 0]]
        for _ in range(20):
            which = int(chance.random() < share)
            counts[which][0] += 1
            counts[which][1] += chance.random() < (other_rate if which else live_rate)
        seen += counts[1][0]
        state = state.after(live=counts[0][0], live_bad=counts[0][1], other=counts[1][0], other_bad=counts[1][1])
        if state.is_worse(alpha):
            return seen
    return None


@pytest.mark.parametrize(("rate", "share"), [(0.01, 0.05), (0.05, 0.2), (0.3, 0.5)])
def test_one_that_is_no_worse_is_stopped_as_rarely_as_promised(rate, share):
    chance = random.Random(20261125)
    alarms = sum(_run(chance, rate, rate, share=share, decisions=3000, alpha=0.1) is not None for _ in range(300))
    # 10% of 300 are 30; 44 and more would happen with a probability below 0.5%.
    assert alarms < 44


def test_one_that_is_worse_is_found():
    chance = random.Random(7)
    found = [_run(chance, 0.02, 0.25, share=0.1, decisions=20_000, alpha=0.01) for _ in range(30)]
    assert all(found)
    assert sorted(found)[15] < 60, "a canary that fails every fourth time is found within some sixty of its decisions"


def test_one_that_is_better_is_never_called_worse():
    chance = random.Random(8)
    assert not any(_run(chance, 0.2, 0.05, share=0.3, decisions=4000, alpha=0.05) for _ in range(60))


@pytest.mark.parametrize("ratio", ODDS_RATIOS)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 1), (2, 2), (4, 1)])
def test_no_bet_gains_on_average_where_the_other_is_no_worse(ratio, sizes):
    """The expectation itself, over every outcome of a block, for a grid of pairs of rates."""
    live, other = sizes
    for base, (a, b) in product((0.02, 0.3, 0.7), product((0.0, 0.01, 0.2, 0.5, 0.9, 1.0), repeat=2)):
        if b > a:
            continue
        mean = sum(
            math.comb(live, x) * a**x * (1 - a) ** (live - x)
            * math.comb(other, y) * b**y * (1 - b) ** (other - y)
            * math.exp(_log_gain(base, ratio, live, x, other, y))
            for x, y in product(range(live + 1), range(other + 1))
        )  # fmt: skip
        assert mean <= 1 + 1e-12, (base, a, b, mean)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_counts_add_up_and_wealth_is_a_number(blocks):
    state = TwoStreams()
    for live, bad, other, other_bad in blocks:
        state = state.after(live=live + bad, live_bad=bad, other=other + other_bad, other_bad=other_bad)
    assert state.live == sum(b[0] + b[1] for b in blocks)
    assert state.other_bad == sum(b[3] for b in blocks)
    assert math.isfinite(state.log_evidence)


def test_a_block_of_one_stream_alone_says_nothing():
    state = TwoStreams().after(live=0, live_bad=0, other=100, other_bad=100)
    assert state.log_evidence == 0.0
    assert state.other_bad == 100


@pytest.mark.parametrize("counts", [(1, 2, 1, 0), (1, -1, 1, 0), (1, 0, 0, 1)])
def test_what_is_no_count_is_refused(counts):
    live, bad, other, other_bad = counts
    with pytest.raises(ValueError, match="no counts"):
        TwoStreams().after(live=live, live_bad=bad, other=other, other_bad=other_bad)


def test_the_gain_of_a_block_is_the_ratio_of_likelihoods():
    """Against exact arithmetic: one bad of one against none of one."""
    base, ratio = Fraction(1, 10), Fraction(5, 2)
    second = ratio * base / (1 - base + ratio * base)
    mean = (base + second) / 2
    exact = (1 - base) / (1 - mean) * second / mean
    assert math.exp(_log_gain(0.1, 2.5, 1, 0, 1, 1)) == pytest.approx(float(exact), rel=1e-12)
