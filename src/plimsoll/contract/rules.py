"""What a contract says of one record: the rule representation that every check is compiled from.

It is read from ODCS (`read`), and compiled to JSON Schema (`schema`). It keeps the place of each rule, so that a
check, a comparison of two contracts, or a query made from it can name the line it comes from. What is about all records
of a delivery, and about who stands around it, is in `terms`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import msgspec

from plimsoll.contract.terms import Terms
from plimsoll.errors import Problem


class LogicalType(enum.StrEnum):
    """What a value is, whatever it is stored as."""

    STRING = "string"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    MAP = "map"
    VECTOR = "vector"

    @property
    def is_temporal(self) -> bool:
        """Whether values are points in time, written as text."""
        return self in {LogicalType.DATE, LogicalType.TIMESTAMP, LogicalType.TIME}

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers."""
        return self in {LogicalType.NUMBER, LogicalType.INTEGER}


class RuleName(enum.StrEnum):
    """What a rule demands; the value is what reasons are named by."""

    ENUM = "enum"  # one of these values
    MISSING_VALUES = "missingValues"  # none of these values: they stand for "not known"
    PATTERN = "pattern"  # a regular expression is found in the text
    FORMAT = "format"
    TIMEZONE = "timezone"  # True: an offset is given; False: none is
    MIN_LENGTH = "minLength"
    MAX_LENGTH = "maxLength"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    EXCLUSIVE_MINIMUM = "exclusiveMinimum"
    EXCLUSIVE_MAXIMUM = "exclusiveMaximum"
    MULTIPLE_OF = "multipleOf"
    MIN_ITEMS = "minItems"
    MAX_ITEMS = "maxItems"
    UNIQUE_ITEMS = "uniqueItems"
    MIN_PROPERTIES = "minProperties"
    MAX_PROPERTIES = "maxProperties"
    REQUIRED = "required"  # fields that must exist in an object, be they null
    NOT_NULL = "notNull"  # it may be missing, and is not null where it is there (JSON Schema's own sense of a type)


BOUNDS = frozenset({RuleName.MINIMUM, RuleName.MAXIMUM, RuleName.EXCLUSIVE_MINIMUM, RuleName.EXCLUSIVE_MAXIMUM})


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule for one value, and where it stands."""

    name: RuleName
    value: Any
    line: int
    column: int


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One named value of a record, or the record, or the items of a list.

    ``required`` is ODCS's: the field must be there and must not be null. What is not required may be either.
    """

    name: str
    line: int
    column: int
    type: LogicalType | None = None  # None: the contract does not say
    required: bool = False
    rules: tuple[Rule, ...] = ()
    fields: tuple[Field, ...] = ()  # of an object, in the order of the contract
    closed: bool = False  # True: an object may hold no other fields
    items: Field | None = None  # of a list
    key: Field | None = None  # of a map
    value: Field | None = None  # of a map
    classification: str = ""  # own, or of what it stands in; empty: none is declared
    classified: bool = False  # its values may not be shown
    aliases: tuple[str, ...] = ()  # former names
    coercions: tuple[str, ...] = ()  # in the order in which they are tried
    unit: str = ""  # what a number counts: "EUR", "mm"; empty: the contract does not say

    def under(self, step: str | int) -> Field | None:
        """What is declared one step further down; None when nothing is."""
        if isinstance(step, int):
            return self.items
        if self.type is LogicalType.MAP:
            return self.value
        return next((f for f in self.fields if f.name == step), None)

    @property
    def nullable(self) -> bool:
        """Whether null is a value that it may have."""
        return not self.required and not any(r.name is RuleName.NOT_NULL for r in self.rules)

    @property
    def hides(self) -> bool:
        """Whether a value at this place may hold something classified, its own or of a field below it."""
        below = (*self.fields, *(f for f in (self.items, self.key, self.value) if f is not None))
        return self.classified or any(f.hides for f in below)


def paths_of(field: Field, name: str) -> Iterator[str]:
    """Every place below a field, dotted: ``claim.parts[].n``.

    Args:
        field: a record, or any field.
        name: what stands before the first dot; empty: nothing does.
    """
    if name:
        yield name
    for below in field.fields:
        yield from paths_of(below, f"{name}.{below.name}" if name else below.name)
    for part, step in ((field.items, "[]"), (field.key, ".key"), (field.value, ".value")):
        if part is not None:
            yield from paths_of(part, f"{name}{step}")


class Unenforced(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that stands in the file and that no check of single records enforces."""

    line: int
    column: int
    rule: str  # as the file names it: "unique", "quality.rowCount", "slaProperties.latency"
    why: str  # one plain sentence
    field: str = ""  # the field it is about, dotted: "claim.amount"; empty: the contract as a whole
    of_records: bool = True  # a record can break it, so a share of valid records rests on it; False: the delivery can


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One ODCS document, read."""

    id: str
    name: str
    version: str
    digest: str  # ``sha256:`` and the hex digest of the file's bytes
    file: str
    api_version: str = ""  # "v3.1.0"
    status: str = ""
    standard: str = "odcs"  # what it is written in: odcs, json-schema, pydantic
    sources: tuple[str, ...] = ()  # names under servers; a record's source chooses its contract by them
    objects: tuple[Field, ...] = ()  # one for each schema object
    record: Field | None = None  # the schema object that a record is checked against; None: there is none
    unenforced: tuple[Unenforced, ...] = ()  # in the order of the file
    warnings: tuple[Problem, ...] = ()  # what is understood and should be written otherwise, in the order of the file
    terms: Terms = Terms()  # what it says beyond single records
    document: dict[str, Any] = {}  # everything in the file, as plain values

    @property
    def label(self) -> str:
        """Id and digest, as a decision's record names the contract it was checked against."""
        return f"{self.id} {self.digest}"
