r"""Declared coercions: what may be done to a value before it is checked, by name and by nothing else.

A coercion that does not apply leaves the value as it is, for the check to reject. Nothing is guessed: each takes
exactly the texts described here.

==========================  ========================================================================================
``trim``                    takes the white space around a text away
``integer-from-string``     ``"42"``, ``"-7"``, ``"+007"`` (at most 19 digits, within 64 bits) become whole numbers
``number-from-string``      ``"3.50"``, ``"-1e3"`` become numbers; a text of digits alone becomes a whole number
``decimal-comma``           ``"12,50"``, ``"1.234,56"``, ``"1 234,5"`` become numbers; so does a text of digits alone.
                            ``"1.234"`` is left: it can be meant in two ways
``boolean-from-string``     true yes y t 1 / false no n f 0, in any case
``date-from-dmy``           ``"31.12.2026"``, ``"31/12/2026"``, ``"31-12-2026"`` (day and month of one or two digits)
                            become ``"2026-12-31"``, if there is such a day
``date-from-mdy``           the same with the month first
``string-from-number``      ``4711`` becomes ``"4711"``, ``2.5`` becomes ``"2.5"``, ``12.0`` becomes ``"12"``
``digits-from-text``        removes everything that is not 0-9; a text without a digit is left
``matrix-from-text``        rows, separated by ``/`` or line breaks, become a list of lists. When a space or a comma
                            stands in any row, these separate the numbers of a row (``"0 5 13/16 0 9"``); otherwise
                            every character is one hexadecimal digit (``"05d/f09"``). All rows must be equally long
==========================  ========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import msgspec

from plimsoll.contract.rules import Field, LogicalType

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,4})?")
_COMMA: Final = re.compile(
    r"[+-]?(?:[0-9]{1,300}|[0-9]{1,3}(?:([. \u00a0\u202f'])[0-9]{3})(?:\1[0-9]{3})*),[0-9]{1,300}"
)
_DATE: Final = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})")
_ROWS: Final = re.compile(r"[/\n]")
_CELLS: Final = re.compile(r"[ ,\t]+")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}


def trim(value: Any) -> Any:
    """Take the white space around a text away."""
    return value.strip() if isinstance(value, str) else value


def integer_from_string(value: Any) -> Any:
    """A text of digits as a whole number.

    >>> integer_from_string("-007"), integer_from_string("7.0")
    (-7, '7.0')
    """
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        return value
    number = int(value)
    return number if -(2**63) <= number < 2**63 else value


def number_from_string(value: Any) -> Any:
    """A text in decimal or scientific notation, with a point, as a number.

    >>> number_from_string("3.50"), number_from_string("12"), number_from_string("1e999")
    (3.5, 12, '1e999')
    """
    whole = integer_from_string(value)
    if whole is not value or not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return whole
    number = float(value)
    return number if abs(number) != float("inf") else value


def decimal_comma(value: Any) -> Any:
    """A text with a comma before its decimals as a number.

    >>> decimal_comma("1.234,56"), decimal_comma("12"), decimal_comma("1.234")
    (1234.56, 12, '1.234')
    """
    if not isinstance(value, str) or not _COMMA.fullmatch(value):
        return integer_from_string(value)
    whole, _, decimals = value.partition(",")
    number = float(re.sub("[^0-9+-]", "", whole) + "." + decimals)
    return number if abs(number) != float("inf") else value


def boolean_from_string(value: Any) -> Any:
    """A word for yes or no as a boolean."""
    return _WORDS.get(value.casefold(), value) if isinstance(value, str) else value


def date_from_dmy(value: Any) -> Any:
    """Day, month, year as an ISO 8601 date.

    >>> date_from_dmy("1.2.2026"), date_from_dmy("31.02.2026")
    ('2026-02-01', '31.02.2026')
    """
    return _date(value, day=1, month=3)


def date_from_mdy(value: Any) -> Any:
    """Month, day, year as an ISO 8601 date."""
    return _date(value, day=3, month=1)


def _date(value: Any, *, day: int, month: int) -> Any:
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    try:
        return date(int(match[4]), int(match[month]), int(match[day])).isoformat()
    except ValueError:
        return value


def string_from_number(value: Any) -> Any:
    """A number as text; a whole number without decimals."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 1_000:
        return str(value)
    return value


def digits_from_text(value: Any) -> Any:
    """The digits of a text, without all else."""
    if not isinstance(value, str):
        return value
    return "".join(c for c in value if c in "0123456789") or value


def matrix_from_text(value: Any) -> Any:
    """Rows of numbers as a list of lists.

    >>> matrix_from_text("0 5/16,9"), matrix_from_text("05/f9"), matrix_from_text("05/f")
    ([[0, 5], [16, 9]], [[0, 5], [15, 9]], '05/f')
    """
    if not isinstance(value, str):
        return value
    rows = [row.strip() for row in _ROWS.split(value.strip(" \t\r\n/"))]
    spaced = any(_CELLS.search(row) for row in rows)
    matrix = [_numbers(row) if spaced else _hex_digits(row) for row in rows]
    if not all(matrix) or len({len(row) for row in matrix if row}) != 1:
        return value
    return matrix


