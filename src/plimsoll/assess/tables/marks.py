"""Rows of Parquet files that break something, by their place, with every reason: what a split is made from.

All of it is kept in tables of the database, which spill to disk: memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.contract.columns import Column
from plimsoll.contract.sql_text import text
from plimsoll.contract.table_plan import Check, Distinct, Plan
from plimsoll.contract.terms import Unique
from plimsoll.engine.duckdb import Database

# Which row of which file: files have fewer than 2^40 rows, and there are fewer than 2^22 of them.
_PLACE: Final = "(file_index * 1099511627776 + file_row_number)"
PLACES: Final = frozenset(
    {"file_index", "file_row_number", "filename"}
)  # names that DuckDB gives to where a row stands
_BITS: Final = 62  # checks that one whole number has room for


class Part(msgspec.Struct, kw_only=True):
    """Files that have the same columns."""

    number: int  # among the parts of a check
    files: tuple[Path, ...]
    source: str  # SQL
    columns: dict[str, Column]
    plan: Plan
    rows: int = 0
    measured: list[int] = []  # of the plan's measures
    moments: list[float | None] = []  # of the plan's service levels

    @property
    def place(self) -> str:
        """SQL of where a row stands; of one file its number alone, by which rows are found again faster."""
        return _PLACE if len(self.files) > 1 else "file_row_number"

    @property
    def knows_places(self) -> bool:
        """Whether it can be said where a row stands: no column of its own hides that."""
        return not PLACES & self.columns.keys()


class Marks:
    """The marked rows of all parts.

    Args:
        database: open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._values: dict[int, list[tuple[str, str]]] = {}  # of each part: tables of broken values, and the column
        self._repeats: list[str] = []  # tables of rows that repeat a value

    def by_checks(self, part: Part) -> tuple[int, ...]:
        """Mark the rows that break a check of SQL, and give how many break each."""
        checks, number = part.plan.checks, part.number
        chunks = [checks[at : at + _BITS] for at in range(0, len(checks), _BITS)] or [()]
        masks = ", ".join(f"{_mask(chunk)} AS m{n}" for n, chunk in enumerate(chunks))
        broken = " OR ".join(f"m{n} <> 0" for n in range(len(chunks)))
        self._database.run(
            f"CREATE TEMP TABLE checked_{number} AS "
            f"SELECT * FROM (SELECT {part.place} AS place, {masks} FROM {part.source}) WHERE {broken}"
        )
        counts = [f"count(*) FILTER (WHERE {_bit(at)})" for at in range(len(checks))]
        return self._database.row(f"SELECT {', '.join(counts)} FROM checked_{number}") if counts else ()

    def by_values(self, part: Part, at: int, broken: Sequence[tuple[int, list[str]]]) -> None:
        """Mark the rows with values that the record check refuses.

        Args:
            part: of the table.
            at: which of its questions by value; the values stand in the table ``values_PART_AT``, numbered.
            broken: numbers of values, and the reasons of each.
        """
        name = f"broken_{part.number}_{at}"
        self._database.run(
            f"CREATE TEMP TABLE {name} AS SELECT v, reasons FROM values_{part.number}_{at} JOIN "
            "(SELECT unnest($1::BIGINT[]) AS i, unnest($2::JSON[])::VARCHAR[] AS reasons) USING (i)",
            [number for number, _ in broken],
            [msgspec.json.encode(reasons).decode() for _, reasons in broken],
        )
        self._database.run(f"DROP TABLE values_{part.number}_{at}")
        self._values.setdefault(part.number, []).append((name, part.plan.by_value[at].value))

    def by_repeats(self, parts: Sequence[tuple[Part, Distinct]], keys: str, twice: str) -> None:
        """Mark the rows that repeat a value which stands in an earlier row already.

        Args:
            parts: in which the value stands.
            keys: SQL of the values of all of them, with ``part`` and ``place``.
            twice: the table of values that stand in several rows.
        """
        name = f"repeats_{len(self._repeats)}"
        unique = parts[0][1]
        reason = text(reason_of(", ".join(unique.unique.fields), name_of(unique.unique)))
        self._database.run(
            f"CREATE TEMP TABLE {name} AS SELECT part, place, [{reason}] AS reasons FROM "
            "(SELECT part, place, row_number() OVER (PARTITION BY k ORDER BY part, place) AS nth "
            f"FROM ({keys}) JOIN {twice} USING (k)) WHERE nth > 1"
        )
        self._repeats.append(name)

    def join(self, part: Part) -> str:
        """One table of the marked rows of a part: ``place`` and ``reasons``. Gives its name; made once."""
        name = f"marks_{part.number}"
        reasons = [
            f"CASE WHEN {_bit(at)} THEN {text(reason_of(check.field, check.rule))} END"
            for at, check in enumerate(part.plan.checks)
        ]
        made = f"list_filter([{', '.join(reasons)}], lambda x: x IS NOT NULL)" if reasons else "[]::VARCHAR[]"
        told = [f"SELECT place, {made} AS reasons FROM checked_{part.number}"]
        told += [f"SELECT place, reasons FROM {table} WHERE part = {part.number}" for table in self._repeats]
        told += [
            f"SELECT {part.place} AS place, reasons FROM {part.source} JOIN {table} ON {value} = v"
            for table, value in self._values.get(part.number, [])
        ]
        self._database.run(
            f"CREATE TEMP TABLE IF NOT EXISTS {name} AS SELECT place, list_sort(flatten(list(reasons))) AS reasons "
            f"FROM ({' UNION ALL '.join(told)}) GROUP BY place"
        )
        return name


def reason_of(field: str, rule: str) -> str:
    """A reason as a quarantined row names it: ``claims.amount: maximum``."""
    return f"{field}: {rule}"


def name_of(unique: Unique) -> str:
    """The name of a rule that a value stands once."""
    return "primaryKey" if unique.primary else "unique"


def _mask(checks: Sequence[Check]) -> str:
    """SQL of one whole number, with a bit for each check that a row breaks."""
    bits = [f"CASE WHEN {check.broken} THEN {1 << at} ELSE 0 END" for at, check in enumerate(checks)]
    return f"({' + '.join(bits) or '0'})::BIGINT"


def _bit(at: int) -> str:
    return f"m{at // _BITS} & {1 << (at % _BITS)} <> 0"


def column_types(parts: Sequence[tuple[Part, Distinct]]) -> set[str]:
    """The different types that the fields of a key have in several parts."""
    return {repr([p.columns.get(_own(name)) for name in d.unique.fields]) for p, d in parts}


def _own(name: str) -> str:
    return name.partition(".")[2]


def keys_of(parts: Sequence[tuple[Part, Distinct]], more: Any = "") -> str:
    """SQL of the values of a key in several parts under one another, as text where their types differ.

    Args:
        parts: with the key in each.
        more: further columns, after a comma; ``{number}`` stands for the part's number, and
            ``{place}`` for where a row stands in it.
    """
    same = len(column_types(parts)) == 1
    made = []
    for part, distinct in parts:
        key = distinct.key if same else f"CAST({distinct.key} AS VARCHAR)"
        extra = more.format(number=part.number, place=part.place)
        made.append(f"SELECT {key} AS k{extra} FROM {part.source} WHERE {distinct.there}")
    return " UNION ALL ".join(made)
