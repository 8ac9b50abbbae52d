"""What must hold of the gate whatever the evidence."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plimsoll.gate.board import outcome_of
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.evidence import Census, Draw, Proportion, Repeats
from plimsoll.model.metrics import METRICS, Better, Kind
from plimsoll.model.quantity import UnitKind

SEVERITY = [Standing.MET, Standing.INSUFFICIENT, Standing.NOT_MET]

LIMITS = {
    UnitKind.RATIO: st.integers(0, 100).map(lambda v: f"{v}%"),
    UnitKind.DURATION: st.sampled_from(["100ms", "250ms", "1s"]),
    UnitKind.MULTIPLE: st.sampled_from(["1x", "2x", "3x"]),
    UnitKind.COUNT: st.integers(0, 3).map(str),
}


@st.composite
def conditions(draw):
    metric = METRICS[draw(st.sampled_from(sorted(METRICS)))]
    ops = [">=", ">"] if metric.better is Better.HIGHER else ["<=", "<"]
    if metric.kind is Kind.CENSUS:
        ops.append("=")
    return metric.name, f"{metric.name} {draw(st.sampled_from(ops))} {draw(LIMITS[metric.unit])}"


def samples(bench, metric):
    entry = METRICS[metric]
    match entry.kind:
        case Kind.PROPORTION:
            near = st.integers(1, 800).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
            scale = st.sampled_from([0.5, 1.0, 2.7777777777777777] if metric == "evaluation.review_load" else [1.0])
            return st.tuples(near, scale).map(lambda c: Proportion(hits=c[0][0], total=c[0][1], scale=c[1]))
        case Kind.QUANTILE:
            window = st.tuples(st.sampled_from([0, 40, 299, 600]), st.lists(st.floats(0.01, 2), max_size=8))
            one = window.map(lambda w: bench.window(w[0], *w[1], rest=0.01) if w[0] else bench.window(0))
            return st.lists(one, min_size=1, max_size=4).map(lambda w: bench.windows(*w))
        case Kind.MAXIMUM:
            return st.lists(st.sampled_from([0.1, 0.5, 1, 2, 3, 4]), min_size=1, max_size=4).map(
                lambda v: Repeats(values=tuple(v))
            )
        case _:
            ratio = entry.unit is UnitKind.RATIO
            return st.tuples(st.integers(0, 6), st.integers(0, 6)).map(
                lambda c: Census(count=min(c), total=max(c), ratio=ratio)
            )


@st.composite
def pieces(draw, bench, metric, *, most=4):
    """Some evidence for a metric: several runs and protocols, not all of it sound, fresh, or of this release."""
    fresh = {p: draw(st.sampled_from(Draw)) for p in ("p1", "p2")}
    made = []
    for _ in range(draw(st.integers(0, most))):
        protocol = draw(st.sampled_from(["p1", "p1", "p2"]))
        made.append(
            bench.evidence(
                metric,
                draw(samples(bench, metric)),
                protocol=protocol,
                draw=fresh[protocol],
                age_days=draw(st.sampled_from([1, 2, 5, 10, 40])),
                healthy=draw(st.sampled_from([True, True, True, False])),
                binds=draw(st.sampled_from([True, True, True, False])),
                release=draw(st.sampled_from([bench.release, bench.release, "sha256:" + "0" * 64])),
            )
        )
    return made


@given(data=st.data())
def test_no_evidence_never_meets_a_condition(bench, data):
    _, condition = data.draw(conditions())
    row = bench.row(condition)
    assert row.standing is Standing.NOT_MEASURED
    assert outcome_of([row]) is Outcome.CANNOT_SAY


@pytest.mark.parametrize("metric", METRICS)
def test_dropping_the_evidence_of_any_one_condition_is_never_ready(bench, metric):
    asked, evidence = bench.all_met()
    assert outcome_of(bench.rows(asked, evidence)) is Outcome.READY
    rest = [piece for piece in evidence if piece.evidence.metric != metric]
    assert outcome_of(bench.rows(asked, rest)) is Outcome.CANNOT_SAY


@settings(max_examples=400)
@given(data=st.data())
def test_a_further_run_on_the_wrong_side_never_makes_ready(bench, data):
    """One more run of the protocol measured last, or of a new one, that is on the wrong side by itself."""
    metric, condition = data.draw(conditions())
    before = data.draw(pieces(bench, metric))
    last = max(
        (p for p in before if p.evidence.release == bench.release), key=lambda p: (p.time_ns, p.entry), default=None
    )
    protocols = ["new"] if last is None else ["new", last.evidence.protocol]
    worse = bench.evidence(
        metric,
        data.draw(samples(bench, metric)),
        protocol=data.draw(st.sampled_from(protocols)),
        draw=data.draw(st.sampled_from(Draw)) if last is None else last.evidence.draw,
        age_days=0.5,
    )
    assume(bench.row(condition, worse).standing is Standing.NOT_MET)
    was, now = bench.row(condition, *before), bench.row(condition, *before, worse)
    assert outcome_of([now]) is not Outcome.READY or outcome_of([was]) is Outcome.READY
    if was.standing in SEVERITY and now.standing in SEVERITY and METRICS[metric].kind is not Kind.PROPORTION:
        assert SEVERITY.index(now.standing) >= SEVERITY.index(was.standing)


@settings(max_examples=300)
@given(data=st.data())
def test_no_number_of_further_runs_of_the_same_cases_mends_a_verdict(bench, data):
    metric, condition = data.draw(conditions())
    assume(METRICS[metric].dimension.value in {"technical", "data"} or METRICS[metric].kind is not Kind.CENSUS)
    before = [bench.evidence(metric, data.draw(samples(bench, metric)), age_days=3)]
    was = bench.row(condition, *before)
    assume(was.standing in SEVERITY)
    more = [bench.evidence(metric, data.draw(samples(bench, metric))) for _ in range(data.draw(st.integers(1, 4)))]
    now = bench.row(condition, *before, *more)
    assert SEVERITY.index(now.standing) >= SEVERITY.index(was.standing)


@settings(max_examples=300)
@given(data=st.data())
def test_a_bad_figure_outlives_every_later_protocol(bench, data):
    metric, condition = data.draw(conditions())
    assume(METRICS[metric].dimension.value in {"technical", "data"} or METRICS[metric].kind is not Kind.CENSUS)
    bad = bench.evidence(metric, data.draw(samples(bench, metric)), protocol="first", age_days=20)
    assume(bench.row(condition, bad).standing is Standing.NOT_MET)
    later = data.draw(pieces(bench, metric))
    assert bench.row(condition, bad, *later).standing is Standing.NOT_MET


@settings(max_examples=200)
@given(data=st.data())
def test_order_copies_and_foreign_evidence_change_nothing(bench, data):
    metric, condition = data.draw(conditions())
    mine = data.draw(pieces(bench, metric))
    row = bench.row(condition, *mine)
    other = [bench.evidence(m, bench.perfect(m)) for m in METRICS if m != metric]
    foreign = [bench.evidence(metric, bench.perfect(metric), release="sha256:" + "f" * 64, age_days=0)]
    everything = [*mine, *mine, *other, *foreign]
    random.Random(data.draw(st.integers(0, 99))).shuffle(everything)
    assert bench.row(condition, *everything) == row


@settings(max_examples=300)
@given(data=st.data())
def test_a_met_row_rests_on_sound_fresh_evidence_of_this_release(bench, data):
    metric, condition = data.draw(conditions())
    made = {piece.entry: piece for piece in data.draw(pieces(bench, metric, most=6))}
    row = bench.row(condition, *made.values())
    if row.standing is Standing.MET:
        assert row.entries
        assert row.margin >= 1
        assert row.margin_bound is None or row.margin_bound >= 1
        for entry in row.entries:
            evidence = made[entry].evidence
            assert (evidence.release, evidence.binds, evidence.healthy) == (bench.release, True, True)
            assert (bench.now - made[entry].time_ns) / 1e9 <= 30 * 86_400
    elif row.standing is Standing.NOT_MET:
        assert row.margin < 1
        assert row.gap
    assert row.why
    assert row.condition == str(bench.threshold(condition).conditions[0])
