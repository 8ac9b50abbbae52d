"""`plimsoll contract check`: what is printed, and the exit code that CI stands on."""

from __future__ import annotations

import json

from assess.tables.claims import CONTRACT, row, write_parquet
from cli.tiny_system import plimsoll


def files(tmp_path, *rows):
    (tmp_path / "claims.odcs.yaml").write_text(CONTRACT)
    return write_parquet(tmp_path / "claims.parquet", *rows).name


def test_a_table_that_keeps_its_contract_ends_with_0(tmp_path):
    ran = plimsoll("contract", "check", files(tmp_path, row(1)), "--contract", "claims.odcs.yaml", cwd=tmp_path)
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout == "claims: 1 row in 1 file, 12 rules, none broken\n"


def test_a_broken_rule_ends_with_3_and_is_told_with_its_rows_line_and_an_example(tmp_path):
    name = files(tmp_path, row(1), row(2, amount="-1.0", email="'secret'"))
    ran = plimsoll("contract", "check", name, "--contract", "claims.odcs.yaml", "--rows", cwd=tmp_path)
    assert ran.code == 3
    assert ran.stdout.splitlines() == [
        "claims: 2 rows in 1 file, 12 rules, 2 broken; 1 row breaks at least one",
        "  broken  claims.amount: minimum: 1 of 2 rows (50%); expected at least 0",
        "          claims.odcs.yaml:11",
        "          claims.parquet:2: -1.0",
        "  broken  claims.email: format: 1 of 2 rows (50%); expected a valid email",
        "          claims.odcs.yaml:12",
        "          claims.parquet:2: a text, hidden (confidential)",
    ]
    as_json = plimsoll("contract", "check", name, "--contract", "claims.odcs.yaml", "--json", cwd=tmp_path)
    assert (as_json.code, as_json.envelope["ok"]) == (3, False)
    assert [p["code"] for p in as_json.envelope["problems"]] == ["table.minimum", "table.format"]
    assert as_json.envelope["problems"][0]["where"] == {"file": "claims.odcs.yaml", "line": 11, "column": 62}
    assert as_json.data["check"]["rows"] == 2


def test_a_split_says_where_the_rows_are(tmp_path):
    name = files(tmp_path, row(1), row(2, amount="-1.0"))
    ran = plimsoll("contract", "check", name, "--contract", "claims.odcs.yaml", "--split", "out", cwd=tmp_path)
    assert ran.code == 3
    assert ran.stderr == "1 good and 1 quarantined rows: out/quarantine.parquet, out/good.parquet\n"
    again = plimsoll("contract", "check", name, "--contract", "claims.odcs.yaml", "--split", "out", cwd=tmp_path)
    assert (again.code, "is not empty" in again.stderr) == (2, True)


def test_a_page_and_a_junit_file_are_written_where_they_are_asked_for(tmp_path):
    name = files(tmp_path, row(1))
    asked = (
        "contract",
        "check",
        name,
        "--contract",
        "claims.odcs.yaml",
        "--html",
        "out/c.html",
        "--junit",
        "out/c.xml",
    )
    ran = plimsoll(*asked, cwd=tmp_path)
    assert (ran.code, ran.stderr) == (0, "html: out/c.html\njunit: out/c.xml\n")
    assert (tmp_path / "out" / "c.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "out" / "c.xml").read_text().startswith("<?xml")
    ran = plimsoll(*asked[:-1], "claims.odcs.yaml/c.xml", cwd=tmp_path)
    assert (ran.code, "the JUnit file 'claims.odcs.yaml/c.xml' cannot be written" in ran.stderr) == (2, True)


def test_what_cannot_be_told_ends_with_4_and_what_cannot_be_read_with_2(tmp_path):
    (tmp_path / "claims.odcs.yaml").write_text(
        CONTRACT + "  quality: [{type: custom, engine: soda, implementation: x}]\n"
    )
    (tmp_path / "c.jsonl").write_text(json.dumps({"id": "C-1", "day": "2026-01-02", "amount": 1, "email": "a@b.org"}))
    ran = plimsoll("contract", "check", "c.jsonl", "--contract", "claims.odcs.yaml", cwd=tmp_path)
    assert ran.code == 4
    assert "  not enforced * claims.odcs.yaml:14: quality.custom (claims): it is written for another tool" in ran.stdout
    assert plimsoll("contract", "check", "gone", "--contract", "claims.odcs.yaml", cwd=tmp_path).code == 2
    assert plimsoll("contract", "check", "c.jsonl", "--contract", "gone.yaml", cwd=tmp_path).code == 2
