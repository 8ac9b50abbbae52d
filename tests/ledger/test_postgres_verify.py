"""What somebody who owns the database may do to it, and what verification says then: the attacks on the file, again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger import test_verify_attacks as attacks
from ledger.test_verify_attacks import OURS, SIZE, A, Clock, decision, key_of, only

from plimsoll.errors import InputError, StoreError, VerificationFailed
from plimsoll.ledger import Draft, FileWitness, Ledger, check_proof, make_proof, verify_ledger
from plimsoll.ledger.view_check import check_view
from plimsoll.testing.postgres import TemporaryServer, database_of
from plimsoll.testing.store import Tally


class Spoiler:
    """A connection that keeps no rule, and takes the statements that the attacks on the file are written in."""

    def __init__(self, con: psycopg.Connection[Any]) -> None:
        self._con = con

    def execute(self, statement: str, values: Sequence[object] = ()) -> psycopg.Cursor[Any]:
        return self._con.execute(_in_postgres(statement), values)

    def executemany(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        self._con.cursor().executemany(_in_postgres(statement), rows)


def _in_postgres(statement: str) -> Any:
    statement = re.sub(r"zeroblob\(length\((\w+)\)\)", r"decode(repeat('00',length(\1)),'hex')", statement)
    statement = re.sub(r"zeroblob\((\d+)\)", r"decode(repeat('00',\1),'hex')", statement)
    statement = statement.replace("(1<<39)", str(1 << 39))  # which is no number of 32 bits
    statement = re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", statement)
    return statement.replace("%", "%%").replace("?", "%s").replace("max(size-1,0)", "greatest(size-1,0)")


class Record(attacks.Record):
    """A copy of a ledger in a database, to be spoilt."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder)
        self.path = address  # type: ignore[assignment] - what is asked of it takes both

    @contextmanager
    def spoil(self) -> Iterator[Spoiler]:  # type: ignore[override]
        with psycopg.connect(str(self.path), autocommit=True, options="-c search_path=plimsoll") as con:
            con.execute("SET session_replication_role = replica")
            con.execute('ALTER TABLE entries DROP CONSTRAINT "a human-only decision never calls the model"')
            try:
                yield Spoiler(con)
            finally:
                con.execute(
                    'ALTER TABLE entries ADD CONSTRAINT "a human-only decision never calls the model"'
                    " CHECK (tier <> 'human-only' OR called = 0) NOT VALID"
                )
                con.execute(  # as if it had never been away: the catalogue is the owner's, too
                    "UPDATE pg_constraint SET convalidated=true"
                    " WHERE conname='a human-only decision never calls the model'"
                )

    def covered(self) -> list[tuple[object, ...]]:
        with self.spoil() as con:
            return con.execute(
                "SELECT * FROM entries WHERE id>=? AND id<? OR id>=? AND id<? ORDER BY id",
                (key_of(0, attacks.ROOT), key_of(4, attacks.ROOT), key_of(0), key_of(660)),
            ).fetchall()

    def stream(self, number: int = A) -> str:
        with self.spoil() as con:
            return str(con.execute("SELECT id FROM streams WHERE number=?", (number,)).fetchone()[0])


class Template(NamedTuple):
    folder: Path
    database: str


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, postgres_server: TemporaryServer) -> Iterator[Template]:
    """As that of the attacks on the file: open as after a crash, everything but its last 40 entries witnessed."""
    folder = tmp_path_factory.mktemp("template")
    address = postgres_server.new_database()
    ledger = Ledger.open(address, signer=OURS, witness=FileWitness(folder / "witness"), clock=Clock())
    for n in range(0, SIZE, 20):
        ledger.transact([decision(n + k) for k in range(20)])
        if n in (180, 480, 640):
            ledger.checkpoint()
    ledger.append(Draft(kind="control", body=b"stop"))
    ledger.enqueue(Draft(kind="evidence", body=b"measured"))
    ledger.flush()
    ledger.abandon()
    yield Template(folder, address)
    postgres_server.give_back(address)


class Copies:
    """Copies of the template, each in a database of its own."""

    def __init__(self, server: TemporaryServer, template: Template) -> None:
        self._server = server
        self._template = template
        self._count = 0

    def make(self, folder: Path) -> Record:
        shutil.copytree(self._template.folder, folder)
        self._count += 1
        name = f"copy_{self._count}"
        self._server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._server.sql(f"CREATE DATABASE {name} TEMPLATE {database_of(self._template.database)}")
        return Record(folder, self._server.address(name))

    def remove(self, record: Record) -> None:
        self._server.sql(f"DROP DATABASE {database_of(str(record.path))} WITH (FORCE)")


