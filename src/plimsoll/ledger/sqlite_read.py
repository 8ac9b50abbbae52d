"""Reading the file: entries, streams, stored hashes. One connection, shared by the threads of a process in turn."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from heapq import merge
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.ledger.entry import Entry, Header
from plimsoll.ledger.keys import SubjectKey
from plimsoll.ledger.merkle import TILE, TILE_LEVELS
from plimsoll.ledger.sqlite import (
    COLUMNS,
    POSITION,
    SHIFT,
    Connection,
    DatabaseError,
    store_error,
)
from plimsoll.ledger.sqlite_nodes import StoredNodes
from plimsoll.ledger.tail import Tail

DECISION: Final = "decision"
_PAGE: Final = 500  # rows taken at once: bounds the time the lock is held…
_PAGE_BYTES: Final = 4_000_000  # …and, as a body may have megabytes, the memory of an iteration
_BODY: Final = COLUMNS.split(",").index("body")

# Size of the stream `s`: as sealed, or else behind its last entry.
SIZE: Final = (
    "coalesce(s.size,(SELECT (e.id & (1<<40)-1)+1 FROM entries e NOT INDEXED"
    " WHERE e.id>=s.number<<40 AND e.id<(s.number+1)<<40 ORDER BY e.id DESC LIMIT 1),0)"
)

Row = tuple[Any, ...]  # the columns of `sqlite.COLUMNS`, in their order


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """One registered stream."""

    number: int
    id: str
    opened_ns: int
    owner: str  # process that writes it, as `host.me` gives it; "" for the root stream
    durability: str  # durable | batched
    window_ms: float  # batched: an entry waits so long at most for the disk…
    most: int  # …and so many may wait
    sealed_ns: int | None
    size: int | None  # when sealed
    root: bytes | None  # when sealed


class HeadRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream that still grows had come when this was written; it may be further."""

    stream: int
    size: int
    time_ns: int  # of its last entry then
    frontier: bytes  # hashes of the complete subtrees, the largest first, joined
    noted: int  # its size at the last checkpoint


def entry_of(stream: str, row: Row) -> Entry:
    """The entry that a row holds."""
    key, time_ns, kind, system, subject, refs, type_, tier, called, disposition, sealed, body, _leaf = row
    return Entry(
        stream=stream,
        seq=key & POSITION,
        time_ns=time_ns,
        kind=kind,
        system=system,
        subject=subject,
        refs=tuple(refs.split(" ")) if refs else (),
        header=Header(type=type_, tier=tier, called=bool(called), disposition=disposition) if tier else None,
        sealed=bool(sealed),
        body=body,
    )


