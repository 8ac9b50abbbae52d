"""The stability assessment on a project: what is sent, where the system under test runs, in which windows."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from plimsoll.assess.feed import Feed, Sent
from plimsoll.assess.stability import Step, assess_stability, path_of
from plimsoll.assess.stability_plan import StabilityPlan, samples_for
from plimsoll.engine.load_cell import CellTarget
from plimsoll.engine.load_request import HttpTarget, tls_of
from plimsoll.errors import InputError
from plimsoll.gate.figures import plural

if TYPE_CHECKING:
    from plimsoll.assembly.assessing import Workbench
    from plimsoll.assembly.project import Project

MOST_RECORDS = 20_000  # sent in turn; a larger feed would only fill memory


def assess_load(bench: Workbench) -> None:
    """Drive the guard in a process of its own (or an HTTP address) with the feed at 1x, 2x and 3x the declared peak.

    Raises:
        InputError: no feed is declared, no decision type may be answered by the AI, or what is asked for is beyond
            what can be sent.
        UsageError: the address to drive is none.
        TargetError: the system under test does not start, does not reply, or cannot be trusted to be itself.
    """
    project, manifest = bench.project, bench.project.manifest
    if manifest.samples.feed is None:
        raise InputError(f"{project.file} names no samples.feed", fix="name a folder of JSON Lines files: real records")
    if not bench.answerable:
        raise InputError("no decision type may be answered by the AI, so there is nothing to put under load")
    feed = Feed.open(project.folder / manifest.samples.feed, bench.answerable)
    conditions, confidence = manifest.threshold.conditions, manifest.threshold.confidence.base
    plan = _plan(project)
    to_guard = bench.url is None
    sent = feed.mixed(window=min(p.schedule.count for p in plan.passes), most=MOST_RECORDS)
    in_turn = tuple(_payload(one, to_guard=to_guard) for one in sent)
    service = None if bench.url is None else HttpTarget(url=bench.url, ca="" if bench.ca is None else str(bench.ca))
    if service is not None:
        tls_of(service)  # what is wrong with it is said before a run begins
    path = "guard in process" if service is None else path_of(service)
    bench.progress.begin(f"stability, {plan.expected_s:.0f} s", len(plan.passes))
    # What answers at an address is no part of this release: it is measured and drawn, and its evidence does not bind.
    outside = () if bench.url is None else (f"the service at {bench.url}",)
    protocol = plan.protocol(path, in_turn, conditions)
    with bench.run("stability", protocol, outside=outside, unseen=feed.missing) as run:
        target = CellTarget(argv=_argv(bench, run.id)) if service is None else service
        detail = assess_stability(
            run,
            plan,
            target,
            in_turn,
            conditions=conditions,
            confidence=confidence,
            notes=tuple(_notes(feed, sent, to_guard=to_guard)),
            unseen=feed.missing,
            tick=lambda step: bench.progress.tick(_done(step)),
        )
    worst = max((w.p99_s for w in detail.stages[-1].windows), default=0.0)
    top = detail.stages[-1]
    bench.progress.end(
        f"at {top.multiple:g}x the peak ({top.offered_per_s:g}/s) the slowest 1% took {worst * 1000:,.0f} ms or more"
    )


def _plan(project: Project) -> StabilityPlan:
    """The windows that the threshold asks for.

    Raises:
        InputError: at this peak they have more calls than can be sent or kept.
    """
    threshold, load = project.manifest.threshold, project.manifest.load
    try:
        plan = StabilityPlan(
            peak=load.peak,
            samples=samples_for(threshold.conditions, threshold.confidence.base),
            window_s=threshold.load_window.base,
            deadline=project.manifest.target.deadline,
        )
        _ = plan.passes, plan.warm_up  # a schedule has limits of its own
    except ValueError as why:
        raise InputError(
            f"the load that {project.file} asks for cannot be sent: {why}",
            fix="shorten threshold.load_window, or lower load.peak",
        ) from why
    return plan


def _argv(bench: Workbench, run: str) -> tuple[str, ...]:
    project = bench.project
    return (
        sys.executable,
        "-m",
        "plimsoll.assembly.load_host",
        str(project.folder / project.file.name),
        str(project.state),
        run,
    )


def _payload(sent: Sent, *, to_guard: bool) -> bytes:
    """What is sent: to the guard with type and source before the record, to an address the record alone."""
    return b"\0".join((sent.type.encode(), sent.source.encode(), sent.record)) if to_guard else sent.record


def _notes(feed: Feed, sent: Sequence[Sent], *, to_guard: bool) -> Iterator[str]:
    sources = plural(len(feed.files), "source")
    yield f"{plural(len(sent), 'record')} of {sources} are sent in turn, and over again."
    if feed.by_type:
        counts = Counter(one.type for one in sent)
        yield f"Of each decision type: {', '.join(f'{name} {count:,}' for name, count in sorted(counts.items()))}."
        if not to_guard:
            yield "What answers at an address is not told which type a record is of."


def _done(step: Step) -> int:
    return step.done
