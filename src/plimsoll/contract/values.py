"""Lists of allowed or missing values, wherever a contract writes them."""

from __future__ import annotations

from typing import Any

from plimsoll.contract.notes import Notes, kind_of
from plimsoll.contract.patterns import why_not
from plimsoll.contract.rules import LogicalType
from plimsoll.model.words import quoted
from plimsoll.model.yaml_source import Path


def read_values(
    values: Any,
    path: Path,
    notes: Notes,
    logical: LogicalType | None,
    *,
    inside: str = "",
) -> tuple[Any, ...]:
    """The values of a list, each of a kind that the logical type can have.

    Args:
        values: as the file gives them.
        path: of the list.
        notes: takes the problems.
        logical: type of the property; None: any value will do.
        inside: the key that holds the value, when the items are groups of keys.

    Returns:
        Values without nulls: whether a field may be null is said by `required` alone.
    """
    if not isinstance(values, list) or not values:
        notes.problem("values", path, f"found {kind_of(values)}; a list with at least one value is asked for")
        return ()
    kept: list[Any] = []
    for i, item in enumerate(values):
        at = (*path, i, inside) if inside else (*path, i)
        value = item.get(inside) if inside and isinstance(item, dict) else item
        if isinstance(value, dict | list):
            if not inside:
                notes.mistyped(at, value, "a single value")
        elif value is not None and not suits(value, logical):
            assert logical is not None, "every value suits an undeclared type"
            fix = "put it in quotes" if not isinstance(value, str) else f"write {_EXAMPLES.get(logical, 'one')}"
            notes.problem("values", at, f"{quoted(str(value))} is {kind_of(value)}, the field is {logical}", fix=fix)
        elif value is not None:
            kept.append(value)
    return tuple(kept)


_EXAMPLES = {
    LogicalType.INTEGER: "a whole number without quotes",
    LogicalType.NUMBER: "a number without quotes",
    LogicalType.BOOLEAN: "true or false without quotes",
}


def suits(value: Any, logical: LogicalType | None) -> bool:
    """Whether a value can be one of this logical type."""
    if logical is LogicalType.STRING or (logical is not None and logical.is_temporal):
        return isinstance(value, str)
    if logical is LogicalType.BOOLEAN:
        return isinstance(value, bool)
    if logical is LogicalType.INTEGER:
        return not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
    if logical is LogicalType.NUMBER:
        return not isinstance(value, bool) and isinstance(value, int | float)
    return True


def read_pattern(value: Any, path: Path, notes: Notes) -> str | None:
    """A regular expression that can be checked; None when there is none, and why is noted."""
    if not isinstance(value, str):
        notes.mistyped(path, value, "a regular expression")
        return None
    why = why_not(value)
    if why is not None:
        notes.problem("pattern", path, f"the pattern {quoted(value)} cannot be used: {why[0]}", fix=why[1])
        return None
    return value
