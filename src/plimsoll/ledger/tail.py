"""The growing right edge of a stream's tree: the leaves of the open tile, and one hash per complete subtree before it.

Interior hashes are taken when a tile is full or a root is asked for, not at each entry: the same work, in one warm run.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from plimsoll.ledger.merkle import EMPTY_ROOT, TILE, TILE_LEVELS, Frontier, node_hash, tile_nodes


class Grown(msgspec.Struct, frozen=True):
    """What has become complete and can be stored for good."""

    tiles: list[tuple[int, bytes]]  # index of the tile, its 254 interior hashes as `merkle.tile_nodes` orders them
    nodes: list[tuple[int, int, bytes]]  # level (8 and up), index, hash


class Tail:
    """All that is needed to go on.

    >>> tail = Tail()
    >>> tail.extend([bytes(32)]), tail.size
    (None, 1)
    """

    __slots__ = ("_leaves", "_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = (), leaves: Sequence[bytes] = ()) -> None:
        """The edge of a tree of ``size`` leaves.

        Args:
            size: leaves.
            peaks: hashes of the complete subtrees of whole tiles (256 leaves and more), the largest first.
            leaves: leaf hashes of the open tile: the last ``size % 256``.
        """
        if len(leaves) != size % TILE or len(peaks) != (size // TILE).bit_count():
            raise ValueError(f"a tree of {size} has no such edge")
        self.size = size
        self._peaks = list(peaks)
        self._leaves = list(leaves)

    def extend(self, leaves: Sequence[bytes]) -> Grown | None:
        """Append leaf hashes; gives what became complete, None when nothing did."""
        opened = self._leaves
        opened += leaves
        self.size += len(leaves)
        if len(opened) < TILE:
            return None
        grown = Grown([], [])
        index = self.size // TILE - len(opened) // TILE
        while len(opened) >= TILE:
            self._close_tile(index, opened[:TILE], grown)
            del opened[:TILE]
            index += 1
        return grown

    def _close_tile(self, index: int, leaves: Sequence[bytes], grown: Grown) -> None:
        interior, top = tile_nodes(leaves)
        grown.tiles.append((index, interior))
        level = TILE_LEVELS
        grown.nodes.append((level, index, top))
        while index & 1:
            top = node_hash(self._peaks.pop(), top)
            index >>= 1
            level += 1
            grown.nodes.append((level, index, top))
        self._peaks.append(top)

    def peaks(self) -> list[bytes]:
        """Hashes of all complete subtrees, the largest first."""
        small = Frontier()
        small.extend(self._leaves)
        return [*self._peaks, *small.stack]

    def root(self) -> bytes:
        """Root of the tree so far."""
        return root_of(self.peaks())


def root_of(peaks: Sequence[bytes]) -> bytes:
    """The root over complete subtrees that stand side by side, the largest first; `EMPTY_ROOT` for none."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node_hash(left, root)
    return root
