"""Records as columns: what is kept of a source while it is looked at, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

MOST_FIELDS: Final = 300  # more names than that are data, not a design
MOST_DEPTH: Final = 6  # objects in each other that are looked into
MOST_ITEMS: Final = 20  # of a list that are looked into
MOST_CELLS: Final = 3_000_000  # of all fields; about 100 bytes each
_LONGEST_NAME: Final = 200
ABSENT: Final = None  # a field that a record has not, or has as null


class Table:
    """The records of one source, field by field. Each column holds one value for each record; None for none."""

    def __init__(self) -> None:
        self.records = 0
        self.columns: dict[str, list[Any]] = {}
        self.shapes: Counter[tuple[str, ...]] = Counter()  # which names stand in a record, as often as it was so
        self.hashes: list[int] = []  # of each record's bytes
        self.sizes: list[int] = []  # bytes of each record
        self.left_out = 0  # values of fields beyond what is kept
        self.kept: list[Mapping[str, Any]] = []  # the first records whole, to infer a contract from
        self.later: list[Mapping[str, Any]] = []  # others, evenly, to hold against it
        self.cells = 0

    def add(self, record: Mapping[str, Any], raw: bytes) -> None:
        """Take one record.

        Args:
            record: as JSON reads it.
            raw: the bytes that it came as.
        """
        self.shapes[tuple(record)] += 1
        self._put("", record, 0)
        self.hashes.append(hash(raw))
        self.sizes.append(len(raw))
        self.records += 1

    def end(self) -> None:
        """Fill the columns up to the last record."""
        for column in self.columns.values():
            column.extend([ABSENT] * (self.records - len(column)))

    @property
    def is_full(self) -> bool:
        """Whether no more cells are to be kept."""
        return self.cells >= MOST_CELLS

    def _put(self, before: str, record: Mapping[str, Any], depth: int) -> None:
        """The hottest loop of the check: one turn for each value."""
        at = self.records
        known = self.columns.get
        for key, value in record.items():
            name = before + key if before else key
            kind = type(value)
            if (kind is dict or kind is list) and value and depth < MOST_DEPTH:
                if kind is dict:
                    self._put(f"{name}.", value, depth + 1)
                    continue
                if type(value[0]) is dict:
                    for item in value[:MOST_ITEMS]:
                        if type(item) is dict:
                            self._put(f"{name}[].", item, depth + 1)
                    continue
            column = known(name)
            if column is None:
                column = self._new(name)
                if column is None:
                    continue
            short = at - len(column)
            if short > 0:
                column.extend([ABSENT] * short)
            if short >= 0:
                column.append(value)
            # else: a second item of a list in the same record; the first one stands for it
        self.cells += len(record)

    def _new(self, name: str) -> list[Any] | None:
        if len(self.columns) >= MOST_FIELDS or len(name) > _LONGEST_NAME:
            self.left_out += 1
            return None
        made: list[Any] = []
        self.columns[name] = made
        return made
