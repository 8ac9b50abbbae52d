"""A stored view that somebody changed is told apart from what the entries give."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plimsoll.errors import StoreLocked
from plimsoll.ledger import Draft, Entry, Ledger, Projection, Table
from plimsoll.ledger.view_check import check_view


class Count:
    """Entries by kind."""

    name = "count"
    version = 1
    kinds: frozenset[str] = frozenset(["note", "other"])

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        count = int(table.get(entry.kind) or b"0") + (1 if body is None else len(body))
        table.put(entry.kind, b"%d" % count)


def spoil(path: Path) -> None:
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("UPDATE kept SET value=x'30'")


def test_a_view_that_is_what_the_entries_give_is_no_finding(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert check_view(ledger, Count()) is None
        ledger.transact([Draft(kind="note", body=b"x")] * 10)
        assert check_view(ledger, Count()) is None


def test_a_view_that_was_altered_is_named_and_rebuilt(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.transact([Draft(kind="note", body=b"x")] * 10)
        ledger.view(Count())
        spoil(tmp_path / "ledger.db")
        finding = check_view(ledger, Count())
        assert finding is not None
        assert finding.code == "view-altered"
        assert "'count'" in finding.what
        assert ledger.view(Count()).get("note") == b"10"
        assert check_view(ledger, Count()) is None


def test_a_view_folded_before_an_erasure_is_told_with_that_reservation(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.append(Draft(kind="note", body=b"long", subject="Anna", seal=True))
        ledger.view(Count())
        ledger.erase("Anna", by="dpo@example.org", reason="asked to")
        finding = check_view(ledger, Count())
        assert finding is not None
        assert "subjects were erased" in finding.what


class Busy(Ledger):
    """A ledger to which somebody writes whenever a view was rebuilt."""

    def rebuild(self, projection: Projection) -> None:
        super().rebuild(projection)
        self.append(Draft(kind="note", body=b"x"))


def test_entries_that_keep_coming_are_said(tmp_path: Path) -> None:
    with Busy.open(tmp_path / "ledger.db") as ledger:
        ledger.append(Draft(kind="note", body=b"x"))
        with pytest.raises(StoreLocked, match="keep coming"):
            check_view(ledger, Count())
