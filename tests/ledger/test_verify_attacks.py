"""What somebody who can write the file may do to it, and what verification says then."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.forgery import ROOT, SHIFT, A, fit_head, fit_leaves, fit_nodes, fit_root, fit_tiles, key_of, sign_again

from plimsoll.ledger import Draft, Header, Ledger
from plimsoll.ledger.checkpoint import note_text, sign_note
from plimsoll.ledger.findings import Finding, Sure, VerifyReport
from plimsoll.ledger.verify import verify_ledger
from plimsoll.ledger.witness import BadLine, FileWitness, WitnessedNote

SIZE = 700


class Key:
    def __init__(self, seed: bytes) -> None:
        self.name = "example.org/ledger"
        self.private = Ed25519PrivateKey.from_private_bytes(seed * 32)
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


OURS, THIEF = Key(b"\x01"), Key(b"\x02")


class Clock:
    """Each look at it takes a millisecond."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000_000

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


def decision(n: int, *, tier: str = "reviewed") -> Draft:
    header = Header(type="read-amount", tier=tier, called=tier != "human-only", disposition="answered")
    return Draft(kind="decision", system="claims-reader", body=b"decision %d" % n, header=header, refs=("a-1", "b-2"))


class Record:
    """A copy of a ledger, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.witness = FileWitness(folder / "witness")

    def verify(self, *, witness: bool = False, key: Key | None = OURS) -> VerifyReport:
        return verify_ledger(
            self.path,
            trusted_keys=None if key is None else [key.public],
            witness=self.witness if witness else None,
        )

    @contextmanager
    def spoil(self) -> Iterator[sqlite3.Connection]:
        """A connection that keeps no rule."""
        with closing(sqlite3.connect(self.path)) as con, con:
            con.execute("PRAGMA ignore_check_constraints=ON")
            yield con

    def sql(self, statement: str, *values: object) -> None:
        with self.spoil() as con:
            con.execute(statement, values)

    def covered(self) -> list[tuple[object, ...]]:
        """All entries that the witness speaks for."""
        with closing(sqlite3.connect(self.path)) as con:
            return con.execute(
                "SELECT * FROM entries WHERE id>=? AND id<? OR id>=? AND id<? ORDER BY id",
                (key_of(0, ROOT), key_of(4, ROOT), key_of(0), key_of(660)),
            ).fetchall()

    def stream(self, number: int = A) -> str:
        with closing(sqlite3.connect(self.path)) as con:
            return str(con.execute("SELECT id FROM streams WHERE number=?", (number,)).fetchone()[0])

    def id(self, seq: int) -> str:
        return f"{self.stream()}-{seq}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two streams, four checkpoints, the first stream open as after a crash, everything but its last 40 witnessed."""
    folder = tmp_path_factory.mktemp("template")
    clock = Clock()
    path, witness = folder / "live.db", FileWitness(folder / "witness")
    with Ledger.open(path, signer=OURS, witness=witness, clock=clock) as ledger:
        for n in range(0, SIZE, 20):
            ledger.transact([decision(n + k) for k in range(20)])
            if n in (180, 480, 640):
                ledger.checkpoint()
        ledger.append(Draft(kind="control", body=b"stop"))  # the 701st
        ledger.enqueue(Draft(kind="evidence", body=b"measured"))
        ledger.flush()
        with closing(sqlite3.connect(path)) as con, closing(sqlite3.connect(folder / "ledger.db")) as copy:
            con.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        shutil.copy(folder / "witness", folder / "kept")
    (folder / "kept").replace(folder / "witness")
    for name in ("live.db", "live.db-wal", "live.db-shm"):
        (folder / name).unlink(missing_ok=True)
    return folder


@pytest.fixture
def record(template: Path, tmp_path: Path) -> Record:
    shutil.copytree(template, tmp_path / "record")
    return Record(tmp_path / "record")


def only(report: VerifyReport) -> Finding:
    assert len(report.findings) == 1, "\n".join(map(str, report.findings))
    return report.findings[0]


# ── nothing was done ──


def test_an_untouched_ledger_is_whole(record: Record) -> None:
    report = record.verify(witness=True)
    assert report.ok, report.findings
    assert report.entries == SIZE + 2 + 5
    assert (report.streams, report.notes, report.witnessed) == (3, 3, 3)
    assert report.remarks == ()
    # 40 decisions, the control entry, the evidence, and the root entry that opened its stream
    assert (report.unsigned, report.unwitnessed) == (43, 43)
    assert "newer than the last signed checkpoint" in report.limits[0]
    assert "newer than the last witnessed checkpoint" in report.limits[1]


