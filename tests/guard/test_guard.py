"""The order of a decision, how it ends, and what the ledger keeps of it."""

import asyncio
import json
import os
import sys
import threading
import time

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.errors import Conflict, UsageError
from plimsoll.guard import Hold
from plimsoll.guard.intake import MAX_BYTES, take_in
from plimsoll.ledger import Draft, Erased, Ledger
from plimsoll.model.control import Action, Control
from plimsoll.model.decision import Disposition, Fault, Result, Tier, Verdict

GOOD = {"claim_id": "c-1", "amount": 12.5}


def echo(record):
    return Result({"amount": record["amount"]}, confidence=0.9, reasons=("because",), sources=("form",))


def test_an_answer_leaves_with_its_record_on_disk(open_guard, record_of):
    answer = open_guard(echo).decide("read", GOOD)
    assert answer.disposition is Disposition.ANSWERED
    assert answer.output == {"amount": 12.5}
    record, entry = record_of(answer)
    assert json.loads(record.input_json) == GOOD
    assert json.loads(record.output_json) == {"amount": 12.5}
    assert (record.confidence, record.reasons, record.sources) == (0.9, ("because",), ("form",))
    assert record.verdict is Verdict.VALID
    assert record.accountable == "head@example.org"
    assert record.guard_us > 0
    assert record.target_us > 0
    assert (entry.header.type, entry.header.tier, entry.header.called) == ("read", "automatic", True)


def test_a_bare_output_is_an_answer_too(open_guard):
    assert open_guard(lambda record: record["amount"] * 2).decide("read", GOOD).output == 25.0


def test_a_type_nobody_declared_is_refused_and_recorded(open_guard, record_of):
    answer = open_guard(echo).decide("guess", GOOD)
    assert answer.disposition is Disposition.REFUSED
    assert record_of(answer)[1].header.disposition == "refused"


def test_human_only_work_is_held_before_the_model_is_called(open_guard, record_of):
    called = []
    answer = open_guard(called.append).decide("deny", GOOD)
    assert (answer.disposition, answer.why, answer.output) == (Disposition.HELD, "human-only", None)
    assert not called
    assert record_of(answer)[1].header.called is False


@pytest.mark.parametrize(
    ("given_", "fault"),
    [
        (b'{"claim_id": "c", "amo', Fault.UNPARSEABLE),
        (b"\xff\xfe{}", Fault.UNPARSEABLE),
        (b'{"claim_id": "c", "amount": NaN}', Fault.UNPARSEABLE),
        (b"[" * 100_000, Fault.UNPARSEABLE),
        (b'{"claim_id": "' + b"x" * (10 << 20) + b'"}', Fault.TOO_LARGE),
        ({"claim_id": "c", "amount": float("nan")}, Fault.UNPARSEABLE),
        ({"claim_id": "c", "amount": float("inf")}, Fault.UNPARSEABLE),
        ({"claim_id": "c"}, Fault.MISSING),
        ({"claim_id": 7, "amount": 1}, Fault.WRONG_TYPE),
        ({"claim_id": "c", "amount": -1}, Fault.RULE_BROKEN),
    ],
)
def test_what_cannot_be_processed_is_quarantined_with_its_bytes_and_reasons(open_guard, record_of, given_, fault):
    called = []
    answer = open_guard(called.append).decide("read", given_)
    assert answer.disposition is Disposition.QUARANTINED
    assert fault in {reason.fault for reason in answer.broken}
    record, _ = record_of(answer)
    kept = record.input_json or record.raw_bytes
    if isinstance(given_, bytes):
        assert kept == given_
    assert not called


def test_every_reason_is_given_at_once(open_guard):
    answer = open_guard(echo).decide("read", {"amount": -1, "note": 3})
    assert {(r.fault, r.path) for r in answer.broken} >= {
        (Fault.RULE_BROKEN, "/amount"),
        (Fault.WRONG_TYPE, "/note"),
    }
    assert any(r.fault is Fault.MISSING for r in answer.broken)


@pytest.mark.parametrize(
    ("value", "held"), [(0.95, False), (0.9, False), (0.89, True), (None, True), (np.float64(0.95), False), (1, False)]
)
def test_a_reviewed_answer_below_its_confidence_waits_for_a_person(open_guard, record_of, value, held):
    guard = open_guard(lambda _: Result("yes", confidence=value), tier=Tier.REVIEWED, review_below=0.9)
    answer = guard.decide("read", GOOD)
    assert (answer.disposition is Disposition.HELD) is held
    assert (answer.output is None) is held
    assert json.loads(record_of(answer)[0].output_json) == "yes", "the proposal is kept for the person"
    assert not held or "ops@example.org" in answer.next


