"""The runs of a record: which began, which ended, what evidence they left, and what a board should say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from plimsoll.assess.evaluation import BY_TYPE
from plimsoll.assess.run import body_of
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Ledger
from plimsoll.model.details import ContractsDetail, EvaluationDetail, StabilityDetail
from plimsoll.model.evidence import Dated, Ended, Evidence, Started
from plimsoll.model.metrics import METRICS

T = TypeVar("T")
_SAMPLES = {"evaluation": "the golden set", "contracts": "the feed"}  # what a digest of the protocol is of


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one assessment."""

    id: str
    time_ns: int  # when it began
    started: Started
    ended: Ended | None  # None: it never ended, or by an error


def recorded_runs(ledger: Ledger, system: str) -> tuple[Recorded, ...]:
    """Every run of a system, in the order in which they began.

    Raises:
        VerificationFailed: one of their entries was altered.
    """
    begun: dict[str, tuple[int, Started]] = {}
    ended: dict[str, Ended] = {}
    for entry in ledger.entries(kinds=("assessment.started", "assessment.ended"), system=system):
        if entry.kind == "assessment.started":
            begun[entry.id] = (entry.time_ns, body_of(ledger, entry, Started))
        elif not (end := body_of(ledger, entry, Ended)).problem:
            ended[end.run] = end
    runs = (Recorded(id=i, time_ns=at, started=s, ended=ended.get(i)) for i, (at, s) in begun.items())
    return tuple(sorted(runs, key=lambda run: run.time_ns))


def left_evidence(ledger: Ledger, system: str, runs: Iterable[Recorded]) -> tuple[list[Dated], tuple[str, ...]]:
    """The evidence that a run of this record left, and in a sentence what is not such.

    Every run writes its evidence and its end in one transaction. What names a run that never began or never ended
    here, or that was about something else, was carried in from elsewhere; what is not as it was written was mended.
    """
    known = {run.id: run.started for run in runs if run.ended is not None}
    found: list[Dated] = []
    strange: list[str] = []
    for entry in ledger.entries(kinds=("evidence",), system=system):
        try:
            evidence = body_of(ledger, entry, Evidence)
        except VerificationFailed:
            strange.append(entry.id)
            continue
        run, metric = known.get(evidence.run), METRICS.get(evidence.metric)
        about = None if metric is None else (metric.assessment, evidence.release, evidence.protocol)
        if run is None or about != (run.assessment, run.release, run.protocol):
            strange.append(entry.id)
            continue
        found.append(Dated(evidence=evidence, entry=entry.id, time_ns=entry.time_ns))
    named = ", ".join(strange[:3]) + (" and more" if len(strange) > 3 else "")
    doubt = f"evidence that no run of this ledger left does not count: {named}"
    return found, (doubt,) if strange else ()


def unfinished(runs: Iterable[Recorded], release: str) -> tuple[str, ...]:
    """Assessments of a release that began and never ended, or ended by an error."""
    return tuple(
        f"{run.started.assessment} ({run.id})" for run in runs if run.started.release == release and run.ended is None
    )


def unseen(runs: Sequence[Recorded], release: str) -> tuple[str, ...]:
    """What the newest runs of a release never looked at, in a sentence each: a figure does not speak of it."""
    newest = _newest(runs, release)
    evaluated, replayed, loaded = (
        _drawn(newest.get("evaluation"), EvaluationDetail),
        _drawn(newest.get("contracts"), ContractsDetail),
        _drawn(newest.get("stability"), StabilityDetail),
    )
    segments = () if evaluated is None else evaluated.segments
    said = [
        f"the golden set has no case of '{s.value}', so evaluation says nothing of it"
        for s in segments
        if s.name == BY_TYPE and not s.n
    ]
    silent: dict[str, list[str]] = {}
    for name, detail in (("contracts", replayed), ("stability", loaded)):
        for kind in () if detail is None else detail.unseen:
            silent.setdefault(kind, []).append(name)
    for kind, names in silent.items():
        verb = "say" if len(names) > 1 else "says"
        said.append(f"the feed holds no record of '{kind}', so {' and '.join(names)} {verb} nothing of it")
    unheard = ", ".join(source.name for source in (() if replayed is None else replayed.sources) if not source.offered)
    return (*said, f"the feed holds no record of the declared sources: {unheard}") if unheard else tuple(said)


def falls_behind(runs: Sequence[Recorded], release: str) -> tuple[str, ...]:
    """Where the newest load run of a release left a backlog that went on growing, in a sentence."""
    loaded = _drawn(_newest(runs, release).get("stability"), StabilityDetail)
    stages = () if loaded is None else loaded.stages
    growing = [f"{s.multiple:g}x" for s in stages if s.backlog == "growing"]
    said = (
        f"at {' and '.join(growing)} the declared peak the backlog grew through the load windows: more than it can do"
    )
    return (said,) if growing else ()


def _newest(runs: Sequence[Recorded], release: str) -> dict[str, Ended]:
    """The end of the newest run of each assessment of a release."""
    return {r.started.assessment: r.ended for r in runs if r.started.release == release and r.ended is not None}


def _drawn(ended: Ended | None, detail: type[T]) -> T | None:
    """What a run left to be drawn; None when it left nothing, or what another version drew."""
    try:
        return None if ended is None else msgspec.json.decode(ended.detail, type=detail)
    except msgspec.ValidationError:
        return None


def resampled(runs: Sequence[Recorded], release: str) -> tuple[str, ...]:
    """Where a release is measured on another sample than the one before it: a better figure may be an easier one."""
    said = []
    for assessment, sample in _SAMPLES.items():
        ended = [r.started for r in runs if r.started.assessment == assessment and r.ended is not None]
        mine = [s.protocol for s in ended if s.release == release]
        before = [s for s in ended if s.release != release]
        if mine and before and before[-1].protocol != mine[-1]:
            said.append(f"{sample} is another than that of the release before, {before[-1].release[:19]}…")
    return tuple(said)
