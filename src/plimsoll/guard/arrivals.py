"""Each source's records as they come: what is found of them, what stands in, and who is told.

The rules and the fold are `plimsoll.contract.arrivals`; here are the clock, the ledger and the locks.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract import Checker
from plimsoll.contract.arrivals import Change, SourceRule, Standing, absent, arrived, silent_for, too_old
from plimsoll.contract.terms import FallbackStep, Use
from plimsoll.errors import PlimsollError
from plimsoll.guard.last_good import Good, LastGood
from plimsoll.guard.passage import Passage
from plimsoll.guard.said import Conflict, Said, at, put
from plimsoll.guard.silence import Marks
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.decision import Disposition, Tier, Verdict
from plimsoll.model.input_note import PRECEDENCE, InputRecord, SourceState, SourceTrouble

TROUBLE: Final = "source.trouble"  # kind of the entries
QUIET_S: Final = 60.0  # a trouble that comes and goes is told of once in so long; the next entry says how often it did
_LOG: Final = logging.getLogger("plimsoll.guard")
_ENCODE: Final = msgspec.json.Encoder().encode
# What is acted on first, of several.
_ORDER: Final = (SourceState.UNAVAILABLE, SourceState.MALFORMED, SourceState.STALE)


class _Told(msgspec.Struct):
    """A trouble that lasts, or the last one of its kind."""

    began_ns: int = 0  # 0: it does not last now
    said_ns: int = 0  # when its beginning was last told
    is_said: bool = False  # this one's was
    stood_in: int = 0
    unsaid: int = 0


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one source stands, as far as this process knows."""

    source: str
    states: tuple[SourceState, ...]
    last_ns: int  # when its latest record came, UTC nanoseconds; 0: none has
    stood_in: int  # decisions for which something stood in, since this process began


