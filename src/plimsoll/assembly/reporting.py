"""The report: what the ledger holds of each assessment, drawn beside the board in one file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.assembly.judging import JudgedRelease
from plimsoll.assembly.project import Project
from plimsoll.errors import InputError
from plimsoll.gate import render_report
from plimsoll.ledger import Ledger
from plimsoll.model.details import (
    AccountabilityDetail,
    CheckpointDetail,
    ContractsDetail,
    DrillDetail,
    EvaluationDetail,
    Measured,
    OrganisationDetail,
    ReleasePart,
    ReportDetails,
    StabilityDetail,
)
from plimsoll.model.evidence import Ended, Started

_DETAIL: Final[dict[str, Any]] = {
    "stability": StabilityDetail,
    "evaluation": EvaluationDetail,
    "contracts": ContractsDetail,
    "rollout": DrillDetail,
    "accountability": AccountabilityDetail,
    "organisation": OrganisationDetail,
}


def write_report(project: Project, ledger: Ledger, judged: JudgedRelease, to: str | Path | None) -> Path:
    """Write the report; gives its path.

    Args:
        project: the system.
        ledger: where each assessment left what is drawn of it.
        judged: the verdict.
        to: the file; None: ``reports/<release>-<time>.html`` in the state folder.

    Raises:
        InputError: the file cannot be written.
    """
    board = judged.board
    if to is None:
        at = dt.datetime.fromtimestamp(board.time_ns / 1e9, tz=dt.UTC)
        name = f"{board.release.removeprefix('sha256:')[:12]}-{at:%Y%m%dT%H%M%SZ}.html"
        path = project.state / "reports" / name
    else:
        path = Path(to)
    text = render_report(board, collect_details(project, ledger, judged))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as why:
        raise InputError(f"the report '{path}' cannot be written: {why.strerror}", fix="give another --report") from why
    return path


def collect_details(project: Project, ledger: Ledger, judged: JudgedRelease) -> ReportDetails:
    """What the newest ended run of each assessment of this release left to be drawn."""
    system, release = project.manifest.system, judged.board.release
    begun: dict[str, tuple[Started, int]] = {}
    details: dict[str, Any] = {}
    measured: dict[str, Measured] = {}
    for entry in ledger.entries(kinds=("assessment.started", "assessment.ended"), system=system):
        if entry.kind == "assessment.started":
            started = msgspec.json.decode(ledger.body(entry), type=Started)
            if started.release == release:
                begun[entry.id] = (started, entry.time_ns)
            continue
        ended = msgspec.json.decode(ledger.body(entry), type=Ended)
        if ended.run not in begun or ended.problem:
            continue
        started, started_ns = begun[ended.run]
        details[started.assessment] = msgspec.json.decode(ended.detail, type=_DETAIL[started.assessment])
        measured[started.assessment] = Measured(
            assessment=started.assessment,
            run=ended.run,
            protocol=started.protocol,
            started_ns=started_ns,
            ended_ns=entry.time_ns,
        )
    # Both are drawn as the verdict saw them, not as they were when they were last assessed.
    if "organisation" in details:
        details["organisation"] = OrganisationDetail(people=judged.standing.people)
    if "accountability" in details:
        details["accountability"] = msgspec.structs.replace(details["accountability"], rows=judged.standing.rows)
    taken = ledger.checkpoint()
    return ReportDetails(
        purpose=project.manifest.purpose,
        manifest=project.file.name,
        measured=tuple(measured.values()),
        release_parts=tuple(ReleasePart(name=n, digest=d) for n, d in project.release.parts.items()),
        checkpoint=CheckpointDetail(
            origin=taken.origin,
            entries=taken.size,
            root=taken.root.hex(),
            witness=str(project.witness_path) if project.witness_path.exists() else "",
        ),
        threshold_signed_ns=judged.signed_ns,
        version=installed_version(),
        **details,
    )


def installed_version() -> str:
    """The version of this package."""
    from importlib.metadata import version  # noqa: PLC0415 - reads files; only where a version is written down

    return version("plimsoll-ai")
