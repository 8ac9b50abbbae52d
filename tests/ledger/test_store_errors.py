"""What goes wrong with a file is told apart, says what to do, and loses nothing."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plimsoll.errors import (
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreTooNew,
    UsageError,
)
from plimsoll.ledger import Draft, Ledger, LedgerSettings, Reserve
from plimsoll.testing.store import check_trees, decision


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[str], None]]:
    """A disk of two megabytes of its own; the function mounts it anew with other options."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    folder.mkdir()

    def remount(options: str) -> None:
        subprocess.run([mount, "-o", f"remount,{options}", str(folder)], check=True)

    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine does not let us mount")
    try:
        yield remount
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def held_elsewhere(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as con:
        con.execute("BEGIN IMMEDIATE")
        yield
        con.execute("ROLLBACK")


def test_a_file_that_another_process_holds_is_locked_after_the_declared_wait(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, settings=LedgerSettings(busy_s=0.1)) as ledger:
        before = ledger.append(decision())
        with held_elsewhere(path):
            with pytest.raises(StoreLocked, match="another process"):
                ledger.append(decision())
            with pytest.raises(StoreLocked):
                ledger.reserve("s", "k")
            assert ledger.get(before) is not None, "reading goes on"
        assert ledger.append(decision()).endswith("-1")
        check_trees(ledger)


def test_a_ledger_opens_while_another_process_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with held_elsewhere(path):
        ledger = Ledger.open(path, settings=LedgerSettings(busy_s=0.05))
    ledger.append(decision())
    ledger.close()


def fill(ledger: Ledger) -> list[str]:
    """Append until the disk is full; what was acknowledged."""
    ids: list[str] = []
    with contextlib.suppress(StoreFull):
        while True:
            ids += ledger.transact([decision(os.urandom(500)) for _ in range(10)])
    return ids


def test_on_a_full_disk_nothing_acknowledged_is_lost_and_the_rest_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        path = tmp_path / "disk" / "ledger.db"
        ledger = Ledger.open(path)
        stored = [ledger.enqueue(decision(b"while there was space"))]
        ledger.flush()
        stored += fill(ledger)
        waiting = [ledger.enqueue(decision(os.urandom(50_000))) for _ in range(3)]
        with pytest.raises(StoreFull):
            ledger.flush()
        assert isinstance(ledger.trouble, StoreFull)
        check_trees(ledger)
        with pytest.raises(StoreFull, match="3 enqueued entries were not written"):
            ledger.close()
        with Ledger.open(path, read_only=True) as ledger:
            assert {entry.id for entry in ledger.entries(kinds=["decision"])} == set(stored)
            assert ledger.get(waiting[0]) is None
            check_trees(ledger)


def test_when_space_is_made_enqueued_entries_are_written_under_their_ids(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk") as remount,
        Ledger.open(tmp_path / "disk" / "ledger.db", settings=LedgerSettings(waiting=4)) as ledger,
    ):
        ids = [ledger.enqueue(decision(b"first"))]
        ledger.flush()
        (tmp_path / "disk" / "ballast").write_bytes(bytes(1_600_000))
        ids += [ledger.enqueue(decision(os.urandom(600_000))) for _ in range(4)]
        with pytest.raises(StoreFull):
            ledger.flush()
        with pytest.raises(StoreFull):
            ledger.enqueue(decision(b"the queue is full and does not move"))
        remount("size=16m")
        ledger.flush()
        ids.append(ledger.enqueue(decision(b"last")))
        ledger.flush()
        assert [entry.id for entry in ledger.entries(kinds=["decision"])] == ids
        check_trees(ledger)


def test_a_disk_that_may_not_be_written_can_be_read_with_and_without_a_log(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as remount:
        path = tmp_path / "disk" / "ledger.db"
        with Ledger.open(path) as ledger:
            id_ = ledger.append(decision())
        remount("ro")
        for _ in range(2):
            with pytest.raises(StoreReadOnly):
                Ledger.open(path)
            with pytest.raises(StoreReadOnly):
                Ledger.open(path.with_name("new.db"))
            with Ledger.open(path, read_only=True) as ledger:
                assert ledger.get(id_) is not None
                check_trees(ledger)
            remount("rw")
            crashed = Ledger.open(path)
            id_ = crashed.append(decision())
            shutil.copy(path, tmp_path / "file")
            shutil.copy(f"{path}-wal", tmp_path / "log")
            crashed.close()
            shutil.copy(tmp_path / "file", path)
            shutil.copy(tmp_path / "log", f"{path}-wal")
            Path(f"{path}-shm").touch()
            remount("ro")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_damaged_and_never_written_to(tmp_path: Path, share: float) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        for _ in range(5):
            ledger.transact([decision(os.urandom(300)) for _ in range(100)])
    cut = path.read_bytes()[: int(path.stat().st_size * share)]
    path.write_bytes(cut)
    with pytest.raises(StoreDamaged) as caught:
        Ledger.open(path)
    assert "verify" in caught.value.fix
    assert path.read_bytes() == cut


def test_a_page_that_is_none_is_damaged_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ids = ledger.transact([decision(os.urandom(3000)) for _ in range(300)])
    raw = bytearray(path.read_bytes())
    half = len(raw) // 2 // 4096 * 4096
    raw[half : half + 40 * 4096] = b"\xff" * (40 * 4096)
    path.write_bytes(raw)
    with Ledger.open(path) as ledger:
        assert ledger.get(ids[0]) is not None
        with pytest.raises(StoreDamaged):
            list(ledger.entries())


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 500, b"SQLite format 3\x00" + b"x" * 5000])
def test_what_is_no_ledger_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(StoreDamaged):
        Ledger.open(path)
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(StoreDamaged, match="something else"):
        Ledger.open(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreDamaged, match="no file"):
        Ledger.open(path)


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as con, con:
        con.execute("UPDATE meta SET value='2' WHERE key='format'")
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match="format 2"):
            Ledger.open(path, read_only=read_only)
    assert path.read_bytes() == before


