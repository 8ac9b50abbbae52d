"""The breaker as a state machine: when it opens, whom it lets through, what it forgets."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plimsoll.guard.breaker import Breaker, BreakerRule, Outcome, after, let_through, wait_s
from plimsoll.model.breaker import BreakerState

SECOND = 10**9
RULE = BreakerRule(share=0.5, of=20, half_open_after_s=5.0)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def told(breaker, outcomes, rule=RULE, now_ns=0):
    for outcome in outcomes:
        breaker = after(breaker, rule, breaker.turn, outcome, now_ns)
    return breaker


def opened(now_ns=0, rule=RULE):
    breaker = told(Breaker(), [Outcome.FAILED] * rule.failures, rule, now_ns)
    assert breaker.state is OPEN
    return breaker


@pytest.mark.parametrize(
    ("share", "of", "failures"), [(0.5, 20, 10), (1.0, 3, 3), (0.1, 30, 3), (0.34, 3, 2), (0.01, 5, 1), (0.3, 10, 3)]
)
def test_it_opens_when_the_declared_share_has_failed_and_not_before(share, of, failures):
    rule = BreakerRule(share=share, of=of)
    assert rule.failures == failures
    assert told(Breaker(), [Outcome.FAILED] * (failures - 1), rule).state is CLOSED
    assert told(Breaker(), [Outcome.FAILED] * failures, rule).state is OPEN


def test_only_the_latest_calls_count():
    good_and_bad = [Outcome.FAILED] * 9 + [Outcome.GOOD] * 20 + [Outcome.FAILED] * 9
    assert told(Breaker(), good_and_bad).state is CLOSED
    assert told(Breaker(), [*good_and_bad, Outcome.FAILED]).state is OPEN


def test_every_second_call_failing_opens_a_breaker_of_half():
    assert told(Breaker(), [Outcome.GOOD, Outcome.FAILED] * 9).state is CLOSED
    assert told(Breaker(), [Outcome.GOOD, Outcome.FAILED] * 10).state is OPEN


def test_what_says_nothing_of_the_target_does_not_count():
    assert told(Breaker(), [Outcome.FAILED] * 9 + [Outcome.NEITHER] * 100).state is CLOSED


def test_while_it_is_open_nobody_gets_through_until_its_time_has_come():
    breaker = opened(now_ns=SECOND)
    for now in (SECOND, 3 * SECOND, 6 * SECOND - 1):
        assert let_through(breaker, RULE, now) == (breaker, False)
    assert wait_s(breaker, RULE, 4 * SECOND) == 2.0
    breaker, may = let_through(breaker, RULE, 6 * SECOND)
    assert (breaker.state, may) == (HALF_OPEN, True)


def test_half_open_one_call_finds_out_and_the_others_wait():
    breaker, _ = let_through(opened(), RULE, 5 * SECOND)
    assert [let_through(breaker, RULE, 5 * SECOND + n)[1] for n in range(100)] == [False] * 100
    assert told(breaker, [Outcome.GOOD]).state is CLOSED
    assert told(breaker, [Outcome.GOOD]).recent == 0, "what was before it opened is forgotten"
    again = told(breaker, [Outcome.FAILED], now_ns=7 * SECOND)
    assert (again.state, again.since_ns) == (OPEN, 7 * SECOND)
    assert not let_through(again, RULE, 12 * SECOND - 1)[1]


def test_several_probes_have_to_succeed_one_and_all():
    rule = BreakerRule(probes=3)
    breaker, through = opened(rule=rule), 0
    for _ in range(10):
        breaker, may = let_through(breaker, rule, 5 * SECOND)
        through += may
    assert through == 3
    assert told(breaker, [Outcome.GOOD] * 2, rule).state is HALF_OPEN
    assert told(breaker, [Outcome.GOOD] * 3, rule).state is CLOSED
    assert told(breaker, [Outcome.GOOD, Outcome.FAILED], rule).state is OPEN


def test_a_probe_that_was_given_up_makes_room_for_another():
    breaker, _ = let_through(opened(), RULE, 5 * SECOND)
    breaker = told(breaker, [Outcome.NEITHER])
    assert (breaker.state, let_through(breaker, RULE, 5 * SECOND + 1)[1]) == (HALF_OPEN, True)


def test_a_probe_of_which_nobody_hears_again_does_not_keep_it_half_open_for_ever():
    breaker, _ = let_through(opened(), RULE, 5 * SECOND)
    assert not let_through(breaker, RULE, 10 * SECOND - 1)[1]
    breaker, may = let_through(breaker, RULE, 10 * SECOND)
    assert may
    assert not let_through(breaker, RULE, 10 * SECOND + 1)[1], "one at a time"
    assert told(breaker, [Outcome.GOOD]).state is CLOSED


def test_what_was_under_way_when_it_opened_says_nothing_later():
    closed = Breaker()
    breaker = opened()
    assert after(breaker, RULE, closed.turn, Outcome.GOOD, 0) is breaker
    half_open, _ = let_through(breaker, RULE, 5 * SECOND)
    assert after(half_open, RULE, closed.turn, Outcome.GOOD, 0) is half_open
    assert after(half_open, RULE, closed.turn, Outcome.FAILED, 0) is half_open


@pytest.mark.parametrize(
    "wrong", [{"share": 0.0}, {"share": 1.1}, {"of": 0}, {"half_open_after_s": 0.0}, {"probes": 0}]
)
def test_a_rule_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        BreakerRule(**wrong)


@given(st.lists(st.sampled_from(list(Outcome)), max_size=200), st.integers(1, 30), st.floats(0.01, 1.0))
@settings(max_examples=200)
def test_it_opens_exactly_when_so_many_of_the_latest_have_failed(outcomes, of, share):
    """Against a list of the latest outcomes that is counted anew each time."""
    rule, breaker, latest = BreakerRule(share=share, of=of), Breaker(), deque(maxlen=of)
    for outcome in outcomes:
        breaker = after(breaker, rule, 0, outcome, 0)
        if outcome is not Outcome.NEITHER:
            latest.append(outcome)
        if latest.count(Outcome.FAILED) >= rule.failures:
            assert breaker.state is OPEN
            return
        assert breaker.state is CLOSED


class OneBreaker(RuleBasedStateMachine):
    """Calls that come, end, are given up and are forgotten in any order, with time going on in between."""

    @initialize(of=st.integers(1, 6), share=st.sampled_from([0.2, 0.5, 1.0]), probes=st.integers(1, 3))
    def begin(self, of, share, probes):
        self.rule = BreakerRule(share=share, of=of, half_open_after_s=5.0, probes=probes)
        self.breaker = Breaker()
        self.now = 0
        self.under_way = []  # turns in which calls were let through
        self.through_while_open = 0
        self.sent = 0  # probes since it became half open

    @rule(seconds=st.sampled_from([0.001, 1.0, 4.9, 5.0, 60.0]))
    def time_goes_on(self, seconds):
        self.now += int(seconds * SECOND)

    @rule()
    def a_call_comes(self):
        before, since = self.breaker.state, self.now - self.breaker.since_ns
        self.breaker, may = let_through(self.breaker, self.rule, self.now)
        assert may or before is not CLOSED
        if before is OPEN:
            assert may == (since >= 5 * SECOND)
        if may:
            self.under_way.append(self.breaker.turn)

    @precondition(lambda self: self.under_way)
    @rule(at=st.integers(0, 1000), outcome=st.sampled_from(list(Outcome)))
    def a_call_ends(self, at, outcome):
        turn = self.under_way.pop(at % len(self.under_way))
        before = self.breaker
        self.breaker = after(before, self.rule, turn, outcome, self.now)
        if turn != before.turn or before.state is OPEN:
            assert self.breaker is before, "it says how the target was, not how it is"
        if outcome is Outcome.NEITHER:
            assert self.breaker.state is before.state
        if outcome is Outcome.GOOD:
            assert self.breaker.state is not OPEN or before.state is OPEN

    @precondition(lambda self: self.under_way)
    @rule(at=st.integers(0, 1000))
    def nobody_hears_of_it_again(self, at):
        self.under_way.pop(at % len(self.under_way))

    @invariant()
    def it_is_never_stuck(self):
        """After the declared time, and a call that goes well for each probe, it is closed."""
        breaker, now = self.breaker, self.now
        for _ in range(self.rule.probes):
            now += 5 * SECOND
            breaker, may = let_through(breaker, self.rule, now)
            assert may
            breaker = after(breaker, self.rule, breaker.turn, Outcome.GOOD, now)
        assert breaker.state is CLOSED

    @invariant()
    def it_waits_no_longer_than_declared(self):
        assert 0.0 <= wait_s(self.breaker, self.rule, self.now) <= 5.0


OneBreaker.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestOneBreaker = OneBreaker.TestCase
