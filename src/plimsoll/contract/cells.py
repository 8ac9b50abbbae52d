"""A row of a CSV file as a record: every cell is text, and is read as what its field's logical type says.

That is reading and not coercion: a cell has no type of its own. What a cell cannot be stays the text that it is, for
the check to refuse.

===========================  =====================================================================================
empty                        null, whatever the type
integer, number              digits, with a sign, a point and an exponent as JSON writes them; no leading zeros
boolean                      ``true`` or ``false`` in any case
timestamp without a format   a blank is taken for the ``T`` of ISO 8601
object, array, map, vector   JSON
all else                     the text
===========================  =====================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from plimsoll.contract.rules import Field, LogicalType, RuleName

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_SPACED: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}.*)", re.DOTALL)
_BOOLEANS: Final = {"true": True, "false": False}
_NESTED: Final = frozenset({LogicalType.OBJECT, LogicalType.ARRAY, LogicalType.MAP, LogicalType.VECTOR})


def read_cells(record: Field, row: Mapping[str, str]) -> dict[str, Any]:
    """A row as the contract's record means it.

    Args:
        record: the schema object.
        row: cells by the name of their column; a column that the record does not name stays text.

    >>> from plimsoll.contract.rules import Field, LogicalType
    >>> amount = Field(name="amount", line=1, column=1, type=LogicalType.NUMBER)
    >>> record = Field(name="r", line=1, column=1, type=LogicalType.OBJECT, fields=(amount,))
    >>> read_cells(record, {"amount": "12.50", "note": "", "ref": "007"})
    {'amount': 12.5, 'note': None, 'ref': '007'}
    """
    fields = {f.name: f for f in record.fields} | {alias: f for f in record.fields for alias in f.aliases}
    return {name: read_cell(fields.get(name), cell) for name, cell in row.items()}


def read_cell(field: Field | None, cell: str) -> Any:
    """One cell; None: the contract does not name its column."""
    if not cell:
        return None
    type_ = None if field is None else field.type
    if type_ in {LogicalType.INTEGER, LogicalType.NUMBER}:
        return number_in(cell)
    if type_ is LogicalType.BOOLEAN:
        return _BOOLEANS.get(cell.casefold(), cell)
    if type_ in _NESTED:
        return _json(cell)
    if field is not None and type_ is LogicalType.TIMESTAMP and all(r.name is not RuleName.FORMAT for r in field.rules):
        spaced = _SPACED.fullmatch(cell)
        return f"{spaced[1]}T{spaced[2]}" if spaced else cell
    return cell


def number_in(cell: str) -> Any:
    """A cell as the number that it is; the text itself when it is none.

    >>> number_in("12"), number_in("-1.50"), number_in("007"), number_in("1e999")
    (12, -1.5, '007', '1e999')
    """
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return cell
    if match[1] is None and match[2] is None:
        return int(cell)
    number = float(cell)
    return number if abs(number) != float("inf") else cell


def kinds_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, LogicalType]:
    """What every cell of each column can be read as: integer, number, boolean, or string.

    A column without a cell is of none of them and is left out.
    """
    kinds: dict[str, LogicalType] = {}
    for at, name in enumerate(columns):
        cells = [row[at] for row in rows if row[at]]
        if cells:
            kinds[name] = _kind(cells)
    return kinds


def _kind(cells: Sequence[str]) -> LogicalType:
    if all(cell.casefold() in _BOOLEANS for cell in cells):
        return LogicalType.BOOLEAN
    numbers = [number_in(cell) for cell in cells]
    if all(isinstance(n, int) for n in numbers):
        return LogicalType.INTEGER
    return LogicalType.STRING if any(isinstance(n, str) for n in numbers) else LogicalType.NUMBER


def _json(cell: str) -> Any:
    if cell[0] not in "[{":
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell
