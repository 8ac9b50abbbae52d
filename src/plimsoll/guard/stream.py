"""A stream on its way to the caller: checked piece by piece, on record before its first byte and after its last.

``stream.started`` is written before the first byte leaves, and ``stream.ended`` with the decision's own entry. That one
says up to which byte what was inspected; what left is never more than that. Only types that the AI decides alone are
streamed: what a person may have to release cannot leave in pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from plimsoll.guard.chat import Piece
from plimsoll.guard.left_open import Ended, end_of
from plimsoll.guard.piece_watch import Cut, PieceWatch
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.decision import Answer, StreamRecord
from plimsoll.policy.rulings import Ruled

_WAITING: Final = 64  # pieces that wait for a slow client; beyond it the target is not read any further


class Sink:
    """Takes the pieces of one stream from a target, inspects each, and hands it on.

    It is closed until the guard that takes the decision has opened it.

    Args:
        ledger: where the beginning is recorded.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._draft: Draft | None = None
        self._ruled: Ruled | None = None
        self._queue: asyncio.Queue[Piece | None] = asyncio.Queue(_WAITING)
        self._entry = ""
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._watch = None if self._ruled is None else PieceWatch(self._ruled)
        self._pieces = self._inspected = self._sent = 0
        self._text_inspected = self._text_sent = 0
        self._text: list[str] = []
        self._cut = ""

    def open(self, started: Draft, ruled: Ruled | None) -> None:
        """Pieces may leave.

        Args:
            started: the entry that says so, written before the first of them does.
            ruled: the rule by which personal data cuts the stream; None: its form alone is inspected.
        """
        self._draft, self._ruled = started, ruled
        self._begin_anew()

    @property
    def has_begun(self) -> bool:
        """Whether anything may have left already: then nothing else can stand in for this target."""
        return bool(self._entry)

    @property
    def cut(self) -> str:
        """Why it was cut off, by which rule; "" when it was not."""
        return self._cut

    def for_attempt(self) -> Callable[[Piece], Awaitable[None]]:
        """What takes the pieces of one more attempt; of an earlier one nothing has left."""
        if not self._entry:
            self._begin_anew()
        return self.push

    async def push(self, piece: Piece) -> None:
        """Inspect one piece and hand on what may leave; waits while the client takes nothing.

        Raises:
            Cut: something in it may not leave; the stream ends with this.
            StoreError: the beginning cannot be recorded; nothing has left.
        """
        self._inspected += len(piece.raw)
        self._pieces += 1
        if self._watch is None:
            await self._hand_on(piece)
            self._sent += len(piece.raw)
            return
        self._text_inspected += _size(piece)
        try:
            passes = self._watch.passes(piece)
        except Cut as cut:
            self._cut = cut.why
            raise
        if passes is not None:
            await self._hand_on(passes)
        if self._entry:
            self._sent += self._watch.handed_on()

    async def rest(self) -> None:
        """The answer may leave as a whole: hand on what was kept back of it, where some of it has left.

        Where something in that may not leave after all, it is cut (`cut`), and nothing more leaves.
        """
        if self._watch is None or not self._entry:
            return
        try:
            rest = self._watch.rest()
        except Cut as cut:
            self._cut = cut.why
            return
        for piece in rest:
            await self._hand_on(piece)
        self._sent += self._watch.handed_on(ended=True)

    async def _hand_on(self, piece: Piece) -> None:
        if not self._entry:
            assert self._draft is not None, "a sink takes pieces once it was opened"
            self._entry = await self._ledger.aappend(self._draft)
        await self._queue.put(piece)
        self._text.append(piece.text or piece.refusal)
        if self._watch is not None:
            self._text_sent += _size(piece)

    async def end(self) -> None:
        """No more pieces come."""
        await self._queue.put(None)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces that may leave, as they come."""
        while (piece := await self._queue.get()) is not None:
            yield piece

    @property
    def end_to_record(self) -> tuple[Draft, ...]:
        """What is written with the decision: nothing where the stream never began."""
        if not self._entry or self._draft is None:
            return ()
        return (end_of(self._entry, self._draft.system, Ended(by="decision", why=self._cut)),)

    def record(self, *, is_answer: bool) -> StreamRecord | None:
        """What the decision's entry says of the stream; None: it never began.

        Args:
            is_answer: what left is the answer, which the entry holds; else the text that left stands in this.
        """
        if not self._entry:
            return None
        return StreamRecord(
            started=self._entry,
            pieces=self._pieces,
            inspected_bytes=self._inspected,
            handed_on_bytes=self._sent,
            inspected_for=("form",) if self._watch is None else ("form", "personal"),
            text_inspected_bytes=self._text_inspected,
            text_handed_on_bytes=self._text_sent,
            cut=self._cut,
            left="" if is_answer else "".join(self._text),
        )


def _size(piece: Piece) -> int:
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in (piece.text, piece.refusal) if text)


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
