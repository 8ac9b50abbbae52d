"""Everything after the call: whether an output keeps its contract, and whether it leaves without a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from plimsoll.contract import Checker
from plimsoll.engine.python_import import said
from plimsoll.guard.addressee import ANSWER, Addressee
from plimsoll.guard.border import EGRESS, restored
from plimsoll.guard.intake import to_json
from plimsoll.guard.passage import Passage
from plimsoll.guard.target import as_result
from plimsoll.model.decision import Disposition, Reason, Result, Verdict
from plimsoll.model.egress import EgressNote, EgressVerdict
from plimsoll.model.knowledge import Knowledge
from plimsoll.policy import Admitted, SourcesVerdict, TextRuling, rule_on_sources, why_held

_NAMED: Final = 5  # broken rules that a step of the record names; the output itself stands beside them


class Refused(msgspec.Struct, frozen=True):
    """Why an output is none that could leave."""

    why: str
    error: str  # what went wrong with it; no value of the output
    output: bytes | None = None  # exact JSON, where it has one


class Outlet:
    """What every output passes, whichever step of the way gave it.

    Args:
        contract: of what leaves; None: it is not checked.
        knowledge: what answers may rest on, by name.
        addressee: who gets them; None: nothing rules on what is answered.
        clock: nanoseconds since the epoch, UTC; documents age by it.
    """

    def __init__(
        self,
        contract: Checker | None,
        knowledge: Mapping[str, Knowledge] = MappingProxyType({}),
        addressee: Addressee | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._contract = contract
        self._knowledge = knowledge
        self._addressee = addressee
        self._clock = clock

    def refuses(self, passage: Passage, returned: Any, admitted: Admitted | None = None) -> Refused | None:
        """Check what a step gave, and decide whether it leaves without a person; None: that is how the passage ends.

        Args:
            passage: the decision.
            returned: what the step gave.
            admitted: what its target was told of the record; None: all of it.
        """
        try:
            result = as_result(returned)
            if admitted is not None:
                result = restored(result, admitted)
            output = to_json(result.output)
            if result.sources or result.reasons or result.usage:
                _encode((result.sources, result.reasons, result.usage))  # what cannot be recorded is no answer
        except Exception as why:  # noqa: BLE001 - what a target returns can fail in any way when it is looked at
            return Refused("output-type", said(why))
        passage.result, passage.output = result, output
        if self._contract is not None and (broken := self._breaks(self._contract, passage, result, output)):
            return broken
        held = ""
        if result.sources:
            ruling = rule_on_sources(
                result.sources, knowledge=self._knowledge, principal=passage.principal, now_ns=self._clock()
            )
            passage.cited = ruling.cited
            if ruling.verdict is SourcesVerdict.REFUSE:
                passage.end(Disposition.REFUSED, f"sources: {ruling.why}")
                return None
            held = f"sources: {ruling.why}" if ruling.verdict is SourcesVerdict.HOLD else ""
        if self._addressee is not None:
            note = self._release(self._addressee, passage)
            if note.verdict is EgressVerdict.REFUSED:
                passage.end(Disposition.REFUSED, f"{ANSWER}: {note.why}")
                return None
            held = f"{ANSWER}: {note.why}" if note.verdict is EgressVerdict.NEEDS_PERSON else held
        assert passage.kind is not None, "an undeclared type is refused before the call"
        held = why_held(passage.kind.tier, result.confidence, passage.kind.review_below) or held
        if not held and admitted is not None and admitted.verdict is EgressVerdict.NEEDS_PERSON:
            held = f"{EGRESS}: {admitted.why}"
        passage.end(Disposition.HELD if held else Disposition.ANSWERED, held)
        return None

    @property
    def on_text(self) -> TextRuling:
        """How an answer may leave in pieces. One that has a contract does not: it keeps that as a whole, or not."""
        if self._contract is not None or self._knowledge:
            return TextRuling(whole=True)
        return TextRuling() if self._addressee is None else self._addressee.on_text()

    def _release(self, addressee: Addressee, passage: Passage) -> EgressNote:
        assert passage.result is not None, "there is one by now"
        assert passage.output is not None, "there is one by now"
        released = addressee.release(passage.result, passage.output)
        passage.answer_egress = released.note
        if released.result is not passage.result:
            passage.result, passage.output = released.result, to_json(released.result.output)
        return released.note

    def _breaks(self, contract: Checker, passage: Passage, result: Result, output: bytes) -> Refused | None:
        checked = contract.check(result.output)
        if checked.reasons:
            checked = contract.check(msgspec.json.decode(output))
        elif checked.coerced:
            passage.result = msgspec.structs.replace(result, output=checked.value)
            passage.output = to_json(checked.value)
        passage.output_broken = checked.reasons
        passage.output_verdict = Verdict.BROKEN if checked.reasons else Verdict.VALID
        return Refused("output-contract", _named(checked.reasons), output) if checked.reasons else None


def _named(reasons: tuple[Reason, ...]) -> str:
    """The broken rules, with their paths and without any value."""
    return "; ".join(f"{reason.path or 'the output'}: {reason.rule}" for reason in reasons[:_NAMED])


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode
