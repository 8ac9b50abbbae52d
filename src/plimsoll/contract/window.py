"""A bounded memory of the records of one source, for rules that compare records with each other.

What it can promise: a key that comes again is noticed when it came at most `age` ago and at most ``keys`` other keys
came in between; and of an order, that a value follows the last one under its key within the same bounds. What it
cannot: anything about keys that it has let go. It lets go of the oldest first: of what is older than its age, and of
what is more than its keys. How many of those were younger than the age it counts, since what rests on "within the age"
was not measured for them.

Whatever the data, it holds at most ``keys`` entries a rule, of a fixed size each.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from plimsoll.contract.places import Place, keys_at, mark, values_at
from plimsoll.contract.reasons import show
from plimsoll.contract.rules import Field
from plimsoll.contract.schema import moment_of
from plimsoll.contract.stateful import Compares, StatefulRule
from plimsoll.contract.terms import Direction, WindowRule
from plimsoll.model.decision import Fault, Reason

_MARK: Final = 16  # bytes that stand for a key: two that differ are never taken for one

_UNDER_WAY: Final = "a record that is still under way"


class _Entry:
    """What is known of one key."""

    __slots__ = ("content", "gone", "record", "rival", "time_ns", "value")

    def __init__(self, time_ns: int, record: str, content: bytes, value: Any) -> None:
        self.time_ns = time_ns
        self.record = record  # id of the decision; "": the record is still under way
        self.content = content  # stands for the whole record; b"" where the rule does not ask
        self.value = value  # the last under this key, of an order
        self.gone: tuple[_Entry | None, ...] = ()  # once it is withdrawn: what was there before it
        self.rival = ""  # while it is under way: id of a record with the same key that was decided elsewhere


class Window:
    """The keys of one rule, the oldest first."""

    def __init__(self, keys: int, age_ns: int) -> None:
        self._keys, self._age_ns = keys, age_ns
        self._seen: dict[bytes, _Entry] = {}
        self.forgotten = 0  # keys that it let go of before they were as old as the age

    def __len__(self) -> int:
        return len(self._seen)

    def get(self, key: bytes, now_ns: int) -> _Entry | None:
        """What is known of a key; None: nothing, or no more."""
        self._let_go(now_ns)
        return self._seen.get(key)

    def put(self, key: bytes, entry: _Entry, now_ns: int) -> None:
        """Keep a key, as the youngest."""
        self._seen.pop(key, None)
        self._seen[key] = entry
        self._let_go(now_ns)
        while len(self._seen) > self._keys:
            del self._seen[next(iter(self._seen))]
            self.forgotten += 1

    def take_back(self, key: bytes, entry: _Entry, before: _Entry | None) -> None:
        """Undo a `put`, unless another has come since; that one is undone to what was before both."""
        entry.gone = (before,)
        if self._seen.get(key) is entry:
            while before is not None and before.gone:
                (before,) = before.gone
            if before is None:
                del self._seen[key]
            else:
                self._seen[key] = before

    def _let_go(self, now_ns: int) -> None:
        until = now_ns - self._age_ns
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest].time_ns > until:
                return
            del self._seen[oldest]


class Claim(msgspec.Struct, frozen=True):
    """The keys that one record has taken, until it is known what became of it."""

    taken: tuple[tuple[Window, bytes, _Entry, _Entry | None], ...]  # with what was known of each before


class Marks(msgspec.Struct, frozen=True):
    """What a window remembers of one record: for each rule its keys, and the value of an order."""

    keys: tuple[tuple[bytes, ...], ...]
    values: tuple[Any, ...]
    content: bytes = b""


class SourceWindow:
    """All rules of one contract over the records of one source. Not for several threads at once.

    Args:
        rules: from `stateful_rules`.
        declared: how far back.
        classification: of records as a whole; not empty: reasons show no value.
    """

    def __init__(self, rules: tuple[StatefulRule, ...], declared: WindowRule, *, classification: str = "") -> None:
        self._rules = rules
        self._declared = declared
        self._classification = classification
        age_ns = int(declared.age_s * 1e9)
        self._windows = tuple(Window(declared.keys, age_ns) for _ in rules)
        self._needs_content = any(rule.compares is Compares.KEY for rule in rules)

    @property
    def keys(self) -> int:
        """How many of each rule it holds at most."""
        return self._declared.keys

    @property
    def forgotten(self) -> int:
        """Keys that were let go of before they were as old as the window's age."""
        return sum(window.forgotten for window in self._windows)

    @property
    def held(self) -> int:
        """Keys that are remembered, of all rules."""
        return sum(len(window) for window in self._windows)

    def marks(self, value: Any) -> Marks:
        """What would be remembered of a record."""
        keys: list[tuple[bytes, ...]] = []
        values: list[Any] = []
        for rule in self._rules:
            at = None if rule.value is None else _ordered(rule.value, value)
            if rule.compares is Compares.ORDER:
                found = [next(keys_at(value, rule.places), None)] if rule.places else [()]
                keys.append(tuple(mark(key, _MARK) for key in found if key is not None and at is not None))
            else:
                keys.append(tuple(mark(key, _MARK) for key in keys_at(value, rule.places)))
            values.append(at)
        content = mark((value,), _MARK) if self._needs_content else b""
        return Marks(tuple(keys), tuple(values), content)

    def judge(self, value: Any, now_ns: int) -> Claim | tuple[Reason, ...]:
        """Compare a record with those before it.

        Args:
            value: a record that keeps its contract by itself.
            now_ns: when it came, UTC nanoseconds.

        Returns:
            The keys that it has now taken, to be settled or withdrawn; or every reason why it must not follow those
            before it, and then nothing of it is remembered.
        """
        marks = self.marks(value)
        reasons = tuple(
            reason
            for rule, window, keys, at in zip(self._rules, self._windows, marks.keys, marks.values, strict=True)
            for reason in self._broken(rule, window, keys, at, marks.content, value, now_ns)
        )
        return reasons or self._take(marks, "", now_ns)

    def remember(self, marks: Marks, record: str, time_ns: int) -> str:
        """Take over a record that was decided elsewhere.

        Returns:
            Another decided record here that has a key which no two may have: its id; "": none has. Of one that is still
            under way `settle` says so.
        """
        clash = ""
        for rule, window, keys in zip(self._rules, self._windows, marks.keys, strict=True):
            for key in keys:
                known = window.get(key, time_ns)
                if known is None or rule.compares is Compares.ORDER:
                    continue
                if not known.record:
                    known.rival = known.rival or record
                elif known.record != record:
                    clash = clash or known.record
        self._take(marks, record, time_ns, only_new=True)
        return clash

    @staticmethod
    def settle(claim: Claim, record: str) -> str:
        """The record was decided: its keys stay taken.

        Returns:
            The id of another record with one of them, which was decided elsewhere meanwhile; "": there is none.
        """
        rivals = [entry.rival for _, _, entry, _ in claim.taken if entry.rival not in {"", record}]
        for _, _, entry, _ in claim.taken:
            entry.record = record
        return rivals[0] if rivals else ""

    @staticmethod
    def withdraw(claim: Claim) -> None:
        """Nothing was decided: the record may come again, unless another took its key elsewhere meanwhile."""
        for window, key, entry, before in claim.taken:
            if entry.rival:
                entry.record = entry.rival
            else:
                window.take_back(key, entry, before)

    def _take(self, marks: Marks, record: str, now_ns: int, *, only_new: bool = False) -> Claim:
        taken = []
        for rule, window, keys, at in zip(self._rules, self._windows, marks.keys, marks.values, strict=True):
            for key in keys:
                before = window.get(key, now_ns)
                is_order = rule.compares is Compares.ORDER
                if only_new and before is not None and not (is_order and at > before.value):
                    continue
                entry = _Entry(now_ns, record, marks.content if rule.compares is Compares.KEY else b"", at)
                window.put(key, entry, now_ns)
                taken.append((window, key, entry, before))
        return Claim(tuple(taken))

    # -- why a record must not follow those before it

    def _broken(
        self,
        rule: StatefulRule,
        window: Window,
        keys: tuple[bytes, ...],
        at: Any,
        content: bytes,
        value: Any,
        now_ns: int,
    ) -> Iterator[Reason]:
        if rule.compares is Compares.ORDER:
            yield from self._out_of_order(rule, window, keys, at, value, now_ns)
            return
        here: set[bytes] = set()
        for key in keys:
            known = window.get(key, now_ns)
            if known is None and key not in here:
                here.add(key)
                continue
            yield self._again(rule, known, content)
            return  # one reason a rule: a list of a thousand values that all came before says it once

    def _again(self, rule: StatefulRule, known: _Entry | None, content: bytes) -> Reason:
        is_key = rule.compares is Compares.KEY
        who = "this record itself" if known is None else known.record or _UNDER_WAY
        found = f"{who} has it"
        if is_key and known is not None:
            found += ", and says the same" if known.content == content else ", and says otherwise"
        what = "a key" if is_key or len(rule.places) > 1 else "a value"
        reach = f"the last {self._declared.keys:,} had within {_duration(self._declared.age_s)}"
        return Reason(
            fault=Fault.DUPLICATE if is_key else Fault.RULE_BROKEN,
            path=rule.places[0].pointer if len(rule.places) == 1 else "",
            rule=rule.compares.value,
            expected=f"{what} that none of {reach}",
            found=found,
        )

    def _out_of_order(
        self, rule: StatefulRule, window: Window, keys: tuple[bytes, ...], at: Any, value: Any, now_ns: int
    ) -> Iterator[Reason]:
        assert rule.value is not None, "an order is of a value"
        for key in keys:
            known = window.get(key, now_ns)
            if known is None:
                continue
            rises = rule.direction is Direction.RISING
            if at > known.value or (not rises and at == known.value):
                continue
            word = "above" if rises else "at or above"
            who = known.record or _UNDER_WAY
            yield Reason(
                fault=Fault.OUT_OF_ORDER,
                path=rule.value.pointer,
                rule=rule.compares.value,
                expected=f"a value {word} that of {who}",
                found=show(
                    rule.value.field or Field(name="", line=0, column=0), _one(rule.value, value), self._classification
                ),
            )


def _one(place: Place, value: Any) -> Any:
    return next(values_at(value, place.steps), None)


def _ordered(place: Place, value: Any) -> float | int | datetime | None:
    """A value in the order of its kind; None: there is none."""
    found = _one(place, value)
    if isinstance(found, str) and place.field is not None:
        return moment_of(place.field, found)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> _duration(604800), _duration(5400), _duration(0.5)
    ('7 days', '90 min', '0.5 s')
    """
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
