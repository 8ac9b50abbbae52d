"""Calling the target: nobody waits longer than was said, and nothing that a target does can end us."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import sys
import threading
import time

import pytest
from assess.a_system import run_python

from plimsoll.guard.call import Called
from plimsoll.guard.intake import Intake
from plimsoll.guard.lane import Lane
from plimsoll.guard.passage import NS, Passage, Trial
from plimsoll.guard.settings import CallRules
from plimsoll.guard.target import PythonTarget, TargetFault, as_result, load_python_target
from plimsoll.guard.ways import FROM_THREAD, ON_LOOP, finish
from plimsoll.model.decision import Result

SLACK_S = 0.5  # a loaded machine; deadlines here are far below it


class Asker:
    """A lane without any rules but its room, asked one record at a time."""

    def __init__(self, target, deadline_s, **rules):
        target = target if hasattr(target, "ask") else PythonTarget(target, "t")
        self.lane = Lane(target, CallRules(**rules), changed=print, chance=lambda: 0.5)
        self.deadline_s = deadline_s

    def call(self, record):
        return finish(self.lane.ask(self.passage(record), Trial(name="live", started=NS()), FROM_THREAD))

    async def acall(self, record):
        return await self.lane.ask(self.passage(record), Trial(name="live", started=NS()), ON_LOOP)

    def passage(self, record):
        until = None if self.deadline_s is None else NS() + int(self.deadline_s * 1e9)
        return Passage(
            type="read", kind=None, source="", subject=None, key="", replay_of="", started=NS(), until=until,
            intake=Intake(value=record), value=record,
        )  # fmt: skip

    @property
    def threads(self):
        return self.lane._caller._pool.threads


@pytest.fixture
def caller():
    made = []

    def make(target, deadline_s=None, concurrency=4, **rules):
        made.append(Asker(target, deadline_s, concurrency=concurrency, **rules))
        return made[-1]

    yield make
    for one in made:
        one.lane.close()


def timed(call):
    began = time.monotonic()
    called = call()
    return called, time.monotonic() - began


class TestFromAThread:
    def test_without_a_deadline_it_runs_right_here(self, caller):
        assert caller(lambda _: threading.get_ident()).call(1).returned == threading.get_ident()

    def test_with_one_it_runs_in_a_thread_of_ours(self, caller):
        called = caller(lambda _: threading.current_thread().name, deadline_s=5.0).call(1)
        assert called.returned == "plimsoll-target"
        assert called.ns > 0

    def test_the_wait_ends_at_the_deadline(self, caller):
        called, took = timed(lambda: caller(lambda _: time.sleep(2), deadline_s=0.05).call(1))
        assert called.why == "deadline"
        assert 0.05 <= took < 0.05 + SLACK_S
        assert called.ns >= 0.05 * 1e9

    def test_the_pool_is_bounded_and_said_to_be_full(self, caller):
        inside, gate = [], threading.Event()

        def target(n):
            inside.append(n)
            gate.wait(5)

        mine = caller(target, deadline_s=0.05, concurrency=2)
        assert [mine.call(n).why for n in range(5)] == ["deadline", "deadline", "no-room", "no-room", "no-room"]
        assert mine.threads == 2
        gate.set()

    def test_a_job_that_never_began_is_taken_back(self, caller):
        inside, gate = [], threading.Event()

        def target(n):
            inside.append(n)
            gate.wait(5)

        mine = caller(target, deadline_s=0.05, concurrency=1)
        for n in range(4):
            mine.call(n)
        gate.set()
        assert mine.call("after").why in {"", "no-room"}
        assert set(inside) <= {0, "after"}, "nobody waits for 1, 2 and 3 any more"

    def test_room_comes_back_when_the_target_ends(self, caller):
        mine = caller(time.sleep, deadline_s=0.05, concurrency=1)
        assert mine.call(0.2).why == "deadline"
        assert mine.call(0.0).why == "no-room"
        time.sleep(0.25)
        assert mine.call(0.0).why == ""

    def test_beyond_its_queue_it_says_so_at_once(self, caller):
        gate = threading.Event()
        mine = caller(lambda _: gate.wait(10), deadline_s=5.0, concurrency=1, queue=2)
        threads = [threading.Thread(target=mine.call, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 2
        while mine.lane.room.waiting < 2 and time.monotonic() < until:
            time.sleep(0.001)
        called, took = timed(lambda: mine.call(0))
        assert (called.why, called.asked) == ("no-room", False)
        assert called.retry_after_s > 0
        assert took < SLACK_S
        gate.set()
        for thread in threads:
            thread.join()

    def test_many_callers_at_once_each_get_their_own_answer(self, caller):
        mine = caller(lambda n: n * n, deadline_s=10.0, concurrency=3)
        answers = {}

        def ask(base):
            for n in range(base, base + 200):
                answers[n] = mine.call(n).returned

        threads = [threading.Thread(target=ask, args=(k * 200,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {n: n * n for n in range(1600)}
        assert mine.threads <= 3

    def test_no_job_is_forgotten_when_some_are_given_up(self, caller):
        """Callers that give up and callers that stay, mixed: whoever stays is answered."""
        mine = caller(time.sleep, deadline_s=0.05, concurrency=2)
        ended = []

        def ask(k):
            ended.extend(mine.call(0.08 if (k + n) % 7 == 0 else 0.0).why for n in range(20))

        threads = [threading.Thread(target=ask, args=(k,)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.2)
        assert len(ended) == 120
        assert set(ended) <= {"", "deadline", "no-room"}
        assert [mine.call(0.0).why for _ in range(10)] == [""] * 10

    def test_an_interrupt_inside_the_target_is_the_callers_without_a_pool(self, caller):
        def target(_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            caller(target).call(1)
        assert caller(target, deadline_s=5.0).call(1).error == "KeyboardInterrupt: "


class TestOnALoop:
    def run(self, work):
        return asyncio.run(work)

    def test_an_async_target_is_cancelled_at_its_deadline(self, caller):
        seen = []

        async def target(_):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        called, took = timed(lambda: self.run(caller(target, deadline_s=0.05).acall(1)))
        assert called.why == "deadline"
        assert seen == ["cancelled"]
        assert took < 0.05 + SLACK_S

    def test_one_that_comes_late_all_the_same_is_late(self, caller):
        async def target(_):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                return "I go on"

        assert self.run(caller(target, deadline_s=0.05).acall(1)).why == "deadline"

    def test_a_cancellation_that_the_target_makes_itself_is_an_outcome(self, caller):
        async def target(_):
            raise asyncio.CancelledError("of my own")

        called = self.run(caller(target).acall(1))
        assert (called.why, called.error) == ("target-error", "CancelledError: of my own")
        assert caller(target).call(1).why == "target-error", "from a thread as well"

    def test_an_interrupt_that_an_async_target_raises_in_our_loop_ends_nothing(self, caller):
        async def target(_):
            raise KeyboardInterrupt

        mine = caller(target)
        assert [mine.call(1).error for _ in range(2)] == ["KeyboardInterrupt: "] * 2

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_a_cancellation_of_the_caller_is_the_callers(self, caller, asynchronous):
        began = threading.Event()

        async def waits(_):
            began.set()
            await asyncio.sleep(5)

        def blocks(_):
            began.set()
            time.sleep(0.3)

        mine = caller(waits if asynchronous else blocks, deadline_s=3.0)

        async def work():
            task = asyncio.create_task(mine.acall(1))
            await asyncio.to_thread(began.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.run(work())

    def test_a_cancelled_caller_takes_its_waiting_job_back(self, caller):
        inside, began, gate = [], threading.Event(), threading.Event()

        def target(n):
            inside.append(n)
            began.set()
            gate.wait(5)

        mine = caller(target, deadline_s=3.0, concurrency=1)

        async def work():
            first = asyncio.create_task(mine.acall("first"))
            await asyncio.to_thread(began.wait)
            second = asyncio.create_task(mine.acall("second"))
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            gate.set()
            await first
            await asyncio.sleep(0.05)

        self.run(work())
        assert inside == ["first"]

    def test_hundreds_at_once_through_a_small_pool(self, caller):
        mine = caller(lambda n: n, deadline_s=10.0, concurrency=2, queue=500)

        async def work():
            return await asyncio.gather(*(mine.acall(n) for n in range(500)))

        assert [c.returned for c in self.run(work())] == list(range(500))

    def test_a_deadline_that_passes_before_there_is_room(self, caller):
        mine = caller(lambda _: time.sleep(0.5), deadline_s=0.05, concurrency=1)

        async def work():
            return await asyncio.gather(*(mine.acall(n) for n in range(3)))

        called, took = timed(lambda: self.run(work()))
        assert sorted(c.why for c in called) == ["deadline", "no-room", "no-room"]
        assert took < 0.05 + SLACK_S


class TestAnAsyncTargetFromAThread:
    def test_it_runs_on_a_loop_of_ours(self, caller):
        async def target(n):
            return n, threading.current_thread().name

        mine = caller(target)
        assert mine.call(1).returned == (1, "plimsoll-loop")
        assert mine.call(2).returned == (2, "plimsoll-loop")

    def test_one_that_blocks_the_loop_holds_no_caller_beyond_the_deadline(self, caller):
        async def target(seconds):
            time.sleep(seconds)  # noqa: ASYNC251 - what it must not do, and what prototypes do
            return seconds

        mine = caller(target, deadline_s=0.05)
        called, took = timed(lambda: mine.call(1.0))
        assert called.why == "deadline"
        assert took < 0.05 + SLACK_S
        called, took = timed(lambda: mine.call(0.0))
        assert called.why == "deadline", "the loop is still blocked"
        assert took < 0.05 + SLACK_S
        time.sleep(1.1)
        assert mine.call(0.0).returned == 0.0

    def test_many_threads_share_the_loop(self, caller):
        async def target(n):
            await asyncio.sleep(0.01)
            return n

        mine, answers = caller(target, deadline_s=5.0, queue=40), {}
        threads = [threading.Thread(target=lambda n=n: answers.update({n: mine.call(n).returned})) for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {n: n for n in range(40)}

    def test_closing_ends_the_loop(self, caller):
        async def target(n):
            return n

        mine = caller(target)
        mine.call(1)
        loop = mine.lane._caller._loop._thread
        mine.lane.close()
        assert not loop.is_alive()

    def test_closing_ends_the_threads_that_have_nothing_to_do(self, caller):
        mine = caller(lambda _: threading.current_thread(), deadline_s=5.0)
        thread = mine.call(1).returned
        mine.lane.close()
        thread.join(timeout=2)
        assert not thread.is_alive()


class Unspeakable(BaseException):
    def __str__(self):
        raise ValueError("not even this")


def raises(error):
    def target(_):
        raise error

    return target


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RuntimeError("full"), "target-error"),
        (SystemExit(3), "target-exit"),
        (GeneratorExit(), "target-error"),
        (asyncio.CancelledError(), "target-error"),
        (TimeoutError("of its own"), "target-timeout"),
        (ConnectionRefusedError("nobody there"), "target-unavailable"),
        (ConnectionResetError("gone half way"), "target-error"),
        (TargetFault("crash"), "target-crash"),
        (TargetFault("invalid", "no JSON"), "target-invalid"),
        (TargetFault("a kind of its own"), "target-error"),
        (Unspeakable(), "target-error"),
        (RecursionError(), "target-error"),
        (StopIteration(), "target-error"),
        (BaseExceptionGroup("two", [KeyboardInterrupt(), ValueError()]), "target-error"),
    ],
)
@pytest.mark.parametrize("deadline_s", [None, 5.0])
@pytest.mark.parametrize("way", ["thread", "loop", "async", "async-thread"])
def test_whatever_it_raises_is_an_outcome(caller, error, why, deadline_s, way):
    async def asynchronous(_):
        raise error  # Python itself makes a RuntimeError of a StopIteration here

    mine = caller(asynchronous if way.startswith("async") else raises(error), deadline_s=deadline_s)
    called = mine.call(1) if way.endswith("thread") else asyncio.run(mine.acall(1))
    assert (called.why, called.returned) == (why, None)
    assert called.error


def test_a_long_message_is_cut(caller):
    assert len(caller(raises(ValueError("x" * 10_000))).call(1).error) == 500


class TestAsyncOrNot:
    def test_by_how_it_is_written(self):
        async def function(_): ...

        class Instance:
            async def __call__(self, _): ...

        class Plain:
            def __call__(self, _): ...

        assert PythonTarget(function, "t").is_async
        assert PythonTarget(Instance(), "t").is_async
        assert PythonTarget(functools.partial(function, 1), "t").is_async
        assert not PythonTarget(Plain(), "t").is_async
        assert not PythonTarget(print, "t").is_async


class TestAtTheEndOfTheProcess:
    @pytest.mark.parametrize("closed", ["guard.close()", "pass"])
    @pytest.mark.parametrize(
        "target",
        [
            "def target(record): threading.Event().wait()",
            "def target(record):\n    while True: time.sleep(0.01)",
            "async def target(record): time.sleep(600)",
            "async def target(record): await asyncio.Event().wait()",
        ],
    )
    def test_a_target_that_never_returns_keeps_nobody(self, tmp_path, target, closed):
        code = f"""
