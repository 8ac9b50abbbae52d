"""Projections in the file: an ordered space of keys per projection, and how far into every stream it has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from plimsoll.ledger.entry import Entry
from plimsoll.ledger.keys import Erased
from plimsoll.ledger.projection import Projection
from plimsoll.ledger.sqlite import Connection, memory
from plimsoll.ledger.sqlite_keys import open_body
from plimsoll.ledger.sqlite_read import DECISION, SIZE, Reader

_STEP: Final = 2000  # entries folded in one transaction: while it lasts, nobody else can write
_LOOK_INTO: Final = (
    64  # streams; with more of them behind, folding (which moves the positions on) is cheaper than looking
)
_PAGE: Final = 256  # rows of a scan taken at once
_PAST_ALL: Final = "\U0010ffff"  # sorts behind every character a key has


# The number is looked up in each statement: a rebuild by another process puts a new one in the place of the old.
_LIVE: Final = "(SELECT number FROM projections WHERE name=? AND version=? AND live)"


class KeptView:
    """What one projection has folded, for reading."""

    def __init__(self, reader: Reader, which: str, *arguments: Any) -> None:
        """A view.

        Args:
            reader: where it is read.
            which: SQL for the projection's number…
            arguments: …and its parameters.
        """
        self._reader = reader
        self._which = which
        self._arguments = arguments

    def get(self, key: str) -> bytes | None:
        """The value of a key; None when there is none."""
        sql = f"SELECT value FROM kept WHERE projection={self._which} AND key=?"  # noqa: S608 - a constant
        row = self._reader.row(sql, *self._arguments, key)
        return None if row is None else bytes(row[0])

    def scan(
        self, prefix: str = "", after: str = "", *, limit: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[str, bytes]]:
        """Keys and values in order; see `projection.View`."""
        left = limit
        first, stop = prefix, prefix + _PAST_ALL
        if after and reverse:
            stop = min(stop, after)
        compare = ">" if after and not reverse and after >= first else ">="
        first = max(first, after) if after and not reverse else first
        while left is None or left > 0:
            page = _PAGE if left is None else min(left, _PAGE)
            rows = self._reader.rows(
                f"SELECT key,value FROM kept WHERE projection={self._which} AND key{compare}? AND key<?"  # noqa: S608 - constants
                f" ORDER BY key {'DESC' if reverse else ''} LIMIT ?",
                *self._arguments,
                first,
                stop,
                page,
            )
            yield from rows
            if len(rows) < page:
                return
            left = None if left is None else left - page
            if reverse:
                stop = rows[-1][0]
            else:
                first, compare = rows[-1][0], ">"


class KeptTable(KeptView):
    """The same for a fold under way, in the transaction that is open."""

    def __init__(self, reader: Reader, con: Connection, number: int) -> None:
        super().__init__(reader, "?", number)
        self._number = number
        self._con = con

    def put(self, key: str, value: bytes) -> None:
        """Set a key."""
        self._con.execute("INSERT OR REPLACE INTO kept VALUES (?,?,?)", (self._number, key, value))

    def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        self._con.execute("DELETE FROM kept WHERE projection=? AND key=?", (self._number, key))


class Place(msgspec.Struct, frozen=True):
    """Where a projection is kept."""

    number: int
    live: bool  # it has been up to date once; until then nobody reads it


def live_view(reader: Reader, projection: Projection) -> KeptView:
    """The readable view of this version of a projection."""
    return KeptView(reader, _LIVE, projection.name, projection.version)


def place_of(reader: Reader, projection: Projection) -> Place | None:
    """Where this version of a projection is kept, the readable one if there are two; None: nowhere yet."""
    row = reader.row(
        "SELECT number,live FROM projections WHERE name=? AND version=? ORDER BY live DESC LIMIT 1",
        projection.name,
        projection.version,
    )
    return None if row is None else Place(row[0], bool(row[1]))


def behind(reader: Reader, number: int) -> dict[int, tuple[int, int]]:
    """Streams that have entries the projection has not seen: number, from which position, to which size.

    Looks at streams that are new since the last fold and at those that were not sealed or not finished then; sealed
    ones that are finished have no row among the positions.
    """
    rows = reader.rows(
        f"SELECT s.number,coalesce(p.size,0),{SIZE} FROM streams s"  # noqa: S608 - a constant
        " LEFT JOIN positions p ON p.projection=?1 AND p.stream=s.number"
        " WHERE s.number>(SELECT seen FROM projections WHERE number=?1) OR p.stream IS NOT NULL ORDER BY s.number",
        number,
    )
    return {stream: (start, size) for stream, start, size in rows if start < size}


def is_current(reader: Reader, projection: Projection, number: int) -> bool:
    """Whether nothing that the projection wants has come since it was folded last."""
    ranges = behind(reader, number)
    if not ranges:
        return True
    kinds = projection.kinds
    if not kinds or DECISION in kinds or len(ranges) > _LOOK_INTO:
        return False
    return not reader.has_any(kinds, ranges)


def folded_aside(reader: Reader, projection: Projection) -> KeptView:
    """The projection, folded from the first entry into memory: for a ledger that was opened for reading only."""
    con = memory()
    con.execute("CREATE TABLE kept (projection INTEGER, key TEXT, value BLOB, PRIMARY KEY (projection, key))")
    table = KeptTable(Reader(con, reader.path), con, 0)
    for entry in reader.entries(projection.kinds or None):
        projection.apply(table, entry, _body(reader, entry))
    return table


class Folder:
    """Brings projections up to date; every call stands in a transaction of the writer."""

    def __init__(self, con: Connection, reader: Reader) -> None:
        self._con = con
        self._reader = reader  # sees what the open transaction has written

    def prepare(self, projection: Projection, *, anew: bool) -> int:
        """The number to fold into, made if there is none.

        Args:
            projection: which.
            anew: take one that is not readable yet, to replace the readable one.
        """
        live = "AND live=0" if anew else ""
        row = self._con.execute(
            f"SELECT number FROM projections WHERE name=? AND version=? {live} ORDER BY live DESC LIMIT 1",  # noqa: S608
            (projection.name, projection.version),
        ).fetchone()
        if row is not None:
            return int(row[0])
        number = self._con.execute(
            "INSERT INTO projections (name,version,live,seen) VALUES (?,?,0,0)", (projection.name, projection.version)
        ).lastrowid
        assert number is not None
        return number

    def fold(self, projection: Projection, number: int, most: int = _STEP) -> bool:
        """Fold at most ``most`` entries in; True when nothing is left, and then the view is readable."""
        ranges = behind(self._reader, number)
        table = KeptTable(self._reader, self._con, number)
        left = most
        for stream, (start, size) in ranges.items():
            at = start
            for entry in self._reader.entries(projection.kinds or None, after={stream: start}, until={stream: size}):
                if left == 0:
                    break
                projection.apply(table, entry, _body(self._reader, entry))
                at, left = entry.seq + 1, left - 1
            else:
                at = size
            self._con.execute("INSERT OR REPLACE INTO positions VALUES (?,?,?)", (number, stream, at))
            if left == 0:
                break
        if left == 0 and behind(self._reader, number):
            return False
        self._finish(number)
        self._show(projection, number)
        return True

    def _finish(self, number: int) -> None:
        """All streams are folded: from now on only those that grow need a position."""
        con = self._con
        con.execute("UPDATE projections SET seen=(SELECT max(number) FROM streams) WHERE number=?", (number,))
        con.execute("DELETE FROM positions WHERE projection=? AND stream NOT IN (SELECT stream FROM heads)", (number,))
        con.execute("INSERT OR IGNORE INTO positions SELECT ?,stream,0 FROM heads", (number,))

    def _show(self, projection: Projection, number: int) -> None:
        """Make it the readable one; an older version stays for processes that still run it, what is before it goes."""
        con = self._con
        con.execute("UPDATE projections SET live=1 WHERE number=? AND live=0", (number,))
        old = con.execute(
            "SELECT number FROM projections WHERE name=? AND number<>? AND (version=? AND number<? OR number <"
            " (SELECT max(number) FROM projections WHERE name=? AND version<>? AND live))",
            (projection.name, number, projection.version, number, projection.name, projection.version),
        ).fetchall()
        self._remove(old)

    def drop(self, name: str) -> None:
        """Forget every version of a projection."""
        self._remove(self._con.execute("SELECT number FROM projections WHERE name=?", (name,)).fetchall())

    def _remove(self, numbers: Iterable[tuple[int]]) -> None:
        for number in numbers:
            self._con.execute("DELETE FROM kept WHERE projection=?", number)
            self._con.execute("DELETE FROM positions WHERE projection=?", number)
            self._con.execute("DELETE FROM projections WHERE number=?", number)


def _body(reader: Reader, entry: Entry) -> bytes | None:
    try:
        return open_body(reader, entry)
    except Erased:
        return None


class InlineFolds:
    """Projections that are folded in the same transaction as the entries that concern them."""

    def __init__(self, con: Connection, folder: Folder) -> None:
        self._con = con
        self._folder = folder
        self.projections: list[Projection] = []
        self.broken: dict[str, Exception] = {}  # by name: what its fold raised

    def add(self, projection: Projection) -> None:
        """Keep this one up to date from now on."""
        self.projections.append(projection)

    def follow(self, kinds: Iterable[str]) -> None:
        """Entries of these kinds were just written.

        A fold that raises loses nobody's entry: its own changes are taken back, and `view` raises the same later.
        """
        written = set(kinds)
        for projection in self.projections:
            if projection.kinds and not projection.kinds & written:
                continue
            self._con.execute("SAVEPOINT fold")
            try:
                self._folder.fold(projection, self._folder.prepare(projection, anew=False))
            except Exception as error:  # noqa: BLE001 - code of a user; the entries must not suffer from it
                self._con.execute("ROLLBACK TO fold")
                self.broken[projection.name] = error
            finally:
                self._con.execute("RELEASE fold")
