"""The main job: measure what the threshold needs, judge it, and write the verdict down."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from plimsoll.assembly.assessing import Progress, Silent, Workbench, assess, needed
from plimsoll.assembly.demonstration import GATE, Cast
from plimsoll.assembly.judging import judge_release
from plimsoll.assembly.project import Project
from plimsoll.assembly.reporting import installed_version, write_report
from plimsoll.assembly.trusting import trust_of
from plimsoll.attest import PrivateKey, Role, Trust, make_attestation, read_private
from plimsoll.errors import InputError, UsageError, VerificationFailed
from plimsoll.ledger import Draft, FileWitness, Ledger, verify_ledger
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

    Raises:
        PlimsollError: see its branches.
    """
    cast = Cast(project) if project.manifest.demonstration is not None else None
    trust = trust_of(trust_file, cast)
    _load(project)
    with project.open_ledger() as ledger:
        project.record_release(ledger)
        if cast is not None:
            cast.sign_threshold(project, ledger)
        bench = Workbench(
            project=project,
            ledger=ledger,
            opened=OPENED,
            trust=trust,
            cast=cast,
            progress=progress or Silent(),
            clock_ns=clock_ns,
            url=url,
        )
        assess(bench, only or needed(project))
        return _judge(project, ledger, trust, cast, report, clock_ns(), write=write)


def _load(project: Project) -> None:
    """Load the target before anything is recorded; one that cannot be is said at once.

    Most targets read their weights when they are imported, so the watcher looks on; and what is imported must be what
    the release names, so that is written down before.
    """
    OPENED.start(project.watched_as)
    try:
        _ = project.release  # read before the import, and compared when each measurement has ended
        project.load_target()
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
) -> Checked:
    """Judge the evidence there is; with ``attest``, write the signed verdict there.

    Raises:
        UsageError: ``attest`` without a key, in a system that is no demonstration.
        VerificationFailed: ``attest`` on a record that was altered.
        PlimsollError: see its branches.
    """
    cast = Cast(project) if project.manifest.demonstration is not None else None
    key = _gate_key(attest, key_file, cast)
    trust = trust_of(trust_file, cast)
    with project.open_ledger() as ledger:
        checked = _judge(project, ledger, trust, cast, report, clock_ns(), write=report is not None)
        if attest is not None and key is not None:
            _verify(project, trust, checked.board.time_ns)
            judged = judge_release(project, ledger, trust, now_ns=checked.board.time_ns)
            raw = make_attestation(
                judged.board,
                threshold=project.manifest.threshold,
                signed_threshold=judged.signed_threshold,
                key=key,
                protocols=judged.protocols,
                version=installed_version(),
            )
            _write(attest, raw)
    return checked


def _verify(project: Project, trust: Trust, now_ns: int) -> None:
    """What is signed must rest on a record that nobody has altered, signed by the ledger key that is pinned, if any.

    Raises:
        VerificationFailed: somebody has altered it; with what was found first.
    """
    witness = FileWitness(project.witness_path) if project.witness_path.exists() else None
    pinned = tuple(k.key.raw for k in trust.keys_for(Role.LEDGER, at_ns=now_ns))
    keys = pinned or (project.ledger_key.public.raw,)
    report = verify_ledger(project.store, trusted_keys=keys, witness=witness)
    if report.findings:
        raise VerificationFailed(
            f"the record under this verdict was altered: {report.findings[0]}"
            + (f" (and {len(report.findings) - 1} more)" if len(report.findings) > 1 else ""),
            fix="nothing is attested on it; `plimsoll ledger verify` says all",
        )


def _judge(
    project: Project,
    ledger: Ledger,
    trust: Trust,
    cast: Cast | None,
    report: str | Path | None,
    now_ns: int,
    *,
    write: bool,
) -> Checked:
    """Judge, record the verdict, take a checkpoint, write the report."""
    judged = judge_release(project, ledger, trust, now_ns=now_ns)
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
