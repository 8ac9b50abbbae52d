"""Writing the file: SQLite's transactions, and what is said to SQLite in its own way."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from plimsoll.ledger.merkle import TILE_LEVELS
from plimsoll.ledger.numbering import NODE_SHIFT, SHIFT, Row
from plimsoll.ledger.reservation import Op, Reservation, result_of
from plimsoll.ledger.sqlite import (
    Connection,
    DatabaseError,
    is_busy,
    not_writable,
    open_file,
    store_error,
)
from plimsoll.ledger.sqlite_read import SqliteReader
from plimsoll.ledger.tail import Grown
from plimsoll.ledger.turn import Turn
from plimsoll.ledger.write import StoreWriter

_INSERT: Final = "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"


class SqliteWriter(StoreWriter):
    """The one writing connection of a process to the file. While its transaction is open, no other process writes."""

    def __init__(self, con: Connection, path: Path, turn: Turn, busy_s: float) -> None:
        self._con = con
        self.inside = SqliteReader(con, str(path))
        self._cursor = con.cursor()  # one for all: a new one for each statement costs a third of a microsecond
        self._name = str(path)
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
        self._con.close()
        self._turn.close()

    def let_go(self) -> None:
        """Close the connection; SQLite's connections know that they are not in their own process."""
        self.close()

    # ── transactions ──

    def begin(self) -> None:
        """Wait for our turn and lock the file for writing. Raises StoreLocked when that takes too long."""
        if self._con.in_transaction:  # an interrupt came between a failure and its rollback
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
            if self._con.in_transaction:
                self._con.execute("ROLLBACK")
        self.inside.forget()
        self._turn.give()

    def ours(self, error: Exception) -> Exception:
        """Our error for one of SQLite's; any other as it is."""
        return store_error(error, self._name) if isinstance(error, DatabaseError) else error

    def changed_elsewhere(self) -> bool:
        """Whether another connection has committed since this was last asked."""
        (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        changed, self._version = version != self._version, version
        return bool(changed)

    def cut_log(self) -> bool:
        """Carry the log over into the file and cut it to nothing; False when a reader is in the way."""
        self._turn.take()
        try:
            self._con.execute("PRAGMA busy_timeout=0")  # or else we would keep all others waiting for that reader
            busy, _, _ = self._con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except DatabaseError as error:
            if is_busy(error):
                return False
            raise store_error(error, self._name) from error
        finally:
            self._con.execute(f"PRAGMA busy_timeout={self._busy_ms}")
            self._turn.give()
        return not busy

    # ── statements ──

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement."""
        return self._con.execute(sql, arguments).fetchall()

    def run(self, sql: str, *arguments: Any) -> None:
        """One statement that gives nothing back."""
        self._con.execute(sql, arguments)

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row of parameters."""
        self._con.executemany(sql, rows)

    # ── streams ──

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

    # ── subjects and reservations ──

    def subject(self, name: str) -> Row | None:
        """Number, salt and key of a subject; None when nothing is kept of it."""
        row: Row | None = self._con.execute("SELECT number,salt,key FROM subjects WHERE name=?", (name,)).fetchone()
        return row

    def add_subject(self, name: str, salt: bytes, key: bytes) -> int:
        """Keep a subject that is new; its number."""
        cursor = self._con.execute("INSERT INTO subjects (name,salt,key) VALUES (?,?,?)", (name, salt, key))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def apply(self, ops: Sequence[Op], now_ns: int) -> list[Reservation | None]:
        """Apply all of ``ops`` or none.

        Raises:
            Taken: one does not apply; nothing was changed.
        """
        before = fence = self._counter("fence")
        planned: dict[tuple[str, str], Reservation | None] = {}
        results = []
        for op in ops:
            place = (op.space, op.key)
            current = planned[place] if place in planned else self.inside.reservation(*place)
            fence, planned[place] = result_of(op, current, fence, now_ns)
            results.append(planned[place])
        for (space, key), held in planned.items():
            if held is None:
                self._con.execute("DELETE FROM reservations WHERE space=? AND key=?", (space, key))
            else:
                self._con.execute(
                    "INSERT OR REPLACE INTO reservations VALUES (?,?,?,?,?)",
                    (space, key, held.value, held.fence, held.expires_ns),
                )
        if fence != before:
            self._set_counter("fence", fence)
        return results

    def sweep(self, now_ns: int, most: int) -> int:
        """Delete expired reservations, at most so many; how many."""
        rows = self._con.execute(
            "SELECT space,key,fence FROM reservations WHERE expires_ns>0 AND expires_ns<=? LIMIT ?", (now_ns, most)
        ).fetchall()
        if rows:
            self._con.executemany("DELETE FROM reservations WHERE space=? AND key=?", [row[:2] for row in rows])
            # A key that is taken again must get a higher token than any it had: see `reservation.result_of`.
            self._set_counter("fence", max(self._counter("fence"), *(fence for _, _, fence in rows)))
        return len(rows)

    def _counter(self, name: str) -> int:
        """``fence``: the highest token of any key that was given back; ``erasures``: subjects ever erased."""
        (value,) = self._con.execute("SELECT value FROM counters WHERE name=?", (name,)).fetchone()
        return int(value)

    def _set_counter(self, name: str, value: int) -> None:
        self._con.execute("UPDATE counters SET value=? WHERE name=?", (value, name))

    def erasures(self) -> int:
        """How many subjects were ever erased."""
        return self._counter("erasures")

    def count_erasure(self) -> None:
        """One more: all writers drop the keys they hold in memory."""
        self._set_counter("erasures", self._counter("erasures") + 1)
