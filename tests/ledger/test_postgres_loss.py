"""The connection is lost, at every moment that counts: nothing acknowledged is lost, nothing is written twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from ledger.cutting_proxy import CuttingProxy
from ledger.test_verify_attacks import OURS

from plimsoll.errors import StoreError, StoreLost, StoreUnsure
from plimsoll.ledger import Draft, Entry, Erased, FileWitness, Ledger, LedgerSettings, Replace, Reserve, verify_ledger
from plimsoll.ledger.records import Gap
from plimsoll.testing.postgres import TemporaryServer, database_of
from plimsoll.testing.store import Tally, check_trees, decision, wait_until

PATIENT = LedgerSettings(busy_s=30)


@pytest.fixture
def wire(postgres_server: TemporaryServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(postgres_server.port) as proxy:
        yield proxy


def bodies(ledger: Ledger) -> list[bytes]:
    return [ledger.body(entry) for entry in ledger.entries(kinds=["decision", "control"])]


def append(ledger: Ledger) -> None:
    ledger.append(decision(b"cut here"))


def append_control(ledger: Ledger) -> None:
    ledger.append(Draft(kind="control", body=b"cut here"))


def append_sealed(ledger: Ledger) -> None:
    ledger.append(Draft(kind="decision", body=b"x", system="cut here", subject="somebody new", seal=True))


def append_many(ledger: Ledger) -> None:
    ledger.transact([decision(b"%d" % n) for n in range(600)] + [decision(b"cut here")])


def append_with_a_reservation(ledger: Ledger) -> None:
    ledger.append(decision(b"x"), [Reserve(space="s", key="with an entry", value=b"cut here")])


def reserve(ledger: Ledger) -> None:
    held = ledger.reserve("s", "alone", b"cut here")
    assert ledger.reservation("s", "alone") == held
    (after,) = ledger.apply([Replace(space="s", key="alone", fence=held.fence, value=b"x")])
    assert after is not None


def enqueue(ledger: Ledger) -> None:
    ids = [ledger.enqueue(decision(b"1")), ledger.enqueue(decision(b"cut here")), ledger.enqueue(decision(b"3"))]
    ledger.flush()
    assert all(ledger.get(id_) is not None for id_ in ids)


def erase(ledger: Ledger) -> None:
    id_ = ledger.append(Draft(kind="decision", body=b"x", subject="somebody", seal=True))
    ledger.erase("somebody", by="dpo@example.org", reason="cut here")
    entry = ledger.get(id_)
    assert entry is not None
    with pytest.raises(Erased):
        ledger.body(entry)
    assert sum(1 for _ in ledger.entries(kinds=["erased"])) == 1


WRITES: list[Callable[[Ledger], None]] = [
    append, append_control, append_sealed, append_many, append_with_a_reservation, reserve, enqueue, erase,
]  # fmt: skip


@pytest.mark.parametrize("lets_through", [True, False], ids=["its answer was lost", "it was lost"])
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_what_was_cut_off_in_the_middle_is_written_exactly_once(
    database: str, wire: CuttingProxy, write: Callable[[Ledger], None], lets_through: bool
) -> None:
    wire.lets_through = lets_through
    with Ledger.open(wire.address(database), settings=PATIENT) as ledger:
        first = ledger.append(decision(b"before"))
        ledger.enqueue(decision(b"enqueued before"))
        ledger.flush()
        before = sum(1 for _ in ledger.entries())
        wire.cut_at = b"cut here"
        write(ledger)
        assert wire.cuts == 1
        whole = bodies_once(ledger)
        last = ledger.append(decision(b"after"))
        assert last.partition("-")[0] == first.partition("-")[0], "the stream goes on"
        assert sum(1 for _ in ledger.entries()) > before
        check_trees(ledger)
    with Ledger.open(database) as direct:
        assert bodies_once(direct)[: len(whole)] == whole
    assert verify_ledger(database).ok


def test_a_position_that_is_written_again_never_uses_its_nonce_again(database: str, wire: CuttingProxy) -> None:
    with Ledger.open(wire.address(database), settings=PATIENT) as ledger:
        ledger.append(decision(b"first", subject="s", seal=True))
        wire.cut_at = b"cut here"
        entry = ledger.get(ledger.append(Draft(kind="cut here", body=b"third", subject="s", seal=True)))
        assert wire.cuts == 1
        assert entry is not None
        assert entry.body[:4] == (1).to_bytes(4, "big")
        assert ledger.body(entry) == b"third"


def bodies_once(ledger: Ledger) -> list[str]:
    """Ids of all entries; each body that is told apart from others stands there once."""
    entries = list(ledger.entries())
    apart = [entry.body for entry in entries if entry.body in {b"cut here", b"before", b"after", b"1", b"3"}]
    assert len(apart) == len(set(apart)), "something was written twice"
    return sorted(entry.id for entry in entries if entry.kind == "decision" and entry.body != b"after")


@pytest.mark.parametrize("lets_through", [True, False], ids=["it was written", "it was not"])
def test_as_long_as_nobody_can_tell_it_is_said_that_nobody_can(
    database: str, wire: CuttingProxy, lets_through: bool
) -> None:
    wire.lets_through, wire.goes_down_then = lets_through, True
    with Ledger.open(wire.address(database), settings=LedgerSettings(busy_s=0.3)) as ledger:
        ledger.append(decision(b"before"))
        wire.cut_at = b"cut here"
        with pytest.raises(StoreUnsure, match="cannot be told yet") as caught:
            ledger.append(decision(b"cut here"))
        assert caught.value.exit_code == 6
        with pytest.raises(StoreLost, match="nothing of this was written"):
            ledger.append(decision(b"refused"))
        wire.goes_down_then = wire.is_down = False
        wait_until(lambda: appended(ledger), seconds=20)
        assert bodies(ledger)[: 2 + lets_through] == [b"before", *[b"cut here"] * lets_through, b"after"]
        check_trees(ledger)
    assert verify_ledger(database).ok


def appended(ledger: Ledger) -> bool:
    """Whether the ledger has found its way back, without being opened again."""
    with contextlib.suppress(StoreLost):
        ledger.append(decision(b"after"))
        return True
    return False


def test_a_server_that_is_away_is_said_soon_and_again_at_once(
    postgres_server: TemporaryServer, database: str, wire: CuttingProxy
) -> None:
    with Ledger.open(wire.address(database), settings=LedgerSettings(busy_s=1)) as ledger:
        ledger.append(decision(b"1"))
        wire.is_down = True
        wire.cut()
        started = time.monotonic()
        with pytest.raises(StoreLost, match="nothing of this was written") as caught:
            ledger.append(decision(b"2"))
        assert 1 <= time.monotonic() - started < 4
        assert caught.value.exit_code == 6
        assert "connects again by itself" in caught.value.fix
        started = time.monotonic()
        with pytest.raises(StoreLost):
            ledger.append(decision(b"3"))
        assert time.monotonic() - started < 2.5, "who comes later does not wait all over again"
        wire.is_down = False
        wait_until(lambda: appended(ledger), seconds=10)
        check_trees(ledger)


def test_enqueued_entries_wait_under_their_ids_until_the_server_is_back(database: str, wire: CuttingProxy) -> None:
    with Ledger.open(wire.address(database), settings=LedgerSettings(busy_s=0.2, waiting=4)) as ledger:
        ids = [ledger.enqueue(decision(b"0"))]
        ledger.flush()
        wire.is_down = True
        wire.cut()
        ids += [ledger.enqueue(decision(b"%d" % n)) for n in range(1, 5)]
        with pytest.raises(StoreError):
            ledger.flush()
        with pytest.raises(StoreError):
            ledger.enqueue(decision(b"there is no room, and nothing moves"))
        assert ledger.trouble is not None
        wire.is_down = False
        wait_until(lambda: flushed(ledger), seconds=10)
        assert [entry.id for entry in ledger.entries(kinds=["decision"])] == ids
        assert ledger.trouble is None
        check_trees(ledger)


def flushed(ledger: Ledger) -> bool:
    with contextlib.suppress(StoreError):
        ledger.flush()
        return True
    return False


def test_reading_and_views_find_their_way_back(database: str, wire: CuttingProxy) -> None:
    with Ledger.open(wire.address(database), settings=PATIENT) as ledger:
        id_ = ledger.append(Draft(kind="control", body=b"x"))
        for _ in range(3):
            wire.cut()
            assert ledger.get(id_) is not None
            wire.cut()
            assert ledger.view(Tally("control")).get("count/control") == b"1"
            wire.cut()
            assert [entry.id for entry in ledger.find("control")] == [id_]
            wire.cut()
            assert ledger.checkpoint().size >= 1


def test_a_follower_that_was_cut_off_misses_nothing(database: str, wire: CuttingProxy) -> None:
    seen: list[bytes] = []
    with Ledger.open(database) as writer, Ledger.open(wire.address(database), read_only=True) as ledger:
        follower = ledger.follow(["control"], lambda entry: seen.append(entry.body), every_s=0.05)
        for n in range(20):
            if n % 4 == 1:
                wire.is_down = True
                wire.cut()
            if n % 4 == 3:
                wire.is_down = False
            writer.append(Draft(kind="control", body=b"%d" % n))
            time.sleep(0.02)
        wait_until(lambda: len(seen) == 20, seconds=10)
        assert seen == [b"%d" % n for n in range(20)]
        assert follower.errors > 0
        wait_until(lambda: follower.trouble is None)
        follower.close()


def test_an_entry_is_called_back_once_though_the_wire_is_cut_meanwhile(database: str, wire: CuttingProxy) -> None:
    seen: list[bytes] = []

    def callback(entry: Entry) -> None:
        seen.append(entry.body)
        if entry.body == b"1":
            wire.is_down = True
            wire.cut()

    with Ledger.open(database) as writer, Ledger.open(wire.address(database), read_only=True) as ledger:
        follower = ledger.follow(["control"], callback, every_s=0.02)
        writer.append(Draft(kind="control", body=b"1"))
        wait_until(lambda: follower.errors > 2)
        wire.is_down = False
        writer.append(Draft(kind="control", body=b"2"))
        wait_until(lambda: b"2" in seen, seconds=10)
        assert seen == [b"1", b"2"]
        wait_until(lambda: follower.trouble is None)
        follower.close()


@pytest.mark.parametrize("how", ["immediate", "fast", "killed"])
def test_a_server_that_is_started_again_costs_nobody_an_entry(
    postgres_server: TemporaryServer, database: str, how: str
) -> None:
    """Threads and event loops go on as if nothing had been: what they are told is there, and there once."""
    told: list[tuple[str, bytes]] = []
    stop = threading.Event()
    failed: list[Exception] = []

    def work(name: int, ledger: Ledger) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            body = b"%d/%d" % (name, n)
            draft = Draft(kind="decision", body=body, subject=f"subject {n % 5}" if name % 2 else None, seal=n % 3 == 0)
            ops = [Reserve(space="s", key=f"{name}/{n}")] if n % 4 == 0 else ()
            try:
                told.append((ledger.append(draft, ops), body))
            except StoreError as error:
                failed.append(error)
                return

    with Ledger.open(database, settings=PATIENT) as one, Ledger.open(database, settings=PATIENT) as two:
        workers = [threading.Thread(target=work, args=(n, (one, two)[n % 2])) for n in range(6)]
        for worker in workers:
            worker.start()
        for _ in range(3):
            time.sleep(0.3)
            if how == "killed":
                postgres_server.kill()
            else:
                postgres_server.stop(how)
            postgres_server.start_again()
        time.sleep(0.3)
        stop.set()
        for worker in workers:
            worker.join()
        assert not failed
        assert len({id_.partition("-")[0] for id_, _ in told}) == 2, "each went on in its stream"
        stored = {entry.id: one.body(entry) for entry in one.entries(kinds=["decision"])}
        assert stored == dict(told), "nothing is lost, and nothing is there that nobody was told of"
        assert len(set(stored.values())) == len(stored)
        check_trees(one)
    assert len(told) > 50
    assert verify_ledger(database).ok


def test_a_session_that_was_ended_by_somebody_is_one_more_loss(postgres_server: TemporaryServer, database: str) -> None:
    with Ledger.open(database, settings=PATIENT) as ledger:
        ids = []
        for n in range(5):
            ids.append(ledger.append(decision(b"%d" % n)))
            postgres_server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'plimsoll%'",
                database_of(database),
            )
        assert [entry.id for entry in ledger.entries(kinds=["decision"])] == ids
        assert [id_.rpartition("-")[2] for id_ in ids] == list("01234")
        check_trees(ledger)


def test_a_server_that_comes_back_without_what_it_had_acknowledged_is_noticed_and_recorded(tmp_path: Path) -> None:
    """As when a standby takes over that had not received all: nothing is written behind the hole."""
    witness = FileWitness(tmp_path / "witness")
    with TemporaryServer.start() as server:
        address = server.new_database()
        ledger = Ledger.open(address, settings=PATIENT, witness=witness, signer=OURS)
        kept = [ledger.append(decision(b"%d" % n)) for n in range(300)]
        server.stop("fast")
        data, backup = server.place / "data", server.place / "backup"
        shutil.copytree(data, backup)
        owner = data.stat()
        for path in (backup, *backup.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        server.start_again()
        lost = [ledger.append(decision(b"%d" % n)) for n in range(300, 310)]
        ledger.checkpoint()
        server.stop("immediate")
        shutil.rmtree(data)
        backup.rename(data)
        server.start_again()
        after = ledger.append(decision(b"after"))
        assert after.partition("-")[0] != kept[0].partition("-")[0]
        assert [entry.id for entry in ledger.entries(kinds=["decision"])] == [*kept, after]
        (gap,) = (msgspec.json.decode(entry.body, type=Gap) for entry in ledger.entries(kinds=["gap"]))
        assert (gap.stream, gap.size, gap.at_most) == (lost[0].partition("-")[0], 300, 10)
        check_trees(ledger)
        ledger.close()
        assert verify_ledger(address).ok
        report = verify_ledger(address, trusted_keys=[OURS.public], witness=witness)
        assert not report.ok, "the witness knows better"
