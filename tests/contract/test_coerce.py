"""Declared coercions: what each takes, what it leaves, and that nothing given is changed."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.coerce import COERCIONS

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def _checker(fields: str):
    head = "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n- name: r\n  properties:\n"
    return compile_contract(read_contract(head + fields, "c.yaml"))


def _field(name: str, logical: str, coercions: str, more: str = "") -> str:
    return (
        f"  - name: {name}\n    logicalType: {logical}\n"
        f"    customProperties: [{{property: plimsollCoerce, value: [{coercions}]}}]\n{more}"
    )


@pytest.mark.parametrize(
    ("name", "given", "made"),
    [
        ("trim", " a b\t\n", "a b"),
        ("integer-from-string", "42", 42),
        ("integer-from-string", "-007", -7),
        ("integer-from-string", "+9223372036854775807", 2**63 - 1),
        ("number-from-string", "3.50", 3.5),
        ("number-from-string", "-1e3", -1000.0),
        ("number-from-string", ".5", 0.5),
        ("number-from-string", "12", 12),
        ("decimal-comma", "12,50", 12.5),
        ("decimal-comma", "-1.234.567,8", -1234567.8),
        ("decimal-comma", "1 234,5", 1234.5),
        ("decimal-comma", "1'234,5", 1234.5),
        ("decimal-comma", "12", 12),
        ("boolean-from-string", "Yes", True),
        ("boolean-from-string", "0", False),
        ("date-from-dmy", "31.12.2026", "2026-12-31"),
        ("date-from-dmy", "1/2/2026", "2026-02-01"),
        ("date-from-mdy", "1/2/2026", "2026-01-02"),
        ("string-from-number", 4711, "4711"),
        ("string-from-number", 2.5, "2.5"),
        ("string-from-number", 12.0, "12"),
        ("digits-from-text", "CLM-00 12", "0012"),
        ("matrix-from-text", "0 5 13/16 0 9", [[0, 5, 13], [16, 0, 9]]),
        ("matrix-from-text", "0,5\n16, 9\n", [[0, 5], [16, 9]]),
        ("matrix-from-text", "05d/f09", [[0, 5, 13], [15, 0, 9]]),
        ("matrix-from-text", "1.5 -2", [[1.5, -2]]),
    ],
)
def test_a_coercion_makes_what_it_says(name, given, made):
    got = COERCIONS[name].apply(given)
    assert (got, type(got)) == (made, type(made))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("integer-from-string", "4.0"),
        ("integer-from-string", " 4"),
        ("integer-from-string", "9223372036854775808"),
        ("integer-from-string", "٤"),
        ("integer-from-string", True),
        ("number-from-string", "NaN"),
        ("number-from-string", "1e999"),
        ("number-from-string", "1,5"),
        ("number-from-string", "1_000"),
        ("decimal-comma", "1.234"),  # a thousand, or one and a bit
        ("decimal-comma", "1.23,4"),
        ("decimal-comma", "1,2,3"),
        ("decimal-comma", "1.234 567,8"),
        ("boolean-from-string", "maybe"),
        ("boolean-from-string", 1),
        ("date-from-dmy", "31.02.2026"),
        ("date-from-dmy", "31.12.26"),
        ("date-from-dmy", "31.12/2026"),
        ("date-from-dmy", "2026-12-31"),
        ("string-from-number", True),
        ("string-from-number", 10**400),
        ("digits-from-text", "none"),
        ("matrix-from-text", "05/f"),
        ("matrix-from-text", "0 5/x 9"),
        ("matrix-from-text", "0g/11"),
        ("matrix-from-text", ""),
        ("matrix-from-text", "//"),
    ],
)
def test_what_a_coercion_does_not_fit_is_left_for_the_check(name, given):
    assert COERCIONS[name].apply(given) is given


@given(st.sampled_from(sorted(COERCIONS)), ANY)
@settings(deadline=None, max_examples=300)
def test_no_coercion_raises_or_changes_what_it_is_given(name, value):
    before = repr(value)
    COERCIONS[name].apply(value)
    assert repr(value) == before


def test_coercions_run_in_order_before_the_check_on_a_copy_and_are_noted():
    checker = _checker(_field("amount", "number", "trim, decimal-comma") + _field("plain", "string", "trim"))
    given = {"amount": " 1.234,50 ", "plain": "x"}
    kept = copy.deepcopy(given)
    checked = checker.check(given)
    assert checked.reasons == ()
    assert checked.value == {"amount": 1234.5, "plain": "x"}
    assert checked.coerced == ("/amount",)
    assert given == kept


def test_without_a_change_the_very_object_comes_back_and_nothing_is_noted():
    checker = _checker(_field("amount", "number", "decimal-comma") + "    required: true\n")
    for value in ({"amount": 3}, {"amount": "1.234"}, {}, [], "x", None):
        checked = checker.check(value)
        assert checked.value is value
        assert checked.coerced == ()


def test_a_coercion_that_does_not_apply_leaves_the_value_to_be_rejected():
    (reason,) = _checker(_field("day", "date", "date-from-dmy")).check({"day": "31.02.2026"}).reasons
    assert (reason.path, reason.rule, reason.found) == ("/day", "format", '"31.02.2026"')


def test_nested_fields_items_and_maps_are_coerced_where_they_stand():
    fields = """
  - name: a/b
    logicalType: object
    properties:
    - name: n
      logicalType: integer
      customProperties: [{property: plimsollCoerce, value: integer-from-string}]
  - name: list
    logicalType: array
    items:
      logicalType: number
      customProperties: [{property: plimsollCoerce, value: [number-from-string]}]
