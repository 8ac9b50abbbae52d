"""The setter's exceptions: signed for what lies here, and promoted on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.assembly.demonstration import Cast
from plimsoll.assembly.integrity import VerifiedRecord, verify_before, verify_record
from plimsoll.assembly.judging import judge_release
from plimsoll.assembly.project import Project
from plimsoll.assembly.releases import check_kept, releases_folder
from plimsoll.assembly.steering import known_contact
from plimsoll.assembly.trusting import trust_of
from plimsoll.attest import PrivateKey, Trust, check_exception, sign_exception
from plimsoll.errors import NotReady
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.board import Board, Standing
from plimsoll.rollout import EXCEPTED, kept_manifest, promote_on_exception

DAYS: Final = 7


class NewException(msgspec.Struct, frozen=True, kw_only=True):
    """An exception that was signed just now."""

    entry: str
    release: str
    conditions: tuple[str, ...]


def except_release(
    project: Project,
    key: PrivateKey,
    *,
    trust_file: Path | None,
    reason: str,
    until_ns: int,
    clock_ns: Callable[[], int] = time.time_ns,
) -> NewException:
    """Sign, as the setter, that what lies here may go live without the conditions that it does not meet now.

    The whole record is verified first, and the release judged: what is left aside is worked out and not chosen.

    Args:
        project: the system.
        key: the setter's.
        trust_file: trust.yaml; None: as for a verdict.
        reason: why, for everyone who looks at a board while it lasts.
        until_ns: when it ends; UTC nanoseconds since the epoch.
        clock_ns: UTC nanoseconds since the epoch.

    Raises:
        NotReady: every condition is met; or the line itself is not signed.
        UsageError: no reason, or an end that has passed or is too far ahead.
        VerificationFailed: the record does not hold; or the key is not one that is pinned for the setter.
    """
    cast = Cast(project) if project.manifest.demonstration is not None else None
    trust, line = trust_of(trust_file, cast), project.manifest.threshold
    found = verify_before(project, trust, now_ns=clock_ns())
    with project.open_ledger() as ledger:
        board = _judged(project, ledger, trust, found, clock_ns())
        _check_line(board)
        unmet = _unmet(board)
        if not unmet:
            raise NotReady(
                "every condition is met, so there is nothing to leave aside",
                fix="`plimsoll gate --attest FILE` gives what it can be promoted on",
            )
        raw = sign_exception(
            system=project.manifest.system,
            release=project.release.digest,
            threshold=line.digest,
            set_by=line.set_by,
            conditions=unmet,
            reason=reason,
            until_ns=until_ns,
            key=key,
            now_ns=clock_ns(),
            simulated=board.demonstration,
        )
        # A signature that does not count is said now, and not when the release is to go live.
        check_exception(
            raw,
            trust,
            system=project.manifest.system,
            release=project.release.digest,
            threshold=line.digest,
            set_by=line.set_by,
            now_ns=clock_ns(),
        )
        project.record_release(ledger)
        entry = ledger.append(Draft(kind=EXCEPTED, system=project.manifest.system, body=raw))
        ledger.checkpoint()
    return NewException(entry=entry, release=project.release.digest, conditions=unmet)


def promote_excepted(
    project: Project,
    release: str,
    *,
    exception: str,
    trust_file: Path | None,
    by: str,
    reason: str,
    allow_simulated: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> str:
    """Make a kept release live on the setter's exception; gives the id of the control entry.

    The release is judged anew: a condition that the exception does not name must be met now.

    Raises:
        InputError: it is not kept here; or there is no such exception.
        VerificationFailed: the exception does not hold, or the record does not.
        NotReady: a condition that it does not name is not met.
    """
    by = known_contact(project, by)
    cast = Cast(project) if project.manifest.demonstration is not None else None
    trust, line = trust_of(trust_file, cast), project.manifest.threshold
    judged = _as_kept(project, release)
    found = verify_before(project, trust, now_ns=clock_ns())
    with project.open_ledger() as ledger:
        board = _judged(judged, ledger, trust, found, clock_ns())
        _check_line(board)
        return promote_on_exception(
            ledger,
            project.manifest.system,
            release,
            exception=exception,
            trust=trust,
            threshold=line.digest,
            set_by=line.set_by,
            unmet=_unmet(board),
            by=by,
            reason=reason,
            now_ns=clock_ns(),
            allow_simulated=allow_simulated,
        )


def _as_kept(project: Project, release: str) -> Project:
    """The project as this release holds it, judged by the line as it is now."""
    manifest = kept_manifest(releases_folder(project), release)
    if project.release.digest == release:
        return project
    kept = Project(manifest, state=project.state)
    check_kept(project, release, kept)
    return kept.judged_by(project.manifest.threshold)


def _judged(project: Project, ledger: Ledger, trust: Trust, found: VerifiedRecord | None, now_ns: int) -> Board:
    record = found or verify_record(project, trust, now_ns=now_ns)  # it was made just now
    return judge_release(project, ledger, trust, record=record, now_ns=now_ns).board


def _check_line(board: Board) -> None:
    """An exception is from a line that counts. Raises NotReady."""
    if board.draft:
        raise NotReady(
            "the threshold is a DRAFT: nobody whose key is pinned has signed it, so there is no line to leave aside",
            fix=f"{board.set_by} signs it: `plimsoll threshold sign`; name the keys by --trust FILE",
        )


def _unmet(board: Board) -> tuple[str, ...]:
    return tuple(row.condition for row in board.rows if row.standing is not Standing.MET)
