"""Why a record breaks its contract: every reason, with its place.

The checking library decides. Here a record that it refuses is taken apart along the fields, so that each reason names
one value, and what is large is looked at once: the library's own list of errors copies the whole record for each of
them, which takes seconds for one record of a megabyte with a hundred missing fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jsonschema_rs
import msgspec

from plimsoll.contract.coerce import pointer_step
from plimsoll.contract.rules import Field, LogicalType, RuleName
from plimsoll.contract.schema import Format, element_of, key_of
from plimsoll.model.decision import Fault, Reason
from plimsoll.model.words import nearest

MAX_REASONS: Final = 256  # of one record; without it one bad record of a megabyte writes a hundred to the ledger
_SHOWN: Final = 80  # characters of a value that a reason repeats
_STEP: Final = 120  # characters of one step of a path; a name can be as long as the record
_LISTED: Final = 12  # allowed values that a reason lists

_EXPECTED: Final[dict[LogicalType | None, str]] = {
    LogicalType.STRING: "a text",
    LogicalType.DATE: "a date as text",
    LogicalType.TIMESTAMP: "a timestamp as text",
    LogicalType.TIME: "a time of day as text",
    LogicalType.NUMBER: "a number",
    LogicalType.INTEGER: "a whole number",
    LogicalType.BOOLEAN: "true or false",
    LogicalType.OBJECT: "an object",
    LogicalType.ARRAY: "a list",
    LogicalType.MAP: "an object (a map)",
    LogicalType.VECTOR: "a list of numbers",
    None: "a value",
}


_PLAIN: Final = 10**15  # whole numbers below are shown as Python writes them, which is as JSON does
_AS_JSON: Final = json.JSONEncoder(ensure_ascii=False).encode
_ALL_DIFFER: Final[Callable[[Any], bool]] = jsonschema_rs.validator_for({"uniqueItems": True}).is_valid


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A field with what checks it, and the same for all below it."""

    field: Field
    is_valid: Callable[[Any], bool]
    errors: Callable[[Any], Iterator[Any]]  # the library's errors
    fields: Mapping[str, Node] = {}
    named: tuple[str, ...] = ()  # fields that a rule says must exist
    known: frozenset[str] = frozenset()  # fields that may
    hides: bool = False  # something at this place, or below it, is classified
    items: Node | None = None  # of lists and vectors
    key: Node | None = None
    value: Node | None = None


def parts_of(field: Field) -> dict[str, Field]:
    """Fields that a node of this field has beside the named ones: ``items``, ``key``, ``value``."""
    if field.type is LogicalType.VECTOR:
        return {"items": element_of(field)}
    if field.type is LogicalType.MAP:
        return {"key": key_of(field), **({"value": field.value} if field.value is not None else {})}
    return {"items": field.items} if field.items is not None else {}


class Explainer:
    """Finds the reasons of one record. Made anew for each."""

    def __init__(self, formats: Mapping[str, Format], *, classification: str) -> None:
        """Take what is the same for all records of a contract.

        Args:
            formats: formats of ours, by name.
            classification: of the record as a whole; empty: only what the contract classifies is hidden.
        """
        self._formats = formats
        self._classification = classification
        self._reasons: list[Reason] = []

    def explain(self, node: Node, value: Any) -> tuple[Reason, ...]:
        """Every reason why a value that is not valid is not, in the order of the contract.

        At most `MAX_REASONS`, and one that says there were more.
        """
        self._take_apart(node, value, "")
        if len(self._reasons) > MAX_REASONS:
            more = Reason(
                fault=self._reasons[MAX_REASONS].fault,
                path="",
                rule="more",
                expected=f"at most {MAX_REASONS} reasons are kept",
                found="more than that",
            )
            return (*self._reasons[:MAX_REASONS], more)
        return tuple(self._reasons)

    # -- going through the record

    def _look(self, node: Node, value: Any, path: str) -> None:
        if len(self._reasons) <= MAX_REASONS and not node.is_valid(value):
            self._take_apart(node, value, path)

    def _take_apart(self, node: Node, value: Any, path: str) -> None:
        before = len(self._reasons)
        if value is None:
            self._add(Fault.MISSING, path, RuleName.REQUIRED, _EXPECTED[node.field.type], "null")
        elif isinstance(value, dict) and node.field.type in {LogicalType.OBJECT, LogicalType.MAP}:
            self._look_into_object(node, value, path)
        elif isinstance(value, list | tuple) and node.field.type in {LogicalType.ARRAY, LogicalType.VECTOR}:
            self._look_into_list(node, value, path)
        if len(self._reasons) == before:  # a single value; or something this did not take apart
            self._from_library(node, value, path)

    def _look_into_object(self, node: Node, value: dict[str, Any], path: str) -> None:
        field = node.field
        if field.rules:
            self._count(field, len(value), path, ("minProperties", "maxProperties"), "fields")
        for name in node.named:
            if name not in value and name not in node.fields:
                self._add(Fault.MISSING, _under(path, name), RuleName.REQUIRED, "a value", "nothing")
        for name, below in node.fields.items():
            if name in value:
                if len(self._reasons) <= MAX_REASONS and not below.is_valid(value[name]):
                    self._take_apart(below, value[name], _under(path, name))
            elif below.field.required or name in node.named:
                self._add(Fault.MISSING, _under(path, name), RuleName.REQUIRED, _EXPECTED[below.field.type], "nothing")
        if field.closed and not value.keys() <= node.known:
            self._unknown(value, path, dict.fromkeys((*node.fields, *node.named)))
        if node.key is not None or node.value is not None:
            self._look_into_map(node, value, path)

    def _look_into_map(self, node: Node, value: dict[str, Any], path: str) -> None:
        """Names in a map are values: of a classified one a path holds their number, from 1, and not their text."""
        key = node.field.key
        hidden = self._classification or node.field.classified or (key is not None and key.classified)
        for i, (name, item) in enumerate(value.items(), 1):
            at = f"{path}/#{i}" if hidden else _under(path, name)
            if node.key is not None:
                self._look_at_key(node.key, name, at)
            if node.value is not None:
                self._look(node.value, item, at)
            if len(self._reasons) > MAX_REASONS:
                return

    def _look_into_list(self, node: Node, value: list[Any] | tuple[Any, ...], path: str) -> None:
        self._count(node.field, len(value), path, ("minItems", "maxItems"), "items")
        if any(r.name is RuleName.UNIQUE_ITEMS for r in node.field.rules) and not _ALL_DIFFER(value):
            self._broken(node, path, RuleName.UNIQUE_ITEMS, "items that differ from each other", value)
        if node.items is not None:
            for i, item in enumerate(value):
                self._look(node.items, item, f"{path}/{i}")
                if len(self._reasons) > MAX_REASONS:
                    return

    def _look_at_key(self, node: Node, name: str, path: str) -> None:
        if len(self._reasons) <= MAX_REASONS and not node.is_valid(name):
            self._from_library(node, name, path)

    def _unknown(self, value: dict[str, Any], path: str, known: dict[str, None]) -> None:
        for name, item in value.items():
            if name in known:
                continue
            if len(self._reasons) > MAX_REASONS:
                return
            near = nearest(name, known)
            expected = "no such field" + (f"; the nearest that is declared is '{near}'" if near else "")
            # Nobody has said whether it may be shown, so it is not.
            self._add(Fault.UNKNOWN_FIELD, _under(path, name), "unknown-field", expected, kind_in_words(item))

    def _count(self, field: Field, n: int, path: str, names: tuple[str, str], what: str) -> None:
        for rule in field.rules:
            too_few, too_many = rule.name == names[0] and n < rule.value, rule.name == names[1] and n > rule.value
            if too_few or too_many:
                word = "at least" if too_few else "at most"
                self._add(Fault.RULE_BROKEN, path, rule.name, f"{word} {rule.value} {what}", f"{n} {what}")

    # -- the library's errors of one value

    def _from_library(self, node: Node, value: Any, path: str) -> None:
        errors = list(node.errors(value))
        wrong = next((e for e in errors if e.kind.name == "type" and not e.instance_path), None)
        if wrong is not None:
            self._add(Fault.WRONG_TYPE, path, "type", _EXPECTED[node.field.type], self._show(node, value))
            return
        for error in errors:
            self._from_error(node, error, value, path)

    def _from_error(self, node: Node, error: Any, value: Any, path: str) -> None:
        kind = error.kind.name
        if kind == "anyOf":  # a timestamp, with or without an offset
            error = error.kind.context[-1][-1]
            kind = error.kind.name
        if kind == "format":
            known = self._formats.get(error.kind.format)
            rule, expected = (known.rule, known.expected) if known else (kind, f"a valid {error.kind.format}")
            self._broken(node, path, rule, expected, value)
        elif kind == "not":  # the values that stand for "not known"
            expected = f"a value that is not one of {_listed(error.kind.schema.get('enum', []))}"
            self._add(Fault.MISSING, path, RuleName.MISSING_VALUES, expected, self._show(node, value))
        else:
            self._broken(node, path, kind, _words_for(error), value)

    def _broken(self, node: Node, path: str, rule: str, expected: str, value: Any) -> None:
        self._add(Fault.RULE_BROKEN, path, rule, expected, self._show(node, value))

    # -- words

    def _show(self, node: Node, value: Any) -> str:
        if node.hides or self._classification:
            return show(node.field, value, self._classification)
        return _shown(value)

    def _add(self, fault: Fault, path: str, rule: str, expected: str, found: str) -> None:
        self._reasons.append(Reason(fault=fault, path=path, rule=str(rule), expected=expected, found=found))


