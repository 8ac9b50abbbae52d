"""The way to an answer: one deadline for all of it, retries where they are safe, a fallback chain, and what is kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import msgspec
import pytest
from guard.scripted import GOOD, Gate, Scripted, takes, unavailable, wait_until

from plimsoll.errors import UsageError
from plimsoll.guard import Constant, Hold, OtherTarget, RetryRule, TargetFault
from plimsoll.guard.retry import SAVED_MOST
from plimsoll.model.decision import Disposition, Result, Tier

ANSWERED, HELD, SHED, FAILED = Disposition.ANSWERED, Disposition.HELD, Disposition.SHED, Disposition.FAILED
SLACK_S = 0.5  # a loaded machine
UNAVAILABLE = frozenset({"unavailable"})
OTHER = OtherTarget(name="target")

READING = """
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


def timed(call):
    began = time.monotonic()
    return call(), time.monotonic() - began


@pytest.fixture(params=["thread", "loop"])
def decide(request):
    """One decision, from a thread or from an event loop."""

    def ask(guard, type_="read", **more):
        if request.param == "thread":
            return guard.decide(type_, GOOD, **more)
        return asyncio.run(guard.adecide(type_, GOOD, **more))

    return ask


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request):
    return request.param


class TestOneDeadline:
    def test_a_caller_can_shorten_it_and_not_extend_it(self, open_guard, decide):
        guard = open_guard(takes(0.4), deadline_s=0.2)
        answer, took = timed(lambda: decide(guard, deadline_s=0.05))
        assert (answer.why, took < 0.05 + SLACK_S) == ("deadline", True)
        answer, took = timed(lambda: decide(guard, deadline_s=60))
        assert (answer.why, took < 0.2 + SLACK_S) == ("deadline", True)

    def test_where_none_is_declared_the_callers_own_counts(self, open_guard, decide, record_of):
        answer, took = timed(lambda: decide(open_guard(takes(2.0)), deadline_s=0.05))
        assert (answer.disposition, answer.why, took < 0.05 + SLACK_S) == (FAILED, "deadline", True)
        assert record_of(answer)[1].header.called

    @pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "1s", True])
    def test_what_is_no_time_is_refused_before_anything_is_done(self, open_guard, ledger, wrong):
        target = Scripted(1)
        with pytest.raises(UsageError, match="deadline_s"):
            open_guard(target).decide("read", GOOD, deadline_s=wrong)
        assert (target.calls, list(ledger.entries(kinds=("decision",)))) == (0, [])

    def test_attempts_pauses_and_fallbacks_share_it(self, open_guard, decide, record_of):
        """The target asks for a pause beyond what is left; the other target hangs; nothing gets a fresh deadline."""
        slow = Scripted(takes(2.0), name="slow")
        guard = open_guard(
            Scripted(unavailable(retry_after_s=0.1), name="live"),
            deadline_s=0.3,
            retry=RetryRule(attempts=9, on=UNAVAILABLE),
            fallback=(OTHER, OtherTarget(name="second"), Constant(output="none")),
            others={"target": slow, "second": slow},
        )
        answer, took = timed(lambda: decide(guard))
        assert 0.29 <= took < 0.3 + SLACK_S
        live, other, second, constant = record_of(answer)[0].steps
        assert (live.why, live.no_retry) == ("target-unavailable", "deadline")
        assert 2 <= live.attempts <= 4
        assert (other.why, other.attempts) == ("deadline", 1)
        assert slow.asked[0].deadline_s < 0.3
        assert (second.why, second.attempts) == ("deadline", 0), "there was no time left to ask it"
        assert (constant.name, constant.why) == ("constant", "")
        assert (answer.disposition, answer.output, answer.via) == (ANSWERED, "none", "fallback:constant")

    def test_what_was_spent_waiting_for_room_is_gone(self, open_guard):
        gate = Gate()
        seen = Scripted(lambda ask: gate.ask(ask) if len(seen.asked) == 1 else ask.deadline_s, name="seen")
        guard = open_guard(seen, deadline_s=2.0, concurrency=1)
        first = threading.Thread(target=guard.decide, args=("read", GOOD))
        first.start()
        wait_until(lambda: gate.inside)
        threading.Timer(0.3, gate.open.set).start()
        left = guard.decide("read", GOOD).output
        first.join()
        assert 0.5 < left < 1.75

    def test_the_record_is_written_after_it_and_not_cut(self, open_guard, ledger):
        """Another process holds the file well beyond the deadline: the answer comes with its record, later."""
        guard = open_guard(takes(1.0), deadline_s=0.05)
        with ledger._now.hands.commit.alone():
            thread = threading.Thread(target=lambda: answers.append(guard.decide("read", GOOD)))
            answers = []
            thread.start()
            time.sleep(0.3)
            assert answers == []
        thread.join()
        assert answers[0].why == "deadline"
        assert ledger.get(answers[0].record) is not None


