"""Beyond its limits a guard says no at once, clearly, and on record: for synchronous and asynchronous targets alike."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from guard.scripted import GOOD, Gate, Scripted, takes, wait_until

from plimsoll.errors import UsageError
from plimsoll.guard import CallRules
from plimsoll.model.decision import Disposition

ANSWERED, SHED, FAILED = Disposition.ANSWERED, Disposition.SHED, Disposition.FAILED
SLACK_S = 0.5


class AsyncGate:
    """An asynchronous target in which everybody stays until it is opened."""

    destination = ""
    name = "gate"
    is_async = True

    def __init__(self):
        self.inside = self.most = 0
        self.open = asyncio.Event()

    async def ask(self, _):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1
        return 1

    def close(self): ...


@pytest.mark.parametrize("deadline_s", [None, 10.0])
def test_a_synchronous_target_takes_so_many_and_lets_so_many_wait(open_guard, record_of, deadline_s):
    gate, answers = Gate(), []
    guard = open_guard(gate, concurrency=2, queue=3, deadline_s=deadline_s)
    threads = [threading.Thread(target=lambda: answers.append(guard.decide("read", GOOD))) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: guard.health().targets[0].waiting == 3)
    began = time.monotonic()
    shed = guard.decide("read", GOOD)
    assert time.monotonic() - began < SLACK_S, "at once"
    assert (shed.disposition, shed.why, shed.output) == (SHED, "no-room", None)
    assert shed.retry_after_s >= 0.1
    assert f"try again in {shed.retry_after_s:g} s" in shed.next
    record, entry = record_of(shed)
    assert (entry.header.disposition, entry.header.called) == ("shed", False)
    assert [(s.name, s.why, s.attempts) for s in record.steps] == [("live", "no-room", 0)]
    gate.open.set()
    for thread in threads:
        thread.join()
    assert [a.disposition for a in answers] == [ANSWERED] * 5
    assert gate.calls == 5
    assert sum(record_of(a)[0].waited_us > 0 for a in answers) == 3, "those who waited, and not as time of the guard"
    assert all(record_of(a)[0].guard_us < 100_000 for a in answers)


@pytest.mark.parametrize("deadline_s", [None, 10.0])
def test_an_asynchronous_target_too(open_guard, deadline_s):
    async def go():
        gate = AsyncGate()
        guard = open_guard(gate, concurrency=2, queue=3, deadline_s=deadline_s)
        tasks = [asyncio.create_task(guard.adecide("read", GOOD)) for _ in range(12)]
        ended = asyncio.Semaphore(0)
        for task in tasks:
            task.add_done_callback(lambda _: ended.release())
        for _ in range(7):
            await ended.acquire()
        assert (gate.inside, guard.health().targets[0].waiting) == (2, 3)
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        return gate.most, [a.disposition for a in answers]

    most, ended = asyncio.run(go())
    assert (most, ended.count(ANSWERED), ended.count(SHED)) == (2, 5, 7)


def test_threads_and_loops_share_one_limit(open_guard):
    gate = Gate()
    guard = open_guard(gate, concurrency=1, queue=1, deadline_s=10.0)
    thread = threading.Thread(target=guard.decide, args=("read", GOOD))
    thread.start()
    wait_until(lambda: gate.inside)

    async def go():
        waits = asyncio.create_task(guard.adecide("read", GOOD))
        await asyncio.sleep(0.01)
        shed = await guard.adecide("read", GOOD)
        gate.open.set()
        return (await waits).disposition, shed.disposition

    assert asyncio.run(go()) == (ANSWERED, SHED)
    thread.join()


@pytest.mark.parametrize("way", ["thread", "loop"])
def test_a_deadline_that_passes_while_waiting_is_no_room_and_no_failure(open_guard, record_of, way):
    gate = Gate()
    guard = open_guard(gate, concurrency=1, queue=5, deadline_s=0.1)
    thread = threading.Thread(target=guard.decide, args=("read", GOOD))
    thread.start()
    wait_until(lambda: gate.inside)
    began = time.monotonic()
    answer = guard.decide("read", GOOD) if way == "thread" else asyncio.run(guard.adecide("read", GOOD))
    assert time.monotonic() - began < 0.1 + SLACK_S
    gate.open.set()
    thread.join()
    assert (answer.disposition, answer.why) == (SHED, "no-room")
    assert not record_of(answer)[1].header.called
    assert gate.calls == 1


def test_a_thread_that_is_stuck_keeps_its_place(open_guard):
    """Nobody waits for it any more; it is in there all the same, and one more would be one too many."""
    gate = Gate()
    guard = open_guard(gate, concurrency=2, queue=0, deadline_s=0.05)
    assert [guard.decide("read", GOOD).why for _ in range(2)] == ["deadline"] * 2
    assert guard.health().targets[0].inside == 2
    assert [guard.decide("read", GOOD).why for _ in range(5)] == ["no-room"] * 5
    assert (gate.inside, gate.calls) == (2, 2)
    gate.open.set()
    wait_until(lambda: guard.health().targets[0].inside == 0)
    assert guard.decide("read", GOOD).disposition is ANSWERED


def test_so_does_an_asynchronous_one_that_will_not_be_cancelled(open_guard):
    async def stubborn(_):
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    guard = open_guard(stubborn, concurrency=1, queue=0, deadline_s=0.05)
    assert guard.decide("read", GOOD).why == "deadline"
    assert [guard.decide("read", GOOD).why for _ in range(3)] == ["no-room"] * 3
    wait_until(lambda: guard.health().targets[0].inside == 0)


def test_places_come_back_whatever_became_of_the_call(open_guard):
    outcomes = [RuntimeError("no"), SystemExit(3), lambda _: object(), takes(0.05), 1] * 4
    guard = open_guard(Scripted(*outcomes), concurrency=3, queue=0, deadline_s=0.02)
    for _ in range(20):
        wait_until(lambda: guard.health().targets[0].inside < 3)
        guard.decide("read", GOOD)
    wait_until(lambda: guard.health().targets[0].inside == 0)


def test_who_may_wait_follows_from_how_many_may_be_inside():
    assert [CallRules(concurrency=n).most_waiting for n in (1, 16)] == [4, 64]
    assert CallRules(concurrency=16, queue=0).most_waiting == 0


def test_a_key_whose_decision_was_shed_is_free_for_the_next_try(open_guard, ledger):
    """Whoever is told to try again later does so under the same key: it must not give "no room" for a day."""
    gate = Gate()
    guard = open_guard(gate, concurrency=1, queue=0, deadline_s=5.0)
    thread = threading.Thread(target=guard.decide, args=("read", GOOD))
    thread.start()
    wait_until(lambda: gate.inside)
    shed = guard.decide("read", GOOD, key="k")
    assert (shed.disposition, ledger.get(shed.record).header.disposition) == (SHED, "shed")
    gate.open.set()
    thread.join()
    again = guard.decide("read", GOOD, key="k")
    assert (again.disposition, again.replayed) == (ANSWERED, False)
    assert guard.decide("read", GOOD, key="k").replayed
    with pytest.raises(UsageError):
        guard.decide("read", {**GOOD, "amount": 1}, key="k")


def test_a_flood_is_recorded_to_the_last_call(open_guard, ledger):
    """Many more callers than there is room for: offered is the sum of the dispositions, and all of it is in the file."""
    guard = open_guard(takes(0.003), concurrency=2, queue=4, deadline_s=0.5)
    ended = []

    def caller():
        ended.extend(guard.decide("read", GOOD) for _ in range(20))

    threads = [threading.Thread(target=caller) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [a.disposition.value for a in ended]
    kept = [e.header.disposition for e in ledger.entries(kinds=("decision",))]
    assert len(ended) == 480
    assert sorted(told) == sorted(kept)
    assert told.count("shed") > 100
    assert told.count("answered") > 20
