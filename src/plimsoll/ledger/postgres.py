"""The connection to PostgreSQL: how it is made, made anew when it is lost, and what PostgreSQL's errors mean to us.

This is the one module that knows the driver.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import secrets
import select
import time
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
import psycopg
from psycopg import RawCursor, errors
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryDumper

from plimsoll.errors import (
    Refused,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreLost,
    StoreReadOnly,
)
from plimsoll.ledger.numbering import Row
from plimsoll.ledger.postgres_address import Address, bad_address
from plimsoll.ledger.postgres_pack import Byteas, Int2s, Int8s, Texts

SCHEMA: Final = "plimsoll"  # the ledger's tables are in a schema of this name
CHANNEL: Final = "plimsoll"  # where entries of rare kinds are announced

_OLDEST: Final = 140_000  # version of the server: `pg_terminate_backend` with a time is from 14 on
# A peer that is gone without a word is noticed within some 20 seconds, and not within the hours of the defaults.
_PATIENCE: Final = {
    "connect_timeout": 5,  # seconds, of one attempt
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,  # milliseconds
}
_STATEMENT_S: Final = 600  # no statement of ours takes so long, unless something is stuck
_FIRST_WAIT_S: Final = 0.02  # between attempts to connect again…
_LONGEST_WAIT_S: Final = 1.0

Statement = tuple[str, Sequence[Any]]  # SQL with `?`, and its parameters


class Many(msgspec.Struct, frozen=True):
    """One statement for each row of parameters."""

    sql: str
    rows: Sequence[Row]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection is for.

    Args:
        durable: it writes: the server must promise that what is committed is on its disk.
        read_only: the server refuses whatever would write.
        busy_s: seconds to wait for what another process holds.
        path: where tables are looked for; the ledger's schema, or nothing.
        statement_s: seconds a statement may take; 0: for ever.
    """

    durable: bool = False
    read_only: bool = False
    busy_s: float = 5.0
    path: str = SCHEMA
    statement_s: int = _STATEMENT_S


