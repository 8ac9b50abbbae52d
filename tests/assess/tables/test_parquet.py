"""Parquet files held to a contract by one query: every rule with its rows, whatever the files are like."""

from __future__ import annotations

import pytest
from assess.tables.claims import CONTRACT, broken, check, contract, faults, row, write_parquet

from plimsoll.errors import InputError, UsageError


def test_each_rule_has_its_rows_its_line_and_examples_with_their_place(tmp_path):
    file = write_parquet(
        tmp_path / "c.parquet", row(1), row(1), "'x', NULL, NULL, NULL", row(3, amount="-1.0"), row(4, amount="5000.0")
    )
    found = check(file, count_broken=True)
    assert broken(found) == {"id unique": 1, "id pattern": 1, "amount minimum": 1, "amount maximum": 1}
    assert (found.rows, found.broken, found.is_refused) == (5, 4, True)
    pattern = next(r for r in found.rules if r.rule == "pattern")
    assert (pattern.line, pattern.of, pattern.expected) == (10, 5, "a text that matches ^C-[0-9]+$")
    (example,) = pattern.examples
    assert (example.file, example.row, example.found) == (str(file), 3, "x")
    unique = next(r for r in found.rules if r.rule == "unique")
    assert [(e.row, e.found) for e in unique.examples] == [(1, "C-1, in 2 rows")]


def test_a_clean_table_is_whole(tmp_path):
    found = check(write_parquet(tmp_path / "c.parquet", row(1), row(2)))
    assert (found.is_refused, found.is_whole, found.unasked, found.faults) == (False, True, (), ())


def test_a_rule_that_sql_cannot_say_is_asked_of_each_value_and_a_classified_one_is_shown_nowhere(tmp_path):
    found = check(write_parquet(tmp_path / "c.parquet", row(1), row(2, email="'secret'"), row(3, email="'secret'")))
    assert broken(found) == {"email format": 2}
    assert "secret" not in repr(found)
    (example,) = next(r for r in found.rules if r.rule == "format").examples
    assert (example.row, example.found) == (2, "a text, hidden (confidential)")


def test_a_classified_value_is_hidden_in_rules_of_sql_and_of_uniqueness_too(tmp_path):
    text = CONTRACT.replace("name: id,", "name: id, classification: restricted,")
    found = check(
        write_parquet(tmp_path / "c.parquet", row(1), row(1), "'secret', 1.0, NULL, NULL"), of=contract(text=text)
    )
    assert broken(found) == {"id unique": 1, "id pattern": 1}
    assert "secret" not in repr(found)
    assert "C-1" not in repr(found)


def test_a_column_that_changes_its_type_half_way_is_told_and_never_cast(tmp_path):
    write_parquet(tmp_path / "t" / "1.parquet", row(1), row(2))
    write_parquet(tmp_path / "t" / "2.parquet", row(3, amount="'4'"), row(1, amount="'5'"))
    found = check(tmp_path / "t")
    assert faults(found) == {"schema-changed": 1}
    assert "'amount' was decimal(2,1) and is varchar" in found.faults[0].said
    assert broken(found) == {"id unique": 1, "amount type": 2}
    assert found.rows == 4


