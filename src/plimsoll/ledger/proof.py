"""Proof of one entry: a file that anybody can check without the store, with the ledger's public key alone.

It holds a chain of which each link is checked::

    the entry  ──inclusion──▶  root of its stream  ──named in──▶  checkpoint entry
               ──inclusion──▶  root of the root stream  ──named in──▶  signed note

An entry of the root stream needs the last two only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plimsoll.errors import InputError, StoreDamaged, VerificationFailed
from plimsoll.ledger.audit import LedgerFile, StreamRow
from plimsoll.ledger.checkpoint import TrustedKey, open_note, parse_checkpoint, parse_note
from plimsoll.ledger.entry import Entry, Header, parse_id
from plimsoll.ledger.keys import _PERSON, KEY, Erased, subject_number, unseal
from plimsoll.ledger.merkle import inclusion_proof
from plimsoll.ledger.narrow import Trees
from plimsoll.ledger.numbering import ROOT_STREAM, Row
from plimsoll.ledger.places import Place, store_of
from plimsoll.ledger.proof_file import VERSION, Framed, Inclusion, ProofFile, check_chain, link, named_in, read_proof
from plimsoll.ledger.recompute import Walk

_PAGE: Final = 64  # entries of the root stream read at a time


class ProofReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof that holds has shown."""

    entry: Entry
    origin: str  # name of the ledger
    signed_by: tuple[str, ...]  # names of the trusted keys that signed the checkpoint
    root_size: int  # entries of the root stream that the checkpoint covers
    stream_size: int  # entries of the stream at that checkpoint
    body: bytes | None  # as it was given; None when it is sealed and was not disclosed

    def lines(self) -> tuple[str, ...]:
        """The report for a person, line by line."""
        when = dt.datetime.fromtimestamp(self.entry.time_ns / 1e9, tz=dt.UTC)
        lines = [
            f"The proof holds: entry {self.entry.id} ({self.entry.kind}) stands in the ledger '{self.origin}'",
            f"written {when:%Y-%m-%d %H:%M:%S} UTC by that ledger's clock",
            f"covered by the checkpoint of {self.root_size:,} root entries, signed by {', '.join(self.signed_by)}",
        ]
        if self.body is None:
            lines.append("its body is sealed and was not disclosed; that it is these bytes is proved nevertheless")
        return tuple(lines)


# ── making ──


def make_proof(ledger: Place, id: str, *, disclose: bool = False) -> bytes:  # noqa: A002 - its name
    """The proof of one entry, as JSON.

    Args:
        ledger: the ledger, its file or the address of its database; what is on the disk counts.
        id: of the entry.
        disclose: put the key into the file that opens a sealed body. It opens every body of the same subject (or,
            without a subject, every sealed body) in the same stream, to whoever has those, too.

    Raises:
        InputError: there is no such entry.
        Erased: the body was to be disclosed, and its key was destroyed.
        VerificationFailed: the entry is newer than the last signed checkpoint; or the ledger does not fit it.
        StoreError: the file cannot be read.
    """
    store = store_of(ledger)
    place = parse_id(id)
    with store.audit() as file:
        stream = next((row for row in file.streams() if place and row.id == place[0]), None)
        entry = None if stream is None or place is None else _framed(file, stream, place[1])
        if entry is None or stream is None:
            raise InputError(
                f"there is no entry '{id}' in {store.name}",
                fix="an id is 32 hex digits, a dash and a number: copy it whole",
            )
        proof = _prove(file, stream, entry)
        if disclose:
            proof = msgspec.structs.replace(proof, body_key=_body_key(file, stream, entry))
    raw = msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n"
    _check_self(proof)
    return raw


def _framed(file: LedgerFile, stream: StreamRow, seq: int) -> Framed | None:
    rows = file.rows(stream.number, seq, seq + 1)
    return _entry_of(stream.id, rows[0]) if rows else None


def _entry_of(stream: str, row: Row) -> Framed:
    """A row as it is framed, whatever types it holds: what is wrong with them shows when the chain is checked."""
    seq, time_ns, kind, system, subject, refs, type_, tier, called, disposition, sealed, body, _ = row
    return Framed(
        stream=stream, seq=seq, time_ns=str(time_ns), kind=kind, system=system, subject=subject, refs=refs, type=type_,
        tier=tier, called=called, disposition=disposition, sealed=sealed, body=body,
    )  # fmt: skip


def _prove(file: LedgerFile, stream: StreamRow, entry: Framed) -> ProofFile:
    """Find the earliest signed checkpoint that covers the entry."""
    root = next(row for row in file.streams() if row.number == ROOT_STREAM)
    if stream.number == ROOT_STREAM:
        covering, in_stream, at = None, None, entry.seq
    else:
        covering, size = _covering(file, root, entry)
        in_stream, at = _inclusion(file, stream, entry.seq, size), covering.seq
    found = next(file.notes(after=at), None)
    if found is None:
        raise _too_new(entry.id)
    size, note = found
    return ProofFile(
        plimsoll_proof=VERSION,
        entry=entry,
        in_stream=in_stream,
        checkpoint=covering,
        in_root=_inclusion(file, root, at, size),
        note=note,
    )


