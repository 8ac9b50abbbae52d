"""Merkle trees over the entries of a stream, as in RFC 9162 section 2.1 (the trees of RFC 6962, unchanged)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final, Protocol

TILE: Final = 256  # leaves under one tile: the widest subtree whose interior hashes (8,128 bytes) are stored together
TILE_LEVELS: Final = 8  # 2**8 = TILE
HASH: Final = 32  # bytes of one SHA-256

# 0x00 before a leaf and 0x01 before a node (RFC 9162, 2.1.1): without it, a node could be passed off as a leaf.
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"

EMPTY_ROOT: Final = sha256(b"").digest()  # the root of a tree without leaves


def leaf_hash(frame: bytes) -> bytes:
    """Hash of one leaf over the whole framed entry, 32 bytes: SHA-256(0x00 ‖ frame).

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return sha256(_LEAF + frame).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an interior node over its two children, 32 bytes: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(_NODE + left + right).digest()


def parents(children: Sequence[bytes]) -> list[bytes]:
    """The next level up; a child without a partner at the end is left out."""
    pairs = iter(children)
    return [sha256(_NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]


class Frontier:
    """The roots of the complete subtrees of a growing tree, the largest first: all that appending needs.

    ``stack`` holds one hash of 32 bytes per bit that is set in ``size``.

    >>> frontier = Frontier()
    >>> frontier.push(leaf_hash(b""))
    >>> frontier.size, frontier.root() == leaf_hash(b"")
    (1, True)
    """

    __slots__ = ("size", "stack")

    def __init__(self, size: int = 0, stack: Iterable[bytes] = ()) -> None:
        self.size = size
        self.stack = list(stack)
        if size < 0 or len(self.stack) != size.bit_count():
            raise ValueError(f"a frontier of size {size} cannot have {len(self.stack)} hashes")

    def copy(self) -> Frontier:
        """A frontier that grows on its own from here."""
        return Frontier(self.size, self.stack)

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        size, stack, top = self.size, self.stack, leaf
        while size & 1:
            top = sha256(_NODE + stack.pop() + top).digest()
            size >>= 1
        stack.append(top)
        self.size += 1

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append many leaf hashes: the same as pushing each, several times faster from about eight on."""
        size, stack = self.size, self.stack
        left_over: list[bytes] = []  # new complete subtrees, the smallest first
        level: list[bytes] = list(leaves)
        while level:
            if size & 1:
                level.insert(0, stack.pop())
            if len(level) & 1:
                left_over.append(level[-1])
            level = parents(level)
            size >>= 1
        left_over.reverse()
        stack.extend(left_over)
        self.size += len(leaves)

    def root(self) -> bytes:
        """Root of the tree so far; `EMPTY_ROOT` for an empty one."""
        return fold(self.stack)


def fold(hashes: Sequence[bytes]) -> bytes:
    """One root over complete subtrees of falling size, side by side from left to right; `EMPTY_ROOT` over none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = sha256(_NODE + left + root).digest()
    return root


def tile_nodes(leaves: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The interior hashes of one full tile, and its root.

    Args:
        leaves: exactly 256 hashes of 32 bytes (leaf hashes, or for an upper tile the roots of 256 tiles).

    Returns:
        254 hashes joined (8,128 bytes): level 1 (128 of them) first, level 7 (2) last; and the root, level 8.
        `tile_node` reads one of them.
    """
    if len(leaves) != TILE:
        raise ValueError(f"a tile has {TILE} leaves, not {len(leaves)}")
    levels: list[bytes] = []
    level = parents(leaves)
    while len(level) > 1:
        levels += level
        level = parents(level)
    return b"".join(levels), level[0]


def tile_node(interior: bytes, level: int, index: int) -> bytes:
    """One interior hash of a tile as `tile_nodes` gives them.

    Args:
        interior: the 8,128 bytes.
        level: 1 (parents of leaves) to 7.
        index: position within the tile's level, from 0.
    """
    at = (TILE - (TILE >> (level - 1)) + index) * HASH
    return interior[at : at + HASH]


class NodeReader(Protocol):
    """Where proofs get their hashes: every complete, aligned subtree of a stored tree."""

    def leaf(self, index: int) -> bytes:
        """Hash of the leaf at this position."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """Root of the subtree over leaves index * 2**level up to (index + 1) * 2**level; level 0 is the leaves."""
        ...


def tree_root(reader: NodeReader, size: int) -> bytes:
    """Root of the first ``size`` leaves, from at most log2(size) + 1 stored hashes."""
    return fold([_read(reader, level, index) for level, index in peaks(0, size)])


def frontier_at(reader: NodeReader, size: int) -> Frontier:
    """The frontier of the first ``size`` leaves, from at most log2(size) + 1 stored hashes."""
    return Frontier(size, [_read(reader, level, index) for level, index in peaks(0, size)])


def inclusion_proof(reader: NodeReader, index: int, size: int) -> list[bytes]:
    """Audit path of leaf ``index`` in the tree of the first ``size`` leaves (RFC 9162, 2.1.3.1).

    At most log2(size) + 1 hashes from at most twice as many reads. Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return _path(reader, 0, index, size)


def consistency_proof(reader: NodeReader, old: int, new: int) -> list[bytes]:
    """Proof that the tree of the first ``old`` leaves is the beginning of that of ``new`` (RFC 9162, 2.1.4.1).

    Empty when ``old`` is 0 or equals ``new``. Raises ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is not the beginning of one of {new}")
    if old in (0, new):
        return []
    level = (old & -old).bit_length() - 1  # the last complete subtree of the old tree
    index = (old - 1) >> level
    seed = [_read(reader, level, index)] if index else []  # the verifier knows it when it is the whole old tree
    return seed + _path(reader, level, index, new)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` shows that ``leaf`` stands at ``index`` of the tree with this size and root (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, top = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            top = node_hash(sibling, top)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            top = node_hash(top, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and top == root


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether ``path`` shows that the tree (old, old_root) is the beginning of (new, new_root) (2.1.4.2).

    The RFC leaves the empty tree out; here it is the beginning of every tree, shown by an empty path.
    """
    if not 0 <= old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old_top = new_top = hashes[0]
    for sibling in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old_top, new_top = node_hash(sibling, old_top), node_hash(sibling, new_top)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            new_top = node_hash(new_top, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and old_top == old_root and new_top == new_root


def _path(reader: NodeReader, level: int, index: int, size: int) -> list[bytes]:
    """Siblings on the way from node (level, index), complete within ``size`` leaves, up to the root."""
    last = (size - 1) >> level
    inner = (index ^ last).bit_length()  # levels below the point where the ways to this node and to the end meet
    path = [_read(reader, level + up, (index >> up) ^ 1) for up in range(inner - 1)]
    if inner:  # the last of them holds the end of the tree, so it may be incomplete
        start = ((index >> (inner - 1)) ^ 1) << (level + inner - 1)
        path.append(fold([_read(reader, *peak) for peak in peaks(start, size)]))
    border = index >> inner
    levels = range(inner, inner + border.bit_length())  # above it everything to the left is complete
    path.extend(_read(reader, level + up, (index >> up) - 1) for up in levels if index >> up & 1)
    return path


def peaks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, index) that stand over leaves start … end - 1 side by side, the largest first.

    ``start`` has to be 0 or aligned to the largest of them.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _read(reader: NodeReader, level: int, index: int) -> bytes:
    return reader.node(level, index) if level else reader.leaf(index)
