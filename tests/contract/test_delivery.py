"""A delivery as a whole: presence, uniqueness, the library's quality rules; and rows of CSV files read by their contract."""

from __future__ import annotations

import pytest

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.cells import kinds_of, read_cells
from plimsoll.contract.delivery import Delivery
from plimsoll.contract.rules import LogicalType

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: 1.0.0\nschema:\n- name: t\n"  # the object is on line 6


def delivered(text: str, records):
    delivery = Delivery(compile_contract(read_contract(HEAD + text, "c.yaml")))
    for record in records:
        delivery.add(record)
    return delivery.verdict()


def outcome(text: str, records):
    return {(f.rule, f.field): f.holds for f in delivered(text, records).findings if f.rule != "presence"}


def test_a_field_that_stands_in_no_record_is_missing_from_the_delivery_though_each_record_keeps_its_contract():
    text = "  properties: [{name: a, logicalType: string}, {name: b, logicalType: string}]\n"
    verdict = delivered(text, [{"a": "x"}, {"a": "y"}])
    assert (verdict.rows, verdict.broken, verdict.passed) == (2, 0, False)
    assert [(f.field, f.holds) for f in verdict.findings] == [("t.a", True), ("t.b", False)]
    assert delivered(text, [{"a": "x"}, {"b": None}]).passed
    assert not delivered(text, []).passed


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        (["x", "y"], True),
        (["x", "x"], False),
        ([None, None], True),
        ([1, 1.0], False),
        ([1, True], True),
        ([["a"], ["a"]], False),
    ],
)
def test_a_value_of_a_unique_field_stands_there_once(values, holds):
    text = "  properties: [{name: a, unique: true}]\n"
    assert outcome(text, [{"a": v} for v in values]) == {("unique", "t.a"): holds}


def test_a_key_of_several_fields_is_compared_as_a_whole_and_a_field_in_lists_item_by_item():
    key = """\
  properties:
  - {name: b.c, logicalType: string, primaryKey: true, primaryKeyPosition: 2}
  - {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
"""
    fields = ("primaryKey", "t.a, t.b.c")
    assert outcome(key, [{"a": "x", "b.c": "y"}, {"a": "x", "b.c": "z"}]) == {fields: True}
    assert outcome(key, [{"a": "x", "b.c": "y"}, {"a": "x", "b.c": "y"}]) == {fields: False}
    parts = "  properties: [{name: p, logicalType: array, items: {logicalType: object, properties: [{name: n, unique: true}]}}]\n"
    assert outcome(parts, [{"p": [{"n": 1}, {"n": 2}]}, {"p": [{"n": 2}]}]) == {("unique", "t.p[].n"): False}
    counts = "  properties: [{name: m, logicalType: map, map: {key: {logicalType: string}, value: {unique: true}}}]\n"
    assert outcome(counts, [{"m": {"x": 1, "y": 2}}, {"m": {"z": 2}}]) == {("unique", "t.m.value"): False}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("metric: rowCount, mustBeBetween: [3, 5]", True),
        ("metric: rowCount, mustBeGreaterThan: 4", False),
        ("metric: nullValues, mustBeLessThan: 26, unit: percent", True),
        ("metric: nullValues, mustBeLessThan: 1, severity: error", False),
        ("metric: nullValues, mustBe: 1", True),
        ("metric: missingValues, mustBe: 2, arguments: {missingValues: [null, n/a]}", True),
        ("metric: invalidValues, mustBe: 1, arguments: {validValues: [x, n/a]}", True),
        ("metric: invalidValues, mustBe: 2, arguments: {pattern: '^[a-y]$'}", True),
        ("metric: duplicateValues, mustBe: 0", True),
        ("metric: duplicateValues, mustNotBe: 0, arguments: {properties: [b]}", True),
        ("type: sql, query: SELECT 1, mustBe: 1", None),
        ("type: text, description: good", None),
    ],
)
def test_a_quality_rule_of_the_library_is_counted_and_compared(rule, holds):
    text = (
        f"  properties: [{{name: a, logicalType: string, quality: [{{{rule}}}]}}, {{name: b, logicalType: integer}}]\n"
    )
    records = [{"a": "x", "b": 1}, {"a": "z", "b": 1}, {"a": "n/a", "b": 2}, {"a": None, "b": 3}]
    (held,) = outcome(text, records).values()
    assert held is holds


def test_a_rule_that_only_advises_refuses_nothing():
    text = "  properties: [{name: a, quality: [{metric: nullValues, mustBe: 0, severity: warning}]}]\n"
    verdict = delivered(text, [{"a": None}])
    assert verdict.passed
    assert [(f.holds, f.advice, f.said) for f in verdict.findings if f.rule != "presence"] == [
        (False, True, "1, and mustBe 0")
    ]


CELLS = """\
  properties:
  - {name: n, logicalType: integer, customProperties: [{property: plimsollAliases, value: [number]}]}
  - {name: x, logicalType: number}
  - {name: ok, logicalType: boolean}
  - {name: at, logicalType: timestamp}
  - {name: own, logicalType: timestamp, logicalTypeOptions: {format: yyyy-MM-dd HH:mm}}
  - {name: list, logicalType: array}
  - {name: text, logicalType: string}
"""


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("n", "12", 12), ("n", "-3", -3), ("n", "007", "007"), ("n", "1 000", "1 000"), ("number", "5", 5), ("n", "", None),
        ("n", "12345678901234567890", 12345678901234567890), ("x", "1.50", 1.5), ("x", "1,5", "1,5"), ("x", "1e3", 1000.0),
        ("x", "1e999", "1e999"), ("x", "NaN", "NaN"), ("ok", "TRUE", True), ("ok", "yes", "yes"), ("ok", "0", "0"),
        ("at", "2023-06-16 13:12:56", "2023-06-16T13:12:56"), ("at", "yesterday", "yesterday"),
        ("own", "2023-06-16 13:12", "2023-06-16 13:12"), ("list", "[1, 2]", [1, 2]), ("list", "1;2", "1;2"), ("list", "[1", "[1"),
        ("text", "12", "12"), ("text", "", None), ("unknown", "12", "12"),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_its_type_says_and_never_made_to_fit(column, cell, value):
    record = read_contract(HEAD + CELLS, "c.yaml").record
    (read,) = read_cells(record, {column: cell}).values()
    assert repr(read) == repr(value)


def test_a_column_is_of_the_narrowest_kind_that_all_its_cells_are():
    rows = [["1", "1.5", "true", "007", "", "1"], ["2", "2", "FALSE", "8", "", "x"]]
    assert kinds_of("abcdef", rows) == {
        "a": LogicalType.INTEGER,
        "b": LogicalType.NUMBER,
        "c": LogicalType.BOOLEAN,
        "d": LogicalType.STRING,
        "f": LogicalType.STRING,
    }
