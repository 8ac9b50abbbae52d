"""What a column of a table holds, as far as a check depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

WHOLE: Final = frozenset(
    {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint"}
)
BROKEN: Final = frozenset({"float", "double"})  # numbers that can be NaN or infinite
LOCAL: Final = frozenset({"timestamp", "timestamp_s", "timestamp_ms"})  # points in time without a zone
ZONED: Final = "timestamp with time zone"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The type of a column, or of a field in it."""

    kind: str  # the database's word, in small letters: varchar, bigint, decimal, struct, list, …
    precision: int = 0  # of decimals: digits in all
    scale: int = 0  # of decimals: digits after the point
    fields: Mapping[str, Column] = {}  # of a struct, in its order

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return self.kind in WHOLE or (self.kind == "decimal" and self.scale == 0)

    def __str__(self) -> str:
        """As a message names it."""
        if self.kind == "decimal":
            return f"decimal({self.precision},{self.scale})"
        return self.kind