class Reader:
    """Everything that can be read of one ledger file. Safe to share between threads."""

    def __init__(self, con: Connection, path: Path) -> None:
        self._con = con
        self._path = path
        self._lock = threading.Lock()
        self._ids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    @property
    def lock(self) -> threading.Lock:
        """Held while a statement runs; taken around a fork, so that no statement is cut in half by it."""
        return self._lock

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._con.close()

    def let_go(self) -> None:
        """Close the connection without waiting for its lock; for a forked child."""
        self._con.close()

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement."""
        try:
            with self._lock:
                return self._con.execute(sql, arguments).fetchall()
        except DatabaseError as error:
            raise store_error(error, self._path) from error

    def row(self, sql: str, *arguments: Any) -> Row | None:
        """The first row of a statement."""
        rows = self.rows(sql, *arguments)
        return rows[0] if rows else None

    # ── streams ──

    def meta(self, key: str) -> str | None:
        """A fact about the file: ``format``, ``root`` (id of the root stream), ``origin`` of its checkpoints."""
        row = self.row("SELECT value FROM meta WHERE key=?", key)
        return None if row is None else str(row[0])

    def streams(self) -> list[StreamRow]:
        """All streams in the order of their registration; the root stream is the first."""
        return self._stream_rows("")

    def _stream_rows(self, where: str) -> list[StreamRow]:
        names = StreamRow.__struct_fields__
        rows = self.rows(f"SELECT {','.join(names)} FROM streams {where} ORDER BY number")  # noqa: S608 - constants
        return [StreamRow(**dict(zip(names, row, strict=True))) for row in rows]

    def heads(self) -> list[HeadRow]:
        """The streams that are not sealed, the root stream first, as they stood when their head was last written."""
        names = HeadRow.__struct_fields__
        rows = self.rows("SELECT stream,size,time_ns,frontier,noted FROM heads ORDER BY stream")
        return [HeadRow(**dict(zip(names, row, strict=True))) for row in rows]

    def end(self, number: int) -> tuple[int, int]:
        """How many entries a stream has, and the time of the last (0 when there is none)."""
        row = self.row(
            "SELECT id,time_ns FROM entries NOT INDEXED WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1",
            number << SHIFT,
            number + 1 << SHIFT,
        )
        return (0, 0) if row is None else ((row[0] & POSITION) + 1, row[1])

    def tail(self, number: int, size: int) -> Tail:
        """The edge of a stream's tree as it was at ``size``, from stored hashes: at most 255 leaves and 32 nodes."""
        tiles, nodes, peaks, index = size // TILE, self.nodes(number), list[bytes](), 0
        for level in reversed(range(tiles.bit_length())):
            if tiles >> level & 1:
                peaks.append(nodes.node(TILE_LEVELS + level, index >> level))
                index += 1 << level
        return Tail(size, peaks, self.leaves(number, tiles * TILE, size))

    def open_streams(self) -> list[StreamRow]:
        """Those of `streams` that are not sealed."""
        return self._stream_rows("WHERE number IN (SELECT stream FROM heads)")

    def growing(self) -> set[int]:
        """Numbers of the streams that are not sealed."""
        return {number for (number,) in self.rows("SELECT stream FROM heads")}

    def sizes(self, above: int = 0, also: Iterable[int] = ()) -> dict[int, int]:
        """Entries of every stream, by its number, in the order of registration.

        Args:
            above: only of streams with a higher number…
            also: …and of these.
        """
        sql = f"SELECT s.number,{SIZE} FROM streams s WHERE s.number>?"  # noqa: S608 - a constant
        if not also:
            return dict(self.rows(f"{sql} ORDER BY 1", above))
        more = "OR s.number IN (SELECT value FROM json_each(?))"
        return dict(self.rows(f"{sql} {more} ORDER BY 1", above, msgspec.json.encode(sorted(also)).decode()))

    def number_of(self, stream: str) -> int | None:
        """A stream's number in this file."""
        if stream not in self._numbers:
            row = self.row("SELECT number FROM streams WHERE id=?", stream)
            if row is None:
                return None
            self._numbers[stream] = row[0]
        return self._numbers[stream]

    def id_of(self, number: int) -> str:
        """The id of a stream that is known to be there."""
        if number not in self._ids:
            self._ids.update(self.rows("SELECT number,id FROM streams"))
        return self._ids.get(number, "")

    # ── entries ──

    def get(self, stream: str, seq: int) -> Entry | None:
        """One entry by its id."""
        row = self.raw(stream, seq)
        return None if row is None else entry_of(stream, row)

    def raw(self, stream: str, seq: int) -> Row | None:
        """The row of one entry, exactly as stored."""
        number = self.number_of(stream)
        if number is None or not 0 <= seq <= POSITION:
            return None
        return self.row(f"SELECT {COLUMNS} FROM entries WHERE id=?", number << SHIFT | seq)  # noqa: S608 - constants

    def entries(
        self,
        kinds: frozenset[str] | None = None,
        system: str | None = None,
        after: Mapping[int, int] | None = None,
        until: Mapping[int, int] | None = None,
    ) -> Iterator[Entry]:
        """Entries stream by stream, each in its order.

        Args:
            kinds: only these; None: all. Without "decision" among them, only the index of rare kinds is read.
            system: only of this system.
            after: by stream number, how many entries to leave out from the beginning.
            until: by stream number, at which size to stop; streams that are not in it are left out.
        """
        skip = after or {}
        for number, size in (self.sizes() if until is None else until).items():
            base, start = number << SHIFT, skip.get(number, 0)
            if start >= size:
                continue
            stream = self.id_of(number)
            for row in self._range(kinds, base + start, base + size):
                if system is None or row[3] == system:
                    yield entry_of(stream, row)

    def _range(self, kinds: frozenset[str] | None, first: int, stop: int) -> Iterator[Row]:
        if kinds is None or DECISION in kinds:
            for row in self._paged("", (), first, stop):
                if kinds is None or row[2] in kinds:
                    yield row
        elif len(kinds) == 1:
            yield from self._by_kind(next(iter(kinds)), first, stop)
        else:
            yield from merge(*[self._by_kind(kind, first, stop) for kind in sorted(kinds)])

    def _by_kind(self, kind: str, first: int, stop: int) -> Iterator[Row]:
        return self._paged(f"kind=? AND kind<>'{DECISION}' AND", (kind,), first, stop)

    def _paged(self, where: str, values: tuple[str, ...], first: int, stop: int) -> Iterator[Row]:
        index = "INDEXED BY by_kind" if where else ""
        sql = f"SELECT {COLUMNS} FROM entries {index} WHERE {where} id>=? AND id<? ORDER BY id LIMIT ?"  # noqa: S608 - constants
        more = True
        while more:
            rows, more = self._page(sql, *values, first, stop, _PAGE)
            yield from rows
            first = rows[-1][0] + 1 if rows else stop

    def _page(self, sql: str, *arguments: Any) -> tuple[list[Row], bool]:
        """Rows of entries up to the limit that is the last argument, or to so many bytes; whether there may be more."""
        rows, size = list[Row](), 0
        try:
            with self._lock, closing(self._con.execute(sql, arguments)) as cursor:
                for row in cursor:
                    rows.append(row)
                    size += len(row[_BODY])
                    if size > _PAGE_BYTES:
                        return rows, True
        except DatabaseError as error:
            raise store_error(error, self._path) from error
        return rows, len(rows) == arguments[-1]

    def has_any(self, kinds: frozenset[str], ranges: Mapping[int, tuple[int, int]]) -> bool:
        """Whether there is an entry of these rare kinds in any of the ranges (from, to) by stream number."""
        sql = f"SELECT 1 FROM entries INDEXED BY by_kind WHERE kind=? AND kind<>'{DECISION}' AND id>=? AND id<? LIMIT 1"  # noqa: S608 - a constant
        return any(
            self.row(sql, kind, number << SHIFT | start, number << SHIFT | stop) is not None
            for number, (start, stop) in ranges.items()
            for kind in kinds
        )

    def newest(self, kinds: frozenset[str], sizes: Mapping[int, int]) -> Iterator[Entry]:
        """Entries of some kinds, the newest first, across the streams whose sizes are given by number."""
        runs = [
            self._backwards(kind, number << SHIFT, number << SHIFT | size)
            for number, size in sizes.items()
            for kind in kinds
        ]
        return merge(*runs, key=lambda entry: (-entry.time_ns, entry.stream, -entry.seq))

    def oldest(self, kinds: frozenset[str], sizes: Mapping[int, int]) -> Iterator[Entry]:
        """The same, the oldest first."""
        runs = [self.entries(kinds, until={number: size}) for number, size in sizes.items()]
        return merge(*runs, key=lambda entry: (entry.time_ns, entry.stream, entry.seq))

    def _backwards(self, kind: str, first: int, stop: int) -> Iterator[Entry]:
        rare = kind != DECISION
        where = f"kind=? AND kind<>'{DECISION}'" if rare else "kind=?"
        index = "INDEXED BY by_kind" if rare else "NOT INDEXED"
        sql = f"SELECT {COLUMNS} FROM entries {index} WHERE {where} AND id>=? AND id<? ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
        page = 8  # the newest few are what is asked for
        more = True
        while more:
            rows, more = self._page(sql, kind, first, stop, page)
            stream = self.id_of(first >> SHIFT)
            yield from [entry_of(stream, row) for row in rows]
            stop, page = rows[-1][0] if rows else first, _PAGE

    def pseudonym(self, subject: str) -> str | None:
        """What stands for a subject in entries; None when nothing is kept of it (any more)."""
        row = self.row("SELECT number,salt,key FROM subjects WHERE name=?", subject)
        return None if row is None else SubjectKey(number=row[0], name=subject, salt=row[1], key=row[2]).pseudonym

    # ── trees and checkpoints ──

    def notes(self) -> list[tuple[int, str]]:
        """Signed notes over the root stream: its size then, and the note."""
        return [(size, note) for size, note in self.rows("SELECT size,note FROM notes ORDER BY size")]

    def leaves(self, number: int, start: int, stop: int) -> list[bytes]:
        """Leaf hashes of positions start … stop, as stored."""
        base = number << SHIFT
        rows = self.rows("SELECT leaf FROM entries WHERE id>=? AND id<? ORDER BY id", base + start, base + stop)
        return [leaf for (leaf,) in rows]

    def nodes(self, number: int) -> StoredNodes:
        """The stored hashes of a stream, for proofs."""
        return StoredNodes(self, number)
