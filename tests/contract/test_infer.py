"""Contracts inferred from records: readable, kept by every record, and no more certain than the rows allow."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plimsoll.contract
from plimsoll.contract import compile_contract, infer_contract, read_contract
from plimsoll.contract.profile import MAX_DEPTH
from plimsoll.errors import UsageError

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["true", "null", "a: b", "- x", "# y", "2024-01-01", "1e3", "a@b.org", "", " "]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(TEXTS, VALUES, max_size=5), min_size=1, max_size=8),
    st.sampled_from([1, 30, 250]),
    TEXTS,
    TEXTS,
)
@settings(deadline=None, max_examples=120)
def test_every_record_keeps_the_contract_that_was_inferred_from_it(records, times, name, note):
    many = records * times
    contract = read_contract(infer_contract(iter(many), name=name, file_note=note), "inferred.yaml")
    assert contract.unenforced == ()
    check = compile_contract(contract).check
    for record in records:
        assert check(record).reasons == ()


def _claims(n: int):
    return [
        {
            "id": f"CLM-{i}",
            "amount": i * 1.5,
            "kind": ("motor", "home", "travel")[i % 3],
            "opened": f"2026-01-{i % 28 + 1:02d}",
            "at": "2026-01-02T03:04:05Z",
            "rating": i % 5 + 1,
            "note": None if i % 2 else "x",
            "email": f"person{i}@example.org",
            "holder": {"birthDate": f"19{i % 90 + 10}-01-01", "city": "Ulm"},
            "grid": [[0, 16, 3], [1, 0, 16]],
        }
        for i in range(n)
    ]


def test_forty_rows_say_forty_rows_and_claim_no_limit_and_no_enumeration():
    text = infer_contract(_claims(40), name="Claims", file_note="sample.jsonl")
    assert text.startswith("# Inferred from 40 rows (sample.jsonl).")
    assert "required: true  # a value in 40 of 40 rows" in text
    assert "logicalType: date  # seen in 40 of 40 rows" in text
    assert '# only "motor", "home", "travel": seen in 40 rows; too few' in text
    assert "# from 1 to 5: seen in 40 rows; too few to make it a rule" in text
    assert "# from 0 to 16: seen in 40 rows; too few to make it a rule" in text  # of 240 numbers, from 40 rows
    assert "# not required: missing in 0, null in 20 of 40 rows" in text
    options = [f.rules for f in read_contract(text, "c.yaml").record.fields if f.name in {"rating", "kind", "amount"}]
    assert options == [(), (), ()]


def test_three_rows_make_no_rule_but_the_kind_of_value():
    contract = read_contract(infer_contract(_claims(3), name="Claims"), "c.yaml")
    assert not any(f.required for f in contract.record.fields)
    assert not any(f.rules for f in contract.record.fields)
    assert {f.name: str(f.type) for f in contract.record.fields}["opened"] == "string"


def test_many_rows_make_limits_that_stand_out_and_enumerations_rules_and_leave_the_rest():
    records = _claims(600)
    text = infer_contract(records, name="Claims")
    check = compile_contract(read_contract(text, "c.yaml")).check
    good = records[7]
    assert not check(good).reasons
    assert [r.rule for r in check({**good, "kind": "boat"}).reasons] == ["enum"]
    assert [r.rule for r in check({**good, "rating": 6}).reasons] == ["maximum"]
    assert [r.rule for r in check({**good, "opened": "32.01.2026"}).reasons] == ["format"]
    assert [r.path for r in check({**good, "grid": [[0, 17, 3], [1, 0, 16]]}).reasons] == ["/grid/0/1"]
    assert not check({**good, "amount": 1e6}).reasons  # the largest of many amounts is no limit
    assert "minimum: 1  # seen in 600 rows; 120 of 600 values stand on it" in text


def test_fields_that_look_personal_are_classified_and_their_values_written_nowhere():
    text = infer_contract(_claims(600), name="Claims")
    fields = {f.name: f for f in read_contract(text, "c.yaml").record.fields}
    assert fields["email"].classification == "personal"
    assert fields["holder"].under("birthDate").classified
    assert not fields["kind"].classified
    assert "person1" not in text
    ages = [{"patientAge": 17 + i % 60, "gender": "fm"[i % 2], "phone": 4711} for i in range(600)]
    text = infer_contract(ages, name="p")
    assert all(word not in text for word in ("76", "4711", '"f"'))


def test_names_and_values_that_yaml_would_take_for_something_else_are_quoted():
    names = [
        "yes",
        "null",
        "a: b",
        "- x",
        "#c",
        "'q'",
        'd"q',
        "tab\t",
        "nl\n",
        "é😀",
        "\x7f",
        "2024",
        "{",
        "*a",
        "\ufeff",
        "\\",
    ]
    record = dict.fromkeys(names, 1)
    contract = read_contract(infer_contract([record], name="odd"), "c.yaml")
    assert [f.name for f in contract.record.fields] == names


def test_names_that_cannot_be_declared_open_the_object_instead():
    for record in (
        {"": 1, "a": 1},
        {" ": 1},
        {"n" * 500: 1},
        {f"k{i}": 1 for i in range(5_000)},
        {"a": {str(i): i for i in range(1_000)}},
    ):
        text = infer_contract([record], name="odd")
        assert "plimsollUnknownFields" in text
        assert not compile_contract(read_contract(text, "c.yaml")).check(record).reasons


def test_depth_is_described_up_to_a_bound_and_open_below():
    value = 1
    for _ in range(MAX_DEPTH * 3):
        value = [{"a": value}]
    record = {"deep": value}
    assert not compile_contract(read_contract(infer_contract([record], name="deep"), "c.yaml")).check(record).reasons


@pytest.mark.parametrize(
    "records",
    [[], [1], [{"a": 1}, []], [{"a": float("nan")}], [{1: 2}], [{"a": b"x"}], [{"a": "\ud800"}], [{"a": 10**5_000}]],
)
def test_what_no_contract_can_be_made_from_is_refused(records):
    with pytest.raises(UsageError):
        infer_contract(records, name="x")


def test_the_examples_in_the_docstrings_hold():
    names = [m.name for m in pkgutil.iter_modules(plimsoll.contract.__path__, "plimsoll.contract.")]
    results = [doctest.testmod(importlib.import_module(name)) for name in names]
    assert sum(r.attempted for r in results) >= 12
    assert sum(r.failed for r in results) == 0


@pytest.mark.parametrize(
    ("values", "type_", "said"),
    [
        ([f"{i % 28 + 1:02d}.03.2026" for i in range(40)], "date", 'format: "dd.MM.yyyy"  # in all of 40 rows'),
        ([f"{i % 28 + 1:02d}/03/2026" for i in range(40)], "date", 'format: "dd/MM/yyyy"'),
        ([f"03/{i % 28 + 1:02d}/2026" for i in range(40)], "date", 'format: "MM/dd/yyyy"'),
        (["03/04/2026"] * 40, "string", "in 40 rows no day tells which"),
        (["2026-03-04 10:11:12"] * 40, "timestamp", 'format: "yyyy-MM-dd HH:mm:ss"'),
        (["31.12.2026"] * 3, "string", "logicalType: date written dd.MM.yyyy: seen in 3 rows, too few"),
        (["31.12.2026"] * 40 + ["soon"], "string", "characters long"),
    ],
)
def test_dates_of_other_dialects_are_told_where_only_one_can_be_meant(values, type_, said):
    records = [{"a": v} for v in values]
    text = infer_contract(records, name="x")
    contract = read_contract(text, "c.yaml")
    assert (str(contract.record.fields[0].type), said in text) == (type_, True), text
    check = compile_contract(contract).check
    assert not any(check(r).reasons for r in records)


def test_fields_in_which_personal_data_is_found_are_classified_with_how_often_and_without_a_value():
    def finder(text, name):
        return ["secret"] if "7" in text or name == "x" else []

    records = [{"a": f"n{i}", "b": 1_000_000 + i, "c": i, "l": [str(i)]} for i in range(30)]
    text = infer_contract(records, name="p", personal=finder)
    fields = {f.name: f.classification for f in read_contract(text, "c.yaml").record.fields}
    assert fields == {"a": "personal", "b": "personal", "c": "", "l": ""}
    assert "classification: personal  # it holds secret in 3 of 30 values; confirm, or remove" in text
    assert read_contract(text, "c.yaml").record.under("l").items.classified
