"""What all groups of keys of a manifest have in common."""

from __future__ import annotations

import msgspec


class Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all groups of keys that are read from the manifest."""
