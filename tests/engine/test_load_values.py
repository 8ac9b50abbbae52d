"""The parts of the load driver that are functions of values."""

from __future__ import annotations

import itertools
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.engine.cell import HEADER, MOST_PAYLOAD, BadFrame, Frames
from plimsoll.engine.load import outstanding_for
from plimsoll.engine.load_cell import CellLink, CellTarget
from plimsoll.engine.load_health import HealthLimits, Vitals, out_of_breath
from plimsoll.engine.load_request import HttpTarget, build_requests, by_status
from plimsoll.engine.load_schedule import Arrivals, Schedule
from plimsoll.engine.load_window import OUTCOME_OF, Outcome, WindowResult, quantile
from plimsoll.errors import UsageError
from plimsoll.model.decision import Disposition

FIT = Vitals(lag_p99_s=0.0005, latency_p99_s=0.02, cpu_share=0.3, over_bound=0, bound=4096, own_faults=0)


# ── the schedule ──


@given(st.floats(0.1, 1e5), st.integers(1, 500), st.sampled_from(Arrivals), st.integers(0, 9))
def test_calls_are_due_in_order_and_as_many_as_asked_for(rate, count, arrivals, seed):
    offsets = Schedule(rate=rate, count=count, arrivals=arrivals, seed=seed).offsets()
    assert len(offsets) == count
    assert list(offsets) == sorted(offsets)
    assert offsets[0] >= 0


def test_uniform_arrivals_do_not_drift():
    offsets = Schedule(rate=30.0, count=30_001).offsets()
    assert offsets[-1] == 1000.0  # a running sum of 1/30 would be off by now


def test_poisson_arrivals_follow_from_their_seed_and_have_the_rate_and_the_spread():
    a, b, c = (Schedule(rate=100.0, count=20_000, arrivals=Arrivals.POISSON, seed=s).offsets() for s in (1, 1, 2))
    assert a == b != c
    gaps = [y - x for x, y in itertools.pairwise(a)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps))
    assert mean == pytest.approx(0.01, rel=0.03)
    assert spread == pytest.approx(mean, rel=0.03)  # of an exponential, mean and deviation are the same


@pytest.mark.parametrize(("rate", "count"), [(0, 1), (-1, 1), (math.nan, 1), (math.inf, 1), (1, 0), (1, 10**9)])
def test_a_schedule_that_cannot_be_is_refused(rate, count):
    with pytest.raises(ValueError, match="must"):
        Schedule(rate=rate, count=count)


# ── figures of a window ──


def window(outcomes: list[Outcome], latency: float = 0.01, **more: object) -> WindowResult:
    return WindowResult(
        rate=100.0,
        latency=array("d", [latency] * len(outcomes)),
        outcome=array("b", [int(o) for o in outcomes]),
        lag=array("d"),
        errors={},
        sending_s=1.0,
        wall_s=1.0,
        cpu_share=0.1,
        queued=0,
        **more,
    )


@given(st.lists(st.sampled_from([o for o in Outcome if o is not Outcome.OPEN])))
def test_every_call_is_counted_once_and_rates_are_of_what_was_sent(outcomes):
    w = window(outcomes)
    assert sum(w.count(o) for o in Outcome) == w.offered == len(outcomes)
    assert w.sent == w.offered - w.count(Outcome.UNSENT)
    assert 0 <= w.shed_rate <= w.error_rate <= 1
    assert len(w.latencies()) == w.sent - w.count(Outcome.SHED)


def test_shed_calls_have_no_latency_and_failed_ones_do():
    w = window([Outcome.SHED, Outcome.FAILED, Outcome.ANSWERED])
    assert len(w.latencies()) == 2
    assert w.error_rate == pytest.approx(2 / 3)


def test_each_disposition_has_its_outcome():
    assert {o.name for o in OUTCOME_OF.values()} == {d.name for d in Disposition}


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(values, q):
    values.sort()
    found = quantile(values, q)
    assert sum(v <= found for v in values) >= q * len(values) - 1e-6
    assert sum(v < found for v in values) < q * len(values)


def test_nothing_has_no_quantile():
    assert quantile([], 0.99) is None


# ── the driver's health ──


def test_a_driver_that_keeps_up_is_healthy():
    assert out_of_breath(FIT, HealthLimits()) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lag_p99_s": 0.006}, "6.0 ms late"),
        ({"cpu_share": 0.95}, "95% of its processor"),
        ({"over_bound": 3}, "3 calls were not sent: 4096 were waiting"),
        ({"own_faults": 2}, "file descriptors"),
    ],
)
def test_a_driver_out_of_breath_says_why(change, says):
    vitals = Vitals(**{f: getattr(FIT, f) for f in FIT.__struct_fields__} | change)
    (why,) = out_of_breath(vitals, HealthLimits())
    assert says in why


def test_lag_may_be_larger_where_the_latency_measured_is_larger():
    vitals = Vitals(lag_p99_s=0.05, latency_p99_s=1.0, cpu_share=0.1, over_bound=0, bound=4096, own_faults=0)
    assert out_of_breath(vitals, HealthLimits()) == ()


def test_a_system_that_never_replies_cannot_reach_the_drivers_bound():
    assert outstanding_for(2000.0, 10.0) > 2000 * 10
    assert outstanding_for(1e6, 3600.0) == 262_144  # but there is one


# ── frames ──


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=40))), st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(frames, data):
    stream = b"".join(HEADER.pack(len(p), n) + p for n, p in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    reader, got = Frames(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += list(reader.feed(stream[start:end]))
    assert got == frames


def test_a_frame_longer_than_any_record_is_refused_before_it_is_read():
    with pytest.raises(BadFrame):
        list(Frames().feed(HEADER.pack(MOST_PAYLOAD + 1, 0)))


# ── requests ──


def test_a_request_carries_the_record_byte_for_byte():
    (raw,) = build_requests(HttpTarget(url="http://h:81/a?b=c", headers=(("X-Key", "k"),)), [b'{"a":\xff}'])
    assert raw == (
        b"POST /a?b=c HTTP/1.1\r\nHost: h:81\r\nContent-Type: application/json\r\nX-Key: k\r\n"
        b'Content-Length: 7\r\n\r\n{"a":\xff}'
    )


@pytest.mark.parametrize(
    "url", ["ftp://h/", "h:80", "http://", "http://h:port/", "http://u:p@h/", "http://h/a b", "http://h/\r\nX: y", ""]
)
def test_a_url_that_cannot_be_asked_is_refused_with_what_to_do(url):
    with pytest.raises(UsageError) as caught:
        build_requests(HttpTarget(url=url), [b"{}"])
    assert caught.value.fix


def test_a_header_cannot_smuggle_a_second_one():
    with pytest.raises(UsageError):
        build_requests(HttpTarget(url="http://h/", headers=(("A", "b\r\nC: d"),)), [b"{}"])


def test_no_record_is_no_load():
    with pytest.raises(UsageError):
        build_requests(HttpTarget(url="http://h/"), [])
    with pytest.raises(UsageError):
        CellLink(CellTarget(argv=("x",)), [])


def test_a_record_that_no_cell_takes_is_refused_before_anything_is_sent():
    with pytest.raises(UsageError, match="a cell takes"):
        CellLink(CellTarget(argv=("x",)), [bytes(MOST_PAYLOAD + 1)])


def test_a_status_says_how_a_call_ended():
    assert [by_status(s) for s in (200, 204, 429, 503)] == [
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.SHED,
        Outcome.SHED,
    ]
    assert {by_status(s) for s in (301, 400, 404, 422, 500, 502)} == {Outcome.FAILED}
