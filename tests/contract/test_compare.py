"""Two versions of a contract: every change named with its lines, and whom it breaks, in both directions."""

from __future__ import annotations

import msgspec
import pytest
from contract.random_fields import FIELDS, NAMES, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compare_contracts, compile_contract, read_contract
from plimsoll.contract.changes import Kind
from plimsoll.contract.rules import Contract, Field, LogicalType

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: {}\n"


def contract(fields="", *, rest="", version="1.0.0"):
    """A contract with one object; its fields begin on line 8."""
    return read_contract(HEAD.format(version) + f"schema:\n- name: t\n  properties:\n{fields}{rest}", "c.yaml")


def field(more="", name="a", type_="string"):
    return f"  - {{name: {name}, logicalType: {type_}{', ' + more if more else ''}}}\n"


def only(old, new):
    (change,) = [c for c in compare_contracts(old, new).changes if c.kind is not Kind.VERSION]
    return change


SOURCES, CONSUMERS, BOTH, NOBODY = (True, False), (False, True), (True, True), (False, False)
ENUM = "enum: [{{value: x}}, {{value: y}}{}]"


@pytest.mark.parametrize(
    ("old", "new", "kind", "name", "said", "breaks"),
    [
        (field(ENUM.format("")), field(ENUM.format(", {value: z}")), Kind.ENUM_ADDED, "t.a", "'z' is allowed too", CONSUMERS),
        (field(ENUM.format(", {value: z}")), field(ENUM.format("")), Kind.ENUM_REMOVED, "t.a", "'z' is no longer allowed", SOURCES),
        (field(), field(ENUM.format("")), Kind.NARROWED, "t.a", "only 'x', 'y' are allowed now", SOURCES),
        (field(ENUM.format("")), field(), Kind.WIDENED, "t.a", "any value is allowed", CONSUMERS),
        (field(), field("required: true"), Kind.REQUIRED, "t.a", "missing no longer", SOURCES),
        (field("required: true"), field(), Kind.OPTIONAL, "t.a", "may be missing, or null", CONSUMERS),
        (field(type_="integer"), field(type_="number"), Kind.TYPE, "t.a", "it was integer and is number", CONSUMERS),
        (field(type_="number"), field(type_="integer"), Kind.TYPE, "t.a", "it was number and is integer", SOURCES),
        (field(type_="date"), field(type_="string"), Kind.TYPE, "t.a", "it was date and is string", CONSUMERS),
        (field(type_="string"), field(type_="boolean"), Kind.TYPE, "t.a", "it was string and is boolean", BOTH),
        (field("customProperties: [{property: unit, value: EUR}]", type_="number"),
         field("customProperties: [{property: unit, value: USD}]", type_="number"), Kind.UNIT, "t.a", "was in EUR and is in USD", BOTH),
        (field(type_="number"), field("customProperties: [{property: unit, value: USD}]", type_="number"), Kind.UNIT, "t.a", "no declared unit", NOBODY),
        (field("logicalTypeOptions: {minimum: 1}", type_="number"), field("logicalTypeOptions: {minimum: 2}", type_="number"),
         Kind.NARROWED, "t.a", "minimum was 1 and is 2", SOURCES),
        (field("logicalTypeOptions: {maximum: 1}", type_="number"), field("logicalTypeOptions: {maximum: 2}", type_="number"),
         Kind.WIDENED, "t.a", "maximum was 1 and is 2", CONSUMERS),
        (field("logicalTypeOptions: {minimum: '2020-01-01'}", type_="date"), field("logicalTypeOptions: {minimum: '2021-01-01'}", type_="date"),
         Kind.NARROWED, "t.a", "minimum was '2020-01-01'", SOURCES),
        (field("logicalTypeOptions: {pattern: '^a'}"), field("logicalTypeOptions: {pattern: '^b'}"), Kind.REWRITTEN, "t.a", "pattern was '^a' and is '^b'", BOTH),
        (field("logicalTypeOptions: {multipleOf: 2}", type_="integer"), field("logicalTypeOptions: {multipleOf: 4}", type_="integer"),
         Kind.NARROWED, "t.a", "multipleOf was 2 and is 4", SOURCES),
        (field(), field() + field(name="b"), Kind.FIELD_ADDED, "t.b", "'b' is new", NOBODY),
        (field(), field() + field("required: true", name="b"), Kind.FIELD_ADDED, "t.b", "'b' is new, and required", SOURCES),
        (field() + field(name="b"), field(), Kind.FIELD_REMOVED, "t.b", "'b' is gone", BOTH),
        (field(name="claimId"), field(name="claim_id"), Kind.FIELD_RENAMED, "t.claimId", "probably what is called now 'claim_id'", BOTH),
        (field(name="old"), field("customProperties: [{property: plimsollAliases, value: [old]}]", name="ref"),
         Kind.FIELD_RENAMED, "t.old", "'old' is called 'ref'", CONSUMERS),
        (field("classification: public"), field("classification: personal"), Kind.CLASSIFICATION, "t.a", "was public and is personal", NOBODY),
        (field("customProperties: [{property: plimsollCoerce, value: [trim]}]"), field(), Kind.READING, "t.a", "coercions were trim and are none", SOURCES),
        (field(), field("unique: true"), Kind.KEY, "t.a", "unique is new", SOURCES),
        (field("quality: [{metric: nullValues, mustBeLessThan: 5, unit: percent}]"), field("quality: [{metric: nullValues, mustBeLessThan: 5}]"),
         Kind.UNIT, "t.a", "was of percent and is of rows", BOTH),
        (field("quality: [{metric: nullValues, mustBeLessThan: 5}]"), field("quality: [{metric: nullValues, mustBeLessThan: 9}]"),
         Kind.QUALITY, "t.a", "mustBeLessThan 5 and is mustBeLessThan 9", CONSUMERS),
        (field("quality: [{metric: rowCount, mustBeGreaterThan: 5}]"), field("quality: [{metric: rowCount, mustBeGreaterThan: 9}]"),
         Kind.QUALITY, "t.a", "mustBeGreaterThan 9", SOURCES),
        (field("relationships: [{to: x.y}]"), field(), Kind.REFERENCE, "t.a", "t.a → x.y is gone", CONSUMERS),
        (field("items: {logicalType: string}", type_="array"), field("items: {logicalType: string, required: true}", type_="array"),
         Kind.REQUIRED, "t.a[]", "missing no longer", SOURCES),
    ],
)  # fmt: skip
def test_a_change_is_named_with_whom_it_breaks(old, new, kind, name, said, breaks):
    change = only(contract(old), contract(new))
    assert (change.kind, change.field, (change.breaks_sources, change.breaks_consumers)) == (kind, name, breaks)
    assert said in change.said
    lines = {line for line in (change.old_line, change.new_line) if line}
    assert lines <= {8, 9}
    assert lines