class TestRetries:
    def test_what_had_no_effect_is_asked_again(self, open_guard, decide, record_of, asynchronous):
        target = Scripted(unavailable(), {"amount": 1}, asynchronous=asynchronous)
        answer = decide(open_guard(target, retry=RetryRule(attempts=3, on=UNAVAILABLE)))
        assert (answer.disposition, answer.output, answer.via) == (ANSWERED, {"amount": 1}, "live")
        (step,) = record_of(answer)[0].steps
        assert (step.name, step.why, step.attempts, step.failed) == ("live", "", 2, ("target-unavailable",))
        assert [(s.name, s.attempts) for s in answer.steps] == [("live", 2)]

    @pytest.mark.parametrize(
        ("fault", "why"),
        [
            (TargetFault("timeout"), "target-timeout"),
            (TargetFault("error"), "target-error"),
            (TargetFault("crash"), "target-crash"),
            (TargetFault("invalid"), "target-invalid"),
            (RuntimeError("half done"), "target-error"),
            (ConnectionResetError("half way"), "target-error"),
        ],
    )
    @pytest.mark.parametrize("idempotent", [False, True])
    def test_what_may_have_acted_is_asked_again_only_where_that_does_no_harm(
        self, open_guard, decide, record_of, fault, why, idempotent
    ):
        target = Scripted(fault, {"amount": 1})
        rule = RetryRule(
            attempts=2, on=frozenset({"timeout", "error", "crash", "invalid", "unavailable"}), idempotent=idempotent
        )
        answer = decide(open_guard(target, retry=rule))
        assert target.calls == (2 if idempotent else 1)
        assert answer.disposition is (ANSWERED if idempotent else FAILED)
        (step,) = record_of(answer)[0].steps
        assert step.failed == (why,)
        assert step.no_retry == ("" if idempotent else "may-have-acted")

    def test_what_is_not_listed_is_not_asked_again(self, open_guard, decide, record_of):
        target = Scripted(RuntimeError("no"))
        answer = decide(open_guard(target, retry=RetryRule(attempts=5, on=UNAVAILABLE, idempotent=True)))
        assert target.calls == 1
        assert record_of(answer)[0].steps[0].no_retry == "not-listed"

    def test_attempts_come_to_an_end_and_the_last_error_stands_in_the_record(self, open_guard, decide, record_of):
        target = Scripted(unavailable(), unavailable(), TargetFault("unavailable", "still nobody", retry_after_s=7))
        answer = decide(open_guard(target, retry=RetryRule(attempts=3, on=UNAVAILABLE), chance=lambda: 0.1))
        assert (answer.disposition, answer.why, answer.retry_after_s) == (FAILED, "target-unavailable", 7)
        assert "try again in 7 s" in answer.next
        record, _ = record_of(answer)
        assert (record.steps[0].attempts, record.steps[0].no_retry) == (3, "attempts")
        assert record.error == record.steps[0].error == "TargetFault: still nobody"
        assert record.waited_us > 0

    def test_an_output_that_cannot_leave_is_not_asked_for_again(self, open_guard, decide):
        target = Scripted({"amount": "many"})
        guard = open_guard(target, output=READING, retry=RetryRule(attempts=5, on=UNAVAILABLE, idempotent=True))
        assert (decide(guard).why, target.calls) == ("output-contract", 1)

    def test_every_attempt_has_one_key_and_its_own_number(self, open_guard, decide):
        target = Scripted(unavailable(), unavailable(), 1)
        guard = open_guard(target, retry=RetryRule(attempts=3, on=UNAVAILABLE), chance=lambda: 0.0)
        decide(guard)
        assert [ask.attempt for ask in target.asked] == [1, 2, 3]
        assert len({ask.key for ask in target.asked}) == 1
        decide(guard)
        assert target.asked[-1].key != target.asked[0].key, "another decision"
        decide(guard, key="mine")
        assert target.asked[-1].key == "read:mine"

    def test_without_retries_the_callers_own_key_is_passed_on(self, open_guard, decide):
        target = Scripted(1)
        guard = open_guard(target)
        decide(guard)
        decide(guard, key="mine", subject="anna")
        assert [(ask.key, ask.subject, ask.type) for ask in target.asked] == [
            ("", None, "read"),
            ("read:mine", "anna", "read"),
        ]

    def test_a_pause_that_the_target_asks_for_is_kept(self, open_guard, decide):
        target = Scripted(unavailable(retry_after_s=0.2), 1)
        guard = open_guard(target, deadline_s=5.0, retry=RetryRule(attempts=2, on=UNAVAILABLE), chance=lambda: 0.0)
        answer, took = timed(lambda: decide(guard))
        assert (answer.disposition, took >= 0.2) == (ANSWERED, True)

    def test_one_that_asks_for_longer_than_is_left_is_not_waited_for(self, open_guard, decide, record_of):
        target = Scripted(unavailable(retry_after_s=60))
        guard = open_guard(target, deadline_s=1.0, retry=RetryRule(attempts=2, on=UNAVAILABLE))
        answer, took = timed(lambda: decide(guard))
        assert took < SLACK_S
        assert (answer.retry_after_s, record_of(answer)[0].steps[0].no_retry) == (60, "deadline")

    @pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1, "soon"])
    def test_one_that_asks_for_no_time_is_not_believed(self, open_guard, decide, odd):
        target = Scripted(TargetFault("unavailable", retry_after_s=odd), 1)
        guard = open_guard(target, retry=RetryRule(attempts=2, on=UNAVAILABLE), chance=lambda: 0.0)
        assert decide(guard).disposition is ANSWERED

    def test_an_attempt_leaves_time_for_the_next_where_a_timeout_is_asked_again(
        self, open_guard, decide, record_of, asynchronous
    ):
        """Else the first attempt would always take the whole deadline, and the retry be a promise alone."""

        async def hangs(_):
            await asyncio.sleep(2)

        target = Scripted(hangs if asynchronous else takes(2.0), {"amount": 1}, asynchronous=asynchronous)
        rule = RetryRule(attempts=2, on=frozenset({"timeout"}), idempotent=True)
        answer, took = timed(lambda: decide(open_guard(target, deadline_s=0.4, retry=rule)))
        assert (answer.disposition, answer.output) == (ANSWERED, {"amount": 1})
        assert 0.19 <= took < 0.4 + SLACK_S
        (step,) = record_of(answer)[0].steps
        assert step.failed == ("target-timeout",)
        assert 0.15 < target.asked[0].deadline_s <= 0.2, "half of what is left"
        assert target.asked[1].deadline_s <= 0.2, "all of what is left then"

    def test_the_last_attempt_that_takes_too_long_is_late(self, open_guard, decide, record_of):
        rule = RetryRule(attempts=2, on=frozenset({"timeout"}), idempotent=True)
        answer = decide(open_guard(takes(2.0), deadline_s=0.1, retry=rule))
        (step,) = record_of(answer)[0].steps
        # On a busy machine too little is left for a second attempt; then the first one's end is the decision's.
        assert (answer.why, step.failed) in {
            ("deadline", ("target-timeout", "deadline")),
            ("deadline", ("target-timeout",)),
            ("target-timeout", ("target-timeout",)),
        }

    def test_retries_never_multiply_an_outage_and_the_record_says_why(self, open_guard, record_of):
        target = Scripted(unavailable())
        rule = RetryRule(attempts=4, on=UNAVAILABLE, share=0.1)
        guard = open_guard(target, retry=rule, chance=lambda: 0.0)
        began = time.monotonic()
        answers = [guard.decide("read", GOOD) for _ in range(300)]
        retries = target.calls - 300
        assert retries <= 0.1 * 300 + SAVED_MOST + (time.monotonic() - began) + 1
        assert retries >= 30
        whys = [record_of(answer)[0].steps[0].no_retry for answer in answers[-100:]]
        assert whys.count("retry-budget") >= 80
        assert guard.health().targets[0].retries_left == 0

    def test_a_target_that_answers_pays_for_no_retries(self, open_guard):
        guard = open_guard(Scripted(1), retry=RetryRule(attempts=2, on=UNAVAILABLE))
        for _ in range(50):
            guard.decide("read", GOOD)
        assert guard.health().targets[0].retries_left == SAVED_MOST


