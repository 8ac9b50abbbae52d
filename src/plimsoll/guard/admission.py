"""Everything before the call: what ends a decision without the target being asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plimsoll.contract import Checker
from plimsoll.contract.arrivals import SourceRule
from plimsoll.guard.arrivals import Arrivals
from plimsoll.guard.controls import Controls
from plimsoll.guard.passage import Passage
from plimsoll.ledger import Draft
from plimsoll.model.decision import Disposition, Tier, Verdict
from plimsoll.model.input_note import InputRecord, SourceState


class Admission:
    """Decides whether a target is to be asked at all.

    Args:
        inputs: the contract of each declared source, by source name.
        default_input: the contract of every other source; None: such input is not checked.
        rules: what sources have promised, and what stands in for them, by source name.
        arrivals: holds records against that; guards of other releases may be given the same.
        tell: writes an entry with the decision.
    """

    def __init__(
        self,
        inputs: Mapping[str, Checker],
        default_input: Checker | None,
        *,
        rules: Mapping[str, SourceRule],
        arrivals: Arrivals,
        tell: Callable[[Draft], None],
    ) -> None:
        self.controls = Controls()
        self.rules = rules
        self._has_rules = bool(rules)  # asked for every decision
        self.arrivals = arrivals
        self._tell = tell
        self._inputs = inputs
        self._default_input = default_input

    def needs_target(self, passage: Passage) -> bool:
        """The steps in their order. False: how it ends is already decided, and the model is never called."""
        kind = passage.kind
        if kind is None:
            passage.end(Disposition.REFUSED, f"{passage.type[:80]!a} is not a declared decision type")
            return False
        keeps = self._keeps_contract(passage)
        if self._has_rules and (rule := self.rules.get(passage.source)) is not None:
            keeps = self.arrivals.judge(passage, rule, self.rules, keeps=keeps, checks=self._inputs, tell=self._tell)
        if not keeps:
            _leave(passage)
            return False
        # Where the record may go is ruled on for each target, just before it is asked: see `border`.
        if kind.tier is Tier.HUMAN_ONLY:
            passage.end(Disposition.HELD, "human-only")
            return False
        stopped = self.controls.obeyed.stop_reason(passage.type)
        if stopped:
            passage.end(Disposition.HELD, f"human-only: {stopped}")
            return False
        if passage.hold:
            passage.end(Disposition.HELD, passage.hold)
            return False
        return True

    def _keeps_contract(self, passage: Passage) -> bool:
        intake = passage.intake
        checker = self._inputs.get(passage.source, self._default_input)
        if checker is not None:
            passage.contract = checker.label
        if intake.reasons:
            passage.verdict, passage.broken = Verdict.BROKEN, intake.reasons
            return False
        if checker is None:
            passage.value = intake.value
            return True
        checked = checker.check(intake.value)
        if checked.reasons and not intake.parsed:
            # Tuples, arrays, dates and bytes are not JSON to the checker; what counts is what they are recorded as.
            checked = checker.check(intake.plain())
        passage.value = intake.value if not checked.coerced else checked.value
        passage.coerced = checked.coerced
        passage.broken = checked.reasons
        if checked.reasons:
            passage.verdict = Verdict.BROKEN
            return False
        passage.verdict = Verdict.COERCED if checked.coerced else Verdict.VALID
        return True


def _leave(passage: Passage) -> None:
    """How it ends when there is nothing to ask with."""
    if passage.why:
        return  # it has ended already
    if passage.intake.absent:  # and nothing says what is to be done then
        passage.verdict, passage.broken = Verdict.NONE, ()
        passage.input_note = InputRecord(found=(SourceState.UNAVAILABLE,), why=(passage.intake.absent,))
        passage.end(Disposition.SHED, f"source-{SourceState.UNAVAILABLE}")
    else:
        passage.end(Disposition.QUARANTINED, "contract" if passage.contract else "unreadable")
