"""Files that are broken rather than forged: every one gives a report or a clear error, never a traceback."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError, StoreError, StoreLocked, StoreTooNew
from plimsoll.ledger import Draft, Ledger
from plimsoll.ledger.sqlite_audit import SqliteFile
from plimsoll.ledger.verify import verify_ledger
from plimsoll.ledger.witness import FileWitness


class Key:
    name = "example.org/ledger"

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


KEY = Key()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger: every entry is covered by a signed checkpoint."""
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    with Ledger.open(path, signer=KEY) as ledger:
        for _ in range(6):
            ledger.transact([Draft(kind="decision", system="claims-reader", body=os.urandom(500)) for _ in range(100)])
            ledger.checkpoint()
        ledger.append(Draft(kind="evidence", body=os.urandom(20_000)))
    assert verify_ledger(path, trusted_keys=[KEY.public]).ok
    return path


def entries_of(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as con:
        return con.execute("SELECT * FROM entries NOT INDEXED ORDER BY id").fetchall()


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_flipped_bytes_is_reported_or_has_every_entry_as_it_was(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "ledger.db"
    raw = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        page = int.from_bytes(raw[16:18], "big")
        start = page * data.draw(st.integers(0, len(raw) // page - 1))  # headers of pages steer SQLite most
        places = data.draw(st.lists(st.integers(start, start + 40), min_size=1, max_size=4))
    else:
        places = data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=20))
    for at in places:
        raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        report = verify_ledger(path, trusted_keys=[KEY.public])
    except StoreError:
        return
    assert all(str(finding) for finding in report.findings)
    if report.ok:
        assert entries_of(path) == entries_of(whole)


@given(st.floats(0, 1, exclude_max=True))
@example(0.0)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_anywhere_is_reported(whole: Path, tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "ledger.db"
    raw = whole.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    report = verify_ledger(path, trusted_keys=[KEY.public])
    if report.ok:  # what was cut off held nothing of the record
        assert share > 0.9
        assert entries_of(path) == entries_of(whole)


def test_a_page_of_zeros_names_the_entries_that_were_on_it(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    raw = bytearray(whole.read_bytes())
    with closing(sqlite3.connect(whole)) as con:
        (body, entry) = con.execute("SELECT body, id & 1023 FROM entries WHERE id>>40=2 LIMIT 1 OFFSET 300").fetchone()
    page = int.from_bytes(raw[16:18], "big")  # as the header of the file has it
    at = raw.index(body[:400]) // page * page
    raw[at : at + page] = bytes(page)
    path.write_bytes(raw)
    report = verify_ledger(path, trusted_keys=[KEY.public])
    lost = [finding for finding in report.findings if finding.code == "entry-unreadable"]
    assert lost
    assert any(f.first is not None and f.last is not None and f.first <= entry <= f.last for f in lost)
    assert sum((f.last or 0) - (f.first or 0) + 1 for f in lost) <= page // 500  # as many as fit on a page
    assert report.entries > 600 - page // 500


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_what_is_no_ledger_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    report = verify_ledger(path)
    assert not report.ok
    assert report.findings[0].code == "file-damaged"
    assert "Nothing could be verified" in report.limits[0]


def test_a_database_of_something_else_is_said(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as con, con:
        con.execute("CREATE TABLE photos (x)")
    report = verify_ledger(tmp_path / "other.db")
    assert report.findings[0].code == "file-damaged"


@pytest.mark.parametrize("table", ["streams", "heads", "tiles", "nodes", "notes", "subjects", "entries"])
def test_a_table_that_is_gone_is_said(whole: Path, tmp_path: Path, table: str) -> None:
    shutil.copy(whole, tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as con, con:
        con.execute(f"DROP TABLE {table}")
    report = verify_ledger(tmp_path / "ledger.db", trusted_keys=[KEY.public])
    assert f"table {table} is missing" in " ".join(finding.what for finding in report.findings)


def test_a_later_format_is_left_alone(whole: Path, tmp_path: Path) -> None:
    shutil.copy(whole, tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as con, con:
        con.execute("UPDATE meta SET value='99' WHERE key='format'")
    with pytest.raises(StoreTooNew, match="upgrade"):
        verify_ledger(tmp_path / "ledger.db")


def test_a_missing_file_and_a_missing_witness_are_said(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no ledger here"):
        verify_ledger(tmp_path / "nothing.db")
    with pytest.raises(StoreError, match="no ledger here"):
        verify_ledger(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        verify_ledger(whole, witness=FileWitness(tmp_path / "nothing"))


def test_a_locked_file_is_said(whole: Path, tmp_path: Path) -> None:
    shutil.copy(whole, tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as con:
        con.execute("PRAGMA journal_mode=DELETE")
        con.execute("BEGIN EXCLUSIVE")
        con.execute("DELETE FROM notes")
        with pytest.raises(StoreLocked):
            SqliteFile(tmp_path / "ledger.db", busy_s=0.1)
        con.execute("ROLLBACK")


def test_a_writer_who_comes_to_an_idle_file_disturbs_nothing(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    shutil.copy(whole, path)
    came: list[int] = []

    def write(done: int, total: int) -> None:
        if not came:
            with Ledger.open(path, signer=KEY) as ledger:
                came.append(len(ledger.transact([Draft(kind="decision", body=b"late")] * 300)))

    report = verify_ledger(path, trusted_keys=[KEY.public], progress=write)
    assert report.ok, report.findings
    assert report.entries > 900  # it was read again, with locks


def test_verification_writes_nothing(whole: Path, tmp_path: Path) -> None:
    shutil.copy(whole, tmp_path / "ledger.db")
    before = (tmp_path / "ledger.db").read_bytes()
    assert verify_ledger(tmp_path / "ledger.db").ok
    assert (tmp_path / "ledger.db").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.db"]
