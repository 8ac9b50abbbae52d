"""Reading a ledger file as an auditor does: read-only, one moment of it, believing nothing that it says about itself.

It shares the names of tables and the numbering of keys with the store, and no code that the store reads with.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import msgspec

from plimsoll.errors import StoreDamaged, StoreError, StoreReadOnly, StoreTooNew
from plimsoll.ledger.audit import KIND_MODULUS, HeadRow, StreamRow
from plimsoll.ledger.entry import FORMAT
from plimsoll.ledger.merkle import TILE, TILE_LEVELS
from plimsoll.ledger.numbering import NODE_SHIFT, POSITION, SHIFT, Row
from plimsoll.ledger.sqlite import _SCHEMA, store_error

# What a frame takes, in its order, then the stored leaf hash.
_ROW: Final = (
    "SELECT id & ?,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,body,leaf"
    " FROM entries NOT INDEXED WHERE id>=? AND id<? ORDER BY id"
)
_PAGE: Final = 1_024  # hashes read at a time
_NODE_MASK: Final = (1 << NODE_SHIFT) - 1
# The second is what Python raises when SQLite quotes damaged bytes in its message.
_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)


class _State(msgspec.Struct, frozen=True):
    """What shows that somebody has the file open or has written it."""

    is_idle: bool
    size: int
    modified_ns: int


def _state(path: Path) -> _State:
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]
    stat = path.stat()
    return _State(not any(file.exists() for file in beside), stat.st_size, stat.st_mtime_ns)


class SqliteFile:
    """One ledger file, as it was at the moment of opening; writers go on meanwhile. Close it.

    Every method may raise StoreDamaged where SQLite finds a page that is none.
    """

    engine = "SQLite"

    def __init__(self, path: Path, *, busy_s: float = 5.0, alone: bool = True) -> None:
        """Open the file.

        A file that nobody has open is read without SQLite's locks: those would leave files beside it that its owner
        may not be able to write. `was_disturbed` tells whether somebody came nevertheless.

        Args:
            path: the file.
            busy_s: seconds to wait for a lock.
            alone: whether to do without locks when nobody has the file open.

        Raises:
            StoreError: there is none, or it is locked or unreadable.
            StoreTooNew: a later version wrote it.
            StoreDamaged: it is no ledger, or not any more.
        """
        self.path = path
        self._busy_s = busy_s
        if not path.is_file():
            raise StoreError(f"{path}: there is no ledger here", fix="name the ledger's file")
        self._state = _state(path)
        self._locks = not (alone and self._state.is_idle)
        self._con = self._connect()

    def close(self) -> None:
        """Let go of the file."""
        self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def was_disturbed(self) -> bool:
        """Whether the file was read without locks and somebody has opened or written it since."""
        return not self._locks and _state(self.path) != self._state

    def _connect(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self.path.absolute()))}?mode=ro{'' if self._locks else '&immutable=1'}"
        con = sqlite3.connect(uri, uri=True, timeout=self._busy_s, isolation_level=None)
        try:
            con.execute("PRAGMA query_only=ON")
            con.execute("PRAGMA trusted_schema=OFF")  # a view or an expression planted in the schema calls nothing
            con.execute("PRAGMA cell_size_check=ON")
            con.execute("BEGIN")
            con.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment that all reads share begins here
        except _FAILURES as error:
            con.close()
            raise self._ours(error) from error
        except BaseException:
            con.close()
            raise
        return con

    def _rows(self, sql: str, *arguments: Any, text: Callable[[bytes], str] | None = None) -> list[Row]:
        """All rows of a statement. Where text is no UTF-8, they are read again with ``text`` for all of it."""
        try:
            return self._con.execute(sql, arguments).fetchall()
        except _FAILURES as error:
            if "decode to UTF-8 column" not in str(error):
                raise self._ours(error) from error
        self._con.text_factory = text or _printable
        try:
            return self._con.execute(sql, arguments).fetchall()
        except _FAILURES as error:
            raise self._ours(error) from error
        finally:
            self._con.text_factory = str

    def _ours(self, error: Exception) -> StoreError:
        if not isinstance(error, sqlite3.Error):
            return StoreDamaged(f"{self.path}: SQLite's message about it holds bytes that are no text")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
            return StoreReadOnly(
                f"{self.path}: cannot be opened; as a log lies beside it (-wal), its folder has to be writable",
                fix="copy the file and what lies beside it to a folder of your own, and verify the copy",
            )
        ours = store_error(error, self.path)
        # A missing table, a column of another name: what cannot be read as a ledger is damage.
        return ours if type(ours) is not StoreError else StoreDamaged(ours.message)

    # ── what the file is ──

    def meta(self, key: str) -> str | None:
        """A fact about the file: ``format``, ``root``, ``origin``."""
        rows = self._rows("SELECT value FROM meta WHERE key=?", key)
        return str(rows[0][0]) if rows else None

    def check_format(self) -> None:
        """Raise StoreTooNew for a later format, StoreDamaged for none."""
        said = self.meta("format")
        if said is None or not said.isdigit():
            raise StoreDamaged(f"{self.path}: does not say its format version")
        if int(said) > FORMAT:
            raise StoreTooNew(
                f"{self.path}: has format {said}, this version verifies formats up to {FORMAT}",
                fix="upgrade plimsoll-ai; the file was left as it is",
            )

    def schema_differences(self) -> list[str]:
        """Tables, indexes, triggers and views that are not what the store makes; a rule taken away shows here."""
        with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
            for statement in _SCHEMA:
                fresh.execute(statement)
            query = "SELECT type||' '||name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^'"
            expected = dict(fresh.execute(query).fetchall())
            found: dict[str, str | None] = dict(self._rows(query))
        changes = [f"{name} is missing" for name in expected.keys() - found.keys()]
        changes += [f"{name} was added" for name in found.keys() - expected.keys()]
        changes += [
            f"{name} is not as the store made it"
            for name in expected
            if found.get(name, "") not in ("", expected[name])
        ]
        return sorted(changes)

    # ── streams and notes ──

    def streams(self) -> list[StreamRow]:
        """All rows of the table of streams."""
        rows = self._rows("SELECT number,id,durability,size,root FROM streams ORDER BY number")
        return [
            StreamRow(
                number=n,
                id=str(i),
                durability=str(d),
                size=None if s is None else _count(s),
                root=None if r is None else _blob(r),
            )
            for n, i, d, s, r in rows
        ]

    def heads(self) -> dict[int, HeadRow]:
        """Heads by number of their stream."""
        rows = self._rows("SELECT stream,size,time_ns,frontier FROM heads ORDER BY stream")
        return {
            n: HeadRow(size=_count(size), time_ns=_count(time_ns), frontier=_blob(front))
            for n, size, time_ns, front in rows
        }

    def written_streams(self) -> Iterator[int]:
        """Numbers of streams that have entries, whether registered or not."""
        after = -1 << 62
        while rows := self._rows("SELECT id FROM entries NOT INDEXED WHERE id>=? ORDER BY id LIMIT 1", after):
            number = rows[0][0] >> SHIFT
            yield number
            after = number + 1 << SHIFT

    def notes(self, after: int = -1) -> Iterator[tuple[int, str]]:
        """Signed notes beyond a size, with the size they are filed under; the smallest first."""
        while rows := self._rows("SELECT size,note FROM notes WHERE size>? ORDER BY size LIMIT ?", after, _PAGE):
            yield from ((size, str(note)) for size, note in rows)
            after = rows[-1][0]

    def erased_subjects(self) -> Iterator[int]:
        """Numbers of subjects whose key is gone."""
        after = -1 << 62
        sql = "SELECT number FROM subjects WHERE number>? AND key IS NULL ORDER BY number LIMIT ?"
        while rows := self._rows(sql, after, _PAGE):
            yield from (number for (number,) in rows)
            after = rows[-1][0]

    def subject_key(self, number: int) -> bytes | None:
        """The key of a data subject; None when it was destroyed or there is none."""
        rows = self._rows("SELECT key FROM subjects WHERE number=? AND key IS NOT NULL", number)
        return _blob(rows[0][0]) if rows else None

    def stream_key(self, number: int) -> bytes | None:
        """The key under which a stream seals what has no subject; None when there is none."""
        rows = self._rows("SELECT key FROM stream_keys WHERE stream=?", number)
        return _blob(rows[0][0]) if rows else None

    # ── entries ──

    def end_of(self, number: int) -> int:
        """Position after the last stored entry of a stream; 0 when it has none."""
        rows = self._rows(
            "SELECT id FROM entries NOT INDEXED WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1",
            number << SHIFT,
            number + 1 << SHIFT,
        )
        return (rows[0][0] & POSITION) + 1 if rows else 0

    def next_after(self, number: int, seq: int) -> int | None:
        """The first position from ``seq`` on that has an entry; None when there is none."""
        rows = self._rows(
            "SELECT id FROM entries NOT INDEXED WHERE id>=? AND id<? ORDER BY id LIMIT 1",
            number << SHIFT | seq,
            number + 1 << SHIFT,
        )
        return rows[0][0] & POSITION if rows else None

    def rows(self, number: int, first: int, stop: int) -> list[Row]:
        """The entries at positions first … stop - 1 that are there, in order."""
        base = number << SHIFT
        return self._rows(_ROW, POSITION, base + first, base + stop, text=_lossless)

    def kinds_by_index(self) -> dict[str, tuple[int, int]]:
        """What the index of rare kinds holds: kind → how many entries, sum of their ids modulo 2**61 - 1."""
        sums: dict[str, tuple[int, int]] = {}
        # The kind as bytes: one that is no UTF-8 must not end the reading.
        sql = "SELECT CAST(kind AS BLOB),id FROM entries INDEXED BY by_kind WHERE kind<>'decision' ORDER BY kind,id"
        try:
            cursor = self._con.execute(sql)
            while rows := cursor.fetchmany(_PAGE):
                for raw, key in rows:
                    kind = _lossless(raw)
                    count, total = sums.get(kind, (0, 0))
                    sums[kind] = (count + 1, (total + key) % KIND_MODULUS)
        except _FAILURES as error:
            raise self._ours(error) from error
        return sums

    # ── stored hashes ──

    def tile(self, number: int, index: int) -> bytes | None:
        """The stored interior hashes of one tile; None when there are none."""
        rows = self._rows("SELECT nodes FROM tiles WHERE id=?", number << SHIFT | index)
        return _blob(rows[0][0]) if rows else None

    def last_tile(self, number: int) -> int:
        """Index of the last stored tile; -1 when there is none."""
        sql = "SELECT id FROM tiles WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1"
        rows = self._rows(sql, number << SHIFT, number + 1 << SHIFT)
        return rows[0][0] & POSITION if rows else -1

    def node(self, number: int, level: int, index: int) -> bytes | None:
        """One stored hash above the tiles; None when it is not there."""
        rows = self._rows("SELECT hash FROM nodes WHERE id=?", _node_key(number, level, index))
        return _blob(rows[0][0]) if rows else None

    def nodes(self, number: int, level: int) -> Iterator[tuple[int, bytes]]:
        """All stored hashes of one level (8 and up): index, hash."""
        after, stop = _node_key(number, level, 0) - 1, _node_key(number, level + 1, 0)
        sql = "SELECT id,hash FROM nodes WHERE id>? AND id<? ORDER BY id LIMIT ?"
        while rows := self._rows(sql, after, stop, _PAGE):
            yield from ((key & _NODE_MASK, _blob(digest)) for key, digest in rows)
            after = rows[-1][0]


assert 1 << TILE_LEVELS == TILE


def _node_key(number: int, level: int, index: int) -> int:
    return number << SHIFT | level - TILE_LEVELS << NODE_SHIFT | index


def _blob(value: Any) -> bytes:
    """A hash or several; anything else that was put there is the hash of nothing."""
    return value if isinstance(value, bytes) else b""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _lossless(raw: bytes) -> str:
    """Never the same text for other bytes, so that it can be judged; it cannot be printed."""
    return raw.decode("utf-8", "surrogateescape")


def _printable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
