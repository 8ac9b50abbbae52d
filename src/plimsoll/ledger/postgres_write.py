"""Writing the database: one round trip a group, and no lock that another process's group would wait for.

A transaction that reads nothing first is sent as a whole, its end included. When the connection is lost in a commit,
what the transaction has written tells whether it was: the leaf of its last entry, or else a mark that it left for this.
The server's own word for it (`pg_xact_status`) is worth nothing when the server has crashed meanwhile: the number of a
transaction that never reached its log is given again, to another one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final

from plimsoll.errors import StoreError, StoreLost, StoreUnsure
from plimsoll.ledger.keys import SubjectKey, new_secret
from plimsoll.ledger.merkle import TILE_LEVELS
from plimsoll.ledger.numbering import DECISION, NODE_SHIFT, POSITION, ROOT_STREAM, SHIFT, Row
from plimsoll.ledger.postgres import CHANNEL, Link, Many, Statement
from plimsoll.ledger.postgres_locks import StreamLocks
from plimsoll.ledger.postgres_pack import byteas, int8s, packed, portions, stored
from plimsoll.ledger.postgres_read import SharedReader
from plimsoll.ledger.postgres_reserve import Reservations, lock_key
from plimsoll.ledger.read import StreamRow
from plimsoll.ledger.reservation import Op, Reservation
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.tail import Grown
from plimsoll.ledger.write import StoreWriter

_TRIES: Final = 3  # of one transaction that is lost with its connection, each on a new one

_INSERT: Final = "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_MANY: Final = "INSERT INTO entries SELECT * FROM unnest(?,?,?,?,?,?,?,?,?,?,?,?,?)"
_BEGIN: Final[Statement] = ("BEGIN", ())
_MARK: Final = (
    "INSERT INTO marks (session,mark) VALUES (?,?) ON CONFLICT (session) DO UPDATE SET mark=excluded.mark,at=now()"
)
_MARKS_KEPT: Final = "1 day"


class PostgresWriter(StoreWriter):
    """The one writing connection of a process. Its transactions run beside those of other processes."""

    looks_ahead: ClassVar[bool] = True

    def __init__(self, link: Link, settings: LedgerSettings) -> None:
        """Connect.

        Args:
            link: to a database that holds a ledger.
            settings: bounds and windows.
        """
        self._link = link
        self._busy_s = settings.busy_s
        self._locks = StreamLocks(link, settings.silent_s)
        self._reservations = Reservations(self)
        self.inside = SharedReader(self, link.name)
        self._held_back: list[Statement | Many] = []
        self._is_in = False  # between begin, and commit or rollback
        self._has_begun = False  # the server has heard of it
        self._last: tuple[int, bytes] | None = None  # key and leaf of the last entry put in it
        self._mark = b""  # what it leaves when it puts none
        self._sizes: dict[int, int] = {}  # of streams of ours, as committed
        self._put: dict[int, int] = {}  # …and as put in the open transaction
        self._opened: list[int] = []  # streams registered in it…
        self._sealed: list[int] = []  # …and sealed
        self._generation = 0
        self._renewed = True
        self._until: float | None = None  # from the first loss on: when to give up
        self._tries = 0
        self._connect(None)

    def _connect(self, until: float | None) -> None:
        """See that there is a connection, and that it holds our locks; arguments and errors as of `Link.connect`."""
        while True:
            self._link.connect(until)
            if self._generation == self._link.generation:
                return
            try:
                self._locks.renew()
            except StoreLost:
                if until is None or time.monotonic() >= until:
                    raise
            else:
                self._generation, self._renewed = self._link.generation, True
                self.inside.forget()

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def let_go(self) -> None:
        """Leave the connection to the parent process."""
        self._link.let_go()

    # ── transactions ──

    def begin(self) -> None:
        """Begin a transaction; the server hears of it when something is read, or at the end. Raises StoreLost."""
        if self._is_in:
            self.rollback()
        self._connect(None)
        self._link.look()
        self._forget()
        self._is_in = True

    def _forget(self) -> None:
        self._held_back, self._has_begun, self._last, self._mark = [], False, None, b""
        self._opened, self._sealed, self._put = [], [], {}
        self._reservations.forget()
        self._is_in = False

    def commit(self) -> None:
        """All since `begin` is on the server's disk, whole, when this returns.

        Raises:
            StoreLost: it is not, and none of it.
            StoreUnsure: the connection was lost in the middle, and the server is not back to be asked.
        """
        if self._last is None and (self._held_back or self._has_begun):
            self._mark = secrets.token_bytes(16)
            self.run(_MARK, self._link.token, self._mark)
        if self._has_begun:
            self._held_back.append(("COMMIT", ()))
        try:
            self._send([])
        except StoreLost as error:
            self._find_out(error)
        self._sizes |= self._put
        self._locks.give(self._sealed)
        self._locks.give_claimed()
        self._until, self._tries = None, 0
        self._forget()

    def _find_out(self, lost: StoreLost) -> None:
        """The connection was lost in a commit: see what became of it. Returns when it was written."""
        until = time.monotonic() + self._busy_s
        while True:
            try:
                self._connect(until)  # from here on, our former session can do nothing any more
                was_written = self._was_written()
                break
            except StoreError as error:
                if isinstance(error, StoreLost) and time.monotonic() < until:
                    continue
                raise StoreUnsure(
                    f"{self._link.name}: the connection was lost in the middle of a commit, and the server is not back:"
                    " whether it was written cannot be told yet",
                    fix="when the server is back, look for the entry before you write it again",
                ) from error
        if not was_written:
            raise lost

    def _was_written(self) -> bool:
        if self._last is None:
            return self._link.fetch("SELECT mark FROM marks WHERE session=?", (self._link.token,)) == [(self._mark,)]
        key, leaf = self._last
        return self._link.fetch("SELECT leaf FROM entries WHERE id=?", (key,)) == [(leaf,)]

    def rollback(self) -> None:
        """Take back all since `begin`; nothing when there is nothing."""
        opened = self._opened
        try:
            if self._has_begun and self._is_same():
                self._link.script(["ROLLBACK"])
            self._locks.give(opened)
            self._locks.give_claimed()
        except StoreError:
            self._link.close()  # the server takes it all back
        self._forget()
        self.inside.forget()

    def _is_same(self) -> bool:
        """Whether the connection is still the one that the transaction began on."""
        return self._link.is_up and self._generation == self._link.generation

    def ours(self, error: Exception) -> Exception:
        """The connection has made it ours already."""
        return error

    def changed_elsewhere(self) -> bool:
        """Whether the connection was made anew: as long as it lasts, nobody touches what it holds."""
        renewed, self._renewed = self._renewed, False
        return renewed

    def came_back(self, error: Exception) -> bool:
        """Whether the transaction was lost with the connection, whole, and can be tried again now; waits for that."""
        if not isinstance(error, StoreLost) or self._tries >= _TRIES:
            self._tries = 0
            return False
        if self._until is None:
            self._until = time.monotonic() + self._busy_s
        try:
            self._connect(self._until)
        except StoreError:
            return False
        self._tries += 1
        return True

    # ── statements ──

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement, in the transaction if there is one, after all that was held back."""
        if not self._is_in:
            self._connect(None)
            return self._link.fetch(sql, arguments)
        return self._send([(sql, arguments)], in_transaction=True)[-1]

    def run(self, sql: str, *arguments: Any) -> None:
        """One statement that gives nothing back; held back until something is read, or to the end."""
        self._held_back.append((sql, arguments))

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row of parameters."""
        if rows:
            self._held_back.append(Many(sql, rows))

    def flush(self) -> None:
        """Carry out what was held back."""
        if self._held_back:
            self._send([], in_transaction=True)

    def exchange(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Several statements in the transaction, in one round trip; the rows of each."""
        return self._send(statements, in_transaction=True)[-len(statements) :]

    def _send(self, more: Sequence[Statement], *, in_transaction: bool = False) -> list[list[Row]]:
        """Send what was held back, and more; the rows of each statement."""
        if not self._is_same():
            raise StoreLost(f"{self._link.name}: the connection was lost; nothing of this was written")
        begins = in_transaction and not self._has_begun
        self._has_begun = self._has_begun or begins
        statements = [*([_BEGIN] if begins else ()), *self._held_back, *more]
        self._held_back = []
        return self._link.exchange(statements) if statements else []

    # ── what processes must not do at the same time ──

    def take_root(self) -> None:
        """Wait until nobody else appends to the root stream."""
        self.run("SELECT pg_advisory_xact_lock(?)", lock_key("root", ""))

    def hold_projection(self, name: str) -> None:
        """Wait until nobody else folds this projection."""
        self.run("SELECT pg_advisory_xact_lock(?)", lock_key("projection", name))

    def unwritten(self, rows: Sequence[StreamRow], is_gone: Callable[[str], bool]) -> list[StreamRow]:
        """Those of some open streams that certainly nobody writes any more; nobody will, until the transaction ends."""
        if not self._is_in:
            self._connect(None)
        else:
            self.flush()
        return self._locks.claim(rows, is_gone)

    # ── streams ──

    def register(self, now_ns: int, owner: str, durability: str, window_ms: float, most: int) -> tuple[int, str]:
        """A new stream, ours alone from the beginning."""
        number, stream = super().register(now_ns, owner, durability, window_ms, most)
        self._locks.hold(number)
        self._opened.append(number)
        return number, stream

    def is_open(self, number: int) -> bool:
        """Whether a stream is ours to write, and not sealed."""
        return self._locks.holds(number) and super().is_open(number)

    def missing(self, stream: str, number: int) -> int:
        """How many entries the server has lost: one that took over from it had not received them, or a backup."""
        known = self._sizes.get(number, 0)
        there = self.rows("SELECT 1 FROM streams WHERE id=? AND number=?", stream, number)
        return max(0, known - self.inside.end(number)[0]) if there else known

    def seal(self, number: int, size: int, root: bytes, now_ns: int) -> None:
        """Close a stream for good."""
        super().seal(number, size, root, now_ns)
        self._sealed.append(number)

    def put(self, number: int, rows: Sequence[Row], grown: Grown | None) -> None:
        """Store entries, and what they complete of the tree; tell who listens of rare kinds."""
        if len(rows) == 1:
            self.run(_INSERT, *_row_stored(rows[0]))
        else:
            for portion in portions(rows):
                self.run(_INSERT_MANY, *packed(portion))
        self._last = (rows[-1][0], rows[-1][-2])
        if self._locks.holds(number):
            self._put[number] = (rows[-1][0] & POSITION) + 1
        if grown is not None:
            base = number << SHIFT
            ids = [base | index for index, _ in grown.tiles]
            self.run("INSERT INTO tiles SELECT * FROM unnest(?,?)", int8s(ids), byteas([b for _, b in grown.tiles]))
            ids = [base | level - TILE_LEVELS << NODE_SHIFT | index for level, index, _ in grown.nodes]
            self.run("INSERT INTO nodes SELECT * FROM unnest(?,?)", int8s(ids), byteas([b for *_, b in grown.nodes]))
        # Announcing makes the server commit one transaction after the other; decisions would all wait for each other.
        if number != ROOT_STREAM and any(row[2] != DECISION for row in rows):
            self.run("SELECT pg_notify(?,'')", CHANNEL)

    # ── subjects and reservations ──

    def expect(self, names: Iterable[str], ops: Sequence[Op]) -> dict[str, SubjectKey]:
        """Fetch the subjects and reservations of a whole group, in the order in which every process does."""
        wanted = sorted(names)
        if ops:
            self._reservations.fetch(ops)
        if not wanted:
            return {}
        found = self._subjects(wanted)
        missing = [name for name in wanted if name not in found]
        if missing:
            for name in missing:
                self.run(
                    "INSERT INTO subjects (name,salt,key) VALUES (?,?,?) ON CONFLICT DO NOTHING",
                    stored(name), new_secret(), new_secret(),
                )  # fmt: skip
            found |= self._subjects(missing)
        return found

    def _subjects(self, names: Sequence[str]) -> dict[str, SubjectKey]:
        asked = {stored(name): name for name in names}
        rows = self.rows("SELECT name,number,salt,key FROM subjects WHERE name=ANY(?)", list(asked))
        return {asked[r[0]]: SubjectKey(number=r[1], name=asked[r[0]], salt=r[2], key=r[3]) for r in rows}

    def subject(self, name: str) -> Row | None:
        """Number, salt and key of a subject; None when nothing is kept of it."""
        rows = self.rows("SELECT number,salt,key FROM subjects WHERE name=?", stored(name))
        return rows[0] if rows else None

    def add_subject(self, name: str, salt: bytes, key: bytes) -> int:
        """Keep a subject that is new; its number."""
        sql = "INSERT INTO subjects (name,salt,key) VALUES (?,?,?) RETURNING number"
        return int(self.rows(sql, stored(name), salt, key)[0][0])

    def apply(self, ops: Sequence[Op], now_ns: int) -> list[Reservation | None]:
        """Apply all of ``ops`` or none. Raises Taken."""
        return self._reservations.apply(ops, now_ns)

    def sweep(self, now_ns: int, most: int) -> int:
        """Delete expired reservations, at most so many; how many. Those that somebody is at are left for later."""
        rows = self.rows(
            "DELETE FROM reservations WHERE (space,key) IN (SELECT space,key FROM reservations WHERE expires_ns>0 AND"
            " expires_ns<=? LIMIT ? FOR UPDATE SKIP LOCKED) RETURNING 1",
            now_ns,
            most,
        )
        self.run("DELETE FROM marks WHERE at<now()-?::interval", _MARKS_KEPT)
        return len(rows)

    def erasures(self) -> int:
        """No subject's key is held in memory longer than a transaction."""
        return 0

    def count_erasure(self) -> None:
        """Nobody has to be told."""

    def cut_log(self) -> bool:
        """The server's log is not ours to cut; see the limits in the reference."""
        return True


def _row_stored(row: Row) -> Row:
    return tuple(stored(value) if isinstance(value, str) else value for value in row)
