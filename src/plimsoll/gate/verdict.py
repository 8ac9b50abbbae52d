"""Threshold x evidence -> one verdict for each condition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from plimsoll.gate.figures import ASKED, duration_text, figure_text, plural
from plimsoll.gate.margin import margin
from plimsoll.gate.pool import Pool, Pooled, Protocol, age_s, is_standing_fact, pool
from plimsoll.gate.weigh import NEVER, Weighed, weigh
from plimsoll.model.board import Row, Standing
from plimsoll.model.evidence import BoundedMean, Dated, Proportion, Sample, Windows
from plimsoll.model.threshold import Condition, Op, Threshold

_SEVERITY: Final = (Standing.MET, Standing.INSUFFICIENT, Standing.NOT_MET)


def judge(
    threshold: Threshold, release: str, evidence: Sequence[Dated], now_ns: int, *, people: str = ""
) -> tuple[Row, ...]:
    """The verdict on each condition of a threshold, for one release.

    Rows come in the threshold's order, one for each condition, whatever evidence there is. `Row.owner` is left
    empty; `board.make_board` knows who stands for what.

    Args:
        threshold: conditions, confidence and maximum age.
        release: digest; evidence of any other release is not looked at.
        evidence: all there is, of any metric and release, in any order; nothing is trusted but what `pool` lets pass.
        now_ns: UTC nanoseconds since the epoch.
        people: digest of who is named now; evidence that depends on other people does not count. Empty: not looked at.

    >>> threshold = Threshold(set_by="leader@example.org", conditions=(Condition.parse("evaluation.accuracy >= 95%"),))
    >>> judge(threshold, "sha256:1", [], 0)[0].standing
    <Standing.NOT_MEASURED: 'not measured'>
    """
    return tuple(_row(c, threshold, release, evidence, now_ns, people) for c in threshold.conditions)


def _row(
    condition: Condition, threshold: Threshold, release: str, evidence: Sequence[Dated], now_ns: int, people: str
) -> Row:
    age_s, window_s = threshold.max_age.base, threshold.load_window.base
    found = pool(condition.entry, release, evidence, now_ns, age_s, people, window_s)
    short = [_worst(condition, protocol, threshold.confidence.base) for protocol in found.short]
    against = [reading for reading in short if reading.weighed.standing is Standing.NOT_MET]
    if found.fresh or against:
        return _judged(condition, threshold, found, against, now_ns)
    if found.stale:
        return _stale(condition, threshold, found, now_ns)
    return _not_measured(condition, threshold, found)


class _Reading(msgspec.Struct, frozen=True):
    """The sample of a protocol that counts, weighed."""

    protocol: Protocol
    pooled: Pooled
    weighed: Weighed


def _judged(condition: Condition, threshold: Threshold, found: Pool, short: Sequence[_Reading], now_ns: int) -> Row:
    """What the evidence says; ``short`` are those on the wrong side in load windows shorter than asked for."""
    readings = [_worst(condition, protocol, threshold.confidence.base) for protocol in found.fresh]
    against = [*(r for r in readings if r.weighed.standing is Standing.NOT_MET), *short]
    counts = against[0] if against else readings[0]
    weighed, said = counts.weighed, [counts.weighed.why]
    if weighed.standing is Standing.NOT_MET and len(counts.pooled.pieces) == 1:
        said.append(counts.pooled.pieces[0].evidence.finding)
    if not readings or counts is not readings[0]:
        last = counts.pooled.pieces[-1].time_ns
        until = last + round(counts.pooled.pieces[-1].evidence.counts_for_s(threshold.max_age.base) * 1e9)
        other = "the last run's" if counts in readings else "the threshold asks for, in shorter load windows"
        said.append(
            f"That was measured on {_day(last)} in another way than {other}; being on the wrong side it counts "
            f"until {_day(until)}."
        )
    why = " ".join(filter(None, [*said, _left_out(found)]))
    row = _row_of(condition, weighed.standing, why=why, then=_next(condition, counts))
    return msgspec.structs.replace(
        _with_figures(row, condition, counts, threshold, now_ns),
        gap=weighed.gap,
        needed=weighed.needed,
        margin=margin(condition, weighed.estimate),
        margin_bound=None if weighed.bound is None else margin(condition, weighed.bound),
    )


def _stale(condition: Condition, threshold: Threshold, found: Pool, now_ns: int) -> Row:
    """Figures are shown as they were; they count for nothing, so there is no margin to draw."""
    newest = min((age_s(piece, now_ns) for p in found.stale for piece in p.pieces), key=abs)
    if newest < 0:
        why = f"Its evidence is dated {duration_text(-newest)} ahead of now: a clock was wrong."
    else:
        counts_for = found.stale[0].counts_for_s(threshold.max_age.base)
        short = counts_for < threshold.max_age.base
        allowed = f"{duration_text(counts_for)} is allowed, since it rests on a service that is only declared"
        why = f"Its newest evidence is {duration_text(newest)} old; at most "
        why += f"{allowed}." if short else f"{threshold.max_age} is allowed."
    then = f"Measure it again: run `{condition.entry.command}`."
    row = _row_of(condition, Standing.STALE, why=f"{why} {_left_out(found)}".rstrip(), then=then)
    worst = _worst(condition, found.stale[0], threshold.confidence.base)
    return _with_figures(row, condition, worst, threshold, now_ns)


def _not_measured(condition: Condition, threshold: Threshold, found: Pool) -> Row:
    metric = condition.entry
    if found.short:
        window_s = found.short[0].pieces[-1].evidence.window_s
        lasted = "of no recorded length" if window_s is None else f"of {duration_text(window_s)}"
        why = f"It was measured in load windows {lasted}; the threshold asks for at least {threshold.load_window}."
        return _row_of(condition, Standing.NOT_MEASURED, why=why, then=f"Run `{metric.command}`.")
    if found.unsound:
        last, run = found.unsound[0], f"run `{metric.command}`"
        then = f"{last.mend}, then {run}." if last.mend else f"{run[0].upper()}{run[1:]}."
        return _row_of(condition, Standing.NOT_MEASURED, why=last.why, then=then)  # it rests on no entry at all
    if not metric.measurable:
        why = "This version has no assessment for it, so the condition cannot be met."
        then = "Wait for a version that measures it; to take the condition out is a change that its setter has to sign."
        return _row_of(condition, Standing.NOT_MEASURED, why=why, then=then)
    why = "There is no evidence for this release."
    return _row_of(condition, Standing.NOT_MEASURED, why=why, then=f"Run `{metric.command}`.")


def _left_out(found: Pool) -> str:
    if not found.unsound:
        return ""
    return f"{plural(len(found.unsound), 'run')} left out: {found.unsound[0].why}"


def _worst(condition: Condition, protocol: Protocol, confidence: float) -> _Reading:
    """Of the samples of one protocol the one that counts: worst standing first, then worst bound, then worst figure."""
    limit, op = condition.limit.base, condition.op

    def wrong(figure: float) -> float:
        """Larger for figures farther on the wrong side."""
        if op is Op.EQ:
            return abs(figure - limit)
        return -figure if op.upwards else figure

    def badness(reading: _Reading) -> tuple[float, float, float]:
        weighed = reading.weighed
        rank = _SEVERITY.index(weighed.standing)
        bound = weighed.estimate if weighed.bound is None else weighed.bound
        undecided = weighed.bound is None and weighed.standing is Standing.INSUFFICIENT
        return rank, math.inf if undecided else wrong(bound), wrong(weighed.estimate)

    readings = [_Reading(protocol, pooled, weigh(condition, pooled.sample, confidence)) for pooled in protocol.samples]
    return max(readings, key=badness)


# -- rows -------------------------------------------------------------------------------------------------------------


def _row_of(condition: Condition, standing: Standing, *, why: str, then: str = "") -> Row:
    return Row(
        condition=str(condition),
        metric=condition.metric,
        op=condition.op.value,
        limit=str(condition.limit),
        dimension=condition.dimension.value,
        standing=standing,
        why=why,
        next=then,
    )


def _with_figures(row: Row, condition: Condition, reading: _Reading, threshold: Threshold, now_ns: int) -> Row:
    """What was measured, in numbers and in words."""
    weighed, protocol = reading.weighed, reading.protocol
    runs = len(protocol.pieces)
    window_s = min((p.evidence.window_s for p in protocol.pieces if p.evidence.window_s is not None), default=None)
    together = "" if runs == 1 else f", the worst of {runs:,} runs" if protocol.fixed else f", {runs:,} runs together"
    return msgspec.structs.replace(
        row,
        estimate=weighed.estimate,
        bound=weighed.bound,
        estimate_text=figure_text(condition.limit, weighed.estimate),
        bound_text="–" if weighed.bound is None else figure_text(condition.limit, weighed.bound),
        counts=weighed.counts + _windows_text(reading.pooled.sample, window_s) + together,
        window_s=window_s,
        age_s=max(0.0, age_s(protocol.pieces[0], now_ns)),
        entries=tuple(piece.entry for piece in protocol.pieces),
        provenance=protocol.provenance.value,
        declared=protocol.declared,
        counts_for_s=protocol.counts_for_s(threshold.max_age.base),
    )


def _windows_text(sample: Sample, window_s: float | None) -> str:
    """How long the load windows under a figure lasted."""
    if window_s is None:
        return ""
    lasted = duration_text(window_s)
    return f", {lasted} each" if isinstance(sample, Windows) else f", in windows of {lasted} or more"


def _next(condition: Condition, reading: _Reading) -> str:
    """One plain sentence of what to do; empty when nothing is."""
    run = f"`{condition.entry.command}`"
    match reading.weighed.standing:
        case Standing.MET:
            return ""
        case Standing.NOT_MET if is_standing_fact(condition.entry):
            return f"Complete what is missing, then run {run}."
        case Standing.NOT_MET:
            return f"Bring it to {ASKED[condition.op]} {condition.limit}, then run `plimsoll check`."
        case _:
            return _next_to_decide(reading, run)


def _next_to_decide(reading: _Reading, run: str) -> str:
    """What to do about a figure that is right and not yet sure."""
    sample = reading.pooled.sample
    if reading.weighed.needed == NEVER:
        return "No number of cases decides a figure that is on the line itself: only a better system does."
    if isinstance(sample, Windows):
        return f"Measure with larger windows, or more of them, by {run}."
    if reading.protocol.fixed and isinstance(sample, Proportion | BoundedMean):
        return f"Add that many cases (the same ones again add nothing), then run {run}."
    return f"Run {run} again; what it finds is added."


def _day(time_ns: int) -> str:
    """The UTC day of a moment."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d")
