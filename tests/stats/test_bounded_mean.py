from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import NoEvidence
from plimsoll.stats import betting_lower, betting_total, betting_upper, clopper_pearson_lower

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def by_the_book(values: list[float], alpha: float, grid: np.ndarray) -> float:
    """The capital process on a grid of candidate means, written down from the paper, without a shortcut."""
    x = np.asarray(values)
    t = np.arange(1, len(x) + 1)
    mean_hat = (0.5 + np.cumsum(x)) / (t + 1)
    var_hat = (0.25 + np.cumsum((x - mean_hat) ** 2)) / (t + 1)
    var_before = np.concatenate([[0.25], var_hat[:-1]])
    lam = np.sqrt(2 * np.log(1 / alpha) / (var_before * t * np.log(1 + t)))
    rejected = [
        m for m in grid if np.max(np.cumprod(1 + np.minimum(lam, (0.5 / m) if m else np.inf) * (x - m))) >= 1 / alpha
    ]
    return max(rejected, default=0.0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_it_is_the_edge_of_what_the_capital_process_rejects(seed, confidence):
    rng = np.random.default_rng(seed)
    values = rng.beta(*rng.uniform(0.3, 5, 2), size=80).tolist()
    grid = np.linspace(0, 1, 2001)
    ours = betting_lower(values, 0, 1, confidence)
    assert by_the_book(values, 1 - confidence, grid) <= ours + 1e-9
    assert ours <= by_the_book(values, 1 - confidence, grid) + grid[1]


SHAPES = {
    "coin": (lambda r, n: (r.random(n) < 0.9).astype(float), 0.9),
    "rare": (lambda r, n: (r.random(n) < 0.03).astype(float), 0.03),
    "uniform": (lambda r, n: r.random(n), 0.5),
    "narrow": (lambda r, n: r.beta(200, 50, n), 0.8),
    "nearly all": (lambda r, n: 1 - r.beta(0.3, 30, n), 1 - 0.3 / 30.3),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("n", [10, 60, 200])
def test_bounds_hold_as_often_as_promised(name, n):
    draw, mean = SHAPES[name]
    rng = np.random.default_rng(7)
    trials, confidence = 300, 0.9
    samples = [draw(rng, n).tolist() for _ in range(trials)]
    below = sum(betting_lower(s, 0, 1, confidence) <= mean for s in samples) / trials
    above = sum(betting_upper(s, 0, 1, confidence) >= mean for s in samples) / trials
    noise = 3 * math.sqrt(confidence * (1 - confidence) / trials)
    assert below >= confidence - noise
    assert above >= confidence - noise


def test_the_bound_holds_under_continuous_looking():
    """Whoever stops at the most flattering moment is still right as often as promised."""
    rng = np.random.default_rng(11)
    trials, confidence, mean = 150, 0.9, 0.7
    wrong = 0
    for _ in range(trials):
        values = (rng.random(200) < mean).astype(float).tolist()
        wrong += any(betting_lower(values[:n], 0, 1, confidence) > mean for n in range(5, 201, 15))
    assert wrong / trials <= 1 - confidence + 3 * math.sqrt(confidence * (1 - confidence) / trials)


@given(values=VALUES, confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_bounds_stay_in_the_range_and_around_each_other(values, confidence):
    lower, upper = betting_lower(values, 0, 1, confidence), betting_upper(values, 0, 1, confidence)
    assert 0 <= lower <= upper + 1e-9
    assert upper <= 1


@given(values=VALUES, shift=st.floats(-50, 50), scale=st.floats(0.01, 100))
def test_the_unit_of_the_values_does_not_matter(values, shift, scale):
    upper_end = shift + scale
    moved = [min(shift + v * scale, upper_end) for v in values]
    expected = shift + scale * betting_lower(values, 0, 1)
    assert betting_lower(moved, shift, upper_end) == pytest.approx(expected, abs=1e-6 * scale + 1e-9 * abs(shift))


@given(values=VALUES, confidence=st.sampled_from([0.8, 0.95]))
def test_more_confidence_and_more_bad_values_only_lower_the_bound(values, confidence):
    lower = betting_lower(values, 0, 1, confidence)
    assert betting_lower(values, 0, 1, 0.999) <= lower + 1e-9
    for at in {0, len(values) // 2, len(values) - 1}:
        worse = [*values[:at], 0.0, *values[at + 1 :]]
        if values[at] == worse[at]:
            assert betting_lower(worse, 0, 1, confidence) == lower


def test_on_coins_it_is_not_far_behind_the_exact_bound():
    values = [1.0] * 19 + [0.0]
    bound = betting_lower(values * 20, 0, 1)
    exact = clopper_pearson_lower(380, 400)
    assert exact - 0.03 < bound < exact + 0.01


def test_the_bound_reaches_the_limit_exactly_when_it_was_said_to():
    values = [0.9, 1.0, 0.8, 0.95, 0.85] * 4
    total = betting_total(values, 0, 1, 0.85, upwards=True)
    assert total is not None
    repeated = values * 20
    assert betting_lower(repeated[:total], 0, 1) >= 0.85 - 1e-9
    assert betting_lower(repeated[: total - 1], 0, 1) < 0.85
    mirrored = [1 - v for v in values]
    assert betting_total(mirrored, 0, 1, 0.15, upwards=False) == pytest.approx(total, abs=1)


def test_a_mean_on_the_line_is_never_decided():
    assert betting_total([0.5, 0.5], 0, 1, 0.5, upwards=True) is None
    assert betting_total([0.2], 0, 1, 0.5, upwards=True) is None
    assert betting_total([0.51, 0.5], 0, 1, 0.505 - 1e-9, upwards=True, most=1000) is None
    assert betting_total([0.2], 0, 1, 0, upwards=True) == 1


def test_nothing_is_concluded_from_nothing_or_from_outside_the_range():
    with pytest.raises(NoEvidence):
        betting_lower([], 0, 1)
    for values, lower, upper, confidence in (
        ([1.5], 0, 1, 0.95),
        ([math.nan], 0, 1, 0.95),
        ([0.5], 1, 0, 0.95),
        ([0.5], 0, math.inf, 0.95),
        ([0.5], 0, 1, 1),
    ):
        with pytest.raises(ValueError, match=r"range|confidence"):
            betting_lower(values, lower, upper, confidence)