LEVEL = "slaProperties: [{{property: {}, value: {}, unit: {}}}]\n"


@pytest.mark.parametrize(
    ("old", "new", "kind", "breaks"),
    [
        (LEVEL.format("latency", 4, "h"), LEVEL.format("latency", 1, "d"), Kind.LEVEL, CONSUMERS),
        (LEVEL.format("latency", 1, "d"), LEVEL.format("latency", 4, "h"), Kind.LEVEL, SOURCES),
        (LEVEL.format("latency", 1, "d"), LEVEL.format("latency", 24, "h"), Kind.UNIT, NOBODY),
        (LEVEL.format("availability", 99, "percent"), LEVEL.format("availability", 95, "percent"), Kind.LEVEL, CONSUMERS),
        (LEVEL.format("retention", 3, "y"), LEVEL.format("retention", 1, "y"), Kind.LEVEL, CONSUMERS),
        (LEVEL.format("throughput", 3, "rows/s"), LEVEL.format("throughput", 3, "rows/h"), Kind.UNIT, BOTH),
        (LEVEL.format("latency", 1, "d"), "", Kind.LEVEL, CONSUMERS),
        ("servers: [{server: a, type: custom}]\n", "", Kind.SERVER, BOTH),
        ("servers: [{server: a, type: custom, path: x}]\n", "servers: [{server: a, type: custom, path: y}]\n", Kind.SERVER, CONSUMERS),
        ("roles: [{role: r}]\n", "roles: [{role: s}]\n", Kind.PEOPLE, NOBODY),
        ("customProperties: [{property: plimsollModifiers, value: [a@example.org]}]\n", "", Kind.PEOPLE, NOBODY),
    ],
)  # fmt: skip
def test_a_change_of_what_is_promised_is_named_with_whom_it_breaks(old, new, kind, breaks):
    change = only(contract(field(), rest=old), contract(field(), rest=new))
    assert (change.kind, (change.breaks_sources, change.breaks_consumers)) == (kind, breaks)


