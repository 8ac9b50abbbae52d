"""What a source has promised about its records, held against those that come: their age, their pace, how many break.

A pure fold. The time comes in as an argument, in UTC nanoseconds; the state of a source is a value.

Three troubles, after the three that ``plimsollFallback`` names, and silence:

=============  ========================================================================================================
unavailable    whoever asks says that the source gave nothing
malformed      more than the declared share of its latest records break the contract (`Share`)
stale          a record is older than ``latency`` or ``freshness`` allow, by the field that the level names
silent         nothing has come for longer than ``frequency`` and ``latency`` together, or than ``freshness``, where
               these name no field
=============  ========================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from plimsoll.contract.dates import ISO_DATE, Layout, iso_timestamp, moment, read_layout
from plimsoll.contract.rules import Contract, Field, LogicalType, RuleName
from plimsoll.contract.terms import Fallback, FallbackStep, Precedence, ServiceLevel, Trouble
from plimsoll.model.input_note import SourceState

AHEAD_S: Final = 300.0  # a record may be dated so far ahead of our clock; two machines never agree
_MOST_BROKEN: Final = 10  # a source's fallback never takes over for fewer broken records than one more than these…
_LARGEST: Final = 10_000  # …counted over at most so many
_AGES: Final = frozenset({"latency", "freshness"})
_DAY_S: Final = 86_400.0
_TROUBLES: Final = {
    SourceState.UNAVAILABLE: Trouble.UNAVAILABLE,
    SourceState.MALFORMED: Trouble.MALFORMED,
    SourceState.STALE: Trouble.STALE,
}


class AgeRule(msgspec.Struct, frozen=True, kw_only=True):
    """One level that says how old a record may be when it comes."""

    level: str  # latency or freshness
    field: str  # dotted, from the record on
    most_s: float
    layouts: tuple[Layout, ...]  # how the field may be written
    line: int


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many broken records make a source malformed altogether.

    More than ``most`` of the latest ``of`` records. So many records are looked at that the declared share of them is
    ten, so one bad record, or three in a row, never are enough. It is over when ``run`` records in a row keep the
    contract (if the share were still the declared one, that would happen once in twenty times), or when the latest
    ``of`` since it began hold no more than ``most`` that break it.
    """

    rate: float  # as declared, in (0, 1)
    of: int
    most: int
    run: int

    @classmethod
    def of_rate(cls, rate: float) -> Share:
        """The rule for a declared share.

        >>> Share.of_rate(0.05).of, Share.of_rate(0.05).most, Share.of_rate(0.05).run
        (200, 10, 60)
        """
        of = min(_LARGEST, math.ceil(_MOST_BROKEN / rate - 1e-9))
        return cls(rate=rate, of=of, most=math.floor(rate * of + 1e-9), run=math.ceil(3 / rate - 1e-9))


