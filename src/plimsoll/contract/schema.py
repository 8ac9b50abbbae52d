"""Fields as JSON Schema (draft 2020-12), which is what every check of a record is made with.

Where ODCS and JSON Schema leave a choice:

- ``required`` means that a value is there and is not null, as in ODCS; what is not required may be missing or null.
- A whole number may be written ``1.0``: JSON Schema calls it an integer, and so do we. The value stays what it was.
- Formats are asserted, not only annotated.
- A date is text as ``yyyy-MM-dd``; a timestamp is ISO 8601 with ``T``, its offset optional unless ``timezone`` says
  whether it must be there; a ``format`` replaces both. ``i32``, the standard's default for whole numbers, is no bound
  unless the contract writes it.
- ``pattern`` is searched for anywhere in the text; anchor it with ``^`` and ``$``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from plimsoll.contract.dates import ISO_DATE, Layout, is_written, iso_time, iso_timestamp, moment, read_layout
from plimsoll.contract.odcs import BASE64, ELEMENTS, WHOLE_ELEMENTS
from plimsoll.contract.rules import BOUNDS, Field, LogicalType, Rule, RuleName

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_ANYTHING_BUT_NULL: Final = ["string", "number", "boolean", "object", "array"]
_WORDS: Final = {
    LogicalType.STRING: "string",
    LogicalType.DATE: "string",
    LogicalType.TIMESTAMP: "string",
    LogicalType.TIME: "string",
    LogicalType.NUMBER: "number",
    LogicalType.INTEGER: "integer",
    LogicalType.BOOLEAN: "boolean",
    LogicalType.OBJECT: "object",
    LogicalType.ARRAY: "array",
    LogicalType.MAP: "object",
    LogicalType.VECTOR: "array",
}
_BOUND_WORDS: Final = {
    RuleName.MINIMUM: "at or after",
    RuleName.MAXIMUM: "at or before",
    RuleName.EXCLUSIVE_MINIMUM: "after",
    RuleName.EXCLUSIVE_MAXIMUM: "before",
}


class Format(msgspec.Struct, frozen=True):
    """A format of ours, that JSON Schema has no word for."""

    holds: Callable[[str], bool]
    rule: RuleName  # what a reason is named by
    expected: str  # in words


class Formats:
    """The formats of ours that one contract needs, by the name that its schema gives them.

    Args:
        strict: where a timestamp may stand with or without an offset, let a pattern stand for ours: it takes fewer
            texts and none that ours refuses. A library that has to know no format of ours is half again as fast.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.by_name: dict[str, Format] = {}
        self.strict = strict

    def name(self, key: str, format_: Format) -> str:
        """The name under which a format is known; equal ones share theirs."""
        self.by_name.setdefault(key, format_)
        return key

    @property
    def callables(self) -> dict[str, Callable[[str], bool]]:
        """As the checking library takes them."""
        return {name: f.holds for name, f in self.by_name.items()}


def to_schema(field: Field, formats: Formats) -> dict[str, Any]:
    """The JSON Schema of a field.

    Args:
        field: any field, or a record.
        formats: collects the formats that the schema names and JSON Schema does not know.
    """
    schema: dict[str, Any] = {}
    if field.type is None:
        if not field.nullable:
            schema["type"] = list(_ANYTHING_BUT_NULL)
    else:
        word = _WORDS[field.type]
        schema["type"] = [word, "null"] if field.nullable else word
    for rule in field.rules:
        if not (field.type is not None and field.type.is_temporal and rule.name in _TEMPORAL):
            _add(schema, _keyword(rule, field))
    if field.type is not None and field.type.is_temporal:
        _add_temporal(schema, field, formats)
    elif schema.get("format") == BASE64:
        schema["format"] = formats.name(BASE64, Format(_is_base64, RuleName.FORMAT, "text in base64"))
    _add_parts(schema, field, formats)
    return schema


def _add(schema: dict[str, Any], keyword: dict[str, Any]) -> None:
    """One keyword more; a second of the same name stands beside the first."""
    if schema.keys() & keyword.keys():
        schema.setdefault("allOf", []).append(keyword)
    else:
        schema.update(keyword)


def _keyword(rule: Rule, field: Field) -> dict[str, Any]:
    if rule.name is RuleName.ENUM:
        return {"enum": [*rule.value, None] if field.nullable else [*rule.value]}
    if rule.name is RuleName.NOT_NULL:
        return {}  # the type says it
    if rule.name is RuleName.MISSING_VALUES:
        return {"not": {"enum": list(rule.value)}}
    if rule.name is RuleName.REQUIRED:
        return {"required": list(rule.value)}
    if field.type is LogicalType.VECTOR and rule.name is RuleName.FORMAT:
        return {}  # it is about the elements
    return {rule.name.value: rule.value}


def _add_parts(schema: dict[str, Any], field: Field, formats: Formats) -> None:
    if field.type is LogicalType.OBJECT:
        needed = [f.name for f in field.fields if f.required]
        if needed:
            schema["required"] = list(dict.fromkeys([*schema.get("required", []), *needed]))
        if field.fields:
            schema["properties"] = {f.name: to_schema(f, formats) for f in field.fields}
        if field.closed:
            # A name that must exist may exist, whether or not the contract says what it holds.
            schema.setdefault("properties", {}).update(
                {n: True for n in schema.get("required", []) if field.under(n) is None}
            )
            schema["additionalProperties"] = False
    elif field.type is LogicalType.ARRAY and field.items is not None:
        schema["items"] = to_schema(field.items, formats)
    elif field.type is LogicalType.VECTOR:
        schema["items"] = to_schema(element_of(field), formats)
    elif field.type is LogicalType.MAP:
        schema["propertyNames"] = to_schema(key_of(field), formats)
        schema["additionalProperties"] = to_schema(field.value, formats) if field.value is not None else True