"""
    given = {"a/b": {"n": "5"}, "list": [1, "2.5", "x"]}
    checked = _checker(fields).check(given)
    assert checked.value == {"a/b": {"n": 5}, "list": [1, 2.5, "x"]}
    assert checked.coerced == ("/a~1b/n", "/list/1")
    assert [r.path for r in checked.reasons] == ["/list/2"]
    assert given == {"a/b": {"n": "5"}, "list": [1, "2.5", "x"]}


def test_former_names_are_renamed_on_arrival_once_and_only_when_the_name_is_free():
    fields = "  - {name: claim_id, logicalType: string, required: true, customProperties: [{property: plimsollAliases, value: [claimId, id]}]}\n"
    checker = _checker(fields)
    given = {"x": 1, "claimId": "a"}
    checked = _checker(fields.replace("required: true", "required: false")).check(given)
    assert checked.value == {"x": 1, "claim_id": "a"}
    assert list(checked.value) == ["x", "claim_id"]
    assert given == {"x": 1, "claimId": "a"}
    assert checker.check({"id": "a"}).coerced == ("/claim_id",)
    both = checker.check({"claim_id": "a", "id": "b"})
    assert [(r.path, r.fault) for r in both.reasons] == [("/id", "unknown-field")]
    assert both.coerced == ()


def test_a_renamed_field_is_coerced_under_its_name_and_noted_once():
    fields = _field("n", "integer", "integer-from-string").replace(
        "customProperties: [", "customProperties: [{property: plimsollAliases, value: [m]}, "
    )
    checked = _checker(fields).check({"m": "4"})
    assert (checked.value, checked.coerced, checked.reasons) == ({"n": 4}, ("/n",), ())


def test_a_matrix_from_text_is_checked_like_any_list():
    more = "    logicalTypeOptions: {minItems: 2, maxItems: 2}\n    items: {logicalType: array, items: {logicalType: integer, logicalTypeOptions: {maximum: 16}}}\n"
    checker = _checker(_field("scan", "array", "matrix-from-text", more))
    assert checker.check({"scan": "0 16/3 4"}).reasons == ()
    assert [r.path for r in checker.check({"scan": "0 17/3 4"}).reasons] == ["/scan/0/1"]
    assert [r.fault for r in checker.check({"scan": "0 17/3"}).reasons] == ["wrong-type"]


@given(st.dictionaries(st.sampled_from(["n", "m", "o", "x"]), ANY))
@settings(deadline=None)
def test_checking_twice_changes_nothing_more(record):
    checker = _checker(
        _field("n", "integer", "trim, integer-from-string") + _field("o", "string", "trim, digits-from-text")
    )
    once = checker.check(record)
    again = checker.check(once.value)
    assert again.coerced == ()
    assert again.reasons == once.reasons
