"""The classification words of a contract's fields, for whoever rules on where data may go."""

from __future__ import annotations

from plimsoll.contract.rules import Contract, Field, LogicalType
from plimsoll.model.field_classes import FieldClasses


def field_classes(contract: Contract | None) -> FieldClasses:
    """How closely each field of a record must be kept, in the contract's own words.

    A field without a word has that of what it stands in. Nothing is said of fields that the contract does not name, and
    nothing at all where there is no contract.

    Args:
        contract: as read; None: there is none.
    """
    record = None if contract is None else contract.record
    return FieldClasses() if record is None else _classes(record, "")


def _classes(field: Field, around: str) -> FieldClasses:
    word = field.classification or around
    parts = {"items": field.items, "key": field.key, "value": field.value}
    if field.type is LogicalType.VECTOR:
        parts = {}  # its numbers mean something together, and are kept or sent together
    below = {name: None if part is None else _classes(part, word) for name, part in parts.items()}
    return FieldClasses(
        word=word,
        fields={f.name: _classes(f, word) for f in field.fields},
        items=below.get("items"),
        key=below.get("key"),
        value=below.get("value"),
    )