@pytest.fixture(scope="module")
def copies(postgres_server: TemporaryServer, template: Template) -> Copies:
    return Copies(postgres_server, template)


@pytest.fixture
def record(copies: Copies, tmp_path: Path) -> Iterator[Record]:
    made = copies.make(tmp_path / "record")
    yield made
    copies.remove(made)


@pytest.mark.parametrize(
    "attack",
    [
        attacks.test_an_untouched_ledger_is_whole,
        attacks.test_what_cannot_be_told_is_said,
        attacks.test_one_record_edited_in_place_is_named,
        attacks.test_a_deleted_record_is_named,
        attacks.test_a_deleted_record_is_named_though_the_later_ones_moved_up,
        attacks.test_a_cut_tail_is_named,
        attacks.test_a_cut_tail_is_named_though_the_head_was_made_to_fit,
        attacks.test_a_tail_cut_behind_the_last_checkpoint_is_told_as_not_verifiable,
        attacks.test_a_rewrite_without_a_key_does_not_fit_the_signed_checkpoints,
        attacks.test_a_rewrite_that_leaves_the_root_stream_is_narrowed_to_the_first_checkpoint,
        attacks.test_a_rewrite_signed_with_the_attackers_own_key_is_not_trusted,
        attacks.test_a_rewrite_with_the_stolen_key_is_named_by_the_witness_only,
        attacks.test_two_alterations_in_one_stream_are_both_named,
        attacks.test_an_alteration_behind_the_last_checkpoint_is_named_by_the_hash_in_its_row,
        attacks.test_an_inserted_entry_is_named,
        attacks.test_an_entry_moved_far_away_is_named,
        attacks.test_an_entry_in_a_stream_that_does_not_exist_is_named,
        attacks.test_times_that_fall_are_named,
        attacks.test_a_human_only_decision_with_called_set_is_named,
        attacks.test_a_vanished_stream_is_named,
        attacks.test_an_emptied_stream_is_named,
        attacks.test_a_stream_that_was_never_registered_is_named,
        attacks.test_a_stream_whose_promise_was_altered_is_named,
        attacks.test_a_root_stream_that_is_gone_is_named,
        attacks.test_an_altered_head_is_named,
        attacks.test_a_damaged_note_is_named,
        attacks.test_a_note_under_another_size_is_named,
        attacks.test_a_note_of_another_log_is_named,
        attacks.test_a_ledger_without_notes_says_that_nothing_is_signed,
    ],
    ids=lambda attack: attack.__name__.removeprefix("test_"),
)
def test_in_a_database_too(record: Record, attack: Callable[[Record], None]) -> None:
    attack(record)


@pytest.mark.parametrize(
    "attack",
    [
        attacks.test_a_roll_back_to_an_earlier_checkpoint_is_named_by_the_witness_only,
        attacks.test_a_rolled_back_ledger_that_went_on_is_named_by_the_witness_only,
    ],
    ids=lambda attack: attack.__name__.removeprefix("test_"),
)
def test_a_database_set_back_to_an_earlier_moment_is_named_by_the_witness(
    record: Record, template: Template, attack: Callable[[Record, Path], None]
) -> None:
    attack(record, template.folder)


@pytest.mark.parametrize("column", attacks.COLUMNS)
def test_an_altered_field_of_the_header_or_any_other_is_named(record: Record, column: str) -> None:
    attacks.test_an_altered_field_of_the_header_or_any_other_is_named(record, column, 256)


@pytest.mark.parametrize("pair", [(40, 41), (10, 600), (255, 256)])
def test_two_entries_that_changed_places_are_named(record: Record, pair: tuple[int, int]) -> None:
    attacks.test_two_entries_that_changed_places_are_named(record, pair)


@pytest.mark.parametrize(
    ("fit", "first", "last"),
    [
        (attacks.fit_leaves, 298, 299),
        (attacks.fit_tiles, 256, 511),
        (attacks.fit_nodes, 200, 499),
        (attacks.fit_head, 200, 499),
    ],
)
def test_the_more_hashes_were_rewritten_the_wider_the_range(
    record: Record, fit: Callable[[Any], None], first: int, last: int
) -> None:
    attacks.test_the_more_hashes_were_rewritten_the_wider_the_range(record, fit, first, last)


