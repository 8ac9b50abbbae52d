"""Files of records in every form that is read: each record with its line, and a line that is none with why."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from plimsoll.assembly.contracting import infer
from plimsoll.assembly.rows import read_rows
from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.cells import read_cells
from plimsoll.errors import InputError, MissingExtra, UsageError


def rows(tmp_path, name: str, raw: bytes):
    path = tmp_path / name
    path.write_bytes(raw)
    return [(row.line, row.value if not row.why else row.why) for row in read_rows(path)]


@pytest.mark.parametrize(
    ("name", "raw", "found"),
    [
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n', [(1, {"a": 1}), (3, {"a": 2})]),
        ("a.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n', [(1, {"a": 1}), (2, {"a": 2})]),
        ("a.json", b'[{"a": 1}, {"a": 2}]', [(1, {"a": 1}), (2, {"a": 2})]),
        ("a.json", b'[\n  {"a": 1},\n  {"a": 2}\n]\n', [(1, {"a": 1}), (2, {"a": 2})]),
        ("a.json", b'{\n  "a": 1\n}\n', [(1, {"a": 1})]),
        ("a.json", b'{"a": 1}', [(1, {"a": 1})]),
        ("a.json", b'{ "a": {\n "b": 1 } }', [(1, {"a": {"b": 1}})]),
        ("a.json", b"7", [(1, "a record is an object, and this is int")]),
        ("a.json", b'{"a": 1}\n{"a": 2}', [(1, {"a": 1}), (2, {"a": 2})]),
        ("a.csv", b"a,b\n1,x\n2,\n", [(2, {"a": "1", "b": "x"}), (3, {"a": "2", "b": ""})]),
        ("a.csv", b'a;b\n1;"x;\ny"\n2;z\n', [(2, {"a": "1", "b": "x;\ny"}), (4, {"a": "2", "b": "z"})]),
        ("a.tsv", b"a\tb\r\n1\tx\r\n", [(2, {"a": "1", "b": "x"})]),
        ("a.csv", b"a,b\n1\n2,y\n1,2,3\n", [(2, "1 cells, and there are 2 columns"), (3, {"a": "2", "b": "y"}), (4, "3 cells, and there are 2 columns")]),
    ],
)  # fmt: skip
def test_records_are_read_with_their_lines(tmp_path, name, raw, found):
    assert rows(tmp_path, name, raw) == found


def test_a_cut_line_is_told_and_the_others_are_read(tmp_path):
    found = rows(tmp_path, "a.jsonl", b'{"a": 1}\n{"a": \n[1]\n{"a": 2}\n\xff\n{"a": 1, "a": 2}\n')
    assert [line for line, value in found if isinstance(value, dict)] == [1, 4]
    told = {line: said for line, said in found if isinstance(said, str)}
    assert set(told) == {2, 3, 5, 6}
    assert "is asked for" in told[2]
    assert "an object, and this is list" in told[3]
    assert "UTF-8" in told[5]
    assert "every name once" in told[6]


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b" \n\n", "is empty"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\xff\xfe", "is not UTF-8"),
        ("a.csv", b"a,a\n1,2\n", "stands twice"),
        ("a.csv", b"a,\n1,2\n", "has no name"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"),
    ],
)
def test_what_is_nothing_of_the_kind_is_refused(tmp_path, name, raw, words):
    with pytest.raises(InputError, match=words):
        rows(tmp_path, name, raw)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for name in ("a.json", "a.csv", "a.parquet"):
        with pytest.raises(InputError, match=f"{name}"):
            list(read_rows(tmp_path / name))
    with pytest.raises(UsageError, match="is a folder"):
        infer([str(tmp_path)])


def test_a_parquet_file_gives_values_as_json_has_them(tmp_path):
    path = tmp_path / "odd [1].parquet"  # a name that a search for files would take apart
    duckdb.sql(
        "SELECT 1::BIGINT n, 1.50::DECIMAL(10,2) d, 2.00::DECIMAL(10,2) whole, 'x' s, NULL e, [1, 2] l, {'a': 1, 'b': 'y'} o, MAP {7: 'z'} m,"
        " DATE '2026-01-02' AS day, TIMESTAMP '2026-01-02 03:04:05' AS at, TIMESTAMPTZ '2026-01-02 03:04:05+02' zoned, TIME '03:04:05' AS clock,"
        " 'ab'::BLOB raw, 'nan'::DOUBLE odd, uuid() u"
    ).write_parquet(str(path))
    (row,) = read_rows(path)
    assert row.value.pop("u").count("-") == 4
    assert row.value == {
        "n": 1, "d": 1.5, "whole": 2, "s": "x", "e": None, "l": [1, 2], "o": {"a": 1, "b": "y"}, "m": {"7": "z"}, "day": "2026-01-02",
        "at": "2026-01-02T03:04:05", "zoned": dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=dt.UTC).isoformat(), "clock": "03:04:05",
        "raw": "YWI=", "odd": "nan",
    }  # fmt: skip


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(MissingExtra, match="tables"):
        list(read_rows(tmp_path / "a.parquet"))


def test_a_contract_inferred_from_a_table_is_kept_by_its_rows_when_they_are_read_by_it(tmp_path):
    lines = [
        f"{i},00{i % 10},{i / 2},{'true' if i % 2 else 'FALSE'},2026-01-{i % 28 + 1:02d},{'' if i % 3 else 'x'}"
        for i in range(60)
    ]
    path = tmp_path / "t.csv"
    path.write_text("id,code,half,ok,day,note\n" + "\n".join(lines) + "\n")
    inferred = infer([str(path)])
    contract = read_contract(inferred.contract, "t.yaml")
    types = {f.name: (str(f.type), f.required) for f in contract.record.fields}
    assert types == {
        "id": ("integer", True), "code": ("string", True), "half": ("number", True), "ok": ("boolean", True),
        "day": ("date", True), "note": ("string", False),
    }  # fmt: skip
    check = compile_contract(contract).check
    assert not any(check(read_cells(contract.record, row.value)).reasons for row in read_rows(path))
    assert check(read_cells(contract.record, {"id": "x"})).reasons


def test_files_of_one_source_make_one_contract_and_what_was_left_out_is_said(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1, "mail": "ann@example.org"}\n{"a":\n')
    (tmp_path / "b.csv").write_text("a,b\n2,x\n3,y,z\n")
    inferred = infer([str(tmp_path / "a.jsonl"), str(tmp_path / "b.csv")])
    assert (inferred.records, inferred.skipped) == (2, 2)
    assert [said.rpartition("/")[2].partition(" ")[0] for said in inferred.told] == ["a.jsonl:2:", "b.csv:3:"]
    assert "# 2 lines were no record and left out; the first: " in inferred.contract
    assert "# it holds email in 1 of 1 values; confirm, or remove" in inferred.contract
    assert "ann@" not in inferred.contract
    (tmp_path / "c.jsonl").write_bytes(b"no\n")
    with pytest.raises(InputError):
        infer([str(tmp_path / "c.jsonl")])
