"""Checks of tables in the ledger: counts and rules without a value, and a history of how a source kept its promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assess.tables.claims import CONTRACT
from cli.tiny_system import plimsoll

from plimsoll.assembly.project import Project
from plimsoll.assembly.table_history import digest_of, history
from plimsoll.errors import VerificationFailed
from plimsoll.model.table_record import TableOutcome

LEVEL = "slaProperties: [{property: freshness, value: 1, unit: d, element: claims.day}]\n"


def line(number, **more):
    return json.dumps({"id": f"C-{number}", "amount": 1, "email": "ann@mail.test", "day": "2026-01-02"} | more)


@pytest.fixture
def recorded(tiny):
    tiny.write("claims.odcs.yaml", CONTRACT + LEVEL)
    tiny.write("1.jsonl", line(1) + "\n" + line(2, amount=-5) + "\n" + line(3)[:9] + "\n")
    tiny.write("2.jsonl", line(1, day=None) + "\n")
    for name in ("1.jsonl", "2.jsonl"):
        ran = plimsoll(
            "contract", "check", name, "--contract", "claims.odcs.yaml", "--manifest", "plimsoll.yaml", cwd=tiny.folder
        )
        assert ran.code == {"1.jsonl": 3, "2.jsonl": 4}[name]
        assert "recorded: " in ran.stderr
    return tiny


def test_each_check_is_an_entry_and_together_they_are_a_history(recorded):
    project = Project(recorded.manifest)
    first, second = history(project)
    check = first.check
    assert (check.contract, check.table, check.outcome) == ("claims", "claims", TableOutcome.BROKEN)
    assert (check.rows, check.unread, check.broken, check.faults) == (3, 1, 2, {"table.no-json": 1})
    rules = [(r.rule, r.line, r.failed) for r in check.broken_rules]
    assert rules == [("minimum", 11, 1), ("slaProperties.freshness", 14, 0)]
    ((level,), outcome) = check.levels, second.check.outcome
    assert (level.property, level.field, level.holds, level.seconds > 300 * 86400) == (
        "freshness",
        "claims.day",
        False,
        True,
    )
    assert (outcome, second.check.levels) == (TableOutcome.CANNOT_SAY, ())
    assert check.data == digest_of([recorded.folder / "1.jsonl"]) != second.check.data
    assert b"ann@mail.test" not in Path(recorded.ledger).read_bytes()
    assert history(project, contract="other") == ()


def test_the_history_is_shown(recorded):
    ran = plimsoll("contract", "history", cwd=recorded.folder)
    assert ran.code == 0
    shown = ran.stdout.splitlines()
    assert "UTC  broken      claims 1.0.0 claims: 3 rows, 2 broken, 1 unread" in shown[0]
    assert shown[1].strip() == "claims.amount: minimum: 1 rows"
    assert shown[-1].endswith("UTC  cannot say  claims 1.0.0 claims: 1 rows, 0 broken")
    assert plimsoll("contract", "history", "--contract", "none", cwd=recorded.folder).code == 4


def test_an_altered_entry_is_no_history(recorded):
    raw = recorded.ledger.read_bytes()
    at = raw.index(b'"rows":3')
    recorded.ledger.write_bytes(raw[: at + 7] + b"9" + raw[at + 8 :])
    with pytest.raises(VerificationFailed):
        history(Project(recorded.manifest))
