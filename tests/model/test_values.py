"""Records that cross a boundary: decisions, evidence, digests."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.canonical import canonical, digest, digest_bytes
from plimsoll.model.decision import Answer, DecisionRecord, Disposition, Fault, Reason, Result
from plimsoll.model.evidence import Proportion, Window

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _turned(value: Any) -> Any:
    """The same value with its keys in another order."""
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return [_turned(v) for v in value] if isinstance(value, list) else value


@given(value=_JSON)
def test_equal_values_have_one_canonical_form(value: Any) -> None:
    raw = canonical(value)
    assert canonical(_turned(value)) == raw
    assert json.loads(raw) == value
    assert digest(value) == digest_bytes(raw) == "sha256:" + hashlib.sha256(raw).hexdigest()


def test_canonical_json_sorts_keys_and_wastes_no_space() -> None:
    assert canonical({"b": 1, "a": ["é", None, True]}) == '{"a":["é",null,true],"b":1}'.encode()


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical(object())


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
def test_a_confidence_lies_between_none_and_all(confidence: float) -> None:
    assert Result("x", confidence=1.0).confidence == 1.0
    with pytest.raises(ValueError, match="confidence"):
        Result("x", confidence=confidence)


def test_records_cannot_be_changed() -> None:
    answer = Answer(disposition=Disposition.ANSWERED, record="id", release="r", output=1)
    with pytest.raises(AttributeError):
        answer.output = 2  # type: ignore[misc]


def test_a_decision_record_reads_back_as_it_was_written() -> None:
    record = DecisionRecord(
        release="sha256:0",
        disposition=Disposition.QUARANTINED,
        why="contract",
        input=msgspec.Raw(b'{"amount":1.0}'),
        broken=(Reason(fault=Fault.MISSING, path="/date", rule="required", expected="a date", found="nothing"),),
        usage={"tokens": 3.0},
    )
    raw = canonical(record)
    again = msgspec.json.decode(raw, type=DecisionRecord)
    assert canonical(again) == raw
    assert again.broken == record.broken
    assert again.input is not None
    assert bytes(again.input) == b'{"amount":1.0}'
    assert set(json.loads(raw)) == {"release", "disposition", "why", "input", "broken", "usage"}


def test_counts_that_cannot_be_are_refused() -> None:
    for hits, total in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="proportion"):
            Proportion(hits=hits, total=total)
    with pytest.raises(ValueError, match="longer"):
        Window(total=1, tail=(1.0, 2.0), median=1.0)


def test_a_board_says_its_verdict_in_one_sentence() -> None:
    def row(standing: Standing) -> Row:
        return Row(condition="c", metric="m", op=">=", limit="1", dimension="data", standing=standing)

    standings = [
        Standing.MET,
        Standing.NOT_MET,
        Standing.NOT_MET,
        Standing.STALE,
        Standing.INSUFFICIENT,
        Standing.NOT_MEASURED,
    ]
    board = Board(
        system="s",
        release="r",
        threshold="t",
        people="p",
        outcome=Outcome.NOT_READY,
        draft=False,
        demonstration=False,
        rows=tuple(map(row, standings)),
        time_ns=0,
    )
    assert board.sentence == (
        "1 of 6 conditions are met, 2 are below the line, 1 needs more cases, 1 has gone stale, 1 was never measured"
    )
