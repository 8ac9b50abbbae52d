"""Custom properties: what Plimsoll adds to the standard, and enumerations that other tools keep there.

========================  =======================  ===================================================================
property                  stands at                says
========================  =======================  ===================================================================
``plimsollCoerce``        a property, items        list of coercions, tried in this order before the check (`coerce`)
``plimsollAliases``       a property               list of former names of the field, renamed on arrival
``plimsollUnknownFields`` contract, schema object, ``refuse`` (the default): a field that the contract does not
                          a property               name breaks it; ``allow``: it is let through unchecked. Holds for
                                                   everything below, until said otherwise. An object that names no
                                                   fields is open.
``plimsollRecord``        contract                 name of the schema object that records are checked against, when
                                                   there are several; without it, the first
``plimsollFallback``,     contract                 what stands in for the source, who uses it, who may change it, and
``plimsollPrecedence``,                            which source is right, where it comes from (`agreement`)
``plimsollConsumers``,
``plimsollModifiers``,
``plimsollLineage``
``plimsollWindow``        contract                 how far back records are compared with each other (`agreement`)
``plimsollOrder``         a property               how its values follow each other, record by record
========================  =======================  ===================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract.agreement import (
    read_consumers,
    read_fallback,
    read_lineage,
    read_modifiers,
    read_precedence,
    read_window,
)
from plimsoll.contract.coerce import COERCIONS
from plimsoll.contract.group import Group
from plimsoll.contract.notes import Notes
from plimsoll.contract.rules import LogicalType
from plimsoll.contract.terms import Consumer, Direction, Fallback, Precedence, Upstream, WindowRule
from plimsoll.contract.values import read_values
from plimsoll.model.words import quoted
from plimsoll.model.yaml_source import Path

OURS: Final[Mapping[str, tuple[str, ...]]] = {
    "plimsollCoerce": ("property", "item"),
    "plimsollAliases": ("property",),
    "plimsollUnknownFields": ("contract", "object", "property", "item"),
    "plimsollRecord": ("contract",),
    "plimsollFallback": ("contract",),
    "plimsollPrecedence": ("contract",),
    "plimsollConsumers": ("contract",),
    "plimsollModifiers": ("contract",),
    "plimsollLineage": ("contract",),
    "plimsollWindow": ("contract",),
    "plimsollOrder": ("property",),
}
_PREFIX: Final = "plimsoll"
_ENUM: Final = "enum"
_UNIT: Final = "unit"


class Custom(msgspec.Struct, frozen=True, kw_only=True):
    """The custom properties of one element that mean something here."""

    coercions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    allow_unknown: bool | None = None  # None: it does not say
    record: str = ""
    enum: tuple[Any, ...] = ()
    enum_path: Path = ()
    unit: str = ""  # what a number of the property counts: "EUR", "mm"; as many tools keep it
    fallback: Fallback | None = None
    precedence: Precedence | None = None
    consumers: tuple[Consumer, ...] = ()
    modifiers: tuple[str, ...] = ()
    lineage: tuple[Upstream, ...] = ()
    window: WindowRule | None = None
    order: tuple[Direction, tuple[str, ...]] | None = None  # and the fields that what follows each other is alike in
    order_path: Path = ()


def read_custom(
    given: Any,
    path: Path,
    notes: Notes,
    *,
    at: str,
    logical: LogicalType | None = None,
) -> Custom:
    """Read ``customProperties``: a list of property and value, or a plain group of keys.

    Args:
        given: as the file gives it.
        path: of the list.
        notes: takes the problems.
        at: what it stands at: contract, object, property or item.
        logical: logical type of the property.
    """
    found: dict[str, Any] = {}
    places: dict[str, Path] = {}
    first: dict[str, int] = {}
    for name, value, where in _pairs(given, path):
        line = notes.source.where(where).line
        if name in OURS and first.setdefault(name, line) != line:
            notes.problem("duplicate", where, f"'{name}' is already on line {first[name]}", fix="keep one of the two")
        elif name in OURS and at in OURS[name]:
            found[name] = _OUR_READERS[name](value, where, notes, logical)
            places[name] = where
        elif name in OURS:
            said = f"'{name}' has no meaning at the {at}"
            notes.problem("custom", where, said, fix=f"write it at: {', '.join(OURS[name])}")
        elif name.startswith(_PREFIX):
            notes.unknown("custom", where, "a custom property of Plimsoll", name, OURS)
        elif name == _ENUM and at in {"property", "item"}:
            found["enum"], found["enum_path"] = _enum(value, where, notes, logical), where
        elif name == _UNIT and at in {"property", "item"} and isinstance(value, str):
            found["unit"] = value.strip()
    return Custom(
        coercions=found.get("plimsollCoerce", ()),
        aliases=found.get("plimsollAliases", ()),
        allow_unknown=found.get("plimsollUnknownFields"),
        record=found.get("plimsollRecord", ""),
        enum=found.get("enum", ()),
        enum_path=found.get("enum_path", ()),
        unit=found.get("unit", ""),
        fallback=found.get("plimsollFallback"),
        precedence=found.get("plimsollPrecedence"),
        consumers=found.get("plimsollConsumers", ()),
        modifiers=found.get("plimsollModifiers", ()),
        lineage=found.get("plimsollLineage", ()),
        window=found.get("plimsollWindow"),
        order=found.get("plimsollOrder"),
        order_path=places.get("plimsollOrder", ()),
    )


def _pairs(given: Any, path: Path) -> list[tuple[str, Any, Path]]:
    """Name, value and place of each; what is malformed the shape has noted."""
    if isinstance(given, dict):
        return [(name, value, (*path, name)) for name, value in given.items()]
    pairs: list[tuple[str, Any, Path]] = []
    for i, item in enumerate(given if isinstance(given, list) else []):
        if isinstance(item, dict) and isinstance(item.get("property"), str):
            pairs.append((item["property"], item.get("value"), (*path, i, "value")))
    return pairs


def _texts(value: Any, path: Path, notes: Notes, wanted: str) -> tuple[str, ...]:
    """One text or a list of texts."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(i, str) and i for i in items):
        notes.mistyped(path, value, wanted)
        return ()
    return tuple(dict.fromkeys(items))


