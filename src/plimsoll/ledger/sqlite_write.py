"""Writing the file: one transaction at a time, and the statements that may stand in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

from plimsoll.ledger.ids import new_id
from plimsoll.ledger.merkle import TILE_LEVELS
from plimsoll.ledger.reservation import Op, Reservation, result_of
from plimsoll.ledger.sqlite import (
    NODE_SHIFT,
    SHIFT,
    Connection,
    DatabaseError,
    is_busy,
    not_writable,
    open_file,
    store_error,
)
from plimsoll.ledger.sqlite_read import Reader, Row
from plimsoll.ledger.tail import Grown, Tail
from plimsoll.ledger.turn import Turn

_INSERT: Final = "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"


class FileWriter:
    """The one writing connection of a process. Not safe between threads: its owner holds the writer's lock.

    All but `begin`, `commit` and `rollback` stand between those.
    """

    def __init__(self, con: Connection, path: Path, turn: Turn, busy_s: float) -> None:
        self.con = con
        self.inside = Reader(con, path)  # reads that see what the open transaction has written
        self._cursor = con.cursor()  # one for all: a new one for each statement costs a third of a microsecond
        self._path = path
        self._turn = turn
        self._busy_ms = int(busy_s * 1000)
        self._version = -1

    @classmethod
    def open(cls, path: Path, *, now_ns: int, busy_s: float, wal_pages: int) -> Self:
        """Open the file for writing; see `sqlite.open_file`."""
        con = open_file(path, read_only=False, now_ns=now_ns, busy_s=busy_s, wal_pages=wal_pages)
        try:
            return cls(con, path, Turn(path, busy_s), busy_s)
        except OSError as error:
            con.close()
            raise not_writable(path) from error

    def close(self) -> None:
        """Close the connection."""
        self._cursor.close()  # one that still holds a failed statement would keep the file open
        self.con.close()
        self._turn.close()

    # ── transactions ──

    def begin(self) -> None:
        """Wait for our turn and lock the file for writing. Raises StoreLocked when that takes too long."""
        if self.con.in_transaction:  # an interrupt came between a failure and its rollback
            self.rollback()
        self._turn.take()
        self._cursor.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """All since `begin` is on the disk, whole, when this returns."""
        self._cursor.execute("COMMIT")  # and, when the log has grown long enough, carries it over
        self._turn.give()

    def rollback(self) -> None:
        """Take back all since `begin`; nothing when there is nothing."""
        with contextlib.suppress(DatabaseError):
            if self.con.in_transaction:
                self.con.execute("ROLLBACK")
        self._turn.give()

    def ours(self, error: Exception) -> Exception:
        """Our error for one of SQLite's; any other as it is."""
        return store_error(error, self._path) if isinstance(error, DatabaseError) else error

    def changed_elsewhere(self) -> bool:
        """Whether another connection has committed since this was last asked."""
        (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        changed, self._version = version != self._version, version
        return bool(changed)

    def truncate_log(self) -> bool:
        """Carry the log over into the file and cut it to nothing; False when a reader is in the way."""
        self._turn.take()
        try:
            self.con.execute("PRAGMA busy_timeout=0")  # or else we would keep all others waiting for that reader
            busy, _, _ = self.con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except DatabaseError as error:
            if is_busy(error):
                return False
            raise store_error(error, self._path) from error
        finally:
            self.con.execute(f"PRAGMA busy_timeout={self._busy_ms}")
            self._turn.give()
        return not busy

    # ── streams ──

    def register(self, now_ns: int, owner: str, durability: str, window_ms: float, most: int) -> tuple[int, str]:
        """A new stream: its number and id. The caller records it in the root stream."""
        stream = new_id(now_ns)
        number = self.con.execute(
            "INSERT INTO streams (id,opened_ns,owner,durability,window_ms,most) VALUES (?,?,?,?,?,?)",
            (stream, now_ns, owner, durability, window_ms, most),
        ).lastrowid
        assert number is not None
        self.con.execute("INSERT INTO heads VALUES (?,0,?,x'',0)", (number, now_ns))
        return number, stream

    def is_open(self, number: int) -> bool:
        """Whether a stream is not sealed."""
        return self.con.execute("SELECT 1 FROM heads WHERE stream=?", (number,)).fetchone() is not None

    def put(self, number: int, rows: Sequence[Row], grown: Grown | None) -> None:
        """Store entries, and what they complete of the tree."""
        if len(rows) == 1:
            self._cursor.execute(_INSERT, rows[0])
        else:
            self._cursor.executemany(_INSERT, rows)
        if grown is not None:
            base = number << SHIFT
            tiles = [(base | index, nodes) for index, nodes in grown.tiles]
            nodes = [(base | level - TILE_LEVELS << NODE_SHIFT | index, node) for level, index, node in grown.nodes]
            self._cursor.executemany("INSERT INTO tiles VALUES (?,?)", tiles)
            self._cursor.executemany("INSERT INTO nodes VALUES (?,?)", nodes)

    def put_head(self, number: int, tail: Tail, time_ns: int) -> None:
        """Write down how far a stream has come."""
        self.con.execute(
            "UPDATE heads SET size=?,time_ns=?,frontier=? WHERE stream=?",
            (tail.size, time_ns, b"".join(tail.peaks()), number),
        )

    def seal(self, number: int, size: int, root: bytes, now_ns: int) -> None:
        """Close a stream for good. The caller records it in the root stream."""
        self.con.execute("UPDATE streams SET sealed_ns=?,size=?,root=? WHERE number=?", (now_ns, size, root, number))
        self.con.execute("DELETE FROM heads WHERE stream=?", (number,))

    def note_heads(self) -> list[tuple[str, Tail]]:
        """Streams that have grown since the last checkpoint: id and edge. Their heads are brought up to date."""
        changed = []
        rows = self.con.execute(
            "SELECT h.stream,s.id,h.noted FROM heads h JOIN streams s ON s.number=h.stream"
            " WHERE s.number>1 ORDER BY h.stream"
        ).fetchall()
        for number, stream, noted in rows:
            size, time_ns = self.inside.end(number)
            if size > noted:
                tail = self.inside.tail(number, size)
                changed.append((stream, tail))
                self.put_head(number, tail, time_ns)
                self.con.execute("UPDATE heads SET noted=size WHERE stream=?", (number,))
        return changed

    # ── checkpoints ──

    def fix_origin(self, origin: str) -> str:
        """The log's name in its notes: as it was first given."""
        self.con.execute("INSERT OR IGNORE INTO meta VALUES ('origin',?)", (origin,))
        (fixed,) = self.con.execute("SELECT value FROM meta WHERE key='origin'").fetchone()
        return str(fixed)

    def put_note(self, size: int, note: str) -> None:
        """Store a signed note over the root stream."""
        self.con.execute("INSERT OR IGNORE INTO notes VALUES (?,?,0)", (size, note))

    def mark_published(self, sizes: Iterable[int]) -> None:
        """These notes are with the witness."""
        self.con.executemany("UPDATE notes SET published=1 WHERE size=?", [(size,) for size in sizes])

    # ── reservations ──

    def apply(self, ops: Sequence[Op], now_ns: int) -> list[Reservation | None]:
        """Apply all of ``ops`` or none.

        Raises:
            Taken: one does not apply; nothing was changed.
        """
        before = fence = self.counter("fence")
        planned: dict[tuple[str, str], Reservation | None] = {}
        results = []
        for op in ops:
            place = (op.space, op.key)
            current = planned[place] if place in planned else self._reservation(*place)
            fence, planned[place] = result_of(op, current, fence, now_ns)
            results.append(planned[place])
        for (space, key), held in planned.items():
            if held is None:
                self.con.execute("DELETE FROM reservations WHERE space=? AND key=?", (space, key))
            else:
                self.con.execute(
                    "INSERT OR REPLACE INTO reservations VALUES (?,?,?,?,?)",
                    (space, key, held.value, held.fence, held.expires_ns),
                )
        if fence != before:
            self._set_counter("fence", fence)
        return results

    def _reservation(self, space: str, key: str) -> Reservation | None:
        row = self.con.execute(
            "SELECT value,fence,expires_ns FROM reservations WHERE space=? AND key=?", (space, key)
        ).fetchone()
        return None if row is None else Reservation(space=space, key=key, value=row[0], fence=row[1], expires_ns=row[2])

    def sweep(self, now_ns: int, most: int) -> int:
        """Delete expired reservations, at most so many; how many."""
        rows = self.con.execute(
            "SELECT space,key,fence FROM reservations WHERE expires_ns>0 AND expires_ns<=? LIMIT ?", (now_ns, most)
        ).fetchall()
        if rows:
            self.con.executemany("DELETE FROM reservations WHERE space=? AND key=?", [row[:2] for row in rows])
            # A key that is taken again must get a higher token than any it had: see `reservation.result_of`.
            self._set_counter("fence", max(self.counter("fence"), *(fence for _, _, fence in rows)))
        return len(rows)

    def counter(self, name: str) -> int:
        """``fence``: the highest token of any key that was given back; ``erasures``: subjects ever erased."""
        (value,) = self.con.execute("SELECT value FROM counters WHERE name=?", (name,)).fetchone()
        return int(value)

    def _set_counter(self, name: str, value: int) -> None:
        self.con.execute("UPDATE counters SET value=? WHERE name=?", (value, name))

    def count_erasure(self) -> None:
        """One more: all writers drop the keys they hold in memory."""
        self._set_counter("erasures", self.counter("erasures") + 1)
