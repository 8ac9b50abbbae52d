"""Idempotency keys: one decision for a key, whoever asks, however often, whatever dies in between."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest
from assess.a_system import start_python
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.errors import UsageError
from plimsoll.guard.intake import take_in
from plimsoll.guard.once import KEPT_S, LEASE_S, Once
from plimsoll.ledger import Draft, Ledger, Reservation, Taken
from plimsoll.model.decision import Disposition, Result

GOOD = {"claim_id": "c-1", "amount": 12.5}
SECOND = 10**9


class Clock:
    def __init__(self):
        self.now_ns = time.time_ns()

    def __call__(self):
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(tmp_path, clock):
    with Ledger.open(tmp_path / "kept.db", clock=clock) as ledger:
        yield ledger


@pytest.fixture
def once(kept, clock):
    return Once(kept, "claims", clock)


def end(ledger, once, mine):
    return ledger.append(Draft(kind="decision-like", body=b"{}"), once.end(mine))


class TestOneKey:
    def test_the_first_takes_it_and_the_next_gets_what_was_recorded(self, kept, once):
        mine = once.begin("read", "k", take_in(GOOD))
        assert isinstance(mine, Reservation)
        record = end(kept, once, mine)
        assert once.begin("read", "k", take_in(GOOD)) == record

    def test_while_it_is_under_way_others_are_told_to_ask_again(self, once):
        once.begin("read", "k", take_in(GOOD))
        with pytest.raises(UsageError, match="has not ended yet") as caught:
            once.begin("read", "k", take_in(GOOD))
        assert f"free after {LEASE_S} s" in caught.value.fix

    @pytest.mark.parametrize("ended", [False, True])
    def test_another_input_under_the_same_key_is_refused(self, kept, once, ended):
        mine = once.begin("read", "k", take_in(GOOD))
        if ended:
            end(kept, once, mine)
        with pytest.raises(UsageError, match="used with another input"):
            once.begin("read", "k", take_in({**GOOD, "amount": 13}))

    def test_types_and_systems_have_keys_of_their_own(self, kept, once, clock):
        assert isinstance(once.begin("read", "k", take_in(1)), Reservation)
        assert isinstance(once.begin("deny", "k", take_in(2)), Reservation)
        assert isinstance(Once(kept, "other", clock).begin("read", "k", take_in(3)), Reservation)

    def test_a_call_that_died_gives_its_key_free_after_a_while(self, once, clock):
        first = once.begin("read", "k", take_in(GOOD))
        clock.now_ns += LEASE_S * SECOND
        second = once.begin("read", "k", take_in(GOOD))
        assert second.fence > first.fence

    def test_who_comes_back_after_another_has_taken_over_writes_nothing(self, kept, once, clock):
        slow = once.begin("read", "k", take_in(GOOD))
        clock.now_ns += LEASE_S * SECOND
        record = end(kept, once, once.begin("read", "k", take_in(GOOD)))
        with pytest.raises(Taken):
            end(kept, once, slow)
        assert [e.id for e in kept.entries(kinds=("decision-like",))] == [record]

    def test_who_is_slow_and_alone_still_writes(self, kept, once, clock):
        slow = once.begin("read", "k", take_in(GOOD))
        clock.now_ns += LEASE_S * SECOND
        assert end(kept, once, slow)

    def test_after_a_day_it_is_forgotten(self, kept, once, clock):
        end(kept, once, once.begin("read", "k", take_in(GOOD)))
        clock.now_ns += KEPT_S * SECOND - 1
        assert isinstance(once.begin("read", "k", take_in(GOOD)), str)
        clock.now_ns += 1
        assert isinstance(once.begin("read", "k", take_in(GOOD)), Reservation)

    @pytest.mark.parametrize("ahead_s", [-3600, 3600])
    def test_a_clock_that_jumps_between_two_looks_is_no_accident(self, tmp_path, clock, ahead_s):
        """The ledger's clock and ours differ: no key may be lost in between."""
        skewed = Clock()
        skewed.now_ns += ahead_s * SECOND
        with Ledger.open(tmp_path / "skewed.db", clock=skewed) as ledger:
            assert isinstance(Once(ledger, "claims", clock).begin("read", "k", take_in(GOOD)), Reservation)

    @pytest.mark.parametrize("same", [(b'{"a":1}', b' {"a":1}\n'), (b"\xff", b"\xff"), ({"a": 1}, b'{"a":1}')])
    def test_the_same_input_is_the_same_whatever_form_it_came_in(self, kept, once, same):
        first, second = same
        record = end(kept, once, once.begin("read", "k", take_in(first)))
        assert once.begin("read", "k", take_in(second)) == record

    @pytest.mark.parametrize("key", ["", "a" * 10_000, "k:k", "é\u0000x", "'; DROP TABLE reservations; --"])
    def test_any_text_is_a_key(self, kept, once, key):
        record = end(kept, once, once.begin("read", key, take_in(GOOD)))
        assert once.begin("read", key, take_in(GOOD)) == record

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["begin", "end", "die", "wait"])), max_size=20))  # fmt: skip
    def test_a_key_never_has_two_decisions(self, tmp_path_factory, steps):
        """Whoever begins, ends, dies or waits in whatever order: within a lease, one decision stands under a key."""
        clock = Clock()
        with Ledger.open(tmp_path_factory.mktemp("once") / "l.db", clock=clock) as ledger:
            once, held, decided = Once(ledger, "claims", clock), {}, set()
            for who, step in steps:
                if step == "begin" and who not in held:
                    try:
                        begun = once.begin("read", "k", take_in(GOOD))
                    except UsageError:
                        continue
                    if isinstance(begun, str):
                        assert begun in decided
                    else:
                        assert not decided, "a key that is decided is not given out again"
                        held[who] = begun
                elif step == "end" and who in held:
                    try:
                        decided.add(end(ledger, once, held.pop(who)))
                    except Taken:
                        continue
                elif step == "die":
                    held.pop(who, None)
                elif step == "wait":
                    clock.now_ns += LEASE_S * SECOND
            assert len(decided) <= 1
            assert {e.id for e in ledger.entries(kinds=("decision-like",))} == decided


class TestThroughTheGuard:
    def test_the_recorded_answer_is_given_whole(self, open_guard):
        guard = open_guard(lambda r: Result({"n": r["amount"]}, confidence=0.5, sources=("a",), reasons=("b",)))
        first, again = guard.decide("read", GOOD, key="k"), guard.decide("read", GOOD, key="k")
        assert again.replayed
        assert not first.replayed
        for field in ("disposition", "record", "release", "output", "confidence", "sources", "reasons", "why", "next"):
            assert getattr(again, field) == getattr(first, field), field

    @pytest.mark.parametrize(
        ("given_", "type_", "disposition"),
        [
            (b"{", "read", Disposition.QUARANTINED),
            (GOOD, "deny", Disposition.HELD),
            (GOOD, "guess", Disposition.REFUSED),
        ],
    )
    def test_whatever_came_of_it_comes_again(self, open_guard, ledger, given_, type_, disposition):
        guard = open_guard(lambda r: r)
        first, again = (guard.decide(type_, given_, key="k") for _ in range(2))
        assert (again.disposition, again.record, again.broken) == (disposition, first.record, first.broken)
        assert len(list(ledger.entries(kinds=("decision",)))) == 1

    def test_a_failure_is_recorded_under_the_key_too(self, open_guard):
        calls = []

        def target(record):
            calls.append(record)
            raise RuntimeError("once")

        guard = open_guard(target)
        assert [guard.decide("read", GOOD, key="k").disposition for _ in range(2)] == [Disposition.FAILED] * 2
        assert len(calls) == 1

    def test_on_an_event_loop_many_at_once_make_one_decision(self, open_guard, ledger):
        calls = []

        async def target(record):
            calls.append(record)
            await asyncio.sleep(0.1)
            return 1

        guard = open_guard(target)

        async def many():
            return await asyncio.gather(
                *(guard.adecide("read", GOOD, key="k") for _ in range(8)), return_exceptions=True
            )

        ended = asyncio.run(many())
        assert sum(isinstance(e, UsageError) for e in ended) == 7
        assert len(calls) == len(list(ledger.entries(kinds=("decision",)))) == 1
        assert guard.decide("read", GOOD, key="k").replayed

    def test_two_processes_at_once_make_one_decision(self, open_guard, ledger):
        guard = open_guard(lambda _: time.sleep(0.3) or 1)
        thread = threading.Thread(target=guard.decide, args=("read", GOOD), kwargs={"key": "k"})
        thread.start()
        time.sleep(0.1)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                with pytest.raises(UsageError, match="has not ended yet"):
                    guard.decide("read", GOOD, key="k")
                os.write(write_end, b"refused")
            finally:
                os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        thread.join()
        assert said == b"refused"
        assert len(list(ledger.entries(kinds=("decision",)))) == 1

    def test_a_decision_whose_subject_was_erased_is_not_given_again(self, open_guard, ledger):
        guard = open_guard(lambda r: r)
        guard.decide("read", GOOD, key="k", subject="claim-1")
        ledger.erase("claim-1", by="a@b.org", reason="asked for")
        with pytest.raises(Exception, match="erased"):
            guard.decide("read", GOOD, key="k", subject="claim-1")


DIES = """
import sys, time
from pathlib import Path
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Tier

def target(record):
    print("in the target", flush=True)
    time.sleep(60)

kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable="a", review_below=None, next="a")
settings = GuardSettings(system="claims", release="sha256:" + "a" * 64, types={"read": kind})
with Ledger.open(Path(sys.argv[1])) as ledger:
    guard = Guard(settings, ledger=ledger, target=PythonTarget(target, "t"), inputs={}, default_input=None, output=None)
    guard.decide("read", {"claim_id": "c-1", "amount": 12.5}, key="k")
"""


def test_a_process_that_is_killed_in_the_middle_leaves_no_decision_and_its_key_comes_free(tmp_path):
    path = tmp_path / "l.db"
    process = start_python(DIES, path)
    assert process.stdout.readline().strip() == "in the target"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    clock = Clock()
    with Ledger.open(path, clock=clock) as ledger:
        assert not list(ledger.entries(kinds=("decision",)))
        once = Once(ledger, "claims", clock)
        with pytest.raises(UsageError, match="has not ended yet"):
            once.begin("read", "k", take_in(GOOD))
        clock.now_ns += (LEASE_S + 1) * SECOND
        assert isinstance(once.begin("read", "k", take_in(GOOD)), Reservation)
