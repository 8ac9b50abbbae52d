"""Forks, event loops, interrupts, and an exit without closing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from plimsoll.ledger import Draft, Ledger, LedgerSettings, verify_ledger
from plimsoll.testing.store import check_trees, decision, wait_until


def fork() -> int:
    with warnings.catch_warnings():  # from Python 3.12 on: that threads do not follow into a child is what is tested
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked child and wait for it; its exit status."""
    pid = fork()
    if pid == 0:  # pragma: no cover - the child is not measured
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_writes_its_own_stream_and_the_parents_goes_on(place: Path | str) -> None:
    with Ledger.open(place) as ledger:
        before = ledger.append(decision(b"parent"))
        ledger.enqueue(decision(b"parent, enqueued"))

        def work() -> None:
            ledger.append(decision(b"child"))
            ledger.enqueue(decision(b"child, enqueued"))
            ledger.close()

        assert in_child(work) == 0
        after = ledger.append(decision(b"parent"))
        ledger.flush()
        assert after == before.replace("-0", "-1")
        bodies = sorted(entry.body for entry in ledger.entries(kinds=["decision"]))
        assert bodies == [b"child", b"child, enqueued", b"parent", b"parent", b"parent, enqueued"]
        check_trees(ledger)


def test_a_child_goes_on_when_its_parent_has_closed(place: Path | str) -> None:
    """The child holds the file by locks of its own: the parent, in closing, must not take the log for nobody's."""
    ledger = Ledger.open(place)
    ledger.append(decision(b"parent"))
    (from_child, to_parent), (from_parent, to_child) = os.pipe(), os.pipe()

    def work() -> None:
        ledger.append(decision(b"child, before"))
        os.write(to_parent, b"x")
        os.read(from_parent, 1)
        ledger.append(decision(b"child, after"))
        os.write(to_parent, b"x")
        os.read(from_parent, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    pid = fork()
    if pid == 0:  # pragma: no cover - the child is not measured
        work()
    os.read(from_child, 1)
    ledger.close()
    os.write(to_child, b"x")
    os.read(from_child, 1)
    with Ledger.open(place) as again:
        bodies = [entry.body for entry in again.entries(kinds=["decision"])]
        assert bodies == [b"parent", b"child, before", b"child, after"]
    os.write(to_child, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    with Ledger.open(place) as again:
        assert sum(1 for _ in again.entries(kinds=["decision"])) == 3
        check_trees(again)
    for handle in (from_child, to_parent, from_parent, to_child):
        os.close(handle)


def test_children_that_only_exit_disturb_nobody(place: Path | str) -> None:
    with Ledger.open(place) as ledger:
        ids = []
        for n in range(5):
            ids.append(ledger.append(decision(b"%d" % n)))
            assert in_child(lambda: None) == 0
            assert in_child(lambda: ledger.get(ids[0])) == 0
        assert [entry.id for entry in ledger.entries(kinds=["decision"])] == ids
        check_trees(ledger)


def test_a_fork_in_the_middle_of_writing_leaves_both_sides_whole(place: Path | str) -> None:
    ledger = Ledger.open(place, settings=LedgerSettings(flush_ms=1))
    stop = threading.Event()
    count = [0, 0, 0]

    def threads(which: int) -> None:
        while not stop.is_set():
            ledger.append(decision(b"thread %d" % which))
            count[which] += 1

    def enqueue() -> None:
        while not stop.is_set():
            ledger.enqueue(decision(b"enqueued"))
            count[2] += 1
            time.sleep(0.0001)

    workers = [threading.Thread(target=threads, args=(n,)) for n in range(2)] + [threading.Thread(target=enqueue)]
    for worker in workers:
        worker.start()

    def work() -> None:
        for n in range(3):
            ledger.append(decision(b"child %d" % n))
        ledger.close()

    statuses = [in_child(work) for _ in range(15)]
    stop.set()
    for worker in workers:
        worker.join()
    ledger.close()
    assert statuses == [0] * 15
    with Ledger.open(place) as again:
        bodies = [entry.body for entry in again.entries(kinds=["decision"])]
        assert sum(body.startswith(b"child") for body in bodies) == 45
        assert sum(body.startswith(b"thread") for body in bodies) == count[0] + count[1]
        assert sum(body == b"enqueued" for body in bodies) == count[2]
        check_trees(again)


def test_a_follower_goes_on_in_a_forked_child(place: Path | str) -> None:
    with Ledger.open(place) as ledger:
        seen: list[bytes] = []
        follower = ledger.follow(["control"], lambda entry: seen.append(entry.body), every_s=0.01)

        def work() -> None:
            ledger.append(Draft(kind="control", body=b"by the child"))
            wait_until(lambda: b"by the child" in seen)

        assert in_child(work) == 0
        wait_until(lambda: seen == [b"by the child"])
        follower.close()


def test_it_works_inside_a_running_event_loop(place: Path | str) -> None:
    async def work() -> None:
        with Ledger.open(place) as ledger:
            ids = [ledger.append(decision(b"blocking")), await ledger.aappend(decision(b"awaited"))]
            ids += await asyncio.gather(*[ledger.aappend(decision(b"%d" % n)) for n in range(10)])
            assert [entry.id for entry in ledger.entries(kinds=["decision"])] == ids

    asyncio.run(work())


def test_a_cancelled_call_leaves_the_others_alone(place: Path | str) -> None:
    async def work() -> list[object]:
        calls = [asyncio.ensure_future(ledger.aappend(decision(b"%d" % n))) for n in range(10)]
        await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()
        return await asyncio.gather(*calls, return_exceptions=True)

    with Ledger.open(place) as ledger:
        outcome = asyncio.run(work())
        assert [isinstance(got, asyncio.CancelledError) for got in outcome] == [n % 3 == 0 for n in range(10)]
        stored = {entry.id for entry in ledger.entries(kinds=["decision"])}
        assert {got for got in outcome if isinstance(got, str)} <= stored
        check_trees(ledger)


_INTERRUPTED = """
import json, os, signal, sys, threading, time
from plimsoll.ledger import Draft, Ledger

ledger = Ledger.open(sys.argv[1])
acknowledged, interrupts = [], 0
begun, stop = threading.Event(), threading.Event()
others = []

def other():
    while not stop.is_set():
        others.append(ledger.append(Draft(kind="other", body=b"x")))

threads = [threading.Thread(target=other) for _ in range(2)]
for thread in threads:
    thread.start()

def storm():
    begun.wait()  # or else an interrupt would meet the start of this very thread
    for n in range(150):
        time.sleep(0.002 + (n % 7) * 0.0007)
        before, until = interrupts, time.monotonic() + 0.5
        os.kill(os.getpid(), signal.SIGINT)
        # One at a time: a second one must not meet the handling of the first.
        while interrupts == before and time.monotonic() < until:
            time.sleep(0.0005)
    stop.set()

stormer = threading.Thread(target=storm)
stormer.start()
n = 0
while not stop.is_set():
    try:
        begun.set()
        while not stop.is_set():
            acknowledged.append((ledger.append(Draft(kind="main", body=b"%d" % n)), n))
            n += 1
    except KeyboardInterrupt:
        interrupts += 1
        n += 1
for thread in (stormer, *threads):
    thread.join()
signal.signal(signal.SIGINT, signal.SIG_IGN)
ledger.close()
print(json.dumps({"acknowledged": acknowledged, "others": others, "interrupts": interrupts}))
"""


def test_an_interrupt_at_any_moment_loses_nothing_acknowledged_and_blocks_nobody(place: Path | str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, str(place)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["interrupts"] > 100
    with Ledger.open(place) as ledger:
        stored = {entry.id: entry.body for entry in ledger.entries(kinds=["main", "other"])}
        assert all(stored[id_] == b"%d" % n for id_, n in told["acknowledged"])
        assert all(stored[id_] == b"x" for id_ in told["others"])
        assert len(told["others"]) == sum(body == b"x" for body in stored.values()), "of the others, none is doubled"
        assert len({body for body in stored.values() if body != b"x"}) == sum(b != b"x" for b in stored.values())
        check_trees(ledger)


def test_a_process_that_forgets_to_close_still_writes_and_seals(place: Path | str) -> None:
    script = (
        "import sys; from plimsoll.ledger import Ledger, Draft\n"
        "ledger = Ledger.open(sys.argv[1]); ledger.append(Draft(kind='note', body=b'1'))\n"
        "print(ledger.enqueue(Draft(kind='note', body=b'2')))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(place)], capture_output=True, text=True, check=True)
    with Ledger.open(place, read_only=True) as ledger:
        assert ledger.get(done.stdout.strip()) is not None
        assert sum(1 for _ in ledger.entries(kinds=["stream.sealed"])) == 2
        assert not list(ledger.entries(kinds=["gap"]))


def test_a_terminated_process_is_sealed_by_the_next(place: Path | str) -> None:
    script = (
        "import sys, time; from plimsoll.ledger import Ledger, Draft\n"
        "ledger = Ledger.open(sys.argv[1]); print(ledger.append(Draft(kind='note', body=b'1')), flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(place)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        id_ = process.stdout.readline().strip()
        with Ledger.open(place) as ledger:
            assert not list(ledger.entries(kinds=["stream.sealed"])), "it is alive"
        process.send_signal(signal.SIGKILL)
    with Ledger.open(place) as ledger:
        assert sum(1 for _ in ledger.entries(kinds=["stream.sealed"])) == 1
        assert ledger.get(id_) is not None
        check_trees(ledger)


class FailingClock:
    """A clock that fails at one of its readings."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self) -> int:
        self._left -= 1
        if self._left == 0:
            raise ArithmeticError("the clock failed")
        return time.time_ns()


def test_a_failure_at_any_step_leaves_no_half_opened_stream(tmp_path: Path) -> None:
    failures = 0
    for at in range(1, 12):
        path = tmp_path / f"{at}.db"
        try:
            ledger = Ledger.open(path, clock=FailingClock(at))
        except ArithmeticError:
            continue
        for write in (ledger.append, ledger.enqueue, ledger.append):
            try:
                write(decision(subject="s", seal=True))
            except ArithmeticError:
                failures += 1
        try:
            ledger.checkpoint()
            ledger.flush()
            ledger.close()
        except ArithmeticError:
            failures += 1
            ledger.close()
        with Ledger.open(path) as again:
            for entry in again.entries(kinds=["decision"]):
                assert again.body(entry) == b"{}"
            registered = sum(1 for _ in again.entries(kinds=["stream.opened"]))
            assert registered == len(again.reader.streams()) - 1
            check_trees(again)
        assert verify_ledger(path).ok
    assert failures > 4
