"""What only a whole table can tell: queries that the contract holds, and the age of its rows."""

from __future__ import annotations

import json

import pytest
from assess.tables.claims import CONTRACT, NOW_S, broken, check, contract, row, write_parquet

from plimsoll.engine.duckdb import QueryFailed, parquet
from plimsoll.engine.duckdb_sandbox import Sandbox


def with_queries(*rules):
    return contract("  quality:\n" + "".join(f"  - {rule}\n" for rule in rules))


def test_a_query_is_measured_with_its_names_put_in_and_compared_with_its_limit(tmp_path):
    file = write_parquet(tmp_path / "c.parquet", row(1), row(2, amount="9.5"))
    text = CONTRACT.replace(
        "{name: amount, ",
        '{name: amount, quality: [{type: sql, query: "SELECT max(${column}) FROM ${table}", mustBeLessThan: 5}], ',
    )
    more = '  quality: [{type: sql, query: "SELECT count(*) FROM {object}", mustBe: 2, severity: warning}]\n'
    found = check(file, of=contract(more, text=text))
    measured = {r.field: (r.holds, r.figure, r.expected, r.said) for r in found.rules if r.rule == "quality.sql"}
    assert measured == {
        "claims.amount": (False, 9.5, "mustBeLessThan 5", "it is 9.5"),
        "claims": (True, 2, "mustBe 2", "it is 2"),
    }
    assert [r.rule for r in found.failed] == ["quality.sql"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT count(*) FROM read_text('/etc/hostname')", "file system operations are disabled"),
        ("COPY (SELECT 1) TO 'x.csv'", "not one statement that selects"),
        ("SELECT 1; DROP VIEW claims", "not one statement that selects"),
        ("SET enable_external_access = true", "not one statement that selects"),
        ("SELECT id FROM claims", "no number"),
        ("SELECT id, id FROM claims", "no single value"),
        ("SELECT nothing FROM claims", "not found"),
        ("SELECT CAST(id AS INTEGER) FROM claims", "ConversionException"),
        ("SELECT count({column}) FROM claims", "asks for a column"),
        ("SELEC 1", "syntax error"),
    ],
)
def test_a_query_that_reaches_out_writes_or_gives_no_number_is_listed_and_not_measured(tmp_path, query, why):
    file = write_parquet(tmp_path / "c.parquet", row(1))
    found = check(file, of=with_queries(f"{{type: sql, query: {json.dumps(query)}, mustBe: 1}}"))
    ((left,), rules) = found.unasked, [r for r in found.rules if r.rule == "quality.sql"]
    assert rules == []
    assert why in left.why
    assert (left.rule, left.line, left.of_rows, found.is_whole) == ("quality.sql", 15, True, False)
    assert "C-1" not in left.why


def test_a_query_finds_its_files_whatever_they_are_named_and_no_other(tmp_path):
    file = write_parquet(tmp_path / "c[1]*.parquet", row(1))
    other = write_parquet(tmp_path / "c1x.parquet", row(2))
    with Sandbox("claims", parquet([file]), [file]) as sandbox:
        assert sandbox.number("SELECT count(*) FROM claims") == 1
        with pytest.raises(QueryFailed, match="disabled by configuration"):
            sandbox.number(f"SELECT count(*) FROM '{other}'")


def test_a_query_that_takes_too_long_is_ended(tmp_path):
    file = write_parquet(tmp_path / "c.parquet", row(1))
    with Sandbox("claims", parquet([file]), [file]) as sandbox:
        with pytest.raises(QueryFailed, match="longer than 0"):
            sandbox.number("SELECT count(*) FROM range(100000000) a, range(100000) b", timeout_s=0.05)
        assert sandbox.number("SELECT count(*) FROM claims") == 1


LEVELS = """\
slaProperties:
- {property: freshness, value: 2, unit: d, element: claims.day}
- {property: retention, value: 1, unit: y, element: claims.day}
- {property: frequency, value: 1, unit: d}
- {property: freshness, value: 1, unit: d, element: claims.id}
"""


def levels(found):
    return {r.rule: (r.holds, r.figure, r.said) for r in found.rules if r.rule.startswith("sla")}


EXPECTED = {
    "slaProperties.freshness": (False, 3 * 86400, "the newest row is 3 days old"),
    "slaProperties.retention": (True, 35 * 86400, "the oldest row is 35 days old"),
}


def test_the_age_of_rows_is_held_to_freshness_and_retention_by_the_given_clock(tmp_path):
    write_parquet(tmp_path / "t" / "1.parquet", row(1), row(2, day="DATE '2025-12-01'"))
    write_parquet(tmp_path / "t" / "2.parquet", row(3, day="TIMESTAMP '2025-12-30 00:00:00'"))
    found = check(tmp_path / "t", of=contract(LEVELS))
    assert levels(found) == EXPECTED
    assert [(u.rule, u.line, u.of_rows) for u in found.unasked] == [
        ("slaProperties.frequency", 17, False), ("slaProperties.freshness", 18, False),
    ]  # fmt: skip
    fresh = check(tmp_path / "t" / "1.parquet", of=contract(LEVELS), now_s=NOW_S - 86400)
    assert (levels(fresh)["slaProperties.freshness"][0], broken(fresh)) == (True, {})


def test_the_age_of_lines_is_measured_in_the_same_way(tmp_path):
    lines = [
        {"id": f"C-{n}", "amount": 1, "email": "a@b.org", "day": day}
        for n, day in enumerate(["2025-12-01", "2026-01-02"])
    ]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert levels(check(tmp_path / "c.jsonl", of=contract(LEVELS))) == EXPECTED
