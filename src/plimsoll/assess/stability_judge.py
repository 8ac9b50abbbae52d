"""What the windows of a load run say: the evidence that follows, and what the report draws. Values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from plimsoll.assess.stability_held import (
    Passed,
    Stages,
    backlog_in_words,
    by_round,
    by_stage,
    degradation,
    held_multiple,
    place_of,
    trend_of,
    why_not_held,
)
from plimsoll.assess.stability_plan import StabilityPlan
from plimsoll.engine.load_backlog import Trend
from plimsoll.engine.load_window import Outcome, WindowResult, quantile
from plimsoll.model.details import LoadStage, LoadWindow, StabilityDetail
from plimsoll.model.evidence import Proportion, Repeats, Sample, Window, Windows
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Condition
from plimsoll.stats import upper_rank

MICROSECOND: Final = 6  # digits after the point that a latency in seconds is kept to


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence, before it is known for which release and in which run."""

    metric: str
    sample: Sample
    finding: str
    unhealthy: str = ""  # why the windows say nothing this time; "": they do
    window_s: float  # how long the shortest of the windows lasted


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shortest_s(passed: Iterable[Passed]) -> float:
    return min(p.planned.schedule.seconds for p in passed)


def evidence_of(passed: Sequence[Passed], conditions: Sequence[Condition]) -> tuple[Given, ...]:
    """Evidence for every stability metric that a load run can measure.

    A metric that no window has a figure for is left out, and so stays "not measured".
    """
    rounds = by_round(passed)
    highest = [round_[-1] for round_ in rounds]
    multiple = f"{highest[0].planned.multiple:g}x the declared peak ({highest[0].planned.schedule.rate:g}/s)"
    unhealthy, window_s = _unhealthy(highest), _shortest_s(highest)
    given = [
        Given(
            metric=f"stability.latency_p{percent}",
            sample=Windows(windows=tuple(window_of(p.result, kept) for p in highest)),
            finding=_latency_finding(highest, percent / 100, multiple),
            unhealthy=unhealthy,
            window_s=window_s,
        )
        for percent, kept in ((50, 0.5), (99, 0.9))
    ]
    sent = sum(p.result.sent for p in highest)
    if sent:
        given += [
            Given(
                metric=metric,
                sample=Proportion(hits=hits, total=sent),
                finding=f"At {multiple}, {hits} of {sent} calls {what}.{kinds}",
                unhealthy=unhealthy,
                window_s=window_s,
            )
            for metric, hits, what, kinds in (
                ("stability.error_rate", _errors(highest), "failed, were shed, or came too late", _kinds(highest)),
                ("stability.shed_rate", _count(highest, Outcome.SHED), "were shed", ""),
            )
        ]
    given.append(_load(rounds, conditions))
    slower = [degradation(round_[-1].result, round_[0].result) for round_ in rounds]
    known = [ratio for ratio in slower if ratio is not None]
    if len(known) == len(slower):
        given.append(
            Given(
                metric="stability.degradation",
                sample=Repeats(values=tuple(round(ratio, 4) for ratio in known)),
                finding=f"At {multiple} the 99th percentile was at worst {max(known):.3g} times that at the peak.",
                unhealthy=_unhealthy([p for round_ in rounds for p in (round_[0], round_[-1])]),
                window_s=_shortest_s(p for round_ in rounds for p in (round_[0], round_[-1])),
            )
        )
    return tuple(given)


def window_of(result: WindowResult, tail_from: float) -> Window:
    """A window as evidence: enough of its largest latencies to judge any quantile from ``tail_from`` up.

    Args:
        result: what the driver saw.
        tail_from: share in [0, 1) that is left out from below.
    """
    ascending = [round(t, MICROSECOND) for t in result.latencies()]
    total = len(ascending)
    # One value more than the share: the quantile's own rank is in the tail, and so is every rank that bounds it.
    tail = ascending[max(0, int(tail_from * total) - 1) :]
    return Window(total=total, tail=tuple(tail), median=quantile(ascending, 0.5) or 0.0)


def _load(rounds: Sequence[Sequence[Passed]], conditions: Sequence[Condition]) -> Given:
    stages = by_stage(rounds)
    held = tuple(held_multiple(round_, conditions, stages) for round_ in rounds)
    lowest = min(held)
    finding = f"{lowest:g}x the declared peak was held in each of {len(held)} rounds."
    unhealthy = _unhealthy([p for round_ in rounds for p in round_])
    if lowest < rounds[0][-1].planned.multiple:
        weakest = rounds[held.index(lowest)]
        broke = next(p for p in weakest if p.planned.multiple > lowest)
        stage = stages[broke.planned.multiple]
        why = why_not_held(broke, weakest[0], conditions, stage)
        said = f"At {place_of(broke)}: {'; '.join(why)}."
        finding = f"{finding if lowest else 'Not even the declared peak was held.'} {said}"
        if trend_of(stage) is Trend.UNTOLD and not why_not_held(broke, weakest[0], conditions):
            unhealthy = f"{unhealthy} {said}".lstrip()  # its windows were too short for this system to show anything
    return Given(
        metric="stability.load",
        sample=Repeats(values=held),
        finding=finding,
        unhealthy=unhealthy,
        window_s=_shortest_s(p for round_ in rounds for p in round_),
    )


