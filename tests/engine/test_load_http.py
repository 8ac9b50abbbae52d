"""The load driver against real HTTP services, good and bad."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from plimsoll.engine.load import Settings, drive
from plimsoll.engine.load_http import HttpLink
from plimsoll.engine.load_request import HttpTarget
from plimsoll.engine.load_schedule import Arrivals, Schedule
from plimsoll.engine.load_window import Outcome, WindowResult, quantile
from plimsoll.errors import TargetError

pytestmark = pytest.mark.alone

RECORD = b'{"amount": 1}'


async def offer(url: str, schedule: Schedule, settings: Settings = Settings(timeout_s=2.0), **more) -> WindowResult:  # noqa: B008  # frozen
    (window,) = await offer_all(url, [schedule], settings, **more)
    return window


async def offer_all(url, schedules, settings, *, records=(RECORD,), classify=None, connections=512):
    link = HttpLink(HttpTarget(url=url, connections=connections), records, classify)
    await link.open()
    try:
        return [await drive(link, schedule, settings) for schedule in schedules]
    finally:
        await link.close()


def calls(rate: float, count: int) -> Schedule:
    return Schedule(rate=rate, count=count)


def test_a_good_service_answers_all_at_the_rate_that_was_asked_for(serve, run):
    window = run(offer(serve("ok"), calls(500, 200)))
    assert window.count(Outcome.ANSWERED) == window.offered == 200
    assert window.errors == {}
    assert window.sending_s == pytest.approx(199 / 500, abs=0.1)
    assert len(window.lag) == 200
    assert min(window.lag) >= 0  # never sent before it is due
    assert max(window.latency) < 2.0


def test_random_arrivals_are_offered_as_scheduled(serve, run):
    window = run(offer(serve("ok"), Schedule(rate=500, count=200, arrivals=Arrivals.POISSON, seed=3)))
    assert window.count(Outcome.ANSWERED) == 200


def test_a_stall_is_reported_in_full(serve, run):
    """A closed-loop driver would report one slow call; the truth is that a fifth of all calls were due meanwhile."""
    window = run(offer(serve("stall", 0.5, 0.4), calls(500, 1000)))
    truth = 0.4 * (0.2 - 0.01) / 0.2  # delays are uniform on 0 to 0.4 s for a fifth of the calls
    assert quantile(window.latencies(), 0.99) == pytest.approx(truth, rel=0.05)
    assert window.healthy, window.unhealthy  # the system stood still, not the driver
    assert window.sending_s == pytest.approx(2.0, abs=0.05)  # its schedule did not wait for it


def test_a_slow_service_is_slow_and_does_not_slow_its_own_load(serve, run):
    window = run(offer(serve("slow", 0.2), calls(300, 90)))
    assert window.count(Outcome.ANSWERED) == 90
    assert quantile(window.latencies(), 0.5) == pytest.approx(0.2, abs=0.05)
    assert window.sending_s < 0.4


def test_an_overloaded_service_blows_up_at_three_times_its_peak_and_not_at_the_peak(serve, run):
    url = serve("serial", 0.005)  # 200 a second at most
    peak, thrice = run(offer_all(url, [calls(100, 50), calls(300, 150)], Settings(timeout_s=5.0)))
    worst_at_peak, worst_at_thrice = (quantile(w.latencies(), 0.99) for w in (peak, thrice))
    assert worst_at_thrice > max(0.15, 3 * worst_at_peak)


def test_a_service_that_refuses_connections_fails_every_call(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    window = run(offer(url, calls(200, 40)))
    assert window.count(Outcome.FAILED) == 40
    assert window.errors == {"connection refused": 40}
    assert min(window.latency) == 2.0  # no reply: not answered within any time shorter than the timeout


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("cut", "connection lost in mid-reply"),
        ("hang-up", "connection lost before the reply"),
        ("garbage", "reply is not HTTP/1.1"),
    ],
)
def test_a_broken_reply_is_a_failure_with_its_kind(serve, run, kind, error):
    window = run(offer(serve(kind), calls(200, 40)))
    assert window.count(Outcome.FAILED) == 40
    assert window.errors == {error: 40}


@pytest.mark.parametrize(("status", "outcome"), [(500, Outcome.FAILED), (404, Outcome.FAILED), (503, Outcome.SHED)])
def test_a_bad_status_is_counted_by_its_number(serve, run, status, outcome):
    window = run(offer(serve("status", status), calls(200, 40)))
    assert window.count(outcome) == 40
    assert window.errors == {f"status {status}": 40}
    assert len(window.latencies()) == (0 if outcome is Outcome.SHED else 40)


def test_calls_without_a_reply_are_late_when_their_time_is_up_and_the_window_ends(serve, run):
    begun = time.perf_counter()
    window = run(offer(serve("never"), calls(200, 40), Settings(timeout_s=0.3)))
    assert time.perf_counter() - begun < 2.0
    assert window.count(Outcome.LATE) == 40
    assert window.errors == {"no reply in time": 40}
    assert window.latency.tolist() == pytest.approx([0.3] * 40, abs=0.1)


def test_a_reply_after_the_time_allowed_is_late_with_the_time_it_took(serve, run):
    window = run(offer(serve("slow", 0.15), calls(200, 20), Settings(timeout_s=2.0, late_after_s=0.1)))
    assert window.count(Outcome.LATE) == 20
    assert min(window.latency) > 0.14


def test_a_window_is_not_disturbed_by_calls_that_the_one_before_gave_up(serve, run):
    first, second = run(offer_all(serve("first-never", 10), [calls(100, 10), calls(100, 10)], Settings(timeout_s=0.2)))
    assert first.count(Outcome.LATE) == 10
    assert second.count(Outcome.ANSWERED) == 10


def test_a_pool_is_drained_when_one_more_call_comes_back(serve, run):
    async def main(url):
        link = HttpLink(HttpTarget(url=url), [RECORD])
        await link.open()
        try:
            await drive(link, calls(100, 5), Settings(timeout_s=0.1))
            return await link.drain(0.2), await link.drain(0.2)
        finally:
            await link.close()

    assert run(main(serve("never"))) == (False, False)
    assert run(main(serve("first-never", 5))) == (True, True)


def test_connections_that_the_service_closes_are_made_anew(serve, run):
    window = run(offer(serve("one-each"), calls(200, 40)))
    assert window.count(Outcome.ANSWERED) == 40


def test_an_interim_reply_is_not_the_reply(serve, run):
    assert run(offer(serve("early-hint"), calls(200, 20))).count(Outcome.ANSWERED) == 20


def test_a_reply_that_nobody_asked_for_is_not_taken_for_the_next_one(serve, run):
    window = run(offer(serve("twice"), calls(100, 20)))
    assert window.offered == 20
    assert set(window.outcome) <= {Outcome.ANSWERED, Outcome.FAILED}


def test_calls_wait_for_a_free_connection_and_the_wait_is_in_their_latency(serve, run):
    window = run(offer(serve("slow", 0.1), calls(200, 20), connections=2))
    assert window.queued > 0
    assert window.count(Outcome.ANSWERED) == 20
    assert max(window.latency) > 0.8  # twenty calls, two at a time, a tenth of a second each


def test_records_are_sent_in_turn_and_a_classifier_sees_status_and_body(serve, run):
    seen = []

    def classify(status: int, body: bytes) -> Outcome:
        seen.append((status, body))
        return Outcome[json.loads(body)["say"].upper()]

    records = [b'{"say": "answered"}', b'{"say": "held"}', b'{"say": "failed"}']
    first, second = run(
        offer_all(serve("echo"), [calls(200, 4), calls(200, 5)], Settings(), records=records, classify=classify)
    )
    assert [Outcome(o).name for o in first.outcome] == ["ANSWERED", "HELD", "FAILED", "ANSWERED"]
    assert [Outcome(o).name for o in second.outcome] == ["HELD", "FAILED", "ANSWERED", "HELD", "FAILED"]
    assert (200, records[0]) in seen


def test_an_unknown_host_is_said_before_anything_is_sent(run):
    with pytest.raises(TargetError, match="unknown"):
        run(offer("http://no-such-host.invalid/", calls(1, 1)))


def test_a_driver_starved_of_its_processor_says_so(serve, run):
    """Threads that hold the interpreter stand for whatever keeps a driver from running."""
    url, stop = serve("ok"), threading.Event()

    def spin() -> None:
        while not stop.is_set():
            pass

    threads = [threading.Thread(target=spin) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        window = run(offer(url, calls(500, 200)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not window.healthy
    assert any("late or later" in why or "processor" in why for why in window.unhealthy)


def test_a_driver_that_reaches_its_own_bound_says_so_and_sends_no_more(serve, run):
    window = run(offer(serve("never"), calls(1000, 100), Settings(timeout_s=0.3, outstanding=10)))
    assert window.count(Outcome.UNSENT) == 90
    assert window.sent == len(window.lag) == 10
    assert any("90 calls were not sent" in why for why in window.unhealthy)


def test_a_rate_beyond_the_machine_ends_in_time_and_says_how_much_was_not_sent(serve, run):
    begun = time.perf_counter()
    window = run(offer(serve("ok"), calls(1_000_000, 500_000)))
    assert time.perf_counter() - begun < 5.0  # not as long as it would take to send them all
    assert window.count(Outcome.UNSENT) > 100_000
    assert window.count(Outcome.UNSENT) + window.count(Outcome.ANSWERED) == 500_000
    assert any("not sent" in why for why in window.unhealthy)
