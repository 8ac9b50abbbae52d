"""What the ledger writes about itself: the bodies of its own kinds of entries, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from plimsoll.ledger.entry import Draft
from plimsoll.model.canonical import canonical


class StreamOpened(msgspec.Struct, frozen=True, kw_only=True):
    """``stream.opened`` in the root stream: from here on this stream must be found."""

    stream: str
    durability: str  # durable: acknowledged when on the disk | batched: a crash may lose its last window


class StreamSealed(msgspec.Struct, frozen=True, kw_only=True):
    """``stream.sealed`` in the root stream: the stream ends here, for good."""

    stream: str
    size: int
    root: str  # hex
    crashed: bool = False  # its process ended without closing; another one sealed it


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """``gap`` in the root stream: entries of a batched stream may have been lost with their process."""

    stream: str
    size: int  # what is there
    window_ms: float  # entries of at most the last so many milliseconds…
    at_most: int  # …and at most so many may be missing


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far one stream has come."""

    stream: str
    size: int
    root: str  # hex


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """``checkpoint`` in the root stream: all streams that have grown since the one before."""

    heads: tuple[Head, ...]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """``erased``: a subject's key was destroyed. The entry's subject is the pseudonym; the name is nowhere."""

    by: str  # contact
    reason: str


_KINDS: Final = {
    StreamOpened: "stream.opened",
    StreamSealed: "stream.sealed",
    Gap: "gap",
    Heads: "checkpoint",
    Erasure: "erased",
}


def draft_of(record: StreamOpened | StreamSealed | Gap | Heads | Erasure) -> Draft:
    """The draft that records it."""
    return Draft(kind=_KINDS[type(record)], body=canonical(record))
