"""Text files held to a contract: a broken line is a finding with its place, and never the end."""

from __future__ import annotations

import gzip
import json

from assess.tables.claims import CONTRACT, broken, check, contract, faults

GOOD = {"id": "C-1", "amount": 1.5, "email": "a@b.org", "day": "2026-01-02"}


def line(number, **more):
    return json.dumps(GOOD | {"id": f"C-{number}"} | more).encode()


def written(path, *lines, end=b"\n"):
    path.write_bytes(end.join(lines) + end)
    return path


def test_a_cut_line_is_a_finding_with_its_place_and_all_others_are_judged(tmp_path):
    file = written(tmp_path / "c.jsonl", line(1), line(2)[:20], line(3, amount=-1), line(3, day="02.01.2026"))
    found = check(file)
    assert (found.rows, found.unread, found.broken) == (4, 1, 3)
    assert faults(found) == {"no-json": 1}
    assert found.faults[0].where == (f"{file}:2",)
    assert broken(found) == {"id unique": 1, "amount minimum": 1, "day format": 1}
    (example,) = next(r for r in found.rules if r.rule == "minimum").examples
    assert (example.file, example.row, example.found) == (str(file), 3, "-1")


def test_everything_that_can_be_wrong_with_bytes_is_a_finding_of_its_own(tmp_path):
    file = written(
        tmp_path / "c.jsonl",
        line(1),
        b'{"id": "C-2", "id": "C-3"}',
        b'{"id": "C-4", "amount": NaN}',
        b'{"id": "C-\xe9"}',
        b'{"id": "C-\x00"}',
        b"[1]",
        b'{"id": "' + b"x" * (1 << 20) + b'"}',
        b"[" * 80 + b"]" * 80,
        line(9, amount=2**70),
    )
    found = check(file)
    assert faults(found) == {
        "duplicate-key": 1, "not-finite": 1, "not-utf-8": 1, "nul": 1, "no-object": 1, "too-long": 1, "nesting": 1,
    }  # fmt: skip
    assert (found.rows, found.unread) == (9, 7)
    assert broken(found) == {"amount maximum": 1}


def test_a_first_line_without_end_costs_itself_alone(tmp_path):
    found = check(written(tmp_path / "c.jsonl", b'{"id": "' + b"x" * (3 << 20) + b'"}', line(2)))
    assert (found.rows, found.unread, faults(found)) == (2, 1, {"too-long": 1})


def test_marks_line_ends_and_compression_are_read_as_what_they_are(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    written(folder / "bom.jsonl", b"\xef\xbb\xbf" + line(1), line(2))
    written(folder / "cr.jsonl", line(3), line(4), end=b"\r")
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(line(5) + b"\n" + line(6) + b"\n"))
    (folder / "wide.jsonl").write_bytes((line(7) + b"\n" + line(8)).decode().encode("utf-16"))
    found = check(folder)
    assert (found.rows, found.unread, broken(found)) == (8, 0, {})
    assert faults(found) == {"bom": 2, "cr-only": 1}
    assert found.is_whole
    assert not found.is_refused


def test_a_cut_archive_an_empty_file_and_a_picture_are_findings(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "1.jsonl.gz").write_bytes(gzip.compress(b"".join(line(n) + b"\n" for n in range(5000)))[:-2000])
    (folder / "2.jsonl").write_bytes(b"")
    (folder / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = check(folder)
    assert found.rows > 100
    assert {"gzip", "empty", "foreign"} <= faults(found).keys()
    assert found.is_refused


def test_cells_of_csv_are_what_their_column_says(tmp_path):
    rows = (b"id;amount;email;day", b"C-1;1.50;a@b.org;2026-01-02", b"C-2;1,5;a@b.org;2026-01-02", b"C-3;;;", b"C-4;1",
            b'C-5;1;"x;y"@b.org;2026-02-30', b"C-6;1;a@b.org;2026-02-30")  # fmt: skip
    found = check(written(tmp_path / "c.csv", *rows))
    assert broken(found) == {"amount type": 1, "day format": 1}
    assert faults(found) == {"cells": 1, "csv": 1}
    assert found.rows == 6


def test_line_ends_inside_cells_make_no_other_format_of_a_table(tmp_path):
    rows = (b"id,amount,email,day", *(b'"C-%d",1.5,"a@b.org","2026-\n01-02"' % n for n in range(4)))
    found = check(written(tmp_path / "c.csv", *rows))
    assert (found.rows, faults(found), broken(found)) == (4, {}, {"day format": 4})


def test_nothing_is_said_of_columns_where_no_row_could_be_read(tmp_path):
    found = check(written(tmp_path / "c.csv", b"id,amount,email,day", b"C-\xe9,1.5,a@b.org,2026-01-02"))
    assert (found.rows, found.unread, faults(found), broken(found)) == (1, 1, {"not-utf-8": 1}, {})
    found = check(written(tmp_path / "c.jsonl", b"{" * 9))
    assert (found.rows, found.unread, faults(found), broken(found)) == (1, 1, {"no-json": 1}, {})


def test_a_list_in_one_document_is_a_table_too(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps([GOOD, GOOD | {"amount": "x"}, 3], indent=1))
    found = check(tmp_path / "c.json")
    assert (found.rows, broken(found), faults(found)) == (3, {"id unique": 1, "amount type": 1}, {"no-object": 1})


def test_quality_rules_and_coercions_count_in_text_as_well(tmp_path):
    text = CONTRACT.replace(
        "name: amount, ", "name: amount, customProperties: [{property: plimsollCoerce, value: [decimal-comma]}], "
    )
    more = "  quality: [{metric: rowCount, mustBe: 3}, {type: sql, query: SELECT 1, mustBe: 1}]\n"
    file = written(tmp_path / "c.jsonl", line(1, amount="12,5"), line(2))
    found = check(file, of=contract(more, text=text))
    assert broken(found) == {" quality.rowCount": 0}
    assert [(u.rule, u.line) for u in found.unasked] == [("quality.sql", 14)]


def test_a_folder_of_many_files_is_one_table(tmp_path):
    for number in range(300):
        written(tmp_path / f"{number}.jsonl", line(number))
    found = check(tmp_path)
    assert (found.files, found.rows, broken(found)) == (300, 300, {})
