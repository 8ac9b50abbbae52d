"""Who speaks for the root stream: the signed notes in the store, and those that the witness keeps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from plimsoll.errors import VerificationFailed
from plimsoll.ledger.checkpoint import Checkpoint, TrustedKey, open_note, parse_checkpoint, parse_note
from plimsoll.ledger.evidence import Claim
from plimsoll.ledger.findings import Finding, Sure, Trust
from plimsoll.ledger.ids import made_ns
from plimsoll.ledger.witness import BadLine, Witness, WitnessedNote

_MOST = 100  # notes that are told to be wrong one by one
_FEW = 3  # other logs that are named one by one


class OtherLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log of another name that a witness keeps notes of. No signature of these was checked."""

    origin: str
    first: int  # line of its first note
    last: int  # line of its last note
    size: int  # entries of its root stream, by its largest note

    def __str__(self) -> str:
        lines = f"line {self.first}" if self.first == self.last else f"lines {self.first} to {self.last}"
        return _named(self.origin, lines, f"at least {self.size:,} root entries")


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """What notes come to."""

    claims: tuple[Claim, ...]  # about the root stream
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    origin: str | None = None  # of the first note that counts


def stored_notes(notes: Iterable[tuple[int, str]], keys: Sequence[TrustedKey] | None, origin: str | None) -> Vouched:
    """The notes in the store.

    Args:
        notes: size they are filed under, and text.
        keys: pinned ones; None: signatures are not checked.
        origin: the log's name as the store gives it; None when it gives none.
    """
    claims: list[Claim] = []
    findings: list[Finding] = []
    first: str | None = None
    for size, note in notes:
        try:
            said = _stored(note, keys, size, origin)
        except VerificationFailed as error:
            if len(findings) < _MOST:
                findings.append(_bad(f"the checkpoint of {size:,} root entries", error))
            continue
        first = first or said.origin
        trust = Trust.UNCHECKED if keys is None else Trust.SIGNED
        adjective = "signed" if keys is not None else "unchecked"
        source = f"the {adjective} checkpoint of {size:,} root entries"
        claims.append(Claim(size=size, root=said.root, trust=trust, source=source))
    return Vouched(claims=tuple(claims), findings=tuple(findings), origin=first)


def witnessed_notes(
    witnessed: Iterable[WitnessedNote | BadLine], keys: Sequence[TrustedKey] | None, origin: str | None
) -> Vouched:
    """The notes of this log among all that a witness keeps; arguments as of `stored_notes`."""
    claims: dict[tuple[int, bytes], Claim] = {}
    findings: list[Finding] = []
    remarks: list[str] = []
    first: int | None = None
    others: dict[str, OtherLog] = {}
    for found in witnessed:
        if isinstance(found, BadLine):
            remarks.append(f"line {found.line} of the witness is no note: {found.why}")
            continue
        said = found.checkpoint
        if said.origin != origin:
            _note_other(others, found)
            continue
        first = first or found.line
        place = f"the note in line {found.line} of the witness"
        try:
            _checkpoint(found.note, keys)
        except VerificationFailed as error:
            if len(findings) < _MOST:
                findings.append(_bad(place, error))
            continue
        claim = Claim(size=said.size, root=said.root, trust=Trust.WITNESSED, source=place, outside=True)
        claims.setdefault((said.size, said.root), claim)
    if others:
        findings.append(_another_ledger(tuple(others.values()), origin, first))
    return Vouched(claims=tuple(claims.values()), findings=tuple(findings), remarks=tuple(remarks[:_MOST]))


def other_logs(witness: Witness, origin: str | None) -> tuple[OtherLog, ...]:
    """The logs that a witness keeps notes of and that are not called ``origin``, in the order of their first notes.

    Args:
        witness: where checkpoints were published.
        origin: the name of this log; None: it has published none yet, so that every log is another.

    Raises:
        InputError, StoreError: the witness cannot be read.
    """
    others: dict[str, OtherLog] = {}
    for found in witness.read():
        if isinstance(found, WitnessedNote) and found.checkpoint.origin != origin:
            _note_other(others, found)
    return tuple(others.values())


def _note_other(others: dict[str, OtherLog], found: WitnessedNote) -> None:
    said = found.checkpoint
    before = others.get(said.origin)
    others[said.origin] = OtherLog(
        origin=said.origin,
        first=found.line if before is None else before.first,
        last=found.line,
        size=said.size if before is None else max(before.size, said.size),
    )


def _another_ledger(others: Sequence[OtherLog], origin: str | None, first: int | None) -> Finding:
    """Notes of another log: this ledger stands in the place of one that was taken away, or that one did in its."""
    named = "; ".join(map(str, others[:_FEW])) + (f"; and {len(others) - _FEW:,} more" if len(others) > _FEW else "")
    if origin is None or first is None:
        ours = "which has published none yet" if origin is None else _named(origin)
        what = f"the witness keeps no checkpoint of this ledger, {ours}, but of another that stood here: {named}"
    else:
        ours = _named(origin, f"from line {first} on")
        what = f"the witness keeps checkpoints of another ledger that stood here: {named}; and of this one, {ours}"
    return Finding(
        code="witness-unknown" if first is None else "witness-another",
        what=what,
        evidence="the witness",
        sure=Sure.WITNESS,
    )


def _named(origin: str, *facts: str) -> str:
    """A log by its name, with since when it is kept, where its name tells that."""
    ns = made_ns(origin.rpartition("/")[2])
    begun = () if ns is None else (f"begun {dt.datetime.fromtimestamp(ns // 10**9, tz=dt.UTC):%Y-%m-%d %H:%M:%S} UTC",)
    said = ", ".join((*begun, *facts))
    return f"'{origin}' ({said})" if said else f"'{origin}'"


def _checkpoint(note: str, keys: Sequence[TrustedKey] | None) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text) if keys is None else open_note(note, keys).checkpoint


def _stored(note: str, keys: Sequence[TrustedKey] | None, size: int, origin: str | None) -> Checkpoint:
    said = _checkpoint(note, keys)
    if said.size != size:
        raise VerificationFailed(f"it is filed under size {size:,} and says {said.size:,}")
    if origin is not None and said.origin != origin:
        raise VerificationFailed(f"it is of the log '{said.origin}', and this one is '{origin}'")
    return said


def _bad(which: str, error: VerificationFailed) -> Finding:
    return Finding(
        code="note-untrusted", what=f"{which} cannot be trusted: {error.message}", evidence=which, sure=Sure.EXACT
    )
