"""What every store must do beside entries; part of `store.StoreConformance`."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plimsoll.errors import StoreClosed, StoreReadOnly, UsageError
from plimsoll.ledger import (
    Draft,
    Entry,
    Erased,
    Header,
    Ledger,
    Release,
    Replace,
    Reserve,
    Table,
    Taken,
)
from plimsoll.ledger.merkle import tree_root
from plimsoll.testing.ledger_checks import check_trees, decision, refused, wait_until
from plimsoll.testing.simulated import SECOND, ManualClock, Tally


class DerivedConformance:
    """Reservations, views, following, personal data, checkpoints, opening and closing."""

    def open_store(self, place: Path, **options: Any) -> Ledger:
        """Open the store of this place for writing.

        Args:
            place: a folder; the same folder is the same store.
            options: keywords of `Ledger.open`.
        """
        raise NotImplementedError

    # ── reservations ──

    def test_a_reservation_has_one_holder(self, tmp_path: Path) -> None:
        """Of many that ask at the same time, through several processes' objects."""
        with self.open_store(tmp_path) as one, self.open_store(tmp_path) as two:
            won: list[int] = []

            def work(ledger: Ledger, name: int) -> None:
                with contextlib.suppress(Taken):
                    ledger.reserve("lease", "case-1", b"%d" % name)
                    won.append(name)

            threads = [threading.Thread(target=work, args=((one, two)[n % 2], n)) for n in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            held = two.reservation("lease", "case-1")
            assert held is not None
            assert [int(held.value)] == won

    def test_an_expired_reservation_is_free_and_its_holder_is_fenced_off(self, tmp_path: Path) -> None:
        """Whoever took it over has a higher token; the former holder cannot write or release."""
        clock = ManualClock()
        with self.open_store(tmp_path, clock=clock) as ledger:
            old = ledger.reserve("lease", "k", b"old", expires_ns=clock.now_ns + SECOND)
            clock.move(1)
            assert ledger.reservation("lease", "k") is None
            new = ledger.reserve("lease", "k", b"new")
            assert new.fence > old.fence
            for op in (
                Replace(space="lease", key="k", fence=old.fence, value=b"late"),
                Release(space="lease", key="k", fence=old.fence),
            ):
                with refused(Taken) as caught:
                    ledger.append(Draft(kind="note", body=b"x"), [op])
                assert isinstance(caught[0], Taken)
                assert caught[0].op == op
                assert caught[0].current == new
            assert ledger.reservation("lease", "k") == new

    def test_tokens_of_a_key_only_ever_grow(self, tmp_path: Path) -> None:
        """Through replacing, giving back, taking again and expiry."""
        clock = ManualClock()
        with self.open_store(tmp_path, clock=clock) as ledger:
            seen = [ledger.reserve("s", "k").fence]
            for _ in range(4):
                for _ in range(3):
                    (held,) = ledger.apply([Replace(space="s", key="k", fence=seen[-1])])
                    assert held is not None
                    seen.append(held.fence)
                ledger.apply([Release(space="s", key="k", fence=seen[-1])])
                seen.append(ledger.reserve("s", "k", expires_ns=clock.now_ns + 1).fence)
                for _ in range(3):
                    again = Replace(space="s", key="k", fence=seen[-1], expires_ns=clock.now_ns + 1)
                    seen.extend(held.fence for held in ledger.apply([again]) if held is not None)
                clock.move(1)
                seen.append(ledger.reserve("s", "k").fence)
            assert seen == sorted(set(seen))

    def test_a_reservation_can_point_at_the_entry_that_is_written_with_it(self, tmp_path: Path) -> None:
        """Whose id is known only then; also in a group."""
        with self.open_store(tmp_path) as ledger:
            held = [ledger.reserve("once", f"k{n}") for n in range(10)]

            async def work() -> list[str]:
                calls = [
                    ledger.aappend(
                        decision(), [Replace(space=h.space, key=h.key, fence=h.fence, value=b"at ", with_id=True)]
                    )
                    for h in held
                ]
                return await asyncio.gather(*calls)

            for id_, was in zip(asyncio.run(work()), held, strict=True):
                now = ledger.reservation("once", was.key)
                assert now is not None
                assert now.value == b"at " + id_.encode()

    def test_several_changes_of_one_key_in_one_transaction(self, tmp_path: Path) -> None:
        """Each sees what the one before it did."""
        with self.open_store(tmp_path) as ledger:
            held = ledger.reserve("s", "k")
            ledger.transact(
                [Draft(kind="note", body=b"x")],
                [Release(space="s", key="k", fence=held.fence), Reserve(space="s", key="k", value=b"again")],
            )
            again = ledger.reservation("s", "k")
            assert again is not None
            assert again.value == b"again"
            assert again.fence > held.fence

    # ── views ──

    def test_a_view_is_up_to_date_and_equal_when_rebuilt(self, tmp_path: Path) -> None:
        """With entries of several processes; dropped, rebuilt, or in another version."""
        with self.open_store(tmp_path) as one, self.open_store(tmp_path) as two:
            for n in range(30):
                (one, two)[n % 2].transact([decision(b"%d" % n), Draft(kind="control", body=b"%d" % n)])
            one.close()
            before = list(two.view(Tally("control")).scan())
            assert dict(before)["count/control"] == b"30"
            two.append(Draft(kind="control", body=b"last"))
            after = list(two.view(Tally("control")).scan())
            assert dict(after) == {"count/control": b"31", "last/control": b"last"}
            two.rebuild(Tally("control"))
            assert list(two.view(Tally("control")).scan()) == after
            two.drop("tally")
            assert list(two.view(Tally("control")).scan()) == after
            wider = dict(two.view(Tally("control", "decision", version=2)).scan())
            assert wider["count/decision"] == b"30"
            assert wider["count/control"] == b"31"

    def test_a_long_way_is_folded_in_pieces_and_every_entry_once(self, tmp_path: Path) -> None:
        """Across streams, some of them closed, some still growing."""
        with self.open_store(tmp_path) as one, self.open_store(tmp_path) as two:
            for ledger in (one, two, one):
                ledger.transact([Draft(kind="control", body=b"%d" % n) for n in range(1700)])
            assert one.view(Tally("control")).get("count/control") == b"5100"
            two.close()
            one.append(Draft(kind="control", body=b"x"))
            assert one.view(Tally("control")).get("count/control") == b"5101"
            one.rebuild(Tally("control"))
            assert one.view(Tally("control")).get("count/control") == b"5101"

    def test_a_projection_can_pass_over_decisions_that_it_does_not_want(self, tmp_path: Path) -> None:
        """It is given those that ended as it says and those that refer to another entry, however many lie between."""

        class Shed:
            name, version = "shed", 1
            kinds = frozenset({"decision", "control"})
            decisions = frozenset({"shed", "failed"})

            def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
                table.put(entry.id, b"" if body is None else body)

        def ended(how: str, *refs: str) -> Draft:
            header = Header(type="read", tier="automatic", called=True, disposition=how)
            return Draft(kind="decision", body=how.encode(), header=header, refs=refs, seal=True)

        with self.open_store(tmp_path) as ledger:
            ledger.transact([ended("answered") for _ in range(21_000)])
            wanted = {
                ledger.append(ended("shed")): b"shed",
                ledger.append(ended("answered", "x")): b"answered",
                ledger.append(Draft(kind="control", body=b"c")): b"c",
            }
            ledger.append(Draft(kind="note", body=b"n"))
            assert dict(ledger.view(Shed()).scan()) == wanted
            wanted[ledger.append(ended("failed"))] = b"failed"
            ledger.append(ended("held"))
            assert dict(ledger.view(Shed()).scan()) == wanted
            ledger.rebuild(Shed())
            assert dict(ledger.view(Shed()).scan()) == wanted

    def test_a_view_is_scanned_in_order_by_prefix_and_in_pieces(self, tmp_path: Path) -> None:
        """Forwards and backwards."""
        keys = [f"{letter}/{n:04}" for letter in "abc" for n in range(400)]

        class Keys:
            name, version, kinds = "keys", 1, frozenset({"keys"})

            def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
                for key in keys:
                    table.put(key, entry.kind.encode())
                table.put("zz", b"")
                table.delete("zz")
                assert [key for key, _ in table.scan("b/", limit=2)] == ["b/0000", "b/0001"]
                assert body is not None

        with self.open_store(tmp_path) as ledger:
            ledger.append(Draft(kind="keys", body=b""))
            view = ledger.view(Keys())
            assert [key for key, _ in view.scan()] == keys
            assert [key for key, _ in view.scan("b/")] == keys[400:800]
            assert [key for key, _ in view.scan("b/", after="b/0397")] == keys[798:800]
            assert [key for key, _ in view.scan("b/", reverse=True, limit=3)] == ["b/0399", "b/0398", "b/0397"]
            assert [key for key, _ in view.scan("b/", "b/0002", reverse=True)] == ["b/0001", "b/0000"]
            assert [key for key, _ in view.scan("b/", limit=0)] == []
            assert view.get("zz") is None
            assert view.get("c/0000") == b"keys"

    def test_a_kept_projection_moves_with_the_entries(self, tmp_path: Path) -> None:
        """In their transaction; and a fold that raises costs nobody an entry."""

        class Broken:
            name, version, kinds = "broken", 1, frozenset({"control"})

            def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
                table.put("before", b"")
                raise ArithmeticError(entry.id, body)

        with self.open_store(tmp_path) as ledger:
            ledger.keep(Broken())
            ledger.keep(Tally("control"))
            for n in range(10):
                ledger.append(Draft(kind="control", body=b"%d" % n))
            assert dict(ledger.view(Tally("control")).scan())["count/control"] == b"10"
            assert sum(1 for _ in ledger.entries(kinds=["control"])) == 10
            try:
                ledger.view(Broken())
            except ArithmeticError:
                pass
            else:
                raise AssertionError("the fold's own error was swallowed")
            ledger.append(Draft(kind="control", body=b"goes on"))

    # ── following ──

    def test_entries_of_every_process_are_followed_in_order(self, tmp_path: Path) -> None:
        """From the moment of asking, or from a position."""
        with self.open_store(tmp_path) as one, self.open_store(tmp_path) as two:
            early = one.append(Draft(kind="control", body=b"early"))
            seen: list[str] = []
            follower = two.follow(["control"], lambda entry: seen.append(entry.id), every_s=0.01)
            ids = [(one, two)[n % 2].append(Draft(kind="control", body=b"%d" % n)) for n in range(20)]
            one.append(decision())
            wait_until(lambda: len(seen) >= 20)
            follower.close()
            assert sorted(seen) == sorted(ids)
            for ledger in (0, 1):
                assert [id_ for id_ in seen if id_ in ids[ledger::2]] == ids[ledger::2]
            stream, _, seq = early.partition("-")
            later: list[str] = []
            follower = two.follow(
                ["control"], lambda entry: later.append(entry.id), every_s=0.01, after={stream: int(seq)}
            )
            wait_until(lambda: len(later) >= 20)
            follower.close()
            assert sorted(later) == sorted(ids)

    def test_what_was_written_just_before_a_stream_was_sealed_is_followed(self, tmp_path: Path) -> None:
        """Between two looks: a stream that was there before, and one that came and went."""
        with self.open_store(tmp_path) as ledger:
            seen: list[bytes] = []
            follower = ledger.follow(["control"], lambda entry: seen.append(entry.body), every_s=0.15)
            other = self.open_store(tmp_path)
            other.append(Draft(kind="control", body=b"1"))
            wait_until(lambda: seen == [b"1"])
            other.append(Draft(kind="control", body=b"2"))
            other.close()
            with self.open_store(tmp_path) as brief:
                brief.append(Draft(kind="control", body=b"3"))
            wait_until(lambda: seen == [b"1", b"2", b"3"])
            follower.close()

    def test_a_callback_that_raises_stops_nothing_and_is_reported(self, tmp_path: Path) -> None:
        """Later entries still arrive; `close` raises the first error."""
        with self.open_store(tmp_path) as ledger:
            seen: list[bytes] = []

            def callback(entry: Entry) -> None:
                seen.append(entry.body)
                if entry.body == b"1":
                    raise ArithmeticError("one")

            follower = ledger.follow(["control"], callback, every_s=0.01)
            for n in range(4):
                ledger.append(Draft(kind="control", body=b"%d" % n))
            wait_until(lambda: len(seen) == 4)
            assert isinstance(follower.error, ArithmeticError)
            try:
                follower.close()
            except ArithmeticError:
                pass
            else:
                raise AssertionError("the callback's error was swallowed")

    # ── personal data ──

    def test_a_sealed_body_opens_and_its_subject_is_a_pseudonym(self, tmp_path: Path) -> None:
        """One pseudonym per subject; without a subject, the stream's own key."""
        with self.open_store(tmp_path) as ledger:
            ids = ledger.transact([decision(b"secret", subject="claim-4711", seal=True)] * 3)
            plain = ledger.append(decision(b"open", subject="claim-4711"))
            nobody = ledger.append(decision(b"secret too", seal=True))
            entries = [ledger.get(id_) for id_ in (*ids, plain, nobody)]
            assert all(entry is not None for entry in entries)
            found = [entry for entry in entries if entry is not None]
            assert [ledger.body(entry) for entry in found] == [b"secret"] * 3 + [b"open", b"secret too"]
            assert all(b"secret" not in entry.body for entry in found)
            assert len({entry.body for entry in found[:3]}) == 3, "equal bodies must not look equal"
            assert len({entry.subject for entry in found[:4]}) == 1
            assert "4711" not in found[0].subject
            assert [ledger.subject_of(entry) for entry in found] == ["claim-4711"] * 4 + [None]
            assert [entry.id for entry in ledger.of_subject("claim-4711")] == [*ids, plain]

    def test_an_erased_subject_reads_erased_everywhere_and_every_proof_stays_good(self, tmp_path: Path) -> None:
        """In the process that erased, in one that had the key in memory, in views; the record names nobody."""
        with self.open_store(tmp_path) as one, self.open_store(tmp_path) as two:
            gone = two.append(Draft(kind="control", body=b"secret", subject="claim-4711", seal=True))
            stays = two.append(Draft(kind="control", body=b"other", subject="claim-4712", seal=True))
            entry = one.get(gone)
            assert entry is not None
            assert one.body(entry) == b"secret"
            record = one.get(one.erase("claim-4711", by="dpo@example.org", reason="asked for"))
            assert record is not None
            assert record.subject == entry.subject
            assert b"4711" not in record.body
            for ledger in (one, two):
                with refused(Erased):
                    ledger.body(entry)
                assert ledger.subject_of(entry) is None
            for ledger in (one, two):
                again = ledger.append(Draft(kind="control", body=b"new", subject="claim-4711", seal=True))
                fresh = ledger.get(again)
                assert fresh is not None
                assert fresh.subject != entry.subject, "a new key, and no link to the old one"
                assert ledger.body(fresh) == b"new"
            kept = two.get(stays)
            assert kept is not None
            assert two.body(kept) == b"other"
            view = dict(two.view(Tally("control")).scan())
            assert view["count/control"] == b"4"
            with refused(UsageError):
                one.erase("claim-9999", by="dpo@example.org", reason="never seen")
            check_trees(two)

    # ── checkpoints ──

    def test_a_checkpoint_records_every_stream_that_has_grown(self, tmp_path: Path) -> None:
        """Once; nothing new, no new entry."""
        with self.open_store(tmp_path) as one, self.open_store(tmp_path) as two:
            one.append(decision())
            two.append(decision())
            first = one.checkpoint()
            assert one.checkpoint() == first
            assert sum(1 for _ in two.entries(kinds=["checkpoint"])) == 1
            two.append(decision())
            later = one.checkpoint()
            assert later.size > first.size
            assert later.origin == first.origin
            root = one.reader.streams()[0]
            assert tree_root(one.reader.nodes(root.number), first.size) == first.root

    # ── life ──

    def test_a_closed_ledger_says_so(self, tmp_path: Path) -> None:
        """Every way of using it; closing twice is nothing."""
        ledger = self.open_store(tmp_path)
        ledger.append(decision())
        ledger.close()
        ledger.close()
        calls: list[Callable[[], object]] = [
            lambda: ledger.append(decision()),
            lambda: ledger.enqueue(decision()),
            lambda: asyncio.run(ledger.aappend(decision())),
            lambda: ledger.get(f"{'0' * 32}-0"),
            lambda: list(ledger.entries()),
            lambda: ledger.view(Tally()),
            lambda: ledger.follow(None, lambda _: None),
            ledger.flush,
            ledger.checkpoint,
        ]
        for call in calls:
            with refused(StoreClosed):
                call()

    def test_what_is_opened_for_reading_writes_nothing(self, tmp_path: Path) -> None:
        """And reads everything."""
        with self.open_store(tmp_path) as ledger:
            id_ = ledger.append(decision(b"x"))
            ledger.view(Tally("decision"))
        with self.open_store(tmp_path, read_only=True) as ledger:
            entry = ledger.get(id_)
            assert entry is not None
            assert ledger.body(entry) == b"x"
            assert dict(ledger.view(Tally("decision")).scan())["count/decision"] == b"1"
            for call in (lambda: ledger.append(decision()), lambda: ledger.enqueue(decision()), ledger.checkpoint):
                with refused(StoreReadOnly):
                    call()