class Link:
    """One connection to the server. Not safe between threads: its owner holds a lock around each call.

    Attributes:
        generation: grows with each connection; what a transaction has done is gone when it has.
    """

    def __init__(self, address: Address, wish: Wish) -> None:
        """A link that is not connected yet. Raises UsageError when the address is none."""
        self.name = address.name
        self.wish = wish
        self.generation = 0
        self.token = f"plimsoll {secrets.token_hex(6)}"  # names our sessions to each other, and to who looks at them
        self._conninfo = _conninfo(address, self.token)
        self._con: psycopg.Connection[Row] | None = None
        self._next_try = 0.0
        self._wait_s = _FIRST_WAIT_S
        self.announced = False  # something came on the channel since this was last set back
        self._listens = False

    # ── life ──

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, as far as anybody knows."""
        return self._con is not None and not self._con.closed

    def connect(self, until: float | None = None) -> None:
        """See that there is a connection.

        Args:
            until: try until then (`time.monotonic`), a little less often each time; None: try once, and not at all when
                the last try has only just failed.

        Raises:
            StoreLost: the server cannot be reached.
            StoreError: it does not let us in, or cannot keep a ledger.
        """
        while not self.is_up:
            left = self._next_try - time.monotonic()
            if left > 0 and until is None:
                raise self._lost("cannot be reached")
            time.sleep(max(0.0, left))
            try:
                self._con = self._open()
            except psycopg.Error as error:
                self._next_try = time.monotonic() + self._wait_s
                self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
                if until is None or time.monotonic() >= until:
                    raise self._lost(f"cannot be reached: {_said(error)}") from error
            else:
                self._wait_s = _FIRST_WAIT_S
                self.generation += 1

    def _open(self) -> psycopg.Connection[Row]:
        con = cast(
            "psycopg.Connection[Row]", psycopg.connect(self._conninfo, autocommit=True, cursor_factory=RawCursor)
        )
        try:
            for kind, dumper in _DUMPERS:
                con.adapters.register_dumper(kind, dumper)
            con.prepare_threshold = 0  # there are some fifty statements, and each is used again
            con.prepared_max = 500
            self._set_up(con)
        except BaseException:
            con.close()
            raise
        return con

    def _set_up(self, con: psycopg.Connection[Row]) -> None:
        """Settings of the session, and what the server must be like. Raises StoreError."""
        wish = self.wish
        chosen = {
            "search_path": wish.path or "pg_catalog",
            "client_encoding": "UTF8",
            "default_transaction_isolation": "read committed",
            "default_transaction_read_only": "on" if wish.read_only else "off",
            "lock_timeout": f"{max(1, int(wish.busy_s * 1000))}ms",
            "statement_timeout": f"{wish.statement_s}s",
            "idle_in_transaction_session_timeout": "0",
            "idle_session_timeout": "0",
        }
        setting = ",".join(f"set_config(${n},${n + 1},false)" for n in range(1, 2 * len(chosen), 2))
        con.execute(f"SELECT {setting}", [part for pair in chosen.items() for part in pair], prepare=False)
        row = con.execute(_FACTS, prepare=False).fetchone()
        assert row is not None
        version, encoding, fsync, commit, standby, pid = row
        if version < _OLDEST:
            raise StoreError(f"{self.name}: is PostgreSQL {version // 10_000}; it takes 14 or later", fix="upgrade it")
        if encoding != "UTF8":
            raise StoreError(
                f"{self.name}: keeps text in {encoding}, and a ledger is in UTF-8",
                fix="make a database for it: `createdb --encoding UTF8 --template template0 NAME`",
            )
        if pid != con.info.backend_pid:
            raise StoreError(
                f"{self.name}: a connection pool stands in between, and locks of a session do not outlive its turns",
                fix="give the address of the server itself",
            )
        if wish.durable:
            self._check_durable(standby=standby, fsync=fsync, commit=commit)
        if self._listens:
            self._listen_on(con)

    def _check_durable(self, *, standby: bool, fsync: str, commit: str) -> None:
        if standby:
            raise StoreReadOnly(f"{self.name}: is a standby", fix="give the address of the server that is written to")
        if fsync != "on" or commit not in {"on", "remote_apply"}:
            raise StoreError(
                f"{self.name}: fsync is {fsync} and synchronous_commit is {commit}; what is committed may not be on the"
                " disk",
                fix="set `fsync = on` in postgresql.conf, and let our role set synchronous_commit",
            )

    def _on_notify(self, _notify: object) -> None:
        self.announced = True

    def close(self) -> None:
        """Close the connection; nothing when there is none."""
        con, self._con = self._con, None
        if con is not None:
            con.close()

    def let_go(self) -> None:
        """Leave the connection to the parent process: neither a word to the server, nor a hold on the socket."""
        con, self._con = self._con, None
        if con is not None and not con.closed:
            nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nowhere, con.fileno(), inheritable=False)
            os.close(nowhere)
            _LEFT.append(con)

    # ── statements ──

    def fetch(self, sql: str, arguments: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement. Raises StoreError; StoreLost when the connection is gone."""
        with _Handled(self):
            cursor = self._ready().execute(numbered(sql), arguments, binary=True)  # bytes as text take twice the room
            return cursor.fetchall() if cursor.description is not None else []

    def exchange(self, statements: Sequence[Statement | Many]) -> list[list[Row]]:
        """Several statements in one round trip, and the rows of each; what fails, fails all after it, too.

        Outside a transaction they are one by themselves.
        """
        if len(statements) == 1 and not isinstance(statements[0], Many):
            return [self.fetch(*statements[0])]
        for at, statement in enumerate(statements):
            # The driver forgets its prepared statements behind a ROLLBACK, those that were sent with it, too.
            if not isinstance(statement, Many) and statement[0].startswith("ROLLBACK"):
                before, after = statements[:at], statements[at + 1 :]
                return [*self.exchange(before), self.fetch(*statement), *self.exchange(after)]
        with _Handled(self):
            con = self._ready()
            with con.pipeline():
                cursors = [self._send(con, statement) for statement in statements]
            return [cursor.fetchall() if cursor.description is not None else [] for cursor in cursors]

    def _send(self, con: psycopg.Connection[Row], statement: Statement | Many) -> psycopg.Cursor[Row]:
        if not isinstance(statement, Many):
            return con.execute(numbered(statement[0]), statement[1], binary=True)
        cursor = con.cursor()
        cursor.executemany(numbered(statement.sql), statement.rows)
        return cursor

    def script(self, statements: Sequence[str]) -> None:
        """Statements without parameters, as for tables that are made once."""
        with _Handled(self):
            for statement in statements:
                self._ready().execute(statement, prepare=False)

    def _ready(self) -> psycopg.Connection[Row]:
        if self._con is None or self._con.closed:
            raise self._lost("the connection was lost")
        return self._con

    def _lost(self, how: str) -> StoreLost:
        return StoreLost(
            f"{self.name}: {how}; nothing of this was written",
            fix="see whether the server runs and can be reached; the ledger connects again by itself",
        )

    def ours(self, error: psycopg.Error) -> StoreError:
        """The error of ours that says what PostgreSQL's means for whoever runs this; a broken connection is let go."""
        state = error.sqlstate or ""
        # Without a code it is the driver's own, about a connection that nobody knows the state of any more.
        driver = not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if driver or self._con is None or self._con.closed or state.startswith(("08", "57P")):
            self.close()
            return self._lost(f"the connection was lost ({_said(error)})")
        return store_error(error, self.name)

    # ── waiting for announcements ──

    def listen(self) -> None:
        """From now on, on this connection and every later one, hear of entries of rare kinds."""
        self._listens = True
        if self.is_up:
            with _Handled(self):
                self._listen_on(self._ready())

    def _listen_on(self, con: psycopg.Connection[Row]) -> None:
        con.add_notify_handler(self._on_notify)
        con.execute(f"LISTEN {CHANNEL}", prepare=False)

    def fileno(self) -> int:
        """The socket, to wait on; -1 when there is none."""
        return self._con.fileno() if self._con is not None and not self._con.closed else -1

    def look(self) -> None:
        """Notice it when the server has hung up already: what is not sent has certainly not been written."""
        waiter = select.poll()
        waiter.register(self._ready().fileno(), select.POLLIN)
        if waiter.poll(0):
            self.take_announcements()

    def take_announcements(self) -> None:
        """Read what has come on the socket; `announced` says whether it was one."""
        with _Handled(self):
            socket = self._ready().pgconn
            socket.consume_input()
            while socket.notifies() is not None:
                self.announced = True


