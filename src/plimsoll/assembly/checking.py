"""The main job: measure what the threshold needs, judge it, and write the verdict down.

No verdict is given on a record that does not hold. `gate` verifies all of it before it judges. `check` does so before
it measures, so that nobody waits for a verdict that cannot be given, and once more before it judges. The second time it
looks at everything, too: whoever can write the file could have altered what is old while it was measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from plimsoll.assembly.assessing import Progress, Silent, Workbench, assess, needed
from plimsoll.assembly.demonstration import GATE, Cast
from plimsoll.assembly.drilling import Processes
from plimsoll.assembly.integrity import verify_before, verify_record
from plimsoll.assembly.judging import JudgedRelease, asked_now, judge_release
from plimsoll.assembly.project import Project
from plimsoll.assembly.reporting import installed_version, write_report
from plimsoll.assembly.trusting import trust_of
from plimsoll.attest import PrivateKey, make_attestation, read_private
from plimsoll.errors import InputError, UsageError
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.board import Board
from plimsoll.model.canonical import canonical
from plimsoll.rollout import OpenedFiles


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check or gate gives."""

    board: Board
    report: Path | None = None


def check(
    project: Project,
    *,
    trust_file: Path | None = None,
    only: tuple[str, ...] = (),
    report: str | Path | None = None,
    write: bool = True,
    progress: Progress | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
    url: str | None = None,
    ca: Path | None = None,
    witness: Path | None = None,
    drill: Processes | None = None,
) -> Checked:
    """Run what the threshold needs (or some of it), then judge.

    Args:
        project: the system.
        trust_file: trust.yaml; None: nobody's signature counts, but a demonstration's cast as simulated.
        only: assessments to run in place of all that are needed.
        report: where the HTML report goes; None: into the state folder.
        write: whether to write a report at all.
        progress: how to tell how far it is.
        clock_ns: UTC nanoseconds since the epoch.
        url: stability: drive this HTTP address in place of the guard in process.
        ca: a PEM file with the authorities that are trusted there; None: the system's own.
        witness: checkpoints kept outside the store; None: the file in the state folder.
        drill: rollout: how many processes practise a rollback how often; None: as usual.

    Raises:
        VerificationFailed: the record was altered, cut, set back or replaced, or another key signs it than is pinned.
        PlimsollError: see its branches.
    """
    cast = Cast(project) if project.manifest.demonstration is not None else None
    trust = trust_of(trust_file, cast)
    _load(project)
    verify_before(project, trust, now_ns=clock_ns(), witness=witness, progress=progress)
    with project.open_ledger() as ledger:
        project.record_release(ledger)
        if cast is not None:
            cast.sign_threshold(project, ledger)
        # Until what was loosened has cooled off, what is asked for is measured as the stricter line asks for it.
        asked = project.judged_by(asked_now(project, ledger, trust, clock_ns()))
        bench = Workbench(
            project=asked,
            ledger=ledger,
            opened=OPENED,
            trust=trust,
            cast=cast,
            progress=progress or Silent(),
            clock_ns=clock_ns,
            url=url,
            ca=ca,
            drill=drill or Processes(),
        )
        assess(bench, only or needed(asked, ledger))
        ledger.checkpoint()  # so that a signature speaks for what was measured just now, too
        record = verify_record(project, trust, now_ns=clock_ns(), witness=witness, progress=progress)
        judged = judge_release(project, ledger, trust, record=record, now_ns=clock_ns())
        return _write_down(project, ledger, judged, cast, report, write=write)


def _load(project: Project) -> None:
    """Load the target before anything is recorded; one that cannot be is said at once.

    Most targets read their weights when they are imported, so the watcher looks on; and what is imported must be what
    the release names, so that is written down before.
    """
    project.watch(OPENED)
    try:
        _ = project.release  # read before the import, and compared when each measurement has ended
        project.load_target().close()
    finally:
        OPENED.stop()


def gate(
    project: Project,
    *,
    trust_file: Path | None = None,
    attest: Path | None = None,
    key_file: Path | None = None,
    report: str | Path | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
    witness: Path | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Judge the evidence there is; with ``attest``, write the signed verdict there.

    Args:
        project: the system.
        trust_file: trust.yaml; None: as for `check`.
        attest: where the attestation goes; None: there is none.
        key_file: the gate's private key, for ``attest``.
        report: where the HTML report goes; None: there is none.
        clock_ns: UTC nanoseconds since the epoch.
        witness: checkpoints kept outside the store; None: the file in the state folder.
        progress: how to tell how far the verification of the record is.

    Raises:
        UsageError: ``attest`` without a key, in a system that is no demonstration.
        VerificationFailed: the record was altered, cut, set back or replaced, or another key signs it than is pinned.
        PlimsollError: see its branches.
    """
    cast = Cast(project) if project.manifest.demonstration is not None else None
    key = _gate_key(attest, key_file, cast)
    trust = trust_of(trust_file, cast)
    found = verify_before(project, trust, now_ns=clock_ns(), witness=witness, progress=progress)
    with project.open_ledger() as ledger:
        record = found or verify_record(project, trust, now_ns=clock_ns(), witness=witness)  # it was made just now
        judged = judge_release(project, ledger, trust, record=record, now_ns=clock_ns())
        checked = _write_down(project, ledger, judged, cast, report, write=report is not None)
        if attest is not None and key is not None:
            raw = make_attestation(
                judged.board,
                threshold=project.manifest.threshold,
                signed_threshold=judged.signed_threshold,
                key=key,
                protocols=judged.protocols,
                in_force=judged.in_force,
                version=installed_version(),
            )
            _write(attest, raw)
    return checked


def _write_down(
    project: Project,
    ledger: Ledger,
    judged: JudgedRelease,
    cast: Cast | None,
    report: str | Path | None,
    *,
    write: bool,
) -> Checked:
    """Record the verdict, take a checkpoint, write the report."""
    ledger.append(Draft(kind="verdict", system=project.manifest.system, body=canonical(judged.board)))
    ledger.checkpoint()
    path = write_report(project, ledger, judged, report) if write else None
    if cast is not None:
        cast.write_trust(project.state / "trust.demonstration.yaml")
    return Checked(board=judged.board, report=path)


def _gate_key(attest: Path | None, key_file: Path | None, cast: Cast | None) -> PrivateKey | None:
    if attest is None:
        return None
    if key_file is not None:
        return read_private(key_file)
    if cast is not None:
        return cast.key(GATE)
    raise UsageError("--attest needs the gate's key", fix="give --key FILE; `plimsoll keys new FILE` makes one")


def _write(file: Path, raw: bytes) -> None:
    try:
        file.write_bytes(raw)
    except OSError as why:
        raise InputError(
            f"the attestation '{file}' cannot be written: {why.strerror}", fix="give another file: --attest FILE"
        ) from why


# One audit hook a process: it cannot be taken away again (PEP 578).
OPENED = OpenedFiles()
