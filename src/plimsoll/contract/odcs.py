"""What the Open Data Contract Standard allows, as facts: keys, words and options by version.

Source: the JSON Schemas of ODCS 3.0.2, 3.1.0 and 3.2.0 (https://github.com/bitol-io/open-data-contract-standard,
folder ``schema``) and the pages "Schema" and "Data Quality" of the standard. A file is judged by its own apiVersion.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from plimsoll.contract.odcs_servers import SERVER_TYPES
from plimsoll.contract.rules import LogicalType, RuleName

API_VERSIONS: Final[Mapping[str, int]] = MappingProxyType(
    {"v3.0.0": 0, "v3.0.1": 0, "v3.0.2": 0, "v3.1.0": 1, "v3.2.0": 2}
)  # and their minor version
NEWEST: Final = 2
BEFORE_3: Final = frozenset({"v2.2.0", "v2.2.1", "v2.2.2"})  # every schema of v3 lists them too


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the standard."""

    kind: str  # text, flag, whole, number, scalar, any, texts, custom; a shape's name; "[name]" for a list of it
    since: int = 0  # minor version
    required: bool = False
    required_from: int = 0  # required only from this minor version on
    required_until: int = 0  # required only in minor versions before this one; 0: `required` decides
    words: tuple[str, ...] = ()  # what is allowed; empty: anything


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A group of keys that belongs together."""

    name: str  # in messages: "a property"
    keys: Mapping[str, Key]
    closed_since: int | None = 0  # minor version from which unknown keys are problems; None: they never are


def _text(*, since: int = 0, required: bool = False, required_until: int = 0) -> Key:
    return Key(kind="text", since=since, required=required, required_until=required_until)


_TEXT: Final = Key(kind="text")
_ID: Final = Key(kind="id", since=1)
_FLAG: Final = Key(kind="flag")
_WHOLE: Final = Key(kind="whole")
_TEXTS: Final = Key(kind="texts")
_CUSTOM: Final = Key(kind="custom")
_LINKS: Final = Key(kind="[link]")


def _texts(*names: str) -> dict[str, Key]:
    return dict.fromkeys(names, _TEXT)


_ELEMENT: Final = {
    "id": _ID,
    **_texts("physicalType", "description", "businessName"),
    "physicalName": _TEXT,
    "tags": _TEXTS,
    "customProperties": _CUSTOM,
    "authoritativeDefinitions": _LINKS,
    "quality": Key(kind="[quality]"),
    "deprecated": Key(kind="flag", since=2),
    "synonyms": Key(kind="[synonym]", since=2),
}

_BASE_TYPES: Final = ("string", "date", "number", "integer", "object", "array", "boolean")
TYPES: Final = MappingProxyType(
    {0: _BASE_TYPES, 1: (*_BASE_TYPES, "timestamp", "time"), 2: (*_BASE_TYPES, "timestamp", "time", "map", "vector")}
)  # logical types by minor version

_PROPERTY: Final = {
    **_ELEMENT,
    "logicalType": _TEXT,
    "logicalTypeOptions": Key(kind="group"),
    "properties": Key(kind="[property]"),
    "items": Key(kind="item"),
    "map": Key(kind="map", since=2),
    "enum": Key(kind="[enum value]", since=2),
    "semanticType": Key(kind="text", since=2, words=("column", "measure", "dimension")),
    "relationships": Key(kind="[link to a property]", since=1),
    "required": _FLAG,
    "unique": _FLAG,
    "primaryKey": _FLAG,
    "primaryKeyPosition": _WHOLE,
    "partitioned": _FLAG,
    "partitionKeyPosition": _WHOLE,
    "criticalDataElement": _FLAG,
    "transformSourceObjects": _TEXTS,
    "examples": Key(kind="list"),
    **_texts("classification", "encryptedName", "transformLogic", "transformDescription"),
}

OPERATORS: Final = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
METRICS: Final = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
_DIMENSIONS: Final = (
    "accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness",
)  # fmt: skip
_STATEMENT: Final = {"id": _TEXT, "authoritativeDefinitions": _LINKS, "tags": _TEXTS, "customProperties": _CUSTOM}

_SHAPES: Final = (
    Shape(
        name="contract",
        keys={
            "version": _text(required=True),
            "kind": Key(kind="text", required=True, words=("DataContract",)),
            "apiVersion": _text(required=True),
            "id": _text(required=True),
            "status": _text(required_until=2),
            **_texts("name", "tenant", "dataProduct", "domain", "slaDefaultElement", "contractCreatedTs"),
            "tags": _TEXTS,
            "servers": Key(kind="[server]"),
            "description": Key(kind="description"),
            "context": Key(kind="context", since=2),
            "schema": Key(kind="[object]"),
            "support": Key(kind="[support channel]"),
            "price": Key(kind="price"),
            "team": Key(kind="team"),
            "roles": Key(kind="[role]"),
            "slaProperties": Key(kind="[service level]"),
            "authoritativeDefinitions": _LINKS,
            "customProperties": _CUSTOM,
        },
    ),
    Shape(
        name="description",
        keys={
            **_texts("usage", "purpose", "limitations"),
            "authoritativeDefinitions": _LINKS,
            "customProperties": _CUSTOM,
        },
        closed_since=None,
    ),
    Shape(
        name="server",
        keys={
            "id": _ID,
            "server": _text(required=True),
            "type": Key(kind="text", required=True, words=tuple(SERVER_TYPES)),
            **_texts("description", "environment"),
            "roles": Key(kind="[role]"),
            "customProperties": _CUSTOM,
        },
        closed_since=1,  # the keys of its type are known as well: `odcs_servers`
    ),
    Shape(
        name="object",
        keys={
            **_ELEMENT,
            "name": _text(required=True),
            "logicalType": Key(kind="text", words=("object", "blob")),  # a blob since v3.1
            "dataGranularityDescription": _TEXT,
            "properties": Key(kind="[property]"),
            "relationships": Key(kind="[link between properties]", since=1),
            "context": Key(kind="context", since=2),
        },
    ),
    Shape(name="property", keys={**_PROPERTY, "name": _text(required=True)}),
    Shape(name="item", keys={**_PROPERTY, "name": _TEXT}),
    Shape(name="map", keys={"key": Key(kind="item", required=True), "value": Key(kind="item", required=True)}),
    Shape(
        name="enum value",
        keys={
            "value": Key(kind="scalar", required=True),
            "id": _ID,
            **_texts("label", "description"),
            "tags": _TEXTS,
            "customProperties": _CUSTOM,
            "authoritativeDefinitions": _LINKS,
        },
    ),
    Shape(
        name="synonym",
        keys={
            "id": _ID,
            "synonym": _text(required=True),
            **_texts("description", "locale", "source", "status"),
            "customProperties": _CUSTOM,
        },
    ),
    Shape(
        name="quality",
        keys={
            "id": _ID,
            "authoritativeDefinitions": _LINKS,
            "customProperties": _CUSTOM,
            **_texts("name", "description", "businessImpact", "method", "schedule", "scheduler", "severity", "unit"),
            "dimension": Key(kind="text", words=_DIMENSIONS),
            "tags": _TEXTS,
            "type": Key(kind="text", words=("text", "library", "sql", "custom")),
            "metric": Key(kind="text", since=1, words=METRICS),
            **_texts("rule", "query", "engine"),
            "arguments": Key(kind="group"),
            "implementation": Key(kind="text or group"),
            **dict.fromkeys(OPERATORS, Key(kind="any")),
        },
        closed_since=1,
    ),
    Shape(
        name="context",
        keys={
            "instructions": _TEXT,
            "verifiedStatements": Key(kind="[verified statement]"),
            "constraints": Key(kind="[constraint]"),
        },
    ),
    Shape(name="verified statement", keys={**_STATEMENT, "question": _text(required=True), "answer": _TEXT}),
    Shape(name="constraint", keys={**_STATEMENT, "constraint": _text(required=True)}),
    Shape(
        name="link to a property",
        keys={
            "id": Key(kind="text", since=2),
            "type": Key(kind="text", words=("foreignKey",)),
            "to": Key(kind="reference", required=True),
            "customProperties": _CUSTOM,
        },
    ),
    Shape(
        name="link between properties",
        keys={
            "id": Key(kind="text", since=2),
            "type": Key(kind="text", words=("foreignKey",)),
            "from": Key(kind="reference", required=True),
            "to": Key(kind="reference", required=True),
            "customProperties": _CUSTOM,
        },
    ),
    Shape(
        name="service level",
        keys={
            "id": _ID,
            "property": _text(required=True),
            "value": Key(kind="scalar", required=True),
            "valueExt": Key(kind="scalar"),
            **_texts("unit", "element", "driver", "description", "scheduler", "schedule"),
            "customProperties": Key(kind="custom", since=2),
            "authoritativeDefinitions": Key(kind="[link]", since=2),
        },
        closed_since=1,
    ),
    Shape(
        name="support channel",
        keys={
            "id": _ID,
            "channel": _text(required=True),
            "url": _text(required_until=1),
            **_texts("description", "tool", "scope", "invitationUrl"),
            "customProperties": _CUSTOM,
        },
        closed_since=1,
    ),
    Shape(
        name="price",
        keys={"id": _ID, "priceAmount": Key(kind="number"), **_texts("priceCurrency", "priceUnit")},
        closed_since=1,
    ),
    Shape(
        name="team",
        keys={
            "id": _ID,
            **_texts("name", "description"),
            "members": Key(kind="[member]"),
            "tags": _TEXTS,
            "customProperties": _CUSTOM,
            "authoritativeDefinitions": _LINKS,
        },
    ),
    Shape(
        name="member",
        keys={
            "id": _ID,
            "username": Key(kind="text", required=True, required_from=1),
            **_texts("name", "description", "role", "dateIn", "dateOut", "replacedByUsername"),
            "tags": _TEXTS,
            "customProperties": _CUSTOM,
            "authoritativeDefinitions": _LINKS,
        },
        closed_since=1,
    ),
    Shape(
        name="role",
        keys={
            "id": _ID,
            "role": _text(required=True),
            **_texts("description", "access", "firstLevelApprovers", "secondLevelApprovers"),
            "customProperties": _CUSTOM,
        },
        closed_since=1,
    ),
    Shape(
        name="link",
        keys={"id": _ID, "url": _text(required=True), "type": _text(required=True), "description": _TEXT},
        closed_since=1,
    ),
    Shape(
        name="custom property",
        keys={
            "id": _ID,
            "property": Key(kind="text", required=True, required_from=1),
            "value": Key(kind="any", required=True, required_from=1),
            "description": _TEXT,
            "vendor": _text(since=2),
        },
        closed_since=1,
    ),
)
SHAPES: Final[Mapping[str, Shape]] = MappingProxyType({shape.name: shape for shape in _SHAPES})

_LENGTH: Final = {"minLength": "count", "maxLength": "count"}
_LIMITS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_NUMERIC: Final = {**dict.fromkeys(_LIMITS, "number"), "multipleOf": "positive", "format": "word"}
_CLOCKED: Final = {
    **dict.fromkeys(_LIMITS, "moment"), "format": "layout", "timezone": "flag", "defaultTimezone": "text",
}  # fmt: skip

# Options of each logical type, and what kind of value they take.
OPTIONS: Final[Mapping[LogicalType, Mapping[str, str]]] = MappingProxyType(
    {
        LogicalType.STRING: {**_LENGTH, "pattern": "pattern", "format": "word"},
        LogicalType.DATE: {**dict.fromkeys(_LIMITS, "moment"), "format": "layout"},
        LogicalType.TIMESTAMP: _CLOCKED,
        LogicalType.TIME: _CLOCKED,
        LogicalType.NUMBER: _NUMERIC,
        LogicalType.INTEGER: _NUMERIC,
        LogicalType.BOOLEAN: {},
        LogicalType.OBJECT: {"minProperties": "count", "maxProperties": "count", "required": "names"},
        LogicalType.ARRAY: {"minItems": "count", "maxItems": "count", "uniqueItems": "flag"},
        LogicalType.MAP: {"minProperties": "count", "maxProperties": "count"},
        LogicalType.VECTOR: {
            "dimensions": "count",
            "elementType": "word",
            "distanceMetric": "word",
            **dict.fromkeys(("embeddingModel", "embeddingModelVersion"), "text"),
            "normalized": "flag",
        },
    }
)

# Bounds of the integer and number formats, which follow Rust's types; f64 holds every number that JSON can.
BITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        **{f"i{n}": (-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64, 128)},
        **{f"u{n}": (0, 2**n - 1) for n in (8, 16, 32, 64, 128)},
    }
)
FLOATS: Final[Mapping[str, tuple[float, float] | None]] = MappingProxyType(
    {"f32": (-3.4028234663852886e38, 3.4028234663852886e38), "f64": None}
)
ELEMENTS: Final[Mapping[str, tuple[float, float] | None]] = MappingProxyType(
    {
        "int8": (-128, 127), "uint8": (0, 255), "binary": (0, 1),
        "float16": None, "bfloat16": None, "float32": None, "float64": None,
    }
)  # fmt: skip
DISTANCES: Final = frozenset({"cosine", "dotProduct", "euclidean", "hamming", "manhattan"})
WHOLE_ELEMENTS: Final = frozenset({"int8", "uint8", "binary"})

# Formats of strings that the checking library asserts.
FORMATS: Final = frozenset(
    {
        "date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
        "uri", "uri-reference", "uri-template", "iri", "iri-reference", "uuid", "json-pointer",
        "relative-json-pointer", "regex",
    }
)  # fmt: skip
BASE64: Final = "byte"  # asserted here
HINTS: Final = frozenset({"password", "binary"})  # they say how to show a value and allow every text

# Options that are a rule of the same name.
RULES: Final[Mapping[str, RuleName]] = MappingProxyType({name.value: name for name in RuleName})