def _unhealthy(passed: Sequence[Passed]) -> str:
    return " ".join(f"{place_of(p)}: {'; '.join(p.result.unhealthy)}." for p in passed if p.result.unhealthy)


def _latency_finding(highest: Sequence[Passed], q: float, multiple: str) -> str:
    worst = [quantile(p.result.latencies(), q) for p in highest]
    known = [t for t in worst if t is not None]
    if not known:
        return f"At {multiple} every call was shed, so there is no latency."
    many = "Half" if q == 0.5 else f"{q:.0%}"
    took = Quantity(1, "ms").like(max(known))
    of = f"in the worst of {len(worst)} windows"
    return f"At {multiple}, {many} of the calls that were not shed took at most {took} {of}."


def _errors(passed: Sequence[Passed]) -> int:
    return sum(p.result.errors_total for p in passed)


def _count(passed: Sequence[Passed], outcome: Outcome) -> int:
    return sum(p.result.count(outcome) for p in passed)


def _kinds(passed: Sequence[Passed]) -> str:
    """The kinds of errors, most frequent first, as a sentence."""
    total: dict[str, int] = {}
    for p in passed:
        for kind, count in p.result.errors.items():
            total[kind] = total.get(kind, 0) + count
    if not total:
        return ""
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return f" Kinds: {', '.join(f'{kind} ({count})' for kind, count in ranked)}."


# ── detail ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def detail_of(
    plan: StabilityPlan,
    passed: Sequence[Passed],
    conditions: Sequence[Condition],
    *,
    confidence: float,
    path: str,
    notes: Sequence[str] = (),
) -> StabilityDetail:
    """What the report draws.

    Args:
        plan: what was planned.
        passed: every window.
        conditions: of the threshold; their limits are drawn as lines.
        confidence: of the bounds drawn, one-sided, in (0, 1).
        path: what was driven.
        notes: plain sentences of the caller, put after ours.
    """
    rounds = by_round(passed)
    stages = by_stage(rounds)
    limits = {c.metric: c.limit.base for c in conditions}
    slower = [degradation(round_[-1].result, round_[0].result) for round_ in rounds]
    known = [ratio for ratio in slower if ratio is not None]
    return StabilityDetail(
        stages=tuple(
            _stage(windows, rounds, stages, conditions, confidence=confidence, give_up_s=plan.give_up_s)
            for windows in stages.values()
        ),
        peak_per_s=plan.peak.base,
        path=path,
        latency_limit_s=limits.get("stability.latency_p99"),
        error_limit=limits.get("stability.error_rate"),
        degradation=max(known) if known else None,
        note=" ".join([*_notes(plan, rounds, stages, conditions), *notes]),
    )


def _stage(
    windows: Sequence[Passed],
    rounds: Sequence[Sequence[Passed]],
    stages: Stages,
    conditions: Sequence[Condition],
    *,
    confidence: float,
    give_up_s: float,
) -> LoadStage:
    planned = windows[0].planned
    wall = sum(p.result.wall_s for p in windows)
    lag = [quantile(sorted(p.result.lag), 0.99) for p in windows]
    return LoadStage(
        multiple=planned.multiple,
        offered_per_s=planned.schedule.rate,
        windows=tuple(_drawn(p.result, confidence, give_up_s) for p in windows),
        achieved_per_s=sum(p.result.achieved_per_s * p.result.wall_s for p in windows) / wall if wall else 0.0,
        healthy=all(p.result.healthy for p in windows),
        why=_unhealthy(windows),
        held=all(held_multiple(round_, conditions, stages) >= planned.multiple for round_ in rounds),
        lag_p99_s=max((t for t in lag if t is not None), default=None),
        window_s=_shortest_s(windows),
        backlog=trend_of(windows).value,
    )


def _drawn(result: WindowResult, confidence: float, give_up_s: float) -> LoadWindow:
    ascending = result.latencies()
    rank = upper_rank(len(ascending), 0.99, confidence) if ascending else None
    # Where everything was shed, nobody was answered before the driver gives up.
    p50, p99 = (quantile(ascending, q) for q in (0.5, 0.99))
    return LoadWindow(
        n=result.offered,
        p50_s=give_up_s if p50 is None else p50,
        p99_s=give_up_s if p99 is None else p99,
        p99_bound_s=None if rank is None else ascending[rank - 1],
        error_rate=result.error_rate,
        shed_rate=result.shed_rate,
        waiting_middle=result.backlog.middle,
        waiting_end=result.backlog.end,
        drain_s=result.backlog.drain_s,
    )


def _notes(
    plan: StabilityPlan, rounds: Sequence[Sequence[Passed]], stages: Stages, conditions: Sequence[Condition]
) -> list[str]:
    notes = []
    if plan.warm_up is not None:
        notes.append(f"{plan.warm_up.count} calls before the first window warmed the system up and are not counted.")
    for multiple, stage in stages.items():
        backlog = backlog_in_words(stage)
        if backlog:
            notes.append(f"{multiple:g}x was not held: {backlog}.")
    for round_ in rounds:
        broke = next((p for p in round_ if why_not_held(p, round_[0], conditions)), None)
        if broke is not None:
            notes.append(f"{place_of(broke)} was not held: {'; '.join(why_not_held(broke, round_[0], conditions))}.")
    return notes