def test_what_cannot_be_told_is_said(record: Record) -> None:
    limits = " ".join(record.verify(key=None).limits)
    assert "No key is pinned" in limits
    assert "No witness was asked" in limits
    assert "would go unnoticed" in limits
    assert "No key is pinned" not in " ".join(record.verify(witness=True).limits)
    assert "No witness was asked" not in " ".join(record.verify(witness=True).limits)


# ── the seven attacks ──


def test_one_record_edited_in_place_is_named(record: Record) -> None:
    record.sql("UPDATE entries SET body=? WHERE id=?", b"decision 1!", key_of(50))
    finding = only(record.verify())
    assert finding.entry == record.id(50)
    assert finding.code == "entry-altered"
    assert finding.sure is Sure.EXACT
    assert "speaks" in finding.evidence or "checkpoint" in finding.evidence


def test_a_deleted_record_is_named(record: Record) -> None:
    record.sql("DELETE FROM entries WHERE id=?", key_of(50))
    finding = only(record.verify())
    assert (finding.entry, finding.code, finding.sure) == (record.id(50), "entries-missing", Sure.EXACT)


def test_a_deleted_record_is_named_though_the_later_ones_moved_up(record: Record) -> None:
    with record.spoil() as con:
        con.execute("DELETE FROM entries WHERE id=?", (key_of(50),))
        con.execute("UPDATE entries SET id=id-1 WHERE id>? AND id<?", (key_of(50), key_of(0, A + 1)))
    finding = only(record.verify())
    assert (finding.entry, finding.code, finding.sure) == (record.id(50), "entries-missing", Sure.EXACT)
    assert "moved up" in finding.what


def test_a_cut_tail_is_named(record: Record) -> None:
    record.sql("DELETE FROM entries WHERE id>=? AND id<?", key_of(640), key_of(0, A + 1))
    finding = only(record.verify())
    assert (finding.first, finding.last, finding.code) == (640, 659, "entries-missing")  # what is behind, nobody knows
    assert finding.sure is Sure.EXACT


def test_a_cut_tail_is_named_though_the_head_was_made_to_fit(record: Record) -> None:
    with record.spoil() as con:
        con.execute("DELETE FROM entries WHERE id>=? AND id<?", (key_of(600), key_of(0, A + 1)))
        fit_head(con)
    finding = only(record.verify())
    assert (finding.first, finding.last, finding.code) == (600, 659, "entries-missing")
    assert "checkpoint" in finding.evidence


def test_a_tail_cut_behind_the_last_checkpoint_is_told_as_not_verifiable(record: Record) -> None:
    with record.spoil() as con:
        con.execute("DELETE FROM entries WHERE id>=? AND id<?", (key_of(680), key_of(0, A + 1)))
        fit_head(con)
    report = record.verify(witness=True)
    assert report.ok
    assert report.unsigned == 22
    assert "could alter or cut them off" in " ".join(report.limits)


def roll_back(record: Record, template: Path) -> None:
    """As if the file were an earlier copy of itself: everything behind the second checkpoint is gone."""
    with record.spoil() as con:
        size, root_size = 500, 3
        con.execute("DELETE FROM entries WHERE id>=? AND id<?", (key_of(size), key_of(0, A + 1)))
        con.execute("DELETE FROM entries WHERE id>=?", (key_of(0, A + 1),))
        con.execute("DELETE FROM entries WHERE id>=? AND id<?", (key_of(root_size, ROOT), key_of(0, ROOT + 1)))
        con.execute("DELETE FROM streams WHERE number>?", (A,))
        con.execute("DELETE FROM heads WHERE stream>?", (A,))
        con.execute("DELETE FROM notes WHERE size>?", (root_size,))
        fit_head(con)
        fit_head(con, ROOT)


def test_a_roll_back_to_an_earlier_checkpoint_is_named_by_the_witness_only(record: Record, template: Path) -> None:
    roll_back(record, template)
    alone = record.verify()
    assert alone.ok
    assert "cut back to an earlier signed checkpoint" in " ".join(alone.limits)

    finding = only(record.verify(witness=True))
    assert finding.sure is Sure.WITNESS
    assert finding.code == "entries-missing"
    assert (finding.stream, finding.first, finding.last) == (record.stream(ROOT), 3, 3)
    assert "line 13 of the witness" in finding.evidence


