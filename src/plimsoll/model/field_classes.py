"""How closely each field of a record must be kept, as its contract says: values between contract and policy."""

from __future__ import annotations

import msgspec


class FieldClasses(msgspec.Struct, frozen=True, kw_only=True):
    """The classification words of one value and of all that is declared below it.

    ``word`` is the contract's own word, of the value or of the nearest thing around it that has one; empty where none
    has. What the words mean is for the organisation's governance to say.
    """

    word: str = ""
    fields: dict[str, FieldClasses] = {}  # of an object, by name
    items: FieldClasses | None = None  # of a list
    key: FieldClasses | None = None  # names in a map are data, too
    value: FieldClasses | None = None  # of a map