import asyncio, sys, threading, time
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Tier

{target}

kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable="a", review_below=None, next="a")
settings = GuardSettings(system="s", release="r", types={{"read": kind}}, deadline_s=0.05)
ledger = Ledger.open(sys.argv[1])
guard = Guard(settings, ledger=ledger, target=PythonTarget(target, "t"), inputs={{}}, default_input=None, output=None)
print(guard.decide("read", 1).why)
{closed}
ledger.close()
"""
        began = time.monotonic()
        done = run_python(code, tmp_path / "l.db", timeout=20)
        assert (done.stdout.strip(), done.returncode) == ("deadline", 0), done.stderr
        assert time.monotonic() - began < 10


class TestAfterAFork:
    def in_child(self, work):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(write_end, repr(work()).encode())
            finally:
                os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        return said

    def test_threads_are_made_anew(self, caller):
        mine = caller(lambda n: n + 1, deadline_s=5.0)
        assert mine.call(1).returned == 2

        def child():
            mine.lane.begin_anew()
            return mine.call(2).returned

        assert self.in_child(child) == "3"
        assert mine.call(3).returned == 4, "the parent goes on"

    def test_so_is_the_loop_of_an_async_target(self, caller):
        async def target(n):
            return n + 1

        mine = caller(target, deadline_s=5.0)
        assert mine.call(1).returned == 2

        def child():
            mine.lane.begin_anew()
            return mine.call(2).returned

        assert self.in_child(child) == "3"

    def test_through_the_guard_nobody_has_to_think_of_it(self, open_guard):
        guard = open_guard(lambda r: r["amount"], deadline_s=5.0)
        given = {"claim_id": "c", "amount": 1.5}
        assert guard.decide("read", given).output == 1.5
        assert self.in_child(lambda: guard.decide("read", given).output) == "1.5"
        assert guard.decide("read", given).output == 1.5


def test_what_a_call_held_is_let_go(caller):
    """A pool that kept its last record would keep a megabyte for each of its threads."""

    class Record:
        alive = 0

        def __init__(self):
            Record.alive += 1

        def __del__(self):
            Record.alive -= 1

    mine = caller(lambda _: None, deadline_s=5.0, concurrency=2)
    for _ in range(10):
        mine.call(Record())
    until = time.monotonic() + 2
    while Record.alive and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert Record.alive == 0


class TestLoading:
    @pytest.fixture(autouse=True)
    def own_path(self):
        """What is loaded here stays in no other test's way."""
        path = list(sys.path)
        yield
        sys.path[:] = path

    def write(self, folder, name, text):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "failed with E"),
            ("import sys; sys.exit(3)", "failed with SystemExit: 3"),
            ("raise KeyError('x')", "failed with KeyError: 'x'"),
            ("def predict(:", "failed with SyntaxError"),
            ("import no_such_thing_at_all", "it needs 'no_such_thing_at_all', which is not installed"),
            ("def __getattr__(name): raise RuntimeError('no')", "has no 'predict'"),
            ("x = 1", "has no 'predict'"),
            ("predict = 7", "is a int, not a callable"),
        ],
    )
    def test_what_cannot_be_loaded_says_why(self, tmp_path, text, said):
        name = f"loading_{abs(hash(text))}_{tmp_path.name[-6:].replace('-', '_')}"
        self.write(tmp_path / "p", name, text)
        with pytest.raises(Exception, match=said) as caught:
            load_python_target(f"{name}:predict", [tmp_path / "p"])
        assert type(caught.value).__name__ == "TargetError"
        assert caught.value.fix

    def test_one_of_pythons_own_names_is_refused_with_what_to_do(self, tmp_path):
        self.write(tmp_path / "p", "json", "def predict(r): return r")
        with pytest.raises(Exception, match="was already imported from") as caught:
            load_python_target("json:predict", [tmp_path / "p"])
        assert caught.value.fix == "give the module another name: 'json' is one of Python's own"

    def test_of_two_folders_the_first_goes_first_however_often_they_were_used(self, tmp_path):
        one, two = tmp_path / "one", tmp_path / "two"
        name = f"first_{tmp_path.name.replace('-', '_')}"
        self.write(one, name, "def predict(r): return 1")
        self.write(two, f"{name}_other", "def predict(r): return 2")
        load_python_target(f"{name}_other:predict", [two])
        self.write(two, name, "def predict(r): return 2")
        assert load_python_target(f"{name}:predict", [one, two]).call(0) == 1
        assert sys.path.index(str(one)) < sys.path.index(str(two))


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (1, Result(1)),
        (Result(1, confidence=1), Result(1, confidence=1.0)),
        (Result(1, sources=["a"], reasons=["b", 3]), Result(1, sources=("a",), reasons=("b", "3"))),
    ],
)
def test_what_is_returned_becomes_a_result(returned, expected):
    assert as_result(returned) == expected


def test_a_call_that_was_not_made_says_why_and_returns_nothing():
    assert Called(why="no-room").returned is None
