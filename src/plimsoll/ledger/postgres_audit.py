"""Reading a database as an auditor does: read-only, one moment of it, believing nothing that it says about itself.

It shares the names of tables and the numbering of keys with the store, and no code that the store reads with.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from plimsoll.errors import StoreDamaged, StoreError
from plimsoll.ledger.audit import KIND_MODULUS, HeadRow, StreamRow
from plimsoll.ledger.merkle import TILE_LEVELS
from plimsoll.ledger.numbering import NODE_SHIFT, POSITION, SHIFT, Row
from plimsoll.ledger.postgres import SCHEMA, Link, Wish
from plimsoll.ledger.postgres_address import Address
from plimsoll.ledger.postgres_expected import EXPECTED
from plimsoll.ledger.postgres_open import check_versions, find
from plimsoll.ledger.postgres_schema import FOUND

# What a frame takes, in its order, then the stored leaf hash.
_ROW: Final = (
    f"SELECT id & ?,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,body,leaf"  # noqa: S608 - constants
    f" FROM {SCHEMA}.entries WHERE id>=? AND id<? ORDER BY id"
)
_TEXT: Final = (2, 3, 4, 5, 6, 7, 9)  # columns of a row that hold text
_PAGE: Final = 1_024  # hashes read at a time
_NODE_MASK: Final = (1 << NODE_SHIFT) - 1


class PostgresFile:
    """The ledger in one database, as it was at the moment of opening; writers go on meanwhile. Close it.

    Every method may raise StoreDamaged where the server finds something that cannot be read, and StoreLost.
    """

    engine = "PostgreSQL"

    def __init__(self, address: Address) -> None:
        """Connect, and keep this moment.

        Args:
            address: of the database.

        Raises:
            StoreError: there is none, or it cannot be reached.
            StoreDamaged: it holds no ledger.
        """
        self.path = address.name
        self._link = Link(address, Wish(read_only=True, path="pg_catalog", statement_s=0))
        self._link.connect()
        try:
            self._link.script(["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"])
            is_there = find(self._link)  # the moment that all reads share begins here
        except BaseException:
            self._link.close()
            raise
        if not is_there:
            self._link.close()
            raise StoreError(f"{self.path}: there is no ledger here", fix="name the ledger's database")

    def close(self) -> None:
        """Let go of the database."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def was_disturbed(self) -> bool:
        """The server keeps the moment."""
        return False

    def _rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of a statement; one that fails ends nothing but itself."""
        try:
            return self._link.exchange((("SAVEPOINT step", ()), (sql, arguments), ("RELEASE step", ())))[1]
        except StoreError as error:
            if self._link.is_up:
                self._link.script(["ROLLBACK TO step"])
            # A missing table, a column of another name: what cannot be read as a ledger is damage.
            raise error if type(error) is not StoreError else StoreDamaged(error.message) from error

    # ── what it is ──

    def meta(self, key: str) -> str | None:
        """A fact about the store: ``format``, ``root``, ``origin``."""
        rows = self._rows(f"SELECT value FROM {SCHEMA}.meta WHERE key=?", key)  # noqa: S608 - a constant
        return str(rows[0][0]) if rows else None

    def check_format(self) -> None:
        """Raise StoreTooNew for a later format, StoreDamaged for none."""
        check_versions(self._link)

    def schema_differences(self) -> list[str]:
        """Tables, indexes, triggers, rules that are not what the store makes; a rule taken away shows here."""
        found = {str(name): str(what) for name, what in self._rows(FOUND)}
        changes = [f"{name} is missing" for name in EXPECTED.keys() - found.keys()]
        changes += [f"{name} was added" for name in found.keys() - EXPECTED.keys()]
        changes += [
            f"{name} is not as the store made it"
            for name in EXPECTED.keys() & found.keys()
            if found[name] != EXPECTED[name]
        ]
        return sorted(changes)

    # ── streams and notes ──

    def streams(self) -> list[StreamRow]:
        """All rows of the table of streams."""
        rows = self._rows(f"SELECT number,id,durability,size,root FROM {SCHEMA}.streams ORDER BY number")  # noqa: S608
        return [
            StreamRow(number=n, id=i, durability=d, size=None if s is None else max(0, s), root=r)
            for n, i, d, s, r in rows
        ]

    def heads(self) -> dict[int, HeadRow]:
        """Heads by number of their stream."""
        rows = self._rows(f"SELECT stream,size,time_ns,frontier FROM {SCHEMA}.heads ORDER BY stream")  # noqa: S608
        return {n: HeadRow(size=max(0, size), time_ns=max(0, time), frontier=front) for n, size, time, front in rows}

    def written_streams(self) -> Iterator[int]:
        """Numbers of streams that have entries, whether registered or not."""
        after = -1 << 62
        sql = f"SELECT id FROM {SCHEMA}.entries WHERE id>=? ORDER BY id LIMIT 1"  # noqa: S608
        while rows := self._rows(sql, after):
            number = rows[0][0] >> SHIFT
            yield number
            after = number + 1 << SHIFT

    def notes(self, after: int = -1) -> Iterator[tuple[int, str]]:
        """Signed notes beyond a size, with the size they are filed under; the smallest first."""
        sql = f"SELECT size,note FROM {SCHEMA}.notes WHERE size>? ORDER BY size LIMIT ?"  # noqa: S608
        while rows := self._rows(sql, after, _PAGE):
            yield from ((size, note) for size, note in rows)
            after = rows[-1][0]

    def erased_subjects(self) -> Iterator[int]:
        """Numbers of subjects whose key is gone."""
        after = -1 << 62
        sql = f"SELECT number FROM {SCHEMA}.subjects WHERE number>? AND key IS NULL ORDER BY number LIMIT ?"  # noqa: S608
        while rows := self._rows(sql, after, _PAGE):
            yield from (number for (number,) in rows)
            after = rows[-1][0]

    def subject_key(self, number: int) -> bytes | None:
        """The key of a data subject; None when it was destroyed or there is none."""
        rows = self._rows(f"SELECT key FROM {SCHEMA}.subjects WHERE number=? AND key IS NOT NULL", number)  # noqa: S608
        return rows[0][0] if rows else None

    def stream_key(self, number: int) -> bytes | None:
        """The key under which a stream seals what has no subject; None when there is none."""
        rows = self._rows(f"SELECT key FROM {SCHEMA}.stream_keys WHERE stream=?", number)  # noqa: S608
        return rows[0][0] if rows else None

    # ── entries ──

    def end_of(self, number: int) -> int:
        """Position after the last stored entry of a stream; 0 when it has none."""
        rows = self._rows(
            f"SELECT id FROM {SCHEMA}.entries WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1",  # noqa: S608
            number << SHIFT,
            number + 1 << SHIFT,
        )
        return (rows[0][0] & POSITION) + 1 if rows else 0

    def next_after(self, number: int, seq: int) -> int | None:
        """The first position from ``seq`` on that has an entry; None when there is none."""
        rows = self._rows(
            f"SELECT id FROM {SCHEMA}.entries WHERE id>=? AND id<? ORDER BY id LIMIT 1",  # noqa: S608
            number << SHIFT | seq,
            number + 1 << SHIFT,
        )
        return rows[0][0] & POSITION if rows else None

    def rows(self, number: int, first: int, stop: int) -> list[Row]:
        """The entries at positions first … stop - 1 that are there, in order."""
        base = number << SHIFT
        found = self._rows(_ROW, POSITION, base + first, base + stop)
        if not any("\x01" in "".join([row[at] for row in found]) for at in _TEXT):
            return found
        return [_plain(row) for row in found]

    def kinds_by_index(self) -> dict[str, tuple[int, int]]:
        """What the index of rare kinds holds: kind → how many entries, sum of their ids modulo `KIND_MODULUS`."""
        # The index and not the table: what this is about is that the two agree.
        for way in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            self._rows("SELECT set_config(?,'off',true)", way)
        rows = self._rows(
            f"SELECT kind,count(*),(sum(id) % ?)::bigint FROM {SCHEMA}.entries WHERE kind<>'decision' GROUP BY kind",  # noqa: S608
            KIND_MODULUS,
        )
        for way in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            self._rows("SELECT set_config(?,'on',true)", way)
        return {_text(kind): (count, total % KIND_MODULUS) for kind, count, total in rows}

    # ── stored hashes ──

    def tile(self, number: int, index: int) -> bytes | None:
        """The stored interior hashes of one tile; None when there are none."""
        rows = self._rows(f"SELECT nodes FROM {SCHEMA}.tiles WHERE id=?", number << SHIFT | index)  # noqa: S608
        return rows[0][0] if rows else None

    def last_tile(self, number: int) -> int:
        """Index of the last stored tile; -1 when there is none."""
        sql = f"SELECT id FROM {SCHEMA}.tiles WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1"  # noqa: S608
        rows = self._rows(sql, number << SHIFT, number + 1 << SHIFT)
        return rows[0][0] & POSITION if rows else -1

    def node(self, number: int, level: int, index: int) -> bytes | None:
        """One stored hash above the tiles; None when it is not there."""
        sql = f"SELECT hash FROM {SCHEMA}.nodes WHERE id=?"  # noqa: S608
        rows = self._rows(sql, _node_key(number, level, index))
        return rows[0][0] if rows else None

    def nodes(self, number: int, level: int) -> Iterator[tuple[int, bytes]]:
        """All stored hashes of one level (8 and up): index, hash."""
        after, stop = _node_key(number, level, 0) - 1, _node_key(number, level + 1, 0)
        sql = f"SELECT id,hash FROM {SCHEMA}.nodes WHERE id>? AND id<? ORDER BY id LIMIT ?"  # noqa: S608
        while rows := self._rows(sql, after, stop, _PAGE):
            yield from ((key & _NODE_MASK, digest) for key, digest in rows)
            after = rows[-1][0]


def _node_key(number: int, level: int, index: int) -> int:
    return number << SHIFT | level - TILE_LEVELS << NODE_SHIFT | index


def _plain(row: Row) -> Row:
    return tuple(_text(value) if at in _TEXT else value for at, value in enumerate(row))


def _text(stored: str) -> str:
    """A text as it was given; see the reference on the character U+0000."""
    return stored.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")
