"""A contract compiled for one table: one query's worth of counts, and what that query cannot tell, with its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from plimsoll.contract.columns import BROKEN, LOCAL, ZONED, Column
from plimsoll.contract.rules import Contract, Field, LogicalType, Unenforced
from plimsoll.contract.sql_numbers import among_values
from plimsoll.contract.sql_text import identifier, matches, means_the_same
from plimsoll.contract.table_plan import Distinct, LevelAsked, Measure, Plan
from plimsoll.contract.table_rules import FieldRules, hidden_by
from plimsoll.contract.terms import Quality, ServiceLevel, Unique

_OWN: Final = ("unique", "primaryKey", "schema")  # listed for single records, and answered or listed anew here
_OWN_GROUPS: Final = ("quality.", "slaProperties.")
_PLAIN: Final = BROKEN | {"varchar", "boolean", "decimal"}
FRESHNESS: Final = "freshness"
_NOT_HERE: Final = {
    "text": "it is prose for people to read",
    "custom": "it is written for another tool",
}
_PARTITIONS: Final[dict[LogicalType | None, str]] = {
    LogicalType.INTEGER: "BIGINT",
    LogicalType.NUMBER: "DOUBLE",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.DATE: "DATE",
    LogicalType.TIMESTAMP: "TIMESTAMP",
}


def plan_table(contract: Contract, record: Field, columns: Mapping[str, Column]) -> Plan:
    """What to ask of a table.

    Args:
        contract: as read.
        record: the schema object that a row is.
        columns: of the table, by name.

    >>> from plimsoll.contract.rules import Contract, Field, LogicalType
    >>> amount = Field(name="amount", line=3, column=1, type=LogicalType.NUMBER, required=True)
    >>> record = Field(name="claims", line=2, column=1, type=LogicalType.OBJECT, fields=(amount,))
    >>> contract = Contract(id="c", name="c", version="1", digest="", file="", record=record)
    >>> [check.broken for check in plan_table(contract, record, {"amount": Column(kind="double")}).checks]
    ['"amount" IS NULL', 'NOT isfinite("amount")']
    """
    rules = FieldRules(record, columns)
    made = _Plan(contract, record, rules, columns)
    for unique in contract.terms.unique:
        if unique.object == record.name:
            made.unique(unique)
    for quality in contract.terms.qualities:
        if quality.object == record.name:
            made.quality(quality)
    for level in contract.terms.levels:
        made.level(level)
    left = [*still_unenforced(contract), *made.unenforced]
    return Plan(
        checks=tuple(rules.checks),
        by_value=tuple(rules.by_value),
        distinct=tuple(made.distinct),
        measures=tuple(made.measures),
        queries=tuple(made.queries),
        levels=tuple(made.levels),
        absent=tuple(rules.absent),
        undeclared=rules.undeclared,
        renamed=tuple(rules.renamed),
        unenforced=tuple(sorted(left, key=lambda u: (u.line, u.column))),
    )


def still_unenforced(contract: Contract) -> tuple[Unenforced, ...]:
    """What the contract says that neither a row nor all rows together can tell."""
    return tuple(u for u in contract.unenforced if not u.rule.startswith(_OWN_GROUPS) and u.rule not in _OWN)


def why_no_level(level: ServiceLevel) -> str:
    """Why a promise cannot be measured on rows, whatever their columns are; "" when it can."""
    if level.property not in {FRESHNESS, "retention"}:
        return "it is about deliveries over time; the rows of one do not tell"
    if level.seconds is None:
        return "its duration is not understood"
    return "" if len(level.fields) == 1 else "it names no column, or several, as its element"


def left_level(level: ServiceLevel, why: str) -> Unenforced:
    """A promise that is not measured, as it is listed."""
    return Unenforced(
        line=level.line, column=level.column, rule=f"slaProperties.{level.property}", why=why,
        field=", ".join(level.fields), of_records=False,
    )  # fmt: skip


def partition_types(record: Field) -> dict[str, str]:
    """SQL types of fields that the folders of a partitioned table can carry: a folder's name is text without them."""
    return {f.name: _PARTITIONS.get(f.type, "VARCHAR") for f in record.fields}


