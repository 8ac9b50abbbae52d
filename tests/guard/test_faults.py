"""With its target down, slow, erring or hanging, every call ends in time with an answer or a clear refusal, on record.

In time is the deadline and 50 ms, and what the machine took meanwhile. A control loop sees that: a process of its own that
waits a millisecond and commits a row to the same disk, over and over, and that reads from the kernel how long our threads
were ready to run while somebody else did. On a machine that is at rest it is next to nothing.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from guard.scripted import GOOD, Scripted, takes

from plimsoll.guard import BreakerRule, Constant, Hold, RetryRule, TargetFault
from plimsoll.model.decision import Disposition

DEADLINE_S = 0.08
LATE_S = 0.05
CALLERS = 16
CLEAR = {"", "deadline", "no-room", "breaker-open", "target-unavailable", "target-error", "target-timeout"}
RETRY = RetryRule(attempts=3, on=frozenset({"unavailable", "error", "timeout"}), idempotent=True)
BREAKER = BreakerRule(share=0.5, of=20, half_open_after_s=0.01)  # so quick that it opens and closes many times in a run
ALL = {"retry": RETRY, "breaker": BREAKER}
STALLED_S = 0.005  # a turn of the control loop takes some two milliseconds; one that takes longer than this was stalled


class Target:
    """Fails in its own way, in a thread or on a loop."""

    destination = ""
    name = "failing"

    def __init__(self, is_async):
        self.is_async = is_async
        self.calls = 0
        self._chance = random.Random(11)
        self._lock = threading.Lock()

    def ask(self, _):
        with self._lock:
            self.calls += 1
            chance = self._chance.random()
        return self.later(chance) if self.is_async else self.now(chance)

    def close(self): ...


class Down(Target):
    """Nobody listens at its address."""

    def __init__(self, is_async):
        super().__init__(is_async)
        with contextlib.closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            self.at = taken.getsockname()

    def now(self, _):
        socket.create_connection(self.at)

    async def later(self, _):
        await asyncio.open_connection(*self.at)


class Slow(Target):
    """Half of its answers come too late."""

    def now(self, chance):
        time.sleep(2 * DEADLINE_S * chance)
        return {"amount": 1}

    async def later(self, chance):
        await asyncio.sleep(2 * DEADLINE_S * chance)
        return {"amount": 1}


class Erring(Target):
    """Every second call fails."""

    def now(self, chance):
        if chance < 0.5:
            raise TargetFault("error", "out of order")
        return {"amount": 1}

    async def later(self, chance):
        return self.now(chance)


class Hanging(Target):
    """It accepts, and never answers."""

    def __init__(self, is_async):
        super().__init__(is_async)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def now(self, _):
        with contextlib.closing(socket.create_connection(self.server.getsockname())) as asked:
            return asked.recv(1)

    async def later(self, _):
        reader, writer = await asyncio.open_connection(*self.server.getsockname())
        try:
            return await reader.read(1)
        finally:
            writer.close()

    def close(self):
        self.server.close()  # whoever still waits is told that nobody is there


CONTROL = """
import glob, os, sqlite3, sys, threading, time

def waited(watched):
    total = 0
    for name in glob.glob(f"/proc/{watched}/task/*/schedstat"):
        try:
            with open(name) as file:
                total += int(file.read().split()[1])
        except (OSError, IndexError):
            pass  # the thread has ended
    return total

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
con = sqlite3.connect(sys.argv[1], isolation_level=None)
con.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x)")
before = waited(sys.argv[2])
while True:
    began = time.perf_counter_ns()
    time.sleep(0.001)
    con.execute("INSERT INTO t VALUES (zeroblob(1000))")
    now = waited(sys.argv[2])
    os.write(1, b"%d %d %d\\n" % (began, time.perf_counter_ns(), max(0, now - before)))
    before = now
"""


class Control:
    """What the machine did meanwhile: to a loop that waits and writes, and to our own threads that were ready to run."""

    def __init__(self, folder):
        self._loop = subprocess.Popen(
            [sys.executable, "-c", CONTROL, folder / "control.db", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._loop.stdout.readline()
        self._turns = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        self._turns.extend(tuple(map(int, line.split())) for line in self._loop.stdout)

    def end(self):
        self._loop.stdin.close()
        self._loop.wait(timeout=10)
        self._reader.join(timeout=10)
        self._loop.stdout.close()

    def stalled_s(self, began, ended):
        """Seconds of stalls that overlap a time; of a turn that is half outside it, all."""
        meanwhile = [turn for turn in self._turns if turn[0] < ended and turn[1] > began]
        loop = sum(t1 - t0 for t0, t1, _ in meanwhile if t1 - t0 > STALLED_S * 1e9)
        return (loop + sum(waited for _, _, waited in meanwhile)) / 1e9


@pytest.fixture
def control(tmp_path):
    made = Control(tmp_path)
    yield made
    made.end()


def from_threads(guard, calls):
    ended, numbers = [], itertools.count()

    def caller():
        while next(numbers) < calls:
            began = time.perf_counter_ns()
            answer = guard.decide("read", GOOD)
            ended.append((began, time.perf_counter_ns(), answer))

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def on_a_loop(guard, calls):
    ended, numbers = [], itertools.count()

    async def caller():
        while next(numbers) < calls:
            began = time.perf_counter_ns()
            answer = await guard.adecide("read", GOOD)
            ended.append((began, time.perf_counter_ns(), answer))

    async def all_of_them():
        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    asyncio.run(all_of_them())
    return ended


def check(ended, calls, path, control):
    """Every call ended, in time, clearly; and the file holds exactly what the callers were told."""
    control.end()
    late = []
    for began, until, _ in ended:
        over_s = (until - began) / 1e9 - DEADLINE_S - LATE_S
        if over_s > 0 and over_s > control.stalled_s(began, until):
            late.append(round(over_s * 1000, 1))
    assert late == [], f"{len(late)} of {calls} were late, by so many ms"
    answers = [answer for _, _, answer in ended]
    assert len(answers) == calls == len({answer.record for answer in answers})
    assert {answer.why for answer in answers} <= CLEAR
    for answer in answers:
        assert (answer.output is not None) == (answer.disposition is Disposition.ANSWERED)
        assert answer.disposition is Disposition.ANSWERED or answer.next
    told = collections.Counter(answer.disposition.value for answer in answers)
    with contextlib.closing(sqlite3.connect(path)) as con:
        kept = dict(con.execute("SELECT disposition, count(*) FROM entries WHERE kind='decision' GROUP BY 1"))
    assert kept == told, "stored is made"
    assert sum(told.values()) == calls
    return told


def run(open_guard, tmp_path, control, fault, way, calls, **rules):
    target = fault(is_async=rules.pop("is_async"))
    guard = open_guard(target, deadline_s=DEADLINE_S, **rules)
    try:
        ended = (from_threads if way == "threads" else on_a_loop)(guard, calls)
    finally:
        target.close()
    return target, check(ended, calls, tmp_path / "ledger.db", control)


FAULTS = [Down, Slow, Erring, Hanging]
WAYS = ["threads", "loop"]


def named(fault):
    return fault.__name__.lower()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_every_call_ends_in_time_and_on_record(open_guard, tmp_path, control, fault, way):
    """A synchronous target from threads, an asynchronous one on a loop, with all rules on."""
    run(open_guard, tmp_path, control, fault, way, 1000, is_async=way == "loop", **ALL)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [Down, Erring], ids=named)
def test_also_where_every_call_goes_to_the_target_and_is_tried_again(open_guard, tmp_path, control, fault, way):
    target, told = run(open_guard, tmp_path, control, fault, way, 1000, is_async=way == "loop", retry=RETRY)
    assert target.calls >= 1000
    assert (told["answered"] > 400) is (fault is Erring)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [Slow, Hanging], ids=named)
def test_also_where_nothing_but_the_deadline_protects_it(open_guard, tmp_path, control, fault, way):
    """A synchronous target, also on a loop: what hangs takes all places, and the rest is told that there is no room."""
    _, told = run(open_guard, tmp_path, control, fault, way, 1000, is_async=False)
    assert fault is Slow or (told["failed"], told["shed"]) == (16, 984)


@pytest.mark.parametrize("fault", [Down, Hanging], ids=named)
def test_an_open_breaker_cuts_calls_to_the_dead_target_by_95_in_100(open_guard, tmp_path, control, fault):
    target, told = run(
        open_guard, tmp_path, control, fault, "threads", 1000, is_async=False,
        breaker=BreakerRule(share=0.5, of=20, half_open_after_s=60.0),
    )  # fmt: skip
    assert target.calls <= 10 + CALLERS
    assert told["shed"] >= 0.95 * (1000 - 10 - CALLERS)


def test_what_stands_in_answers_every_call_that_the_target_does_not(open_guard, tmp_path, control):
    _, told = run(
        open_guard, tmp_path, control, Down, "threads", 1000, is_async=False,
        fallback=(Constant(output={"amount": 0}), Hold()), **ALL,
    )  # fmt: skip
    assert told == {"answered": 1000}


@pytest.mark.alone
def test_a_call_that_comes_too_late_is_noticed(open_guard, tmp_path, control):
    """So that the others can fail: here nothing bounds the wait."""
    guard = open_guard(Scripted(takes(3.0)))
    ended = from_threads(guard, 1)
    with pytest.raises(AssertionError, match="1 of 1 were late"):
        check(ended, 1, tmp_path / "ledger.db", control)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_ten_thousand_calls_of_ten_thousand(open_guard, tmp_path, control, fault, way, is_async):
    run(open_guard, tmp_path, control, fault, way, 10_000, is_async=is_async, **ALL)
