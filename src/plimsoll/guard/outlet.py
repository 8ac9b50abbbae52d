"""Everything after the call: whether an output keeps its contract, and whether it leaves without a person."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from plimsoll.contract import Checker
from plimsoll.guard.call import said
from plimsoll.guard.intake import to_json
from plimsoll.guard.passage import Passage, Trial
from plimsoll.guard.target import as_result
from plimsoll.model.decision import Disposition, Reason, Result, Verdict
from plimsoll.policy import why_held

_NAMED: Final = 5  # broken rules that a step of the record names; the output itself stands beside them


class Outlet:
    """What every output passes, whichever step of the way gave it.

    Args:
        contract: of what leaves; None: it is not checked.
    """

    def __init__(self, contract: Checker | None) -> None:
        self._contract = contract

    def takes(self, passage: Passage, trial: Trial, returned: Any) -> bool:
        """Check what a step gave, and decide whether it leaves; False: it is none that could."""
        try:
            result = as_result(returned)
            output = to_json(result.output)
            if result.sources or result.reasons or result.usage:
                _encode((result.sources, result.reasons, result.usage))  # what cannot be recorded is no answer
        except Exception as why:  # noqa: BLE001 - what a target returns can fail in any way when it is looked at
            trial.why, trial.error = "output-type", said(why)
            return False
        passage.result, passage.output, passage.output_broken = result, output, ()
        if self._contract is not None and not self._keeps_contract(passage, trial, result):
            return False
        assert passage.kind is not None, "an undeclared type is refused before the call"
        held = why_held(passage.kind.tier, result.confidence, passage.kind.review_below)
        passage.end(Disposition.HELD if held else Disposition.ANSWERED, held)
        return True

    def _keeps_contract(self, passage: Passage, trial: Trial, result: Result) -> bool:
        assert self._contract is not None, "asked only where there is one"
        assert passage.output is not None, "its JSON form was made before"
        checked = self._contract.check(result.output)
        if checked.reasons:
            checked = self._contract.check(msgspec.json.decode(passage.output))
        elif checked.coerced:
            passage.result = msgspec.structs.replace(result, output=checked.value)
            passage.output = to_json(checked.value)
        passage.output_broken = checked.reasons
        passage.output_verdict = Verdict.BROKEN if checked.reasons else Verdict.VALID
        if checked.reasons:
            trial.why, trial.error, trial.output = "output-contract", _named(checked.reasons), passage.output
            return False
        return True


def _named(reasons: tuple[Reason, ...]) -> str:
    """The broken rules, with their paths and without any value."""
    return "; ".join(f"{reason.path or 'the output'}: {reason.rule}" for reason in reasons[:_NAMED])


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode
