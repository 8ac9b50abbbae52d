"""One stream recomputed from its entries, and where the hashes stored beside them say something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from plimsoll.errors import StoreDamaged
from plimsoll.ledger.audit import KIND_MODULUS, LedgerFile
from plimsoll.ledger.entry import frame
from plimsoll.ledger.merkle import EMPTY_ROOT, TILE, TILE_LEVELS, Frontier, fold, node_hash, tile_nodes
from plimsoll.ledger.numbering import SHIFT, Row

LEAF_COLUMN: Final = 12  # of a `Row`; the columns before it are what a frame takes after the stream
_LEAF: Final = b"\x00"  # RFC 9162, 2.1.1
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_ENCODED_LEAF: Final = 34  # bytes of a leaf hash in MessagePack
_HUMAN_ONLY: Final = "human-only"
# A row moved to a far position must not make us count through all the positions before it.
_LONGEST_GAP: Final = 1 << 22
_GIVE_UP_TILES: Final = 64  # so many unreadable in a row, and the rest of the stream is taken for unreadable

Tick = Callable[[int], None]  # told how many more entries were looked at


class Ranges:
    """Positions, kept as runs; at most ``most`` runs, then only counted."""

    __slots__ = ("left_out", "most", "runs")

    def __init__(self, most: int = 10_000) -> None:
        self.runs: list[tuple[int, int]] = []  # first, last (inclusive), ascending
        self.most = most
        self.left_out = 0

    def add(self, first: int, last: int) -> None:
        """Add a run that begins behind all others or touches the last one."""
        if self.runs and first <= self.runs[-1][1] + 1:
            self.runs[-1] = (self.runs[-1][0], max(last, self.runs[-1][1]))
        elif len(self.runs) < self.most:
            self.runs.append((first, last))
        else:
            self.left_out += 1

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any position from ``first`` to ``last`` is in here."""
        return any(a <= last and first <= b for a, b in self.runs)

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """The runs, cut to ``first`` … ``last``."""
        return [(max(a, first), min(b, last)) for a, b in self.runs if a <= last and first <= b]

    def __bool__(self) -> bool:
        return bool(self.runs)


class Walk:
    """What one pass over a stream has shown."""

    def __init__(self, number: int, stream: str) -> None:
        self.number = number
        self.stream = stream
        self.end = 0  # positions 0 … end - 1 were looked at
        self.entries = 0  # found there
        self.beyond: int | None = None  # an entry far behind the end
        self.tiles: list[bytes | None] = []  # roots of the full tiles; None where an entry is missing
        self.tail: list[bytes | None] = []  # leaf hashes of the open tile
        self.roots: dict[int, bytes | None] = {0: EMPTY_ROOT}  # by size, as asked for; None where an entry is missing
        self.missing = Ranges()
        self.repeated = Ranges()  # more than one row stands there
        self.unreadable = Ranges()
        self.odd_leaves = Ranges()  # the stored leaf hash is not that of the entry
        self.odd_tiles = Ranges()  # the stored interior hashes are not those of the entries
        self.odd_nodes: list[tuple[int, int]] = []  # level, index: the same above the tiles
        self.leftover = 0  # stored hashes say that there were at least so many entries
        self.falls: list[int] = []  # time is before that of the entry before
        self.forbidden: list[int] = []  # human-only, and the model was called