class TestFallback:
    def chain(self, *steps):
        return tuple(steps)

    def test_each_step_is_recorded_with_why(self, open_guard, decide, record_of):
        guard = open_guard(
            Scripted(RuntimeError("out of paper")),
            fallback=(OtherTarget(name="previous-release"), OTHER, Constant(output={"amount": 0}), Hold()),
            others={"target": Scripted(unavailable(), name="other")},
        )
        answer = decide(guard)
        assert (answer.disposition, answer.output, answer.via) == (ANSWERED, {"amount": 0}, "fallback:constant")
        record, entry = record_of(answer)
        assert entry.header.called
        assert [(s.name, s.why, s.attempts) for s in record.steps] == [
            ("live", "target-error", 1),
            ("previous-release", "not-available", 0),
            ("target", "target-unavailable", 1),
            ("constant", "", 0),
        ]
        assert [s.error for s in record.steps[:3]] == ["RuntimeError: out of paper", "", "TargetFault: nobody there"]
        assert (record.error, record.why) == ("RuntimeError: out of paper", "")
        assert all(s.us > 0 for s in record.steps)
        assert [(s.name, s.why) for s in answer.steps] == [(s.name, s.why) for s in record.steps]

    def test_what_a_target_said_stays_in_the_record(self, open_guard, decide):
        """An error message of a target can hold anything; who calls us is told why, and not that."""
        answer = decide(open_guard(Scripted(RuntimeError("password hunter2")), fallback=(Hold(),)))
        assert b"hunter2" not in msgspec.json.encode(answer)

    def test_another_target_answers_in_its_place(self, open_guard, decide, record_of, asynchronous):
        other = Scripted({"amount": 2}, name="other", asynchronous=asynchronous)
        answer = decide(open_guard(Scripted(RuntimeError("no")), fallback=(OTHER,), others={"target": other}))
        assert (answer.output, answer.via) == ({"amount": 2}, "fallback:target")
        assert [s.why for s in record_of(answer)[0].steps] == ["target-error", ""]

    def test_a_target_that_is_put_in_later_is_found_and_one_that_is_exchanged_too(self, open_guard, decide):
        others = {}
        guard = open_guard(Scripted(RuntimeError("no")), fallback=(OTHER, Hold()), others=others)
        assert decide(guard).via == "fallback:hold"
        others["target"] = Scripted("one", name="one")
        assert decide(guard).output == "one"
        others["target"] = Scripted("two", name="two")
        assert decide(guard).output == "two"
        assert [t.target for t in guard.health().targets] == ["scripted", "two"]
        del others["target"]
        assert decide(guard).via == "fallback:hold"

    def test_when_every_step_fails_the_first_one_says_why(self, open_guard, decide, record_of):
        other = Scripted(unavailable(), name="other")
        answer = decide(open_guard(Scripted(RuntimeError("no")), fallback=(OTHER,), others={"target": other}))
        assert (answer.disposition, answer.why, answer.via, answer.output) == (FAILED, "target-error", "live", None)
        assert [s.why for s in record_of(answer)[0].steps] == ["target-error", "target-unavailable"]

    @pytest.mark.parametrize("review_below", [None, 0.9])
    def test_a_constant_has_no_confidence_and_never_releases_a_reviewed_type(
        self, open_guard, decide, record_of, review_below
    ):
        guard = open_guard(
            Scripted(RuntimeError("no")),
            tier=Tier.REVIEWED,
            review_below=review_below,
            fallback=(Constant(output={"amount": 0}),),
        )
        answer = decide(guard)
        assert (answer.disposition, answer.output, answer.via) == (HELD, None, "fallback:constant")
        record, _ = record_of(answer)
        assert json.loads(record.output_json) == {"amount": 0}, "the proposal is there for the person"
        assert record.confidence is None

    @pytest.mark.parametrize(("confidence", "held"), [(0.95, False), (0.5, True), (None, True)])
    def test_a_reviewed_type_leaves_a_fallback_only_if_it_is_sure_enough(self, open_guard, decide, confidence, held):
        guard = open_guard(
            Scripted(RuntimeError("no")),
            tier=Tier.REVIEWED,
            review_below=0.9,
            fallback=(OTHER,),
            others={"target": Scripted(Result("yes", confidence=confidence), name="other")},
        )
        answer = decide(guard)
        assert (answer.disposition is HELD) is held
        assert answer.via == "fallback:target"

    def test_held_for_its_confidence_is_an_answer_and_takes_no_fallback(self, open_guard, decide):
        other = Scripted("other")
        guard = open_guard(
            Scripted(Result("no", confidence=0.1)),
            tier=Tier.REVIEWED,
            review_below=0.9,
            fallback=(OTHER,),
            others={"target": other},
        )
        assert (decide(guard).via, other.calls) == ("live", 0)

    def test_an_output_that_may_not_leave_is_kept_where_a_later_step_gave_another(self, open_guard, decide, record_of):
        guard = open_guard(Scripted({"amount": "many"}), output=READING, fallback=(Constant(output={"amount": 0}),))
        answer = decide(guard)
        assert (answer.disposition, answer.output, answer.broken) == (ANSWERED, {"amount": 0}, ())
        record, _ = record_of(answer)
        live, _ = record.steps
        assert (live.why, json.loads(bytes(live.output))) == ("output-contract", {"amount": "many"})
        assert live.error == "/amount: type"
        assert json.loads(record.output_json) == {"amount": 0}
        assert record.output_broken == ()

    def test_a_constant_is_checked_like_any_output(self, open_guard, decide, record_of):
        guard = open_guard(
            Scripted(RuntimeError("no")), output=READING, fallback=(Constant(output={"amount": "none"}), Hold())
        )
        answer = decide(guard)
        assert (answer.disposition, answer.via) == (HELD, "fallback:hold")
        assert [s.why for s in record_of(answer)[0].steps] == ["target-error", "output-contract", ""]

    def test_a_constant_is_the_callers_own_to_change(self, open_guard, decide):
        guard = open_guard(Scripted(RuntimeError("no")), fallback=(Constant(output={"parts": []}),))
        decide(guard).output["parts"].append("mine")
        assert decide(guard).output == {"parts": []}

    def test_human_only_work_reaches_no_step_of_it(self, open_guard, decide, record_of):
        live, other = Scripted(1), Scripted(2)
        guard = open_guard(live, fallback=(OTHER, Constant(output=0)), others={"target": other})
        answer = decide(guard, "deny")
        assert (answer.disposition, answer.why, live.calls, other.calls) == (HELD, "human-only", 0, 0)
        assert record_of(answer)[0].steps == ()

    def test_no_room_takes_the_chain_too(self, open_guard, record_of):
        gate = Gate()
        guard = open_guard(gate, concurrency=1, queue=0, fallback=(Constant(output="busy"),))
        thread = threading.Thread(target=guard.decide, args=("read", GOOD))
        thread.start()
        wait_until(lambda: gate.inside)
        answer = guard.decide("read", GOOD)
        gate.open.set()
        thread.join()
        assert (answer.disposition, answer.output) == (ANSWERED, "busy")
        record, entry = record_of(answer)
        assert [(s.why, s.attempts) for s in record.steps] == [("no-room", 0), ("", 0)]
        assert not entry.header.called

    def test_targets_are_closed_with_the_guard_whether_they_were_needed_or_not(self, open_guard):
        live, used, unused = (Scripted(RuntimeError("no"), name=name) for name in ("live", "used", "unused"))
        guard = open_guard(
            live,
            fallback=(OTHER, OtherTarget(name="second")),
            others={"target": used, "second": unused},
        )
        guard.decide("read", GOOD)
        guard.close()
        assert (live.closed, used.closed, unused.closed) == (1, 1, 1)