class Arrivals:
    """What is known of the sources of one system in this process; the guards of all its releases share it.

    Args:
        ledger: where decisions and troubles are recorded.
        system: whose.
        clock_ns: UTC nanoseconds.
        is_staging: sources are cut on purpose: it is recorded, and not said in the log.
    """

    def __init__(
        self, ledger: Ledger, system: str, *, clock_ns: Callable[[], int] = time.time_ns, is_staging: bool = False
    ) -> None:
        self._is_staging = is_staging
        self.good = LastGood(ledger)
        self.marks = Marks(ledger, system)
        self.said = Said()
        self._ledger = ledger
        self._system = system
        self._clock_ns = clock_ns
        self.begin_anew()

    def begin_anew(self) -> None:
        """As it was made: also after a fork."""
        self._lock = threading.Lock()
        self._standing: dict[str, Standing] = {}
        self._told: dict[tuple[str, SourceState], _Told] = {}
        self._stood_in: dict[str, int] = {}
        self.good.begin_anew()
        self.marks.begin_anew()
        self.said.begin_anew()

    # -- one decision

    def judge(
        self,
        passage: Passage,
        rule: SourceRule,
        rules: Mapping[str, SourceRule],
        *,
        keeps: bool,
        checks: Mapping[str, Checker],
        tell: Callable[[Draft], None],
    ) -> bool:
        """Note what is found, and let stand in what is declared.

        Args:
            passage: the decision; its record has been held against the contract.
            rule: of its source.
            rules: of all sources.
            keeps: whether the record keeps its contract.
            checks: the contract of every source; what stands in has to keep that of the one it stands in for.
            tell: writes an entry with the decision.

        Returns:
            Whether the passage goes on. False where it has ended, or where a broken record is for quarantine.
        """
        passage.is_judged = True
        now_ns, gone = self._clock_ns(), passage.intake.absent
        old = too_old(rule, passage.value, now_ns) if keeps else ""
        before = self._standing.get(rule.source, _NEW)
        counts = not passage.replay_of and not passage.is_copy
        late = self._late(rule, before, now_ns) if counts and not gone else ""
        standing = self._fold(rule, passage, now_ns, keeps=keeps, old=old, tell=tell) if counts else before
        found: dict[SourceState, str] = {}
        if gone:
            found[SourceState.UNAVAILABLE] = gone
        if SourceState.MALFORMED in standing.states and counts:
            found[SourceState.MALFORMED] = "more of its latest records than declared break the contract"
        elif (
            not (keeps or gone or passage.replay_of)  # what is replayed waits to be mended, and nothing stands in
            and rule.share is None
            and rule.step(SourceState.MALFORMED) is not None
        ):
            found[SourceState.MALFORMED] = "the record breaks the contract"
        if old:
            found[SourceState.STALE] = old
        passage.is_good = keeps and counts and not found
        acted = next((state for state in _ORDER if state in found and rule.step(state) is not None), None)
        if late:
            found[SourceState.SILENT] = f"before this record, {late}"
        if acted is None and keeps and counts and not old and rule.precedence is not None:
            conflict = self._conflict(passage, rule, rules, now_ns)
            if conflict is not None:
                return self._settle(passage, rule, conflict, found, checks=checks, now_ns=now_ns)
        if not found:
            return keeps
        passage.input_note = InputRecord(found=tuple(found), why=tuple(found.values()))
        if gone:
            passage.verdict, passage.broken = Verdict.NONE, ()
        is_human = passage.kind is None or passage.kind.tier is Tier.HUMAN_ONLY  # nothing needs to stand in for people
        if acted is None or is_human:
            if gone and not is_human:
                passage.end(Disposition.SHED, f"source-{SourceState.UNAVAILABLE}")
                return False
            return keeps or (bool(gone) and is_human)
        step = rule.step(acted)
        assert step is not None, "only such a state is acted on"
        return self._stand_in(passage, rule, rules, acted, step, keeps=keeps, checks=checks, now_ns=now_ns)

    def remember(self, passage: Passage, record: str) -> None:
        """A record that was judged is written, under this id: kept, if it is good or others speak of the same."""
        if passage.thing is not None:
            self.said.keep(passage.thing, record)
        if not passage.is_good:
            return
        good = Good(record, self._clock_ns())
        self.good.remember(passage.source, passage.subject, good)
        if passage.subject is None:
            self.marks.keep(passage.source, good)

    # -- two sources, one thing

    def _conflict(
        self, passage: Passage, rule: SourceRule, rules: Mapping[str, SourceRule], now_ns: int
    ) -> Conflict | None:
        thing = passage.thing = self.said.of(rule, passage.value, now_ns)
        return None if thing is None else self.said.conflict(rule, rules, thing)

    def _settle(
        self,
        passage: Passage,
        rule: SourceRule,
        conflict: Conflict,
        found: dict[SourceState, str],
        *,
        checks: Mapping[str, Checker],
        now_ns: int,
    ) -> bool:
        """By precedence where one goes before the other; else a person decides."""
        found[SourceState.CONFLICTING] = conflict.said(now_ns)
        note = InputRecord(found=tuple(found), why=tuple(found.values()), owner=rule.owner)
        passage.is_good = bool(conflict.wins)
        if conflict.wins is None or (passage.kind is not None and passage.kind.tier is Tier.HUMAN_ONLY):
            passage.input_note = msgspec.structs.replace(note, use=Use.HOLD.value)
            passage.hold = passage.hold or f"source-{SourceState.CONFLICTING}"
            return True
        passage.input_note = msgspec.structs.replace(note, use=PRECEDENCE)
        if conflict.wins:
            return True
        value, failed = passage.value, ""
        try:
            theirs = self.good.value(Good(conflict.other.record, conflict.other.time_ns))
            theirs = checks[conflict.other.source].check(theirs).value  # as its own contract mends it
            for field in conflict.fields:
                value = put(value, field, at(theirs, field))
            checked = checks[rule.source].check(value)
            failed = "with what goes before it, the record breaks its contract" if checked.reasons else ""
            passage.value = checked.value if not failed else passage.value
        except PlimsollError as why:
            failed = f"what goes before it cannot be read: {why.code}"
        age_s = round((now_ns - conflict.other.time_ns) / 1e9, 3)
        passage.input_note = msgspec.structs.replace(
            passage.input_note, record=conflict.other.record, age_s=age_s, failed=failed
        )
        if failed:
            passage.hold = passage.hold or f"source-{SourceState.CONFLICTING}"
        return True

    # -- what stands in

    def _late(self, rule: SourceRule, before: Standing, now_ns: int) -> str:
        if not silent_for(before.last_ns, rule, now_ns):
            return ""
        return silent_for(self.marks.latest(rule.source, before.last_ns), rule, now_ns)  # it may have come elsewhere

    def _stand_in(
        self,
        passage: Passage,
        rule: SourceRule,
        rules: Mapping[str, SourceRule],
        state: SourceState,
        step: FallbackStep,
        *,
        keeps: bool,
        checks: Mapping[str, Checker],
        now_ns: int,
    ) -> bool:
        note, why = passage.input_note, f"source-{state}"
        assert note is not None, "something was found"
        note = msgspec.structs.replace(note, use=step.use.value, owner=rule.owner)
        passage.input_note = note
        if not passage.is_copy:
            with self._lock:
                self._stood_in[rule.source] = self._stood_in.get(rule.source, 0) + 1
                self._told.setdefault((rule.source, state), _Told()).stood_in += 1
        if step.use is Use.STOP:
            if keeps or passage.intake.absent:
                passage.end(Disposition.SHED, why)
            return False
        if step.use is Use.HOLD:
            passage.hold = passage.hold or why
            return True
        if step.use is Use.LAST_GOOD and keeps and state is SourceState.MALFORMED:
            return True  # the last one that kept the contract is the record itself
        found = self._value(passage, step, rule, rules, now_ns)
        if isinstance(found, str):
            failed, value = found, None
        else:
            value, more = found
            if more.get("of"):
                value = checks[more["of"]].check(value).value  # as its own contract mends it
            checked = checks[rule.source].check(value)
            failed = "" if not checked.reasons else "what is to stand in breaks the contract of the source"
            value = checked.value
            note = msgspec.structs.replace(note, **more)
        if failed:
            passage.input_note = msgspec.structs.replace(note, failed=failed)
            if not keeps and not passage.intake.absent:
                return False
            passage.hold = passage.hold or why
            return True
        passage.input_note, passage.value = note, value
        passage.coerced = ()
        return True

    def _value(
        self, passage: Passage, step: FallbackStep, rule: SourceRule, rules: Mapping[str, SourceRule], now_ns: int
    ) -> tuple[Any, dict[str, Any]] | str:
        """What stands in, with what the record says of it; or why nothing can."""
        if step.use is Use.DEFAULT:
            encoded = msgspec.json.encode(step.value)
            return msgspec.json.decode(encoded), {"value": msgspec.Raw(encoded)}  # made anew: it is the target's
        source = step.source if step.use is Use.OTHER_SOURCE else rule.source
        good = self.good.of(source, passage.subject)
        if good is None and passage.subject is None:
            good = self.marks.good(source)
        if good is None:
            return f"no record of '{source}' that kept its contract is known here"
        age_s = (now_ns - good.time_ns) / 1e9
        if step.max_age_s is not None and age_s > step.max_age_s:
            return f"the last good record came {age_s:.0f} s ago; {step.max_age_s:.0f} s are allowed"
        if source != rule.source and (other := rules.get(source)) is not None:
            standing = self._standing.get(source, _NEW)
            trouble = sorted(standing.states)
            silent = silent_for(self.marks.latest(source, standing.last_ns), other, now_ns)
            if trouble or silent:
                return f"'{source}' is in trouble itself: {silent or trouble[0]}"
        try:
            value = self.good.value(good)
        except PlimsollError as why:
            return f"the last good record cannot be read: {why.code}"
        other_source = source if source != rule.source else ""
        return value, {"of": other_source, "record": good.record, "age_s": round(age_s, 3)}

    # -- who is told

    def _fold(
        self,
        rule: SourceRule,
        passage: Passage,
        now_ns: int,
        *,
        keeps: bool,
        old: str,
        tell: Callable[[Draft], None],
    ) -> Standing:
        with self._lock:
            before = self._standing.get(rule.source, _NEW)
            if passage.intake.absent:
                standing, changes = absent(before, passage.intake.absent)
            else:
                standing, changes = arrived(before, rule, now_ns, broken=not keeps, old=old)
                self.marks.saw(rule.source, now_ns)
            self._standing[rule.source] = standing
            troubles = [said for change in changes if (said := self._change(rule, change, now_ns)) is not None]
        for trouble in troubles:
            tell(self.entry(trouble))
            self._log(trouble)
        return standing

    def _change(self, rule: SourceRule, change: Change, now_ns: int) -> SourceTrouble | None:
        """What is said of a change; None: nothing, since the same was said a moment ago. The lock is held."""
        told = self._told.setdefault((rule.source, change.state), _Told())
        step = rule.step(change.state)
        trouble = SourceTrouble(
            source=rule.source,
            state=change.state,
            began=change.began,
            why=change.why,
            owner=rule.owner,
            use="" if step is None else step.use.value,
            time_ns=now_ns,
            process=os.getpid(),
            unsaid=told.unsaid,
        )
        if change.began:
            told.began_ns, told.is_said = now_ns, now_ns - told.said_ns >= QUIET_S * 1e9
            if not told.is_said:
                told.unsaid += 1
                return None
            told.said_ns, told.unsaid, told.stood_in = now_ns, 0, 0
            return trouble
        lasted, told.began_ns = (now_ns - told.began_ns) / 1e9, 0
        if not told.is_said:
            return None
        return msgspec.structs.replace(trouble, lasted_s=round(lasted, 3), stood_in=told.stood_in)

    def entry(self, trouble: SourceTrouble) -> Draft:
        """The entry that tells the owner."""
        return Draft(kind=TROUBLE, system=self._system, body=_ENCODE(trouble))

    def _log(self, trouble: SourceTrouble) -> None:
        if self._is_staging:
            return
        who = f"{trouble.owner} is told" if trouble.owner else "its contract names nobody to be told"
        began = "is" if trouble.began else "is no longer"
        _LOG.warning("the source '%s' %s %s: %s; %s", trouble.source, began, trouble.state, trouble.why, who)

    # -- as a whole

    def look(self, rules: Mapping[str, SourceRule], *, at_end: bool = False) -> None:
        """Leave what has come where other processes find it; record sources that fall silent, and that speak again.

        Args:
            rules: of the sources.
            at_end: this process will not look again.

        Raises:
            StoreError: it could not be written.
        """
        now_ns = self._clock_ns()
        self.marks.leave(rules, at_once=at_end)
        for rule in rules.values():
            trouble = self.marks.silence(rule, now_ns)
            if trouble is not None and self.marks.record(trouble, self.entry(trouble)):
                self._log(trouble)

    def health(self, rules: Mapping[str, SourceRule]) -> tuple[SourceHealth, ...]:
        """How each source stands now.

        Raises:
            StoreError: the ledger cannot be asked what has come elsewhere.
        """
        now_ns, found = self._clock_ns(), list[SourceHealth]()
        for rule in rules.values():
            standing = self._standing.get(rule.source, _NEW)
            last_ns = self.marks.latest(rule.source, standing.last_ns)
            silent = {SourceState.SILENT} if silent_for(last_ns, rule, now_ns) else set()
            found.append(
                SourceHealth(
                    source=rule.source,
                    states=tuple(sorted(standing.states | silent)),
                    last_ns=last_ns,
                    stood_in=self._stood_in.get(rule.source, 0),
                )
            )
        return tuple(found)


_NEW: Final = Standing()
