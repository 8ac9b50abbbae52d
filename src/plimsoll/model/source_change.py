"""What was seen to change at a source, and how often so far."""

from __future__ import annotations

import enum

import msgspec

CHANGED = "source.changed"  # an entry for each change, when it is first seen
COUNTED = "source.counted"  # how often since, each time that is ten times as often; and when a process ends


class ChangeKind(enum.StrEnum):
    """What changed."""

    UNKNOWN_FIELD = "unknown-field"  # a field that the contract does not name
    NEW_VALUE = "new-value"  # a value that is not one of those allowed
    OTHER_TYPE = "other-type"  # a field holds another kind of value
    UNDECLARED_SOURCE = "undeclared-source"  # no contract names the source
    UNDECLARED_CONSUMER = "undeclared-consumer"  # somebody asks whom no contract names as a consumer
    MORE = "more"  # more of a kind than are remembered one by one


class SourceChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a ``source.changed`` or ``source.counted`` entry: one change, as one process counts it."""

    id: str  # the same for the same change, whichever process sees it
    kind: ChangeKind
    source: str = ""  # as the decisions name it; "": they name none, or it is about a consumer
    contract: str = ""  # its id
    what: str = ""  # the field, dotted; the source; the consumer
    examples: tuple[str, ...] = ()  # up to three different ones; only what kind of value, where it may not be shown
    likely: str = ""  # the old name of a new field, where there is one that it can be
    why: str = ""  # what speaks for that
    first_ns: int  # UTC nanoseconds
    process: str  # which process counts
    seen: int  # records with it, as this process saw them
    of: int  # records of the source that this process saw since it began to watch
