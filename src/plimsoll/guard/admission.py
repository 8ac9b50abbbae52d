"""Everything before the call: what ends a decision without the target being asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plimsoll.contract import Checker
from plimsoll.contract.arrivals import SourceRule
from plimsoll.guard.arrivals import Arrivals
from plimsoll.guard.controls import Controls
from plimsoll.guard.passage import Passage
from plimsoll.guard.quarantine_records import TURNED_AWAY
from plimsoll.guard.quarantine_room import RETRY_S, QuarantineRoom
from plimsoll.guard.watching import Watching
from plimsoll.guard.windows import Windows
from plimsoll.ledger import Draft
from plimsoll.model.decision import Disposition, Tier, Verdict
from plimsoll.model.input_note import PRECEDENCE, InputRecord, SourceState


class Admission:
    """Decides whether a target is to be asked at all.

    Args:
        inputs: the contract of each declared source, by source name.
        default_input: the contract of every other source; None: such input is not checked.
        room: whether one more broken record may wait in quarantine; None: it always may.
        windows: compare records with those before them; None: no contract asks for it.
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
        room: QuarantineRoom | None = None,
        windows: Windows | None = None,
    ) -> None:
        self.controls = Controls()
        self.rules = rules
        self._has_rules = bool(rules)  # asked for every decision
        self.arrivals = arrivals
        self._tell = tell
        self._windows = windows
        self.watching: Watching | None = None  # tells what changes at the sources; None: nobody is told
        self._inputs = inputs
        self._default_input = default_input
        self._room = room

    def needs_target(self, passage: Passage) -> bool:
        """The steps in their order. False: how it ends is already decided, and the model is never called."""
        kind = passage.kind
        if kind is None:
            passage.end(Disposition.REFUSED, f"{passage.type[:80]!a} is not a declared decision type")
            return False
        if not self._is_fit(passage):
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

    def _is_fit(self, passage: Passage) -> bool:
        """Whether there is something to ask with: the record, where nothing speaks against it, or what stands in."""
        keeps = self._keeps_contract(passage)
        own = passage.value if keeps else None
        if self._has_rules and (rule := self.rules.get(passage.source)) is not None:
            fit = self.arrivals.judge(passage, rule, self.rules, keeps=keeps, checks=self._inputs, tell=self._tell)
            if not fit or not keeps or not _is_used(passage, own):
                return fit
        if keeps and self._windows is not None and not passage.is_copy:
            return self._compare(self._windows, passage, own)
        return keeps

    def _set_aside(self, passage: Passage) -> None:
        """A broken record waits in quarantine; or goes back to its sender, where too many of them wait already."""
        if passage.why:
            return  # it has ended already
        if passage.intake.absent:  # and nothing says what is to be done then
            passage.verdict, passage.broken = Verdict.NONE, ()
            passage.input_note = InputRecord(found=(SourceState.UNAVAILABLE,), why=(passage.intake.absent,))
            passage.end(Disposition.SHED, f"source-{SourceState.UNAVAILABLE}")
            return
        # One that is replayed waits already, and a copy waits nowhere.
        if self._room is not None and not passage.replay_of and not passage.is_copy:
            passage.has_room = self._room.takes(passage.intake.size)
        if passage.has_room is not False:
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
            if not intake.absent:
                self._see(passage, None)
            return False
        if checker is None:
            passage.value = intake.value
            self._see(passage, intake.value)
            return True
        checked = checker.check(intake.value)
        if checked.reasons and not intake.parsed:
            # Tuples, arrays, dates and bytes are not JSON to the checker; what counts is what they are recorded as.
            checked = checker.check(intake.plain())
        passage.value = intake.value if not checked.coerced else checked.value
        passage.coerced = checked.coerced
        passage.broken = checked.reasons
        self._see(passage, checked.value)
        if checked.reasons:
            passage.verdict = Verdict.BROKEN
            return False
        passage.verdict = Verdict.COERCED if checked.coerced else Verdict.VALID
        return True

    def _see(self, passage: Passage, value: Any) -> None:
        """What is new in a record; a copy was seen with its original, and one that is replayed when it came."""
        if self.watching is not None and not passage.is_copy and not passage.replay_of:
            self.watching.see(passage, value)

    @staticmethod
    def _compare(windows: Windows, passage: Passage, value: Any) -> bool:
        """With the records before it; as it is recorded, where that is not what was given. Whether it may pass.

        What comes twice says nothing against the source as a whole, so its promises are looked at before this.
        """
        plain = value if passage.intake.parsed or passage.coerced else passage.intake.plain()
        found = windows.judge(passage.type, passage.source, plain)
        if not isinstance(found, tuple):
            passage.taken = found
            return True
        passage.broken, passage.verdict = found, Verdict.BROKEN
        passage.is_good, passage.thing = False, None
        return False

    def settle(self, passage: Passage, record: str) -> None:
        """Keep what a record has taken and said, or give it back; ``record`` is "" where nothing was written."""
        if passage.has_room and self._room is not None:
            self._room.written(passage.intake.size)
        if passage.taken is not None and self._windows is not None:
            self._windows.settle(passage.taken, record, passage.disposition)
        if record and passage.is_judged:
            self.arrivals.remember(passage, record)


def _is_used(passage: Passage, own: Any) -> bool:
    """Whether it is the record itself that is asked with, be it with a field that another source knows better."""
    note = passage.input_note
    return passage.value is own or (note is not None and note.use == PRECEDENCE)
