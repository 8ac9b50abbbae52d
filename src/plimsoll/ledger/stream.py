"""A stream that is being written: where it stands, and how drafts become rows of it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Protocol

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plimsoll.errors import Refused, UsageError
from plimsoll.ledger.entry import Draft, frame
from plimsoll.ledger.keys import seal
from plimsoll.ledger.numbering import SHIFT
from plimsoll.ledger.tail import Tail

_LEAF: Final = b"\x00"  # RFC 9162, 2.1.1
MOST_BYTES: Final = 256 * 1024 * 1024  # of a body; SQLite ends at 1,000,000,000, and a group holds all in memory
_STEP_NS: Final = 1_000_000_000  # a clock that goes back further than this is worth an entry


class Keys(Protocol):
    """What writing asks of the key ring."""

    def pseudonym(self, name: str) -> str:
        """What stands for a subject in entries."""
        ...

    def box(self, name: str | None, stream: str, number: int) -> AESGCM:
        """What seals for a subject, or under the stream's own key."""
        ...


class Bundle(msgspec.Struct, frozen=True):
    """Rows that are ready to be stored, and their leaf hashes."""

    rows: list[tuple[Any, ...]]
    leaves: list[bytes]


def check_draft(draft: Draft) -> None:
    """Refuse what cannot be stored before it joins a group, so that it fails nobody else.

    Raises:
        UsageError: a field has the wrong type or an unusable value.
        Refused: a human-only decision says that the model was called.
    """
    header = draft.header
    if header is not None:
        if header.tier == "human-only" and header.called:
            raise Refused(
                "a human-only decision says that the model was called; the ledger takes no such record",
                fix="record it with called=False, or correct the tier",
            )
        if (
            not header.tier
            or not isinstance(header.tier, str)
            or not isinstance(header.type, str)
            or not isinstance(header.disposition, str)
        ):
            raise UsageError("the header of an entry has a tier, a type and a disposition, as text")
    if not isinstance(draft.body, bytes):
        raise UsageError(f"the body of an entry is bytes, not {type(draft.body).__name__}")
    if len(draft.body) > MOST_BYTES:
        raise UsageError(f"the body of an entry has {len(draft.body):,} bytes, more than {MOST_BYTES:,}")
    if not draft.kind or not isinstance(draft.kind, str) or not isinstance(draft.system, str):
        raise UsageError("an entry has a kind, and the kind and the system are text")
    if draft.subject is not None and (not draft.subject or not isinstance(draft.subject, str)):
        raise UsageError("the subject of an entry is a name or None")
    if draft.refs and not all(isinstance(ref, str) and ref and " " not in ref for ref in draft.refs):
        raise UsageError("the refs of an entry are ids, without spaces")


class Stream:
    """One stream and its only writer. Changed in memory first: after a failed write it is read from the file again."""

    __slots__ = ("_clock_ns", "base", "id", "number", "tail", "time_ns")

    def __init__(self, number: int, stream: str, tail: Tail, time_ns: int) -> None:
        self.number = number
        self.id = stream
        self.base = number << SHIFT
        self.tail = tail
        self.time_ns = time_ns  # of the last entry
        self._clock_ns = 0  # as the clock was last read

    def tick(self, now_ns: int) -> Draft | None:
        """Take the time for what comes next; it never falls. A draft to write first when the clock was put back."""
        stepped = None
        if now_ns < self._clock_ns - _STEP_NS:
            body = msgspec.json.encode({"from_ns": self._clock_ns, "to_ns": now_ns})
            stepped = Draft(kind="clock.stepped", body=body)
        self._clock_ns = now_ns
        self.time_ns = max(self.time_ns, now_ns)
        return stepped

    def ids(self, seq: int, count: int) -> tuple[str, ...]:
        """The ids of so many entries from position ``seq`` on."""
        name = self.id
        return tuple([f"{name}-{number}" for number in range(seq, seq + count)])

    def bundle(
        self,
        drafts: Sequence[Draft],
        seq: int,
        time_ns: int,
        keys: Keys,
        attempt: int,
        into: Bundle,
        pseudonym: str = "",
    ) -> None:
        """Add drafts to ``into`` as rows from position ``seq`` on.

        Args:
            drafts: checked ones.
            seq: position of the first.
            time_ns: of all of them.
            keys: for subjects and sealed bodies.
            attempt: see `keys.seal`.
            into: what they are added to.
            pseudonym: stands in drafts without a subject.
        """
        stream, base, rows, leaves = self.id, self.base, into.rows, into.leaves
        for draft in drafts:
            header, subject, body, sealed = draft.header, pseudonym, draft.body, 0
            if draft.subject is not None:
                subject = keys.pseudonym(draft.subject)
            if draft.seal:
                sealed = 1
                body = seal(keys.box(draft.subject, stream, self.number), seq, attempt, body)
            refs = " ".join(draft.refs) if draft.refs else ""
            if header is None:
                type_ = tier = disposition = ""
                called = 0
            else:
                type_, tier, disposition = header.type, header.tier, header.disposition
                called = 1 if header.called else 0
                if type_.__class__ is not str or tier.__class__ is not str or disposition.__class__ is not str:
                    type_, tier, disposition = str(type_), str(tier), str(disposition)  # an enum costs SQLite 1 µs each
            kind, system = draft.kind, draft.system
            framed = frame(
                stream, seq, time_ns, kind, system, subject, refs, type_, tier, called, disposition, sealed, body
            )
            leaf = sha256(_LEAF + framed).digest()
            leaves.append(leaf)
            rows.append(
                (base + seq, time_ns, kind, system, subject, refs, type_, tier, called, disposition, sealed, leaf, body)
            )
            seq += 1
