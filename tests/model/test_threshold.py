from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll.model.metrics import METRICS, Better, Dimension, Kind
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import Quantity, units_of
from plimsoll.model.threshold import Condition, Op, Threshold


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    metric = METRICS[draw(st.sampled_from(sorted(METRICS)))]
    ops = [Op.GE, Op.GT] if metric.better is Better.HIGHER else [Op.LE, Op.LT]
    op = draw(st.sampled_from([*ops, Op.EQ] if metric.kind is Kind.CENSUS else ops))
    amount = draw(st.floats(0, 1e9, allow_nan=False))
    unit = draw(st.sampled_from(units_of(metric.unit)))
    assume(math.isfinite(amount))
    return Condition(metric.name, op, Quantity(amount, unit))


@given(condition=conditions())
def test_a_condition_reads_back_as_it_is_written(condition: Condition) -> None:
    assert Condition.parse(str(condition)) == condition
    assert condition.dimension is METRICS[condition.metric].dimension


@given(condition=conditions(), figure=st.floats(-1e9, 1e9))
def test_a_condition_holds_on_one_side_of_its_limit(condition: Condition, figure: float) -> None:
    limit = condition.limit.base
    expected = {
        Op.LE: figure <= limit,
        Op.LT: figure < limit,
        Op.GE: figure >= limit,
        Op.GT: figure > limit,
        Op.EQ: figure == limit,
    }[condition.op]
    assert condition.op.holds(figure, limit) is expected


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("stabilty.load >= 3x", "not a metric", "did you mean 'stability.load'?"),
        ("Stability.Load >= 3x", "not a metric", "did you mean 'stability.load'?"),
        ("accuracy >= 95%", "not a metric", "did you mean 'evaluation.accuracy'?"),
        ("weather.sunny >= 95%", "not a metric", "the catalogue has"),
        ("stability.load => 3x", "not one of", "did you mean '>='?"),
        ("stability.load ≥ 3x", "not one of", "did you mean '>='?"),
        ("stability.load != 3x", "not one of", ""),
        ("stability.load <= 3x", "points the other way", "write stability.load >= 3x"),
        ("stability.error_rate > 1%", "points the other way", "write stability.error_rate <= 1%"),
        ("stability.load = 3x", "census", "write stability.load >= 3x"),
        ("stability.load >= 300%", "is a multiple; '300%' is a ratio", "such as 3x"),
        ("stability.load >= 3", "is a multiple; '3' is a count", "such as 3x"),
        ("stability.load >= TBD", "not a number with a unit", "stability.load >= 3x"),
        ("stability.latency_p99 <= 5 sec", "not a unit", "did you mean 's'?"),
        ("stability.load", "not a condition", "<metric> <op> <quantity>"),
        ("stability.load >=", "not a condition", "<metric> <op> <quantity>"),
        ("3x <= stability.load", "not a condition", "<metric> <op> <quantity>"),
        ("", "not a condition", "<metric> <op> <quantity>"),
    ],
)
def test_a_sentence_that_is_no_condition_says_what_to_write(text: str, message: str, fix: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        Condition.parse(text)
    assert message in caught.value.message
    assert fix in caught.value.fix


@given(text=st.text(max_size=60))
def test_any_text_is_a_condition_or_is_not_understood(text: str) -> None:
    with contextlib.suppress(NotUnderstood):
        assert Condition.parse(text).metric in METRICS


def _threshold(*sentences: str, **more: Quantity) -> Threshold:
    return Threshold(set_by="coo@example.org", conditions=tuple(map(Condition.parse, sentences)), **more)


def test_the_dimensions_without_a_condition_are_named() -> None:
    assert _threshold("stability.load >= 3x", "contracts.lost_records = 0").missing_dimensions == (
        Dimension.ORGANISATIONAL,
        Dimension.GOVERNANCE,
    )


def test_a_confidence_must_be_one() -> None:
    assert _threshold("stability.load >= 3x", confidence=Quantity(99, "%"))
    for amount in (49.9, 100.0):
        with pytest.raises(ValueError, match="confidence"):
            _threshold("stability.load >= 3x", confidence=Quantity(amount, "%"))


@pytest.mark.parametrize("length", [Quantity(0, "s"), Quantity(-1, "s"), Quantity(5, "x"), Quantity(5, "")])
def test_a_load_window_must_be_a_length_of_time(length: Quantity) -> None:
    with pytest.raises(ValueError, match="load_window"):
        _threshold("stability.load >= 3x", load_window=length)


@given(sentences=st.lists(conditions(), min_size=2, max_size=6, unique_by=str))
def test_the_digest_is_that_of_the_set_of_conditions(sentences: list[Condition]) -> None:
    whole = Threshold(set_by="a", conditions=tuple(sentences))
    assert Threshold(set_by="a", conditions=tuple(reversed(sentences))).digest == whole.digest
    assert Threshold(set_by="a", conditions=tuple(sentences[1:])).digest != whole.digest
    assert Threshold(set_by="b", conditions=tuple(sentences)).digest != whole.digest
    assert Threshold(set_by="a", conditions=tuple(sentences), consulted=("c",)).digest == whole.digest
