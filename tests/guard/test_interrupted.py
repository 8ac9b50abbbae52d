"""Ctrl-C, a cancelled task: wherever a decision is at that moment, it is recorded, with the way that it had come."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from assess.a_system import run_python
from guard.scripted import GOOD, Gate, Scripted, unavailable, wait_until

from plimsoll.guard import OtherTarget, RetryRule
from plimsoll.ledger import Ledger
from plimsoll.model.decision import DecisionRecord

UNAVAILABLE = frozenset({"unavailable"})


async def forever(_):
    await asyncio.sleep(60)


def kept(ledger):
    """The decisions of a ledger: header and body."""
    return [
        (entry.header, msgspec.json.decode(ledger.body(entry), type=DecisionRecord))
        for entry in ledger.entries(kinds=("decision",))
    ]


async def cancel(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class TestATaskIsCancelled:
    def test_while_it_waits_for_room(self, open_guard, ledger):
        target = Scripted(forever, asynchronous=True)
        guard = open_guard(target, concurrency=1)

        async def go():
            first = asyncio.create_task(guard.adecide("read", GOOD))
            await asyncio.sleep(0.01)
            second = asyncio.create_task(guard.adecide("read", GOOD))
            await asyncio.sleep(0.01)
            assert guard.health().targets[0].waiting == 1
            await cancel(second)
            await cancel(first)

        asyncio.run(go())
        (waited, record), (called, _) = kept(ledger)
        assert (waited.disposition, waited.called, called.called) == ("failed", False, True)
        assert (record.why, [(s.name, s.why, s.attempts) for s in record.steps]) == (
            "cancelled by the caller",
            [("live", "cancelled by the caller", 0)],
        )
        assert target.calls == 1
        health = guard.health().targets[0]
        assert (health.inside, health.waiting) == (0, 0)

    # Without a deadline, a synchronous target runs in the loop's own thread: nobody can cancel it there.
    @pytest.mark.parametrize(("asynchronous", "deadline_s"), [(True, None), (True, 30.0), (False, 30.0)])
    def test_in_an_attempt(self, open_guard, ledger, asynchronous, deadline_s):
        gate = Gate()
        target = Scripted(forever, asynchronous=True) if asynchronous else gate
        guard = open_guard(target, deadline_s=deadline_s)

        async def go():
            task = asyncio.create_task(guard.adecide("read", GOOD))
            await asyncio.sleep(0.05)
            await cancel(task)

        asyncio.run(go())
        ((header, record),) = kept(ledger)
        assert (header.disposition, header.called) == ("failed", True)
        assert [(s.why, s.attempts) for s in record.steps] == [("cancelled by the caller", 1)]
        assert guard.health().targets[0].inside == (0 if asynchronous else 1), "a thread cannot be ended"
        gate.open.set()
        wait_until(lambda: guard.health().targets[0].inside == 0)

    def test_in_the_pause_before_a_retry(self, open_guard, ledger):
        target = Scripted(unavailable(retry_after_s=30))
        guard = open_guard(target, retry=RetryRule(attempts=2, on=UNAVAILABLE))

        async def go():
            task = asyncio.create_task(guard.adecide("read", GOOD))
            await asyncio.sleep(0.05)
            await cancel(task)

        asyncio.run(go())
        ((header, record),) = kept(ledger)
        assert (header.disposition, header.called, target.calls) == ("failed", True, 1)
        (step,) = record.steps
        assert (step.why, step.failed) == ("cancelled by the caller", ("target-unavailable",))
        assert step.us > 40_000

    def test_in_a_fallback(self, open_guard, ledger):
        other = Scripted(forever, name="other", asynchronous=True)
        guard = open_guard(Scripted(unavailable()), fallback=(OtherTarget(name="target"),), others={"target": other})

        async def go():
            task = asyncio.create_task(guard.adecide("read", GOOD))
            await asyncio.sleep(0.05)
            await cancel(task)

        asyncio.run(go())
        ((header, record),) = kept(ledger)
        assert header.disposition == "failed"
        assert [(s.name, s.why, s.attempts) for s in record.steps] == [
            ("live", "target-unavailable", 1),
            ("target", "cancelled by the caller", 1),
        ]

    def test_while_its_record_is_written_it_is_written(self, open_guard, ledger):
        guard = open_guard(Scripted(1))

        async def go():
            with ledger._now.hands.commit.alone():
                task = asyncio.create_task(guard.adecide("read", GOOD))
                await asyncio.sleep(0.05)
                await cancel(task)
            await asyncio.sleep(0.1)

        asyncio.run(go())
        ((header, record),) = kept(ledger)
        assert (header.disposition, record.output_json) == ("answered", b"1")

    def test_many_at_once_in_all_of_it(self, open_guard, ledger):
        """Whatever a hundred of them were doing: each is in the record once, and no place is lost."""

        async def short(_):
            await asyncio.sleep(0.003)
            return 1

        target = Scripted(unavailable(), short, short, asynchronous=True)
        guard = open_guard(
            target, concurrency=2, queue=100, deadline_s=5.0, retry=RetryRule(attempts=3, on=UNAVAILABLE)
        )

        async def go():
            tasks = [asyncio.create_task(guard.adecide("read", GOOD)) for _ in range(100)]
            for n, task in enumerate(tasks):
                await asyncio.sleep(0.0005)
                if n % 2:
                    task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        ended = asyncio.run(go())
        wait_until(lambda: len(kept(ledger)) == 100)
        whys = [record.why for _, record in kept(ledger)]
        cancelled = sum(isinstance(end, asyncio.CancelledError) for end in ended)
        assert cancelled > 0
        assert whys.count("cancelled by the caller") <= cancelled, "some had their answer, and were writing it"
        assert guard.health().targets[0].inside == guard.health().targets[0].waiting == 0


SCRIPT = """
import os, signal, sys, threading, time
from guard.scripted import Gate, Scripted, unavailable
from plimsoll.guard import CallRules, Guard, GuardedType, GuardSettings, OtherTarget, RetryRule
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Tier

