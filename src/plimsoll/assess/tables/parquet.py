"""Parquet files held to a contract: one query for each schema that they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from plimsoll.assess.tables.marks import Marks, Part, keys_of, name_of, reason_of
from plimsoll.assess.tables.results import counted_result, level_result, quality_result
from plimsoll.assess.tables.tally import Tally
from plimsoll.contract.columns import Column
from plimsoll.contract.rules import Contract, Field, Unenforced
from plimsoll.contract.sql_query import fill
from plimsoll.contract.sql_text import text
from plimsoll.contract.table_compile import partition_types, plan_table
from plimsoll.contract.table_plan import Check, Distinct, question
from plimsoll.contract.table_values import ValueLook
from plimsoll.contract.terms import Quality
from plimsoll.engine.duckdb import Database, QueryFailed, parquet
from plimsoll.engine.duckdb_sandbox import Sandbox
from plimsoll.engine.parquet import plain
from plimsoll.model.table_check import SHOWN, Example, RuleResult

_SHOWN_TEXT = 80  # characters of a value that an example repeats


class ParquetCheck:
    """One check of Parquet files.

    Args:
        database: open.
        contract: as read.
        record: the schema object.
        tally: takes what is found.
        marks: takes which rows break something; None: that is not asked, and costs nothing.
        now_s: seconds since 1970, UTC, that ages are counted to.
    """

    def __init__(
        self,
        database: Database,
        contract: Contract,
        record: Field,
        tally: Tally,
        marks: Marks | None = None,
        *,
        now_s: float = 0.0,
    ) -> None:
        self._now_s = now_s
        self._database, self._contract, self._record, self._tally = database, contract, record, tally
        self._marks = marks
        self.parts: list[Part] = []
        self.unenforced: dict[tuple[int, int, str, str], Unenforced] = {}
        self.undeclared: dict[str, None] = {}
        self.renamed: dict[str, None] = {}
        self._asked = 0  # tables of repeated values that were made
        self._seen: set[str] = set()  # fields that have a column somewhere

    def run(self, files: Sequence[Path], partitions: frozenset[str]) -> None:
        """Look at all files."""
        types = {n: t for n, t in partition_types(self._record).items() if n in partitions} if partitions else None
        for alike, columns, kept in self._by_schema(files, types):
            self._look(alike, columns, kept)
        self._tell_changes()
        self._distinct()
        self._measures()
        self._queries()
        self._levels()
        self._presence()

    # -- the files

    def _by_schema(
        self, files: Sequence[Path], types: dict[str, str] | None
    ) -> Iterator[tuple[tuple[Path, ...], dict[str, Column], dict[str, str] | None]]:
        """Files with the same columns, those, and what their folders' names are read as.

        A folder whose name is not of the declared type stays the text that it is; a file that cannot be read is told.
        """
        groups: dict[str, tuple[list[Path], dict[str, Column], dict[str, str] | None]] = {}
        as_text = None if types is None else dict.fromkeys(types, "VARCHAR")
        for file in files:
            kept = types
            try:
                if types and not self._suits(file, types):
                    kept = as_text
                columns = self._database.columns(parquet([file], kept))
            except QueryFailed as why:
                self._tally.hear("damaged", f"cannot be read as Parquet: {why.message}", str(file))
                continue
            groups.setdefault(repr((columns, kept)), ([], columns, kept))[0].append(file)
        for alike, columns, kept in groups.values():
            yield tuple(alike), columns, kept

    def _suits(self, file: Path, types: dict[str, str]) -> bool:
        """Whether the folders' names on the way to a file are of their types."""
        named = dict(part.partition("=")[::2] for part in file.parts[:-1] if "=" in part)
        asked = [f"TRY_CAST({text(unquote(named[n]))} AS {t}) IS NOT NULL" for n, t in types.items() if n in named]
        return bool(self._database.row(f"SELECT {' AND '.join(asked)}")[0]) if asked else True

    def _look(self, files: tuple[Path, ...], columns: dict[str, Column], types: dict[str, str] | None) -> None:
        part = Part(
            number=len(self.parts),
            files=files,
            source=parquet(files, types),
            columns=columns,
            plan=plan_table(self._contract, self._record, columns),
        )
        try:
            counts = self._counts(part)
        except QueryFailed as why:
            if len(files) == 1:
                self._tally.hear("damaged", f"cannot be read on: {why.message}", str(files[0]))
                return
            for file in files:  # the damaged one is found among them, and the others are looked at
                self._look((file,), columns, types)
            return
        self._take(part, counts)

    def _counts(self, part: Part) -> tuple[Any, ...]:
        """Rows, then a count for each check and each measure."""
        if self._marks is None:
            return self._database.row(question(part.plan, part.source))
        of_checks = self._marks.by_checks(part)
        rest = self._database.row(question(msgspec.structs.replace(part.plan, checks=()), part.source))
        return (rest[0], *of_checks, *rest[1:])

    def _take(self, part: Part, counts: tuple[Any, ...]) -> None:
        plan = part.plan
        self.parts.append(part)
        part.rows = counts[0]
        self._tally.rows += part.rows
        of_checks = counts[1 : 1 + len(plan.checks)]
        rest = list(counts[1 + len(plan.checks) :])
        part.measured, part.moments = rest[: len(plan.measures)], rest[len(plan.measures) :]
        failing = [check for check, failed in zip(plan.checks, of_checks, strict=True) if failed]
        shown = self._examples(part, failing)
        for check, failed in zip(plan.checks, of_checks, strict=True):
            self._tally.count(
                check.rule, check.field, check.line, check.column,
                expected=check.expected, failed=failed, examples=shown.get(id(check), ()),
            )  # fmt: skip
        self._by_value(part)
        for left in plan.unenforced:
            self.unenforced.setdefault((left.line, left.column, left.rule, left.field), left)
        self.undeclared.update(dict.fromkeys(plan.undeclared))
        self.renamed.update({f"{former} stands for {name}": None for former, name in plan.renamed})
        absent = {id(field) for field in plan.absent}
        self._seen.update(field.name for field in self._record.fields if id(field) not in absent)

    # -- examples

    def _examples(self, part: Part, failing: Sequence[Check]) -> dict[int, list[Example]]:
        """Some rows for each check that is broken: each is looked for until enough are found, and no further."""
        wanted = [c for c in failing if self._tally.needs_example(c.rule, c.field, c.line, c.column)]
        place = "filename, file_row_number" if part.knows_places else "'', -1"
        asked = [
            f"(SELECT {at}, {place}, {_shown(check)} FROM {part.source} WHERE {check.broken} LIMIT {SHOWN})"
            for at, check in enumerate(wanted)
        ]
        found: dict[int, list[Example]] = {}
        for at, file, row, value in self._database.rows(" UNION ALL ".join(asked)) if asked else ():
            example = Example(file=file, row=row + 1, found=value or "")
            found.setdefault(id(wanted[at]), []).append(example)
        return found

    # -- columns whose rules SQL cannot say

    def _by_value(self, part: Part) -> None:
        for at, asked in enumerate(part.plan.by_value):
            declared = asked.declared
            for rule in declared.rules:
                self._tally.count(rule.name, asked.field, rule.line, rule.column, expected="", failed=0)
            self._tally.count("type", asked.field, declared.line, declared.column, expected="", failed=0)
            unsure = f" AND NOT coalesce({asked.sure}, false)" if asked.sure else ""
            place = "min(filename), arg_min(file_row_number, filename)" if part.knows_places else "'', -1"
            sql = (
                f"SELECT {asked.value} AS v, count(*) AS n, {place} "
                f"FROM {part.source} WHERE {asked.value} IS NOT NULL{unsure} GROUP BY {asked.value}"
            )
            if self._marks is not None:
                kept = f"values_{part.number}_{at}"
                self._database.run(f"CREATE TEMP TABLE {kept} AS SELECT *, row_number() OVER () AS i FROM ({sql})")
                sql = f"SELECT * FROM {kept}"
            broken = list(self._look_at(ValueLook(self._contract, asked), sql))
            if self._marks is not None:
                self._marks.by_values(part, at, broken)

    def _look_at(self, look: ValueLook, sql: str) -> Iterator[tuple[int, list[str]]]:
        """Look at each value, count what it breaks, and give the numbers of those that break something."""
        for value, rows, file, row, *number in self._database.rows(sql):
            found = look.look(plain(value))
            for broken in found:
                example = Example(file=file, row=row + 1, found=broken.found)
                self._tally.count(
                    broken.rule, broken.field, broken.line, broken.column,
                    expected=broken.expected, failed=rows, examples=(example,),
                )  # fmt: skip
            if found and number:
                yield number[0], [reason_of(broken.field, broken.rule) for broken in found]

    # -- what all rows tell together

    def _distinct(self) -> None:
        """Values that may stand in one row only, over all files, whatever their columns are."""
        rules = {d.unique: None for part in self.parts for d in part.plan.distinct}
        for unique in rules:
            parts = [(p, d) for p in self.parts for d in p.plan.distinct if d.unique == unique]
            repeated, shown = self._repeats(parts)
            self._tally.count(
                name_of(unique), ", ".join(unique.fields), unique.line, unique.column,
                expected="a value that stands in no other row", failed=repeated, examples=shown,
            )  # fmt: skip

    def _repeats(self, parts: Sequence[tuple[Part, Distinct]]) -> tuple[int, list[Example]]:
        """How many rows repeat a value that stands elsewhere already, and where some of those values stand first."""
        twice = f"twice_{self._asked}"
        self._asked += 1
        self._database.run(
            f"CREATE TEMP TABLE {twice} AS SELECT * FROM "
            f"(SELECT k, count(*) AS n FROM ({keys_of(parts)}) GROUP BY k) WHERE n > 1"
        )
        repeated = int(self._database.row(f"SELECT coalesce(sum(n) - count(*), 0) FROM {twice}")[0])
        most = list(self._database.rows(f"SELECT k, n FROM {twice} ORDER BY n DESC, k LIMIT {SHOWN}"))
        placed = all(part.knows_places for part, _ in parts)
        if repeated and self._marks is not None and placed:
            self._marks.by_repeats(parts, keys_of(parts, ", {number} AS part, {place} AS place"), twice)
        return repeated, [self._first(parts, value, n, placed=placed) for value, n in most]

    def _first(self, parts: Sequence[tuple[Part, Distinct]], value: Any, times: int, *, placed: bool) -> Example:
        hidden = parts[0][1].hidden
        found = f"hidden ({hidden})" if hidden else _cut(str(value))
        file, row = "", -1
        if placed:
            keys = keys_of(parts, ", filename AS f, file_row_number AS r")
            file, row = self._database.row(f"SELECT f, r FROM ({keys}) WHERE k = $1 LIMIT 1", value)
        return Example(file=file, row=row + 1, found=f"{found}, in {times:,} rows")

    def _measures(self) -> None:
        """Quality rules of the library: counts of all parts together."""
        if not self.parts:
            return
        asked = [m.quality for m in self.parts[0].plan.measures]
        for at, quality in enumerate(asked):
            same = all(len(p.plan.measures) > at and p.plan.measures[at].quality == quality for p in self.parts)
            apart = quality.metric == "duplicateValues" and len(self.parts) > 1
            if not same or apart:
                self._leave(quality, "the files have different columns, and it cannot be counted over all of them")
                continue
            self._tally.put(counted_result(quality, sum(p.measured[at] for p in self.parts), self._tally.rows))

    def _queries(self) -> None:
        """Quality rules that are queries: one after another, over these files and nothing else."""
        queries = self.parts[0].plan.queries if self.parts else ()
        if len(self.parts) > 1 or not queries:
            for quality in queries:
                self._leave(quality, "the files have different columns, and a query has one table")
            return
        part = self.parts[0]
        with Sandbox(self._record.name, part.source, part.files) as sandbox:
            for quality in queries:
                query = fill(quality)
                if query is None:
                    self._leave(quality, "it asks for a column, and stands at the table")
                    continue
                try:
                    self._tally.put(quality_result(quality, sandbox.number(query), rows=self._tally.rows))
                except QueryFailed as why:
                    self._leave(quality, why.message)

    def _levels(self) -> None:
        """Promises about the age of rows, over all parts."""
        asked = {level.level: level for part in self.parts for level in part.plan.levels}
        for level in asked.values():
            found = [
                moment
                for part in self.parts
                for one, moment in zip(part.plan.levels, part.moments, strict=True)
                if one.level == level.level and moment is not None
            ]
            self._tally.put(level_result(level.level, found, self._now_s, newest=level.newest))

    def _leave(self, quality: Quality, why: str) -> None:
        left = Unenforced(
            line=quality.line, column=quality.column, rule=f"quality.{quality.metric or quality.kind}", why=why,
            field=quality.field,
        )  # fmt: skip
        self.unenforced[left.line, left.column, left.rule, left.field] = left

    def _presence(self) -> None:
        """A field that no file has a column for, be it optional in each row."""
        if not self._tally.rows:
            return
        for field in self._record.fields:
            there = field.name in self._seen
            self._tally.put(
                RuleResult(
                    rule="presence", field=f"{self._record.name}.{field.name}", line=field.line, column=field.column,
                    expected="a column", holds=there, failed=0 if there else self._tally.rows,
                    said="" if there else "no file has this column",
                )
            )  # fmt: skip

    def _tell_changes(self) -> None:
        """Files whose columns are not those of the first ones."""
        if len(self.parts) < 2:
            return
        first = self.parts[0]
        for other in self.parts[1:]:
            changed = list(_changes(first.columns, other.columns))
            said = f"the columns change: {'; '.join(changed[:6])}{'; …' if len(changed) > 6 else ''}"
            if changed:
                self._tally.hear("schema-changed", said, str(other.files[0]), lost=False, count=len(other.files))

    def broken_rows(self) -> int:
        """Rows that break at least one rule of rows; needs marks."""
        assert self._marks is not None, "rows are marked when they are to be counted"
        tables = [self._marks.join(part) for part in self.parts]
        return sum(int(self._database.row(f"SELECT count(*) FROM {table}")[0]) for table in tables)


def _shown(check: Check) -> str:
    """SQL of what an example repeats of a value."""
    if not check.value:
        return "NULL"
    if check.hidden:
        return f"CASE WHEN {check.value} IS NULL THEN 'null' ELSE 'hidden ({check.hidden.replace(chr(39), '')})' END"
    return f"coalesce(left(CAST({check.value} AS VARCHAR), {_SHOWN_TEXT}), 'null')"


def _changes(old: dict[str, Column], new: dict[str, Column]) -> Iterator[str]:
    for name in [n for n in old if n not in new]:
        yield f"'{name}' is gone"
    for name, column in new.items():
        if name not in old:
            yield f"'{name}' is new"
        elif column != old[name]:
            yield f"'{name}' was {old[name]} and is {column}"


def _cut(value: str) -> str:
    return value if len(value) <= _SHOWN_TEXT else value[: _SHOWN_TEXT - 1] + "…"