class SourceRule(msgspec.Struct, frozen=True, kw_only=True):
    """All that holds for one source."""

    source: str
    silence_s: float | None = None  # nothing may come for so long; None: no pace is promised
    silence: str = ""  # the promise in words: "every 4 h, 30 min late at most"
    ages: tuple[AgeRule, ...] = ()
    share: Share | None = None  # None: no errorRate is declared
    fallback: Fallback | None = None
    precedence: Precedence | None = None  # None: its values are compared with no other source's
    not_measured: tuple[str, ...] = ()  # levels that nothing can be held against, each with its line and why

    def step(self, state: SourceState) -> FallbackStep | None:
        """What is declared to stand in; None: nothing."""
        trouble = _TROUBLES.get(state)
        return None if self.fallback is None or trouble is None else self.fallback.steps.get(trouble)

    @property
    def owner(self) -> str:
        """Who is told."""
        return "" if self.fallback is None else self.fallback.owner

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hold its records against, and nothing stands in."""
        return self.silence_s is None and not self.ages and self.fallback is None and self.precedence is None


def rules_of(contract: Contract) -> dict[str, SourceRule]:
    """What holds for each source of a contract; none, where it says nothing that records could be held against."""
    rule = rule_of(contract)
    return {} if rule.is_empty else {s: msgspec.structs.replace(rule, source=s) for s in contract.sources}


def rule_of(contract: Contract) -> SourceRule:
    """What a contract says of all its sources alike, and what of it nothing can be held against."""
    levels = contract.terms.levels
    ages, loose, left = _by_age(contract)
    frequency = _least(level for level in levels if level.property == "frequency")
    latency = _least(level for level in loose if level.property == "latency")
    fresh = _least(level for level in loose if level.property == "freshness")
    limits: list[tuple[float, str]] = []
    if frequency is not None:
        late = 0.0 if latency is None else latency
        also = f", {span(late)} late at most" if late else ""
        limits.append((frequency + late, f"every {span(frequency)}{also}"))
    elif latency is not None:
        left.append("latency: without a frequency or a field, nothing says when a record was due")
    if fresh is not None:
        limits.append((fresh, f"within {span(fresh)}"))
    silence_s, silence = min(limits) if limits else (None, "")
    fallback = contract.terms.fallback
    return SourceRule(
        source="",
        silence_s=silence_s,
        silence=silence,
        ages=ages,
        share=None if fallback is None or fallback.error_rate is None else Share.of_rate(fallback.error_rate),
        fallback=fallback,
        precedence=contract.terms.precedence,
        not_measured=tuple(left),
    )


def _least(levels: Iterator[ServiceLevel]) -> float | None:
    return min((level.seconds for level in levels if level.seconds is not None), default=None)


def _by_age(contract: Contract) -> tuple[tuple[AgeRule, ...], list[ServiceLevel], list[str]]:
    """The levels that name a field, those that name none, and what can be held against nothing."""
    ages: list[AgeRule] = []
    loose: list[ServiceLevel] = []
    left: list[str] = []
    for level in contract.terms.levels:
        at = f"line {level.line} {level.property}"
        if level.property not in _AGES:
            continue
        if level.seconds is None:
            left.append(f"{at}: the duration is not understood")
        elif not level.fields:
            loose.append(level)
        for name in level.fields if level.seconds is not None else ():
            field, path = _find(contract.record, name)
            if field is None or field.type not in {LogicalType.DATE, LogicalType.TIMESTAMP}:
                left.append(f"{at}: '{name}' is no date or timestamp of the record")
                continue
            ages.append(
                AgeRule(
                    level=level.property,
                    field=path,
                    most_s=level.seconds or 0.0,
                    layouts=_layouts(field),
                    line=level.line,
                )
            )
    return tuple(ages), loose, left


def _find(record: Field | None, name: str) -> tuple[Field | None, str]:
    """A field by its dotted name, with or without that of the schema object before it."""
    steps = name.split(".")
    without = [steps[1:]] if record is not None and len(steps) > 1 and steps[0] == record.name else []
    for path in (steps, *without):
        found = record
        for step in path:
            found = None if found is None or found.type is LogicalType.MAP else found.under(step)
        if found is not None:
            return found, ".".join(path)
    return None, name


def _layouts(field: Field) -> tuple[Layout, ...]:
    iso = (iso_timestamp(offset=None), ISO_DATE)
    said = next((rule.value for rule in field.rules if rule.name is RuleName.FORMAT), None)
    try:
        return iso if not isinstance(said, str) else (read_layout(said), *iso)
    except ValueError:
        return iso


# -- one record


def too_old(rule: SourceRule, value: Any, now_ns: int) -> str:
    """Why a record is stale, in a sentence without any value of it; "" when it is not.

    A record that does not say of when it is cannot be shown to be fresh. A date counts from the end of its day (UTC).
    """
    for age in rule.ages:
        at = _moment_of(age, value)
        if at is None:
            return f"'{age.field}' does not say of when it is; {span(age.most_s)} are allowed"
        seconds = now_ns / 1e9 - at
        if seconds < -AHEAD_S:
            return f"'{age.field}' is dated ahead of now"
        if seconds > age.most_s:
            return (
                f"'{age.field}' is {span(seconds)} old; {span(age.most_s)} are allowed ({age.level}, line {age.line})"
            )
    return ""


def _moment_of(age: AgeRule, value: Any) -> float | None:
    for step in age.field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, str):
        return None
    for layout in age.layouts:
        at = moment(layout, value) if layout.has_date else None
        if at is not None:
            # The end of its day at most: a record is never called too old that may not be.
            return at.timestamp() + (0.0 if layout.has_time else _DAY_S)
    return None


# -- the source


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one source stands, by the records seen so far. A new one is good, and nothing has come."""

    last_ns: int = 0  # when the latest record came, broken or not; 0: none has
    recent: int = 0  # one bit for each of the latest records, the newest lowest: 1 is broken
    seen: int = 0  # records counted since it was last found well or malformed
    run: int = 0  # records in a row that kept the contract
    states: frozenset[SourceState] = frozenset()


