"""Stored hashes of a stream's tree, for proofs."""

from __future__ import annotations

from typing import Any, Final, Protocol

from plimsoll.ledger.merkle import TILE_LEVELS, tile_node
from plimsoll.ledger.numbering import NODE_SHIFT, SHIFT
from plimsoll.ledger.tail import Tail


class Rows(Protocol):
    """What is asked of a reading connection."""

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        ...

    def row(self, sql: str, *arguments: Any) -> tuple[Any, ...] | None:
        """The first row of a statement."""
        ...

    def leaves(self, number: int, start: int, stop: int) -> list[bytes]:
        """Leaf hashes of some positions of a stream."""
        ...


class StoredNodes:
    """A `merkle.NodeReader` over one stream. Hashes of complete subtrees never change, so what was read is kept."""

    _KEEP: Final = 65_536  # hashes above the tiles, some 8 MB; beyond it they are read anew

    def __init__(self, rows: Rows, number: int) -> None:
        self._rows = rows
        self._number = number
        self._known: dict[tuple[int, int], bytes] = {}
        self._tile: tuple[int, bytes] = (-1, b"")

    def leaf(self, index: int) -> bytes:
        """Hash of the leaf at this position. Raises LookupError when it is not stored."""
        row = self._rows.row("SELECT leaf FROM entries WHERE id=?", self._number << SHIFT | index)
        if row is None:
            raise LookupError(f"entry {index} is not stored")
        return bytes(row[0])

    def node(self, level: int, index: int) -> bytes:
        """Root of the subtree over leaves index * 2**level and on. Raises LookupError when it is not stored."""
        if level == 0:
            return self.leaf(index)
        if level < TILE_LEVELS:
            return self._in_tile(level, index)
        if (level, index) not in self._known:
            self._fetch(level, index)
        found = self._known.get((level, index))
        if found is None:
            raise LookupError(f"node {index} of level {level} is not stored")
        return found

    def _fetch(self, level: int, index: int) -> None:
        """Read one node, and with it the siblings of all above it: a proof asks for those next."""
        wanted = {self._key(level, index): (level, index)}
        while index:
            level, index = level + 1, index >> 1
            if (level, index ^ 1) not in self._known:
                wanted[self._key(level, index ^ 1)] = (level, index ^ 1)
        marks = ",".join("?" * len(wanted))
        for key, digest in self._rows.rows(f"SELECT id,hash FROM nodes WHERE id IN ({marks})", *wanted):  # noqa: S608 - marks
            self._keep(*wanted[key], digest)

    def _key(self, level: int, index: int) -> int:
        return self._number << SHIFT | (level - TILE_LEVELS) << NODE_SHIFT | index

    def _in_tile(self, level: int, index: int) -> bytes:
        tile = index >> TILE_LEVELS - level
        if self._tile[0] != tile:
            row = self._rows.row("SELECT nodes FROM tiles WHERE id=?", self._number << SHIFT | tile)
            if row is None:
                return self._in_open_tile(level, index)
            self._tile = (tile, row[0])
        return tile_node(self._tile[1], level, index - (tile << TILE_LEVELS - level))

    def _in_open_tile(self, level: int, index: int) -> bytes:
        """Taken from its leaves: fewer than 256, as the tile is not full yet."""
        found = self._known.get((level, index))
        if found is None:
            leaves = self._rows.leaves(self._number, index << level, index + 1 << level)
            if len(leaves) != 1 << level:
                raise LookupError(f"node {index} of level {level} is not complete")
            found = self._keep(level, index, Tail(len(leaves), (), leaves).root())
        return found

    def _keep(self, level: int, index: int, digest: bytes) -> bytes:
        if len(self._known) >= self._KEEP:
            self._known.clear()
        self._known[level, index] = digest
        return digest
