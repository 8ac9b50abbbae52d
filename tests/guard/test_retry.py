"""Asking again: when that is safe, after which pause, and how often in all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.guard.retry import (
    FIRST_PAUSE_S,
    FLOOR_PER_S,
    LONGEST_PAUSE_S,
    SAVED_MOST,
    RetryBudget,
    RetryRule,
    pause_s,
    why_not_again,
)
from plimsoll.guard.target import FAULTS

SECOND = 10**9


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("idempotent", [True, False])
def test_what_may_have_acted_is_asked_again_only_where_that_does_no_harm(kind, idempotent):
    rule = RetryRule(attempts=2, on=frozenset(FAULTS), idempotent=idempotent)
    safe = idempotent or kind == "unavailable"
    assert why_not_again(rule, kind, 1) == ("" if safe else "may-have-acted")


def test_a_kind_that_is_not_listed_is_not_asked_again():
    rule = RetryRule(attempts=3, on=frozenset({"timeout"}), idempotent=True)
    assert [why_not_again(rule, kind, 1) for kind in ("timeout", "error")] == ["", "not-listed"]


def test_attempts_come_to_an_end():
    rule = RetryRule(attempts=3, on=frozenset({"unavailable"}))
    assert [why_not_again(rule, "unavailable", n) for n in (1, 2, 3)] == ["", "", "attempts"]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e6))
def test_a_pause_is_jittered_and_bounded_and_honours_what_the_target_asks(attempts, chance, asked):
    pause = pause_s(attempts, chance, asked)
    assert pause >= (asked or 0.0)
    assert pause <= max(LONGEST_PAUSE_S, asked or 0.0)


def test_pauses_double_at_most():
    assert [pause_s(n, 1.0, None) for n in (1, 2, 3)] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pause_s(1, 0.0, None) == 0.0, "full jitter: some go at once, so that they do not go together"


@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.sampled_from(["first", "retry"]), st.integers(0, 3 * SECOND)), max_size=300),
)
def test_retries_never_exceed_the_declared_share_and_the_floor(share, steps):
    budget, now, first, retries = RetryBudget(share, 0), 0, 0, 0
    for step, later in steps:
        now += later
        if step == "first":
            budget.first(now)
            first += 1
        else:
            retries += budget.spend(now)
        assert retries <= share * first + FLOOR_PER_S * now / SECOND + SAVED_MOST + 1e-6


def test_an_outage_is_not_multiplied():
    """A thousand calls a second, all of which fail and would each be tried three times."""
    budget, asked = RetryBudget(0.1, 0), 0
    for n in range(60_000):
        now = n * SECOND // 1000
        budget.first(now)
        asked += 1 + budget.spend(now) + budget.spend(now)
    assert 1.09 <= asked / 60_000 <= 1.103


def test_a_quiet_system_may_retry_all_the_same():
    budget, retries = RetryBudget(0.1, 0), 0
    for n in range(1, 61):
        budget.first(n * SECOND)
        retries += budget.spend(n * SECOND)
    assert retries == 60


def test_what_is_saved_up_is_bounded():
    budget = RetryBudget(1.0, 0)
    for n in range(10_000):
        budget.first(n * SECOND)
    assert sum(budget.spend(10_000 * SECOND) for _ in range(100)) == SAVED_MOST == budget_full()


def budget_full():
    return RetryBudget(0.0, 0).left


def test_a_clock_that_stands_still_or_goes_back_gives_nothing():
    budget = RetryBudget(0.0, 5 * SECOND)
    assert sum(budget.spend(4 * SECOND) for _ in range(100)) == SAVED_MOST
    assert not budget.spend(5 * SECOND)
    assert budget.spend(6 * SECOND)
