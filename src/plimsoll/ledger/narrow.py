"""From a root that somebody vouches for down to the entries that do not fit it.

The hashes stored beside the entries are nobody's word, but where they fold up to a root that is vouched for, they are
as good as that root. So the way down is: a node that is vouched for vouches for its two children when these hash to
it; where what the entries give differs, one goes further down; where the children do not hash to it, somebody rewrote
them, too, and all that can be said is that it happened somewhere below.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from plimsoll.errors import StoreDamaged
from plimsoll.ledger.audit import LedgerFile
from plimsoll.ledger.merkle import TILE, TILE_LEVELS, fold, node_hash, peaks, tile_node
from plimsoll.ledger.numbering import Row
from plimsoll.ledger.recompute import LEAF_COLUMN, Walk, leaf_of

_INSIDE_TILE = TILE_LEVELS  # levels below this one are kept with their tile


class Difference(msgspec.Struct, frozen=True):
    """A subtree of which the entries are not what is vouched for."""

    level: int
    index: int
    vouched: bytes  # its hash

    @property
    def first(self) -> int:
        """First position below it."""
        return self.index << self.level

    @property
    def last(self) -> int:
        """Last position below it."""
        return (self.index + 1 << self.level) - 1


class Trees:
    """The two trees of one stream: as stored, and as its entries give it. None stands for a hash that is not there."""

    def __init__(self, file: LedgerFile, walk: Walk) -> None:
        self._file = file
        self._walk = walk
        self._tile = -1
        self._rows: dict[int, Row] = {}
        self._interior: bytes | None = None
        self._ours: dict[tuple[int, int], bytes | None] = {}  # computed hashes of the tile at hand
        self._above: dict[tuple[int, int], bytes | None] = {}  # computed hashes above the tiles

    def row(self, seq: int) -> Row | None:
        """The entry at a position, as stored."""
        self._load(seq // TILE)
        return self._rows.get(seq)

    def _load(self, tile: int) -> None:
        if tile == self._tile:
            return
        self._tile, self._ours, self._rows = tile, {}, {}
        first = tile * TILE
        try:
            self._rows = {row[0]: row for row in self._file.rows(self._walk.number, first, first + TILE)}
        except StoreDamaged:
            for seq in range(first, first + TILE):
                self._rows.update(self._single(seq))
        try:
            self._interior = self._file.tile(self._walk.number, tile)
        except StoreDamaged:
            self._interior = None

    def _single(self, seq: int) -> Iterator[tuple[int, Row]]:
        try:
            yield from ((row[0], row) for row in self._file.rows(self._walk.number, seq, seq + 1))
        except StoreDamaged:
            return

    def stored(self, level: int, index: int) -> bytes | None:
        """A hash as it is stored (or, in the open tile, as the stored leaves give it)."""
        if level >= _INSIDE_TILE:
            try:
                return self._file.node(self._walk.number, level, index)
            except StoreDamaged:
                return None
        self._load(index >> (_INSIDE_TILE - level))
        if level == 0:
            row = self._rows.get(index)
            return row[LEAF_COLUMN] if row is not None and isinstance(row[LEAF_COLUMN], bytes) else None
        if self._interior is not None:
            return tile_node(self._interior, level, index % (TILE >> level))
        return _parent(self.stored(level - 1, 2 * index), self.stored(level - 1, 2 * index + 1))

    def fold(self, size: int) -> bytes | None:
        """The root of the first ``size`` entries as the stored hashes give it."""
        hashes = [self.stored(level, index) for level, index in peaks(0, size)]
        whole = [digest for digest in hashes if digest is not None]
        return fold(whole) if len(whole) == len(hashes) else None

    def computed(self, level: int, index: int) -> bytes | None:
        """A hash as the entries give it."""
        if level >= _INSIDE_TILE:
            return self._computed_above(level, index)
        self._load(index >> (_INSIDE_TILE - level))
        if (level, index) not in self._ours:
            if level == 0:
                row = self._rows.get(index)
                found = None if row is None else leaf_of(self._walk.stream, row)
            else:
                found = _parent(self.computed(level - 1, 2 * index), self.computed(level - 1, 2 * index + 1))
            self._ours[level, index] = found
        return self._ours[level, index]

    def _computed_above(self, level: int, index: int) -> bytes | None:
        if level == _INSIDE_TILE:
            return self._walk.tiles[index] if index < len(self._walk.tiles) else None
        if (level, index) not in self._above:
            left, right = self._computed_above(level - 1, 2 * index), self._computed_above(level - 1, 2 * index + 1)
            self._above[level, index] = _parent(left, right)
        return self._above[level, index]


def _parent(left: bytes | None, right: bytes | None) -> bytes | None:
    return None if left is None or right is None else node_hash(left, right)


def differences(trees: Trees, size: int, root: bytes, skip: int, most: int) -> list[Difference]:
    """Where the entries are not what ``root`` vouches for.

    Args:
        trees: of the stream.
        size: leaves below the root; either the stored hashes or the entries fold to it.
        root: 32 bytes, vouched for.
        skip: positions before this one are not looked at; somebody stronger spoke of them.
        most: stop after so many.

    Returns:
        The differences from left to right, each as deep as it could be followed.
    """
    tops = list(peaks(0, size))
    hashes = [trees.stored(level, index) for level, index in tops]
    if None in hashes or fold([digest for digest in hashes if digest is not None]) != root:
        return []  # then it is the entries that fold to it
    found: list[Difference] = []
    stack = [Difference(*top, digest) for top, digest in zip(tops, hashes, strict=True) if digest is not None]
    stack.reverse()
    while stack and len(found) < most:
        node = stack.pop()
        if node.last < skip or trees.computed(node.level, node.index) == node.vouched:
            continue
        children = _vouched_children(trees, node)
        if children is None:
            found.append(node)
        else:
            stack += reversed(children)
    return found


def _vouched_children(trees: Trees, node: Difference) -> tuple[Difference, Difference] | None:
    """The two children, when some pair of hashes that we know gives the parent."""
    if node.level == 0:
        return None
    level, left, right = node.level - 1, 2 * node.index, 2 * node.index + 1
    for ours in (trees.stored(level, left), trees.computed(level, left)):
        for theirs in (trees.stored(level, right), trees.computed(level, right)):
            if ours is not None and theirs is not None and node_hash(ours, theirs) == node.vouched:
                return Difference(level, left, ours), Difference(level, right, theirs)
    return None