def _covering(file: LedgerFile, root: StreamRow, entry: Framed) -> tuple[Framed, int]:
    """The first entry of the root stream that names a size of the stream beyond the entry, and that size."""
    end = file.end_of(ROOT_STREAM)
    near = _first_not_before(file, int(entry.time_ns), end)
    for start, stop in ((near, end), (0, near)):  # the latter when the clocks of two processes disagree
        for first in range(start, stop, _PAGE):
            for row in file.rows(ROOT_STREAM, first, min(first + _PAGE, stop)):
                framed = _entry_of(root.id, row)
                size, _ = named_in(framed, entry.stream)
                if size > entry.seq:
                    return framed, size
    raise _too_new(entry.id)


def _first_not_before(file: LedgerFile, time_ns: int, end: int) -> int:
    """The first position of the root stream whose time is not before this one."""
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        rows = file.rows(ROOT_STREAM, middle, middle + 1)
        if rows and rows[0][1] < time_ns:
            low = middle + 1
        else:
            high = middle
    return low


def _too_new(entry: str) -> VerificationFailed:
    return VerificationFailed(
        f"{entry} is newer than the last signed checkpoint, so nothing signed speaks for it yet",
        fix="let the ledger take a checkpoint (it does so on schedule and when it is closed), then prove it again",
    )


class _Nodes:
    """The stored hashes of one stream, for `inclusion_proof`."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def leaf(self, index: int) -> bytes:
        return self.node(0, index)

    def node(self, level: int, index: int) -> bytes:
        found = self._trees.stored(level, index)
        if found is None:
            raise StoreDamaged(f"the stored hash {index} of level {level} is missing")
        return found


def _inclusion(file: LedgerFile, stream: StreamRow, seq: int, size: int) -> Inclusion:
    nodes = _Nodes(Trees(file, Walk(stream.number, stream.id)))
    return Inclusion(size=size, path=tuple(inclusion_proof(nodes, seq, size)))


def _body_key(file: LedgerFile, stream: StreamRow, entry: Framed) -> bytes | None:
    if not entry.sealed:
        return None
    key = file.subject_key(subject_number(entry.subject)) if entry.subject else file.stream_key(stream.number)
    if key is None:
        raise Erased(entry.id)
    return blake2b(bytes.fromhex(entry.stream), key=key, digest_size=KEY, person=_PERSON).digest()


def _check_self(proof: ProofFile) -> None:
    """Give nobody a file that does not hold; whose signature it bears, its reader decides."""
    try:
        said = parse_checkpoint(parse_note(proof.note).text)
        check_chain(proof, said.size, said.root)
    except VerificationFailed as error:
        raise VerificationFailed(
            f"{proof.entry.id} cannot be proved: {error.message}", fix="run `plimsoll ledger verify`"
        ) from error


# ── checking ──


def check_proof(raw: bytes, keys: Sequence[TrustedKey]) -> ProofReport:
    """Check a proof file offline.

    Args:
        raw: the file.
        keys: the ledger's public keys that the reader trusts, from elsewhere than the file.

    Raises:
        VerificationFailed: it does not hold; which link, and why.
    """
    proof = read_proof(raw)
    with link("the signed checkpoint"):
        opened = open_note(proof.note, keys)
    check_chain(proof, opened.checkpoint.size, opened.checkpoint.root)
    with link("the disclosed key"):
        body = _body(proof)
    return ProofReport(
        entry=_as_entry(proof.entry),
        origin=opened.checkpoint.origin,
        signed_by=opened.signed_by,
        root_size=opened.checkpoint.size,
        stream_size=proof.in_stream.size if proof.in_stream else opened.checkpoint.size,
        body=body,
    )


def _body(proof: ProofFile) -> bytes | None:
    entry = proof.entry
    if not entry.sealed:
        return entry.body
    if proof.body_key is None:
        return None
    if len(proof.body_key) != KEY:
        raise VerificationFailed(f"it has {len(proof.body_key)} bytes, a key has {KEY}")
    return unseal(AESGCM(proof.body_key), entry.seq, entry.body, entry.id)


def _as_entry(framed: Framed) -> Entry:
    header = None
    if framed.tier:
        header = Header(type=framed.type, tier=framed.tier, called=bool(framed.called), disposition=framed.disposition)
    return Entry(
        stream=framed.stream,
        seq=framed.seq,
        time_ns=int(framed.time_ns),
        kind=framed.kind,
        system=framed.system,
        subject=framed.subject,
        refs=tuple(framed.refs.split(" ")) if framed.refs else (),
        header=header,
        sealed=bool(framed.sealed),
        body=framed.body,
    )
