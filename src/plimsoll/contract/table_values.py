"""The values of a column, looked at one by one by the record check, and counted by what they break."""

from __future__ import annotations

from typing import Any

import msgspec

from plimsoll.contract.check import Checker
from plimsoll.contract.rules import Contract, Field, LogicalType
from plimsoll.contract.table_plan import ByValue


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a value breaks."""

    rule: str
    field: str  # dotted
    line: int
    column: int
    expected: str
    found: str  # as a reason says it: masked where classified


class ValueLook:
    """The record check of one column alone."""

    def __init__(self, contract: Contract, asked: ByValue) -> None:
        """Compile the column's rules.

        Args:
            contract: that it belongs to.
            asked: the column.
        """
        self.asked = asked
        self._checker = Checker(msgspec.structs.replace(contract, record=asked.declared))

    def look(self, value: Any) -> tuple[Broken, ...]:
        """Every rule that a value breaks, each once.

        Args:
            value: as JSON has it; not null.
        """
        found: dict[tuple[str, str], Broken] = {}
        for reason in self._checker.check(value).reasons:
            name, field = place_of(self.asked.declared, self.asked.field, reason.path)
            line, column = line_of(field, reason.rule)
            found.setdefault(
                (reason.rule, name),
                Broken(
                    rule=reason.rule, field=name, line=line, column=column, expected=reason.expected, found=reason.found
                ),
            )
        return tuple(found.values())


def place_of(field: Field, name: str, pointer: str) -> tuple[str, Field]:
    """The dotted name of a place below a field, and the deepest field that is declared on the way to it.

    Args:
        field: where the pointer begins.
        name: its dotted name.
        pointer: a JSON Pointer (RFC 6901).
    """
    at = field
    for step in pointer.split("/")[1:]:
        plain = step.replace("~1", "/").replace("~0", "~")
        if at.type in {LogicalType.ARRAY, LogicalType.VECTOR}:
            name, below = f"{name}[]", at.items
        elif at.type is LogicalType.MAP:
            name, below = f"{name}.value", at.value
        else:
            name, below = f"{name}.{plain}", at.under(plain)
        if below is None:
            return name, at
        at = below
    return name, at


def line_of(field: Field, rule: str) -> tuple[int, int]:
    """Where a rule of a field stands in the contract: its own line, or that of the field."""
    own = next((r for r in field.rules if r.name == rule), None)
    return (field.line, field.column) if own is None else (own.line, own.column)
