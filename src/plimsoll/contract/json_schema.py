"""A JSON Schema taken in as a contract: its keywords as rules, and every keyword that is not enforced with its line.

Read is what the rule representation can hold: types, ``required``, ``properties``, ``additionalProperties``, ``items``,
``enum``, ``const``, bounds, lengths, counts, ``pattern``, ``format``, references within the file, ``allOf`` of such
parts, and ``anyOf`` or ``oneOf`` of one part and null. Other assertions are listed as not enforced; annotations say
nothing of a record. A type means what it means there: a field that is not required may be missing, and is null only
where its type says so.

Source: JSON Schema 2020-12, Core and Validation (https://json-schema.org/draft/2020-12), and draft-07 where it differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract.notes import Notes, kind_of
from plimsoll.contract.odcs import BASE64, FORMATS, HINTS
from plimsoll.contract.patterns import why_not
from plimsoll.contract.rules import Field, LogicalType, Rule, RuleName
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path

_TYPES: Final[Mapping[str, LogicalType]] = {
    "string": LogicalType.STRING,
    "integer": LogicalType.INTEGER,
    "number": LogicalType.NUMBER,
    "boolean": LogicalType.BOOLEAN,
    "object": LogicalType.OBJECT,
    "array": LogicalType.ARRAY,
}
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_READ: Final = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "propertyNames", "items", "enum", "const", "pattern",
        "format", "uniqueItems", "allOf", "anyOf", "oneOf", "not", "$ref", "nullable", *_COUNTS, *_NUMBERS,
    }
)  # fmt: skip
_ANNOTATIONS: Final = frozenset(
    {
        "$schema", "$id", "id", "$comment", "$defs", "definitions", "$anchor", "$vocabulary", "title", "description",
        "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "contentMediaType", "contentEncoding",
        "contentSchema", "discriminator", "xml", "externalDocs",
    }
)  # fmt: skip
_UNREAD: Final[Mapping[str, str]] = {
    **dict.fromkeys(("if", "then", "else"), "what holds under a condition is not checked"),
    "patternProperties": "fields named by a pattern are not checked",
    **dict.fromkeys(
        ("dependentRequired", "dependentSchemas", "dependencies"), "what depends on another field is not checked"
    ),
    **dict.fromkeys(("prefixItems", "additionalItems"), "items by position are not checked"),
    **dict.fromkeys(("contains", "minContains", "maxContains"), "that some item is of a kind is not checked"),
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), "what no other part looked at is not checked"),
    **dict.fromkeys(("$dynamicRef", "$recursiveRef"), "a reference that depends on where it is used is not followed"),
}  # fmt: skip
_MOST: Final = 10_000  # schemas that are read; without it twenty references that each stand twice are a million
_DEEPEST: Final = 32  # references and parts in each other; a schema of itself is listed there and not followed


def is_json_schema(document: Any) -> bool:
    """Whether a document is a JSON Schema and not a contract of the Open Data Contract Standard."""
    if not isinstance(document, dict) or {"apiVersion", "kind", "dataContractSpecification"} & document.keys():
        return False
    says = document.get("$schema")
    if isinstance(says, str):
        return "json-schema.org" in says
    return (
        bool({"properties", "$defs", "$ref", "additionalProperties"} & document.keys())
        or document.get("type") in _TYPES
    )


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a schema says of a value, before it is known whether the value must be there."""

    field: Field
    nullable: bool


