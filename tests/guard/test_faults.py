"""With its target down, slow, erring, hanging, killed or held, every call ends in time with an answer or a clear refusal.

In time is the deadline and 50 ms, and what the machine took meanwhile; see `plimsoll.testing.faults`.
"""

from __future__ import annotations

import collections
import contextlib
import sqlite3

import pytest
from guard.scripted import GOOD, Scripted, takes

from plimsoll.guard import BreakerRule, Constant, Hold, RetryRule
from plimsoll.model.decision import Disposition
from plimsoll.testing.faults import (
    CALLERS,
    CLEAR,
    DEADLINE_S,
    FAULTS,
    Control,
    Down,
    Erring,
    Hanging,
    Slow,
    from_threads,
    late_ms,
    on_a_loop,
)

RETRY = RetryRule(attempts=3, on=frozenset({"unavailable", "error", "timeout"}), idempotent=True)
BREAKER = BreakerRule(share=0.5, of=20, half_open_after_s=0.01)  # so quick that it opens and closes many times in a run
ALL = {"retry": RETRY, "breaker": BREAKER}


@pytest.fixture
def control(tmp_path):
    made = Control(tmp_path)
    yield made
    made.end()


def check(ended, calls, path, control):
    """Every call ended, in time, clearly; and the file holds exactly what the callers were told."""
    control.end()
    late = late_ms(ended, control)
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
        ended = (from_threads if way == "threads" else on_a_loop)(guard, calls, "read", GOOD)
    finally:
        target.close()
    return target, check(ended, calls, tmp_path / "ledger.db", control)


KINDS = [Down, Slow, Erring, Hanging]
WAYS = ["threads", "loop"]


def named(fault):
    return fault.__name__.lower()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", KINDS, ids=named)
def test_every_call_ends_in_time_and_on_record(open_guard, tmp_path, control, fault, way):
    """A synchronous target from threads, an asynchronous one on a loop, with all rules on."""
    run(open_guard, tmp_path, control, fault, way, 1000, is_async=way == "loop", **ALL)


@pytest.mark.alone
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["killed", "holding"])
def test_also_where_the_process_that_answers_is_killed_or_held_by_c_code(open_guard, tmp_path, control, kind, way):
    """In worker processes; new ones are started for those that are lost, so it has the machine to itself."""
    _, told = run(open_guard, tmp_path, control, FAULTS[kind], way, 300, is_async=True)
    assert told["answered"] > 0, "what is lost is replaced"
    assert told["answered"] < 300


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
    ended = from_threads(guard, 1, "read", GOOD)
    with pytest.raises(AssertionError, match="1 of 1 were late"):
        check(ended, 1, tmp_path / "ledger.db", control)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("kind", "is_async"),
    [
        (kind, is_async)
        for kind in FAULTS
        for is_async in (False, True)
        if is_async or kind not in {"killed", "holding"}
    ],
)
def test_ten_thousand_calls_of_ten_thousand(open_guard, tmp_path, control, kind, way, is_async):
    run(open_guard, tmp_path, control, FAULTS[kind], way, 10_000, is_async=is_async, **ALL)
