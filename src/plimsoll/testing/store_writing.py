"""What every store must do with what is written to it; part of `store.StoreConformance`."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from plimsoll.errors import Refused, UsageError
from plimsoll.ledger import (
    Draft,
    Header,
    Ledger,
    LedgerSettings,
    Reserve,
    Taken,
)
from plimsoll.testing.ledger_checks import check_trees, decision, refused, wait_until
from plimsoll.testing.simulated import ManualClock, ManualHost


class WritingConformance:
    """Entries, concurrent writers, enqueued entries, streams."""

    def open_store(self, place: Path, **options: Any) -> Ledger:
        """Open the store of this place for writing.

        Args:
            place: a folder; the same folder is the same store.
            options: keywords of `Ledger.open`.
        """
        raise NotImplementedError

    # ── entries ──

    def test_what_was_appended_is_read_back_exactly(self, tmp_path: Path) -> None:
        """Every field, also the empty ones and bytes that are no text."""
        clock = ManualClock()
        with self.open_store(tmp_path, clock=clock) as ledger:
            first = ledger.append(Draft(kind="note", body=b""))
            second = ledger.append(decision(bytes(range(256)), refs=(first, "elsewhere")))
            entry = ledger.get(second)
        assert entry is not None
        assert entry.id == second
        assert entry.time_ns == clock.now_ns
        assert (entry.kind, entry.system, entry.subject) == ("decision", "claims-reader", "")
        assert entry.refs == (first, "elsewhere")
        assert entry.header == Header(type="read-amount", tier="reviewed", called=True, disposition="answered")
        assert not entry.sealed
        assert entry.body == bytes(range(256))

    def test_an_unknown_id_is_nothing(self, tmp_path: Path) -> None:
        """Neither a stream nor a position that is not there, nor what is no id."""
        with self.open_store(tmp_path) as ledger:
            known = ledger.append(Draft(kind="note", body=b"x"))
            stream = known.partition("-")[0]
            for unknown in (f"{stream}-1", f"{'0' * 32}-0", "", "x-0", f"{stream}-99999999999999999999"):
                assert ledger.get(unknown) is None

    def test_ids_count_up_in_one_stream_and_times_never_fall(self, tmp_path: Path) -> None:
        """One writer, one stream."""
        with self.open_store(tmp_path) as ledger:
            ids = [ledger.append(Draft(kind="note", body=b"%d" % n)) for n in range(5)]
            ids += ledger.transact([Draft(kind="note", body=b"%d" % n) for n in range(300)])
            assert len({id_.partition("-")[0] for id_ in ids}) == 1
            assert [int(id_.partition("-")[2]) for id_ in ids] == list(range(305))
            check_trees(ledger)

    def test_a_human_only_decision_that_called_the_model_is_refused(self, tmp_path: Path) -> None:
        """And fails nothing that is written with it by others."""
        with self.open_store(tmp_path) as ledger:
            with refused(Refused):
                ledger.append(decision(tier="human-only", called=True))
            assert ledger.get(ledger.append(decision(tier="human-only", called=False))) is not None

    def test_what_cannot_be_stored_is_refused_before_it_is_written(self, tmp_path: Path) -> None:
        """Wrong types, empty names, half characters."""
        wrong: list[Any] = [
            Draft(kind="", body=b""),
            Draft(kind="note", body="text"),  # type: ignore[arg-type]  # what a caller without a type checker does
            Draft(kind="note", body=b"", subject=""),
            Draft(kind="note", body=b"", refs=("two words",)),
            Draft(kind="note", body=b"", system="\ud800"),
        ]
        with self.open_store(tmp_path) as ledger:
            for draft in wrong:
                with refused(UsageError):
                    ledger.append(draft)
            assert ledger.append(Draft(kind="note", body=b"")).endswith("-0")

    def test_a_transaction_is_written_whole_or_not_at_all(self, tmp_path: Path) -> None:
        """A reservation that is refused takes its drafts with it."""
        with self.open_store(tmp_path) as ledger:
            ledger.reserve("key", "taken")
            with refused(Taken):
                ledger.transact(
                    [Draft(kind="note", body=b"a"), Draft(kind="note", body=b"b")],
                    [Reserve(space="key", key="free"), Reserve(space="key", key="taken")],
                )
            assert ledger.reservation("key", "free") is None
            assert not list(ledger.entries(kinds=["note"]))
            assert len(ledger.transact([Draft(kind="note", body=b"c")] * 2, [Reserve(space="key", key="free")])) == 2
            check_trees(ledger)

    def test_entries_are_found_by_kind_by_system_and_from_a_position_on(self, tmp_path: Path) -> None:
        """Rare kinds among many decisions, and every combination."""
        with self.open_store(tmp_path) as ledger:
            ids = []
            for n in range(40):
                ledger.transact([decision(b"%d" % n)] * 20)
                kind, system = ("control" if n % 4 == 0 else "evidence"), ("a" if n % 2 else "b")
                ids.append(ledger.append(Draft(kind=kind, system=system, body=b"%d" % n)))
            assert [e.id for e in ledger.entries(kinds=["control"])] == ids[::4]
            assert [e.id for e in ledger.entries(kinds=["control", "evidence"])] == ids
            assert [e.id for e in ledger.entries(kinds=["evidence"], system="a")] == ids[1::2]
            stream, _, seq = ids[20].partition("-")
            assert [e.id for e in ledger.entries(kinds=["control", "evidence"], after={stream: int(seq)})] == ids[21:]
            assert sum(1 for _ in ledger.entries(kinds=["decision", "control"])) == 810
            assert [e.id for e in ledger.find("control", limit=3)] == ids[36:27:-4]
            assert [e.id for e in ledger.find(["control", "evidence"], oldest_first=True, limit=3)] == ids[:3]

    def test_find_goes_by_time_across_streams(self, tmp_path: Path) -> None:
        """The newest first, whichever process wrote it."""
        clock = ManualClock()
        with self.open_store(tmp_path, clock=clock) as one, self.open_store(tmp_path, clock=clock) as two:
            ids = []
            for n in range(20):
                clock.move(1)
                ids.append((one, two)[n % 2].append(Draft(kind="control", body=b"%d" % n)))
            assert [e.id for e in one.find("control")] == ids[::-1]
            assert [e.id for e in two.find("control", oldest_first=True)] == ids

    # ── concurrency ──

    def test_many_threads_append_at_once(self, tmp_path: Path) -> None:
        """Every entry once, no gap, one tree."""
        with self.open_store(tmp_path) as ledger:
            ids: list[str] = []

            def work(name: int) -> None:
                for n in range(40):
                    ids.append(ledger.append(decision(b"%d/%d" % (name, n))))
                    assert ledger.get(ids[-1]) is not None, "acknowledged before it was durable"

            threads = [threading.Thread(target=work, args=(name,)) for name in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(set(ids)) == 480
            assert {ledger.get(id_).body for id_ in ids} == {  # type: ignore[union-attr]  # a missing one fails here
                b"%d/%d" % (name, n) for name in range(12) for n in range(40)
            }
            check_trees(ledger)

    def test_event_loops_append_side_by_side(self, tmp_path: Path) -> None:
        """Two loops in two threads, and one after the other."""
        with self.open_store(tmp_path) as ledger:
            ids: list[str] = []

            async def work() -> None:
                for _ in range(5):
                    ids.extend(await asyncio.gather(*[ledger.aappend(decision(b"%d" % n)) for n in range(20)]))

            threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            asyncio.run(work())
            assert len(set(ids)) == 300
            check_trees(ledger)

    def test_one_refusal_in_a_group_is_nobody_elses(self, tmp_path: Path) -> None:
        """Of calls that are committed together, exactly those fail that ask for what is taken."""
        with self.open_store(tmp_path) as ledger:
            reserve = [Reserve(space="once", key="k")]

            async def work() -> list[str | BaseException]:
                calls = [ledger.aappend(decision(b"%d" % n), reserve if n % 2 else ()) for n in range(20)]
                return await asyncio.gather(*calls, return_exceptions=True)

            outcome = asyncio.run(work())
            assert sum(isinstance(got, Taken) for got in outcome) == 9
            stored = [entry.id for entry in ledger.entries(kinds=["decision"])]
            assert stored == [got for got in outcome if isinstance(got, str)]
            check_trees(ledger)

    def test_several_writers_have_a_stream_each(self, tmp_path: Path) -> None:
        """And all of them see all entries."""
        ledgers = [self.open_store(tmp_path) for _ in range(3)]
        ids: list[str] = []

        def work(ledger: Ledger) -> None:
            for n in range(30):
                ids.append(ledger.append(decision(b"%d" % n)))  # noqa: PERF401 - others append, too

        threads = [threading.Thread(target=work, args=(ledger,)) for ledger in ledgers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id_.partition("-")[0] for id_ in ids}) == 3
        for ledger in ledgers:
            assert {entry.id for entry in ledger.entries(kinds=["decision"])} == set(ids)
            ledger.close()

    # ── enqueued ──

    def test_enqueued_entries_get_their_ids_at_once_and_come_to_stand_under_them(self, tmp_path: Path) -> None:
        """More than may wait."""
        with self.open_store(tmp_path, settings=LedgerSettings(waiting=64, flush_ms=5)) as ledger:
            ids = [ledger.enqueue(Draft(kind="note", body=b"%d" % n)) for n in range(500)]
            ledger.flush()
            assert [entry.id for entry in ledger.entries(kinds=["note"])] == ids
            last = ledger.enqueue(Draft(kind="note", body=b"last"))
            wait_until(lambda: ledger.get(last) is not None)
            kept = ledger.enqueue(Draft(kind="note", body=b"kept by close"))
        with self.open_store(tmp_path) as ledger:
            entry = ledger.get(kept)
            assert entry is not None
            assert entry.body == b"kept by close"
            check_trees(ledger)

    # ── streams ──

    def test_streams_are_registered_and_sealed_in_the_root_stream(self, tmp_path: Path) -> None:
        """Opened with the first entry, sealed at close; a new one after it."""
        with self.open_store(tmp_path):
            pass
        streams = []
        for _ in range(3):
            with self.open_store(tmp_path) as ledger:
                streams.append(ledger.append(Draft(kind="note", body=b"x")).partition("-")[0])
        with self.open_store(tmp_path) as ledger:
            assert len(set(streams)) == 3
            assert sum(1 for _ in ledger.entries(kinds=["stream.opened"])) == 3
            assert sum(1 for _ in ledger.entries(kinds=["stream.sealed"])) == 3
            assert [row.id for row in ledger.reader.streams() if row.sealed_ns is not None] == streams
            check_trees(ledger)

    def test_a_stream_of_a_process_that_died_is_sealed_by_the_next_and_never_continued(self, tmp_path: Path) -> None:
        """Of a batched one, the next also records that entries may be missing."""
        gone: set[str] = set()
        first = self.open_store(tmp_path, host=ManualHost("first", gone))
        kept = first.append(Draft(kind="note", body=b"kept"))
        first.enqueue(Draft(kind="note", body=b"maybe"))
        first.flush()
        first.abandon()
        with self.open_store(tmp_path, host=ManualHost("second", gone)) as alive:
            assert not list(alive.entries(kinds=["stream.sealed"])), "it may still be alive"
        gone.add("first")
        with self.open_store(tmp_path, host=ManualHost("third", gone)) as ledger:
            assert sum(1 for _ in ledger.entries(kinds=["stream.sealed"])) == 2
            assert sum(1 for _ in ledger.entries(kinds=["gap"])) == 1
            entry = ledger.get(kept)
            assert entry is not None
            assert entry.body == b"kept"
            assert ledger.append(Draft(kind="note", body=b"new")).partition("-")[0] != kept.partition("-")[0]
            check_trees(ledger)

    def test_who_was_taken_for_dead_goes_on_in_a_new_stream(self, tmp_path: Path) -> None:
        """A sealed stream takes no more entries, whoever sealed it."""
        gone: set[str] = set()
        first = self.open_store(tmp_path, host=ManualHost("first", gone))
        before = first.append(Draft(kind="note", body=b"before"))
        gone.add("first")
        with self.open_store(tmp_path, host=ManualHost("second", gone)):
            pass
        after = first.append(Draft(kind="note", body=b"after"))
        assert after.partition("-")[0] != before.partition("-")[0]
        check_trees(first)
        first.close()

    def test_a_clock_that_is_put_back_is_recorded_and_time_stands_still(self, tmp_path: Path) -> None:
        """One entry per step back of more than a second, in both kinds of stream."""
        clock = ManualClock()
        with self.open_store(tmp_path, clock=clock) as ledger:
            for write in (ledger.append, ledger.enqueue):
                write(Draft(kind="note", body=b"1"))
                clock.move(-0.5)
                write(Draft(kind="note", body=b"2"))
                clock.move(-3600)
                write(Draft(kind="note", body=b"3"))
                write(Draft(kind="note", body=b"4"))
                ledger.flush()
                clock.move(7200)
            assert sum(1 for _ in ledger.entries(kinds=["clock.stepped"])) == 2
            check_trees(ledger)