class _Handled:
    """Lets no error of the driver out; an interrupt in the middle leaves a connection that nobody can go on with."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, psycopg.Error):
            raise self._link.ours(error) from error
        if error is not None and not isinstance(error, Exception):
            self._link.close()


# The driver warns of what it could not do on a connection that is gone, beside raising it. Without a handler of the
# application's, Python would print that.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

_LEFT: Final[list[object]] = []  # connections of a parent process: not to be collected, which would close them

_FACTS: Final = (
    "SELECT current_setting('server_version_num')::int,current_setting('server_encoding'),current_setting('fsync'),"
    "set_config('synchronous_commit',CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply'"
    " ELSE 'on' END,false),pg_is_in_recovery(),pg_backend_pid()"
)


def _binary(number: int) -> type[Dumper]:
    """What hands an array that is packed already to the driver."""

    class _AsIs(Dumper):
        format = Format.BINARY
        oid = number

        def dump(self, obj: Any) -> bytes:
            return cast("bytes", obj.raw)

    return _AsIs


_DUMPERS: Final[tuple[tuple[type, type[Dumper]], ...]] = (
    (int, Int8BinaryDumper),  # or else a number would have the type of its size, and each size a plan of its own
    (Int8s, _binary(1016)),
    (Int2s, _binary(1005)),
    (Texts, _binary(1009)),
    (Byteas, _binary(1001)),
)


def _conninfo(address: Address, token: str) -> str:
    try:
        given = conninfo_to_dict(address.url)
        more = {name: value for name, value in _PATIENCE.items() if name not in given}
        name = f"{given.get('application_name') or ''} {token}".strip()[-63:]
        return make_conninfo(address.url, application_name=name, **more)
    except psycopg.ProgrammingError:  # its text repeats parts of the address, and may so repeat the password
        raise bad_address(address.name) from None


_MARK: Final = re.compile(r"\?(\d*)")


@functools.lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """A statement with PostgreSQL's marks for parameters.

    >>> numbered("SELECT a FROM t WHERE b=? AND c=?")
    'SELECT a FROM t WHERE b=$1 AND c=$2'
    """
    count = iter(range(1, 65_536))
    return _MARK.sub(lambda mark: f"${mark[1] or next(count)}", sql)


def _said(error: BaseException) -> str:
    """The beginning of what the driver says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__


def store_error(error: psycopg.Error, name: str) -> StoreError:
    """Our error for one of PostgreSQL's, of a connection that is still there."""
    said = _said(error)
    match error:
        case errors.LockNotAvailable() | errors.DeadlockDetected() | errors.QueryCanceled():
            return StoreLocked(f"{name}: another process holds what this needs ({said})", fix="retry")
        case errors.DiskFull():
            return StoreFull(f"{name}: no space left on the server", fix="free some space there, then retry")
        case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction():
            return StoreReadOnly(f"{name}: may not be written ({said})", fix="check the rights of the role")
        case errors.DataCorrupted() | errors.IndexCorrupted() | errors.UndefinedTable() | errors.UndefinedColumn():
            return StoreDamaged(
                f"{name}: {said}",
                fix="keep the database, run `plimsoll ledger verify`, and restore a copy that verifies",
            )
        case psycopg.IntegrityError():
            return Refused(f"{name}: the store refused a row: {said}")
        case _:
            return StoreError(f"{name}: {said}; nothing of this was written", fix="see the server's log")
