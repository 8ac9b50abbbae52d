"""Who gets the answers: the governance page is asked before each, and what it keeps back does not leave.

What leaves in pieces is looked through as it passes, and what leaves whole before it does, by one and the same plan: an
answer that would be refused as a whole is cut in a stream before the first byte that the page forbids.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import msgspec

from plimsoll.model.decision import Result
from plimsoll.model.egress import EgressNote, EgressVerdict
from plimsoll.policy import Gatekeeper, TextRuling

ANSWER: Final = "answer"  # why a decision is refused or held: by what the page says of its answer
_KEY: Final = 32  # bytes; one for each answer


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What the page leaves of an answer."""

    note: EgressNote
    result: Result


class Addressee:
    """Rules on what who asks may be told.

    Args:
        place: who that is, as the page names them.
        gatekeeper: of the contract of the output.
        loose: of what no contract classifies: sources, reasons, and text without a contract.
        clock: nanoseconds since the epoch, UTC; exceptions count by it.
    """

    def __init__(
        self, place: str, gatekeeper: Gatekeeper, loose: Gatekeeper, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._place = place
        self._gatekeeper = gatekeeper
        self._loose = loose
        self._clock = clock

    def release(self, result: Result, output: bytes) -> Released:
        """What may leave of a result; never raises, and changes the result where the page redacts.

        Args:
            result: after its contract's coercions.
            output: its output as exact JSON.
        """
        now, key = self._clock(), secrets.token_bytes(_KEY)
        admitted = self._gatekeeper.release(self._place, msgspec.json.decode(output), now_ns=now, key=key)
        note, changed = admitted.note, {"output": admitted.outgoing}
        if note.verdict is not EgressVerdict.REFUSED and (result.sources or result.reasons):
            quoted = msgspec.json.decode(_encode({"sources": result.sources, "reasons": result.reasons}))
            told = self._loose.release(self._place, quoted, now_ns=now, key=key)
            note = _both(note, told.note)
            if told.note.verdict is not EgressVerdict.REFUSED and told.outgoing != quoted:
                left = told.outgoing if isinstance(told.outgoing, dict) else {}
                changed |= {name: tuple(left.get(name) or ()) for name in ("sources", "reasons")}
        if note.redacted or note.pseudonymised:
            result = msgspec.structs.replace(result, **changed)
        return Released(note=note, result=result)

    def on_text(self) -> TextRuling:
        """How a text that no contract classifies may leave in pieces."""
        return self._loose.ruling_on_text(self._place, now_ns=self._clock())


def _both(one: EgressNote, two: EgressNote) -> EgressNote:
    """One note of both: the stricter verdict, and all that was found."""
    order = list(EgressVerdict)
    stricter = two if order.index(two.verdict) > order.index(one.verdict) else one
    return msgspec.structs.replace(
        stricter,
        redacted=(*one.redacted, *two.redacted),
        pseudonymised=(*one.pseudonymised, *two.pseudonymised),
        undeclared=(*one.undeclared, *two.undeclared),
    )


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode
