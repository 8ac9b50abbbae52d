"""What can change between two versions of a contract, and whom it breaks: the values that a comparison gives."""

from __future__ import annotations

import enum

import msgspec


class Kind(enum.StrEnum):
    """What changed."""

    FIELD_ADDED = "field added"
    FIELD_REMOVED = "field removed"
    FIELD_RENAMED = "field renamed"
    TYPE = "logical type changed"
    UNIT = "unit changed"
    REQUIRED = "became required"
    OPTIONAL = "became optional"
    ENUM_ADDED = "allowed value added"
    ENUM_REMOVED = "allowed value removed"
    NARROWED = "narrowed"
    WIDENED = "widened"
    REWRITTEN = "rewritten"  # neither contains the other, as far as can be told
    CLOSED = "other fields refused"
    OPENED = "other fields let through"
    READING = "reading changed"  # coercions, former names
    CLASSIFICATION = "classification changed"
    KEY = "key changed"
    ORDER = "order changed"
    WINDOW = "window changed"  # how far back records are compared with each other
    REFERENCE = "reference changed"
    QUALITY = "quality rule changed"
    LEVEL = "service level changed"
    OBJECT = "schema object changed"
    SERVER = "server changed"
    PEOPLE = "people changed"
    VERSION = "version"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference."""

    kind: Kind
    field: str  # dotted, from the schema object on; "": the contract as a whole
    said: str  # one plain sentence
    breaks_sources: bool = False  # what keeps the old contract can break the new one
    breaks_consumers: bool = False  # what keeps the new contract can break the old one, or means something else
    old_line: int = 0  # 0: it stands in one of the two alone
    new_line: int = 0
    consumer: str = ""  # id of the only consumer that it is about; "": of all that read the field

    @property
    def breaks(self) -> bool:
        """Whether it breaks anybody."""
        return self.breaks_sources or self.breaks_consumers


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """One declared consumer, and what breaks it."""

    id: str
    owner: str
    approver: str  # whose approval the change needs
    effect: str  # what an unexpected value does there
    changes: tuple[int, ...]  # positions in the list of changes; empty: nothing breaks it


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two contracts beside each other."""

    old: str  # file
    new: str
    changes: tuple[Change, ...] = ()
    consumers: tuple[Affected, ...] = ()  # those that either of the two declares
    breaks_sources: bool = False
    breaks_consumers: bool = False