def element_of(field: Field) -> Field:
    """What stands in a vector: a number, within the bounds of its element type."""
    said = next((r for r in field.rules if r.name is RuleName.FORMAT), None)
    whole = said is not None and said.value in WHOLE_ELEMENTS
    bounds = ELEMENTS[said.value] if said is not None else None
    rules: tuple[Rule, ...] = ()
    if said is not None and bounds is not None:
        low = Rule(name=RuleName.MINIMUM, value=bounds[0], line=said.line, column=said.column)
        high = Rule(name=RuleName.MAXIMUM, value=bounds[1], line=said.line, column=said.column)
        rules = (low, high)
    return Field(
        name="",
        line=field.line,
        column=field.column,
        type=LogicalType.INTEGER if whole else LogicalType.NUMBER,
        required=True,
        rules=rules,
        classification=field.classification,
        classified=field.classified,
    )


def key_of(field: Field) -> Field:
    """What the names in a map must be: in JSON they are always text."""
    key = field.key
    if key is None or (key.type not in {None, LogicalType.STRING} and not _is_temporal(key)):
        digits = Rule(name=RuleName.PATTERN, value="^-?[0-9]+$", line=field.line, column=field.column)
        whole = key is not None and key.type is LogicalType.INTEGER
        rules = (digits,) if whole else ()
        return Field(name="", line=field.line, column=field.column, type=LogicalType.STRING, required=True, rules=rules)
    return msgspec.structs.replace(key, required=True)


def _is_temporal(field: Field) -> bool:
    return field.type is not None and field.type.is_temporal


# -- dates and times

_TEMPORAL: Final = frozenset({RuleName.FORMAT, RuleName.TIMEZONE, *BOUNDS})
# Most timestamps without an offset: every month has days up to the 28th, and the others are left to the calendar.
_LOCAL: Final = (
    "^[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "(?:[.][0-9]{1,6})?$"
)


def _add_temporal(schema: dict[str, Any], field: Field, formats: Formats) -> None:
    said = next((r.value for r in field.rules if r.name is RuleName.FORMAT), None)
    offset = next((r.value for r in field.rules if r.name is RuleName.TIMEZONE), None)
    layout = _layout(field, said, offset=offset)
    # Most timestamps have an offset; the library's own check of those is ten times as fast as ours of both forms.
    either = field.type is LogicalType.TIMESTAMP and said is None and offset is None
    if either and formats.strict:
        _add(schema, {"anyOf": [{"format": "date-time"}, {"pattern": _LOCAL}]})
    else:
        name = _format_name(field, layout, said, formats, offset=offset)
        _add(schema, {"anyOf": [{"format": "date-time"}, {"format": name}]} if either else {"format": name})
    for rule in field.rules:
        if rule.name in BOUNDS:
            _add(schema, {"format": _bound_name(rule, layout, formats)})


def layout_of(field: Field) -> Layout | None:
    """How the dates or times of a field are written; None where it has none with a day."""
    if field.type not in {LogicalType.DATE, LogicalType.TIMESTAMP}:
        return None
    said = {r.name: r.value for r in field.rules}
    return _layout(field, said.get(RuleName.FORMAT), offset=said.get(RuleName.TIMEZONE))


def _layout(field: Field, said: str | None, *, offset: bool | None) -> Layout:
    if said is not None:
        return read_layout(said)
    if field.type is LogicalType.DATE:
        return ISO_DATE
    return iso_time(offset=offset) if field.type is LogicalType.TIME else iso_timestamp(offset=offset)


def _format_name(field: Field, layout: Layout, said: str | None, formats: Formats, *, offset: bool | None) -> str:
    """The library's own format where it says the same: it is the faster check."""
    if field.type is LogicalType.DATE and said in {None, ISO_DATE.text}:
        return "date"
    if said is None and offset is True:
        return "time" if field.type is LogicalType.TIME else "date-time"
    expected = f"{field.type} as {layout.text}"
    return formats.name(
        f"{field.type} {layout.text}",
        Format(lambda text: is_written(layout, text), RuleName.FORMAT, expected),
    )


def _bound_name(rule: Rule, layout: Layout, formats: Formats) -> str:
    forms = (layout, ISO_DATE, iso_timestamp(offset=None), iso_time(offset=None))
    limit = next(at for form in forms if (at := moment(form, rule.value)) is not None)
    compare: Callable[[Any], bool] = {
        RuleName.MINIMUM: lambda at: at >= limit,
        RuleName.MAXIMUM: lambda at: at <= limit,
        RuleName.EXCLUSIVE_MINIMUM: lambda at: at > limit,
        RuleName.EXCLUSIVE_MAXIMUM: lambda at: at < limit,
    }[rule.name]

    def holds(text: str) -> bool:
        at = moment(layout, text)
        return at is None or compare(at)  # what is no date breaks the format, not the bound

    expected = f"{_BOUND_WORDS[rule.name]} {rule.value}"
    return formats.name(f"{rule.name} {rule.value} as {layout.text}", Format(holds, rule.name, expected))


def moment_of(field: Field, text: str) -> datetime | None:
    """The point in time that a value of a field gives; None: it gives none, or its field holds no such values."""
    if field.type is None or not field.type.is_temporal:
        return None
    said = next((r.value for r in field.rules if r.name is RuleName.FORMAT), None)
    offset = next((r.value for r in field.rules if r.name is RuleName.TIMEZONE), None)
    return moment(_layout(field, said, offset=offset), text)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
