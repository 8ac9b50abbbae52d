"""Whether the record under a verdict holds: all of it, signed with the key that counts, as the witness has seen it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from plimsoll.assembly.assessing import Progress, Silent
from plimsoll.assembly.project import Project
from plimsoll.attest import Role, Trust, TrustedKey
from plimsoll.errors import StoreDamaged, VerificationFailed
from plimsoll.ledger import FileWitness, Finding, OtherLog, VerifyReport, other_logs, verify_ledger

_PUT_BACK: Final = (
    "put that ledger back in its place; if a new one was begun on purpose, `plimsoll ledger begin` writes down by whom"
    " and why, and begins a new witness file; whoever keeps a witness elsewhere begins a new file there, too"
)
_FIXES: Final = {
    "note-untrusted": "see whose key signed: `plimsoll keys ledger` prints the one that lies beside this ledger,"
    " trust.yaml pins the one that counts",
    "witness-another": _PUT_BACK,
    "witness-unknown": _PUT_BACK,
}
_OTHERWISE: Final = "keep this file as it is, find out who could write it, and restore a copy that verifies"


class VerifiedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that holds: what `verify_record` gives, and without which there is no board."""

    report: VerifyReport
    simulated: tuple[str, ...]  # why its signatures count for a demonstration alone; empty: a pinned key made them


def verify_record(
    project: Project, trust: Trust, *, now_ns: int, witness: Path | None = None, progress: Progress | None = None
) -> VerifiedRecord:
    """Recompute the whole ledger, and hold it against its key and its witness. About 3 seconds per million entries.

    Nothing is taken over from an earlier verification: whoever can write the file could write that it was whole.

    Args:
        project: the system; its ledger is there.
        trust: whose keys count: those pinned as ``ledger``, or else the one that lies beside the ledger.
        now_ns: UTC nanoseconds since the epoch.
        witness: checkpoints kept outside the store; None: the file in the state folder, where there is one.
        progress: told how many entries were looked at.

    Raises:
        VerificationFailed: it does not hold; with what was found first.
        StoreDamaged: the file is no ledger.
        StoreError, InputError: ledger or witness cannot be read.
    """
    keys, simulated = _keys_that_count(project, trust, now_ns)
    shown = progress or Silent()
    shown.begin("record", None)
    report = verify_ledger(
        project.store,
        trusted_keys=keys,
        witness=_witness(project, witness),
        progress=lambda done, _: shown.tick(done),
    )
    shown.end(f"{report.entries:,} entries verified, {_count(report)}")
    if not report.ok:
        if report.findings[0].code == "file-damaged" and not report.streams:  # no ledger at all: the store says so
            raise StoreDamaged(f"{report.path}: {report.findings[0].what}", fix=_OTHERWISE)
        first, more = report.findings[0], _found(report) - 1
        raise _refused(
            f"the record under this verdict does not hold: {first}" + (f"; and {more:,} more" if more else ""),
            f"{what_to_do(first)}. `plimsoll ledger verify` says all",
        )
    return VerifiedRecord(report=report, simulated=simulated)


def verify_before(
    project: Project, trust: Trust, *, now_ns: int, witness: Path | None = None, progress: Progress | None = None
) -> VerifiedRecord | None:
    """Verify before anything is measured or written; None: there is no ledger yet, and none has ever been seen.

    Arguments and errors are those of `verify_record`.
    """
    if project.store.exists():
        return verify_record(project, trust, now_ns=now_ns, witness=witness, progress=progress)
    expect_none_before(project, witness)
    _keys_that_count(project, trust, now_ns)
    return None


def expect_none_before(project: Project, witness: Path | None = None) -> None:
    """Where there is no ledger: that none was ever seen here.

    Raises:
        VerificationFailed: the witness keeps checkpoints of one, so it was taken away.
    """
    seen = _witness(project, witness)
    gone: tuple[OtherLog, ...] = () if seen is None else other_logs(seen, None)
    if gone:
        raise _refused(
            f"the ledger '{project.store.name}' is gone: the witness keeps checkpoints of {'; '.join(map(str, gone))}",
            _PUT_BACK,
        )


def pinned_keys(trust: Trust | None, now_ns: int) -> tuple[TrustedKey, ...]:
    """The keys that may sign a ledger's checkpoints; Ed25519 alone, as signed notes have it."""
    pinned = () if trust is None else trust.keys_for(Role.LEDGER, at_ns=now_ns)
    return tuple(k for k in pinned if k.key.line.startswith("ed25519:"))


def what_to_do(finding: Finding) -> str:
    """What an operator does about a finding."""
    return _FIXES.get(finding.code, _OTHERWISE)


def _keys_that_count(project: Project, trust: Trust, now_ns: int) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The keys that checkpoints must be signed with, and why they show something for a demonstration alone.

    Whoever signs here from now on must be one whom they count for: else the next verification would refuse what this
    one lets through.
    """
    pinned, place = pinned_keys(trust, now_ns), project.ledger_key_path
    if not place.exists() and project.store.exists():
        raise _refused(
            f"the key that signs the ledger, '{place}', is gone",
            "put it back from where it is kept; who signs with another begins another record",
        )
    if not pinned:
        return (project.ledger_key.public.raw,), (_UNPINNED,)
    own = project.ledger_key.public if place.exists() else None
    mine = next((k for k in pinned if k.key == own), None)
    if mine is None:
        here = f"the ledger here is signed with {own.line}" if own else f"the key '{place}' is not there"
        raise _refused(
            f"{here}, and {trust.file} pins another for it: {', '.join(k.who for k in pinned)}",
            f"put the pinned key in its place, '{place}', or let the organisation pin this one: `plimsoll keys ledger`"
            " prints its entry; without a trust file all this counts as a DEMONSTRATION",
        )
    return tuple(k.key.raw for k in pinned), (_MADE_ON_THE_SPOT,) if mine.simulated else ()


_UNPINNED: Final = (
    "nobody has pinned the key that signs the ledger; `plimsoll keys ledger` prints its entry for trust.yaml"
)
_MADE_ON_THE_SPOT: Final = "the key that signs the ledger is pinned as one made on the spot"


def _witness(project: Project, given: Path | None) -> FileWitness | None:
    if given is not None:
        return FileWitness(given)
    return FileWitness(project.witness_path) if project.witness_path.exists() else None


def _found(report: VerifyReport) -> int:
    return len(report.findings) + report.more


def _count(report: VerifyReport) -> str:
    found = _found(report)
    return "whole" if not found else f"{found:,} finding{'' if found == 1 else 's'}"


def _refused(message: str, fix: str) -> VerificationFailed:
    error = VerificationFailed(message, fix=fix)
    error.code = "verification.record"
    return error
