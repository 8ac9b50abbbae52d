"""A delivery held to its contract: each record by itself, and all of them together.

Beside what each record keeps by itself, all of them together must: have every field that the contract names in one
record at least, have no value of a unique field or key twice, and keep the quality rules of the standard's library.
Queries are for who has a database: they are listed, and not measured here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs
import msgspec

from plimsoll.contract.check import Checked, Checker
from plimsoll.contract.patterns import ENGINE
from plimsoll.contract.places import mark as _mark
from plimsoll.contract.places import steps_of as _steps
from plimsoll.contract.places import values_at as _at
from plimsoll.contract.rules import Contract, Field
from plimsoll.contract.terms import Quality, Unique

_NOT_MEASURED: Final = {
    "sql": "a query needs a database",
    "text": "it is prose for people to read",
    "custom": "it is written for another tool",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule over all records."""

    rule: str  # presence, unique, primaryKey, quality.rowCount, …
    field: str  # dotted
    line: int
    holds: bool | None  # None: it is not measured here
    advice: bool = False  # it reports and refuses nothing
    failed: int = 0  # records that break it, where it counts records
    said: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery."""

    rows: int
    broken: int  # records that break the contract by themselves
    findings: tuple[Finding, ...]  # in the order of the contract

    @property
    def passed(self) -> bool:
        """Whether every record and every rule that was measured holds; without a record nothing does."""
        return self.rows > 0 and not self.broken and all(f.holds is not False or f.advice for f in self.findings)


class Delivery:
    """Takes the records of one delivery, one after another.

    Values of unique fields are remembered as eight bytes each: of a hundred million, two that differ are taken for
    equal with a chance of one in four thousand.
    """

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        record = checker.contract.record
        self._record = record
        self._rows = 0
        self._broken = 0
        self._unread = 0
        self._seen: set[str] = set()
        self._unique = [_Values(u, record) for u in _of(checker.contract, record)]
        self._counts = [
            _Count(q, record) for q in checker.contract.terms.qualities if record and q.object == record.name
        ]

    def add(self, value: Any) -> Checked:
        """Check one record by itself, and remember what all of them must tell."""
        checked = self._checker.check(value)
        self._rows += 1
        self._broken += bool(checked.reasons)
        if isinstance(checked.value, dict):
            self._seen.update(checked.value)
        for values in self._unique:
            values.add(checked.value)
        for count in self._counts:
            count.add(checked.value)
        return checked

    def repeated(self) -> tuple[Unique, ...]:
        """The rules of whose values one stood there again since this was last asked."""
        return tuple(values.rule for values in self._unique if values.grew())

    def add_unread(self) -> None:
        """One record that could not be read at all."""
        self._rows += 1
        self._broken += 1
        self._unread += 1

    def verdict(self) -> Verdict:
        """What can be said of all records that were taken."""
        found = [*self._presence(), *(v.finding() for v in self._unique)]
        found += [count.finding(self._rows) for count in self._counts]
        found.sort(key=lambda f: f.line)
        return Verdict(rows=self._rows, broken=self._broken, findings=tuple(found))

    def _presence(self) -> Iterator[Finding]:
        """A field that stands in no record at all: the column is not there, be it optional in each."""
        record = self._record
        if record is None or self._rows == self._unread:  # of what could not be read, nobody can tell
            return
        for field in record.fields:
            there = field.name in self._seen
            said = "it stands in some record" if there else f"it stands in none of {self._rows:,} records"
            dotted = f"{record.name}.{field.name}"
            failed = 0 if there else self._rows
            yield Finding(rule="presence", field=dotted, line=field.line, holds=there, failed=failed, said=said)


def _of(contract: Contract, record: Field | None) -> list[Unique]:
    return [u for u in contract.terms.unique if record is not None and u.object == record.name]


class _Values:
    """The values of a unique field, or of a key."""

    _told = 0  # how many had stood there again when that was last asked

    def __init__(self, unique: Unique, record: Field | None) -> None:
        self._rule = unique
        self._paths = [_steps(name, record) for name in unique.fields]
        self._seen: set[bytes] = set()
        self._twice = 0

    def add(self, value: Any) -> None:
        places = [list(_at(value, path)) for path in self._paths]
        # A field in a list has many values; a key of several fields has one of each.
        for values in zip(*places, strict=False) if len(places) > 1 else ((v,) for v in places[0]):
            if any(v is None for v in values):
                continue  # what is not there is like nothing else
            mark = _mark(values)
            self._twice += mark in self._seen
            self._seen.add(mark)

    def finding(self) -> Finding:
        rule = self._rule
        name = "primaryKey" if rule.primary else "unique"
        said = f"{self._twice:,} values stand there again" if self._twice else "no value stands there twice"
        fields, twice = ", ".join(rule.fields), self._twice
        return Finding(rule=name, field=fields, line=rule.line, holds=not twice, failed=twice, said=said)

    @property
    def rule(self) -> Unique:
        """What it is about."""
        return self._rule

    def grew(self) -> bool:
        """Whether a value stood there again since this was last asked."""
        before, self._told = self._told, self._twice
        return self._twice > before


class _Count:
    """A quality rule of the library, counted."""

    def __init__(self, rule: Quality, record: Field | None) -> None:
        self._rule = rule
        self._path = _steps(rule.field, record)
        self._keys = rule.arguments.get("properties")
        self._missing = rule.arguments.get("missingValues")
        self._count = 0
        self._seen: set[bytes] = set()
        pattern = rule.arguments.get("pattern")
        of_text = {"type": "string", "pattern": pattern} if isinstance(pattern, str) else {}
        self._matches = jsonschema_rs.validator_for(of_text, pattern_options=ENGINE).is_valid

    def add(self, value: Any) -> None:
        metric = self._rule.metric
        if metric == "duplicateValues":
            self._add_duplicate(value)
            return
        values = list(_at(value, self._path)) or [None]
        if metric == "nullValues":
            self._count += any(v is None for v in values)
        elif metric == "missingValues":
            missing = self._missing if isinstance(self._missing, list) else [None, ""]
            self._count += any(_holds(missing, v) for v in values)
        elif metric == "invalidValues":
            self._count += any(v is not None and not self._valid(v) for v in values)

    def _add_duplicate(self, value: Any) -> None:
        if isinstance(self._keys, list):
            values = tuple(value.get(k) if isinstance(value, dict) else None for k in self._keys)
        else:
            values = tuple(_at(value, self._path))
        if values and all(v is not None for v in values):
            mark = _mark(values)
            self._count += mark in self._seen
            self._seen.add(mark)

    def _valid(self, value: Any) -> bool:
        allowed = self._rule.arguments.get("validValues")
        return (not isinstance(allowed, list) or _holds(allowed, value)) and self._matches(value)

    def finding(self, rows: int) -> Finding:
        rule = self._rule
        name = f"quality.{rule.metric or rule.kind}"
        why = _NOT_MEASURED.get(rule.kind, "" if rule.operator is not None else "it compares with nothing")
        if why:
            return Finding(rule=name, field=rule.field, line=rule.line, holds=None, advice=rule.advice, said=why)
        count = rows if rule.metric == "rowCount" else self._count
        figure: float = 100 * count / rows if rule.percent and rows else count
        assert rule.operator is not None
        holds = rule.operator.holds(figure, rule.limit)
        unit = "%" if rule.percent else ""
        said = f"{figure:g}{unit}, and {rule.operator} {rule.limit}{unit}"
        found = Finding(rule=name, field=rule.field, line=rule.line, holds=holds, advice=rule.advice, said=said)
        return found if rule.metric == "rowCount" else msgspec.structs.replace(found, failed=self._count)


def _holds(values: list[Any], value: Any) -> bool:
    return any(isinstance(v, bool) is isinstance(value, bool) and v == value for v in values)
