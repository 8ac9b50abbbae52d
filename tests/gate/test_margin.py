from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.gate.margin import HIGHEST, LOWEST, margin
from plimsoll.model.threshold import Condition, Op

UPWARDS = ["evaluation.accuracy >= 95%", "evaluation.accuracy > 95%", "evaluation.answered_share >= 40%",
           "stability.load >= 3x", "organisation.accepted >= 100%", "evaluation.accuracy >= 0%"]  # fmt: skip
DOWNWARDS = ["stability.error_rate <= 0.5%", "stability.error_rate < 0.5%", "stability.latency_p99 <= 500ms",
             "contracts.lost_records <= 0", "stability.shed_rate <= 0%", "contracts.lost_records < 10"]  # fmt: skip


@given(text=st.sampled_from([*UPWARDS, *DOWNWARDS]), figure=st.floats(0, 1), better=st.floats(0, 1))
def test_it_rises_with_the_figure_and_crosses_one_at_the_line(text, figure, better):
    condition = Condition.parse(text)
    if (figure > better) is condition.op.upwards:
        figure, better = better, figure
    low, high = margin(condition, figure), margin(condition, better)
    assert LOWEST <= low <= high <= HIGHEST
    for at, value in ((figure, low), (better, high)):
        assert (value >= 1) is condition.op.holds(at, condition.limit.base)


@pytest.mark.parametrize(
    ("text", "figure", "expected"),
    [
        ("evaluation.accuracy >= 95%", 0.95, 1.0),
        ("evaluation.accuracy >= 95%", 0.975, 1.35),  # half the mistakes
        ("evaluation.accuracy >= 95%", 0.90, 0.65),  # twice the mistakes
        ("evaluation.accuracy >= 95%", 1.0, HIGHEST),
        ("stability.latency_p99 <= 500ms", 0.25, 1.35),  # half the time
        ("stability.latency_p99 <= 500ms", 1.0, 0.65),
        ("stability.latency_p99 <= 500ms", 5.6, LOWEST),
        ("stability.latency_p99 <= 500ms", math.inf, LOWEST),
        ("stability.error_rate <= 0.5%", 0.0, HIGHEST),
        ("contracts.lost_records = 0", 0.0, 1.0),
        ("contracts.lost_records = 0", 1.0, 0.65),
        ("contracts.lost_records = 0", 3000.0, LOWEST),
        ("contracts.lost_records = 2", 1.0, 0.65),  # better than asked for, and yet not what was asked for
        ("organisation.accepted = 100%", 1.0, 1.0),
        ("organisation.accepted = 100%", 0.5, 0.65),
        ("organisation.accepted = 100%", 0.0, LOWEST),
        ("stability.load >= 3x", 6.0, 1.35),
    ],
)
def test_a_doubling_of_the_headroom_is_one_step(text, figure, expected):
    assert margin(Condition.parse(text), figure) == pytest.approx(expected, abs=1e-9)


@given(figure=st.floats(0, 1e6), limit=st.integers(0, 1000), op=st.sampled_from(list(Op)))
def test_counts_never_leave_the_picture(figure, limit, op):
    if op.upwards:
        return
    value = margin(Condition.parse(f"contracts.lost_records {op.value} {limit}"), figure)
    assert LOWEST <= value <= HIGHEST
    assert (value >= 1) is op.holds(figure, float(limit))
