"""A source that changes without saying so: each change is told once, with how often, examples and a likely old name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.schema_watch import MOST, SchemaWatch
from plimsoll.model.source_change import ChangeKind

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: claims\nversion: 1.0.0\nstatus: active\nschema:\n- name: claim\n"
FIELDS = """\
  properties:
  - {name: claim_id, logicalType: string, required: true}
  - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
  - {name: channel, logicalType: string, enum: [{value: web}, {value: phone}]}
  - {name: branch, logicalType: string}
  - {name: received, logicalType: date}
  - {name: holder, logicalType: string, classification: personal}
  - name: parts
    logicalType: array
    items: {logicalType: object, properties: [{name: part, logicalType: string}, {name: price, logicalType: number}]}
"""
GOOD = {"claim_id": "C-1", "amount": 12.5, "channel": "web", "branch": "north", "received": "2026-01-02"}


class Source:
    """A source whose records are checked and watched."""

    def __init__(self, *, fields=FIELDS, extra="", classification=""):
        self.checker = compile_contract(read_contract(HEAD + extra + fields, "c.yaml"), classification=classification)
        self.watch = SchemaWatch("fax", self.checker, process="p", classification=classification)
        self.now = 0

    def send(self, *records):
        told = []
        for record in records:
            self.now += 1
            checked = self.checker.check(record)
            if checked.reasons or not self.watch.passes():
                told += self.watch.see(checked.value, checked.reasons, self.now)
        return told


def without(record, *names):
    return {name: value for name, value in record.items() if name not in names}


def test_what_keeps_its_contract_is_no_change():
    assert Source().send(*[GOOD] * 200) == []


def test_a_new_field_is_told_once_and_again_each_time_it_is_ten_times_as_frequent():
    source = Source()
    told = source.send(*[GOOD] * 10, *[{**GOOD, "colour": f"red {i}"} for i in range(1200)])
    assert [(c.kind, c.what, c.seen, c.of) for c in told] == [
        (ChangeKind.UNKNOWN_FIELD, "colour", seen, 10 + seen) for seen in (1, 10, 100, 1000)
    ]
    assert {c.first_ns for c in told} == {11}
    assert len({c.id for c in told}) == 1
    assert [(c.seen, c.of) for c in source.watch.rest()] == [(1200, 1210)]
    assert list(source.watch.rest()) == []


def test_the_value_of_an_unknown_field_is_never_an_example_only_its_kind():
    told = Source().send({**GOOD, "secret": "4711"}, {**GOOD, "secret": 4711}, {**GOOD, "other": {"a": 4711}})
    assert [c.examples for c in told] == [("a text",), ("an object with 1 field",)]
    assert "4711" not in repr(told)


def test_fields_are_named_where_they_stand_once_a_record_and_in_an_open_contract_too():
    record = {**GOOD, "parts": [{"part": "a", "n": 1}, {"part": "b", "n": 2}]}
    assert [(c.what, c.seen) for c in Source().send(record)] == [("parts[].n", 1)]
    allow = "  customProperties: [{property: plimsollUnknownFields, value: allow}]\n"
    source = Source(extra=allow)
    assert source.checker.check(record).reasons == ()
    assert [(c.what, c.seen) for c in source.send(record)] == [("parts[].n", 1)]


def test_a_new_value_of_an_enumeration_is_told_with_the_value_and_each_value_is_a_change():
    told = Source().send({**GOOD, "channel": "fax"}, {**GOOD, "channel": "app"}, {**GOOD, "channel": "fax"})
    assert [(c.kind, c.what, c.examples) for c in told] == [
        (ChangeKind.NEW_VALUE, "channel", ('"fax"',)),
        (ChangeKind.NEW_VALUE, "channel", ('"app"',)),
    ]
    assert len({c.id for c in told}) == 2


@pytest.mark.parametrize("where", ["field", "records"])
def test_a_new_value_that_is_classified_is_masked(where):
    fields = FIELDS.replace(
        "enum: [{value: web}, {value: phone}]", "enum: [{value: web}, {value: phone}], classification: personal"
    )
    source = Source(fields=fields) if where == "field" else Source(classification="personal")
    (told,) = source.send({**GOOD, "channel": "4711-secret"})
    assert told.examples == ("a text, hidden (personal)",)
    assert "4711" not in repr(told)


def test_another_kind_of_value_is_a_change_of_its_field():
    told = Source().send({**GOOD, "amount": "12.5"}, {**GOOD, "amount": "13"}, {**GOOD, "amount": [1]})
    assert [(c.kind, c.what, c.examples) for c in told] == [
        (ChangeKind.OTHER_TYPE, "amount", ("a text",)),
        (ChangeKind.OTHER_TYPE, "amount", ("a list of 1 item",)),
    ]


# -- a likely old name


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [("claim_id", "claimId", "C-7"), ("amount", "amount_eur", 3), ("received", "receivedOn", "2026-02-03")],
)
def test_a_field_whose_name_changed_is_told_with_its_old_name(old, new, value):
    told = Source().send(*[GOOD] * 3, {**without(GOOD, old), new: value})
    assert [(c.what, c.likely) for c in told if c.kind is ChangeKind.UNKNOWN_FIELD] == [(new, old)]
    assert told[0].why.startswith(f"'{old}' is gone from the record that has it; its rules take the value; the names")


def test_values_that_a_field_had_before_tell_its_old_name_where_the_names_are_not_alike():
    records = [{**GOOD, "branch": b} for b in ("north", "south", "east")]
    told = Source().send(*records, {**without(GOOD, "branch", "holder"), "office": "south"})
    assert [(c.what, c.likely) for c in told] == [("office", "branch")]
    assert told[0].why.endswith("it had the value before")


def test_no_old_name_is_claimed_while_the_field_is_still_there_or_its_rules_refuse_the_value():
    told = Source().send({**GOOD, "amount_eur": 3}, {**without(GOOD, "amount"), "amounts": "many"})
    assert [(c.what, c.likely, c.why) for c in told] == [("amount_eur", "", ""), ("amounts", "", "")]


def test_a_name_that_was_likely_at_first_is_taken_back_when_both_come_together():
    source = Source()
    (first,) = source.send({**without(GOOD, "received"), "receivedOn": "2026-02-03"})
    later = source.send(*[{**GOOD, "receivedOn": "2026-02-03"}] * 9)
    assert (first.likely, later[-1].likely) == ("received", "")


# -- bounds


def test_who_makes_names_up_fills_no_memory_and_no_ledger():
    source = Source()
    told = source.send(*[{**GOOD, f"made-up-{i}": 1} for i in range(5000)])
    assert len(source.watch._changes) <= MOST + 1
    more = [c for c in told if c.kind is ChangeKind.MORE]
    assert [c.seen for c in more] == [1, 10, 100, 1000]
    assert len(told) == MOST + len(more)


def test_a_field_that_is_no_enumeration_any_more_does_not_hide_other_changes():
    source = Source()
    told = source.send(*[{**GOOD, "channel": f"v{i}"} for i in range(100)], {**GOOD, "colour": 1})
    assert [c.what for c in told if c.kind is ChangeKind.NEW_VALUE] == ["channel"] * 8
    assert [(c.what, c.seen) for c in told if c.kind is ChangeKind.MORE] == [("channel", 1), ("channel", 10)]
    assert told[-1].what == "colour"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*GOOD, "parts", "part", "x", "a/b"]), inner, max_size=5),
    max_leaves=15,
)  # fmt: skip


@given(st.lists(JSON, max_size=12), st.booleans())
@settings(deadline=None, max_examples=60)
def test_whatever_comes_it_is_counted_and_every_change_is_told_in_the_end(records, is_open):
    extra = "  customProperties: [{property: plimsollUnknownFields, value: allow}]\n" if is_open else ""
    source = Source(extra=extra)
    told = [*source.send(*records), *source.watch.rest()]
    latest = {c.id: c for c in told}
    assert len(latest) == len(source.watch._changes)
    assert all(1 <= c.seen <= c.of <= len(records) for c in latest.values())
    for record in records:  # nothing that the contract does not name passes unseen
        if isinstance(record, dict):
            for name in record.keys() - {*GOOD, "holder", "parts"}:
                assert name in {c.what for c in latest.values() if c.kind is ChangeKind.UNKNOWN_FIELD}
