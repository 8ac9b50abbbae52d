"""Every way in which a record breaks its contract has its own name, from bytes and from values alike, and hides what it must."""

from __future__ import annotations

import json

import pytest

from plimsoll.guard.source_changes import changes_of
from plimsoll.model.decision import Disposition, Fault, Verdict

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: claim
version: 1.0.0
status: active
schema:
  - name: claim
    properties:
      - {name: claim_id, logicalType: string, required: true, primaryKey: true}
      - name: amount
        logicalType: number
        logicalTypeOptions: {minimum: 0}
        customProperties: [{property: plimsollCoerce, value: [trim, decimal-comma]}]
      - name: version
        logicalType: integer
        customProperties: [{property: plimsollOrder, value: notFalling}]
      - {name: holder, logicalType: string, classification: personal, enum: [{value: ann}, {value: bob}]}
customProperties:
  - {property: plimsollWindow, value: {keys: 100, age: 1 day}}
"""
FIRST = {"claim_id": "a", "amount": 1, "version": 5}


def changed(**more):
    return {key: value for key, value in {**FIRST, "claim_id": "b", **more}.items() if value is not ...}


@pytest.mark.parametrize("as_bytes", [True, False])
@pytest.mark.parametrize(
    ("record", "fault", "path", "rule"),
    [
        (changed(amount="many"), Fault.WRONG_TYPE, "/amount", "type"),
        (changed(amount="1.234"), Fault.WRONG_TYPE, "/amount", "type"),
        (changed(claim_id=...), Fault.MISSING, "/claim_id", "required"),
        (changed(claim_id=None), Fault.MISSING, "/claim_id", "required"),
        (changed(amount=-1), Fault.RULE_BROKEN, "/amount", "minimum"),
        (changed(amount=" -1,5 "), Fault.RULE_BROKEN, "/amount", "minimum"),
        (changed(colour="red"), Fault.UNKNOWN_FIELD, "/colour", "unknown-field"),
        (changed(holder="4711-secret"), Fault.RULE_BROKEN, "/holder", "enum"),
        (FIRST, Fault.DUPLICATE, "/claim_id", "primaryKey"),
        (changed(version=4), Fault.OUT_OF_ORDER, "/version", "order"),
        ([], Fault.WRONG_TYPE, "", "type"),
        ("x" * 2_000_000, Fault.TOO_LARGE, "", "size"),
    ],
)
def test_each_fault_is_told_apart(open_guard, record, fault, path, rule, as_bytes):
    guard = open_guard(lambda _: 1, contract=CONTRACT)
    assert guard.decide("read", FIRST).disposition is Disposition.ANSWERED
    answer = guard.decide("read", json.dumps(record).encode() if as_bytes else record)
    assert answer.disposition is Disposition.QUARANTINED
    assert [(r.fault, r.path, r.rule) for r in answer.broken] == [(fault, path, rule)]


@pytest.mark.parametrize(
    "raw", [b'{"claim_id": "b"', b'{"claim_id": "b", "claim_id": "c"}', b"\xff", b"", b'{"a": NaN}']
)
def test_what_is_no_record_is_unparseable_and_nothing_else(open_guard, raw):
    (reason,) = open_guard(lambda _: 1, contract=CONTRACT).decide("read", raw).broken
    assert reason.fault is Fault.UNPARSEABLE


def test_only_what_is_declared_is_coerced_and_the_record_names_it(open_guard, record_of):
    guard = open_guard(lambda record: record["amount"], contract=CONTRACT)
    answer = guard.decide("read", b'{"claim_id": "b", "amount": " 1.234,5 ", "version": 1}')
    kept, _ = record_of(answer)
    assert (answer.output, kept.verdict, kept.coerced) == (1234.5, Verdict.COERCED, ("/amount",))
    refused = guard.decide("read", b'{"claim_id": "c", "version": "2"}')
    assert [(r.fault, r.path) for r in refused.broken] == [(Fault.WRONG_TYPE, "/version")]


def test_a_classified_value_stands_in_no_reason_no_change_and_no_list(open_guard, record_of, ledger):
    guard = open_guard(lambda _: 1, contract=CONTRACT)
    answer = guard.decide("read", changed(holder="4711-secret"))
    kept, _ = record_of(answer)
    (change,) = changes_of(ledger, "claims")
    assert change.examples == ("a text, hidden (personal)",)
    assert "4711" not in repr((answer.broken, kept.broken, change))
    assert b"4711" in bytes(kept.input)  # what came is kept, and is sealed