def test_a_rolled_back_ledger_that_went_on_is_named_by_the_witness_only(record: Record, template: Path) -> None:
    roll_back(record, template)
    with Ledger.open(record.path, signer=OURS) as ledger:
        for n in range(40):
            ledger.append(decision(n))
            ledger.checkpoint()
    assert record.verify().ok
    finding = only(record.verify(witness=True))
    assert (finding.code, finding.sure) == ("entries-rewritten", Sure.WITNESS)
    assert (finding.stream, finding.first, finding.last) == (record.stream(ROOT), 3, 3)


def rewrite(record: Record, fit: Callable[[sqlite3.Connection], object]) -> None:
    with record.spoil() as con:
        con.execute("UPDATE entries SET body=? WHERE id=?", (b"never said", key_of(50)))
        fit_head(con)
        fit(con)


def test_a_rewrite_without_a_key_does_not_fit_the_signed_checkpoints(record: Record) -> None:
    rewrite(record, fit_root)
    report = record.verify()
    assert {finding.code for finding in report.findings} == {"entries-rewritten"}
    assert report.findings[0].stream == record.stream(ROOT)
    assert "signed checkpoint" in report.findings[0].evidence
    assert {finding.sure for finding in record.verify(witness=True).findings} == {Sure.RANGE}  # signed, too


def test_a_rewrite_that_leaves_the_root_stream_is_narrowed_to_the_first_checkpoint(record: Record) -> None:
    rewrite(record, lambda _: None)
    finding = only(record.verify())
    assert (finding.stream, finding.first, finding.last) == (record.stream(), 0, 199)
    assert finding.sure is Sure.RANGE


def test_a_rewrite_signed_with_the_attackers_own_key_is_not_trusted(record: Record) -> None:
    rewrite(record, lambda con: sign_again(con, THIEF))
    report = record.verify()
    assert {finding.code for finding in report.findings} == {"note-untrusted"}
    assert len(report.findings) == 3
    assert "no trusted key signed" in report.findings[0].what
    unpinned = record.verify(key=None)
    assert unpinned.ok
    assert "No key is pinned" in unpinned.limits[0]


def test_a_rewrite_with_the_stolen_key_is_named_by_the_witness_only(record: Record) -> None:
    rewrite(record, lambda con: sign_again(con, OURS))
    alone = record.verify()
    assert alone.ok
    assert "rewritten as a whole with its own key would go unnoticed" in " ".join(alone.limits)

    finding = only(record.verify(witness=True))
    assert (finding.code, finding.sure) == ("entries-rewritten", Sure.WITNESS)
    assert finding.stream == record.stream(ROOT)
    assert "of the witness" in finding.evidence


# ── and more ──