class Purse:
    """A budget of so many attempts."""

    def __init__(self, attempts):
        self.left = attempts
        self.settled = []
        self.asked = []

    def __call__(self, ask, target):
        self.asked.append((target, ask.attempt))
        if not self.left:
            return None
        self.left -= 1
        return self.settled.append

    def close(self):
        """It holds nothing."""


class TestMoney:
    def test_a_call_is_paid_for_and_settled_with_what_it_used(self, open_guard, decide):
        purse = Purse(5)
        guard = open_guard(Scripted(Result(1, usage={"tokens": 12})), spend=purse)
        assert decide(guard).disposition is ANSWERED
        assert (purse.left, purse.settled, purse.asked) == (4, [{"tokens": 12}], [("scripted", 1)])

    def test_when_it_is_spent_nothing_is_asked(self, open_guard, decide, record_of):
        target = Scripted(1)
        answer = decide(open_guard(target, spend=Purse(0)))
        assert (answer.disposition, answer.why, target.calls) == (SHED, "budget", 0)
        assert not record_of(answer)[1].header.called

    def test_or_what_is_declared_stands_in(self, open_guard, decide):
        guard = open_guard(Scripted(1), spend=Purse(0), fallback=(Hold(),))
        assert (decide(guard).disposition, decide(guard).why) == (HELD, "budget")

    def test_every_attempt_is_paid_for_and_settled_once(self, open_guard, decide, record_of):
        purse = Purse(2)
        rule = RetryRule(attempts=5, on=UNAVAILABLE)
        answer = decide(open_guard(Scripted(unavailable()), spend=purse, retry=rule, chance=lambda: 0.0))
        assert (purse.asked, purse.settled) == ([("scripted", n) for n in (1, 2, 3)], [{}, {}])
        (step,) = record_of(answer)[0].steps
        assert (answer.why, step.attempts, step.no_retry) == ("target-unavailable", 2, "budget")

    def test_a_call_that_is_given_up_is_settled_too(self, open_guard, decide):
        purse = Purse(1)
        decide(open_guard(takes(1.0), deadline_s=0.05, spend=purse))
        assert purse.settled == [{}]

    def test_a_budget_that_cannot_be_read_is_spent(self, open_guard, decide, record_of):
        def broken(ask, target):
            raise OSError("no such table")

        broken.close = lambda: None
        answer = decide(open_guard(Scripted(1), spend=broken))
        assert (answer.disposition, answer.why) == (SHED, "budget")
        assert record_of(answer)[0].error == "OSError: no such table"

    def test_room_is_left_where_there_is_no_money(self, open_guard, decide):
        guard = open_guard(Scripted(1), spend=Purse(0), concurrency=1, queue=0)
        assert [decide(guard).why for _ in range(3)] == ["budget"] * 3