def exits(_):
    sys.exit(3)


def raises(_):
    raise RuntimeError("the disk of the model is full")


def hangs(_):
    time.sleep(5)


class Nameless(Exception):
    def __str__(self):
        raise ValueError("not even this")


def raises_unnamed(_):
    raise Nameless


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (exits, "target-exit"),
        (raises, "target-error"),
        (raises_unnamed, "target-error"),
        (hangs, "deadline"),
        (lambda _: object(), "output-type"),
        (lambda _: float("nan"), "output-type"),
        (lambda _: {"x": {1, object()}}, "output-type"),
        (lambda _: Result("x", confidence=7), "target-error"),
        (lambda _: Result("x", confidence="high"), "target-error"),
    ],
)
@pytest.mark.parametrize("hold", [False, True])
def test_whatever_a_target_does_the_caller_is_told_in_time(open_guard, record_of, target, why, hold):
    guard = open_guard(target, deadline_s=0.2, fallback=(Hold(),) if hold else ())
    began = time.monotonic()
    answer = guard.decide("read", GOOD)
    assert time.monotonic() - began < 1.0
    assert answer.disposition is (Disposition.HELD if hold else Disposition.FAILED)
    assert answer.via == ("fallback:hold" if hold else "live")
    assert answer.why == why
    assert record_of(answer)[0].why == why


def test_a_full_pool_of_hung_calls_says_there_is_no_room(open_guard):
    guard = open_guard(hangs, deadline_s=0.05, concurrency=2)
    why = [guard.decide("read", GOOD).why for _ in range(4)]
    assert why == ["deadline", "deadline", "no-room", "no-room"]


def test_an_output_that_breaks_its_contract_does_not_leave(open_guard, record_of):
    reading = """
apiVersion: v3.1.0
kind: DataContract
id: reading
name: reading
version: 1.0.0
status: active
schema:
  - name: reading
    logicalType: object
    properties:
      - {name: amount, logicalType: integer, required: true}
"""
    answer = open_guard(lambda _: {"amount": "many"}, output=reading).decide("read", GOOD)
    assert (answer.disposition, answer.why, answer.output) == (Disposition.FAILED, "output-contract", None)
    assert record_of(answer)[0].output_broken


def test_bytes_and_arrays_are_taken_and_recorded(open_guard, record_of):
    seen = []

    def target(record):
        seen.append(record)
        return Result({"sum": record["scan"].sum()}, confidence=np.float32(0.5))

    scan = np.arange(4, dtype=np.uint8).reshape(2, 2)
    answer = open_guard(target, contract=None).decide("read", {"scan": scan, "blob": b"\x00\x01"})
    assert answer.disposition is Disposition.ANSWERED, answer
    assert seen[0]["scan"] is scan, "the target gets what the caller gave"
    assert json.loads(record_of(answer)[0].input_json) == {"scan": [[0, 1], [2, 3]], "blob": "AAE="}


def test_tuples_keep_the_contract_that_lists_keep(open_guard):
    contract = """
apiVersion: v3.1.0
kind: DataContract
id: a
name: a
version: 1.0.0
status: active
schema:
  - name: a
    logicalType: object
    properties:
      - {name: xs, logicalType: array, items: {logicalType: integer}}
"""
    assert open_guard(lambda _: 1, contract=contract).decide("read", {"xs": (1, 2)}).disposition is Disposition.ANSWERED