def _numbers(row: str) -> list[Any] | None:
    numbers = [number_from_string(cell) for cell in _CELLS.split(row)]
    return None if any(isinstance(n, str) for n in numbers) else numbers


def _hex_digits(row: str) -> list[Any] | None:
    return [int(digit, 16) for digit in row] if _HEX.fullmatch(row) else None


class Coercion(msgspec.Struct, frozen=True):
    """A coercion, and the logical types that its result can be of."""

    apply: Callable[[Any], Any]  # gives the value itself when it does not apply
    gives: frozenset[LogicalType]


_STRING, _DATES = LogicalType.STRING, (LogicalType.DATE, LogicalType.TIMESTAMP, LogicalType.TIME)
_NUMBERS: Final = frozenset({LogicalType.INTEGER, LogicalType.NUMBER})

COERCIONS: Final[Mapping[str, Coercion]] = MappingProxyType(
    {
        "trim": Coercion(trim, frozenset({_STRING, *_DATES})),
        "integer-from-string": Coercion(integer_from_string, _NUMBERS),
        "number-from-string": Coercion(number_from_string, _NUMBERS),
        "decimal-comma": Coercion(decimal_comma, _NUMBERS),
        "boolean-from-string": Coercion(boolean_from_string, frozenset({LogicalType.BOOLEAN})),
        "date-from-dmy": Coercion(date_from_dmy, frozenset({_STRING, LogicalType.DATE})),
        "date-from-mdy": Coercion(date_from_mdy, frozenset({_STRING, LogicalType.DATE})),
        "string-from-number": Coercion(string_from_number, frozenset({_STRING})),
        "digits-from-text": Coercion(digits_from_text, frozenset({_STRING})),
        "matrix-from-text": Coercion(matrix_from_text, frozenset({LogicalType.ARRAY})),
    }
)


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done at one place of a record and below it."""

    steps: tuple[Callable[[Any], Any], ...] = ()
    names: tuple[tuple[str, str], ...] = ()  # former name, name
    fields: tuple[tuple[str, str, _Plan], ...] = ()  # name, the same as a JSON Pointer step, what is done below
    items: _Plan | None = None
    values: _Plan | None = None  # of every field of a map


def plan_for(field: Field) -> _Plan | None:
    """What a contract declares to be done to a record; None when nothing is."""
    below = [(f.name, pointer_step(f.name), plan) for f in field.fields if (plan := plan_for(f)) is not None]
    names = tuple((alias, f.name) for f in field.fields for alias in f.aliases)
    items = plan_for(field.items) if field.items is not None else None
    values = plan_for(field.value) if field.value is not None else None
    steps = tuple(COERCIONS[name].apply for name in field.coercions)
    if not (steps or names or below or items or values):
        return None
    return _Plan(steps=steps, names=names, fields=tuple(below), items=items, values=values)


def mend(plan: _Plan, value: Any) -> tuple[Any, tuple[str, ...]]:
    """Apply what is declared.

    Args:
        plan: from `plan_for`.
        value: the record; it is never changed.

    Returns:
        The record with the coercions made (the same object when there were none; parts without a change are shared),
        and a JSON Pointer to every value that changed.
    """
    changed: list[str] = []
    mended = _mend(plan, value, "", changed)
    return mended, tuple(dict.fromkeys(changed))


def _mend(plan: _Plan, value: Any, at: str, changed: list[str]) -> Any:
    made = value
    for step in plan.steps:
        made = step(made)
    if made is not value and (type(made) is not type(value) or made != value):
        changed.append(at)
    else:
        made = value
    if isinstance(made, dict):
        return _mend_fields(plan, made, at, changed)
    if isinstance(made, list) and plan.items is not None:
        below = [_mend(plan.items, item, f"{at}/{i}", changed) for i, item in enumerate(made)]
        return made if all(map(_same, below, made)) else below
    return made


def _mend_fields(plan: _Plan, value: dict[Any, Any], at: str, changed: list[str]) -> dict[Any, Any]:
    made = value
    for former, name in plan.names:
        if former in made and name not in made:
            made = {name if key == former else key: item for key, item in made.items()}
            changed.append(f"{at}/{pointer_step(name)}")
    for name, step, below in plan.fields:
        if name in made:
            made = _with(made, name, _mend(below, made[name], f"{at}/{step}", changed), value)
    if plan.values is not None:
        for name in value:
            step = pointer_step(str(name))
            made = _with(made, name, _mend(plan.values, made[name], f"{at}/{step}", changed), value)
    return made


def _with(made: dict[Any, Any], name: Any, item: Any, given: dict[Any, Any]) -> dict[Any, Any]:
    """The fields with one of them replaced; copied first while they are still the given ones."""
    if item is made[name]:
        return made
    copy = dict(made) if made is given else made
    copy[name] = item
    return copy


def _same(a: Any, b: Any) -> bool:
    return a is b


def pointer_step(name: str) -> str:
    """One step of a JSON Pointer (RFC 6901, section 3).

    >>> pointer_step("a/b~c")
    'a~1b~0c'
    """
    return name.replace("~", "~0").replace("/", "~1")
