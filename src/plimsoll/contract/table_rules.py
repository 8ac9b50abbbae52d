"""The rules of a contract, compiled for the columns that a table has.

Pure: it knows the types of the columns and none of their values. What SQL says in exactly the same way as the record
check becomes a predicate. All else (formats, dates written as text, patterns that a database reads otherwise, lists,
maps, declared coercions) becomes a question for the distinct values of its column, which the record check answers.
The record check sees a column's values as `plimsoll.engine.parquet.plain` gives them.

A field is looked up under its name, then under its former names. A null and a value that is not there are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plimsoll.contract.columns import BROKEN, LOCAL, ZONED, Column
from plimsoll.contract.dates import ISO_DATE, iso_time, iso_timestamp, moment
from plimsoll.contract.rules import BOUNDS, Field, LogicalType, Rule, RuleName
from plimsoll.contract.sql_numbers import among_values, bound, is_exact, multiple
from plimsoll.contract.sql_text import identifier, matches, means_the_same, text
from plimsoll.contract.table_plan import ByValue, Check

_COUNTS: Final = frozenset({RuleName.MIN_PROPERTIES, RuleName.MAX_PROPERTIES})
_ISO_DATE: Final = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$"
_ISO_TIMESTAMP: Final = (
    "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
)
_YEARS: Final = {
    zoned: tuple(f"CAST('{moment}{'+00:00' if zoned else ''}' AS {'TIMESTAMPTZ' if zoned else 'TIMESTAMP'})"
                 for moment in ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"))
    for zoned in (False, True)
}  # fmt: skip
_OTHER_TEXT: Final = {"date", "time", ZONED, *LOCAL, "timestamp_ns", "time with time zone", "uuid", "blob", "enum"}
# The kinds of columns that a type's rules can be said of, and those that the record check has to look at.
_KINDS: Final[dict[LogicalType | None, tuple[frozenset[str], frozenset[str]]]] = {
    LogicalType.STRING: (frozenset({"varchar"}), frozenset({*_OTHER_TEXT, "interval", "bit"})),
    LogicalType.BOOLEAN: (frozenset({"boolean"}), frozenset()),
    LogicalType.TIME: (frozenset({"time"}), frozenset({"varchar", *_OTHER_TEXT})),
    LogicalType.OBJECT: (frozenset(), frozenset({"struct", "map"})),
    LogicalType.MAP: (frozenset(), frozenset({"struct", "map"})),
    LogicalType.ARRAY: (frozenset(), frozenset({"list", "array"})),
    LogicalType.VECTOR: (frozenset(), frozenset({"list", "array"})),
    None: (frozenset(), frozenset()),
}
_WORDS: Final[dict[LogicalType | None, str]] = {
    LogicalType.STRING: "a text",
    LogicalType.NUMBER: "a number",
    LogicalType.INTEGER: "a whole number",
    LogicalType.BOOLEAN: "true or false",
    LogicalType.DATE: "a date",
    LogicalType.TIMESTAMP: "a point in time",
    LogicalType.TIME: "a time of day",
    LogicalType.OBJECT: "an object",
    None: "a value",
}


class FieldRules:
    """The rules of one schema object, gathered field by field."""

    def __init__(self, record: Field, columns: Mapping[str, Column]) -> None:
        """Compile.

        Args:
            record: the schema object.
            columns: of the table, by name.
        """
        self.checks: list[Check] = []
        self.by_value: list[ByValue] = []
        self.absent: list[Field] = []
        self.renamed: list[tuple[str, str]] = []
        self.values: dict[str, tuple[str, Column]] = {}  # SQL and type of each field, dotted, down to lists and maps
        self.coerced: set[str] = set()  # dotted fields whose values are changed before they are checked
        self._taken: set[str] = set()
        self._object(record, record.name, "", columns, within="")
        self.undeclared = tuple(name for name in columns if name not in self._taken)

    # -- objects

    def _object(self, field: Field, name: str, before: str, columns: Mapping[str, Column], *, within: str) -> None:
        """All fields of an object; ``within`` is SQL that is true where it is there, empty for the row itself."""
        for below in field.fields:
            self._named(below, f"{name}.{below.name}", before, columns, within=within)
        where = within or "true"
        declared = {f.name for f in field.fields}
        for rule in field.rules:
            if rule.name is RuleName.REQUIRED:
                for missing in [n for n in rule.value if n not in columns and n not in declared]:
                    self._add(rule, f"{name}.{missing}", where, "a value")
            elif rule.name in _COUNTS:
                few = rule.name is RuleName.MIN_PROPERTIES
                if len(columns) < rule.value if few else len(columns) > rule.value:
                    self._add(rule, name, where, f"at {'least' if few else 'most'} {rule.value} fields")
        if field.closed:
            named = {n for r in field.rules if r.name is RuleName.REQUIRED for n in r.value}
            aliases = {alias for f in field.fields for alias in f.aliases}
            for other in columns:
                if other not in declared | named | aliases:
                    at = Rule(name=RuleName.REQUIRED, value=None, line=field.line, column=field.column)
                    self._add(at, f"{name}.{other}", where, "no such field", word="unknown-field")

    def _named(self, field: Field, name: str, before: str, columns: Mapping[str, Column], *, within: str) -> None:
        there = next((n for n in (field.name, *field.aliases) if n in columns), None)
        if there is None:
            self.absent += [field] if not within else []
            if field.required:
                self._required(field, name, within or "true", value="")
            return
        if there != field.name:
            self.renamed.append((there, name))
        if not within:
            self._taken.add(there)
        sql = f"struct_extract({before}, {text(there)})" if before else identifier(there)
        self._value(field, name, sql, columns[there], within=within)

    # -- values

    def _value(self, field: Field, name: str, sql: str, column: Column, *, within: str) -> None:
        """One value: null first, then its type, then what is asked of it."""
        self.values[name] = (sql, column)
        if not field.nullable:
            self._required(field, name, f"{within} AND {sql} IS NULL" if within else f"{sql} IS NULL", value=sql)
        if _changes(field):
            self.coerced.add(name)
            self._ask(field, name, sql)
        elif field.type is LogicalType.OBJECT and column.kind == "struct":
            self._object(field, name, sql, column.fields, within=f"{sql} IS NOT NULL")
        elif (made := _of_type(field, sql, column)) is not None:
            self._predicates(field, name, sql, column, *made)
        else:
            self._ask(field, name, sql, sure=_sure(field, sql, column))

    def _predicates(self, field: Field, name: str, sql: str, column: Column, wrong: str, fits: str | None) -> None:
        """Checks of one value, all of whose rules SQL can say."""
        if wrong:
            at = Rule(name=RuleName.REQUIRED, value=None, line=field.line, column=field.column)
            self._check(at, name, wrong, _WORDS.get(field.type, "a value"), field, sql, word="type")
        for rule in field.rules if fits is not None else ():
            said = _rule(rule, field, sql, column)
            if said is not None:
                broken, expected = said
                self._check(rule, name, f"{fits} AND {broken}" if fits else broken, expected, field, sql)

    # -- words

    def _ask(self, field: Field, name: str, sql: str, *, sure: str = "") -> None:
        self.by_value.append(ByValue(declared=field, field=name, value=sql, sure=sure))

    def _required(self, field: Field, name: str, broken: str, *, value: str) -> None:
        said = Rule(name=RuleName.REQUIRED, value=None, line=field.line, column=field.column)
        self._add(said, name, broken, "a value", value=value)

    def _add(self, rule: Rule, name: str, broken: str, expected: str, *, value: str = "", word: str = "") -> None:
        made = Check(
            rule=word or rule.name, field=name, line=rule.line, column=rule.column, expected=expected, broken=broken,
            value=value,
        )  # fmt: skip
        self.checks.append(made)

    def _check(
        self, rule: Rule, name: str, broken: str, expected: str, field: Field, sql: str, *, word: str = ""
    ) -> None:
        made = Check(
            rule=word or rule.name, field=name, line=rule.line, column=rule.column, expected=expected, broken=broken,
            value=sql, hidden=hidden_by(field),
        )  # fmt: skip
        self.checks.append(made)


def hidden_by(field: Field) -> str:
    """Why the values of a field may not be shown; empty: they may."""
    return (field.classification or "classified below") if field.hides else ""


def _changes(field: Field) -> bool:
    """Whether a value is changed before it is checked, it or something in it."""
    below = (*field.fields, *(f for f in (field.items, field.key, field.value) if f is not None))
    return bool(field.coercions) or any(f.aliases or _changes(f) for f in below)


def _of_type(field: Field, sql: str, column: Column) -> tuple[str, str | None] | None:
    """How a column's values can be of the wrong type.

    Returns:
        None: SQL cannot say what is asked of this field. Else a predicate of values of the wrong type ("" for none),
        and one of those of the right type ("" for all, None for none).
    """
    if field.type is not None and field.type.is_numeric:
        return _of_number(field, sql, column)
    if field.type in {LogicalType.DATE, LogicalType.TIMESTAMP}:
        return _of_moment(field, sql, column)
    said = {r.name for r in field.rules} - {RuleName.NOT_NULL}
    if field.type is None and not said:
        return "", ""
    own, kin = _KINDS[field.type]
    if column.kind in own and _is_plain(field, said):
        return "", ""
    # Another kind is of the wrong type, but where the record check sees it as what is asked for.
    return None if column.kind in kin or column.kind in own or field.type is None else (f"{sql} IS NOT NULL", None)


def _is_plain(field: Field, said: set[RuleName]) -> bool:
    """Whether SQL can say all rules of a value that is no number and no date."""
    if field.type is LogicalType.STRING:
        return all(_is_text_rule(r) for r in field.rules)
    return not said or field.type is LogicalType.BOOLEAN


def _is_text_rule(rule: Rule) -> bool:
    if rule.name is RuleName.PATTERN:
        return means_the_same(rule.value)
    return rule.name in {
        RuleName.ENUM, RuleName.MISSING_VALUES, RuleName.MIN_LENGTH, RuleName.MAX_LENGTH, RuleName.NOT_NULL
    }  # fmt: skip


def _of_number(field: Field, sql: str, column: Column) -> tuple[str, str | None] | None:
    if not column.is_whole and column.kind not in BROKEN and column.kind != "decimal":
        # A very large number is one, and is told apart by nobody but the record check.
        return None if column.kind == "uhugeint" else (f"{sql} IS NOT NULL", None)
    if not all(r.name is RuleName.NOT_NULL or is_exact(r, column) for r in field.rules):
        return None
    if column.is_whole:
        return "", ""
    integer = field.type is LogicalType.INTEGER
    if column.kind == "decimal":
        return (f"{sql} <> trunc({sql})", f"{sql} = trunc({sql})") if integer else ("", "")
    finite = f"isfinite({sql})"
    if integer:
        return f"NOT ({finite} AND {sql} = trunc({sql}))", f"{finite} AND {sql} = trunc({sql})"
    return f"NOT {finite}", finite


def _of_moment(field: Field, sql: str, column: Column) -> tuple[str, str | None] | None:
    """Of columns of dates and times; text is left to the record check."""
    said = {r.name: r.value for r in field.rules}
    if not said.keys() <= {RuleName.NOT_NULL, RuleName.TIMEZONE, *BOUNDS}:
        return None
    if field.type is LogicalType.DATE:
        kept = "date" if column.kind == "date" else ""
    else:
        offset = said.get(RuleName.TIMEZONE)
        fits = (column.kind in LOCAL and offset is not True) or (column.kind == ZONED and offset is not False)
        kept = column.kind if fits else ""
    if not kept:
        # Numbers and the like are of another type; another kind of date is written otherwise, and the check says how.
        other = column.is_whole or column.kind in {"boolean", "float", "double", "decimal", "struct", "list", "map"}
        return (f"{sql} IS NOT NULL", None) if other else None
    if RuleName.TIMEZONE in said and field.type is LogicalType.DATE:
        return None
    # A year that no calendar of the record check has, and infinity, are no dates there.
    first, last = ("DATE '0001-01-01'", "DATE '9999-12-31'") if kept == "date" else _YEARS[column.kind == ZONED]
    return f"{sql} NOT BETWEEN {first} AND {last}", f"{sql} BETWEEN {first} AND {last}"


def _rule(rule: Rule, field: Field, sql: str, column: Column) -> tuple[str, str] | None:
    """One rule of a value that has the right type: where it is broken, and what is expected; None: it asks nothing."""
    value = rule.value
    if rule.name in {RuleName.ENUM, RuleName.MISSING_VALUES}:
        return _listed(rule, sql, column)
    if rule.name in BOUNDS:
        return _moment_bound(rule, field, sql, column) if _is_moment(field) else bound(rule, sql, column)
    of_text = {
        RuleName.PATTERN: (f"NOT ({matches(sql, str(value))})", f"a text that matches {value}"),
        RuleName.MIN_LENGTH: (f"length({sql}) < {value}", f"at least {value} characters"),
        RuleName.MAX_LENGTH: (f"length({sql}) > {value}", f"at most {value} characters"),
    }
    return multiple(rule, sql) if rule.name is RuleName.MULTIPLE_OF else of_text.get(rule.name)


def _is_moment(field: Field) -> bool:
    return field.type in {LogicalType.DATE, LogicalType.TIMESTAMP}


def _listed(rule: Rule, sql: str, column: Column) -> tuple[str, str]:
    among = among_values(sql, rule.value, column)
    shown = ", ".join(map(str, rule.value[:12])) + (", …" if len(rule.value) > 12 else "")
    if rule.name is RuleName.MISSING_VALUES:
        return among or "false", f"a value that is not one of {shown}"
    return (f"NOT ({among})" if among else f"{sql} IS NOT NULL"), f"one of {shown}"


def _moment_bound(rule: Rule, field: Field, sql: str, column: Column) -> tuple[str, str]:
    forms = (ISO_DATE, iso_timestamp(offset=None), iso_time(offset=None))
    limit = next(at for form in forms if (at := moment(form, rule.value)) is not None)
    zoned = column.kind == ZONED
    stamp = limit.isoformat() if zoned else limit.replace(tzinfo=None).isoformat()
    literal = f"CAST('{stamp}' AS {'TIMESTAMPTZ' if zoned else 'TIMESTAMP'})"
    left = sql if zoned or field.type is LogicalType.TIMESTAMP else f"CAST({sql} AS TIMESTAMP)"
    sign, words = {
        RuleName.MINIMUM: ("<", "at or after"),
        RuleName.MAXIMUM: (">", "at or before"),
        RuleName.EXCLUSIVE_MINIMUM: ("<=", "after"),
        RuleName.EXCLUSIVE_MAXIMUM: (">=", "before"),
    }[rule.name]
    return f"{left} {sign} {literal}", f"{words} {rule.value}"


def _sure(field: Field, sql: str, column: Column) -> str:
    """SQL that is true of texts that surely are the date that is asked for: most are, and need no look."""
    said = {r.name: r.value for r in field.rules}
    if column.kind != "varchar" or not said.keys() <= {RuleName.NOT_NULL, RuleName.TIMEZONE}:
        return ""
    day = f"TRY_CAST(left({sql}, 10) AS DATE) IS NOT NULL"
    if field.type is LogicalType.DATE and RuleName.TIMEZONE not in said:
        return f"regexp_matches({sql}, {text(_ISO_DATE)}) AND {day}"
    if field.type is LogicalType.TIMESTAMP:
        offset = {True: "$", False: None, None: "?$"}[said.get(RuleName.TIMEZONE)]
        if offset is not None:
            return f"regexp_matches({sql}, {text(_ISO_TIMESTAMP + offset)}) AND {day}"
    return ""
