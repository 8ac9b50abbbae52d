"""From the ledger to a board: the verdict on the evidence there is, who signed, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from plimsoll.assembly.assessing import cannot_drill, lacking
from plimsoll.assembly.health_notes import health_notes
from plimsoll.assembly.integrity import VerifiedRecord
from plimsoll.assembly.project import Project
from plimsoll.assembly.reviewers import overload, price
from plimsoll.assembly.runs import (
    falls_behind,
    left_evidence,
    recorded_runs,
    resampled,
    unfinished,
    unseen,
)
from plimsoll.assembly.signed_lines import line_in_force
from plimsoll.assembly.signing import SIGNED
from plimsoll.assembly.source_notes import source_notes
from plimsoll.assembly.standing import Standing, look_again
from plimsoll.assembly.succession import begun_anew
from plimsoll.attest import Trust, check_threshold
from plimsoll.errors import VerificationFailed
from plimsoll.gate import judge_in_force, make_board, say_loosened
from plimsoll.ledger import Ledger
from plimsoll.model.board import Board, Row
from plimsoll.model.evidence import Dated, Proportion
from plimsoll.model.manifest import Manifest, Owners
from plimsoll.model.metrics import METRICS
from plimsoll.model.threshold import LOAD_WINDOW, Threshold
from plimsoll.rollout import exceptions
from plimsoll.stats import clopper_pearson_lower


class JudgedRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A board with what an attestation and a report need beside it."""

    board: Board
    signed_threshold: bytes | None
    signed_ns: int | None
    protocols: Mapping[str, tuple[str, ...]]  # assessment -> digests of how it measured
    in_force: Threshold  # what the rows were judged by: the strictest of all lines that still count
    standing: Standing  # who has accepted, and what the map lacks, as it is now


def judge_release(
    project: Project, ledger: Ledger, trust: Trust, *, record: VerifiedRecord, now_ns: int
) -> JudgedRelease:
    """Judge the release that lies here now on the evidence of its ledger.

    Args:
        project: the system.
        ledger: where evidence and signatures are.
        trust: whose signatures count.
        record: what the verification of that ledger gave, just before.
        now_ns: UTC nanoseconds since the epoch.
    """
    manifest, release = project.manifest, project.release.digest
    runs = recorded_runs(ledger, manifest.system)
    found, doubts = left_evidence(ledger, manifest.system, runs)
    standing = look_again(project, ledger, trust, runs, found, now_ns)
    dated = standing.evidence
    signature = _signature(project, ledger, trust, now_ns)
    simulated = signature.simulated or manifest.demonstration is not None
    line = line_in_force(project, ledger, trust, now_ns, simulated=simulated)
    project = project.judged_by(line.threshold)
    excepted = exceptions(ledger, manifest.system, now_ns=now_ns, trust=trust)
    begun = {run.id: run.time_ns for run in runs}
    rows = judge_in_force(line, release, dated, now_ns, people=manifest.people_digest, begun=begun)
    used = {entry for row in rows for entry in row.entries}
    board = make_board(
        system=manifest.system,
        release=release,
        threshold=manifest.threshold,
        people=manifest.people_digest,
        rows=rows,
        time_ns=now_ns,
        signed=signature.entry,
        pinned=bool(signature.entry),  # `_signature` gives only what a pinned key has signed
        in_force=line.threshold,
        simulated=_simulated(project, signature, record),
        unfinished=unfinished(runs, release),
        notes=(
            *signature.notes,
            *(say_loosened(each, str(line.threshold.cooling_off)) for each in line.loosened),
            *doubts,
            *standing.notes,
            *(e.said for e in excepted if not e.live),
            *begun_anew(ledger),
            *resampled(runs, release),
            *unseen(runs, release),
            *_short_windows(rows),
            *falls_behind(runs, release),
            *_in_one_hand(manifest.owners),
            *_ungoverned(manifest),
            *health_notes(ledger, manifest.system),
            *source_notes(ledger, manifest.system),
            *(f"{name} cannot be measured: the manifest names no {key}" for name, key in lacking(project).items()),
            *_undrilled(project, ledger),
        ),
        price=_price(project, [d for d in dated if d.entry in used]),
        warnings=(*overload(project, dated), *(e.said for e in excepted if e.live)),
        owners={
            "contracts": manifest.owners.technical.contact,
            "technical": manifest.owners.technical.contact,
            "data": manifest.owners.technical.contact,
            "organisational": manifest.owners.business.contact,
            "governance": manifest.owners.leader.contact,
        },
    )
    protocols: dict[str, list[str]] = {}
    for d in dated:
        if d.entry in used:
            protocols.setdefault(METRICS[d.evidence.metric].assessment, []).append(d.evidence.protocol)
    return JudgedRelease(
        board=board,
        signed_threshold=signature.raw,
        signed_ns=signature.signed_ns,
        protocols={name: tuple(sorted(set(measured))) for name, measured in protocols.items()},
        standing=standing,
        in_force=line.threshold,
    )


