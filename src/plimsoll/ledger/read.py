"""Reading a store: entries, streams, stored hashes. The statements are the same in every database."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, ClassVar, Final

import msgspec

from plimsoll.ledger.entry import Entry, Header
from plimsoll.ledger.keys import SubjectKey
from plimsoll.ledger.merkle import TILE, TILE_LEVELS
from plimsoll.ledger.nodes import StoredNodes
from plimsoll.ledger.numbering import COLUMNS, DECISION, POSITION, SHIFT, Row
from plimsoll.ledger.reservation import Reservation
from plimsoll.ledger.tail import Tail

PAGE: Final = 500  # rows taken at once: bounds the time the lock is held…
PAGE_BYTES: Final = 4_000_000  # …and, as a body may have megabytes, the memory of an iteration
BODY: Final = COLUMNS.split(",").index("body")


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


class Reader(ABC):
    """Everything that can be read of one ledger. Safe to share between threads.

    Attributes:
        by_kind: what a statement says to go by the index of rare kinds.
        by_id: what a statement says to go by the primary key.
        each: a subquery for the numbers of a JSON list.
    """

    by_kind: ClassVar[str] = ""
    by_id: ClassVar[str] = ""
    each: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = name  # of the ledger, in messages
        self._ids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    @property
    @abstractmethod
    def lock(self) -> threading.Lock:
        """Held while a statement runs; taken around a fork, so that no statement is cut in half by it."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def let_go(self) -> None:
        """Close the connection without waiting for its lock; for a forked child."""

    @abstractmethod
    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement, whose parameters are written ``?``."""

    @abstractmethod
    def page(
        self, where: str, values: tuple[Any, ...], limit: int, *, backwards: bool = False
    ) -> tuple[list[Row], bool]:
        """Rows of entries, `COLUMNS` each, in the order of their ids, and whether there may be more.

        Args:
            where: hint and condition, as SQL.
            values: its parameters.
            limit: at most so many; and no more once `PAGE_BYTES` of bodies have come together.
            backwards: the last ones first.
        """

    def row(self, sql: str, *arguments: Any) -> Row | None:
        """The first row of a statement."""
        rows = self.rows(sql, *arguments)
        return rows[0] if rows else None

    def stored(self, text: str) -> str:
        """How a text that somebody gave is written in a column."""
        return text

    def given(self, text: str) -> str:
        """The text that stands in a column, as it was given."""
        return text

    def forget(self) -> None:
        """Drop what is held in memory; what a transaction saw was taken back."""
        self._ids.clear()
        self._numbers.clear()

    # ── following ──

    @abstractmethod
    def changes(self) -> object:
        """Something that is equal to what it was before when nothing has been written meanwhile."""

    def listen(self) -> None:  # noqa: B027 - where nobody can tell, there is nothing to do
        """Ask to be woken in `wait` when entries of rare kinds come, where the store can do so."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Sleep until `wake`, until something has come, or for so long."""

    @abstractmethod
    def wake(self) -> None:
        """End this `wait` and every later one; from another thread."""

    # ── streams ──

    @classmethod
    def size(cls) -> str:
        """SQL for the size of the stream `s`: as sealed, or else behind its last entry."""
        return (
            f"coalesce(s.size,(SELECT (e.id & {POSITION})+1 FROM entries e{cls.by_id}"  # noqa: S608 - constants
            f" WHERE e.id>=s.number<<{SHIFT} AND e.id<(s.number+1)<<{SHIFT} ORDER BY e.id DESC LIMIT 1),0)"
        )

    def meta(self, key: str) -> str | None:
        """A fact about the store: ``format``, ``root`` (id of the root stream), ``origin`` of its checkpoints."""
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
            f"SELECT id,time_ns FROM entries{self.by_id} WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1",  # noqa: S608 - a constant
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
        sql = f"SELECT s.number,{self.size()} FROM streams s WHERE s.number>?"  # noqa: S608 - a constant
        if not also:
            return dict(self.rows(f"{sql} ORDER BY 1", above))
        more = f"OR s.number IN ({self.each})"
        return dict(self.rows(f"{sql} {more} ORDER BY 1", above, msgspec.json.encode(sorted(also)).decode()))

    def number_of(self, stream: str) -> int | None:
        """A stream's number in this store."""
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

    def several(self, places: Sequence[tuple[str, int]]) -> Iterator[Entry]:
        """Entries by stream and position, in the order of the store; those that are not there are left out."""
        wanted = [(self.number_of(stream), seq) for stream, seq in places]
        left = sorted(number << SHIFT | seq for number, seq in wanted if number is not None and 0 <= seq <= POSITION)
        while left:
            numbers = msgspec.json.encode(left).decode()
            rows, _ = self.page(f"{self.by_id} WHERE id IN ({self.each})", (numbers,), len(left))
            yield from (entry_of(self.id_of(row[0] >> SHIFT), row) for row in rows)
            left = [place for place in left if rows and place > rows[-1][0]]

    def raw(self, stream: str, seq: int) -> Row | None:
        """The row of one entry, with its text as it was given."""
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
        decisions: frozenset[str] = frozenset(),
    ) -> Iterator[Entry]:
        """Entries stream by stream, each in its order.

        Args:
            kinds: only these; None: all. Without "decision" among them, only the index of rare kinds is read.
            system: only of this system.
            after: by stream number, how many entries to leave out from the beginning.
            until: by stream number, at which size to stop; streams that are not in it are left out.
            decisions: of decisions, only those that ended so, and those that refer to another entry; empty: all.
        """
        skip = after or {}
        for number, size in (self.sizes() if until is None else until).items():
            base, start = number << SHIFT, skip.get(number, 0)
            if start >= size:
                continue
            stream = self.id_of(number)
            for row in self._range(kinds, base + start, base + size, decisions):
                if system is None or row[3] == system:
                    yield entry_of(stream, row)

    def _range(self, kinds: frozenset[str] | None, first: int, stop: int, decisions: frozenset[str]) -> Iterator[Row]:
        if kinds is None or DECISION in kinds:
            marks = ",".join("?" * len(decisions))
            some = f"(kind<>'{DECISION}' OR refs<>'' OR disposition IN ({marks})) AND" if decisions else ""
            for row in self._paged(some, tuple(sorted(decisions)), first, stop, self.by_id if some else ""):
                if kinds is None or row[2] in kinds:
                    yield row
        elif len(kinds) == 1:
            yield from self._by_kind(next(iter(kinds)), first, stop)
        else:
            yield from merge(*[self._by_kind(kind, first, stop) for kind in sorted(kinds)])

    def _by_kind(self, kind: str, first: int, stop: int) -> Iterator[Row]:
        where = f"kind=? AND kind<>'{DECISION}' AND"
        return self._paged(where, (self.stored(kind),), first, stop, self.by_kind)

    def _paged(self, where: str, values: tuple[str, ...], first: int, stop: int, hint: str) -> Iterator[Row]:
        condition = f"{hint} WHERE {where} id>=? AND id<?"
        more = True
        while more:
            rows, more = self.page(condition, (*values, first, stop), PAGE)
            yield from rows
            first = rows[-1][0] + 1 if rows else stop

    def has_any(self, kinds: frozenset[str], ranges: Mapping[int, tuple[int, int]]) -> bool:
        """Whether there is an entry of these rare kinds in any of the ranges (from, to) by stream number."""
        where = f"kind=? AND kind<>'{DECISION}' AND id>=? AND id<?"
        sql = f"SELECT 1 FROM entries{self.by_kind} WHERE {where} LIMIT 1"  # noqa: S608 - constants
        return any(
            self.row(sql, self.stored(kind), number << SHIFT | start, number << SHIFT | stop) is not None
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
        condition = f"{self.by_kind if rare else self.by_id} WHERE {where} AND id>=? AND id<?"
        limit = 8  # the newest few are what is asked for
        more = True
        while more:
            rows, more = self.page(condition, (self.stored(kind), first, stop), limit, backwards=True)
            stream = self.id_of(first >> SHIFT)
            yield from [entry_of(stream, row) for row in rows]
            stop, limit = rows[-1][0] if rows else first, PAGE

    # ── beside entries ──

    def pseudonym(self, subject: str) -> str | None:
        """What stands for a subject in entries; None when nothing is kept of it (any more)."""
        row = self.row("SELECT number,salt,key FROM subjects WHERE name=?", self.stored(subject))
        return None if row is None else SubjectKey(number=row[0], name=subject, salt=row[1], key=row[2]).pseudonym

    def reservation(self, space: str, key: str) -> Reservation | None:
        """What a key holds, expired or not; None when nothing."""
        sql = "SELECT value,fence,expires_ns FROM reservations WHERE space=? AND key=?"
        row = self.row(sql, self.stored(space), self.stored(key))
        return None if row is None else Reservation(space=space, key=key, value=row[0], fence=row[1], expires_ns=row[2])

    # ── trees and checkpoints ──

    def notes(self) -> list[tuple[int, str]]:
        """Signed notes over the root stream: its size then, and the note."""
        return [(size, note) for size, note in self.rows("SELECT size,note FROM notes ORDER BY size")]

    def unpublished(self) -> list[tuple[int, str]]:
        """Those notes that the witness does not have, the oldest first."""
        rows = self.rows("SELECT size,note FROM notes WHERE published=0 ORDER BY size")
        return [(size, note) for size, note in rows]

    def leaves(self, number: int, start: int, stop: int) -> list[bytes]:
        """Leaf hashes of positions start … stop, as stored."""
        base = number << SHIFT
        rows = self.rows("SELECT leaf FROM entries WHERE id>=? AND id<? ORDER BY id", base + start, base + stop)
        return [leaf for (leaf,) in rows]

    def nodes(self, number: int) -> StoredNodes:
        """The stored hashes of a stream, for proofs."""
        return StoredNodes(self, number)
