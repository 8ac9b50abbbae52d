"""Whatever lies in a file is read or told: nothing crashes the health check, and nothing is changed in silence."""

from __future__ import annotations

import gzip
import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.assess.health.check import check_health
from plimsoll.assess.health.places import APART, find_places
from plimsoll.assess.health.reading import read_source
from plimsoll.errors import InputError
from plimsoll.model.health import Answer

GOOD = [json.dumps({"id": n * 2, "at": f"2026-11-{1 + n % 24:02d}T10:{n % 60:02d}:00Z", "amount": n * 1.5}) for n in range(100)]  # fmt: skip


def read(path):
    (place,) = find_places([path])
    return read_source(place, lambda _: None)


def read_bytes(tmp_path, raw, name="records.txt"):
    file = tmp_path / name
    file.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return read(file)


def faults(found):
    return {fault.code: fault.count for fault in found.faults}


def answered(path):
    check = check_health(find_places([path]), now_ns=time.time_ns())
    return check.questions[1], check


class TestLines:
    def test_a_cut_line_is_one_finding_with_its_place_and_the_others_are_read(self, tmp_path):
        found = read_bytes(tmp_path, "\n".join([*GOOD[:50], '{"id": 7, "a', *GOOD[50:]]))
        (fault,) = found.faults
        assert (found.table.records, fault.code, fault.count) == (100, "health.no-json", 1)
        assert fault.where[0].endswith("records.txt:51")

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (b'{"a": 1, "a": 2}', "health.duplicate-key"),
            (b'{"a": NaN}', "health.not-finite"),
            (b'{"a": "M\xfcller"}', "health.not-utf-8"),
            (b'{"a": "x\x00y"}', "health.nul"),
            (b"[" * 5_000 + b"]" * 5_000, "health.nesting"),
            (b'{"a": "\\ud800"}', "health.no-json"),
            (b'{"a": "' + b"x" * 2_000_000 + b'"}', "health.too-long"),
            (b"[1, 2]", "health.no-object"),
            (b"17", "health.no-object"),
        ],
        ids=lambda v: v if isinstance(v, str) else None,
    )
    def test_what_is_no_record_is_told_by_kind(self, tmp_path, line, code):
        found = read_bytes(tmp_path, "\n".join(GOOD).encode() + b"\n" + line + b"\n" + GOOD[0].encode())
        assert (found.table.records, faults(found)) == (101, {code: 1})

    def test_whole_numbers_of_any_length_are_kept_exactly_and_told(self, tmp_path):
        numbers = [2**53 + 1 + n for n in range(30)] + [2**70]
        file = tmp_path / "big.jsonl"
        file.write_text("\n".join(json.dumps({"n": n}) for n in numbers))
        assert read(file).table.columns["n"] == numbers
        _, check = answered(file)
        assert [(f.code, f.count, f.lost) for f in check.sources[0].faults] == [("health.beyond-double", 31, False)]

    def test_one_line_of_a_hundred_megabytes_is_told_and_the_rest_is_read(self, tmp_path):
        file = tmp_path / "long.jsonl"
        with file.open("wb") as out:
            out.write("\n".join(GOOD).encode() + b'\n{"a": "')
            for _ in range(100):
                out.write(b"x" * 1_000_000)
            out.write(b'"}\n' + GOOD[0].encode())
        found = read(file)
        assert (found.table.records, faults(found)) == (101, {"health.too-long": 1})

    def test_a_file_that_is_one_line_of_a_hundred_megabytes_is_told(self, tmp_path):
        found = read_bytes(tmp_path, b'{"a": "' + b"x" * 100_000_000 + b'"}')
        assert (found.table.records, faults(found)) == (0, {"health.too-long": 1})

    def test_lines_that_end_in_cr_alone_are_read_and_told(self, tmp_path):
        found = read_bytes(tmp_path, "\r".join(GOOD))
        assert (found.table.records, faults(found)) == (100, {"health.cr-only": 1})
        assert read_bytes(tmp_path, "\r\n".join(GOOD) + "\r\n").faults == ()


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_a_byte_order_mark_is_obeyed_and_told(self, tmp_path, encoding):
        found = read_bytes(tmp_path, "\n".join([*GOOD, '{"name": "Jürgen 😀"}']).encode(encoding))
        assert (found.table.records, faults(found)) == (101, {"health.bom": 1})
        assert found.table.columns["name"][-1] == "Jürgen 😀"

    def test_without_a_mark_nothing_is_guessed(self, tmp_path):
        found = read_bytes(tmp_path, "\n".join(GOOD).encode("utf-16-le"))
        assert found.table.records == 0
        assert "health.encoding" in faults(found)

    def test_a_file_of_mixed_encodings_is_read_where_it_is_utf_8(self, tmp_path):
        rows = [f"{n};Müller" for n in range(50)]
        raw = b"id;name\n" + b"\n".join(r.encode("utf-8" if n % 2 else "latin-1") for n, r in enumerate(rows))
        found = read_bytes(tmp_path, raw)
        assert (found.table.records, faults(found)) == (25, {"health.not-utf-8": 25})


