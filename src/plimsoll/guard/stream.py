"""A stream on its way to the caller: checked piece by piece, on record before its first byte and after its last.

``stream.started`` is written before the first byte leaves. The decision's own entry, which ends it, says up to which
byte what was inspected; what left is never more than that. Only types that the AI decides alone are streamed: what a
person may have to release cannot leave in pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from plimsoll.guard.chat import Piece
from plimsoll.guard.target import TargetFault
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.decision import Answer, StreamRecord

STARTED: Final = "stream.started"
_WAITING: Final = 64  # pieces that wait for a slow client; beyond it the target is not read any further

Watch = Callable[[str], str]  # looks at text that may leave; "" when it may, else why not


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``stream.started`` entry."""

    release: str
    type: str


class Sink:
    """Takes the pieces of one stream from a target, inspects each, and hands it on.

    Args:
        ledger: where the beginning is recorded.
        started: the entry that says so.
        watch: looks at the whole text so far, at each piece; None: its form alone is inspected.
    """

    def __init__(self, ledger: Ledger, started: Draft, watch: Watch | None = None) -> None:
        self._ledger = ledger
        self._draft = started
        self._watch = watch
        self._queue: asyncio.Queue[Piece | None] = asyncio.Queue(_WAITING)
        self._text = ""
        self._entry = ""
        self._pieces = self._inspected = self._sent = 0
        self._cut = ""

    @property
    def has_begun(self) -> bool:
        """Whether anything may have left already: then nothing else can stand in for this target."""
        return bool(self._entry)

    async def push(self, piece: Piece) -> None:
        """Inspect one piece and hand it on; waits while the client takes nothing.

        Raises:
            TargetFault: it may not leave; the stream ends with this.
            StoreError: the beginning cannot be recorded; nothing has left.
        """
        size = len(piece.raw)
        self._text += piece.text
        self._inspected += size
        self._pieces += 1
        if self._watch is not None and (why := self._watch(self._text)):
            self._cut = why
            raise TargetFault("invalid", f"the stream was cut: {why}")
        if not self._entry:
            self._entry = await self._ledger.aappend(self._draft)
        await self._queue.put(piece)
        self._sent += size

    async def end(self) -> None:
        """No more pieces come."""
        await self._queue.put(None)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces that may leave, as they come."""
        while (piece := await self._queue.get()) is not None:
            yield piece

    def record(self) -> StreamRecord | None:
        """What the decision's entry says of the stream; None: it never began."""
        if not self._entry:
            return None
        return StreamRecord(
            started=self._entry,
            pieces=self._pieces,
            inspected_bytes=self._inspected,
            handed_on_bytes=self._sent,
            inspected_for=("form",) if self._watch is None else ("form", "text"),
            cut=self._cut,
        )


class Streamed:
    """A decision that answers in pieces. Iterate it, then ask for its `answer`.

    Args:
        sink: where the pieces come out.
        decision: takes the decision; it ends the sink.
    """

    def __init__(self, sink: Sink, decision: asyncio.Task[Answer]) -> None:
        self._sink = sink
        self._decision = decision

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces as they come; it ends when the decision has ended."""
        async for piece in self._sink.pieces():
            yield piece

    @property
    def has_begun(self) -> bool:
        """Whether anything has left."""
        return self._sink.has_begun

    async def answer(self) -> Answer:
        """How it ended, once it is on record. Raises what `Guard.adecide` raises."""
        return await self._decision

    def cancel(self) -> None:
        """The client has gone: the decision ends as cancelled, and on record."""
        self._decision.cancel()