COLUMNS = {
    "time_ns": 1_700_000_000_111_111_111,
    "kind": "decision!",
    "system": "another",
    "subject": "1.0123",
    "refs": "a-1",
    "type": "deny-claim",
    "tier": "automatic",
    "called": 0,
    "disposition": "held",
    "sealed": 1,
    "body": b"",
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seq", [0, 255, 256, 699])
def test_an_altered_field_of_the_header_or_any_other_is_named(record: Record, column: str, seq: int) -> None:
    record.sql(f"UPDATE entries SET {column}=? WHERE id=?", COLUMNS[column], key_of(seq))
    report = record.verify()
    named = [finding for finding in report.findings if finding.code == "entry-altered"]
    assert [finding.entry for finding in named] == [record.id(seq)]
    assert {finding.code for finding in report.findings} <= {"entry-altered", "index-altered", "time-falls"}


CHANGES = (
    "UPDATE entries SET body=body||x'21' WHERE id={one}",
    "UPDATE entries SET body=(SELECT body FROM entries WHERE id={other}) WHERE id={one}",
    "UPDATE entries SET time_ns=time_ns+1 WHERE id={one}",
    "UPDATE entries SET leaf=(SELECT leaf FROM entries WHERE id={other}) WHERE id={one}",
    "DELETE FROM entries WHERE id={one}",
    "DELETE FROM entries WHERE id BETWEEN min({one},{other}) AND max({one},{other})",
    "DELETE FROM entries WHERE id>={one} AND id<{end}",
    "UPDATE OR REPLACE entries SET id={other} WHERE id={one}",
    "UPDATE entries SET id=id-({one}-{first}) WHERE id>={one} AND id<{end} AND {one}-{first}<3",
    "INSERT OR REPLACE INTO entries SELECT {one},time_ns,kind,system,'',refs,'','',0,'',sealed,leaf,body FROM entries WHERE id={other}",
    "UPDATE tiles SET nodes=zeroblob(8128) WHERE id>={first} AND id<{end}",
    "DELETE FROM tiles WHERE id>={first} AND id<{end}",
    "DELETE FROM nodes WHERE id>={first} AND id<{end}",
    "UPDATE heads SET frontier=x'' WHERE stream={number}",
    "UPDATE heads SET size=size+1 WHERE stream={number}",
    "UPDATE streams SET size=max(size-1,0) WHERE number={number}",
    "UPDATE streams SET root=zeroblob(32) WHERE number={number}",
    "DELETE FROM heads WHERE stream={number}",
    "DELETE FROM streams WHERE number={number}",
    "DELETE FROM notes WHERE size>2",
)  # fmt: skip


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_combination_of_changes_goes_unnoticed_by_who_has_the_witness(
    template: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changed") / "record"
    shutil.copytree(template, folder)
    record = Record(folder)
    before = record.covered()
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.sampled_from([A, A, A, ROOT]))
        places = st.integers(0, 660 if number == A else 3).map(lambda seq, number=number: key_of(seq, number))
        change = data.draw(st.sampled_from(CHANGES))
        names = {"number": number, "first": key_of(0, number), "end": key_of(0, number + 1)}
        with suppress(sqlite3.IntegrityError):
            record.sql(change.format(one=data.draw(places), other=data.draw(places), **names))
        fit = data.draw(st.sampled_from([None, None, fit_leaves, fit_tiles, fit_nodes, fit_head]))
        with suppress(AssertionError, TypeError, KeyError), record.spoil() as con:
            if fit is not None:
                fit(con, number)
            if data.draw(st.integers(0, 5)) == 0:
                sign_again(con, data.draw(st.sampled_from([OURS, THIEF])))
    report = record.verify(witness=True)
    assert all(str(finding) for finding in report.findings)
    if report.ok:
        assert record.covered() == before


FLIPPED = ("time_ns", "kind", "system", "refs", "type", "tier", "called", "disposition", "sealed", "body", "leaf")


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_byte_of_any_column_of_any_entry_is_named(
    template: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flip", numbered=True) / "record"
    shutil.copytree(template, folder)
    record = Record(folder)
    number = data.draw(st.sampled_from([A, A, A, A + 1, ROOT]))
    column = data.draw(st.sampled_from(FLIPPED))
    with record.spoil() as con:
        con.execute("PRAGMA writable_schema=ON")  # no rule of a table shall stand in the way
        con.execute("UPDATE sqlite_master SET sql=replace(sql,'STRICT','') WHERE name='entries'")
    with record.spoil() as con:
        keys = [key for (key,) in con.execute("SELECT id FROM entries WHERE id>>40=? ORDER BY id", (number,))]
        at = data.draw(st.sampled_from(keys))
        (value,) = con.execute(f"SELECT {column} FROM entries WHERE id=?", (at,)).fetchone()
        con.execute(f"UPDATE entries SET {column}={flip(data, value)} WHERE id=?", (at,))
        con.execute("PRAGMA writable_schema=ON")
        con.execute("UPDATE sqlite_master SET sql=sql||' STRICT' WHERE name='entries'")
    report = record.verify(witness=True)
    named = {finding.entry for finding in report.findings}
    assert f"{record.stream(number)}-{at & (1 << SHIFT) - 1}" in named, report.findings


def flip(data: st.DataObject, value: object) -> str:
    """SQL for a value with one bit of one byte turned over."""
    bit = 1 << data.draw(st.integers(0, 7))
    if isinstance(value, int):
        return str(value ^ (bit << 8 * data.draw(st.integers(0, 6))))
    raw = bytearray(value.encode() if isinstance(value, str) else value)  # type: ignore[attr-defined] - str or bytes
    if not raw:
        return "'x'"
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= bit
    blob = f"x'{raw.hex()}'"
    return f"CAST({blob} AS TEXT)" if isinstance(value, str) else blob


# ── with the hashes made to fit, step by step ──


@pytest.mark.parametrize(
    ("fit", "first", "last"),
    [
        (fit_leaves, 298, 299),  # two leaves are hashed together
        (fit_tiles, 256, 511),  # a tile
        (fit_nodes, 200, 499),  # from one checkpoint to the next: no tree but the rewritten one is left
        (fit_head, 200, 499),
    ],
)
def test_the_more_hashes_were_rewritten_the_wider_the_range(
    record: Record, fit: Callable[[sqlite3.Connection], None], first: int, last: int
) -> None:
    with record.spoil() as con:
        con.execute("UPDATE entries SET body=? WHERE id=?", (b"never said", key_of(298)))
        fit(con)
    finding = only(record.verify())
    assert (finding.code, finding.sure) == ("entries-rewritten", Sure.RANGE)
    assert (finding.first, finding.last) == (first, last)


def test_two_alterations_in_one_stream_are_both_named(record: Record) -> None:
    record.sql("UPDATE entries SET body=? WHERE id IN (?,?)", b"never said", key_of(3), key_of(511))
    report = record.verify()
    assert [finding.entry for finding in report.findings] == [record.id(3), record.id(511)]


def test_an_alteration_behind_the_last_checkpoint_is_named_by_the_hash_in_its_row(record: Record) -> None:
    record.sql("UPDATE entries SET body=? WHERE id=?", b"never said", key_of(690))
    finding = only(record.verify())
    assert (finding.entry, finding.code) == (record.id(690), "entry-altered")


def test_many_alterations_are_counted_and_the_first_are_named(record: Record) -> None:
    record.sql("UPDATE entries SET body=? WHERE id>=? AND id<? AND id % 2 = 0", b"x", key_of(0), key_of(0, A + 1))
    report = record.verify()
    assert len(report.findings) == SIZE // 2 + 1
    record.sql("UPDATE entries SET body=? WHERE id>=? AND id<?", b"x", key_of(0), key_of(0, A + 1))
    first, *_ = record.verify().findings
    assert (first.first, first.last, first.sure) == (0, 659, Sure.EXACT)


# ── order ──


def swap(con: sqlite3.Connection, one: int, other: int) -> None:
    con.execute("UPDATE entries SET id=? WHERE id=?", (key_of(1 << 39), key_of(one)))
    con.execute("UPDATE entries SET id=? WHERE id=?", (key_of(one), key_of(other)))
    con.execute("UPDATE entries SET id=? WHERE id=?", (key_of(other), key_of(1 << 39)))


@pytest.mark.parametrize("pair", [(40, 41), (41, 42), (10, 600), (255, 256), (640, 641)])
def test_two_entries_that_changed_places_are_named(record: Record, pair: tuple[int, int]) -> None:
    with record.spoil() as con:
        swap(con, *pair)
    report = record.verify()
    named = {finding.entry: finding.code for finding in report.findings if finding.code != "time-falls"}
    assert named == {record.id(pair[0]): "entries-swapped", record.id(pair[1]): "entries-swapped"}, report.findings


def test_two_entries_that_changed_places_are_named_though_their_leaves_were_made_to_fit(record: Record) -> None:
    with record.spoil() as con:
        swap(con, 40, 47)
        con.execute("UPDATE entries SET time_ns=? WHERE id IN (?,?)", (0, key_of(1 << 38), key_of(1 << 38)))
        fit_leaves(con)
    report = record.verify()
    assert {(f.first, f.last, f.sure) for f in report.findings if f.code == "entries-rewritten"} == {
        (40, 41, Sure.RANGE),
        (46, 47, Sure.RANGE),
    }


def test_an_inserted_entry_is_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("UPDATE entries SET id=id+(1<<39) WHERE id>=? AND id<?", (key_of(300), key_of(0, A + 1)))
        con.execute("UPDATE entries SET id=id-(1<<39)+1 WHERE id>=? AND id<?", (key_of(1 << 39), key_of(0, A + 1)))
        con.execute(
            "INSERT INTO entries SELECT ?,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,"
            "leaf,x'00' FROM entries WHERE id=?",
            (key_of(300), key_of(299)),
        )
    report = record.verify()
    assert [(f.entry, f.code, f.sure) for f in report.findings] == [(record.id(300), "entries-added", Sure.EXACT)]
    assert "moved down" in report.findings[0].what


def test_an_entry_behind_the_end_of_a_sealed_stream_is_named(sealed: Record) -> None:
    sealed.sql(
        "INSERT INTO entries SELECT ?,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,leaf,body"
        " FROM entries WHERE id=?",
        key_of(300),
        key_of(299),
    )
    report = sealed.verify()
    assert ("entries-added", sealed.id(300)) in {(f.code, f.entry) for f in report.findings}


def test_an_entry_moved_far_away_is_named(record: Record) -> None:
    record.sql("UPDATE entries SET id=? WHERE id=?", key_of(1 << 39), key_of(50))
    report = record.verify()
    assert record.id(50) in {finding.entry for finding in report.findings}
    assert record.id(1 << 39) in {finding.entry for finding in report.findings}


def test_an_entry_in_a_stream_that_does_not_exist_is_named(record: Record) -> None:
    record.sql(
        "INSERT INTO entries SELECT ?,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,leaf,body"
        " FROM entries WHERE id=?",
        key_of(0, 77),
        key_of(299),
    )
    assert "stream number 77 that does not exist" in only(record.verify()).what


def test_times_that_fall_are_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("UPDATE entries SET time_ns=time_ns-1000000000 WHERE id=?", (key_of(690),))
        fit_head(con)
    finding = only(record.verify())
    assert (finding.entry, finding.code) == (record.id(690), "time-falls")


def test_a_human_only_decision_with_called_set_is_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("UPDATE entries SET tier='human-only', called=1 WHERE id=?", (key_of(690),))
        fit_head(con)
    finding = only(record.verify())
    assert (finding.entry, finding.code) == (record.id(690), "human-only-called")


# ── streams ──


def test_a_vanished_stream_is_named(record: Record) -> None:
    stream = record.stream()
    with record.spoil() as con:
        for table, column in (("entries", "id>>40"), ("tiles", "id>>40"), ("nodes", "id>>40")):
            con.execute(f"DELETE FROM {table} WHERE {column}=?", (A,))
        con.execute("DELETE FROM streams WHERE number=?", (A,))
        con.execute("DELETE FROM heads WHERE stream=?", (A,))
    report = record.verify()
    (finding,) = [finding for finding in report.findings if finding.code == "stream-missing"]
    assert finding.stream == stream
    assert "660 entries at least" in finding.what
    assert f"{record.stream(ROOT)}-0" in finding.evidence


def test_an_emptied_stream_is_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("DELETE FROM entries WHERE id>>40=?", (A,))
        fit_head(con)
    report = record.verify()
    (finding,) = [finding for finding in report.findings if finding.code == "entries-missing"]
    assert (finding.stream, finding.first, finding.last) == (record.stream(), 0, 659)


def test_a_stream_that_was_never_registered_is_named(record: Record) -> None:
    record.sql("UPDATE streams SET id=? WHERE number=?", "0" * 32, A + 1)
    codes = {finding.code for finding in record.verify().findings}
    assert {"stream-unregistered", "stream-missing", "entry-altered"} <= codes


def test_a_stream_without_an_end_or_with_a_wrong_one_is_named(sealed: Record, record: Record) -> None:
    record.sql("DELETE FROM heads WHERE stream=?", A)
    assert "neither a head nor an end" in only(record.verify()).what
    sealed.sql("UPDATE streams SET root=? WHERE number=?", b"x" * 32, A)
    finding = only(sealed.verify())
    assert finding.code == "claim-false"
    assert "the stream's row in the store" in finding.what
    sealed.sql("UPDATE streams SET size=NULL,root=NULL WHERE number=?", A)
    assert "was sealed, and the store says that it grows" in " ".join(f.what for f in sealed.verify().findings)


def test_a_stream_whose_promise_was_altered_is_named(record: Record) -> None:
    record.sql("UPDATE streams SET durability='batched' WHERE number=?", A)
    assert "is marked batched, was opened durable" in only(record.verify()).what


def test_a_false_checkpoint_entry_is_named_and_not_believed(record: Record) -> None:
    size = """replace(body,'"size":200,','"size":201,')"""  # and not digits of an id that are the same
    record.sql(f"UPDATE entries SET body=CAST({size} AS BLOB) WHERE id=?", key_of(1, ROOT))
    finding = only(record.verify())
    assert finding.entry == f"{record.stream(ROOT)}-1"


def test_a_root_stream_that_is_gone_is_named(record: Record) -> None:
    record.sql("DELETE FROM streams WHERE number=?", ROOT)
    codes = {finding.code for finding in record.verify().findings}
    assert {"stream-missing", "stream-unregistered"} <= codes


# ── stored hashes ──


@pytest.mark.parametrize(
    ("statement", "first", "last"),
    [
        (f"UPDATE tiles SET nodes=zeroblob(8128) WHERE id={key_of(1)}", 256, 511),
        (f"UPDATE tiles SET nodes=x'00' WHERE id={key_of(1)}", 256, 511),
        (f"DELETE FROM tiles WHERE id={key_of(1)}", 256, 511),
        (f"UPDATE nodes SET hash=zeroblob(32) WHERE id={key_of(1)}", 256, 511),
        (f"DELETE FROM nodes WHERE id={key_of(0)}", 0, 255),
        (f"UPDATE nodes SET hash=zeroblob(32) WHERE id={key_of(1 << 34)}", 0, 511),
        (f"UPDATE entries SET leaf=zeroblob(32) WHERE id={key_of(600)}", 600, 600),
    ],
)
def test_an_altered_hash_is_told_apart_from_an_altered_entry(
    record: Record, statement: str, first: int, last: int
) -> None:
    record.sql(statement)
    finding = only(record.verify())
    assert (finding.code, finding.first, finding.last) == ("hash-altered", first, last)
    assert "what is recorded there is whole" in finding.what


def test_an_altered_head_is_named(record: Record) -> None:
    record.sql("UPDATE heads SET frontier=zeroblob(length(frontier)) WHERE stream=?", A)
    assert only(record.verify()).code == "claim-false"


def test_hashes_left_behind_tell_that_there_was_more(record: Record) -> None:
    with record.spoil() as con:
        con.execute("DELETE FROM entries WHERE id>=? AND id<?", (key_of(0, A + 1), key_of(0, A + 2)))
        con.execute("INSERT INTO tiles VALUES (?,zeroblob(8128))", (key_of(0, A + 1),))
        con.execute("UPDATE heads SET size=0,frontier=x'' WHERE stream=?", (A + 1,))
    finding = only(record.verify())
    assert (finding.code, finding.first, finding.last) == ("entries-missing", 0, 255)


# ── notes ──


def test_a_damaged_note_is_named(record: Record) -> None:
    record.sql("UPDATE notes SET note=replace(note,'example','exampel') WHERE size=3")
    finding = only(record.verify())
    assert finding.code == "note-untrusted"
    assert "3 root entries" in finding.what


def test_a_note_under_another_size_is_named(record: Record) -> None:
    record.sql("UPDATE notes SET size=1 WHERE size=3")
    assert "filed under size 1" in record.verify().findings[0].what


def test_a_note_of_another_log_is_named(record: Record) -> None:
    other = sign_note(note_text("example.org/other", 3, bytes(32)), OURS)
    record.sql("UPDATE notes SET note=? WHERE size=3", other)
    assert "of the log 'example.org/other'" in only(record.verify()).what


def test_a_ledger_without_notes_says_that_nothing_is_signed(record: Record) -> None:
    record.sql("DELETE FROM notes")
    report = record.verify()
    assert report.ok
    assert "no signed checkpoint that counts" in report.limits[0]
    assert record.verify(witness=True).ok


def test_a_witness_that_knows_only_another_log_is_named(record: Record, tmp_path: Path) -> None:
    other = FileWitness(tmp_path / "other")
    other.publish(sign_note(note_text("example.org/other", 3, bytes(32)), OURS))
    report = verify_ledger(record.path, trusted_keys=[OURS.public], witness=other)
    assert only(report).code == "witness-unknown"
    assert only(report).sure is Sure.WITNESS


NEWER = "plimsoll.local/018bcfe56800700080000000000000ff"  # begun at 1,700,000,000 s


@pytest.mark.parametrize("key", [OURS, THIEF], ids=["same key", "another key"])
def test_a_witness_that_knows_another_log_beside_this_one_names_both(record: Record, key: Key) -> None:
    """The ledger was begun anew, or put back after it was: whoever signed those notes."""
    before = record.verify(witness=True)
    lines = len(record.witness.path.read_text().splitlines())
    for size in (3, 9, 4):
        record.witness.publish(sign_note(note_text(NEWER, size, bytes(32)), key))
    report = record.verify(witness=True)
    finding = only(report)
    assert (finding.code, finding.sure, finding.where) == ("witness-another", Sure.WITNESS, "file")
    assert (
        f"'{NEWER}' (begun 2023-11-14 22:13:20 UTC, lines {lines + 1} to {lines + 13}, at least 9 root" in finding.what
    )
    assert f"and of this one, '{before.origin}' (begun 2023-11-14 22:13:20 UTC, from line 1 on)" in finding.what
    assert report.witnessed == before.witnessed
    assert record.verify().ok, "who does not ask the witness cannot know"


def test_many_other_logs_are_counted_and_not_all_listed(record: Record) -> None:
    for n in range(7):
        record.witness.publish(sign_note(note_text(f"example.org/{n}", 1, bytes(32)), OURS))
    finding = only(record.verify(witness=True))
    assert "'example.org/0' (line " in finding.what
    assert "'example.org/2' (line " in finding.what
    assert "'example.org/3'" not in finding.what
    assert "and 4 more" in finding.what


def test_an_empty_witness_is_no_witness(record: Record, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    report = verify_ledger(record.path, trusted_keys=[OURS.public], witness=FileWitness(tmp_path / "empty"))
    assert report.ok
    assert "The witness keeps no checkpoint of this log" in " ".join(report.limits)


def test_a_line_of_the_witness_that_is_no_note_is_a_remark(record: Record) -> None:
    with record.witness.path.open("a") as file:
        file.write("half a no")
    report = record.verify(witness=True)
    assert report.ok
    assert "is no note" in report.remarks[0]


def test_a_note_of_a_stranger_at_the_witness_is_named(record: Record) -> None:
    origin = record.verify().origin
    record.witness.publish(sign_note(note_text(origin, 3, bytes(32)), THIEF))
    finding = only(record.verify(witness=True))
    assert finding.code == "note-untrusted"
    assert "of the witness" in finding.what


# ── around the record ──


def test_an_entry_hidden_from_the_index_is_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("PRAGMA writable_schema=ON")
        (sql,) = con.execute("SELECT sql FROM sqlite_master WHERE name='by_kind'").fetchone()
        con.execute("UPDATE sqlite_master SET sql=sql||' AND id<>'||? WHERE name='by_kind'", (key_of(700),))
    record.sql("REINDEX by_kind")
    with record.spoil() as con:
        con.execute("PRAGMA writable_schema=ON")
        con.execute("UPDATE sqlite_master SET sql=? WHERE name='by_kind'", (sql,))
    finding = only(record.verify())
    assert finding.code == "index-altered"
    assert "'control'" in finding.what


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER quiet AFTER INSERT ON entries BEGIN DELETE FROM notes; END",
        "CREATE VIEW entries_view AS SELECT * FROM entries",
        "DROP INDEX by_kind",
        "CREATE TABLE mine (x)",
    ],
)
def test_a_changed_schema_is_named(record: Record, statement: str) -> None:
    record.sql(statement)
    assert "schema-changed" in {finding.code for finding in record.verify().findings}


def test_a_check_that_was_taken_away_is_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("PRAGMA writable_schema=ON")
        con.execute("UPDATE sqlite_master SET sql=replace(sql,'tier <>','1 OR tier <>') WHERE name='entries'")
    finding = only(record.verify())
    assert finding.code == "schema-changed"
    assert "table entries" in finding.what


def test_erased_subjects_are_no_finding_and_a_destroyed_key_is_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, signer=OURS) as ledger:
        for name in ("Anna", "Bert"):
            ledger.append(Draft(kind="decision", body=b"secret", subject=name, seal=True))
        ledger.erase("Anna", by="dpo@example.org", reason="asked to")
    record = Record(tmp_path)
    report = record.verify()
    assert report.ok, report.findings
    record.sql("UPDATE subjects SET key=NULL")
    assert only(record.verify()).code == "key-destroyed"