def show(field: Field, value: Any, classification: str) -> str:
    """A value as a reason repeats it; only its kind when it, or something in it, is classified."""
    hidden = classification or (field.hides and (field.classification or "classified below"))
    return f"{kind_in_words(value)}, hidden ({hidden})" if hidden else _shown(value)


def _words_for(error: Any) -> str:
    """What the contract asks for, from an error of the library."""
    kind, facts = error.kind.name, error.kind.as_dict()
    if kind == "enum":
        return f"one of {_listed(o for o in facts['options'] if o is not None)}"
    if kind == "pattern":
        return f"a text that matches {_cut(facts['pattern'], 200)}"
    words = {
        "minimum": "at least {limit}",
        "maximum": "at most {limit}",
        "exclusiveMinimum": "more than {limit}",
        "exclusiveMaximum": "less than {limit}",
        "multipleOf": "a multiple of {multiple_of}",
        "minLength": "at least {limit} characters",
        "maxLength": "at most {limit} characters",
    }
    return words[kind].format_map(facts) if kind in words else f"what '{kind}' asks for"


def _listed(options: Any) -> str:
    shown = [_shown(option) for option in options]
    return ", ".join(shown[:_LISTED]) + (f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else "")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return kind_in_words(value)
    if type(value) is int and -_PLAIN < value < _PLAIN:
        return str(value)
    if type(value) is str and value.isprintable() and '"' not in value and "\\" not in value:
        return _cut(f'"{value}"', _SHOWN)
    try:
        return _cut(_AS_JSON(value), _SHOWN)
    except (TypeError, ValueError):  # not JSON, or a number of thousands of digits
        return kind_in_words(value)


def kind_in_words(value: Any) -> str:
    """What a value is, without anything that is in it."""
    if isinstance(value, dict):
        return f"an object with {len(value)} field{'' if len(value) == 1 else 's'}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} item{'' if len(value) == 1 else 's'}"
    if value is None:
        return "null"
    names: dict[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    return names.get(type(value), type(value).__name__)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _under(path: str, name: str) -> str:
    return f"{path}/{pointer_step(_cut(name, _STEP))}"


def not_json(value: Any) -> Reason:
    """Why a value cannot be checked at all: something in it that JSON has no form for."""
    path, found = next(_foreign(value, "", 0), ("", type(value).__name__))
    return Reason(fault=Fault.WRONG_TYPE, path=path, rule="json", expected="a value of JSON", found=found)


def _foreign(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Places in a value that JSON has no form for."""
    if isinstance(value, str):
        if not _encodes(value):
            yield path, "a text with half a character (a lone surrogate)"
    elif isinstance(value, dict) and depth < MAX_REASONS:
        for key, item in value.items():
            if isinstance(key, str) and _encodes(key):
                yield from _foreign(item, _under(path, key), depth + 1)
            else:
                yield path, f"a name that is {type(key).__name__}"
    elif isinstance(value, list | tuple) and depth < MAX_REASONS:
        for i, item in enumerate(value):
            yield from _foreign(item, f"{path}/{i}", depth + 1)
    elif not isinstance(value, bool | int | float | None):
        yield path, type(value).__name__


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
