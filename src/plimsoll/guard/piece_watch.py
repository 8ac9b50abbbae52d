"""The pieces of one stream, looked through as they pass: what may leave now, and what is kept back."""

from __future__ import annotations

from collections import deque

import msgspec

from plimsoll.guard.chat import Piece
from plimsoll.guard.target import TargetFault
from plimsoll.policy import Passing
from plimsoll.policy.egress import UNDECLARED
from plimsoll.policy.rulings import Ruled


class Cut(TargetFault):
    """The stream ends here: something in it may not leave.

    Args:
        why: by which rule.
        kind: what was found; never its value.
    """

    def __init__(self, why: str, kind: str) -> None:
        self.why = why
        super().__init__("invalid", f"the stream was cut: {why} ({kind})")


class PieceWatch:
    """Looks through the pieces of one stream, and keeps back what could still become something that may not leave.

    Text and refusal leave as soon as it is known that they may. What else is in a piece (what tools are called with,
    why the answer ended) is kept to the end: then the answer is ruled on as a whole, before it leaves.

    Args:
        ruled: the rule by which the stream is cut.
    """

    def __init__(self, ruled: Ruled) -> None:
        self._why = f"{UNDECLARED}{ruled.why}"
        self._text, self._refusal = Passing(), Passing()
        self._kept: list[Piece] = []
        self._waiting: deque[tuple[int, int, bool, int]] = deque()  # of each event: its ends, its kept parts, its size
        self._came = [0, 0]  # characters of text and of refusal
        self._left = [0, 0]

    def passes(self, piece: Piece) -> Piece | None:
        """What may leave now; None: nothing of it yet.

        Raises:
            Cut: something stands in it that may not leave.
        """
        self._came[0] += len(piece.text)
        self._came[1] += len(piece.refusal)
        other = bool(piece.tool_calls or piece.finish or piece.usage)
        self._waiting.append((self._came[0], self._came[1], other, len(piece.raw)))
        if other:
            self._kept.append(msgspec.structs.replace(piece, text="", refusal="", raw=b""))
        return self._out(self._text.feed(piece.text), self._refusal.feed(piece.refusal))

    def rest(self) -> list[Piece]:
        """What was kept back, at the end of a stream that may leave as a whole.

        Raises:
            Cut: as for `passes`.
        """
        last = self._out(self._text.end(), self._refusal.end())
        kept, self._kept = self._kept, []
        return kept if last is None else [last, *kept]

    def handed_on(self, *, ended: bool = False) -> int:
        """Bytes of the events that have left with all that is in them since this was asked last."""
        size = 0
        while self._waiting:
            text, refusal, other, raw = self._waiting[0]
            if text > self._left[0] or refusal > self._left[1] or (other and not ended):
                break
            size += raw
            self._waiting.popleft()
        return size

    def _out(self, text: str, refusal: str) -> Piece | None:
        found = self._text.found or self._refusal.found
        if found is not None:
            raise Cut(self._why, found.value)
        self._left[0] += len(text)
        self._left[1] += len(refusal)
        return Piece(text=text, refusal=refusal) if text or refusal else None