@pytest.fixture
def sealed(tmp_path: Path) -> Record:
    """A ledger that was closed as it should be."""
    with Ledger.open(
        tmp_path / "ledger.db", signer=OURS, witness=FileWitness(tmp_path / "witness"), clock=Clock()
    ) as ledger:
        ledger.transact([decision(n) for n in range(300)])
    return Record(tmp_path)


def test_a_closed_ledger_is_covered_to_its_last_entry(sealed: Record) -> None:
    report = sealed.verify(witness=True)
    assert report.ok
    assert (report.unsigned, report.unwitnessed) == (0, 0)
    assert len(report.limits) == 1


def test_verification_reads_one_moment_while_writers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, signer=OURS, clock=Clock()) as ledger:
        ledger.transact([decision(n) for n in range(600)])
        ledger.checkpoint()
        seen: list[tuple[int, int]] = []

        def write(done: int, total: int) -> None:
            seen.append((done, total))
            ledger.transact([decision(n) for n in range(300)])
            ledger.checkpoint()

        report = verify_ledger(path, trusted_keys=[OURS.public], progress=write)
        assert report.ok, report.findings
        assert report.entries == 602
        assert seen[-1][0] == 602
        assert verify_ledger(path, trusted_keys=[OURS.public]).ok


class Busy(FileWitness):
    """A witness to which a note is published whenever somebody begins to read it."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        super().__init__(path)
        self.ledger = ledger

    def read(self) -> Iterator[WitnessedNote | BadLine]:
        self.ledger.append(decision(0))
        self.ledger.checkpoint()
        yield from super().read()


def test_a_note_that_is_published_meanwhile_is_no_roll_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, signer=OURS, witness=FileWitness(tmp_path / "witness")) as ledger:
        ledger.append(decision(0))
        ledger.checkpoint()
        report = verify_ledger(path, trusted_keys=[OURS.public], witness=Busy(tmp_path / "witness", ledger))
    assert report.ok, report.findings
    assert report.witnessed == 2
