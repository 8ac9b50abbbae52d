"""The JSON Schema of a manifest, made from its types: for editors, which then complete and check while one types.

It is the shape alone; what takes two values to see (a threshold over four dimensions, names that lead nowhere) is
said when the file is read. Whatever the reader accepts, the schema accepts.

``python -m plimsoll.model.manifest_schema`` prints it; what is shipped is ``plimsoll.schema.json`` beside this file.

Source: JSON Schema draft-07, https://json-schema.org/draft-07
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, get_args, get_origin

import msgspec

from plimsoll.model.asked import Asked, Key, Text, WordOrGroup, key_of, keys_of
from plimsoll.model.manifest import Manifest
from plimsoll.model.manifest_values import SLUG, VARIABLE
from plimsoll.model.metrics import METRICS, Better, Kind, Metric
from plimsoll.model.money import Money
from plimsoll.model.quantity import NUMBER, Quantity, UnitKind, units_of
from plimsoll.model.share_of import PATTERN, ShareOf
from plimsoll.model.template import Template
from plimsoll.model.threshold import Condition

SHIPPED: Final = "plimsoll.schema.json"  # beside this module

_TEXTS: Final[dict[Text, dict[str, Any]]] = {
    Text.SLUG: {"pattern": f"^\\s*{SLUG}\\s*$"},
    Text.URL: {"pattern": "^\\s*https?://\\S+\\s*$", "examples": ["https://models.example.org/predict"]},
    Text.POINTER: {"pattern": "^(/.*)?$", "examples": ["/output"]},
    Text.VALUE: {"minLength": 1},
    Text.CURRENCY: {"pattern": "^\\s*[A-Z]{3}\\s*$", "examples": ["EUR"]},
    Text.HOST: {
        "pattern": "^\\s*(\\*\\.)?[A-Za-z0-9_:.-]+(/[0-9]+)?\\s*$",
        "examples": ["api.example.com", "*.example.com"],
    },
    Text.CALLABLE: {"pattern": "^\\s*[^:\\s]+:[^:\\s]+\\s*$", "examples": ["package.module:callable"]},
    Text.VARIABLE: {"pattern": f"^\\s*{VARIABLE}\\s*$", "examples": ["MODEL_NAME"]},
    Text.SERVICE: {"pattern": "^\\s*(unix:[/@].*|\\S+:([0-9]{1,5}|\\*))\\s*$", "examples": ["api.example.org:443"]},
}


_OTHERS: Final[dict[type, tuple[str, dict[str, Any]]]] = {
    dt.date: (
        "Day",
        {
            "type": "string",
            "description": "A day of the calendar, in UTC.",
            "pattern": "^\\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\\s*$",
            "examples": ["2027-01-31"],
        },
    ),
    Decimal: (
        "Amount",
        {
            "description": "A price, as a number; in quotes where it has more than 15 digits.",
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": "^\\s*[0-9]{1,15}(\\.[0-9]{1,15})?\\s*$"},
            ],
            "examples": [2.5, "0.10"],
        },
    ),
    Money: (
        "Money",
        {
            "type": "string",
            "description": "An amount with its currency (ISO 4217).",
            "pattern": "^\\s*[0-9]{1,15}(\\.[0-9]{1,15})?\\s*[A-Z]{3}\\s*$",
            "examples": ["50 EUR"],
        },
    ),
}


def manifest_schema() -> dict[str, Any]:
    """The schema as a JSON value."""
    return schema_of(Manifest, id_="urn:plimsoll:manifest:1", title="plimsoll.yaml")


def schema_text() -> str:
    """The schema as the shipped file holds it."""
    return shipped_text(manifest_schema())


def schema_of(root: type[msgspec.Struct], *, id_: str, title: str) -> dict[str, Any]:
    """The schema of any file that is declared by such types."""
    definitions: dict[str, Any] = {}
    group = _group(root, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": id_,
        "title": title,
        **group,
        "definitions": dict(sorted(definitions.items())),
    }


def shipped_text(schema: dict[str, Any]) -> str:
    """A schema as a shipped file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _group(group: type[msgspec.Struct], definitions: dict[str, Any]) -> dict[str, Any]:
    keys = keys_of(group)
    return {
        "type": "object",
        "description": (inspect.getdoc(group) or "").replace("\n", " "),
        "properties": {name: _described(key, _schema(key, definitions)) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def _described(key: Key, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a key with what it is for and what holds when it is left out."""
    if "$ref" in schema:  # draft-07 ignores whatever stands beside a $ref
        schema = {"allOf": [schema]}
    schema = {"description": key.says, **schema} if key.says else schema
    left_out = _default(key.default)
    return schema if key.required or left_out is None else {**schema, "default": left_out}


def _default(value: Any) -> Any:
    """A default as one would write it; None when leaving out is all there is to it."""
    if isinstance(value, Quantity | ShareOf | Decimal):
        return str(value)
    return value if isinstance(value, str | int) and value != "" else None


def _schema(key: Key, definitions: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(key.type)
    if origin is tuple:
        return _list(key, definitions)
    if origin is dict:
        return _named_groups(key, definitions)
    if isinstance(key.type, WordOrGroup):
        words = {"enum": [word.value for word in key.type.words]}
        return {"anyOf": [words, _shared_group(key.type.group, definitions)]}
    if key.type in _WRITTEN_AS_ONE or not issubclass(key.type, msgspec.Struct):
        return _leaf(key, definitions)
    return _shared_group(key.type, definitions)


def _shared_group(group: type[msgspec.Struct], definitions: dict[str, Any]) -> dict[str, Any]:
    if group.__name__ not in definitions:
        definitions[group.__name__] = {}  # a target may hold another one: it is in the making
        definitions[group.__name__] = _group(group, definitions)
    return {"$ref": f"#/definitions/{group.__name__}"}


def _leaf(key: Key, definitions: dict[str, Any]) -> dict[str, Any]:
    if key.type is Quantity:
        return _quantity(key.asked, definitions)
    if key.type is Template:
        return {}  # any JSON; which directives in it are well-formed is said when it is read
    if key.type in _OTHERS:
        return _shared(*_OTHERS[key.type], definitions)
    if key.type in _TEXT_FORMS:
        return _shared(key.type.__name__, _TEXT_FORMS[key.type](), definitions)
    return _plain_leaf(key)


def _plain_leaf(key: Key) -> dict[str, Any]:
    """What YAML has a kind of its own for."""
    if issubclass(key.type, enum.StrEnum):
        return {"enum": [word.value for word in key.type]}
    if key.type is bool:
        return {"type": "boolean"}
    if key.type is Any:
        return {"not": {"type": "null"}}
    if key.type is int:
        limits = {"minimum": key.asked.least, "maximum": key.asked.most}
        return {"type": "integer", **{name: limit for name, limit in limits.items() if limit is not None}}
    return {"type": "string", **_TEXTS.get(key.asked.text, {"pattern": "\\S"})}


def _named_groups(key: Key, definitions: dict[str, Any]) -> dict[str, Any]:
    inner = key_of(get_args(key.type)[1])
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{SLUG}$"},
        "additionalProperties": _schema(inner, definitions),
        "minProperties": 1,
    }


def _list(key: Key, definitions: dict[str, Any]) -> dict[str, Any]:
    item = key_of(get_args(key.type)[0])
    schema: dict[str, Any] = {"type": "array", "items": _schema(item, definitions), "uniqueItems": item.type is not int}
    if item.type is Condition:
        schema["minItems"] = 4  # one in each dimension
    elif key.required:
        schema["minItems"] = 1
    return schema


def _quantity(asked: Asked, definitions: dict[str, Any]) -> dict[str, Any]:
    name = "Period" if asked.every else asked.unit.value.capitalize()
    every = "\\s*(every )?" if asked.every else ""
    schema = {
        "type": "string",
        "description": f"A {asked.unit.value} in {' '.join(units_of(asked.unit))}.",
        "pattern": f"^{every}{_number_with(asked.unit)}\\s*$",
        "examples": [f"every {asked.example}" if asked.every else asked.example],
    }
    return _shared(name, schema, definitions)


def _number_with(unit: UnitKind) -> str:
    """A pattern for a number with one of the units of a kind."""
    units = "|".join(u.replace("/", "/\\s*") for u in units_of(unit) if u)
    return f"\\s*{_plain(NUMBER)}" + (f"\\s*({units})" if units else "")


def _condition() -> dict[str, Any]:
    """A pattern that only takes a metric with the operators and the unit that suit it."""
    alike: dict[tuple[str, str], list[str]] = {}
    for metric in METRICS.values():
        alike.setdefault((_operators(metric), _number_with(metric.unit)), []).append(re.escape(metric.name))
    forms = "|".join(f"({'|'.join(names)})\\s*({ops}){number}" for (ops, number), names in alike.items())
    examples = []
    for metric in METRICS.values():
        limit = {UnitKind.MULTIPLE: "3x", UnitKind.DURATION: "500ms", UnitKind.COUNT: "0"}.get(metric.unit, "95%")
        if metric.unit is UnitKind.RATIO and metric.better is Better.LOWER:
            limit = "0.5%"
        if metric.kind is Kind.CENSUS:
            limit = "= 0" if metric.unit is UnitKind.COUNT else "= 100%"
        else:
            limit = f"{'>=' if metric.better is Better.HIGHER else '<='} {limit}"
        examples.append(f"{metric.name} {limit}")
    return {
        "type": "string",
        "description": "One measurable sentence: <metric> <op> <quantity>.",
        "pattern": f"^\\s*({forms})\\s*$",
        "examples": examples,
    }


def _share_of() -> dict[str, Any]:
    return {
        "type": "string",
        "description": "A share of a number.",
        "pattern": f"^{_plain(PATTERN)}$",
        "examples": ["50% of 20"],
    }


_TEXT_FORMS: Final[dict[type, Callable[[], dict[str, Any]]]] = {
    Quantity: dict,  # one form for each kind of unit
    Condition: _condition,
    ShareOf: _share_of,
}
_WRITTEN_AS_ONE: Final = frozenset({*_TEXT_FORMS, *_OTHERS, Template})


def _operators(metric: Metric) -> str:
    right = ">=|>" if metric.better is Better.HIGHER else "<=|<"
    return f"{right}|=" if metric.kind is Kind.CENSUS else right


def _shared(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    definitions[name] = schema
    return {"$ref": f"#/definitions/{name}"}


def _plain(pattern: str) -> str:
    """A pattern without Python's non-capturing groups, which not every editor knows."""
    return pattern.replace("(?:", "(")


if __name__ == "__main__":
    sys.stdout.write(schema_text())
