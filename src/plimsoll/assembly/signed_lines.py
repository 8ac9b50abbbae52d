"""The lines that were signed over time, since when a witness holds them, and so what is judged now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from plimsoll.assembly.demonstration import Cast
from plimsoll.assembly.project import Project
from plimsoll.assembly.signing import SIGNED
from plimsoll.assembly.trusting import trust_of
from plimsoll.assess.run import body_of
from plimsoll.attest import Role, Trust, check_setter, read_signed
from plimsoll.attest.moments import from_text
from plimsoll.errors import VerificationFailed
from plimsoll.gate import SETTINGS, Change, InForce, Line, compare, effects, in_force
from plimsoll.ledger import Entry, FileWitness, Ledger, held_since
from plimsoll.model.attestation import ThresholdSigned
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Condition, Threshold


class SignedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One signed threshold of the record, and whether it counts among those before and after it."""

    line: Line
    simulated: bool
    why: str = ""  # why its signature does not count; "" it does


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold of the history, for people."""

    entry: str  # "": the manifest as it lies here, which nobody has signed
    set_by: str
    signed_ns: int | None
    threshold: str  # digest
    current: bool  # it is what the manifest holds now
    why: str  # why its signature does not count; "" it does
    first: bool  # it is the first that counts: at once, and without a witness
    witnessed_ns: int | None  # None: no witness holds it
    counts_from_ns: int | None  # what it loosens; None: it cannot be said
    changes: tuple[Change, ...]  # against the line before it that counts


def line_in_force(project: Project, ledger: Ledger, trust: Trust, now_ns: int, *, simulated: bool) -> InForce:
    """What is judged now: the strictest of the manifest's threshold and the signed ones that still count.

    Args:
        project: the system; its manifest holds the threshold that lies here now.
        ledger: where signatures are.
        trust: whose signatures count.
        now_ns: UTC nanoseconds since the epoch.
        simulated: whether the verdict is a demonstration. A simulated line neither binds nor relieves a real one.
    """
    found = signed_lines(project, ledger, trust, now_ns)
    return in_force(_with_manifest(project, _counting(found, simulated=simulated)), now_ns)


def signed_lines(project: Project, ledger: Ledger, trust: Trust, now_ns: int) -> tuple[SignedLine, ...]:
    """Every readable threshold that was signed for this system, oldest first."""
    system = project.manifest.system
    read: list[tuple[Entry, Threshold, ThresholdSigned]] = []
    for entry in ledger.find(SIGNED, system=system, oldest_first=True):
        try:
            signed = read_signed(ledger.body(entry))
        except VerificationFailed:
            continue  # no signature at all; the gate says so where it looks for the one that counts
        threshold = _threshold(signed)
        if threshold is not None and signed.system == system:
            read.append((entry, threshold, signed))
    held = _held(project, ledger, trust, [entry for entry, _, _ in read], now_ns)
    counted: Mapping[str, bool] | None = None
    lines = []
    for entry, threshold, signed in read:
        why, simulated = "", signed.simulated
        try:
            _, key = check_setter(ledger.body(entry), trust, at_ns=entry.time_ns)
            simulated = simulated or key.simulated
        except VerificationFailed as failure:
            # A key that was taken out of the trust file since must not take its line along: what it asked for would
            # be eased in silence. A verdict of that time says whether it counted.
            counted = _once_counted(ledger, system) if counted is None else counted
            why = "" if entry.id in counted else failure.message
            simulated = simulated or counted.get(entry.id, False)
        line = Line(
            threshold=threshold,
            entry=entry.id,
            signed_ns=_signed_ns(signed, entry),
            held_ns=None if entry.id not in held else max(held[entry.id], entry.time_ns),
        )
        lines.append(SignedLine(line=line, simulated=simulated, why=why))
    return tuple(lines)


def history(project: Project, ledger: Ledger | None, trust: Trust, now_ns: int) -> tuple[Past, ...]:
    """Every threshold that was signed, oldest first, with what it changed and from when that counts.

    Those that do not count stand in their place with the reason, and change nothing. What the manifest holds is the
    last, signed or not. Without a ledger it is all there is.
    """
    found = () if ledger is None else signed_lines(project, ledger, trust, now_ns)
    play = project.manifest.demonstration is not None
    reasons = {s.line.entry: s.why or ("" if play or not s.simulated else "it is simulated") for s in found}
    counting = _with_manifest(project, [s.line for s in found if not reasons[s.line.entry]])
    effect = dict(zip((line.entry for line in counting), effects(counting), strict=True))
    before = dict(zip((line.entry for line in counting[1:]), counting, strict=False))
    return tuple(
        Past(
            entry=line.entry,
            set_by=line.threshold.set_by,
            signed_ns=line.signed_ns if line.entry else None,
            threshold=line.threshold.digest,
            current=line.threshold.digest == project.manifest.threshold.digest,
            why=reasons.get(line.entry, ""),
            first=line.entry == counting[0].entry,
            witnessed_ns=line.held_ns,
            counts_from_ns=effect.get(line.entry),
            changes=compare(before[line.entry].threshold, line.threshold) if line.entry in before else (),
        )
        for line in [*(s.line for s in found), *(line for line in counting[-1:] if not line.entry)]
    )


def _counting(found: Sequence[SignedLine], *, simulated: bool) -> list[Line]:
    return [s.line for s in found if not s.why and (simulated or not s.simulated)]


def _with_manifest(project: Project, lines: Sequence[Line]) -> list[Line]:
    """The lines, the last of which is what the manifest holds; unsigned where the newest signature is for another."""
    threshold = project.manifest.threshold
    if lines and lines[-1].threshold.digest == threshold.digest:
        return [*lines]
    return [*lines, Line(threshold=threshold)]


def _held(project: Project, ledger: Ledger, trust: Trust, entries: Sequence[Entry], now_ns: int) -> Mapping[str, int]:
    if len(entries) < 2 or not project.witness_path.exists():  # the first line counts without a witness
        return {}
    pinned = tuple(k.key.raw for k in trust.keys_for(Role.LEDGER, at_ns=now_ns))
    return held_since(ledger, FileWitness(project.witness_path), entries, pinned or (project.ledger_key.public.raw,))


def _threshold(signed: ThresholdSigned) -> Threshold | None:
    """The threshold in the words that were signed; None: it is of another version.

    What an earlier version did not know is left as it is by default.
    """
    texts: dict[str, str] = {setting.name: getattr(signed, setting.name, "") for setting in SETTINGS}
    try:
        conditions = tuple(Condition.parse(text) for text in signed.conditions)
        threshold = Threshold(set_by=signed.set_by, conditions=conditions)
        settings = {name: Quantity.parse(text) for name, text in texts.items() if text}
        return msgspec.structs.replace(threshold, **settings)
    except ValueError:
        return None


def _signed_ns(signed: ThresholdSigned, entry: Entry) -> int:
    try:
        return from_text(signed.signed_at)
    except ValueError:
        return entry.time_ns


class _Counted(msgspec.Struct):
    signed: str = ""
    draft: bool = True
    demonstration: bool = True


def _once_counted(ledger: Ledger, system: str) -> Mapping[str, bool]:
    """The signatures on which a verdict of this record rested, and whether each such verdict was a demonstration."""
    found: dict[str, bool] = {}
    for entry in ledger.entries(kinds=("verdict",), system=system):
        try:
            verdict = body_of(ledger, entry, _Counted)
        except VerificationFailed:
            continue
        if not verdict.draft:
            found[verdict.signed] = found.get(verdict.signed, True) and verdict.demonstration
    return found


def told_history(project: Project, trust_file: Path | None, *, now_ns: int) -> tuple[Past, ...]:
    """The history as the record tells it, with the keys of a trust file or of a demonstration's cast.

    Raises:
        InvalidFile, InputError: the trust file has problems, or cannot be read.
        StoreError: the ledger cannot be read.
    """
    trust = trust_of(trust_file, Cast(project) if project.manifest.demonstration is not None else None)
    if not project.store.exists():
        return history(project, None, trust, now_ns)
    with project.open_ledger(read_only=True) as ledger:
        return history(project, ledger, trust, now_ns)