class _Plan:
    """Rules over all rows, gathered."""

    def __init__(self, contract: Contract, record: Field, rules: FieldRules, columns: Mapping[str, Column]) -> None:
        self.distinct: list[Distinct] = []
        self.measures: list[Measure] = []
        self.queries: list[Quality] = []
        self.levels: list[LevelAsked] = []
        self.unenforced: list[Unenforced] = []
        self._contract, self._record, self._rules, self._columns = contract, record, rules, columns

    # -- unique fields

    def unique(self, unique: Unique) -> None:
        """Fields whose values stand in one row only."""
        values, why = self._values(unique.fields)
        rule = "primaryKey" if unique.primary else "unique"
        if why:
            self._leave(rule, ", ".join(unique.fields), unique.line, unique.column, why)
        elif values:
            shown = next((h for name in unique.fields if (h := self._hidden(name))), "")
            self.distinct.append(Distinct(unique=unique, values=tuple(values), hidden=shown))

    def _values(self, names: tuple[str, ...]) -> tuple[list[str], str]:
        """SQL of fields, or why they cannot be compared; neither where a column is not there at all."""
        found: list[str] = []
        for name in names:
            known = self._rules.values.get(name)
            if known is None:
                if "[]" in name or name.endswith((".value", ".key")):
                    return [], "values inside lists and maps are not compared with those of other rows"
                return [], ""  # without a column every value is missing, and what is missing is like nothing else
            if name in self._rules.coerced:
                return [], "its values are changed before they are checked; what they become is not compared"
            found.append(known[0])
        return found, ""

    def _hidden(self, name: str) -> str:
        field = _field_at(self._record, name)
        return hidden_by(field) if field is not None else ""

    # -- quality rules

    def quality(self, rule: Quality) -> None:
        """One quality rule; one that holds for every row is among the rules of its field already."""
        if rule.kind == "sql" and rule.query and rule.operator is not None:
            self.queries.append(rule)
            return
        if rule.per_record:
            return
        why = _NOT_HERE.get(rule.kind, "" if rule.operator is not None else "it compares with nothing")
        count = "" if why else self._count(rule)
        if count:
            self.measures.append(Measure(quality=rule, count=count))
        else:
            said = (
                why or "it is not a metric of the standard's library, or not one that can be counted over this column"
            )
            self._leave(f"quality.{rule.metric or rule.kind}", rule.field, rule.line, rule.column, said)

    def _count(self, rule: Quality) -> str:
        """The aggregate that a metric of the library is; "" when there is none."""
        if rule.metric == "rowCount":
            return "count(*)"
        if rule.metric == "duplicateValues":
            return self._duplicates(rule)
        value, column = self._rules.values.get(rule.field, ("NULL", Column(kind="varchar")))
        if rule.metric == "nullValues":
            return f"count(*) FILTER (WHERE {value} IS NULL)"
        # What a declared coercion makes of a value is not known to SQL.
        if rule.field in self._rules.coerced or (not column.is_whole and column.kind not in _PLAIN):
            return ""
        if rule.metric == "missingValues":
            given = rule.arguments.get("missingValues")
            missing = given if isinstance(given, list) else [None, ""]
            among = among_values(value, missing, column)
            told = [f"{value} IS NULL" if None in missing else "", among]
            return f"count(*) FILTER (WHERE {' OR '.join(filter(None, told)) or 'false'})"
        return self._invalid(rule, value, column) if rule.metric == "invalidValues" else ""

    def _invalid(self, rule: Quality, value: str, column: Column) -> str:
        allowed, pattern = rule.arguments.get("validValues"), rule.arguments.get("pattern")
        broken: list[str] = []
        if isinstance(allowed, list):
            among = among_values(value, allowed, column)
            broken.append(f"NOT ({among})" if among else f"{value} IS NOT NULL")
        if isinstance(pattern, str):
            if not means_the_same(pattern):
                return ""
            of_text = f"NOT ({matches(value, pattern)})"
            broken.append(of_text if column.kind == "varchar" else f"{value} IS NOT NULL")
        return f"count(*) FILTER (WHERE {' OR '.join(broken)})" if broken else ""

    def _duplicates(self, rule: Quality) -> str:
        keys = rule.arguments.get("properties")
        if isinstance(keys, list):
            if not all(key in self._columns for key in keys):
                return "0" if keys else ""
            values = [identifier(key) for key in keys]
        elif rule.field == self._record.name:
            every = f"row({', '.join(map(identifier, self._columns))})"
            return f"count(*) - count(DISTINCT {every})" if self._columns else "0"
        else:
            values, why = self._values((rule.field,))
            if not values:
                return "" if why else "0"
        made = Unique(object=rule.object, fields=(), line=rule.line, column=rule.column)
        return Distinct(unique=made, values=tuple(values)).repeated

    # -- service levels

    def level(self, level: ServiceLevel) -> None:
        """A promise about the age of the rows; all others are about the delivery, and listed."""
        known = self._rules.values.get(level.fields[0]) if len(level.fields) == 1 else None
        why = why_no_level(level)
        if not why and known is not None and known[1].kind in {"date", ZONED, *LOCAL}:
            value, column = known
            newest = level.property == FRESHNESS
            moment = value if column.kind == ZONED else f"CAST({value} AS TIMESTAMP)"
            asked = f"epoch({'max' if newest else 'min'}({moment}) FILTER (WHERE isfinite({value})))"
            self.levels.append(LevelAsked(level=level, newest=newest, moment=asked))
            return
        said = why or "its element is no column of dates or times"
        self.unenforced.append(left_level(level, said))

    def _leave(self, rule: str, field: str, line: int, column: int, why: str) -> None:
        self.unenforced.append(Unenforced(line=line, column=column, rule=rule, why=why, field=field))


def _field_at(record: Field, name: str) -> Field | None:
    """The field that a dotted name means; names may hold dots themselves."""
    if name == record.name:
        return record
    for below in record.fields:
        at = f"{record.name}.{below.name}"
        if name == at:
            return below
        if name.startswith(f"{at}."):
            found = _field_at(msgspec.structs.replace(below, name=at), name)
            if found is not None:
                return found
    return None