def test_missing_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no ledger here"):
        Ledger.open(tmp_path / "none.db", read_only=True)
    with pytest.raises(StoreError, match="no such folder"):
        Ledger.open(tmp_path / "no" / "ledger.db")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="no such folder"):
        Ledger.open(tmp_path / "file" / "ledger.db")


def test_the_file_itself_refuses_a_human_only_decision_that_called_the_model(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.append(decision(tier="human-only", called=False))
    with contextlib.closing(sqlite3.connect(path)) as con:
        for sql in (
            "UPDATE entries SET called=1 WHERE tier='human-only'",
            "INSERT INTO entries VALUES (9,0,'decision','','','','t','human-only',1,'answered',0,x'',x'')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="human-only"):
                con.execute(sql)


def test_an_unusable_reservation_is_refused_and_fails_nobody_else(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for op in (
            Reserve(space="s", key="\ud800"),
            Reserve(space="s", key="k", value="text"),  # type: ignore[arg-type]
            Reserve(space="s", key="k", expires_ns=1 << 70),
        ):
            with pytest.raises(UsageError, match="reservation"):
                ledger.append(decision(), [op])
        assert ledger.append(decision()).endswith("-0")


def test_a_first_opening_by_many_makes_one_ledger(tmp_path: Path) -> None:
    script = (
        "import sys; from plimsoll.ledger import Ledger, Draft\n"
        "with Ledger.open(sys.argv[1]) as ledger: print(ledger.append(Draft(kind='note', body=b'x')))"
    )
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-c", script, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ids = [process.communicate()[0].strip() for process in processes]
    with Ledger.open(path) as ledger:
        assert sorted(entry.id for entry in ledger.entries(kinds=["note"])) == sorted(ids)
        check_trees(ledger)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ledger.db", "ledger.db-lock"]


def test_an_oversized_body_is_refused(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger, pytest.raises(UsageError, match="more than"):
        ledger.append(Draft(kind="note", body=bytes(256 * 1024 * 1024 + 1)))


def test_large_bodies_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ids = [ledger.append(Draft(kind="note", body=bytes(1_500_000))) for _ in range(20)]
        tracemalloc.start()
        assert [entry.id for entry in ledger.entries(kinds=["note"])] == ids
        assert [entry.id for entry in ledger.find("note")] == ids[::-1]
        assert len([entry.id for entry in ledger.entries()]) == 21
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20_000_000
