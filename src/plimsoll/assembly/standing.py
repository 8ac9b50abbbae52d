"""What is looked at again when a verdict is given: who has accepted, what the map lacks, what the reviewers can take.

The first two are standing facts. They follow from what lies in the ledger and the manifest, and from the keys that are
trusted now; nothing has to be measured to see them. So a key that was taken out of trust.yaml, one whose time is over
and a person who was replaced show in the very next verdict. A look that finds less than the assessment did replaces its
figure; one that finds more does not: to become better, the assessment is run again (ADR 15).

Where a rollback leads to is such a fact, too: a drill of the way to another release does not count.

Of the reviewers' load only the share of cases is measured. What a case costs and what time there is are declared, so
they count as they are declared now, in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.reviewers import review_load
from plimsoll.assembly.runs import Recorded
from plimsoll.assess.accountability import accountability_map, map_now
from plimsoll.assess.organisation import census_of, provenance_of, who_accepts
from plimsoll.attest import Trust
from plimsoll.ledger import Ledger
from plimsoll.model.details import AccountabilityDetail, DrillDetail, MapRow, PersonDetail
from plimsoll.model.evidence import Census, Dated, Proportion, Provenance
from plimsoll.model.manifest_writer import placeholders
from plimsoll.rollout import way_back

T = TypeVar("T")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What was found by looking again."""

    evidence: tuple[Dated, ...]  # all of it, with the figures that are worse now
    people: tuple[PersonDetail, ...]
    rows: tuple[MapRow, ...]
    notes: tuple[str, ...] = ()  # evidence that speaks of something that is no more, in a sentence each


def look_again(
    project: Project, ledger: Ledger, trust: Trust, runs: Sequence[Recorded], dated: Sequence[Dated], now_ns: int
) -> Standing:
    """The evidence with both standing facts as they are now, where that is worse.

    Args:
        project: the system; its manifest says who is named.
        ledger: where acceptances and replays are recorded.
        trust: whose keys count.
        runs: of this system; their details say how much of a census was the map.
        dated: the evidence that its runs left.
        now_ns: UTC nanoseconds since the epoch.
    """
    manifest, release = project.manifest, project.release.digest
    unfilled = placeholders(manifest)
    people = who_accepts(ledger, manifest, trust, release=release, now_ns=now_ns, placeholders=unfilled)
    details = {run.id: run.ended.detail for run in runs if run.ended is not None}

    def again(piece: Dated) -> Dated | None:
        evidence, was = piece.evidence, piece.evidence.sample
        if evidence.release != release:
            return piece
        match evidence.metric, was:
            case "organisation.accepted", Census():
                piece = _worse(project, piece, was, census_of(people), provenance_of(people))
            case "accountability.complete", Census():
                detail = _of(details.get(evidence.run), AccountabilityDetail)
                if detail is not None:  # else another version left it: how much of it was the map cannot be told
                    piece = _worse(project, piece, was, map_now(manifest, unfilled, was, detail))
            case "evaluation.review_load", Proportion():
                load = review_load(project, was.hits, was.total)
                return None if load is None else _with(piece, load)
        return piece

    elsewhere = _drilled_elsewhere(ledger, manifest.system, release, runs)
    kept = (again(piece) for piece in dated if piece.evidence.run not in elsewhere)
    return Standing(
        notes=tuple(sorted(set(elsewhere.values()))),
        evidence=tuple(piece for piece in kept if piece is not None),
        people=people,
        rows=accountability_map(manifest, unfilled),
    )


def _drilled_elsewhere(ledger: Ledger, system: str, release: str, runs: Iterable[Recorded]) -> dict[str, str]:
    """The drills of this release that went back to another place than a rollback leads to now, and what to say of each.

    A drill shows that one release takes over from another. It says nothing of a third.
    """
    drills = [run for run in runs if run.started.assessment == "rollout" and run.started.release == release]
    if not drills:
        return {}
    now = way_back(ledger, system, release)
    found = {}
    for run in drills:
        drilled = None if run.ended is None else _of(run.ended.detail, DrillDetail)
        if drilled is not None and drilled.back != now:
            found[run.id] = (
                f"the rollback was drilled to {_named(drilled.back)}, and would lead to {_named(now)} now: that drill "
                "does not count"
            )
    return found


def _named(release: str) -> str:
    return f"{release[:19]}…" if release else "people"


def _with(piece: Dated, sample: Proportion) -> Dated:
    return msgspec.structs.replace(piece, evidence=msgspec.structs.replace(piece.evidence, sample=sample))


def _worse(
    project: Project, piece: Dated, was: Census, now: Census, provenance: Provenance = Provenance.MEASURED
) -> Dated:
    """The piece with what is found now, unless that is better than what the assessment found."""
    evidence = piece.evidence
    if Provenance.SIMULATED in {provenance, evidence.provenance}:
        evidence = msgspec.structs.replace(evidence, provenance=Provenance.SIMULATED)
    share_now, share_was = now.count * was.total, was.count * now.total
    if share_now <= share_was:
        again = "Looked at again for this verdict. When it was last assessed: " if share_now < share_was else ""
        evidence = msgspec.structs.replace(
            evidence,
            sample=now,
            finding=f"{again}{evidence.finding}",
            people=project.manifest.people_digest,  # those who are named now were looked at
        )
    return msgspec.structs.replace(piece, evidence=evidence)


def _of(detail: msgspec.Raw | None, type_: type[T]) -> T | None:
    try:
        return None if detail is None else msgspec.json.decode(detail, type=type_)
    except msgspec.DecodeError:
        return None