class Change(msgspec.Struct, frozen=True):
    """Trouble began, or ended."""

    state: SourceState
    began: bool
    why: str


def arrived(
    standing: Standing, rule: SourceRule, now_ns: int, *, broken: bool, old: str
) -> tuple[Standing, Sequence[Change]]:
    """A record has come.

    Args:
        standing: before it.
        rule: of its source.
        now_ns: UTC nanoseconds.
        broken: whether it breaks the contract.
        old: as `too_old` says; "" for a broken one, of which nobody knows.
    """
    states, changes = standing.states, list[Change]()
    if SourceState.UNAVAILABLE in states:
        states -= {SourceState.UNAVAILABLE}
        changes.append(Change(SourceState.UNAVAILABLE, began=False, why="a record has come"))
    if old and SourceState.STALE not in states:
        states |= {SourceState.STALE}
        changes.append(Change(SourceState.STALE, began=True, why=old))
    elif not old and not broken and SourceState.STALE in states:
        states -= {SourceState.STALE}
        changes.append(Change(SourceState.STALE, began=False, why="a record has come that is not too old"))
    after = Standing(last_ns=max(now_ns, standing.last_ns), states=states)
    if rule.share is not None:
        after, counted = _counted(standing, after, rule.share, broken=broken)
        changes += counted
    return after, changes


def _counted(before: Standing, after: Standing, share: Share, *, broken: bool) -> tuple[Standing, tuple[Change, ...]]:
    recent = ((before.recent << 1) | broken) & ((1 << share.of) - 1)
    seen, run = min(before.seen + 1, share.of), 0 if broken else before.run + 1
    count = recent.bit_count()
    states, changes = after.states, tuple[Change, ...]()
    if SourceState.MALFORMED not in states and count > share.most:
        said = f"{count} of the latest {seen} records break the contract; {share.rate:.4g} of them is allowed"
        states, changes = states | {SourceState.MALFORMED}, (Change(SourceState.MALFORMED, began=True, why=said),)
        recent = seen = run = 0  # what comes from now on says when it is over
    elif SourceState.MALFORMED in states and (run >= share.run or (seen == share.of and count <= share.most)):
        said = f"{count} of the latest {seen} records break the contract"
        states, changes = states - {SourceState.MALFORMED}, (Change(SourceState.MALFORMED, began=False, why=said),)
        recent = seen = run = 0
    made = Standing(last_ns=after.last_ns, recent=recent, seen=seen, run=run, states=states)
    return made, changes


def absent(standing: Standing, why: str) -> tuple[Standing, Sequence[Change]]:
    """Whoever asks says that the source gave no record."""
    if SourceState.UNAVAILABLE in standing.states:
        return standing, ()
    states = standing.states | {SourceState.UNAVAILABLE}
    return msgspec.structs.replace(standing, states=states), (Change(SourceState.UNAVAILABLE, began=True, why=why),)


def silent_for(last_ns: int, rule: SourceRule, now_ns: int, *, grace_s: float = 0.0) -> str:
    """Why a source is silent, in a sentence; "" when it is not, or nothing has come from it yet.

    Args:
        last_ns: when the latest record came; 0: none has.
        rule: of the source.
        now_ns: UTC nanoseconds.
        grace_s: what is allowed beyond the promise.
    """
    if not last_ns or rule.silence_s is None:
        return ""
    gap_s = (now_ns - last_ns) / 1e9
    if gap_s <= rule.silence_s + grace_s:
        return ""
    return f"nothing came for {span(gap_s)}; promised is {rule.silence}"


def span(seconds: float) -> str:
    """A duration for a person to read, in two figures at least.

    >>> span(14400), span(90), span(0.25), span(200000)
    ('4 h', '90 s', '0.25 s', '2.31 days')
    """
    for unit, size in (("days", _DAY_S), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}" if seconds < 100 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.3g} s"
