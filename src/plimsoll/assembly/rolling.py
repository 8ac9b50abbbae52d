"""What an operator does with releases of a project: keep, run beside, promote, roll back, list."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from plimsoll.assembly.demonstration import Cast
from plimsoll.assembly.project import Project, read_file
from plimsoll.assembly.record import reading_ledger
from plimsoll.assembly.releases import releases_folder
from plimsoll.assembly.runs import recorded_runs
from plimsoll.assembly.steering import known_contact
from plimsoll.assembly.trusting import trust_of
from plimsoll.assess.drill import said_of
from plimsoll.errors import InputError, NotReady
from plimsoll.guard.costs import Costs, costs
from plimsoll.ledger import Draft
from plimsoll.model.control import Action
from plimsoll.model.details import DrillDetail
from plimsoll.rollout import (
    KEPT,
    Kept,
    Line,
    end_beside,
    exceptions,
    keep_release,
    kept_manifest,
    kept_releases,
    listing,
    promote,
    roll_back,
    run_beside,
)


def build(project: Project, *, by: str) -> Kept:
    """Keep what lies here now as a release, so that it can run beside another, and be gone back to.

    Raises:
        InputError: ``by`` is not named in the manifest; or it cannot be kept.
        TargetError: the target cannot be imported: what cannot start is no release.
    """
    by = known_contact(project, by)
    project.load_target()
    folder = releases_folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    kept = keep_release(project.release, project.file, folder, by=by)
    copy = Project(kept_manifest(folder, kept.release), state=project.state)
    if copy.release.digest != project.release.digest:
        differs = [n for n, d in project.release.parts.items() if copy.release.parts.get(n) != d]
        raise InputError(
            f"the copy of the release is another release: {', '.join(differs[:5])} differ",
            fix="declare under target.artifacts or target.path what it needs, relative to the manifest",
        )
    with project.open_ledger() as ledger:
        project.record_release(ledger)
        ledger.append(Draft(kind=KEPT, system=project.manifest.system, body=msgspec.json.encode(kept)))
    return kept


def promote_release(
    project: Project,
    release: str,
    *,
    attestation: Path,
    trust_file: Path | None,
    by: str,
    reason: str,
    allow_simulated: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> str:
    """Make a kept release live; gives the id of the control entry.

    Raises:
        InputError: it is not kept here, or a file cannot be read.
        VerificationFailed: the attestation does not hold for exactly this release.
        NotReady: it is live already.
    """
    by = known_contact(project, by)
    kept_manifest(releases_folder(project), release)
    cast = Cast(project) if project.manifest.demonstration is not None else None
    with project.open_ledger() as ledger:
        return promote(
            ledger,
            project.manifest.system,
            release,
            attestation=read_file(attestation, "attestation"),
            trust=trust_of(trust_file, cast),
            by=by,
            reason=reason,
            now_ns=clock_ns(),
            allow_simulated=allow_simulated,
        )


def rollback(project: Project, *, to: str, by: str, reason: str) -> tuple[str, str]:
    """Go back to a release that was live before; gives the id of the control entry, and the release.

    Raises:
        NotReady: nothing was live before.
        InputError: it was never live, or ``by`` is not named in the manifest.
    """
    by = known_contact(project, by)
    with project.open_ledger() as ledger:
        return roll_back(ledger, project.manifest.system, to=to, by=by, reason=reason)


def beside(project: Project, release: str, *, action: Action, share: float, alpha: float, by: str, reason: str) -> str:
    """Run a kept release as canary or shadow; gives the id of the control entry.

    Raises:
        InputError: it is not kept here; a number is out of its range.
        NotReady: it is live.
    """
    by = known_contact(project, by)
    kept_manifest(releases_folder(project), release)
    with project.open_ledger() as ledger:
        return run_beside(
            ledger,
            project.manifest.system,
            release,
            share=share,
            action=action,
            by=by,
            reason=reason,
            alpha=alpha,
        )


def end(project: Project, release: str, *, by: str, reason: str) -> str:
    """End a canary or shadow; gives the id of the control entry.

    Raises:
        NotReady: it does not run beside the live release.
    """
    by = known_contact(project, by)
    with project.open_ledger() as ledger:
        return end_beside(ledger, project.manifest.system, release, by=by, reason=reason)


def costs_by_release(project: Project) -> tuple[Costs, ...]:
    """What each release used and cost, by decision type; what was folded for it is kept where that may be written."""
    if not project.store.exists():
        return ()
    with reading_ledger(project) as ledger:
        return costs(ledger, project.manifest.system)


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """The last drill of what lies here."""

    passed: bool
    said: str
    detail: DrillDetail


def drilled(project: Project) -> Drilled:
    """What the last drill of the release that lies here gave.

    Raises:
        NotReady: there was none.
    """
    with project.open_ledger(read_only=True) as ledger:
        runs = [
            run.ended
            for run in recorded_runs(ledger, project.manifest.system)
            if run.started.assessment == "rollout" and run.started.release == project.release.digest
        ]
    last = next((ended for ended in reversed(runs) if ended is not None), None)
    if last is None:
        raise NotReady("the rollback of this release was never practised", fix="run: plimsoll rollout drill")
    detail = msgspec.json.decode(last.detail, type=DrillDetail)
    return Drilled(passed=not any(each.why for each in detail.rounds), said=said_of(detail), detail=detail)


def releases(project: Project, *, clock_ns: Callable[[], int] = time.time_ns) -> tuple[Line, ...]:
    """The releases of a project, the latest first."""
    if not project.store.exists():
        return ()
    with project.open_ledger(read_only=True) as ledger:
        system = project.manifest.system
        said = {e.release: e.said for e in exceptions(ledger, system, now_ns=clock_ns()) if e.live}
        return tuple(
            msgspec.structs.replace(line, excepted=said.get(line.release, ""))
            for line in listing(ledger, system, kept_releases(releases_folder(project)))
        )