class TestCompressed:
    def test_gzip_is_read_whatever_the_file_is_called(self, tmp_path):
        assert read_bytes(tmp_path, gzip.compress("\n".join(GOOD).encode())).table.records == 100
        two = gzip.compress("\n".join(GOOD).encode() + b"\n") + gzip.compress("\n".join(GOOD).encode())
        assert read_bytes(tmp_path, two).table.records == 200

    def test_a_cut_gzip_file_is_read_as_far_as_it_goes(self, tmp_path):
        lines = [json.dumps({"id": n, "noise": os.urandom(20).hex()}) for n in range(2_000)]
        whole = gzip.compress("\n".join(lines).encode())
        found = read_bytes(tmp_path, whole[: len(whole) // 2])
        assert 500 < found.table.records < 1_500
        assert faults(found)["health.gzip"] == 1

    def test_damage_inside_is_told(self, tmp_path):
        lines = [json.dumps({"id": n, "noise": os.urandom(20).hex()}) for n in range(20_000)]
        raw = bytearray(gzip.compress("\n".join(lines).encode()))
        raw[len(raw) // 2 :] = os.urandom(len(raw) - len(raw) // 2)
        assert faults(read_bytes(tmp_path, bytes(raw)))["health.gzip"] == 1

    def test_a_small_file_that_would_fill_the_memory_stops_at_the_budget(self, tmp_path):
        found = read_bytes(tmp_path, gzip.compress(b'{"a": 1}\n' * 300_000))
        assert (found.table.records, found.cut_off) == (200_000, True)

    @pytest.mark.parametrize("raw", [b"\x28\xb5\x2f\xfd" + bytes(50), b"PAR1" + bytes(50), b"BZh9" + bytes(50)])
    def test_other_formats_are_named_with_what_to_do(self, tmp_path, raw):
        found = read_bytes(tmp_path, raw)
        assert (found.table.records, faults(found)) == (0, {"health.foreign": 1})
        assert found.told.fix


class TestDocuments:
    def test_a_list_an_object_around_one_and_one_record_each_are_read(self, tmp_path):
        records = [json.loads(line) for line in GOOD]
        assert read_bytes(tmp_path, json.dumps(records)).table.records == 100
        assert read_bytes(tmp_path, json.dumps(records, indent=1)).table.records == 100
        inside = read_bytes(tmp_path, json.dumps({"page": 1, "data": records}, indent=1))
        assert (inside.table.records, faults(inside)) == (100, {"health.inside": 1})
        assert read_bytes(tmp_path, json.dumps(records[0], indent=1)).table.records == 1

    def test_a_list_that_breaks_off_gives_what_stands_before(self, tmp_path):
        found = read_bytes(tmp_path, ("[" + ",\n".join(GOOD) + "]")[:-40])
        assert (found.table.records, faults(found)) == (99, {"health.cut": 1})

    def test_a_record_with_a_name_twice_costs_only_itself(self, tmp_path):
        found = read_bytes(tmp_path, "[" + ",\n".join([*GOOD, '{"a": 1, "a": 2}']) + "]")
        assert (found.table.records, faults(found)) == (100, {"health.duplicate-key": 1})

    def test_ten_thousand_files_are_one_source_and_few_are_one_each(self, tmp_path):
        many, few = tmp_path / "many", tmp_path / "few"
        many.mkdir()
        few.mkdir()
        for n in range(10_000):
            (many / f"{n:05d}.json").write_text(json.dumps({"id": n, "kind": "x"}, indent=1))
        for n in range(APART):
            (few / f"part-{n}.jsonl").write_text("\n".join(GOOD))
        found = read(many)
        assert (found.table.records, found.faults) == (10_000, ())
        assert len(find_places([few])) == APART

    def test_a_folder_without_files_a_missing_file_and_a_pipe_are_refused(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "empty").mkdir()
        for name in ("pipe", "empty", "missing"):
            with pytest.raises(InputError):
                find_places([tmp_path / name])

    def test_files_of_one_name_stay_apart(self, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "claims.jsonl").write_text("\n".join(GOOD))
        names = [p.name for p in find_places([tmp_path / "a" / "claims.jsonl", tmp_path / "b" / "claims.jsonl"])]
        assert names == ["claims", "claims-2"]

    def test_a_file_whose_name_is_no_text_is_read_and_can_be_told_of(self, tmp_path):
        file = tmp_path / b"\xff.jsonl".decode("utf-8", "surrogateescape")
        file.write_text("\n".join(GOOD) + "\n{cut")
        (fault,) = read(file).faults
        assert fault.where[0].encode().endswith(b"\\xff.jsonl:101")


class TestTables:
    def test_rows_of_another_width_and_open_quotes_cost_only_themselves(self, tmp_path):
        rows = [f'{n},"text, {n}"' for n in range(100)]
        rows[10], rows[20] = "10,a,b", '20,"never closed'
        found = read_bytes(tmp_path, "id,text\n" + "\n".join(rows))
        assert (found.table.records, faults(found)) == (97, {"health.columns": 1, "health.csv": 2})
        assert found.table.columns["text"][0] == "text, 0"

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_every_usual_delimiter_is_told(self, tmp_path, delimiter):
        found = read_bytes(tmp_path, "\n".join(delimiter.join(["id", "amount", "city"]) if n == 0 else delimiter.join([str(n), "3", "Bonn"]) for n in range(60)))  # fmt: skip
        assert (found.table.records, list(found.table.columns)) == (59, ["id", "amount", "city"])

    def test_leading_zeros_and_decimal_commas_stay_text_and_are_told(self, tmp_path):
        file = tmp_path / "zeros.csv"
        file.write_text("plz;amount\n" + "\n".join(f"0{1000 + n};{n},50" for n in range(60)))
        question, check = answered(file)
        assert {f.code for f in check.sources[0].faults} == {"health.leading-zeros", "health.decimal-comma"}
        assert all(field.kinds == {"string": 60} for field in check.sources[0].fields)
        assert question.answer is Answer.UNCLEAR

    def test_columns_without_a_name_and_with_one_twice_are_kept_apart(self, tmp_path):
        found = read_bytes(tmp_path, ",a,a\n" + "\n".join(f"{n},1,2" for n in range(60)))
        assert list(found.table.columns) == ["column 1", "a", "a (3)"]


class TestDescriptions:
    @pytest.mark.parametrize(
        "text",
        [
            "# The data\n\nIt is sent daily.\n",
            "| field | meaning |\n|---|---|\n| id | the number |\n",
            "The claims come from the mainframe.\nThere are two hundred fields, most of them text.\n",
            "Field name,Data type,Description\n" + "amount,decimal,how much\n" * 80,
            json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}),
            json.dumps({"openapi": "3.1.0", "info": {"title": "Claims"}}, indent=1),
            "apiVersion: v3.1.0\nkind: DataContract\nid: claims\n",
            "%PDF-1.7\n",
        ],
        ids=["markdown", "table", "prose", "dictionary", "schema", "openapi", "contract", "pdf"],
    )
    def test_a_description_is_refused(self, tmp_path, text):
        file = tmp_path / "given"
        file.write_text(text)
        question, check = answered(file)
        assert (question.answer, check.go) == (Answer.NO, False)
        assert [reason.code for reason in question.reasons] == ["health.description"]

    def test_one_that_lies_beside_records_in_a_folder_is_left_out_and_told(self, tmp_path):
        (tmp_path / "claims.jsonl").write_text("\n".join(GOOD))
        (tmp_path / "README.md").write_text("# The claims\n\nThey are sent daily.\n")
        question, check = answered(tmp_path)
        assert [source.name for source in check.sources] == ["claims"]
        assert "health.left-out" in {fault.code for fault in check.sources[0].faults}
        assert question.answer is Answer.UNCLEAR

    def test_a_table_with_a_field_called_description_is_none(self, tmp_path):
        found = read_bytes(tmp_path, "id,type,description\n" + "\n".join(f"{n},claim,roof {n}" for n in range(60)))
        assert found.table.records == 59 + 1

    @pytest.mark.parametrize("text", ["", "\n \n", "17\n18\n19\n", "2026-11-25 10:00:01 INFO 17 of 23 ok\n" * 5])
    def test_what_holds_no_record_is_no_data(self, tmp_path, text):
        file = tmp_path / "given"
        file.write_text(text)
        question, _ = answered(file)
        assert (question.answer, [r.code for r in question.reasons]) == (Answer.NO, ["health.no-record"])


@settings(max_examples=300, deadline=None)
@given(
    raw=st.one_of(
        st.binary(max_size=2_000), st.text(alphabet='{}[]",:;\r\n\t01a\\ \x00é-.', max_size=600).map(str.encode)
    )
)
def test_no_bytes_at_all_crash_it_and_every_line_of_json_lines_is_counted(raw, tmp_path_factory):
    file = tmp_path_factory.mktemp("any") / "records"
    file.write_bytes(raw)
    question, check = answered(file)
    assert not check.go
    found = check.sources[0]
    assert question.answer in Answer
    if found.form == "JSON Lines" and "health.encoding" not in {f.code for f in found.faults} and b"\n" in raw:
        blank = b" \t\r\n"
        assert found.records + found.lost == sum(bool(line.strip(blank)) for line in raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"))  # fmt: skip
