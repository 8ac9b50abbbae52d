"""Reading the database: a connection of one's own, shared by the threads of a process in turn."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import Any, ClassVar, Final, Protocol

from plimsoll.errors import StoreClosed, StoreError, StoreLost
from plimsoll.ledger.numbering import COLUMNS, Row
from plimsoll.ledger.postgres import Link
from plimsoll.ledger.postgres_pack import given, stored
from plimsoll.ledger.postgres_reserve import findable
from plimsoll.ledger.read import BODY, PAGE_BYTES, Reader
from plimsoll.ledger.reservation import Reservation

_NOT_TEXT: Final = {COLUMNS.split(",").index(name) for name in ("id", "time_ns", "called", "sealed", "body", "leaf")}
_TEXT: Final = [at for at in range(len(COLUMNS.split(","))) if at not in _NOT_TEXT]

# The bodies' lengths are known without reading the bodies. The first row comes however long it is.
_BOUNDED: Final = (
    f"SELECT {COLUMNS} FROM (SELECT *,sum(octet_length(body)) OVER (ORDER BY id {{way}})-octet_length(body) AS before"  # noqa: S608
    f" FROM (SELECT {COLUMNS} FROM entries{{where}} ORDER BY id {{way}} LIMIT ?) AS page) AS page"
    f" WHERE before<={PAGE_BYTES} ORDER BY id {{way}}"
)


class Source(Protocol):
    """Where statements are put: a connection of its own, or the open transaction of the writer."""

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement."""
        ...


class SharedReader(Reader):
    """All of `Reader` that does not depend on whose connection it is."""

    each: ClassVar[str] = "SELECT value::bigint FROM json_array_elements_text(?::json) AS e(value)"

    def __init__(self, source: Source, name: str) -> None:
        super().__init__(name)
        self._source = source
        self._lock = threading.Lock()

    @property
    def lock(self) -> threading.Lock:
        """Held while a statement runs; taken around a fork, so that no statement is cut in half by it."""
        return self._lock

    def close(self) -> None:
        """The connection is somebody else's."""

    def let_go(self) -> None:
        """The connection is somebody else's."""

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement."""
        with self._lock:
            return self._source.rows(sql, *arguments)

    def page(
        self, where: str, values: tuple[Any, ...], limit: int, *, backwards: bool = False
    ) -> tuple[list[Row], bool]:
        """Rows of entries, up to the limit or to so many bytes of bodies; whether there may be more."""
        way = "DESC" if backwards else "ASC"
        rows = self.rows(_BOUNDED.format(where=where, way=way), *values, limit)
        more = len(rows) == limit or sum(len(row[BODY]) for row in rows) > PAGE_BYTES
        return as_given(rows), more

    def reservation(self, space: str, key: str) -> Reservation | None:
        """What a key holds, expired or not; None when nothing."""
        sql = "SELECT value,fence,expires_ns FROM reservations WHERE space=? AND key=?"
        row = self.row(sql, findable(space), findable(key))
        return None if row is None else Reservation(space=space, key=key, value=row[0], fence=row[1], expires_ns=row[2])

    def raw(self, stream: str, seq: int) -> Row | None:
        """The row of one entry, with its text as it was given."""
        row = super().raw(stream, seq)
        return None if row is None else as_given([row])[0]

    def stored(self, text: str) -> str:
        """How a text that somebody gave is written in a column."""
        return stored(text)

    def given(self, text: str) -> str:
        """The text that stands in a column, as it was given."""
        return given(text)

    def changes(self) -> object:
        """Which transactions are over, as the server sees it."""
        return self.rows("SELECT pg_current_snapshot()::text")

    def wait(self, seconds: float) -> None:
        """Sleep for so long."""
        time.sleep(seconds)

    def wake(self) -> None:
        """Nobody waits here."""


def as_given(rows: list[Row]) -> list[Row]:
    """Rows of entries with their text as it was given."""
    if not any("\x01" in "".join([row[at] for row in rows]) for at in _TEXT):
        return rows
    return [_row_given(row) for row in rows]


def _row_given(row: Row) -> Row:
    return tuple(given(value) if at in _TEXT else value for at, value in enumerate(row))


class PostgresReader(SharedReader):
    """Everything that can be read of the ledger in one database. Safe to share between threads.

    When the connection is lost, it is made anew, and what was asked is asked again.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(self, link.name)
        self._link = link
        self._is_closed = False
        self._is_follower = False
        self._wake_in, self._wake_out = -1, -1

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement. Raises StoreLost when the server is away for longer than we wait."""
        with self._lock:
            until = time.monotonic() + self._link.wish.busy_s
            while True:
                if self._is_closed:
                    raise StoreClosed(f"{self.name}: used after it was closed", fix="open the ledger again")
                try:
                    if not self._link.is_up:
                        self._link.connect(None if self._is_follower else until)
                        self.forget()  # it may be another server, which has not received all
                    return self._link.fetch(sql, arguments)
                except StoreLost:
                    if self._is_follower or time.monotonic() >= until:
                        raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._is_closed = True
            self._link.close()
            for handle in (self._wake_in, self._wake_out):
                if handle >= 0:
                    os.close(handle)
            self._wake_in = self._wake_out = -1

    def let_go(self) -> None:
        """Leave the connection to the parent process."""
        self._link.let_go()

    # ── following ──

    def changes(self) -> object:
        """Which transactions are over, as this server sees it."""
        return self._link.generation, super().changes()

    def listen(self) -> None:
        """Be woken by announcements; and, as a follower looks again soon, do not wait long for a lost server."""
        with self._lock:
            self._is_follower = True
            self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            with contextlib.suppress(StoreLost):  # then the next connection listens
                self._link.listen()

    def wait(self, seconds: float) -> None:
        """Sleep until `wake`, until something was announced, or for so long."""
        until = time.monotonic() + seconds
        while not self._link.announced and (left := until - time.monotonic()) > 0:
            waiter = select.poll()
            waiter.register(self._wake_out, select.POLLIN)
            socket = self._link.fileno()
            if socket >= 0:
                waiter.register(socket, select.POLLIN)
            ready = {handle for handle, _ in waiter.poll(left * 1000)}
            if self._wake_out in ready:
                return
            if socket in ready:
                with self._lock, contextlib.suppress(StoreError):  # then the next look connects again
                    self._link.take_announcements()
        self._link.announced = False

    def wake(self) -> None:
        """End this `wait` and every later one."""
        with self._lock:
            if self._wake_in >= 0:
                os.write(self._wake_in, b"x")