@pytest.mark.parametrize(
    ("statement", "first", "last"),
    [
        (f"UPDATE tiles SET nodes=zeroblob(8128) WHERE id={key_of(1)}", 256, 511),
        (f"DELETE FROM tiles WHERE id={key_of(1)}", 256, 511),
        (f"UPDATE nodes SET hash=zeroblob(32) WHERE id={key_of(1 << 34)}", 0, 511),
        (f"UPDATE entries SET leaf=zeroblob(32) WHERE id={key_of(600)}", 600, 600),
    ],
)
def test_an_altered_hash_is_told_apart_from_an_altered_entry(
    record: Record, statement: str, first: int, last: int
) -> None:
    attacks.test_an_altered_hash_is_told_apart_from_an_altered_entry(record, statement, first, last)


FLIPPED = ("time_ns", "kind", "system", "refs", "type", "tier", "called", "disposition", "sealed", "body", "leaf")


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_value_of_any_column_of_any_entry_is_named(record: Record, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from([A, A, A, A + 1, attacks.ROOT]))
    column = data.draw(st.sampled_from(FLIPPED))
    with record.spoil() as con:
        keys = [key for (key,) in con.execute("SELECT id FROM entries WHERE id>>40=? ORDER BY id", (number,))]
        at = data.draw(st.sampled_from(keys))
        (value,) = con.execute(f"SELECT {column} FROM entries WHERE id=?", (at,)).fetchone()
        con.execute(f"UPDATE entries SET {column}=? WHERE id=?", (other(data, value), at))
    report = record.verify(witness=True)
    named = {finding.entry for finding in report.findings}
    assert f"{record.stream(number)}-{at & (1 << 40) - 1}" in named, report.findings
    record.sql(f"UPDATE entries SET {column}=? WHERE id=?", value, at)  # as it was, for the next example


def other(data: st.DataObject, value: Any) -> Any:
    """Another value of the same type, which the column takes."""
    if isinstance(value, int):
        small = st.integers(-32768, 32767) if value < 2 else st.integers(0, (1 << 62) - 1)
        return data.draw(small.filter(lambda drawn: drawn != value))
    if isinstance(value, str):
        return data.draw(st.text(st.characters(exclude_characters="\x00", codec="utf-8")).filter(lambda t: t != value))
    return data.draw(st.binary(max_size=40).filter(lambda drawn: drawn != bytes(value)))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "ALTER TABLE entries DISABLE TRIGGER append_only",
            "trigger append_only of entries is not as the store made it",
        ),
        ("DROP TRIGGER append_only ON streams", "trigger append_only of streams is missing"),
        ("ALTER TABLE entries DROP CONSTRAINT entries_pkey", "index entries_pkey is missing"),
        ("DROP INDEX by_kind", "index by_kind is missing"),
        ("CREATE VIEW entries_view AS SELECT * FROM entries", "table entries_view was added"),
        ("CREATE TABLE mine (x int)", "table mine was added"),
        ("CREATE RULE quiet AS ON INSERT TO notes DO INSTEAD NOTHING", "rule quiet of notes was added"),
        ("ALTER TABLE entries ENABLE ROW LEVEL SECURITY", "table entries is not as the store made it"),
        ("CREATE TABLE more () INHERITS (entries)", "table more was added"),
        (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "function refuse_change is not as the store made it",
        ),
        ("CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function mine was added"),
        ("ALTER TABLE entries ALTER body DROP NOT NULL", "table entries is not as the store made it"),
    ],
)
def test_a_rule_that_was_taken_away_or_added_is_named(record: Record, statement: str, said: str) -> None:
    record.sql(statement)
    report = record.verify()
    assert said in " ".join(finding.what for finding in report.findings if finding.code == "schema-changed")


def test_the_check_of_human_only_decisions_that_was_taken_away_is_named(record: Record) -> None:
    with psycopg.connect(str(record.path), autocommit=True) as con:
        con.execute('ALTER TABLE plimsoll.entries DROP CONSTRAINT "a human-only decision never calls the model"')
    finding = only(record.verify())
    assert finding.code == "schema-changed"
    assert "a human-only decision never calls the model of entries is missing" in finding.what


