"""Reading the file: one connection, shared by the threads of a process in turn."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any, ClassVar

from plimsoll.ledger.numbering import COLUMNS, Row
from plimsoll.ledger.read import BODY, PAGE_BYTES, Reader
from plimsoll.ledger.sqlite import Connection, DatabaseError, memory, store_error


class SqliteReader(Reader):
    """Everything that can be read of one ledger file. Safe to share between threads."""

    by_kind: ClassVar[str] = " INDEXED BY by_kind"
    by_id: ClassVar[str] = " NOT INDEXED"
    each: ClassVar[str] = "SELECT value FROM json_each(?)"

    def __init__(self, con: Connection, name: str) -> None:
        super().__init__(name)
        self._con = con
        self._lock = threading.Lock()
        self._woken = threading.Event()

    @property
    def lock(self) -> threading.Lock:
        """Held while a statement runs; taken around a fork, so that no statement is cut in half by it."""
        return self._lock

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
            raise store_error(error, self.name) from error

    def page(
        self, where: str, values: tuple[Any, ...], limit: int, *, backwards: bool = False
    ) -> tuple[list[Row], bool]:
        """Rows of entries, up to the limit or to so many bytes of bodies; whether there may be more."""
        sql = f"SELECT {COLUMNS} FROM entries{where} ORDER BY id {'DESC' if backwards else ''} LIMIT ?"  # noqa: S608 - constants
        rows, size = list[Row](), 0
        try:
            with self._lock, closing(self._con.execute(sql, (*values, limit))) as cursor:
                for row in cursor:
                    rows.append(row)
                    size += len(row[BODY])
                    if size > PAGE_BYTES:
                        return rows, True
        except DatabaseError as error:
            raise store_error(error, self.name) from error
        return rows, len(rows) == limit

    def changes(self) -> object:
        """SQLite's count of commits by others."""
        return self.rows("PRAGMA data_version")

    def wait(self, seconds: float) -> None:
        """Sleep until `wake`, or for so long."""
        self._woken.wait(seconds)

    def wake(self) -> None:
        """End this `wait` and every later one."""
        self._woken.set()


class Scratch(SqliteReader):
    """A table of keys in memory: what a projection is folded into where nothing may be written."""

    def __init__(self, name: str) -> None:
        super().__init__(memory(), name)
        self.run("CREATE TABLE kept (projection INTEGER, key TEXT, value BLOB, PRIMARY KEY (projection, key))")

    def run(self, sql: str, *arguments: Any) -> None:
        """One statement that gives nothing back."""
        self._con.execute(sql, arguments)

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row of parameters."""
        self._con.executemany(sql, rows)
