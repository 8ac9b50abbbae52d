"""Fallbacks exercised: each source is cut, what is decided meanwhile is recorded, and the source comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from plimsoll.assess.contracts import shape_of
from plimsoll.assess.run import Run
from plimsoll.contract.arrivals import SourceRule
from plimsoll.contract.redate import fresh, stale
from plimsoll.contract.terms import FallbackStep, Trouble, Use
from plimsoll.guard import Guard
from plimsoll.model.decision import Answer, Disposition
from plimsoll.model.details import CutDetail, CutRound
from plimsoll.model.evidence import Census, Draw, Repeats
from plimsoll.model.input_note import SourceState
from plimsoll.model.unavailable import Unavailable

ROUNDS: Final = 3
CUTS: Final = 5  # decisions on a cut source in each round
_MOST_BACK: Final = 2_000  # records sent for a source to be as before; beyond it, it has not come back
_PROCEEDS: Final = frozenset({Disposition.ANSWERED, Disposition.HELD})


class Sample(msgspec.Struct, frozen=True):
    """One record of a source that keeps its contract."""

    type: str  # decision type
    value: Any


class _CannotTellError(Exception):
    """Something keeps a fallback from being exercised; its text says what."""


def exercise(
    run: Run,
    guard: Guard,
    rules: Mapping[str, SourceRule],
    samples: Mapping[str, Sample],
    *,
    sources: tuple[str, ...],
    clock_ns: Callable[[], int] = time.time_ns,
    timer: Callable[[], float] = time.perf_counter,
    tick: Callable[[int], None] = lambda _: None,
) -> tuple[CutDetail, ...]:
    """Cut every source for which something is declared to stand in, and give evidence of what did.

    Args:
        run: the started run.
        guard: a staging copy of the release that is measured: it records under a name of its own, and nobody is told
            of its sources. Its rules are those that are given here.
        rules: what each source has promised, and what stands in for it.
        samples: of each source a record that keeps its contract; of a source that is not in it nothing can be cut.
        sources: all that the contracts name.
        clock_ns: UTC nanoseconds, as of the guard.
        timer: seconds of a clock that never goes back.
        tick: called with the number of fallbacks done.
    """
    stage = _Stage(guard, rules, samples, clock_ns, timer)
    found: list[CutDetail] = []
    for source, step, trouble in _declared(rules, sources):
        found.append(stage.exercised(rules[source], trouble, step))
        tick(len(found))
    bare = tuple(s for s in sources if s not in rules or rules[s].fallback is None)
    give_exercised(run, found, bare)
    return tuple(found)


def _declared(rules: Mapping[str, SourceRule], sources: tuple[str, ...]) -> Iterator[tuple[str, FallbackStep, Trouble]]:
    for source in sources:
        fallback = rules[source].fallback if source in rules else None
        for trouble, step in () if fallback is None else fallback.steps.items():
            yield source, step, trouble


def give_exercised(run: Run, found: Sequence[CutDetail], bare: Sequence[str]) -> None:
    """Evidence of fallbacks; none while any of them could not be exercised.

    Args:
        run: the started run.
        found: those that are declared.
        bare: sources that declare none.
    """
    if any(cut.not_exercised for cut in found) or not (found or bare):
        return  # whoever cannot tell of all of them gives no figure of those that were easy
    held = sum(cut.holds for cut in found)
    total = len(found) + len(bare)
    missing = [
        f"{cut.source} {cut.trouble}: {next(round_.why[0] for round_ in cut.rounds if round_.why)}"
        for cut in found
        if not cut.holds
    ]
    run.give(
        "contracts.fallback_exercised",
        Census(
            count=held,
            total=total,
            ratio=True,
            missing=(*missing, *(f"{source}: nothing is declared to stand in" for source in bare))[:20],
        ),
        draw=Draw.FIXED,
        finding=f"{held} of {total} fallbacks took over as declared when the source was cut, and let go again.",
    )
    rounds = [[cut.rounds[n].recovery_s for cut in found] for n in range(ROUNDS)] if found else []
    if rounds and all(s is not None for each in rounds for s in each):
        worst = tuple(max(s for s in each if s is not None) for each in rounds)
        run.give(
            "contracts.recovery_time",
            Repeats(values=worst),
            draw=Draw.FIXED,
            finding=f"After a cut, decisions were as before within {max(worst):.3g} s.",
        )


class _Stage:
    """Where sources are cut."""

    def __init__(
        self,
        guard: Guard,
        rules: Mapping[str, SourceRule],
        samples: Mapping[str, Sample],
        clock_ns: Callable[[], int],
        timer: Callable[[], float],
    ) -> None:
        self._guard = guard
        self._rules = rules
        self._samples = samples
        self._clock_ns = clock_ns
        self._timer = timer

    def exercised(self, rule: SourceRule, trouble: Trouble, step: FallbackStep) -> CutDetail:
        detail = CutDetail(source=rule.source, trouble=trouble.value, use=step.use.value)
        rounds: list[CutRound] = []
        try:
            for _ in range(ROUNDS):
                self._guard.forget_sources()
                rounds.append(self._round(rule, trouble, step))
        except _CannotTellError as why:
            return msgspec.structs.replace(detail, not_exercised=str(why))
        return msgspec.structs.replace(detail, rounds=tuple(rounds))

    def _round(self, rule: SourceRule, trouble: Trouble, step: FallbackStep) -> CutRound:
        before = self._send(rule.source, self._good(rule.source))
        if before.disposition not in _PROCEEDS:
            raise _CannotTellError(f"its good record is {before.disposition} before anything is cut: {before.why}")
        gives = before
        if step.use is Use.OTHER_SOURCE:
            gives = self._send(step.source, self._good(step.source))
        answers = [self._send(rule.source, bad) for bad in self._bad(rule, trouble)]
        spared = rule.share.most if trouble is Trouble.MALFORMED and rule.share is not None else 0
        answers = answers[spared:]
        gone = [why for answer in answers if (why := _not_as_declared(answer, step, before, gives))]
        recovery_s, after = self._back(rule.source, before)
        said = list(dict.fromkeys(gone))
        if recovery_s is None:
            said.append(f"it was not as before within {after:,} records after the cut")
        return CutRound(
            decisions=tuple(answer.record for answer in answers),
            as_declared=len(answers) - len(gone),
            value=self._used(step, gives),
            recovery_s=recovery_s,
            recovered_after=after,
            why=tuple(said),
        )

    def _send(self, source: str, given: Any) -> Answer:
        return self._guard.decide(self._samples[source].type, given, source=source)

    def _good(self, source: str) -> Any:
        if source not in self._samples:
            raise _CannotTellError(f"the feed holds no record of '{source}' that keeps its contract")
        rule = self._rules.get(source)
        value = self._samples[source].value
        made = value if rule is None else fresh(rule, value, self._clock_ns())
        if made is None:
            raise _CannotTellError(f"a record of '{source}' cannot be dated now, so none is fresh")
        return made

    def _bad(self, rule: SourceRule, trouble: Trouble) -> list[Any]:
        if trouble is Trouble.UNAVAILABLE:
            return [Unavailable("cut for the assessment")] * CUTS
        good = self._good(rule.source)
        if trouble is Trouble.MALFORMED:
            cut = msgspec.json.encode(good)[:-1]  # a cut line, as feeds have them
            return [cut] * (CUTS + (0 if rule.share is None else rule.share.most))
        old = stale(rule, good, self._clock_ns())
        if old is None:
            raise _CannotTellError("no level names a date in the record that could be set, so none is found stale")
        return [old] * CUTS

    def _back(self, source: str, before: Answer) -> tuple[float | None, int]:
        """Seconds, and records, until a record is decided as before the cut."""
        began = self._timer()
        for count in range(1, _MOST_BACK + 1):
            answer = self._send(source, self._good(source))
            found = () if answer.input_note is None else answer.input_note.found
            if answer.disposition is before.disposition and set(found) <= {SourceState.SILENT}:
                return self._timer() - began, count
        return None, _MOST_BACK

    def _used(self, step: FallbackStep, gives: Answer) -> str:
        if step.use is Use.DEFAULT:
            return f"the declared value (line {step.line}): {shape_of(step.value)}"
        if step.use in {Use.LAST_GOOD, Use.OTHER_SOURCE}:
            source = step.source or "the source itself"
            return f"the input of {gives.record}, the last good record of {source}"
        return ""


def _not_as_declared(answer: Answer, step: FallbackStep, before: Answer, gives: Answer) -> str:  # noqa: PLR0911 - one return for each
    note = answer.input_note
    if note is None or note.use != step.use.value:
        return f"'{step.use}' did not take over: the decision was {answer.disposition}"
    if note.failed:
        return f"'{step.use}' could not stand in: {note.failed}"
    if step.use is Use.HOLD:
        return "" if answer.disposition is Disposition.HELD else f"it was {answer.disposition}, and nobody has it"
    if step.use is Use.STOP:
        stopped = answer.disposition in {Disposition.SHED, Disposition.QUARANTINED}
        return "" if stopped else f"it was {answer.disposition} all the same"
    if step.use in {Use.LAST_GOOD, Use.OTHER_SOURCE} and note.record != gives.record:
        return "another record than the last good one stood in"
    if answer.disposition is before.disposition:
        return ""
    return f"on what stood in it was {answer.disposition} ({answer.why}); before it was {before.disposition}"
