"""Everything before the call: what ends a decision without the target being asked."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll.contract import Checker
from plimsoll.guard.controls import Controls
from plimsoll.guard.passage import Passage
from plimsoll.guard.quarantine_records import TURNED_AWAY
from plimsoll.guard.quarantine_room import RETRY_S, QuarantineRoom
from plimsoll.model.decision import Disposition, Tier, Verdict


class Admission:
    """Decides whether a target is to be asked at all.

    Args:
        inputs: the contract of each declared source, by source name.
        default_input: the contract of every other source; None: such input is not checked.
        room: whether one more broken record may wait in quarantine; None: it always may.
    """

    def __init__(
        self, inputs: Mapping[str, Checker], default_input: Checker | None, room: QuarantineRoom | None = None
    ) -> None:
        self.controls = Controls()
        self._inputs = inputs
        self._default_input = default_input
        self._room = room

    def needs_target(self, passage: Passage) -> bool:
        """The steps in their order. False: how it ends is already decided, and the model is never called."""
        kind = passage.kind
        if kind is None:
            passage.end(Disposition.REFUSED, f"{passage.type[:80]!a} is not a declared decision type")
            return False
        if not self._keeps_contract(passage):
            self._set_aside(passage)
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

    def _set_aside(self, passage: Passage) -> None:
        """A broken record waits in quarantine; or goes back to its sender, where too many of them wait already."""
        # One that is replayed waits already.
        if self._room is None or passage.replay_of or self._room.takes(passage.intake.size):
            passage.end(Disposition.QUARANTINED, "contract" if passage.contract else "unreadable")
            return
        passage.end(Disposition.SHED, TURNED_AWAY)
        passage.turned_away, passage.retry_after_s = True, RETRY_S

    def checker_of(self, source: str) -> Checker | None:
        """The contract that records of a source are held against; None: they are not checked."""
        return self._inputs.get(source, self._default_input)

    def _keeps_contract(self, passage: Passage) -> bool:
        intake = passage.intake
        checker = self.checker_of(passage.source)
        if checker is not None:
            passage.contract, passage.contract_version = checker.label, checker.contract.version
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