class TestOnAnEventLoop:
    def test_the_same_path_is_awaited(self, open_guard, record_of):
        answer = asyncio.run(open_guard(echo).adecide("read", GOOD))
        assert answer.disposition is Disposition.ANSWERED
        assert record_of(answer)[1].header.disposition == "answered"

    def test_an_async_target_is_awaited_from_a_loop_and_from_a_thread(self, open_guard):
        async def target(record):
            await asyncio.sleep(0)
            return record["amount"]

        guard = open_guard(target)
        assert asyncio.run(guard.adecide("read", GOOD)).output == 12.5
        assert guard.decide("read", GOOD).output == 12.5

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_a_deadline_bounds_the_wait(self, open_guard, asynchronous):
        async def sleeps(_):
            await asyncio.sleep(5)

        guard = open_guard(sleeps if asynchronous else hangs, deadline_s=0.1)
        began = time.monotonic()
        assert asyncio.run(guard.adecide("read", GOOD)).why == "deadline"
        assert time.monotonic() - began < 1.0

    def test_it_works_inside_a_loop_that_runs_already(self, open_guard):
        guard = open_guard(echo)

        async def notebook():
            return guard.decide("read", GOOD)

        assert asyncio.run(notebook()).disposition is Disposition.ANSWERED

    def test_a_key_gives_the_recorded_answer_here_too(self, open_guard):
        calls = []

        def target(record):
            calls.append(record)
            return len(calls)

        guard = open_guard(target)

        async def twice():
            return [await guard.adecide("read", GOOD, key="k") for _ in range(2)]

        first, again = asyncio.run(twice())
        assert (first.record, again.replayed, len(calls)) == (again.record, True, 1)

    def test_a_call_that_is_cancelled_is_recorded(self, open_guard, ledger):
        async def never(_):
            await asyncio.sleep(60)

        guard = open_guard(never)

        async def cancelled():
            task = asyncio.create_task(guard.adecide("read", GOOD))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        (entry,) = ledger.entries(kinds=("decision",))
        assert (entry.header.disposition, entry.header.called) == ("failed", True)

    def test_many_at_once_are_all_recorded(self, open_guard, record_of):
        guard = open_guard(echo)

        async def many():
            return await asyncio.gather(*(guard.adecide("read", GOOD) for _ in range(200)))

        answers = asyncio.run(many())
        assert len({a.record for a in answers}) == 200
        assert all(record_of(a)[0].disposition is Disposition.ANSWERED for a in answers)


class TestIdempotency:
    def test_the_same_key_gives_the_recorded_answer_without_a_second_decision(self, open_guard):
        calls = []

        def target(record):
            calls.append(record)
            return Result({"n": len(calls)}, confidence=1.0)

        guard = open_guard(target)
        first = guard.decide("read", GOOD, key="k1")
        again = guard.decide("read", GOOD, key="k1")
        assert (again.record, again.output, again.replayed) == (first.record, {"n": 1}, True)
        assert len(calls) == 1

    def test_the_same_key_for_another_input_is_refused(self, open_guard):
        guard = open_guard(echo)
        guard.decide("read", GOOD, key="k")
        with pytest.raises(UsageError, match="another input"):
            guard.decide("read", {**GOOD, "amount": 2}, key="k")

    def test_two_callers_at_once_make_one_decision(self, open_guard):
        calls = []

        def slow(record):
            calls.append(1)
            time.sleep(0.2)
            return 1

        guard = open_guard(slow)
        ended = []

        def call():
            try:
                ended.append(guard.decide("read", GOOD, key="k").disposition)
            except UsageError as error:
                ended.append(type(error))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(calls) == 1
        assert ended.count(Disposition.ANSWERED) == 1
        assert ended.count(Conflict) == 3


class TestControl:
    def write(self, ledger, action, type_=""):
        control = Control(action=action, by="op@example.org", reason="odd amounts", type=type_)
        ledger.append(Draft(kind="control", system="claims", body=msgspec.json.encode(control)))

    def wait_for(self, guard, disposition):
        until = time.monotonic() + 1.0  # in step within a second
        while time.monotonic() < until:
            answer = guard.decide("read", GOOD)
            if answer.disposition is disposition:
                return answer
            time.sleep(0.01)
        raise AssertionError(f"not {disposition} within a second")

    def test_a_stop_takes_effect_without_a_restart_and_is_taken_back(self, open_guard, ledger):
        guard = open_guard(echo)
        assert guard.decide("read", GOOD).disposition is Disposition.ANSWERED
        self.write(ledger, Action.STOP)
        held = self.wait_for(guard, Disposition.HELD)
        assert "odd amounts" in held.why
        self.write(ledger, Action.RESUME)
        self.wait_for(guard, Disposition.ANSWERED)

    def test_a_guard_that_opens_later_obeys_an_earlier_stop(self, open_guard, ledger):
        self.write(ledger, Action.STOP, "read")
        assert open_guard(echo).decide("read", GOOD).disposition is Disposition.HELD


def test_a_forked_process_records_into_its_own_stream(open_guard, ledger):
    guard = open_guard(echo, deadline_s=5.0)
    mine = guard.decide("read", GOOD)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write_end, guard.decide("read", GOOD).record.encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        theirs = pipe.read().decode()
    os.waitpid(pid, 0)
    assert ledger.get(theirs) is not None
    assert theirs.split("-")[0] != mine.record.split("-")[0]
    assert guard.decide("read", GOOD).record.split("-")[0] == mine.record.split("-")[0]


def test_the_decorator_guards_a_function(open_guard, record_of):
    guard = open_guard(lambda _: "not this one")

    @guard.decision("read")
    def double(record):
        """Twice."""
        return record["amount"] * 2

    answer = double(GOOD)
    assert answer.output == 25.0
    assert double.__doc__ == "Twice."
    assert record_of(answer)[0].disposition is Disposition.ANSWERED


def test_batched_durability_says_so_in_the_record(open_guard, record_of, ledger):
    answer = open_guard(echo, batched=True).decide("read", GOOD)
    ledger.flush()
    assert record_of(answer)[0].durability == "batched"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(given_=anything)
@settings(max_examples=200)
def test_taking_in_never_raises_and_always_keeps_something(given_):
    intake = take_in(given_)
    assert intake.reasons or intake.json is not None
    if intake.json is not None:
        json.loads(intake.json)
        assert len(intake.json) <= MAX_BYTES


@given(inputs=st.lists(anything | st.binary(max_size=50), max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_offered_is_the_sum_of_the_dispositions_and_each_is_found(open_guard, ledger, inputs):
    guard = open_guard(lambda record: 1 / len(str(record["amount"])) if record["amount"] else None)
    answers = [guard.decide("read", given_) for given_ in inputs]
    assert len({a.record for a in answers}) == len(inputs)
    assert all(ledger.get(a.record) is not None for a in answers)


class Hostile:
    """Fails whenever somebody looks at it."""

    def __str__(self):
        raise RuntimeError("not this either")

    def tolist(self):
        raise RuntimeError("no list")


def refuses():
    yield "one"
    raise RuntimeError("no second reason")


@pytest.mark.parametrize(
    "returned",
    [
        Hostile,
        lambda: Result("x", confidence=1.0, reasons=refuses()),
        lambda: Result("x", confidence=1.0, sources=(Hostile(),)),
        lambda: Result("x", confidence=1.0, usage={"tokens": Hostile()}),
    ],
)
def test_what_cannot_be_recorded_is_no_answer_and_is_recorded_as_that(open_guard, record_of, returned):
    answer = open_guard(lambda _: returned()).decide("read", GOOD)
    assert (answer.disposition, answer.why) == (Disposition.FAILED, "output-type")
    assert record_of(answer)[0].error


def test_a_type_name_that_is_no_text_is_refused_and_recorded(open_guard, record_of):
    answer = open_guard(echo).decide("\ud800", GOOD)
    assert record_of(answer)[1].header.disposition == "refused"


class TestControlsOfManyStreams(TestControl):
    def test_a_guard_that_opens_later_goes_by_time_and_not_by_stream(self, open_guard, ledger, tmp_path):
        self.write(ledger, Action.STOP)
        with Ledger.open(tmp_path / "ledger.db") as second:
            self.write(second, Action.STOP)
            self.write(second, Action.RESUME)
        assert open_guard(echo).decide("read", GOOD).disposition is Disposition.ANSWERED
        self.write(ledger, Action.STOP)  # the last word, in the older stream
        assert open_guard(echo).decide("read", GOOD).disposition is Disposition.HELD

    def test_a_control_entry_that_cannot_be_read_leaves_nothing_to_the_ai(self, open_guard, ledger):
        guard = open_guard(echo)
        ledger.append(Draft(kind="control", system="claims", body=b'{"action": "lower-autonomy"}'))
        self.wait_for(guard, Disposition.HELD)
        assert "cannot be read" in open_guard(echo).decide("read", GOOD).why


def test_who_is_named_can_be_erased_though_nothing_is_classified(open_guard, ledger):
    guard = open_guard(lambda record: record["amount"], seal=False)
    named = guard.decide("read", {"claim_id": "c-1", "amount": 12.5}, subject="claim-1").record
    unnamed = guard.decide("read", {"claim_id": "c-2", "amount": 12.5}).record
    assert (ledger.get(named).sealed, ledger.get(unnamed).sealed) == (True, False)
    ledger.erase("claim-1", by="head@example.org", reason="asked for")
    with pytest.raises(Erased):
        ledger.body(ledger.get(named))
