"""Text files held to a contract: each row by the record check, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.assess.tables.marks import name_of, reason_of
from plimsoll.assess.tables.results import level_result
from plimsoll.assess.tables.tally import Tally
from plimsoll.assess.tables.text_rows import TextRow, rows_of
from plimsoll.assess.tables.text_split import Sorter
from plimsoll.contract.check import compile_contract
from plimsoll.contract.dates import Layout, moment
from plimsoll.contract.delivery import Delivery
from plimsoll.contract.rules import Contract, Field, Unenforced
from plimsoll.contract.schema import layout_of
from plimsoll.contract.table_compile import FRESHNESS, left_level, still_unenforced, why_no_level
from plimsoll.contract.table_rules import hidden_by
from plimsoll.contract.table_values import line_of, place_of
from plimsoll.contract.terms import ServiceLevel, Unique
from plimsoll.model.decision import Reason
from plimsoll.model.table_check import SHOWN, Example, RuleResult

_UNIQUE: Final = frozenset({"unique", "primaryKey"})
_LONGEST: Final = 80  # characters of a value that an example repeats
_MOST_NAMES: Final = 1_000  # fields that the contract does not name; more are data, not a design


class _Age(msgspec.Struct, kw_only=True):
    """The newest or oldest moment that stood in a field so far."""

    level: ServiceLevel
    name: str
    layout: Layout
    newest: bool
    moment: float | None = None  # seconds since 1970

    def take(self, value: Any) -> None:
        """Look at one row."""
        text = value.get(self.name) if isinstance(value, dict) else None
        at = moment(self.layout, text) if isinstance(text, str) else None
        if at is not None:
            seconds = at.timestamp()
            if self.moment is None or (seconds > self.moment) is self.newest:
                self.moment = seconds


class TextCheck:
    """One check of text files.

    Args:
        contract: as read.
        record: the schema object.
        tally: takes what is found.
        sorter: takes every row, good or not; None: nothing does.
        now_s: seconds since 1970, UTC, that ages are counted to.
    """

    def __init__(
        self, contract: Contract, record: Field, tally: Tally, sorter: Sorter | None = None, *, now_s: float = 0.0
    ) -> None:
        self._sorter = sorter
        self._contract, self._record, self._tally, self._now_s = contract, record, tally, now_s
        # What holds for each row is counted by the record check.
        apart = tuple(q for q in contract.terms.qualities if not q.per_record)
        terms = msgspec.structs.replace(contract.terms, qualities=apart)
        self._delivery = Delivery(compile_contract(msgspec.structs.replace(contract, terms=terms), record=record.name))
        self.renamed: dict[str, None] = {}
        self._broken = 0
        self._repeats: dict[int, list[Example]] = {}  # rows that repeat a value, by the line of its rule
        self.unenforced = {(u.line, u.column, u.rule, u.field): u for u in still_unenforced(contract)}
        self.undeclared: dict[str, None] = {}
        self._qualities = {q.line: q for q in contract.terms.qualities}
        self._ages: list[_Age] = []
        for level in contract.terms.levels:
            self._level(level)
        self._declared = {f.name for f in record.fields} | {a for f in record.fields for a in f.aliases}

    def run(self, files: Sequence[Path], partitions: frozenset[str] = frozenset()) -> None:
        """Look at all files; what their folders' names say is not in their rows, and is not taken into them."""
        if partitions:
            said = f"names of folders ({', '.join(sorted(partitions))}) are columns of Parquet alone"
            self._tally.hear("partitions", said, str(files[0].parent), lost=False)
        for file in files:
            for row in rows_of(file, self._record, self):
                self._take(str(file), row)
        self._declare(self._record, self._record.name)
        self._together()

    def _level(self, level: ServiceLevel) -> None:
        """A promise about the age of rows; one that rows do not tell is listed."""
        why = why_no_level(level)
        name = level.fields[0].removeprefix(f"{self._record.name}.") if level.fields else ""
        field = self._record.under(name)
        layout = None if why or field is None else layout_of(field)
        if layout is None:
            left = left_level(level, why or "its element is no field of dates or times")
            self.unenforced[left.line, left.column, left.rule, left.field] = left
        else:
            self._ages.append(_Age(level=level, name=name, layout=layout, newest=level.property == FRESHNESS))

    def broken_rows(self) -> int:
        """Rows that break at least one rule, or could not be read."""
        return self._broken + self._tally.unread

    def _take(self, file: str, row: TextRow) -> None:
        """One row."""
        checked = self._delivery.add(row.value)
        for age in self._ages:
            age.take(checked.value)
        self._tally.rows += 1
        if not self._declared.issuperset(row.value) and len(self.undeclared) < _MOST_NAMES:
            self.undeclared.update(dict.fromkeys(row.value.keys() - self._declared))
        reasons = self._count(checked.reasons, file, row.line) if checked.reasons else []
        for unique in self._delivery.repeated():
            reasons.append(reason_of(", ".join(unique.fields), name_of(unique)))
            shown = self._repeats.setdefault(unique.line, [])
            if len(shown) < SHOWN:
                shown.append(Example(file=file, row=row.line, found=self._shown(unique, checked.value)))
        if self._sorter is not None:
            self._sorter.take(checked.value, reasons, file, row.line, row.raw)
        self._broken += bool(reasons)

    def hear(self, code: str, said: str, where: str, /, *, lost: bool = True, count: int = 1) -> None:
        """Something is wrong with a file."""
        self._tally.hear(code, said, where, lost=lost, count=count)

    def unread(self, code: str, said: str, file: str, line: int, raw: bytes, /, *, count: int = 1) -> None:
        """A row that could not be read."""
        self._tally.hear(code, said, f"{file}:{line}", count=count)
        self._tally.rows += count
        self._tally.unread += count
        for _ in range(count):
            self._delivery.add_unread()
        if self._sorter is not None:
            self._sorter.refuse([code], file, line, raw, rows=count)

    def _shown(self, unique: Unique, value: Any) -> str:
        """The values that stand there again, where they may be shown."""
        fields = [self._record.under(name.removeprefix(f"{self._record.name}.")) for name in unique.fields]
        hidden = next((h for f in fields if f is not None and (h := hidden_by(f))), "")
        if hidden or None in fields or not isinstance(value, dict):
            return f"hidden ({hidden})" if hidden else ""
        there = [value.get(f.name) for f in fields if f is not None]
        return ", ".join(str(one)[:_LONGEST] for one in there)

    def _count(self, reasons: Sequence[Reason], file: str, line: int) -> list[str]:
        """Count what a row breaks, each rule once, and give it as a quarantined row names it."""
        seen: set[tuple[str, str]] = set()
        for reason in reasons:
            name, field = place_of(self._record, self._record.name, reason.path)
            if (reason.rule, name) in seen:
                continue
            seen.add((reason.rule, name))
            at = line_of(field, reason.rule)
            example = Example(file=file, row=line, found=reason.found)
            self._tally.count(reason.rule, name, *at, expected=reason.expected, failed=1, examples=(example,))
        return [reason_of(name, rule) for rule, name in seen]

    def _declare(self, field: Field, name: str) -> None:
        """List every rule, also those that no row breaks."""
        for below in field.fields:
            at = f"{name}.{below.name}"
            if below.required:
                self._tally.count("required", at, below.line, below.column, expected="a value", failed=0)
            if below.type is not None:
                self._tally.count("type", at, below.line, below.column, expected="", failed=0)
            for rule in below.rules:
                self._tally.count(rule.name, at, rule.line, rule.column, expected="", failed=0)
            self._declare(below, at)

    def _together(self) -> None:
        """What all rows tell together."""
        for age in self._ages:
            moments = [] if age.moment is None else [age.moment]
            self._tally.put(level_result(age.level, moments, self._now_s, newest=age.newest))
        for found in self._delivery.verdict().findings:
            rule = self._qualities.get(found.line)
            if found.holds is None:
                column = rule.column if rule is not None else 0
                left = Unenforced(line=found.line, column=column, rule=found.rule, why=found.said, field=found.field)
                self.unenforced[left.line, left.column, left.rule, left.field] = left
            else:
                shown = self._repeats.get(found.line, []) if found.rule in _UNIQUE else []
                self._tally.put(
                    RuleResult(
                        rule=found.rule, field=found.field, line=found.line, holds=found.holds, advice=found.advice,
                        expected="a value that stands in no other row" if found.rule in _UNIQUE else "",
                        said="" if found.rule in _UNIQUE else found.said, failed=found.failed, examples=tuple(shown),
                        severity=rule.severity if rule is not None else "error",
                    )
                )  # fmt: skip
