"""Stability: open-loop load at multiples of the declared peak, in independent windows."""

from __future__ import annotations

import asyncio
import functools
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import uvloop

from plimsoll.assess.run import Run
from plimsoll.assess.stability_held import Passed
from plimsoll.assess.stability_judge import Given, detail_of, evidence_of
from plimsoll.assess.stability_plan import Pass, StabilityPlan
from plimsoll.engine.load import Link, Settings, drive, outstanding_for
from plimsoll.engine.load_cell import CellLink, CellTarget
from plimsoll.engine.load_health import HealthLimits
from plimsoll.engine.load_http import Classify, HttpLink
from plimsoll.engine.load_request import HttpTarget
from plimsoll.errors import TargetError
from plimsoll.model.details import StabilityDetail
from plimsoll.model.evidence import Draw
from plimsoll.model.threshold import Condition

WARM_UP_TIMEOUT_S: Final = 60.0  # a first call may load a model
LAG_BESIDE_LIMIT: Final = 0.05  # a driver's lag only ever adds to a latency; so much of the limit decides nothing


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is: what begins now."""

    done: int  # windows
    total: int
    round: int  # 0: warm-up; the round's number otherwise
    multiple: float  # of the declared peak


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, as values."""

    passed: tuple[Passed, ...]
    set_aside: tuple[Passed, ...]  # windows that were run again because the driver was out of breath
    given: tuple[Given, ...]
    detail: StabilityDetail


def path_of(target: CellTarget | HttpTarget) -> str:
    """What is driven, in words; a part of the protocol."""
    if isinstance(target, CellTarget):
        return "guard in process"
    return f"HTTP target {target.url.split('?', 1)[0]}"  # a query may hold a secret


def assess_stability(
    run: Run,
    plan: StabilityPlan,
    target: CellTarget | HttpTarget,
    records: Sequence[bytes],
    *,
    conditions: Sequence[Condition],
    confidence: float,
    classify: Classify | None = None,
    notes: Sequence[str] = (),
    unseen: tuple[str, ...] = (),
    tick: Callable[[Step], None] = lambda _: None,
) -> StabilityDetail:
    """`measure`, and give what was measured to a started run; the run's protocol is `StabilityPlan.protocol`.

    ``unseen`` are the decision types that the AI may answer and that none of the records is of.
    """
    measured = measure(
        plan,
        target,
        records,
        conditions=conditions,
        confidence=confidence,
        classify=classify,
        notes=notes,
        tick=tick,
    )
    for given in measured.given:
        run.give(
            given.metric,
            given.sample,
            draw=Draw.FRESH,
            finding=given.finding,
            unhealthy=given.unhealthy,
            window_s=given.window_s,
        )
    detail = msgspec.structs.replace(measured.detail, unseen=unseen)
    run.draw_with(detail)
    return detail


def measure(
    plan: StabilityPlan,
    target: CellTarget | HttpTarget,
    records: Sequence[bytes],
    *,
    conditions: Sequence[Condition] = (),
    confidence: float = 0.95,
    classify: Classify | None = None,
    notes: Sequence[str] = (),
    tick: Callable[[Step], None] = lambda _: None,
) -> Measured:
    """Run the plan against a system and say what it showed.

    A call is **late** when its reply came after ``plan.deadline`` and a grace of 50 ms, counted from when it was due,
    or when no reply came within ``plan.give_up_s``. For an HTTP target the client's timeout alone decides, since only
    the client keeps that deadline.

    Args:
        plan: stages, windows, rates.
        target: a cell (the guard in a process of its own) or an HTTP service.
        records: sent in turn, over again from the first after the last; at least one.
        conditions: of the threshold; they decide whether a stage was held.
        confidence: of the bounds drawn, one-sided, in (0, 1).
        classify: for an HTTP target, from status and body to how a call ended; None: from the status alone.
        notes: plain sentences for the report, such as that the feed repeats images.
        tick: called when a window begins, and once at the end.

    Raises:
        TargetError: the system could not be started, or did not reply to a single call of the warm-up.
        UsageError: the URL cannot be asked, or there is no record.
    """
    link: Link = CellLink(target, records) if isinstance(target, CellTarget) else HttpLink(target, records, classify)
    late_after_s = plan.late_after_s if isinstance(target, CellTarget) else None
    health = HealthLimits(lag_floor_s=_lag_floor_s(conditions))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ran = runner.run(_run_plan(link, plan, late_after_s, health, tick))
    passed = tuple(ran.passed)
    said = [*ran.notes, *notes]
    path = path_of(target)
    return Measured(
        passed=passed,
        set_aside=tuple(ran.set_aside),
        given=evidence_of(passed, conditions),
        detail=detail_of(plan, passed, conditions, confidence=confidence, path=path, notes=said),
    )