CONSUMERS_TEXT = """\
customProperties:
- property: plimsollConsumers
  value:
  - {id: report, format: csv, latencyTolerance: 1 day, onUnexpected: misleads, owner: r@example.org, approver: x@example.org, fields: [a]}
  - {id: archive, format: json, latencyTolerance: 1 h, onUnexpected: stops, owner: s@example.org, approver: y@example.org}
"""


def test_each_consumer_is_told_what_breaks_it():
    old = contract(field() + field("required: true", name="b"), rest=CONSUMERS_TEXT)
    new = contract(
        field(type_="boolean") + field(name="b") + field(name="c"),
        rest=CONSUMERS_TEXT + LEVEL.format("latency", 2, "h"),
    )
    compared = compare_contracts(old, new)
    touched = {
        a.id: [compared.changes[i].field or compared.changes[i].said for i in a.changes] for a in compared.consumers
    }
    assert touched == {
        "report": ["t.a"],
        "archive": ["t.c", "t.a", "t.b", "latency 2 h is more than the 3600 s that 'archive' bears"],
    }
    assert [(a.id, a.owner, a.approver, a.effect) for a in compared.consumers] == [
        ("report", "r@example.org", "x@example.org", "misleads"),
        ("archive", "s@example.org", "y@example.org", "stops"),
    ]


def test_a_new_field_alone_breaks_only_the_consumer_that_stops_at_it():
    old, new = (
        contract(field(), rest=CONSUMERS_TEXT),
        contract(field() + field(name="b"), rest=CONSUMERS_TEXT, version="1.1.0"),
    )
    compared = compare_contracts(old, new)
    assert [(a.id, len(a.changes)) for a in compared.consumers] == [("report", 0), ("archive", 1)]
    assert compared.breaks_consumers
    assert not compared.breaks_sources
    assert not compare_contracts(contract(field()), contract(field() + field(name="b"))).breaks_consumers


def test_a_version_that_says_less_than_its_changes_is_named():
    old = contract(field("required: true"))
    said = [
        c.said for c in compare_contracts(old, contract(field(), version="1.1.0")).changes if c.kind is Kind.VERSION
    ]
    assert said == ["the changes break somebody, and 1.1.0 is the same major version as 1.0.0"]
    assert not [c for c in compare_contracts(old, contract(field(), version="2.0.0")).changes if c.kind is Kind.VERSION]
    same = [c.said for c in compare_contracts(old, contract(field())).changes if c.kind is Kind.VERSION]
    assert same == ["both are version 1.0.0, and they differ"]


def test_a_contract_beside_itself_has_no_change():
    old = contract(field() + field(name="b"), rest=CONSUMERS_TEXT)
    assert compare_contracts(old, old).changes == ()


RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=8, max_size=16)
SETS = st.dictionaries(NAMES, FIELDS, max_size=3)


def record(fields, closed):
    made = tuple(msgspec.structs.replace(f, name=n) for n, f in fields.items())
    return Field(
        name="r", line=1, column=1, type=LogicalType.OBJECT, required=True, fields=made, closed=closed and bool(made)
    )


def whole(field_):
    return Contract(id="c", name="c", version="", digest="", file="c", objects=(field_,), record=field_)


@given(SETS, SETS, st.booleans(), st.booleans(), st.sets(NAMES), RECORDS)
@settings(deadline=None, max_examples=150)
def test_what_is_said_to_break_nobody_breaks_nobody(old_fields, new_fields, old_closed, new_closed, shared, records):
    """On random pairs that have much in common: a record that keeps one contract keeps the other, where we say so."""
    common = {n: f for n, f in old_fields.items() if n in shared}
    old, new = whole(record(old_fields, old_closed)), whole(record({**new_fields, **common}, new_closed))
    compared = compare_contracts(old, new)
    before, after = compile_contract(old).check, compile_contract(new).check
    added = any(
        c.kind is Kind.FIELD_ADDED for c in compared.changes
    )  # no record of before has it, and readers by name pass it
    for value in records:
        kept_old, kept_new = not before(value).reasons, not after(value).reasons
        assert not kept_old or kept_new or compared.breaks_sources, value
        assert not kept_new or kept_old or compared.breaks_consumers or added, value
