"""One entry of the ledger: what is written, what is read back, and the bytes that its leaf hash is taken over."""

from __future__ import annotations

import re
from typing import Final

import msgspec

FORMAT: Final = 1  # version of frame and store; a reader refuses what is newer


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the store itself can guard of a decision, without opening its body."""

    type: str
    tier: str  # automatic | reviewed | human-only
    called: bool  # whether the target was called; never true for human-only, the store refuses it
    disposition: str


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks to be written."""

    kind: str  # "decision", "evidence", "control"…
    body: bytes
    system: str = ""
    subject: str | None = None  # the person or case the body is about; stored as a pseudonym
    refs: tuple[str, ...] = ()  # ids of entries this one speaks of
    header: Header | None = None
    seal: bool = False  # encrypt the body, under the subject's key or else the stream's


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the ledger."""

    stream: str  # 32 hex digits, UUIDv7: time-ordered
    seq: int  # position in the stream, from 0
    time_ns: int  # UTC nanoseconds since the epoch; never falls within a stream
    kind: str
    system: str
    subject: str  # the subject's pseudonym, or ""
    refs: tuple[str, ...]
    header: Header | None
    sealed: bool  # the body is ciphertext
    body: bytes  # exactly as stored

    @property
    def id(self) -> str:
        """How other entries and people refer to this one."""
        return f"{self.stream}-{self.seq}"


_ID: Final = re.compile(r"([0-9a-f]{32})-([0-9]{1,19})", re.ASCII)
_ENCODE: Final = msgspec.msgpack.Encoder().encode


def frame(
    stream: str,
    seq: int,
    time_ns: int,
    kind: str,
    system: str,
    subject: str,
    refs: str,
    type_: str,
    tier: str,
    called: int,
    disposition: str,
    sealed: int,
    body: bytes,
) -> bytes:
    """The whole entry as one unambiguous byte string.

    A MessagePack array of fourteen values in this order, the format version first, each with its own length and every
    integer in its shortest form, so that no two entries have the same frame and any MessagePack reader can check one.
    ``refs`` is the ids joined by a space. Entries that are no decision have empty ``type_``, ``tier`` and
    ``disposition`` and ``called`` 0.

    The leaf hash is SHA-256(0x00 ‖ frame), RFC 9162 section 2.1.1.
    """
    return _ENCODE(
        (FORMAT, stream, seq, time_ns, kind, system, subject, refs, type_, tier, called, disposition, sealed, body)
    )


def parse_id(text: str) -> tuple[str, int] | None:
    """Stream and position of an entry id; None when the text is not one.

    >>> parse_id("0192f00000007000800000000000000a-12")
    ('0192f00000007000800000000000000a', 12)
    """
    found = _ID.fullmatch(text)
    return None if found is None else (found[1], int(found[2]))