gate = Gate()
rules, others, deadline_s = CallRules(), {}, None
fallback = ()
phase = sys.argv[2]
if phase == "waiting":
    target, rules = gate, CallRules(concurrency=1)
elif phase == "attempt":
    target = gate
elif phase == "attempt with a deadline":
    target, deadline_s = gate, 60.0
elif phase == "attempt of an async target":
    import asyncio
    async def forever(ask): await asyncio.sleep(60)
    target = Scripted(forever, asynchronous=True)
elif phase == "pause":
    target = Scripted(unavailable(retry_after_s=60))
    rules = CallRules(retry=RetryRule(attempts=2, on=frozenset({"unavailable"})))
elif phase == "fallback":
    target, fallback, others = Scripted(unavailable()), (OtherTarget(name="target"),), {"target": gate}

kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable="a", review_below=None, next="a")
settings = GuardSettings(
    system="claims", release="r", types={"read": kind}, call=rules, deadline_s=deadline_s, fallback=fallback
)
ledger = Ledger.open(sys.argv[1])
guard = Guard(settings, ledger=ledger, target=target, inputs={}, default_input=None, output=None, others=others)
if phase == "waiting":
    threading.Thread(target=guard.decide, args=("read", {"amount": 1}), daemon=True).start()
    while not gate.inside: time.sleep(0.001)

def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    guard.decide("read", {"amount": 1})
    print("it went on", flush=True)
except KeyboardInterrupt:
    print("interrupted", guard.health().targets[0].waiting, flush=True)
ledger.close()
os._exit(0)
"""


@pytest.mark.parametrize(
    ("phase", "steps", "called"),
    [
        ("waiting", [("live", "interrupted", 0)], False),
        ("attempt", [], True),
        ("attempt with a deadline", [("live", "interrupted", 1)], True),
        ("attempt of an async target", [("live", "interrupted", 1)], True),
        ("pause", [("live", "interrupted", 1)], True),
        ("fallback", [("live", "target-unavailable", 1), ("target", "interrupted", 1)], True),
    ],
)
def test_ctrl_c_ends_the_call_and_is_recorded(tmp_path, phase, steps, called):
    done = run_python(SCRIPT, tmp_path / "l.db", phase, timeout=20)
    assert done.stdout.split() == ["interrupted", "0"], done.stderr
    with Ledger.open(tmp_path / "l.db", read_only=True) as ledger:
        ((header, record),) = kept(ledger)
    assert (header.disposition, header.called, record.why) == ("failed", called, "interrupted")
    assert [(s.name, s.why, s.attempts) for s in record.steps] == steps


def test_an_interrupt_that_a_target_raises_on_a_loop_is_recorded(open_guard, ledger):
    guard = open_guard(Scripted(KeyboardInterrupt()))

    async def go():
        with pytest.raises(KeyboardInterrupt):
            await guard.adecide("read", GOOD)

    asyncio.run(go())
    ((header, record),) = kept(ledger)
    assert (header.disposition, record.why) == ("failed", "interrupted")