def _lag_floor_s(conditions: Sequence[Condition]) -> float:
    limits = [c.limit.base for c in conditions if c.metric == "stability.latency_p99"]
    return max([HealthLimits().lag_floor_s, *(LAG_BESIDE_LIMIT * limit for limit in limits)])


class _Ran:
    """What a run has brought so far."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []
        self.set_aside: list[Passed] = []
        self.notes: list[str] = []


async def _run_plan(
    link: Link,
    plan: StabilityPlan,
    late_after_s: float | None,
    health: HealthLimits,
    tick: Callable[[Step], None],
) -> _Ran:
    passes, ran = plan.passes, _Ran()
    try:
        await link.open()
        await _warm_up(link, plan, tick, len(passes))
        for planned in passes:
            settings = Settings(
                timeout_s=plan.give_up_s,
                late_after_s=late_after_s,
                outstanding=outstanding_for(planned.schedule.rate, plan.give_up_s),
                health=health,
            )
            step = Step(done=len(ran.passed), total=len(passes), round=planned.round, multiple=planned.multiple)
            await _run_pass(link, plan, planned, settings, ran, functools.partial(tick, step))
    finally:
        await link.close()
    tick(Step(done=len(passes), total=len(passes), round=plan.windows, multiple=plan.stages[-1]))
    return ran


async def _run_pass(
    link: Link, plan: StabilityPlan, planned: Pass, settings: Settings, ran: _Ran, begin: Callable[[], None]
) -> None:
    """One window, again while the driver itself was out of breath and the plan allows."""
    place = f"{planned.multiple:g}x in round {planned.round}"
    for left in range(plan.repeats, -1, -1):
        if not await link.drain(plan.drain_s):
            ran.notes.append(
                f"Before {place} the system was still busy with earlier calls after {plan.drain_s:g} s; "
                "that window is not independent."
            )
        await asyncio.sleep(plan.pause_s)
        begin()
        result = await drive(link, planned.schedule, settings)
        window = Passed(planned=planned, result=result)
        if result.healthy or not left:
            ran.passed.append(window)
            return
        ran.set_aside.append(window)
        ran.notes.append(f"{place} was run again: {'; '.join(result.unhealthy)}.")


async def _warm_up(link: Link, plan: StabilityPlan, tick: Callable[[Step], None], total: int) -> None:
    if plan.warm_up is None:
        return
    tick(Step(done=0, total=total, round=0, multiple=1.0))
    timeout_s = max(WARM_UP_TIMEOUT_S, plan.give_up_s)
    rate = plan.warm_up.rate
    settings = Settings(timeout_s=timeout_s, outstanding=outstanding_for(rate, timeout_s))
    result = await drive(link, plan.warm_up, settings)
    if min(result.latency) >= timeout_s:  # no call got any reply
        kinds = ", ".join(sorted(result.errors))
        raise TargetError(
            f"the system under test replied to none of {result.offered} warm-up calls ({kinds}): nothing was measured",
            fix="check that it runs and that its address is right",
        )


def raw_results(measured: Measured) -> bytes:
    """Every call of every window as JSON: when it was due, how long it took in seconds, how it ended (`Outcome`)."""
    kept = [_raw(p, counted=True) for p in measured.passed]
    return msgspec.json.encode([*kept, *(_raw(p, counted=False) for p in measured.set_aside)])


def _raw(passed: Passed, *, counted: bool) -> dict[str, Any]:
    result = passed.result
    return {
        "counted": counted,
        "round": passed.planned.round,
        "multiple": passed.planned.multiple,
        "due_s": _rounded(passed.planned.schedule.offsets()),
        "latency_s": _rounded(result.latency),
        "outcome": result.outcome.tolist(),
        "errors": result.errors,
        "lag_s": _rounded(result.lag),
        "cpu_share": result.cpu_share,
        "unhealthy": result.unhealthy,
    }


def _rounded(values: array[float]) -> list[float]:
    return [round(v, 6) for v in values]