class Pass:
    """One pass over a stream, tile by tile: one SELECT, 256 leaf hashes and 255 node hashes at a time."""

    def __init__(self, file: LedgerFile, walk: Walk, sizes: Iterable[int], kinds: Kinds, tick: Tick) -> None:
        """Prepare a pass.

        Args:
            file: the file.
            walk: takes what is found.
            sizes: sizes at which the root is wanted.
            kinds: what is rare is noted there.
            tick: told of progress.
        """
        self._file = file
        self._walk = walk
        self._wanted = sorted({size for size in sizes if size > 0}, reverse=True)
        self._kinds = kinds
        self._tick = tick
        self._frontier: Frontier | None = Frontier()  # of the tiles' roots; None from the first gap on
        self._frame_start = _LEAF + _frame_start(walk.stream)
        self._time = 0
        self._bad_tiles = 0

    def run(self, end: int) -> None:
        """Look at positions 0 … end - 1."""
        walk, first = self._walk, 0
        while first < end:
            stop = min(first + TILE, end)
            rows = self._read(first, stop)
            if not rows and not self._bad_tiles:
                first = self._skip(first, end)
                continue
            self._take(first, stop, rows)
            walk.end = first = stop
            if self._bad_tiles >= _GIVE_UP_TILES and first < end:
                walk.unreadable.add(first, end - 1)
                break

    def _skip(self, first: int, end: int) -> int:
        """Nothing is stored in this tile: the beginning of the next one that holds something."""
        found = self._file.next_after(self._walk.number, first)
        upto = end if found is None else found
        if upto - first > _LONGEST_GAP:
            self._walk.beyond = upto
            return end
        start = end if found is None else upto - upto % TILE
        self._walk.missing.add(first, start - 1)
        self._walk.tiles += [None] * ((start - first) // TILE)
        self._frontier = None
        return start

    def _read(self, first: int, stop: int) -> list[Row]:
        """The rows of one tile; where a page is damaged, one by one, whatever of them can be read."""
        try:
            rows = self._file.rows(self._walk.number, first, stop)
        except StoreDamaged:
            rows = []
            for seq in range(first, stop):
                try:
                    rows += self._file.rows(self._walk.number, seq, seq + 1)
                except StoreDamaged:
                    self._walk.unreadable.add(seq, seq)
            self._bad_tiles = self._bad_tiles + 1 if not rows else 0
            return rows
        self._bad_tiles = 0
        return rows

    def _take(self, first: int, stop: int, rows: list[Row]) -> None:
        walk = self._walk
        leaves: list[bytes | None]
        if [row[0] for row in rows] == list(range(first, stop)):
            leaves = self._compare(first, rows)
        else:
            leaves = [None] * (stop - first)
            for run in _runs(rows, first, stop, walk.repeated):
                at = run[0][0] - first
                leaves[at : at + len(run)] = self._compare(first + at, run)
            for at, leaf in enumerate(leaves):
                if leaf is None and not walk.unreadable.overlaps(first + at, first + at):
                    walk.missing.add(first + at, first + at)
        walk.entries += len(rows)
        self._tick(len(rows))
        self._roots_within(leaves)
        if stop - first == TILE:
            self._close_tile(leaves)
        else:
            walk.tail = leaves

    def _compare(self, first: int, rows: list[Row]) -> list[bytes | None]:
        """Leaf hashes of rows that follow each other without a gap; notes what is odd about them."""
        walk = self._walk
        _, times, kinds, _, _, _, _, tiers, called, _, _, _, stored = zip(*rows, strict=True)
        leaves = self._leaves(rows, stored)
        if tuple(leaves) != stored:
            for seq, (ours, theirs) in enumerate(zip(leaves, stored, strict=True), start=first):
                if ours != theirs:
                    walk.odd_leaves.add(seq, seq)
        self._check_times(first, times)
        if _HUMAN_ONLY in tiers:
            walk.forbidden += [
                first + at
                for at, (tier, did) in enumerate(zip(tiers, called, strict=True))
                if tier == _HUMAN_ONLY and did
            ]
        if kinds.count("decision") != len(kinds):
            self._kinds.take(walk.number, rows)
        return leaves

    def _leaves(self, rows: list[Row], stored: Sequence[Any]) -> list[bytes | None]:
        """Leaf hashes of rows: the quick way, and where any is not as stored, each by itself with `entry.frame`.

        The quick way encodes a row as it comes, stored leaf hash and all, and cuts that off again: its 34 bytes if it
        is one. If it is not, or not those of the entry, the hashes differ.
        """
        start = self._frame_start
        try:
            quick = [sha256(start + _ENCODE(row)[1:-_ENCODED_LEAF]).digest() for row in rows]
        except UnicodeEncodeError:
            quick = []
        if tuple(quick) == stored:
            return list[bytes | None](quick)
        return [leaf_of(self._walk.stream, row) for row in rows]

    def _check_times(self, first: int, times: Sequence[Any]) -> None:
        try:
            falls = times[0] < self._time or list(times) != sorted(times)
        except TypeError:  # some time is no number: its leaf does not fit either
            return
        if falls:
            before = self._time
            for seq, time in enumerate(times, start=first):
                if time < before:
                    self._walk.falls.append(seq)
                before = time
        self._time = times[-1]

    def _close_tile(self, leaves: list[bytes | None]) -> None:
        walk = self._walk
        index = len(walk.tiles)
        whole = [leaf for leaf in leaves if leaf is not None]
        if len(whole) != TILE:
            walk.tiles.append(None)
            self._frontier = None
            return
        interior, root = tile_nodes(whole)
        walk.tiles.append(root)
        if self._frontier is not None:
            self._frontier.push(root)
        try:
            stored = self._file.tile(walk.number, index)
        except StoreDamaged:
            stored = None
        if stored != interior:
            walk.odd_tiles.add(index, index)

    def _roots_within(self, leaves: Sequence[bytes | None]) -> None:
        """Note the wanted roots whose size lies within the tile that is at hand."""
        base = len(self._walk.tiles) * TILE
        open_tile, pushed = Frontier(), 0
        while self._wanted and self._wanted[-1] <= base + len(leaves):
            size = self._wanted.pop()
            more = [leaf for leaf in leaves[pushed : size - base] if leaf is not None]
            if self._frontier is None or len(more) != size - base - pushed:
                self._walk.roots[size] = None
                continue
            open_tile.extend(more)
            pushed = size - base
            self._walk.roots[size] = fold(self._frontier.stack + open_tile.stack)


class Kinds:
    """Entries that are no decisions, as the table has them: to compare with the index, and to look at some of them."""

    def __init__(self, look: Callable[[int, Row], None] | None = None) -> None:
        """Count rare kinds.

        Args:
            look: called with a stream's number and each row of a rare kind.
        """
        self.sums: dict[str, tuple[int, int]] = {}  # how many, sum of ids modulo KIND_MODULUS
        self._look = look

    def take(self, number: int, rows: list[Row]) -> None:
        """Take rows of one stream; decisions among them are passed over."""
        for row in rows:
            kind = row[2]
            if kind != "decision":
                count, total = self.sums.get(kind, (0, 0))
                self.sums[kind] = (count + 1, (total + (number << SHIFT | row[0])) % KIND_MODULUS)
                if self._look is not None:
                    self._look(number, row)


def _frame_start(stream: str) -> bytes:
    """What every frame of a stream begins with, in front of the encoded columns."""
    columns = (0, 0, "", "", "", "", "", "", 0, "", 0, b"")
    framed, encoded = frame(stream, *columns), _ENCODE(columns)[1:]
    assert framed.endswith(encoded), "a frame ends with its columns"
    return framed[: -len(encoded)]


def leaf_of(stream: str, row: Row, seq: int | None = None) -> bytes | None:
    """The leaf hash of a row, as if it stood at ``seq``; None when its text is no text."""
    try:
        return sha256(_LEAF + frame(stream, row[0] if seq is None else seq, *row[1:LEAF_COLUMN])).digest()
    except UnicodeEncodeError:
        return None


def _runs(rows: list[Row], first: int, stop: int, repeated: Ranges) -> Iterator[list[Row]]:
    """Rows that follow each other without a gap; one that stands out of order is left out and noted."""
    run: list[Row] = []
    for row in rows:
        if not first <= row[0] < stop or (run and row[0] <= run[-1][0]):
            repeated.add(row[0], row[0])
            continue
        if run and row[0] != run[-1][0] + 1:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def compare_upper_nodes(file: LedgerFile, walk: Walk, most: int) -> None:
    """Compare the stored hashes above the tiles with those of the entries, level by level."""
    level, ours = TILE_LEVELS, walk.tiles
    while True:
        seen = 0
        try:
            for index, digest in file.nodes(walk.number, level):
                if index >= len(ours):
                    walk.leftover = max(walk.leftover, index + 1 << level)
                    break
                odd = [(level, gone) for gone in range(seen, index)]  # not stored at all
                odd += [(level, index)] if digest != ours[index] else []
                walk.odd_nodes += odd[: max(0, most - len(walk.odd_nodes))]
                seen = index + 1
        except StoreDamaged:
            pass
        walk.odd_nodes += [(level, gone) for gone in range(seen, min(len(ours), seen + most))]
        if not ours:
            break
        pairs = zip(ours[::2], ours[1::2], strict=False)
        ours = [None if left is None or right is None else node_hash(left, right) for left, right in pairs]
        level += 1
    walk.leftover = max(walk.leftover, (file.last_tile(walk.number) + 1) * TILE)
