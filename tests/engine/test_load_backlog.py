"""A backlog that grows is told from one that comes and goes, on queues whose truth is known."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.engine.load_backlog import Backlog, Trend, backlog_of

RATE = 600.0
CHANCE = random.Random(11)


def same(mean: float) -> float:
    return mean


def random_(mean: float) -> float:
    return CHANCE.expovariate(1 / mean)


def queue(
    load: float,
    *,
    seconds: float = 5.0,
    servers: int = 1,
    service: Callable[[float], float] = same,
    base: float = 0.0,
    newest_first: bool = False,
    stall: tuple[float, float] = (0.0, 0.0),
) -> Backlog:
    """A queue that is offered ``load`` times what it can do, evenly; it stands still once, from and for so long."""
    due = [call / RATE for call in range(int(seconds * RATE))]
    took = dict[int, float]()
    free = [0.0] * servers
    waiting: list[int] = []
    arrived = 0
    while len(took) < len(due):
        at = heapq.heappop(free)
        while arrived < len(due) and due[arrived] <= at:
            waiting.append(arrived)
            arrived += 1
        if not waiting:
            at = due[arrived]
            waiting.append(arrived)
            arrived += 1
        call = waiting.pop() if newest_first else waiting.pop(0)
        begin, lasts = stall
        end = at + service(servers * load / RATE)
        end += lasts if at <= begin < end else 0.0
        took[call] = end - due[call] + base
        heapq.heappush(free, end)
    return backlog_of(due, [took[call] for call in range(len(due))], [True] * len(due))


@pytest.mark.parametrize("load", [1.02, 1.05, 1.3, 2.0])
@pytest.mark.parametrize("servers", [1, 16])
def test_too_much_is_told_from_two_per_cent_on(load, servers):
    found = queue(load, servers=servers)
    assert found.trend is Trend.GROWING
    assert found.end > found.middle
    assert found.drain_s > 0


@pytest.mark.parametrize("load", [1.02, 1.05, 1.3, 2.0])
def test_too_much_is_never_steady_where_the_newest_call_goes_first(load):
    """Most calls are quick then, and some never get their turn: latencies alone would show little of it."""
    assert queue(load, newest_first=True).trend is not Trend.STEADY


@pytest.mark.parametrize("load", [0.1, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("servers", [1, 16])
def test_what_can_be_done_is_steady(load, servers):
    assert queue(load, servers=servers).trend is Trend.STEADY


def test_two_per_cent_too_much_would_not_show_in_a_latency_within_its_limit():
    """The reason for it all: in five seconds the slowest call took a tenth of a second."""
    due = [call / RATE for call in range(3000)]
    latency = [0.02 * at for at in due]
    assert max(latency) < 0.1
    assert backlog_of(due, latency, [True] * 3000).trend is Trend.GROWING


@pytest.mark.parametrize("begin", [0.1, 2.4, 2.6, 3.5, 4.2, 4.9])
def test_a_stall_is_no_growth_wherever_it_falls(begin):
    assert queue(0.8, stall=(begin, 0.3)).trend is Trend.STEADY


def test_random_service_at_nine_tenths_of_what_can_be_done_is_all_but_never_taken_for_growth():
    found = [queue(0.9, service=random_).trend for _ in range(100)]
    assert found.count(Trend.GROWING) <= 1


def test_random_service_of_a_tenth_too_much_is_growth_in_most_windows():
    found = [queue(1.1, service=random_).trend for _ in range(60)]
    assert found.count(Trend.GROWING) >= 50


def test_slow_calls_side_by_side_are_steady_once_the_first_have_come_back():
    assert queue(0.1, base=2.0).trend is Trend.STEADY
    assert queue(0.1, base=3.0).trend is Trend.STEADY


def test_calls_that_take_nearly_as_long_as_the_window_leave_it_open():
    found = queue(0.1, base=4.0)
    assert found.trend is Trend.UNTOLD
    assert found.settles_s == pytest.approx(4.0, abs=0.01)
    assert queue(0.1, base=4.0, seconds=15).trend is Trend.STEADY


def test_calls_that_never_come_back_pile_up():
    due = [call / 100 for call in range(1000)]
    latency = [10.0 if call % 20 == 0 else 0.01 for call in range(1000)]
    assert backlog_of(due, latency, [True] * 1000).trend is Trend.GROWING
    never_waited = [call % 20 != 0 for call in range(1000)]
    assert backlog_of(due, latency, never_waited) == Backlog(drain_s=pytest.approx(0.01), settles_s=0.01)


@given(
    gaps=st.lists(st.floats(0, 0.2), max_size=60),
    data=st.data(),
)
def test_any_window_has_a_backlog(gaps, data):
    due, at = [], 0.0
    for gap in gaps:
        at += gap
        due.append(at)
    latency = data.draw(st.lists(st.floats(0, 20), min_size=len(due), max_size=len(due)))
    counted = data.draw(st.lists(st.booleans(), min_size=len(due), max_size=len(due)))
    found = backlog_of(due, latency, counted)
    assert 0 <= found.middle <= len(due)
    assert 0 <= found.end <= len(due)
    assert found.drain_s >= 0
