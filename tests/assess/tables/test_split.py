"""A split: every row is in one of two files, the quarantined ones with all their reasons and where they come from."""

from __future__ import annotations

import pytest
from assess.tables.claims import CONTRACT, check, contract, row, write_parquet

from plimsoll.contract import read_contract_bytes
from plimsoll.engine.duckdb import Database
from plimsoll.errors import UsageError


def rows(*paths, what="*"):
    with Database() as database:
        files = ", ".join(f"'{p}'" for p in paths)
        return list(database.rows(f"SELECT {what} FROM read_parquet([{files}])"))


def test_each_row_is_in_one_file_and_the_quarantined_ones_say_why_and_from_where(tmp_path):
    file = write_parquet(
        tmp_path / "c.parquet",
        row(1), row(2, email="'nobody'"), row(1), "NULL, -1.0, NULL, NULL", row(3), row(4, email="'nobody'", amount="2000.0"),
    )  # fmt: skip
    found = check(file, split=tmp_path / "out")
    assert (found.split.good, found.split.quarantined, found.broken) == (2, 4, 4)
    good, quarantine = tmp_path / "out" / "good.parquet", tmp_path / "out" / "quarantine.parquet"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good.parquet", "quarantine.parquet"]
    assert rows(good, what="id") == [("C-1",), ("C-3",)]
    assert sorted(rows(quarantine, what="plimsoll_row, plimsoll_file, plimsoll_reasons")) == [
        (2, str(file), ["claims.email: format"]),
        (3, str(file), ["claims.id: unique"]),
        (4, str(file), ["claims.amount: minimum", "claims.id: required"]),
        (6, str(file), ["claims.amount: maximum", "claims.email: format"]),
    ]
    assert rows(quarantine, what="id, amount, email, day")[1] == rows(file)[2]  # as it came


def test_files_of_other_columns_are_split_apart_and_a_repeated_value_is_found_across_them(tmp_path):
    write_parquet(tmp_path / "t" / "1.parquet", row(1))
    write_parquet(tmp_path / "t" / "2.parquet", row(1, amount="'x'"), row(2, amount="NULL::VARCHAR"))
    found = check(tmp_path / "t", split=tmp_path / "out")
    assert (found.split.good, found.split.quarantined) == (2, 1)
    assert len(found.split.files) == 4
    reasons = rows(tmp_path / "out" / "quarantine-2.parquet", what="plimsoll_reasons")
    assert reasons == [(["claims.amount: type", "claims.id: unique"],)]


def test_rows_of_several_files_with_the_same_columns_keep_their_places(tmp_path):
    first = write_parquet(tmp_path / "t" / "1.parquet", row(1), row(2, amount="-1.0"), row(3))
    second = write_parquet(tmp_path / "t" / "2.parquet", row(3), row(4), row(5, email="'nobody'"))
    found = check(tmp_path / "t", split=tmp_path / "out")
    assert (found.split.good, found.split.quarantined, len(found.split.files)) == (3, 3, 2)
    places = rows(tmp_path / "out" / "quarantine.parquet", what="plimsoll_file, plimsoll_row, id")
    assert sorted(places) == [(str(first), 2, "C-2"), (str(second), 1, "C-3"), (str(second), 3, "C-5")]


def test_more_than_62_rules_have_room(tmp_path):
    names = [f"f{n}" for n in range(70)]
    fields = "".join(f"  - {{name: {n}, logicalType: integer, logicalTypeOptions: {{minimum: 0}}}}\n" for n in names)
    file = write_parquet(tmp_path / "c.parquet", ", ".join(f"{-(n == 'f69')} AS {n}" for n in names))
    text = CONTRACT.partition("  - {name: id")[0] + fields
    found = check(file, of=contract(text=text), split=tmp_path / "out")
    assert rows(tmp_path / "out" / "quarantine.parquet", what="plimsoll_reasons") == [(["claims.f69: minimum"],)]
    assert found.split.quarantined == 1


def test_lines_are_split_too_with_the_bytes_that_came_and_good_ones_after_their_coercions(tmp_path):
    text = CONTRACT.replace(
        "name: amount, ", "name: amount, customProperties: [{property: plimsollCoerce, value: [decimal-comma]}], "
    )
    lines = [
        b'{"id": "C-1", "amount": "12,5", "day": "2026-01-02"}',
        b'{"id": "C-2", "amount": ',
        b'{"id": "C-\xff"}',
        b'{"id": "C-1", "amount": -1}',
        b'{"id": "C-3", "amount": 7}',
    ]
    file = tmp_path / "c.jsonl"
    file.write_bytes(b"\n".join(lines))
    found = check(file, of=contract(text=text), split=tmp_path / "out")
    assert (found.split.good, found.split.quarantined, found.broken, found.rows) == (2, 3, 3, 5)
    assert rows(tmp_path / "out" / "good.parquet") == [("C-1", 12.5, None, "2026-01-02"), ("C-3", 7.0, None, None)]
    assert rows(tmp_path / "out" / "quarantine.parquet") == [
        (["no-json"], str(file), 2, lines[1]),
        (["not-utf-8"], str(file), 3, lines[2]),
        (["claims.amount: minimum", "claims.id: unique"], str(file), 4, lines[3]),
    ]


def test_a_number_that_its_column_would_round_is_kept_as_text_and_a_field_without_a_name_is_kept_beside(tmp_path):
    schema = b'{"type": "object", "properties": {"n": {"type": "integer"}, "x": {"type": "number"}, "o": {"type": "object"}}}'
    file = tmp_path / "c.jsonl"
    file.write_text(
        '{"n": 18446744073709551616, "x": 0.1, "o": {"a": [1]}}\n{"n": 2, "x": 9007199254740993, "more": true}\n'
    )
    check(file, of=read_contract_bytes(schema, "s.json"), split=tmp_path / "out")
    assert rows(tmp_path / "out" / "good.parquet") == [
        ("18446744073709551616", "0.1", '{"a":[1]}', None), ("2", "9007199254740993", None, '{"more":true}'),
    ]  # fmt: skip
    assert rows(tmp_path / "out" / "quarantine.parquet") == []


def test_nothing_is_overwritten(tmp_path):
    file = write_parquet(tmp_path / "c.parquet", row(1))
    with pytest.raises(UsageError, match="is not empty"):
        check(file, split=tmp_path)
