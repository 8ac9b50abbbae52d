"""The stability assessment on a project: what is sent, where the system under test runs, in which windows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from plimsoll.assess.contracts import Feed
from plimsoll.assess.stability import Step, assess_stability, path_of
from plimsoll.assess.stability_plan import StabilityPlan, samples_for
from plimsoll.engine.load_cell import CellTarget
from plimsoll.engine.load_request import HttpTarget
from plimsoll.errors import InputError

if TYPE_CHECKING:
    from plimsoll.assembly.assessing import Workbench

MOST_RECORDS = 20_000  # sent in turn; a larger feed would only fill memory


def assess_load(bench: Workbench) -> None:
    """Drive the guard in a process of its own (or an HTTP address) with the feed at 1x, 2x and 3x the declared peak.

    Raises:
        InputError: no feed is declared, or no decision type may be answered by the AI.
        TargetError: the system under test does not start or does not reply.
    """
    project, manifest = bench.project, bench.project.manifest
    if manifest.samples.feed is None:
        raise InputError(f"{project.file} names no samples.feed", fix="name a folder of JSON Lines files: real records")
    if not bench.answerable:
        raise InputError("no decision type may be answered by the AI, so there is nothing to put under load")
    feed = Feed.open(project.folder / manifest.samples.feed)
    conditions, confidence = manifest.threshold.conditions, manifest.threshold.confidence.base
    plan = StabilityPlan(
        peak=manifest.load.peak, samples=samples_for(conditions, confidence), deadline=manifest.target.deadline
    )
    in_turn = _interleaved(feed, with_source=bench.url is None)
    path = "guard in process" if bench.url is None else path_of(HttpTarget(url=bench.url))
    bench.progress.begin(f"stability, {plan.expected_s:.0f} s", len(plan.passes))
    # What answers at an address is no part of this release: it is measured and drawn, and its evidence does not bind.
    outside = () if bench.url is None else (f"the service at {bench.url}",)
    with bench.run("stability", plan.protocol(path, in_turn, conditions), outside=outside) as run:
        target = CellTarget(argv=_argv(bench, run.id)) if bench.url is None else HttpTarget(url=bench.url)
        detail = assess_stability(
            run,
            plan,
            target,
            in_turn,
            conditions=conditions,
            confidence=confidence,
            notes=(f"{len(in_turn):,} records of {len(feed.files)} sources are sent in turn, and over again.",),
            tick=lambda step: bench.progress.tick(_done(step)),
        )
    worst = max((w.p99_s for w in detail.stages[-1].windows), default=0.0)
    top = detail.stages[-1]
    bench.progress.end(
        f"at {top.multiple:g}x the peak ({top.offered_per_s:g}/s) the slowest 1% took {worst * 1000:,.0f} ms or more"
    )


def _argv(bench: Workbench, run: str) -> tuple[str, ...]:
    project = bench.project
    return (
        sys.executable,
        "-m",
        "plimsoll.assembly.load_host",
        str(project.folder / project.file.name),
        str(project.state),
        run,
        bench.answerable[0],
    )


def _interleaved(feed: Feed, *, with_source: bool) -> tuple[bytes, ...]:
    """The feed's records as traffic has them: all sources mixed, each in its own order, evenly over its length."""
    by_source: dict[str, list[bytes]] = {}
    for source, _, record in feed.lines():
        by_source.setdefault(source, []).append(record)
    placed = [
        ((position + 0.5) / len(records), source, record)
        for source, records in sorted(by_source.items())
        for position, record in enumerate(records)
    ]
    placed.sort(key=lambda item: item[:2])
    mixed = ((source, record) for _, source, record in placed[:MOST_RECORDS])
    return tuple(source.encode() + b"\0" + record if with_source else record for source, record in mixed)


def _done(step: Step) -> int:
    return step.done
