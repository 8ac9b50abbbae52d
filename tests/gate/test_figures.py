from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.gate.figures import age_text, duration_text, figure_text, gap_text, listed
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Condition


@given(
    limit=st.sampled_from(["500ms", "95%", "3x", "50/s", "10s", "0"]), figure=st.floats(1e-3, 900).filter(lambda v: v)
)
def test_figures_are_written_as_quantities_are(limit, figure):
    quantity = Quantity.parse(limit)
    ours, theirs = figure_text(quantity, figure), quantity.like(figure)
    if ours != theirs:  # only where three digits would say something that is not so, or an exponent would be needed
        assert theirs in {str(quantity), "100%", "0%"} or "e" in theirs


@pytest.mark.parametrize(
    ("limit", "figure", "text"),
    [
        ("95%", 0.9498, "94.98%"),
        ("95%", 0.95, "95%"),
        ("95%", 0.94996, "94.996%"),
        ("95%", 0.9998, "99.98%"),
        ("95%", 1.0, "100%"),
        ("0.5%", 0.000001, "0.0001%"),
        ("0.5%", 0.0, "0%"),
        ("500ms", 0.50004, "500.04 ms"),
        ("500ms", 5.6, "5600 ms"),
        ("500ms", 1234.5678, "1234568 ms"),
        ("0", 3.0, "3"),
        ("0", 1_200_000.0, "1200000"),
        ("3x", 2.999, "2.999x"),
        ("7 days", 86400.0, "1 days"),
    ],
)
def test_a_rounded_figure_never_says_what_is_not_so(limit, figure, text):
    assert figure_text(Quantity.parse(limit), figure) == text


@pytest.mark.parametrize(
    ("condition", "figure", "text"),
    [
        ("stability.latency_p99 <= 500ms", 0.512, "12 ms too long"),
        ("stability.latency_p99 <= 500ms", 5.6, "5.1 s too long"),
        ("stability.recovery_time <= 10s", 400, "6.5 min too long"),
        ("evaluation.accuracy >= 95%", 0.94, "1 point too low"),
        ("stability.error_rate <= 0.5%", 0.0062, "0.12 points too high"),
        ("stability.load >= 3x", 2, "1x too little"),
        ("stability.degradation <= 2x", 2.64, "0.64x too much"),
        ("contracts.lost_records <= 2", 5, "3 too many"),
        ("contracts.lost_records < 2", 2, "on the line itself; less than 2 is asked for"),
    ],
)
def test_gaps_are_said_in_words(condition, figure, text):
    assert gap_text(Condition.parse(condition), figure) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min old"),
        (125, "2 min old"),
        (7300, "2 h old"),
        (86_400 * 41, "41 days old"),
    ],
)
def test_ages_are_whole(seconds, text):
    assert age_text(seconds) == text


def test_lengths_of_time_are_in_the_unit_a_person_would_take():
    assert [duration_text(s) for s in (0.0004, 0.5, 1, 119, 120, 7200, 172_800)] == [
        "0.4 ms", "500 ms", "1 s", "119 s", "2 min", "2 h", "2 days",
    ]  # fmt: skip


def test_a_long_list_says_how_many_more():
    assert (listed(()), listed(("a",)), listed(("a", "b", "c", "d"))) == ("", "a", "a, b, c and 1 more")
