"""Who speaks for the root stream: the signed notes in the store, and those that the witness keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from plimsoll.errors import VerificationFailed
from plimsoll.ledger.checkpoint import Checkpoint, TrustedKey, open_note, parse_checkpoint, parse_note
from plimsoll.ledger.evidence import Claim
from plimsoll.ledger.findings import Finding, Sure, Trust
from plimsoll.ledger.witness import BadLine, WitnessedNote

_MOST = 100  # notes that are told to be wrong one by one


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """What notes come to."""

    claims: tuple[Claim, ...]  # about the root stream
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    origin: str | None = None  # of the first note that counts
    others: tuple[str, ...] = ()  # logs that the witness keeps notes of, without this one


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
    others: dict[str, None] = {}
    for found in witnessed:
        if isinstance(found, BadLine):
            remarks.append(f"line {found.line} of the witness is no note: {found.why}")
            continue
        said = found.checkpoint
        if said.origin != origin:
            others[said.origin] = None
            continue
        place = f"the note in line {found.line} of the witness"
        try:
            _checkpoint(found.note, keys)
        except VerificationFailed as error:
            if len(findings) < _MOST:
                findings.append(_bad(place, error))
            continue
        claim = Claim(size=said.size, root=said.root, trust=Trust.WITNESSED, source=place, outside=True)
        claims.setdefault((said.size, said.root), claim)
    return Vouched(
        claims=tuple(claims.values()),
        findings=tuple(findings),
        remarks=tuple(remarks[:_MOST]),
        others=() if claims or findings else tuple(others),
    )


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