class SchemaReader:
    """Reads one JSON Schema."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._seen = 0
        self._readers: dict[str, Callable[[_Draft, Any, Path], None]] = {
            "enum": self._enum,
            "const": lambda draft, value, path: self._enum(draft, [value], path),
            "pattern": self._pattern,
            "format": self._format,
            "uniqueItems": self._unique_items,
            "not": self._not,
            **dict.fromkeys(_COUNTS, self._count),
            **dict.fromkeys(_NUMBERS, self._number),
        }

    def record(self, document: dict[str, Any]) -> Field | None:
        """The record: the schema itself, or the items of a list of records; None when it describes no object."""
        read = self._schema(document, (), "", (), 0)
        record = read.field
        if record.type is LogicalType.ARRAY and record.items is not None:
            record = record.items
        if record.type not in {LogicalType.OBJECT, LogicalType.MAP}:
            return None
        name = document.get("title")
        return msgspec.structs.replace(record, name=name if isinstance(name, str) and name else "record", required=True)

    # -- one schema

    def _schema(self, given: Any, path: Path, name: str, within: tuple[Path, ...], depth: int) -> _Read:
        where = self._notes.source.where(path)
        draft = _Draft(name, where.line, where.column, within)
        self._seen += 1
        if self._seen == _MOST + 1:
            message = f"more than {_MOST:,} schemas come together through references"
            self._notes.problem("values", path, message, fix="write a smaller schema")
        if given is True or given == {}:
            return _Read(field=draft.field(), nullable=True)
        if not isinstance(given, dict):
            said = "a field that may not be there is not checked" if given is False else ""
            if said:
                self._notes.leave(path, "false", said, field=name)
            else:
                self._notes.mistyped(path, given, "a schema (a group of keys)")
            return _Read(field=draft.field(), nullable=True)
        if depth > _DEEPEST or self._seen > _MOST:
            self._notes.leave(path, "$ref", "it goes on inside itself; deeper than this it is not checked", field=name)
            return _Read(field=draft.field(), nullable=True)
        self._into(draft, given, path, depth)
        return _Read(field=draft.field(), nullable=draft.nullable)

    def _into(self, draft: _Draft, given: dict[str, Any], path: Path, depth: int) -> None:
        """All keywords of a schema."""
        self._type(draft, given, path)
        for word, value in given.items():
            at = (*path, word)
            if word in self._readers:
                self._readers[word](draft, value, at)
            elif word in _UNREAD:
                self._notes.leave(at, word, _UNREAD[word], field=draft.name)
            elif word not in _READ and word not in _ANNOTATIONS and not word.startswith("x-"):
                near = nearest(word, _READ | _UNREAD.keys())
                if near is not None:
                    said = f"{quoted(word)} is not a keyword of JSON Schema; it asserts nothing"
                    self._notes.warning("unknown-key", at, said, fix=f"did you mean '{near}'?")
        if isinstance(given.get("$ref"), str):
            self._reference(draft, given["$ref"], (*path, "$ref"), depth)
        for word in ("allOf", "anyOf", "oneOf"):
            if word in given:
                self._parts(draft, word, given[word], (*path, word), depth)
        self._below(draft, given, path, depth)

    def _type(self, draft: _Draft, given: dict[str, Any], path: Path) -> None:
        said = given.get("type")
        if said is None:
            implied = next((t for k, t in (("properties", "object"), ("items", "array")) if k in given), None)
            if implied is not None and draft.type is None:
                draft.set_type(_TYPES[implied], nullable=False)
                message = f"no type is said; it is read as {implied}, so no other kind of value keeps it"
                self._notes.warning("word", path, message, fix=f"write type: {implied}")
            return
        words = said if isinstance(said, list) else [said]
        for word in words:
            if word not in _TYPES and word != "null":
                self._notes.unknown("word", (*path, "type"), "a type", str(word), [*_TYPES, "null"])
                return
        kinds = [w for w in words if w != "null"]
        nullable = "null" in words or given.get("nullable") is True
        if len(kinds) == 1:
            if draft.type is not None and draft.type is not _TYPES[kinds[0]]:
                why = f"another part says {draft.type}; no value can be both"
                self._notes.problem("contradiction", (*path, "type"), why, fix="keep one type")
                return
            draft.set_type(_TYPES[kinds[0]], nullable=nullable)
        elif set(kinds) >= _TYPES.keys() - {"integer"}:
            draft.nullable = draft.nullable and nullable  # every kind of value
        elif set(kinds) == {"integer", "number"}:
            draft.set_type(LogicalType.NUMBER, nullable=nullable)
        else:
            draft.nullable = nullable
            why = "always null is not checked" if not kinds else "a value of one of several types is not checked"
            self._notes.leave((*path, "type"), "type", why, field=draft.name)

    def _below(self, draft: _Draft, given: dict[str, Any], path: Path, depth: int) -> None:
        needed = given.get("required")
        if needed is not None and not (isinstance(needed, list) and all(isinstance(n, str) for n in needed)):
            if not isinstance(needed, bool):  # draft-03 wrote it at the field
                self._notes.mistyped((*path, "required"), needed, "a list of names")
            needed = None
        properties = given.get("properties")
        if properties is not None and not isinstance(properties, dict):
            self._notes.mistyped((*path, "properties"), properties, "a group of schemas by name")
            properties = None
        for name, schema in (properties or {}).items():
            below = f"{draft.name}.{name}" if draft.name else name
            draft.add(name, self._schema(schema, (*path, "properties", name), below, draft.within, depth + 1))
        for name in needed or ():
            draft.needed.setdefault(name, self._notes.rule(RuleName.REQUIRED, (name,), (*path, "required")))
        self._others(draft, given, path, depth)
        items = given.get("items")
        if isinstance(items, dict | bool):
            read = self._schema(items, (*path, "items"), f"{draft.name}[]", draft.within, depth + 1)
            draft.items = _present(read)
        elif items is not None:
            self._notes.leave((*path, "items"), "items", "items by position are not checked", field=draft.name)

    def _others(self, draft: _Draft, given: dict[str, Any], path: Path, depth: int) -> None:
        """Fields that the schema does not name."""
        others = given.get("additionalProperties")
        if others is False:
            draft.closed = True
        elif isinstance(others, dict) and others:
            value = _present(
                self._schema(others, (*path, "additionalProperties"), f"{draft.name}.value", draft.within, depth + 1)
            )
            if draft.has_fields or given.get("properties"):
                why = "what fields without a name of their own must hold is not checked beside named ones"
                self._notes.leave((*path, "additionalProperties"), "additionalProperties", why, field=draft.name)
            else:
                draft.value = value
        if "propertyNames" in given:
            key = _present(
                self._schema(
                    given["propertyNames"], (*path, "propertyNames"), f"{draft.name}.key", draft.within, depth + 1
                )
            )
            if draft.has_fields or given.get("properties"):
                self._notes.leave(
                    (*path, "propertyNames"), "propertyNames", "names are checked in maps alone", field=draft.name
                )
            else:
                draft.key = key

    def _reference(self, draft: _Draft, ref: str, path: Path, depth: int) -> None:
        steps = [s.replace("~1", "/").replace("~0", "~") for s in ref.removeprefix("#").split("/")[1:]]
        target: Any = self._notes.source.data
        for step in steps:
            target = target.get(step) if isinstance(target, dict) else None
        if not ref.startswith("#"):
            self._notes.leave(path, "$ref", "another file is not read", field=draft.name)
        elif not isinstance(target, dict):
            fix = "name a schema under $defs"
            self._notes.problem("reference", path, f"{quoted(ref)} is nowhere in this file", fix=fix)
        elif depth >= _DEEPEST or tuple(steps) in draft.within:
            self._notes.leave(
                path, "$ref", "it goes on inside itself; deeper than this it is not checked", field=draft.name
            )
        else:
            draft.within = (*draft.within, tuple(steps))
            self._into(draft, target, tuple(steps), depth + 1)

    def _parts(self, draft: _Draft, word: str, given: Any, path: Path, depth: int) -> None:
        parts = given if isinstance(given, list) else []
        if not parts or not all(isinstance(p, dict | bool) for p in parts):
            self._notes.mistyped(path, given, "a list of schemas")
            return
        if word == "allOf":
            for i, part in enumerate(parts):
                if isinstance(part, dict):
                    self._into(draft, part, (*path, i), depth + 1)
            return
        others = [(i, p) for i, p in enumerate(parts) if p != {"type": "null"}]
        if len(others) == 1 and len(parts) == 2 and isinstance(others[0][1], dict):
            index, part = others[0]
            self._into(draft, part, (*path, index), depth + 1)
            draft.nullable = draft.may_be_null = True
        else:
            self._notes.leave(path, word, "one of several forms is not checked", field=draft.name)

    # -- keywords of one value

    def _enum(self, draft: _Draft, value: Any, path: Path) -> None:
        if not isinstance(value, list) or not value:
            self._notes.problem("values", path, f"found {kind_of(value)}; a list with at least one value is asked for")
        elif any(isinstance(v, dict | list) for v in value):
            self._notes.leave(
                path,
                path[-1] if isinstance(path[-1], str) else "enum",
                "only single values are compared",
                field=draft.name,
            )
        else:
            draft.rules.append(self._notes.rule(RuleName.ENUM, tuple(v for v in value if v is not None), path))
            draft.may_be_null = draft.may_be_null and None in value

    def _not(self, draft: _Draft, value: Any, path: Path) -> None:
        only = value.get("enum") if isinstance(value, dict) and value.keys() == {"enum"} else None
        if isinstance(only, list) and only and not any(isinstance(v, dict | list | None) for v in only):
            draft.rules.append(self._notes.rule(RuleName.MISSING_VALUES, tuple(only), path))
        else:
            self._notes.leave(
                path, "not", "what a value must not be is checked for single values alone", field=draft.name
            )

    def _pattern(self, draft: _Draft, value: Any, path: Path) -> None:
        why = why_not(value) if isinstance(value, str) else None
        if not isinstance(value, str):
            self._notes.mistyped(path, value, "a regular expression")
        elif why is not None:
            message = f"the pattern {quoted(value)} cannot be used: {why[0]}"
            self._notes.problem("pattern", path, message, fix=why[1])
        else:
            draft.rules.append(self._notes.rule(RuleName.PATTERN, value, path))

    def _format(self, draft: _Draft, value: Any, path: Path) -> None:
        if not isinstance(value, str):
            self._notes.mistyped(path, value, "a text")
        elif value in FORMATS or value == BASE64:
            draft.rules.append(self._notes.rule(RuleName.FORMAT, value, path))
        elif value not in HINTS:
            self._notes.leave(path, "format", f"{quoted(value)} is not a format that can be checked", field=draft.name)

    def _unique_items(self, draft: _Draft, value: Any, path: Path) -> None:
        if not isinstance(value, bool):
            self._notes.mistyped(path, value, "true or false")
        elif value:
            draft.rules.append(self._notes.rule(RuleName.UNIQUE_ITEMS, value, path))

    def _count(self, draft: _Draft, value: Any, path: Path) -> None:
        whole = (
            isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and float(value).is_integer()
        )
        if not whole:
            self._notes.mistyped(path, value, "a whole number of 0 or more")
        else:
            draft.rules.append(self._notes.rule(RuleName(str(path[-1])), int(value), path))

    def _number(self, draft: _Draft, value: Any, path: Path) -> None:
        word = str(path[-1])
        if isinstance(value, bool) and word.startswith("exclusive"):
            why = "draft-04 wrote it as true or false"
            self._notes.problem("wrong-type", path, f"{word} is a number since draft-06: {why}", fix=f"write {word}: …")
        elif isinstance(value, bool) or not isinstance(value, int | float) or (word == "multipleOf" and value <= 0):
            self._notes.mistyped(path, value, "a number above 0" if word == "multipleOf" else "a number")
        else:
            draft.rules.append(self._notes.rule(RuleName(word), value, path))


class _Draft:
    """A field while it is read: parts of several schemas come together in it."""

    def __init__(self, name: str, line: int, column: int, within: tuple[Path, ...]) -> None:
        self.name, self._line, self._column = name, line, column
        self.type: LogicalType | None = None
        self.nullable = True  # of a schema that says nothing
        self.may_be_null = True  # of its enumerations
        self.rules: list[Rule] = []
        self.needed: dict[str, Rule] = {}
        self.closed = False
        self.items: Field | None = None
        self.key: Field | None = None
        self.value: Field | None = None
        self.within = within  # references that are being followed
        self._fields: dict[str, _Read] = {}

    @property
    def has_fields(self) -> bool:
        """Whether fields are named."""
        return bool(self._fields)

    def set_type(self, type_: LogicalType, *, nullable: bool) -> None:
        """The type, and whether null is one of its values; of two that say so, both must allow it."""
        self.nullable = nullable and (self.nullable or self.type is None)
        self.type = type_

    def add(self, name: str, read: _Read) -> None:
        """A named field."""
        self._fields[name] = read

    def field(self) -> Field:
        """The field, as if it need not be there."""
        self.nullable = self.nullable and self.may_be_null
        type_ = self.type
        if type_ is LogicalType.OBJECT and (self.value is not None or self.key is not None) and not self._fields:
            type_ = LogicalType.MAP
        left = tuple(rule for name, rule in self.needed.items() if not self._is_required(name))
        fields = tuple(self._named(name, read) for name, read in self._fields.items())
        return Field(
            name="",  # whoever it belongs to gives it one
            line=self._line,
            column=self._column,
            type=type_,
            rules=(*self.rules, *left),
            fields=fields,
            closed=self.closed,
            items=self.items,
            key=self.key,
            value=self.value,
        )

    def _is_required(self, name: str) -> bool:
        """Whether a field must be there, and is not null when it is."""
        return name in self.needed and name in self._fields and not self._fields[name].nullable

    def _named(self, name: str, read: _Read) -> Field:
        required = self._is_required(name)
        rules = read.field.rules
        if not read.nullable and not required:
            not_null = Rule(name=RuleName.NOT_NULL, value=True, line=read.field.line, column=read.field.column)
            rules = (*rules, not_null)
        return msgspec.structs.replace(read.field, name=name, required=required, rules=rules)


def _present(read: _Read) -> Field:
    """A value that is there, as the items of a list are."""
    return msgspec.structs.replace(read.field, required=not read.nullable)
