"""What no JSON can say is quarantined and never turned into something else on the way into the record."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.guard.intake import MAX_DEPTH, take_in, to_json
from plimsoll.model.decision import DecisionRecord, Disposition, Fault

NAN = float("nan")


@dataclasses.dataclass
class Form:
    amount: object


class Record(msgspec.Struct):
    amount: float


@pytest.mark.parametrize(
    ("given_", "path"),
    [
        (NAN, ""),
        ([1, NAN], "/1"),
        ({"a": {"b": -float("inf")}}, "/a/b"),
        (Form(NAN), "/amount"),
        (Form([1, {"x": NAN}]), "/amount/1/x"),
        (Record(NAN), "/amount"),
        ([Record(1.0), Record(NAN)], "/1/amount"),
        ({NAN}, "/0"),
        ({"a": frozenset([NAN])}, "/a/0"),
        (np.array([1.0, NAN]), "/1"),
        (np.float32("nan"), ""),
        (Form(np.array([NAN])), "/amount/0"),
    ],
)
def test_a_number_that_is_none_is_found_wherever_it_hides(given_, path):
    """The encoder writes null in its place, and nobody would ever know."""
    intake = take_in(given_)
    assert intake.json is None
    assert [(r.fault, r.rule, r.path) for r in intake.reasons] == [(Fault.UNPARSEABLE, "finite", path)]
    with pytest.raises(TypeError, match="NaN or infinity"):
        to_json(given_)


@pytest.mark.parametrize(
    "given_", [None, {"a": None}, Form(None), [None, 1.5], {"a": "null"}, decimal.Decimal("NaN"), dt.date(2026, 1, 1)]
)
def test_what_is_rightly_null_or_text_is_taken(given_):
    assert not take_in(given_).reasons
    assert to_json(given_) == take_in(given_).json


def nested(depth, kind=list):
    value = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize("depth", [1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 200, 900, 5000])
def test_values_are_bounded_like_bytes(kind, depth):
    """A record nested to the limit of the stack can be written and never be read again."""
    value = nested(depth, kind)
    as_value = take_in(value)
    assert bool(as_value.reasons) is (depth > MAX_DEPTH)
    if depth <= 900:
        assert bool(take_in(json.dumps(value).encode()).reasons) is bool(as_value.reasons)
    if as_value.json is not None:
        record = DecisionRecord(
            release="r", disposition=Disposition.ANSWERED, input=msgspec.Raw(as_value.json), output=msgspec.Raw(b"1")
        )
        assert msgspec.json.decode(msgspec.json.encode(record), type=DecisionRecord).input_json == as_value.json
    else:
        with pytest.raises(TypeError):
            to_json(value)


@given(
    value=st.recursive(
        st.text(alphabet='[]{}"\\,:ab', max_size=200) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=9), inner, max_size=3)
        ),
        max_leaves=20,
    ),
    deeper=st.integers(0, 80),
)
def test_brackets_inside_texts_are_no_depth(value, deeper):
    for _ in range(deeper):
        value = [value]

    def depth(v):
        inner = v.values() if isinstance(v, dict) else v if isinstance(v, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert bool(take_in(value).reasons) is (depth(value) > MAX_DEPTH)


def test_a_text_that_closes_what_it_does_not_open_hides_no_depth():
    deep = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert take_in(["]", deep, "["]).reasons
    assert not take_in(["]", deep[0], "["]).reasons


def test_through_the_guard_such_an_output_does_not_leave(open_guard, record_of):
    answer = open_guard(lambda _: Form(NAN), contract=None).decide("read", 1)
    assert (answer.disposition, answer.why, answer.output) == (Disposition.FAILED, "output-type", None)
    assert "NaN or infinity at '/amount'" in record_of(answer)[0].error
