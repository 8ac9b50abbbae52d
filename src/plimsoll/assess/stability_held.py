"""Which multiples of the peak a load run held. Values in, values out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from plimsoll.assess.stability_plan import HELD_BY, Pass
from plimsoll.engine.load_backlog import Trend
from plimsoll.engine.load_window import Outcome, WindowResult, quantile
from plimsoll.model.threshold import Condition


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """One window of the plan and what it gave."""

    planned: Pass
    result: WindowResult


Stages: TypeAlias = Mapping[float, Sequence[Passed]]
"""The windows of each multiple of the peak."""


def by_round(passed: Sequence[Passed]) -> list[list[Passed]]:
    """The windows grouped by round, in order."""
    return [list(group) for _, group in itertools.groupby(passed, lambda p: p.planned.round)]


def by_stage(rounds: Sequence[Sequence[Passed]]) -> Stages:
    """The windows grouped by multiple, each in the order of the rounds."""
    return {windows[0].planned.multiple: windows for windows in zip(*rounds, strict=True)}


def place_of(passed: Passed) -> str:
    """A window as sentences name it."""
    return f"{passed.planned.multiple:g}x in round {passed.planned.round}"


def trend_of(windows: Sequence[Passed]) -> Trend:
    """What the backlog of one stage did: what it did in most of its windows, of which one may grow by chance.

    Args:
        windows: all those of the stage, one for each round.
    """
    for trend in (Trend.GROWING, Trend.UNTOLD):
        if 2 * sum(p.result.backlog.trend is trend for p in windows) > len(windows):
            return trend
    return Trend.STEADY


def why_not_held(
    passed: Passed, at_peak: Passed, conditions: Sequence[Condition], stage: Sequence[Passed] = ()
) -> tuple[str, ...]:
    """Why one window does not count as held; empty when it does.

    Held means: nothing shed, no backlog that grows through the windows of the stage, every other stability condition
    met by the window's own figures, and a healthy driver.

    Args:
        passed: the window.
        at_peak: the window at 1x of the same round.
        conditions: of the threshold; those that a load window has no figure for are passed over.
        stage: the windows of this stage in all rounds; empty: their backlog is not looked at.
    """
    result = passed.result
    why = list(result.unhealthy)
    shed = result.count(Outcome.SHED)
    if shed:
        why.append(f"{shed} of {result.sent} calls were shed")
    for condition in conditions:
        if condition.metric not in HELD_BY:
            continue
        figure = _FIGURES[condition.metric](result, at_peak.result)
        if figure is None:
            why.append(f"{condition.metric} could not be measured: no call got through")
        elif not condition.op.holds(figure, condition.limit.base):
            why.append(f"{condition.metric} was {condition.limit.like(figure)}, the condition is {condition}")
    backlog = backlog_in_words(stage)
    return tuple([*why, backlog] if backlog else why)


def backlog_in_words(stage: Sequence[Passed]) -> str:
    """What keeps the backlog of a stage from counting as steady; empty when it is."""
    match trend_of(stage):
        case Trend.GROWING:
            return _growing(stage)
        case Trend.UNTOLD:
            return _unsettled(stage)
        case Trend.STEADY:
            return ""


def _growing(stage: Sequence[Passed]) -> str:
    """By the window in which it grew most."""
    grew = [p.result.backlog for p in stage if p.result.backlog.trend is Trend.GROWING]
    most = max(grew, key=lambda backlog: backlog.end - backlog.middle)
    return (
        f"the backlog grew through {len(grew)} of {len(stage)} windows, in one from at least {most.middle} waiting "
        f"calls in the middle to {most.end} at the end, which took {most.drain_s:.3g} s to work off; a longer load "
        "would not be held"
    )


def _unsettled(stage: Sequence[Passed]) -> str:
    slow = max(p.result.backlog.settles_s for p in stage if p.result.backlog.trend is Trend.UNTOLD)
    shortest = min(p.planned.schedule.seconds for p in stage)
    return (
        f"calls take up to {slow:.3g} s, and a window of {shortest:.3g} s ends before it shows whether the backlog "
        f"settles; it takes a threshold.load_window of at least {2 * slow:.3g} s"
    )


def held_multiple(round_: Sequence[Passed], conditions: Sequence[Condition], stages: Stages) -> float:
    """The highest multiple that one round held, with all below it held as well; 0 when not even the peak was.

    Args:
        round_: the windows of one round, from the lowest stage up.
        conditions: of the threshold.
        stages: the windows of each multiple in all rounds.
    """
    held = itertools.takewhile(lambda p: not why_not_held(p, round_[0], conditions, stages[p.planned.multiple]), round_)
    return max((p.planned.multiple for p in held), default=0.0)


def _p50(result: WindowResult, _: WindowResult) -> float | None:
    return quantile(result.latencies(), 0.5)


def _p99(result: WindowResult, _: WindowResult) -> float | None:
    return quantile(result.latencies(), 0.99)


def _error_rate(result: WindowResult, _: WindowResult) -> float | None:
    return result.error_rate if result.sent else None


def _shed_rate(result: WindowResult, _: WindowResult) -> float | None:
    return result.shed_rate if result.sent else None


def degradation(result: WindowResult, at_peak: WindowResult) -> float | None:
    """How many times slower the 99th percentile is than at the peak; None where one of them has none."""
    here, there = _p99(result, at_peak), _p99(at_peak, at_peak)
    return here / there if here and there else None


_FIGURES: Final[dict[str, Callable[[WindowResult, WindowResult], float | None]]] = {
    "stability.latency_p50": _p50,
    "stability.latency_p99": _p99,
    "stability.error_rate": _error_rate,
    "stability.shed_rate": _shed_rate,
    "stability.degradation": degradation,
}
