"""What the database itself refuses, how it is opened and migrated, and what is said when it cannot be."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from docs.pages import DOCS, blocks
from hypothesis import given
from hypothesis import strategies as st
from ledger.cutting_proxy import CuttingProxy

from plimsoll.errors import (
    Refused,
    StoreDamaged,
    StoreError,
    StoreLocked,
    StoreLost,
    StoreReadOnly,
    StoreTooNew,
    UsageError,
)
from plimsoll.ledger import Draft, Ledger, LedgerSettings, Reserve, Taken, postgres_locks, verify_ledger
from plimsoll.ledger.entry import FORMAT
from plimsoll.ledger.postgres import Link, Wish, numbered
from plimsoll.ledger.postgres_address import Address, spoken
from plimsoll.ledger.postgres_audit import PostgresFile
from plimsoll.ledger.postgres_expected import EXPECTED
from plimsoll.ledger.postgres_open import IN_USE, migrate, path
from plimsoll.ledger.postgres_pack import given as read_back
from plimsoll.ledger.postgres_pack import stored
from plimsoll.ledger.postgres_schema import FOUND, VERSION
from plimsoll.testing.postgres import TemporaryServer, database_of
from plimsoll.testing.store import ManualClock, ManualHost, Tally, check_trees, decision, wait_until


@pytest.fixture
def sql(postgres_server: TemporaryServer, database: str) -> Callable[[str], str]:
    """Whoever owns the database, with a client of their own."""
    return lambda statement: postgres_server.sql(statement, database_of(database))


# ── what the database refuses ──


def test_the_database_itself_refuses_a_human_only_decision_that_called_the_model(
    database: str, sql: Callable[[str], str]
) -> None:
    with Ledger.open(database) as ledger:
        ledger.append(decision(tier="human-only", called=False))
    row = "INSERT INTO plimsoll.entries VALUES (9,0,'decision','','','','t','human-only',1,'answered',0,'','')"
    with pytest.raises(StoreError, match="human-only decision never calls the model"):
        sql(row)


@pytest.mark.parametrize("table", ["entries", "tiles", "nodes", "streams", "notes", "subjects"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {}"])
def test_the_database_itself_refuses_to_change_what_was_recorded(
    database: str, sql: Callable[[str], str], table: str, change: str
) -> None:
    with Ledger.open(database) as ledger:
        ledger.transact([decision(b"%d" % n, subject="s", seal=True) for n in range(300)])
    columns = {"entries": "body=''", "tiles": "nodes=''", "nodes": "hash=''", "streams": "id='0'", "notes": "note=''"}
    if change.startswith("UPDATE") and table == "subjects":
        return  # a key is destroyed that way
    if table == "notes":
        sql("INSERT INTO plimsoll.notes VALUES (1,'x',0)")
    with pytest.raises(StoreError, match=f"rows of {table} are never changed, and never deleted"):
        sql(change.format(f"plimsoll.{table}", columns.get(table)))


def test_a_sealed_stream_is_never_opened_again(database: str, sql: Callable[[str], str]) -> None:
    with Ledger.open(database) as ledger:
        ledger.append(decision())
    with pytest.raises(StoreError, match="rows of streams are never changed"):
        sql("UPDATE plimsoll.streams SET sealed_ns=NULL,size=NULL,root=NULL WHERE number=2")


def test_a_refusal_of_the_database_is_told_as_one_and_costs_nobody_else(
    database: str, sql: Callable[[str], str]
) -> None:
    with Ledger.open(database) as ledger:
        first = ledger.append(decision())
        sql("ALTER TABLE plimsoll.entries ADD CONSTRAINT no_notes CHECK (kind <> 'note')")
        with pytest.raises(Refused, match="no_notes"):
            ledger.append(Draft(kind="note", body=b"x"))
        sql("ALTER TABLE plimsoll.entries DROP CONSTRAINT no_notes")
        assert ledger.append(decision()) == first.replace("-0", "-1")
        check_trees(ledger)


HOW_TO = DOCS / "how-to" / "keep-the-record-in-postgresql.md"
ROLE, VACUUM = (block.text for block in blocks(HOW_TO) if block.language == "sql")
FORGET_ROLE = "DROP OWNED BY guard; DROP ROLE guard"


def test_a_role_that_may_not_change_entries_can_do_all_that_a_ledger_does(
    database: str, sql: Callable[[str], str]
) -> None:
    """The rights that the how-to gives to the role of the guards."""
    Ledger.open(database).close()
    sql(ROLE)
    try:
        with Ledger.open(database.replace("postgres@", "guard@")) as ledger:
            ledger.transact([decision(b"%d" % n, subject="s", seal=True) for n in range(600)])
            ledger.enqueue(Draft(kind="control", body=b"x"))
            ledger.flush()
            ledger.reserve("s", "k", expires_ns=1)
            ledger._now.hands.sweep(10)
            assert ledger.view(Tally("control")).get("count/control") == b"1"
            ledger.rebuild(Tally("control"))
            ledger.drop("tally")
            ledger.erase("s", by="dpo@example.org", reason="asked for")
            ledger.checkpoint()
        for statement in ("UPDATE plimsoll.entries SET body=''", "ALTER TABLE plimsoll.entries DISABLE TRIGGER ALL"):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                psycopg.connect(database.replace("postgres@", "guard@")) as con,
            ):
                con.execute(statement)  # type: ignore[call-overload]
    finally:
        sql(FORGET_ROLE)
    assert verify_ledger(database).ok


def test_a_role_that_may_make_no_ledger_says_what_to_grant(database: str, sql: Callable[[str], str]) -> None:
    sql("CREATE ROLE guard LOGIN")
    try:
        with pytest.raises(StoreReadOnly, match="may not make one") as caught:
            Ledger.open(database.replace("postgres@", "guard@"))
        assert "GRANT CREATE ON DATABASE" in caught.value.fix
        Ledger.open(database).close()
        with pytest.raises(StoreReadOnly, match="permission denied"):
            Ledger.open(database.replace("postgres@", "guard@"))
    finally:
        sql(FORGET_ROLE)


# ── making and migrating ──


def test_what_is_made_is_what_verification_expects(database: str) -> None:
    Ledger.open(database).close()
    with PostgresFile(Address(database)) as file:
        assert dict(file._rows(FOUND)) == EXPECTED
        assert file.schema_differences() == []


def test_a_first_opening_by_many_makes_one_ledger(database: str) -> None:
    script = (
        "import sys; from plimsoll.ledger import Ledger, Draft\n"
        "with Ledger.open(sys.argv[1]) as ledger: print(ledger.append(Draft(kind='note', body=b'x')))"
    )
    command = [sys.executable, "-c", script, database]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    ids = [process.communicate()[0].strip() for process in processes]
    with Ledger.open(database) as ledger:
        assert sorted(entry.id for entry in ledger.entries(kinds=["note"])) == sorted(ids)
        assert len(ledger.reader.heads()) == 1
        check_trees(ledger)


def test_the_database_has_the_tables_of_the_file_with_their_columns(database: str, tmp_path) -> None:
    """As the reference says; what differs is said there, too."""

    def columns(ledger: Ledger, sql: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table, column in ledger.reader.rows(sql):
            found.setdefault(table, []).append(column)
        return found

    with Ledger.open(tmp_path / "ledger.db") as file, Ledger.open(database) as ledger:
        theirs = columns(
            ledger,
            "SELECT table_name::text,column_name::text FROM information_schema.columns WHERE table_schema='plimsoll'"
            " ORDER BY 1,ordinal_position",
        )
        ours = columns(
            file,
            "SELECT m.name,c.name FROM sqlite_master m, pragma_table_info(m.name) c"
            " WHERE m.type='table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name,c.cid",
        )
    said = (DOCS / "reference" / "ledger-format.md").read_text().partition("## The database")[2]
    assert ours.pop("counters") == ["name", "value"]
    assert theirs.pop("marks") == ["session", "mark", "at"]
    assert theirs == ours
    for what in ("`counters`", "`fences`", "`marks` (`session`, `mark`, `at`)", f"(of the tables, {VERSION})"):
        assert what in said
    for lock in (postgres_locks._CLASS, postgres_locks._SEALING, IN_USE):
        assert str(lock) in said


@pytest.mark.parametrize("key", ["format", "schema"])
def test_a_newer_format_is_refused_and_left_alone(database: str, sql: Callable[[str], str], key: str) -> None:
    Ledger.open(database).close()
    sql(f"UPDATE plimsoll.meta SET value='99' WHERE key='{key}'")
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match=f"{key} 99") as caught:
            Ledger.open(database, read_only=read_only)
        assert "upgrade" in caught.value.fix
    with pytest.raises(StoreTooNew):
        verify_ledger(database)
    assert sql("SELECT count(*) FROM plimsoll.entries") == "0"


def test_who_is_connected_again_to_a_newer_format_stops_writing(database: str, sql: Callable[[str], str]) -> None:
    ledger = Ledger.open(database, settings=LedgerSettings(busy_s=1))
    ledger.append(decision())
    sql("UPDATE plimsoll.meta SET value='99' WHERE key='schema'")
    ledger.append(decision(b"as long as it is connected, nobody migrates"))
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'plimsoll%'")
    with pytest.raises(StoreError):
        ledger.append(decision())
    ledger.abandon()


def test_the_way_from_a_version_to_another() -> None:
    steps = {1: ("a", "b"), 2: ("c",), 3: ()}
    assert path(1, 4, steps) == ("a", "b", "c")
    assert path(2, 3, steps) == ("c",)
    assert path(3, 3, {}) == ()
    with pytest.raises(StoreError, match="version 4 cannot be brought to version 6"):
        path(1, 6, steps)


@contextlib.contextmanager
def linked(database: str, busy_s: float = 5) -> Iterator[Link]:
    link = Link(Address(database), Wish(busy_s=busy_s))
    link.connect()
    yield link
    link.close()


def test_tables_are_migrated_whole_or_not_at_all_and_once(database: str, sql: Callable[[str], str]) -> None:
    with Ledger.open(database) as ledger:
        ledger.append(decision())
    good = ("ALTER TABLE plimsoll.notes ADD more text", "UPDATE plimsoll.notes SET more='x'")
    with linked(database) as link, pytest.raises(StoreDamaged, match="nowhere"):
        migrate(link, wanted=VERSION + 1, steps={VERSION: (*good, "SELECT * FROM nowhere")})
    assert sql("SELECT value FROM plimsoll.meta WHERE key='schema'") == str(VERSION)
    assert "more" not in sql("SELECT column_name FROM information_schema.columns WHERE table_name='notes'")
    errors: list[Exception] = []

    def work() -> None:
        try:
            with linked(database) as link:
                migrate(link, wanted=VERSION + 1, steps={VERSION: good})
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sql("SELECT value FROM plimsoll.meta WHERE key='schema'") == str(VERSION + 1)


def test_nobody_migrates_under_a_process_that_is_writing(database: str, sql: Callable[[str], str]) -> None:
    with Ledger.open(database) as ledger:
        ledger.append(decision())
        with (
            linked(database, 0.2) as link,
            pytest.raises(StoreLocked, match="processes of that version are writing"),
        ):
            migrate(link, wanted=VERSION + 1, steps={VERSION: ()})
        assert sql("SELECT value FROM plimsoll.meta WHERE key='schema'") == str(VERSION)
    with linked(database) as link:
        migrate(link, wanted=VERSION + 1, steps={VERSION: ()})
    assert sql("SELECT value FROM plimsoll.meta WHERE key='schema'") == str(VERSION + 1)


def test_a_schema_that_holds_something_else_is_left_alone(database: str, sql: Callable[[str], str]) -> None:
    sql("CREATE SCHEMA plimsoll; CREATE TABLE plimsoll.photos (x int)")
    for read_only in (False, True):
        with pytest.raises(StoreDamaged, match="something else"):
            Ledger.open(database, read_only=read_only)
    assert verify_ledger(database).findings[0].code == "file-damaged"
    assert sql("SELECT count(*) FROM pg_tables WHERE schemaname='plimsoll'") == "1"


def test_a_schema_that_was_made_for_us_is_used(database: str, sql: Callable[[str], str]) -> None:
    sql("CREATE ROLE guard LOGIN; CREATE SCHEMA plimsoll AUTHORIZATION guard")
    try:
        with Ledger.open(database.replace("postgres@", "guard@")) as ledger:
            ledger.append(decision())
    finally:
        sql(FORGET_ROLE)


def test_missing_places_are_named(database: str) -> None:
    with pytest.raises(StoreError, match="no ledger here"):
        Ledger.open(database, read_only=True)
    with pytest.raises(StoreError, match="no ledger here"):
        verify_ledger(database)
    with pytest.raises(StoreLost, match="does not exist"):
        Ledger.open(f"{database}_not")
    with pytest.raises(StoreLost, match="cannot be reached"):
        Ledger.open("postgresql://postgres@127.0.0.1:1/x")


def test_an_address_is_a_text_and_no_path(database: str) -> None:
    with pytest.raises(UsageError, match="a text, not a path"):
        Ledger.open(Path(database))


# ── what a server must be like ──


def test_a_server_that_does_not_wait_for_its_disk_takes_no_ledger() -> None:
    with TemporaryServer.start(settings=["fsync = off"]) as server, pytest.raises(StoreError, match="fsync is off"):
        Ledger.open(server.new_database())


def test_a_commit_waits_for_the_disk_whatever_the_database_says(
    postgres_server: TemporaryServer, database: str
) -> None:
    sql = postgres_server.sql
    sql(f"ALTER DATABASE {database_of(database)} SET synchronous_commit = off")
    sql(f"ALTER DATABASE {database_of(database)} SET default_transaction_isolation = serializable")
    sql(f"ALTER DATABASE {database_of(database)} SET default_transaction_read_only = on")
    try:
        with Ledger.open(database) as ledger:
            ledger.append(decision())
            writer = ledger._now.hands._file
            for name, value in (
                ("synchronous_commit", "on"),
                ("default_transaction_isolation", "read committed"),
                ("default_transaction_read_only", "off"),
            ):
                assert writer.rows("SELECT current_setting(?)", name) == [(value,)]
    finally:
        sql(f"ALTER DATABASE {database_of(database)} RESET ALL")


def test_a_database_in_another_encoding_is_refused(postgres_server: TemporaryServer) -> None:
    postgres_server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="keeps text in LATIN1") as caught:
        Ledger.open(postgres_server.address("latin"))
    assert "--encoding UTF8" in caught.value.fix
    postgres_server.sql("DROP DATABASE latin")


def test_a_pool_of_connections_in_between_is_refused(postgres_server: TemporaryServer, database: str) -> None:
    with CuttingProxy(postgres_server.port) as pool:
        pool.is_pool = True
        with pytest.raises(StoreError, match="connection pool"):
            Ledger.open(pool.address(database))


def test_a_server_is_reached_by_its_socket_too(postgres_server: TemporaryServer) -> None:
    address = postgres_server.new_database(by_socket=True)
    with Ledger.open(address.replace("postgresql:", "postgres:")) as ledger:
        id_ = ledger.append(decision())
        assert ledger.get(id_) is not None
    postgres_server.give_back(address)


# ── passwords ──


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://u:s3cr3t@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgres://u:s3cr3t@h1:1,h2:2/d?sslmode=require", "postgres://u@h1:1,h2:2/d"),
        ("postgresql://h/d?password=s3cr3t", "postgresql://h/d"),
        ("postgresql://h/d?password=s3cr3t@x", "postgresql://h/d"),
        ("postgresql://u:p%40s3cr3t@[::1]/d", "postgresql://u@[::1]/d"),
        ("postgresql://u:a/s3cr3t@h/d", "postgresql://…"),
        ("postgresql://u:a?s3cr3t@h/d", "postgresql://…"),
        ("postgresql://u:a@s3cr3t@h/d", "postgresql://…"),
        ("postgresql://u:s3cr3t", "postgresql://…"),
        ("postgresql:s3cr3t", "postgresql://…"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d"),
    ],
)
def test_an_address_is_spoken_without_its_password(url: str, name: str) -> None:
    assert spoken(url) == name
    if "…" not in name:
        assert repr(Address(url)) == name


@given(
    st.text(min_size=1).filter(lambda text: not any(c in text for c in "%")), st.sampled_from(["@h/d", "@h:1/d?a=b"])
)
def test_whatever_a_password_is_made_of_it_is_not_spoken(password: str, rest: str) -> None:
    marked = f"{SECRET}{password}{SECRET}"
    assert SECRET not in spoken(f"postgresql://u:{marked}{rest}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr3t@127.0.0.1:1/d",
        "postgresql://u:s3cr3t@127.0.0.1:s3cr3t/d",
        "postgresql://u:s3cr3t@127.0.0.1:1/d?nonsense=s3cr3t",
        "postgresql://u:s3cr3t%zz@127.0.0.1:1/d",
        "postgresql://u:s3cr3t",
        "postgresql:s3cr3t",
    ],
)
def test_no_error_about_an_address_repeats_the_password(url: str) -> None:
    with pytest.raises((UsageError, StoreLost)) as caught:
        Ledger.open(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error) + repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_password_is_taken_from_the_environment_and_from_its_file(
    postgres_server: TemporaryServer, database: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is how libpq is told; it is set for a process of its own."""
    hba = postgres_server.place / "data" / "pg_hba.conf"
    before = hba.read_text()
    postgres_server.sql(f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{SECRET}'")
    hba.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{before}")
    postgres_server.sql("SELECT pg_reload_conf()")
    address = database.replace("postgres@", "guarded@")
    script = "import sys; from plimsoll.ledger import Ledger; Ledger.open(sys.argv[1]).close()"

    def opened(**environment: str) -> subprocess.CompletedProcess[str]:
        names = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        return subprocess.run(
            [sys.executable, "-c", script, address],
            env={**names, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    try:
        file = tmp_path / "pgpass"
        file.write_text(f"*:*:*:guarded:{SECRET}\n")
        file.chmod(0o600)
        assert opened(PGPASSWORD=SECRET).returncode == 0
        assert opened(PGPASSFILE=str(file)).returncode == 0
        refused = opened(PGPASSWORD=f"wrong {SECRET}")
        assert refused.returncode
        assert "password authentication failed" in refused.stderr
        assert SECRET not in refused.stderr
    finally:
        hba.write_text(before)
        postgres_server.sql("SELECT pg_reload_conf()")
        postgres_server.sql("DROP OWNED BY guarded; DROP ROLE guarded", database_of(database))


# ── what text can hold ──


@given(st.text(st.sampled_from("\x00\x01\x02ab\U0010ffff")), st.text(st.sampled_from("\x00\x01\x02ab")))
def test_what_postgres_cannot_keep_in_text_is_kept_in_order_and_told_apart(one: str, other: str) -> None:
    assert "\x00" not in stored(one)
    assert read_back(stored(one)) == one
    assert (stored(one) < stored(other)) == (one < other)
    assert (stored(one) == stored(other)) == (one == other)
    assert stored(one + other).startswith(stored(one))


def test_text_with_zero_characters_is_written_found_and_verified(database: str) -> None:
    odd = "a\x00b\x01c"
    with Ledger.open(database) as ledger:
        ids = [
            ledger.append(
                Draft(kind=f"kind {odd}", system=f"system {odd}", body=b"\x00", subject=f"subject {odd}", seal=True)
            )
        ]
        ids += ledger.transact([Draft(kind=f"kind {odd}", system=odd, body=b"\x00", subject=odd, refs=(odd,))] * 3)
        entries = list(ledger.entries(kinds=[f"kind {odd}"]))
        assert (
            [entry.id for entry in entries]
            == ids
            == [entry.id for entry in ledger.of_subject(f"subject {odd}")] + ids[1:]
        )
        assert (entries[0].system, entries[1].system, entries[1].refs) == (f"system {odd}", odd, (odd,))
        assert ledger.subject_of(entries[0]) == f"subject {odd}"
        assert ledger.body(entries[0]) == b"\x00"
        held = ledger.reserve(odd, odd, b"x")
        assert ledger.reservation(odd, odd) == held
        assert ledger.reservation("a", odd) is None
        check_trees(ledger)
    assert verify_ledger(database).ok


def test_long_keys_are_found_again_and_long_names_are_refused(database: str) -> None:
    with Ledger.open(database) as ledger:
        held = [ledger.reserve("s" * 5000, "é" * 5000 + end, b"x") for end in "ab"]
        assert [ledger.reservation("s" * 5000, "é" * 5000 + end) for end in "ab"] == held
        with pytest.raises(Taken):
            ledger.reserve("s" * 5000, "é" * 5000 + "a")
        for draft in (Draft(kind="note", body=b"", subject="é" * 1001), Draft(kind="n" * 2001, body=b"")):
            with pytest.raises(UsageError, match="more than 2,000 bytes"):
                ledger.append(draft)
        fits = ledger.append(
            Draft(kind="note", body=b"", subject="".join(map(chr, random.Random(1).sample(range(33, 2000), 900))))
        )
        assert ledger.get(fits) is not None


def test_large_bodies_are_written_and_read_a_few_at_a_time(database: str) -> None:
    with Ledger.open(database) as ledger:
        ids = list(ledger.transact([Draft(kind="note", body=bytes(1_500_000))] * 20))
        ids.append(ledger.append(Draft(kind="note", body=bytes(20_000_000))))
        tracemalloc.start()
        assert [entry.id for entry in ledger.entries(kinds=["note"])] == ids
        _, forwards = tracemalloc.get_traced_memory()
        assert [entry.id for entry in ledger.find("note")] == ids[::-1]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert max(forwards, peak) < 70_000_000, "thirty megabytes, and the largest body, are never in memory together"


def test_marks_of_parameters() -> None:
    assert numbered("a=? OR b=?1 OR c=?") == "a=$1 OR b=$1 OR c=$2"
    assert FORMAT == 1


# ── forgetting, and hearing of it ──


def pages_of(server: TemporaryServer) -> bytes:
    """Everything in the server's tables, as it lies on the disk."""
    server.sql("CHECKPOINT")
    return b"".join(file.read_bytes() for file in (server.place / "data" / "base").glob("*/*") if file.is_file())


def test_an_erased_key_is_gone_from_the_tables_when_they_were_vacuumed_as_the_how_to_says(
    postgres_server: TemporaryServer, database: str, sql: Callable[[str], str]
) -> None:
    with Ledger.open(database) as ledger:
        for name in ("Anna", "Bert"):
            ledger.append(Draft(kind="decision", body=b"secret", subject=name, seal=True))
        rows = ledger.reader.rows("SELECT name,salt,key FROM subjects")
        erased, kept = ({name: (salt, key) for name, salt, key in rows}[name] for name in ("Anna", "Bert"))
        ledger.erase("Anna", by="dpo@example.org", reason="asked for")
        assert ledger.reader.rows("SELECT name,salt,key FROM subjects WHERE key IS NULL") == [(None, None, None)]
    sql(VACUUM)
    pages = pages_of(postgres_server)
    assert all(secret not in pages for secret in erased)
    assert b"Anna" not in pages
    assert all(secret in pages for secret in kept), "the check would see a key that is there"


def test_entries_of_rare_kinds_are_heard_of_and_not_waited_for(database: str) -> None:
    """A follower that looks every ten seconds gets them at once; decisions it finds when it looks."""
    seen: dict[bytes, float] = {}
    with Ledger.open(database) as writer, Ledger.open(database) as ledger:
        follower = ledger.follow(["control"], lambda entry: seen.setdefault(entry.body, time.monotonic()), every_s=10)
        time.sleep(0.5)
        lags = []
        for n in range(20):
            writer.append(decision())
            began = time.monotonic()
            writer.append(Draft(kind="control", body=b"%d" % n))
            wait_until(lambda n=n: b"%d" % n in seen)
            lags.append(seen[b"%d" % n] - began)
        assert max(lags) < 1
        started = time.monotonic()
        follower.close()
        assert time.monotonic() - started < 2, "nor does it keep anybody waiting when it ends"


def test_decisions_are_followed_by_looking(database: str) -> None:
    seen: list[bytes] = []
    with Ledger.open(database) as writer, Ledger.open(database) as ledger:
        follower = ledger.follow(None, lambda entry: seen.append(entry.body), every_s=0.02)
        for n in range(50):
            writer.append(decision(b"%d" % n))
        wait_until(lambda: [body for body in seen if body.isdigit()] == [b"%d" % n for n in range(50)])
        follower.close()


# ── many processes ──


def test_a_stream_that_nobody_holds_for_a_while_is_sealed_wherever_its_process_was(database: str) -> None:
    """A process on another machine, which nobody here can look at; one that is only quiet goes on."""
    nobody: set[str] = set()
    lost = Ledger.open(database, host=ManualHost("elsewhere", nobody))
    lost.append(Draft(kind="note", body=b"durable"))
    lost.enqueue(Draft(kind="note", body=b"batched"))
    lost.flush()
    with Ledger.open(database, host=ManualHost("quiet", nobody)) as quiet:
        stays = quiet.append(Draft(kind="note", body=b"quiet"))
        lost.abandon()
        with Ledger.open(database, host=ManualHost("third", nobody), settings=LedgerSettings(silent_s=0.3)) as ledger:
            ledger.append(Draft(kind="note", body=b"x"))
            assert not list(ledger.entries(kinds=["stream.sealed"])), "not so soon"
            time.sleep(0.4)
            ledger._now.hands.tidy()
            assert sum(1 for _ in ledger.entries(kinds=["stream.sealed"])) == 2
            assert sum(1 for _ in ledger.entries(kinds=["gap"])) == 1
        assert quiet.append(Draft(kind="note", body=b"again")).partition("-")[0] == stays.partition("-")[0]
        check_trees(quiet)


def test_a_process_that_was_cut_off_too_long_goes_on_in_a_new_stream(
    postgres_server: TemporaryServer, database: str
) -> None:
    with (
        CuttingProxy(postgres_server.port) as wire,
        Ledger.open(wire.address(database), settings=LedgerSettings(busy_s=0.2)) as ledger,
        Ledger.open(database, host=ManualHost("other", set()), settings=LedgerSettings(silent_s=0)) as other,
    ):
        before = ledger.append(decision(b"before"))
        wire.is_down = True
        wire.cut()
        wait_until(lambda: sealed(other), seconds=20)
        wire.is_down = False
        wait_until(lambda: lands(ledger), seconds=20)
        (after,) = (e for e in ledger.entries(kinds=["decision"]) if e.body == b"after")
        assert after.stream != before.partition("-")[0]
        check_trees(ledger)


def sealed(ledger: Ledger) -> bool:
    ledger._now.hands.tidy()
    return any(True for _ in ledger.entries(kinds=["stream.sealed"]))


def lands(ledger: Ledger) -> bool:
    try:
        ledger.append(decision(b"after"))
    except StoreLost:
        return False
    return True


def test_groups_that_want_the_same_things_in_any_order_never_wait_for_each_other_for_ever(database: str) -> None:
    """Reservations, new subjects and kept projections, by four writers at once."""
    ledgers = [Ledger.open(database, settings=LedgerSettings(busy_s=20)) for _ in range(4)]
    failed: list[Exception] = []
    held: list[str] = []

    def work(number: int) -> None:
        ledger, chance = ledgers[number], random.Random(number)
        projections = [Tally("control"), Tally("note")]
        projections[1].name = "another"
        chance.shuffle(projections)
        for projection in projections:
            ledger.keep(projection)
        try:
            for n in range(40):
                names, keys = chance.sample(range(60), 5), chance.sample(range(200), 3)
                drafts = [
                    Draft(
                        kind=chance.choice(["decision", "control", "note"]), body=b"%d" % n, subject=f"s{m}", seal=True
                    )
                    for m in names
                ]
                try:
                    ledger.transact(drafts, [Reserve(space="s", key=f"{n % 7}/{k}") for k in keys])
                    held.extend(f"{n % 7}/{k}" for k in keys)
                except Taken:
                    ledger.transact(drafts)
        except Exception as error:  # noqa: BLE001 - the thread ends, the test tells
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(set(held)) == len(held), "a key had two holders"
    stored_entries = list(ledgers[0].entries(kinds=["decision", "control", "note"]))
    assert len(stored_entries) == 4 * 40 * 5
    assert all(ledgers[0].body(entry) for entry in stored_entries)
    for name, kind in (("tally", "control"), ("another", "note")):
        tally = Tally(kind)
        tally.name = name
        count = sum(entry.kind == kind for entry in stored_entries)
        assert ledgers[1].view(tally).get(f"count/{kind}") == b"%d" % count
    for ledger in ledgers:
        ledger.close()
    assert verify_ledger(database).ok


def test_a_view_that_is_folded_while_streams_come_and_go_misses_no_entry(database: str) -> None:
    stop = threading.Event()
    written = [0, 0]
    failed: list[Exception] = []

    def come_and_go(which: int) -> None:
        try:
            while not stop.is_set():
                with Ledger.open(database) as brief:
                    for _ in range(3):
                        brief.append(Draft(kind="control", body=b"x"))
                        written[which] += 1
        except Exception as error:  # noqa: BLE001 - the thread ends, the test tells
            failed.append(error)

    with Ledger.open(database) as ledger:
        seen: list[str] = []
        follower = ledger.follow(["control"], lambda entry: seen.append(entry.id), every_s=0.01)
        threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert int(ledger.view(Tally("control")).get("count/control") or 0) <= sum(written) + 2
        stop.set()
        for thread in threads:
            thread.join()
        assert not failed
        assert sum(written) > 10
        assert ledger.view(Tally("control")).get("count/control") == b"%d" % sum(written)
        wait_until(lambda: len(seen) == sum(written))
        follower.close()
        assert len(set(seen)) == len(seen)


def test_time_goes_by_the_clock_that_was_given(database: str) -> None:
    clock = ManualClock()
    with Ledger.open(database, clock=clock) as ledger:
        assert ledger.get(ledger.append(decision())).time_ns == clock.now_ns  # type: ignore[union-attr]
