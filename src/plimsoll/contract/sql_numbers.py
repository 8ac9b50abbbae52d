"""Rules of numbers as SQL that compares exactly: nothing is rounded on the way, however large it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from plimsoll.contract.columns import BROKEN, Column
from plimsoll.contract.rules import BOUNDS, Rule, RuleName
from plimsoll.contract.sql_text import number, text, whole

_EXACT: Final = 1 << 53  # whole numbers up to here are exact as a double
_LARGEST: Final = 1 << 127
_WORDS: Final = {
    RuleName.MINIMUM: ("<", "at least"),
    RuleName.MAXIMUM: (">", "at most"),
    RuleName.EXCLUSIVE_MINIMUM: ("<=", "more than"),
    RuleName.EXCLUSIVE_MAXIMUM: (">=", "less than"),
}


def is_exact(rule: Rule, column: Column) -> bool:
    """Whether SQL says a rule of a number in exactly the same way as the record check does."""
    if rule.name in BOUNDS:
        return column.is_whole or _fits(rule.value, column)
    if rule.name in {RuleName.ENUM, RuleName.MISSING_VALUES}:
        return all(isinstance(v, str | bool) or column.is_whole or _fits(v, column) for v in rule.value)
    if rule.name is RuleName.MULTIPLE_OF:
        step = whole(rule.value)
        return column.is_whole and step is not None and 0 < step < _EXACT
    return False


def _fits(value: float, column: Column) -> bool:
    """Whether a limit can be compared with a column of broken numbers without rounding either."""
    if column.kind in BROKEN:
        return abs(value) <= _EXACT if isinstance(value, int) else math.isfinite(value)
    return _decimal(value, column) is not None


def _decimal(value: float, column: Column) -> str | None:
    """A limit as a decimal that the column can be compared with; None when together they need too many digits."""
    exact = Decimal(value if isinstance(value, int) else repr(value))
    sign, digits, exponent = exact.as_tuple()
    assert isinstance(exponent, int), "limits are finite"
    del sign
    scale = max(column.scale, -exponent, 0)
    before = max(column.precision - column.scale, len(digits) + exponent, 1)
    return f"CAST({text(format(exact, 'f'))} AS DECIMAL({before + scale},{scale}))" if before + scale <= 38 else None


def bound(rule: Rule, sql: str, column: Column) -> tuple[str, str]:
    """Where a bound is broken, and what is expected."""
    sign, words = _WORDS[rule.name]
    expected = f"{words} {rule.value}"
    if column.is_whole:
        return _whole_bound(rule, sql), expected
    if column.kind == "decimal":
        return f"{sql} {sign} {_decimal(rule.value, column)}", expected
    left = f"CAST({sql} AS DOUBLE)" if column.kind == "float" else sql
    return f"{left} {sign} {number(rule.value)}", expected


def _whole_bound(rule: Rule, sql: str) -> str:
    """Whole numbers are compared with a whole limit: as doubles, those beyond 2^53 would not be told apart."""
    value = rule.value
    if rule.name is RuleName.MINIMUM:
        sign, limit = "<", math.ceil(value)
    elif rule.name is RuleName.MAXIMUM:
        sign, limit = ">", math.floor(value)
    elif rule.name is RuleName.EXCLUSIVE_MINIMUM:
        sign, limit = "<=", math.floor(value)
    else:
        sign, limit = ">=", math.ceil(value)
    if abs(limit) >= _LARGEST:  # beyond every column: broken by all, or by none
        return f"{sql} IS NOT NULL" if (limit > 0) is (sign[0] == "<") else "false"
    return f"{sql} {sign} {number(limit)}"


def multiple(rule: Rule, sql: str) -> tuple[str, str]:
    """Where a whole number is no multiple of another."""
    step = whole(rule.value)
    return f"{sql} % {step} <> 0", f"a multiple of {rule.value}"


def among_values(sql: str, values: Sequence[Any], column: Column) -> str:
    """SQL that is true where a column is one of the listed values; "" when it can hold none of them."""
    literals = _literals(values, column)
    if column.kind == "decimal":  # each by itself: together they could need more digits than there are
        return " OR ".join(f"{sql} = {literal}" for literal in literals)
    return f"{sql} IN ({', '.join(literals)})" if literals else ""


def _literals(values: Sequence[Any], column: Column) -> list[str]:
    """The listed values that a column can hold. A number is no text, and true is no number."""
    if column.kind == "varchar":
        return [text(v) for v in values if isinstance(v, str)]
    if column.kind == "boolean":
        return [str(v).lower() for v in values if isinstance(v, bool)]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if column.is_whole:
        return [number(n) for v in numbers if (n := whole(v)) is not None and abs(n) < _LARGEST]
    if column.kind == "decimal":
        return [literal for v in numbers if (literal := _decimal(v, column)) is not None]
    return [number(v) for v in numbers]
