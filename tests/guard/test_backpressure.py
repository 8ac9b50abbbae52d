"""A full, locked or slow store holds callers up or refuses them: no record is dropped, and nothing leaves unrecorded."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time

import pytest
from guard.scripted import GOOD, Scripted, takes
from ledger.test_store_errors import held_elsewhere, small_disk

from plimsoll.errors import StoreError, StoreFull, StoreLocked
from plimsoll.ledger import Ledger, LedgerSettings
from plimsoll.model.decision import Disposition

LARGE = {**GOOD, "note": "x" * 20_000}


def many(guard, given, callers=8, calls=10):
    """What each of many calls came to: an answer, or the error that it got."""
    ended = []

    def caller():
        for _ in range(calls):
            try:
                ended.append(guard.decide("read", given))
            except StoreError as error:
                ended.append(error)

    threads = [threading.Thread(target=caller) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def many_on_a_loop(guard, given, calls=80):
    async def go():
        ended = []
        for _ in range(0, calls, 10):  # all at once would be one group, and the disk be full for all of them
            ten = (guard.adecide("read", given) for _ in range(10))
            ended += await asyncio.gather(*ten, return_exceptions=True)
        return ended

    return asyncio.run(go())


def check(ledger, ended):
    """Every answer has its record, and whoever got none was told so."""
    answers = [end for end in ended if not isinstance(end, Exception)]
    errors = [end for end in ended if isinstance(end, Exception)]
    assert all(isinstance(error, StoreError) for error in errors)
    kept = {entry.id: entry for entry in ledger.entries(kinds=("decision",))}
    assert {answer.record for answer in answers} <= set(kept)
    assert all(kept[a.record].header.disposition == a.disposition.value for a in answers)
    return answers, errors, kept


@pytest.mark.parametrize("calls", [many, many_on_a_loop])
def test_on_a_full_disk_no_answer_leaves_without_its_record(open_guard_on, tmp_path, calls):
    with small_disk(tmp_path / "disk") as remount:
        path = tmp_path / "disk" / "ledger.db"
        with Ledger.open(path) as ledger:
            target = Scripted({"amount": 1})
            guard = open_guard_on(ledger, target, deadline_s=5.0)
            ended = calls(guard, LARGE)
            answers, errors, kept = check(ledger, ended)
            assert len(answers) + len(errors) == 80
            assert answers, "there was some space"
            assert errors, "and then there was none"
            assert {type(error) for error in errors} == {StoreFull}
            assert all("space" in error.fix for error in errors)
            assert len(kept) == len(answers), "what was refused is not in there half"
            remount("size=64m")
            assert guard.decide("read", LARGE).disposition is Disposition.ANSWERED
            guard.close()


def test_batched_on_a_full_disk_callers_wait_and_are_told_and_what_was_taken_is_written_later(open_guard_on, tmp_path):
    with small_disk(tmp_path / "disk") as remount:
        path = tmp_path / "disk" / "ledger.db"
        with Ledger.open(path, settings=LedgerSettings(waiting=10)) as ledger:
            guard = open_guard_on(ledger, Scripted({"amount": 1}), batched=True)
            ended = many(guard, LARGE, callers=4, calls=60)
            answers = [end for end in ended if not isinstance(end, Exception)]
            errors = [end for end in ended if isinstance(end, Exception)]
            assert len(ended) == 240
            assert {type(error) for error in errors} == {StoreFull}
            assert "no space" in guard.health().trouble or "full" in guard.health().trouble
            remount("size=64m")
            ledger.flush()
            kept = {entry.id for entry in ledger.entries(kinds=("decision",))}
            assert kept == {answer.record for answer in answers}, "taken in is written, refused is not"
            guard.close()


def test_while_another_process_holds_the_file_callers_wait(open_guard_on, tmp_path):
    path = tmp_path / "ledger.db"
    with Ledger.open(path, settings=LedgerSettings(busy_s=10.0)) as ledger:
        guard = open_guard_on(ledger, Scripted({"amount": 1}), deadline_s=0.2)
        holds, began = threading.Event(), time.monotonic()

        def hold():
            with held_elsewhere(path):
                holds.set()
                time.sleep(0.5)

        thread = threading.Thread(target=hold)
        thread.start()
        holds.wait()
        answers, errors, kept = check(ledger, many(guard, GOOD))
        thread.join()
        assert time.monotonic() - began >= 0.5
        assert (len(answers), errors, len(kept)) == (80, [], 80)
        assert all(answer.disposition is Disposition.ANSWERED for answer in answers)
        guard.close()


@pytest.mark.parametrize("calls", [many, many_on_a_loop])
def test_when_it_is_held_too_long_they_are_told_and_nothing_leaves(open_guard_on, tmp_path, calls):
    path = tmp_path / "ledger.db"
    with Ledger.open(path, settings=LedgerSettings(busy_s=0.02)) as ledger:
        guard = open_guard_on(ledger, Scripted({"amount": 1}))
        guard.decide("read", GOOD)
        with held_elsewhere(path):
            ended = calls(guard, GOOD)
        _, errors, kept = check(ledger, ended)
        assert (len(errors), len(kept)) == (80, 1)
        assert {type(error) for error in errors} == {StoreLocked}
        assert all("another process" in error.message for error in errors)
        assert guard.decide("read", GOOD).disposition is Disposition.ANSWERED
        guard.close()


def test_a_slow_disk_slows_callers_and_drops_nothing(open_guard_on, tmp_path):
    """Somebody else takes the file for 30 of every 40 milliseconds."""
    path = tmp_path / "ledger.db"
    stop = threading.Event()

    def hog():
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as con:
            while not stop.is_set():
                con.execute("BEGIN IMMEDIATE")
                time.sleep(0.03)
                con.execute("ROLLBACK")
                time.sleep(0.01)

    with Ledger.open(path, settings=LedgerSettings(busy_s=20.0)) as ledger:
        guard = open_guard_on(ledger, takes(0.001), concurrency=2, queue=4, deadline_s=0.5)
        thread = threading.Thread(target=hog)
        thread.start()
        try:
            ended = [*many(guard, GOOD, callers=16, calls=10), *many_on_a_loop(guard, GOOD)]
        finally:
            stop.set()
            thread.join()
        answers, errors, kept = check(ledger, ended)
        assert (len(answers), errors) == (240, [])
        assert len(kept) == 240, "stored is made"
        told = sorted(answer.disposition.value for answer in answers)
        assert told == sorted(entry.header.disposition for entry in kept.values())
        guard.close()


@pytest.fixture
def open_guard_on(open_guard):
    """A guard over another ledger than the one of the fixture."""

    def make(ledger, target, **more):
        return open_guard(target, ledger=ledger, **more)

    return make