def asked_now(project: Project, ledger: Ledger, trust: Trust, now_ns: int) -> Threshold:
    """What a verdict on this record would be judged by now."""
    signature = _signature(project, ledger, trust, now_ns)
    simulated = signature.simulated or project.manifest.demonstration is not None
    return line_in_force(project, ledger, trust, now_ns, simulated=simulated).threshold


class _Signature(msgspec.Struct, frozen=True, kw_only=True):
    entry: str = ""
    raw: bytes | None = None
    signed_ns: int | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()


def _signature(project: Project, ledger: Ledger, trust: Trust, now_ns: int) -> _Signature:
    """The newest signature under this very threshold that holds; else why none does."""
    manifest = project.manifest
    why = ""
    for entry in ledger.find(SIGNED, system=manifest.system):  # the newest first
        raw = ledger.body(entry)
        try:
            line = check_threshold(
                raw, trust, system=manifest.system, threshold=manifest.threshold.digest, now_ns=now_ns
            )
        except VerificationFailed as failure:
            why = why or f"the threshold's signature does not count: {failure.message}"
            continue
        return _Signature(entry=entry.id, raw=raw, signed_ns=line.signed_ns, simulated=line.simulated)
    unsigned = f"the threshold is not signed: a DRAFT, until {manifest.threshold.set_by} signs it"
    return _Signature(notes=(why or unsigned,))


def _short_windows(rows: Sequence[Row]) -> tuple[str, ...]:
    """Whether load was measured in windows shorter than is usual, in a sentence; the setter may have asked for less."""
    shortest = min((row.window_s for row in rows if row.window_s is not None), default=LOAD_WINDOW.base)
    if shortest >= LOAD_WINDOW.base * (1 - 1e-9):
        return ()
    lasted = LOAD_WINDOW.like(shortest)
    return (
        f"load was measured in windows of {lasted}, not the usual {LOAD_WINDOW}: what builds up slowly may not show",
    )


def _in_one_hand(owners: Owners) -> tuple[str, ...]:
    """Where nobody but who builds it has a say, in a sentence: the board shows what a list of roles hides."""
    contacts = {p.contact for p in (owners.business, owners.technical, owners.operations, owners.leader)}
    builders = {owners.technical.contact, *owners.technical.members}
    if len(contacts) == 1:
        return (f"{owners.leader.contact} alone stands for business, technical, operations and leader",)
    if owners.leader.contact in builders:
        return (f"{owners.leader.contact} sets the threshold and is of those who build to it",)
    return ()


def _ungoverned(manifest: Manifest) -> tuple[str, ...]:
    if manifest.governance is not None:
        return ()
    return ("nothing governs egress: the manifest names no governance page",)


def _undrilled(project: Project, ledger: Ledger) -> tuple[str, ...]:
    why = cannot_drill(project, ledger)
    return (f"the rollback cannot be practised: {why}",) if why else ()


def _simulated(project: Project, signature: _Signature, record: VerifiedRecord) -> tuple[str, ...]:
    """What of this verdict, apart from the evidence, is simulated, in a sentence each."""
    if project.manifest.demonstration is not None:  # which says it all
        return ("the manifest lets a script play persons, with keys made on the spot",)
    signed = ("the threshold is signed with a key made on the spot",) if signature.simulated else ()
    return (*signed, *record.simulated)


def _price(project: Project, used: list[Dated]) -> tuple[str, ...]:
    """What it costs to be above the line, with its uncertainty counted against it."""
    found = [d.evidence.sample for d in used if d.evidence.metric == "evaluation.answered_share"]
    if not found or not isinstance(found[-1], Proportion) or not found[-1].total:
        return ()
    share = found[-1]
    held = 1 - share.hits / share.total
    worst = 1 - clopper_pearson_lower(share.hits, share.total, project.manifest.threshold.confidence.base)
    now, most = price(project, held), price(project, worst)
    if now is None or most is None:
        return (f"{1 - held:.1%} of the cases are answered without a person (at least {1 - worst:.1%}).",)
    capacity = now.capacity_minutes_per_day or 0.0
    share_said = f"{held:.1%} of the cases go to people (at most {worst:.1%})."
    minutes_said = (
        f"At {now.expected_per_day:,.0f} a day that is {now.minutes_per_day:,.0f} reviewer minutes a day "
        f"(at most {most.minutes_per_day:,.0f}); there are {capacity:,.0f}."
    )
    return (share_said, minutes_said)
