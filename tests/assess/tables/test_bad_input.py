"""Whatever the bytes are: findings, never a crash, and no row is lost from the count."""

from __future__ import annotations

import gzip
import json

from assess.tables.claims import CONTRACT, broken, check, contract, faults, row, write_parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GOOD = b'{"id": "C-%d", "amount": 1.5, "email": "a@b.org", "day": "2026-01-02"}'
PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"}", b"[", b'"', b",", b";", b"NaN", b"\xe9",
     b'{"id": 1, "id": 2}', b"id,amount,email,day\n", b"C-1,2,a@b.org,2026-01-02\n", GOOD % 1, GOOD % 2 + b"\n", b"PAR1", b" "]
)  # fmt: skip
BYTES = st.lists(PIECES | st.binary(max_size=6), max_size=14).map(b"".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=BYTES, packed=st.booleans(), cut=st.integers(0, 8), split=st.booleans())
def test_any_bytes_are_findings_and_never_a_crash(tmp_path_factory, raw, packed, cut, split):
    folder = tmp_path_factory.mktemp("t")
    raw = gzip.compress(raw) if packed else raw
    (folder / "c.jsonl").write_bytes(raw[: len(raw) - cut])
    found = check(folder / "c.jsonl", split=folder / "out" if split else None)
    assert found.rows >= found.unread >= 0
    assert found.rows or found.faults
    if found.split is not None:
        assert found.split.good + found.split.quarantined == found.rows
        assert found.split.quarantined == found.broken


@settings(max_examples=16, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, 2_000), what=st.binary(min_size=1, max_size=8), cut=st.integers(0, 400))
def test_a_parquet_file_damaged_anywhere_is_a_finding_beside_the_others(tmp_path_factory, at, what, cut):
    folder = tmp_path_factory.mktemp("t")
    write_parquet(folder / "a.parquet", row(1))
    raw = write_parquet(folder / "b.parquet", row(2), row(3)).read_bytes()
    at = 4 + at % (len(raw) - 4)  # it stays one by its first bytes
    (folder / "b.parquet").write_bytes((raw[:at] + what + raw[at + len(what) :])[: len(raw) - cut])
    found = check(folder)
    assert found.rows == 3 or "damaged" in faults(found)
    assert found.rows >= 1


def test_a_folder_name_that_is_not_of_the_declared_type_is_a_finding_of_its_rows(tmp_path):
    text = CONTRACT + "  - {name: region, logicalType: integer, required: true}\n"
    write_parquet(tmp_path / "t" / "region=1" / "a.parquet", row(1))
    write_parquet(tmp_path / "t" / "region=north" / "a.parquet", row(2))
    found = check(tmp_path / "t", of=contract(text=text))
    assert (found.rows, broken(found)) == (2, {"region type": 1})


def test_columns_named_as_places_are_only_columns(tmp_path):
    text = CONTRACT + "  - {name: filename, logicalType: string}\n  - {name: file_row_number, logicalType: integer}\n"
    file = write_parquet(tmp_path / "c.parquet", row(1, amount="-1.0") + ", 'x' AS filename, 7 AS file_row_number")
    found = check(file, of=contract(text=text))
    assert broken(found) == {"amount minimum": 1}
    (example,) = next(r for r in found.rules if r.rule == "minimum").examples
    assert (example.file, example.row, example.found) == ("", 0, "-1.0")


def test_a_glob_in_a_name_means_itself(tmp_path):
    file = write_parquet(tmp_path / "c[1]*.parquet", row(1))
    write_parquet(tmp_path / "c1x.parquet", row(2), row(3))
    assert check(file).rows == 1


def test_a_100_megabyte_line_costs_itself_alone(tmp_path):
    with (tmp_path / "c.jsonl").open("wb") as file:
        file.write(GOOD % 1 + b'\n{"id": "')
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + GOOD % 2 + b"\n")
    found = check(tmp_path / "c.jsonl")
    assert (found.rows, found.unread, faults(found)) == (3, 1, {"too-long": 1})


def test_dates_of_every_dialect_are_told_apart_and_none_is_mended(tmp_path):
    days = [
        "2026-01-02",
        "02.01.2026",
        "01/02/2026",
        "2026-1-2",
        "20260102",
        "2026-02-30",
        "2026-01-02T00:00:00Z",
        "Jan 2",
    ]
    lines = [json.dumps({"id": f"C-{n}", "day": day}) for n, day in enumerate(days)]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    assert broken(check(tmp_path / "c.jsonl"))["day format"] == len(days) - 1
    rows = [f"'C-{n}' AS id, 1.0 AS amount, NULL::VARCHAR AS email, '{day}' AS day" for n, day in enumerate(days)]
    assert broken(check(write_parquet(tmp_path / "c.parquet", *rows))) == {"day format": len(days) - 1}
