"""A contract's rules as questions to a table: what one query counts, and what has to be asked apart from it."""

from __future__ import annotations

import msgspec

from plimsoll.contract.rules import Field, Unenforced
from plimsoll.contract.terms import Quality, ServiceLevel, Unique


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, and the rows that break it."""

    rule: str  # as a reason of the record check names it: required, type, pattern, …
    field: str  # dotted, from the schema object on
    line: int  # in the contract
    column: int
    expected: str  # in words
    broken: str  # SQL, true in a row that breaks it; null counts as false
    value: str = ""  # SQL of what is there; empty: nothing is
    hidden: str = ""  # not empty: its values may not be shown, and this is why


class ByValue(msgspec.Struct, frozen=True, kw_only=True):
    """A column whose rules SQL cannot say: the record check looks at each of its values once."""

    declared: Field
    field: str  # dotted
    value: str  # SQL of the column
    sure: str = ""  # SQL, true of values that keep every rule and need no look; empty: of none


class Distinct(msgspec.Struct, frozen=True, kw_only=True):
    """Values that may stand in one row only."""

    unique: Unique
    values: tuple[str, ...]  # SQL of each field
    hidden: str = ""

    @property
    def there(self) -> str:
        """SQL: whether a row takes part; a value that is not there is like nothing else."""
        return " AND ".join(f"{value} IS NOT NULL" for value in self.values)

    @property
    def key(self) -> str:
        """SQL of the values together."""
        return self.values[0] if len(self.values) == 1 else f"row({', '.join(self.values)})"

    @property
    def repeated(self) -> str:
        """SQL of a count over a table: the rows whose values stand in another row already."""
        if len(self.values) == 1:
            return f"count({self.key}) - count(DISTINCT {self.key})"
        return f"count(*) FILTER (WHERE {self.there}) - count(DISTINCT {self.key}) FILTER (WHERE {self.there})"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A quality rule of the standard's library, as a count over a table."""

    quality: Quality
    count: str  # SQL of an aggregate


class LevelAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A promise about the age of the rows: of the newest (freshness), or of the oldest (retention)."""

    level: ServiceLevel
    newest: bool  # False: the oldest
    moment: str  # SQL of an aggregate: seconds since 1970, UTC


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a table is asked for one schema object, in the order of the contract."""

    checks: tuple[Check, ...] = ()
    by_value: tuple[ByValue, ...] = ()
    distinct: tuple[Distinct, ...] = ()
    measures: tuple[Measure, ...] = ()
    queries: tuple[Quality, ...] = ()  # quality rules that are queries themselves
    levels: tuple[LevelAsked, ...] = ()
    absent: tuple[Field, ...] = ()  # fields without a column
    undeclared: tuple[str, ...] = ()  # columns that the contract does not name
    renamed: tuple[tuple[str, str], ...] = ()  # columns that are there under a former name: that, and the name
    unenforced: tuple[Unenforced, ...] = ()  # what cannot be asked here, and why


def question(plan: Plan, source: str) -> str:
    """The one query: rows, then a count for each check and each measure, then the moments of service levels.

    Unique fields are asked by a query of their own: counted there by their values, it can say which ones repeat.

    Args:
        plan: of the table.
        source: SQL of the table, as it stands after FROM.
    """
    asked = ["count(*)"]
    asked += [f"count(*) FILTER (WHERE {check.broken})" for check in plan.checks]
    asked += [measure.count for measure in plan.measures]
    asked += [level.moment for level in plan.levels]
    return f"SELECT {', '.join(asked)} FROM {source}"