def _coerce(value: Any, path: Path, notes: Notes, logical: LogicalType | None) -> tuple[str, ...]:
    names = _texts(value, path, notes, "a list of coercions")
    known = True
    for i, name in enumerate(names):
        if name not in COERCIONS:
            at = (*path, i) if isinstance(value, list) else path
            notes.unknown("coercion", at, "a coercion", name, COERCIONS)
            known = False
    if names and known and logical is not None and logical not in COERCIONS[names[-1]].gives:
        gives = " or ".join(sorted(COERCIONS[names[-1]].gives))
        said = f"'{names[-1]}' gives a value for {gives}; this field is {logical}"
        notes.problem("coercion", path, said, fix="end the list with a coercion to the field's logicalType")
    return names if known else ()


def _aliases(value: Any, path: Path, notes: Notes, _logical: LogicalType | None) -> tuple[str, ...]:
    return _texts(value, path, notes, "a list of former names")


def _unknown_fields(value: Any, path: Path, notes: Notes, _logical: LogicalType | None) -> bool | None:
    if value not in {"refuse", "allow"} if isinstance(value, str) else True:
        notes.problem("custom", path, f"{quoted(str(value))} is neither refuse nor allow", fix="write refuse or allow")
        return None
    return bool(value == "allow")


def _record(value: Any, path: Path, notes: Notes, _logical: LogicalType | None) -> str:
    if not isinstance(value, str):
        notes.mistyped(path, value, "a text")
        return ""
    return value


def _enum(value: Any, path: Path, notes: Notes, logical: LogicalType | None) -> tuple[Any, ...]:
    """A list, or, as some exports write it, the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            said = f"{quoted(value)} is not a list of allowed values"
            notes.problem("values", path, said, fix="write a list: [a, b]")
            return ()
    return read_values(value, path, notes, logical)


def _order(
    value: Any, path: Path, notes: Notes, logical: LogicalType | None
) -> tuple[Direction, tuple[str, ...]] | None:
    """A word, or a group of it and of the fields that what follows each other is alike in."""
    if logical is None or not (logical.is_numeric or logical.is_temporal):
        said = f"only numbers, dates and times have an order; this field is {logical or 'of no logicalType'}"
        notes.problem("custom", path, said, fix="remove plimsollOrder, or name the logicalType")
        return None
    group = Group({"direction": value} if isinstance(value, str) else value, path, notes, "plimsollOrder")
    direction, per = group.word("direction", Direction), group.texts("per")
    group.close()
    return None if direction is None else (direction, per)


_OUR_READERS: Final[Mapping[str, Callable[[Any, Path, Notes, LogicalType | None], Any]]] = {
    "plimsollCoerce": _coerce,
    "plimsollAliases": _aliases,
    "plimsollUnknownFields": _unknown_fields,
    "plimsollRecord": _record,
    "plimsollFallback": lambda value, path, notes, _logical: read_fallback(value, path, notes),
    "plimsollPrecedence": lambda value, path, notes, _logical: read_precedence(value, path, notes),
    "plimsollConsumers": lambda value, path, notes, _logical: read_consumers(value, path, notes),
    "plimsollModifiers": lambda value, path, notes, _logical: read_modifiers(value, path, notes),
    "plimsollLineage": lambda value, path, notes, _logical: read_lineage(value, path, notes),
    "plimsollWindow": lambda value, path, notes, _logical: read_window(value, path, notes),
    "plimsollOrder": _order,
}