def test_a_damaged_file_is_a_finding_and_the_others_are_read(tmp_path):
    write_parquet(tmp_path / "t" / "1.parquet", row(1))
    whole = write_parquet(tmp_path / "t" / "2.parquet", row(2)).read_bytes()
    (tmp_path / "t" / "2.parquet").write_bytes(whole[: len(whole) // 2])
    torn = write_parquet(tmp_path / "t" / "3.parquet", row(3)).read_bytes()
    (tmp_path / "t" / "3.parquet").write_bytes(torn[:4] + b"\xff" * 60 + torn[64:])
    (tmp_path / "t" / "notes.txt").write_text("see below")
    found = check(tmp_path / "t")
    assert (found.rows, found.is_refused) == (1, True)
    assert sum(f.count for f in found.faults if f.code == "table.damaged") == 2
    assert faults(found)["mixed"] == 1


def test_a_file_without_its_end_is_said_to_be_one(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", row(1))
    file.write_bytes(file.read_bytes()[:-9])
    (fault,) = check(file).faults
    assert "No magic bytes found at end of file" in fault.said


def test_folders_of_a_partitioned_table_are_columns_of_the_declared_type(tmp_path):
    text = CONTRACT + "  - {name: region, logicalType: integer, required: true, logicalTypeOptions: {maximum: 1}}\n"
    for region in (1, 2):
        write_parquet(tmp_path / "t" / f"region={region}" / "a.parquet", row(region))
    found = check(tmp_path / "t", of=contract(text=text))
    assert broken(found) == {"region maximum": 1}
    assert found.files == 2


def test_a_column_that_is_not_there_is_told_once_and_one_that_is_not_declared_as_well(tmp_path):
    found = check(write_parquet(tmp_path / "c.parquet", "1.5 AS amount, 'a' AS colour, NULL AS email"))
    assert broken(found) == {"id required": 1, "id presence": 1, "day presence": 1, "colour unknown-field": 1}
    assert found.undeclared == ("colour",)


def test_numbers_beyond_2_to_the_53_are_told_apart(tmp_path):
    text = CONTRACT.replace("name: amount, logicalType: number", "name: amount, logicalType: integer").replace(
        "maximum: 1000", f"maximum: {2**53}"
    )
    file = write_parquet(tmp_path / "c.parquet", row(1, amount=str(2**53)), row(2, amount=str(2**53 + 1)))
    assert broken(check(file, of=contract(text=text))) == {"amount maximum": 1}


def test_nan_infinity_and_days_without_a_date_are_of_the_wrong_type(tmp_path):
    file = write_parquet(
        tmp_path / "c.parquet",
        row(1, amount="'nan'::DOUBLE"), row(2, amount="'-inf'::DOUBLE"), row(3, amount="1e0", day="'infinity'::DATE"),
    )  # fmt: skip
    assert broken(check(file)) == {"amount type": 2, "day type": 1}


def test_declared_coercions_are_made_before_a_column_is_judged(tmp_path):
    text = CONTRACT.replace(
        "name: amount, ", "name: amount, customProperties: [{property: plimsollCoerce, value: [decimal-comma]}], "
    )
    file = write_parquet(tmp_path / "c.parquet", row(1, amount="'12,50'"), row(2, amount="'1.234'"))
    assert broken(check(file, of=contract(text=text))) == {"amount type": 1}


def test_a_count_over_values_that_a_coercion_changes_is_listed_and_not_guessed(tmp_path):
    text = CONTRACT.replace(
        "name: amount, ",
        "name: amount, customProperties: [{property: plimsollCoerce, value: [decimal-comma]}], "
        "quality: [{metric: invalidValues, arguments: {validValues: [1.5]}, mustBeLessThan: 5}], ",
    )
    found = check(write_parquet(tmp_path / "c.parquet", row(1, amount="'1,5'")), of=contract(text=text))
    assert (broken(found), [u.rule for u in found.unasked]) == ({}, ["quality.invalidValues"])


QUALITY = """\
  quality:
  - {metric: rowCount, mustBeBetween: [1, 2]}
  - {metric: duplicateValues, arguments: {properties: [id, day]}, mustBe: 0, severity: warning}
"""


def test_quality_rules_of_the_whole_table_are_measured_with_their_unit_and_severity(tmp_path):
    text = CONTRACT.replace(
        "logicalTypeOptions: {minimum: 0, maximum: 1000}",
        "quality: [{metric: nullValues, unit: percent, mustBeLessThan: 30},"
        " {metric: invalidValues, arguments: {validValues: [1.5]}, mustBeLessOrEqualTo: 1},"
        " {metric: missingValues, arguments: {missingValues: [null, 7]}, mustBe: 5}]",
    ).replace("unique: true, ", "")
    file = write_parquet(tmp_path / "c.parquet", row(1), row(1), row(2, amount="NULL"), row(3, amount="7.0"))
    found = check(file, of=contract(QUALITY, text=text))
    measured = {r.rule: (r.holds, r.figure, r.advice) for r in found.rules if r.figure is not None}
    assert measured == {
        "quality.nullValues": (True, 25.0, False),
        "quality.invalidValues": (True, 1, False),
        "quality.missingValues": (False, 2, False),
        "quality.rowCount": (False, 4, False),
        "quality.duplicateValues": (False, 1, True),
    }
    assert [r.rule for r in found.failed] == ["quality.missingValues", "quality.rowCount"]


def test_a_rule_that_cannot_be_asked_is_listed_with_its_line_and_makes_the_verdict_unwhole(tmp_path):
    more = """\
  quality:
  - {type: text, description: must look right}
  - {type: custom, engine: soda, implementation: x}
"""
    found = check(write_parquet(tmp_path / "c.parquet", row(1)), of=contract(more))
    assert [(u.rule, u.line, u.of_rows) for u in found.unasked] == [
        ("quality.text", 15, False),
        ("quality.custom", 16, True),
    ]
    assert (found.is_refused, found.is_whole) == (False, False)


def test_what_is_not_there_is_an_error_of_input(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        check(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file"):
        check(tmp_path / "empty")
    with pytest.raises(UsageError, match="has no schema object 'other'; it has claims"):
        check(tmp_path, table="other")