@pytest.mark.parametrize("table", ["streams", "heads", "tiles", "nodes", "notes", "subjects", "entries", "stream_keys"])
def test_a_table_that_is_gone_is_said(record: Record, table: str) -> None:
    with psycopg.connect(str(record.path), autocommit=True) as con:
        con.execute(f"DROP TABLE plimsoll.{table}")  # type: ignore[call-overload]
    report = record.verify(witness=True)
    assert f"table {table} is missing" in " ".join(finding.what for finding in report.findings)


def test_an_entry_hidden_from_the_index_is_named(record: Record) -> None:
    with record.spoil() as con:
        con.execute("DROP INDEX by_kind")
        con.execute(f"CREATE INDEX by_kind ON entries (kind, id) WHERE kind <> 'decision' AND id <> {key_of(700)}")
        con.execute(
            "UPDATE pg_index SET indpred=(SELECT indpred FROM pg_index WHERE indexrelid=?::regclass)"
            " WHERE indexrelid='by_kind'::regclass",
            (whole_index(con),),
        )
        con.execute("DROP INDEX whole")
    finding = only(record.verify())
    assert finding.code == "index-altered"
    assert "'control'" in finding.what


def whole_index(con: Spoiler) -> str:
    con.execute("CREATE INDEX whole ON entries (kind, id) WHERE kind <> 'decision'")
    return "whole"


def test_erased_subjects_are_no_finding_and_a_destroyed_key_is_one(database: str, tmp_path: Path) -> None:
    with Ledger.open(database, signer=OURS) as ledger:
        for name in ("Anna", "Bert"):
            ledger.append(Draft(kind="decision", body=b"secret", subject=name, seal=True))
        ledger.erase("Anna", by="dpo@example.org", reason="asked to")
    record = Record(tmp_path, database)
    report = record.verify()
    assert report.ok, report.findings
    record.sql("UPDATE subjects SET key=NULL")
    assert only(record.verify()).code == "key-destroyed"


def test_verification_reads_one_moment_while_writers_go_on(database: str) -> None:
    with Ledger.open(database, signer=OURS, clock=Clock()) as ledger:
        ledger.transact([decision(n) for n in range(600)])
        ledger.checkpoint()
        seen: list[int] = []

        def write(done: int, total: int) -> None:
            seen.append(done)
            ledger.transact([decision(n) for n in range(300)])
            ledger.checkpoint()

        report = verify_ledger(ledger, trusted_keys=[OURS.public], progress=write)
        assert report.ok, report.findings
        assert report.entries == 602
        assert seen[-1] == 602
        assert verify_ledger(database, trusted_keys=[OURS.public]).ok


def test_a_server_that_goes_away_meanwhile_is_an_error_and_no_finding(
    postgres_server: TemporaryServer, record: Record
) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            postgres_server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'plimsoll%'"
            )

    with pytest.raises(StoreError, match="the connection was lost"):
        verify_ledger(str(record.path), progress=stop)


def test_an_entry_can_be_proved_without_the_database(database: str) -> None:
    with Ledger.open(database, signer=OURS) as ledger:
        ids = ledger.transact([decision(n) for n in range(600)])
        sealed = ledger.append(Draft(kind="decision", body=b"secret of Anna", subject="Anna", seal=True))
        with pytest.raises(VerificationFailed, match="newer than the last signed checkpoint"):
            make_proof(ledger, ids[0])
        ledger.checkpoint()
        for id_ in (ids[0], ids[300], ids[-1], sealed):
            report = check_proof(make_proof(ledger, id_), [OURS.public])
            assert report.entry == ledger.get(id_)
        assert check_proof(make_proof(database, sealed, disclose=True), [OURS.public]).body == b"secret of Anna"
        with pytest.raises(InputError, match="there is no entry"):
            make_proof(database, f"{'0' * 32}-0")


def test_a_view_that_was_altered_is_named_and_rebuilt(database: str, tmp_path: Path) -> None:
    with Ledger.open(database) as ledger:
        ledger.transact([Draft(kind="note", body=b"x")] * 10)
        assert check_view(ledger, Tally("note")) is None
        Record(tmp_path, database).sql("UPDATE kept SET value='\\x30'")
        finding = check_view(ledger, Tally("note"))
        assert finding is not None
        assert finding.code == "view-altered"
        assert check_view(ledger, Tally("note")) is None
