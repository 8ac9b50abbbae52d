"""Projections in the store: an ordered space of keys per projection, and how far into every stream it has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from plimsoll.ledger.keyring import Bodies
from plimsoll.ledger.numbering import DECISION, POSITION, Row
from plimsoll.ledger.projection import Projection
from plimsoll.ledger.read import Reader
from plimsoll.ledger.write import StoreWriter

_STEP: Final = 500  # entries folded in one transaction: while it lasts (some 15 ms), nobody else can write
_SPAN: Final = 20_000  # entries passed over or folded in one transaction, for the same reason
_LOOK_INTO: Final = (
    64  # streams; with more of them behind, folding (which moves the positions on) is cheaper than looking
)
_PAGE: Final = 256  # rows of a scan taken at once
_HELD_BACK: Final = 1000  # changes of one fold in memory
_PAST_ALL: Final = "\U0010ffff"  # sorts behind every character a key has


# The number is looked up in each statement: a rebuild by another process puts a new one in the place of the old.
_LIVE: Final = "(SELECT number FROM projections WHERE name=? AND version=? AND live=1)"


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
        row = self._reader.row(sql, *self._arguments, self._reader.stored(key))
        return None if row is None else bytes(row[0])

    def scan(
        self, prefix: str = "", after: str = "", *, limit: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[str, bytes]]:
        """Keys and values in order; see `projection.View`."""
        left = limit
        prefix, after = self._reader.stored(prefix), self._reader.stored(after)
        first, stop = prefix, prefix + _PAST_ALL
        if after and reverse:
            stop = min(stop, after)
        compare = ">" if after and not reverse and after >= first else ">="
        first = max(first, after) if after and not reverse else first
        while left is None or left > 0:
            page = _PAGE if left is None else min(left, _PAGE)
            rows = self._fetch(
                f"SELECT key,value FROM kept WHERE projection={self._which} AND key{compare}? AND key<?"  # noqa: S608 - constants
                f" ORDER BY key {'DESC' if reverse else ''} LIMIT ?",
                *self._arguments,
                first,
                stop,
                page,
            )
            yield from [(self._reader.given(key), value) for key, value in rows]
            if len(rows) < page:
                return
            left = None if left is None else left - page
            if reverse:
                stop = rows[-1][0]
            else:
                first, compare = rows[-1][0], ">"

    def _fetch(self, sql: str, *arguments: Any) -> list[Row]:
        return self._reader.rows(sql, *arguments)


class Statements(Protocol):
    """What a table of keys asks of the open transaction."""

    def run(self, sql: str, *arguments: Any) -> None:
        """A statement that gives nothing back."""
        ...

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row of parameters."""
        ...


class KeptTable(KeptView):
    """The same for a fold under way, in the transaction that is open. What is put is held back, and written in one."""

    def __init__(self, reader: Reader, store: Statements, number: int) -> None:
        super().__init__(reader, "?", number)
        self._number = number
        self._store = store
        self._changed: dict[str, bytes | None] = {}  # None: deleted

    def get(self, key: str) -> bytes | None:
        """The value of a key; None when there is none."""
        return self._changed[key] if key in self._changed else super().get(key)

    def put(self, key: str, value: bytes) -> None:
        """Set a key."""
        self._change(key, value)

    def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        self._change(key, None)

    def _change(self, key: str, value: bytes | None) -> None:
        self._changed[key] = value
        if len(self._changed) >= _HELD_BACK:
            self.flush()

    def flush(self) -> None:
        """Write what was put and deleted."""
        changed, self._changed = self._changed, {}
        stored, number = self._reader.stored, self._number
        puts = [(number, stored(key), value) for key, value in changed.items() if value is not None]
        gone = [(number, stored(key)) for key, value in changed.items() if value is None]
        if puts:
            self._store.many(
                "INSERT INTO kept VALUES (?,?,?) ON CONFLICT (projection,key) DO UPDATE SET value=excluded.value", puts
            )
        if gone:
            self._store.many("DELETE FROM kept WHERE projection=? AND key=?", gone)

    def _fetch(self, sql: str, *arguments: Any) -> list[Row]:
        self.flush()
        return super()._fetch(sql, *arguments)


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
        f"SELECT s.number,coalesce(p.size,0),{reader.size()} FROM streams s"  # noqa: S608 - a constant
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


def folded_aside(table: KeptTable, reader: Reader, projection: Projection) -> None:
    """Fold a projection from the first entry into a table aside: for a ledger that was opened for reading only."""
    bodies = Bodies(reader)
    for entry in reader.entries(projection.kinds or None, decisions=_decisions_of(projection)):
        projection.apply(table, entry, bodies.of(entry))
    table.flush()


def _decisions_of(projection: Projection) -> frozenset[str]:
    """How the decisions that it wants ended; empty: it wants all. See `Projection`."""
    return frozenset(getattr(projection, "decisions", ()))


class Folder:
    """Brings projections up to date; every call stands in a transaction of the writer."""

    def __init__(self, store: StoreWriter, reader: Reader) -> None:
        self._store = store
        self._reader = reader  # sees what the open transaction has written

    def prepare(self, projection: Projection, *, anew: bool) -> int:
        """The number to fold into, made if there is none.

        Args:
            projection: which.
            anew: take one that is not readable yet, to replace the readable one.
        """
        self._store.hold_projection(projection.name)
        live = "AND live=0" if anew else ""
        rows = self._store.rows(
            f"SELECT number FROM projections WHERE name=? AND version=? {live} ORDER BY live DESC LIMIT 1",  # noqa: S608
            projection.name,
            projection.version,
        )
        return int((rows or self._add(projection))[0][0])

    def _add(self, projection: Projection) -> list[Row]:
        sql = "INSERT INTO projections (name,version,live,seen) VALUES (?,?,0,0) RETURNING number"
        return self._store.rows(sql, projection.name, projection.version)

    def fold(self, projection: Projection, number: int, most: int = _STEP) -> bool:
        """Fold at most ``most`` entries in; True when nothing is left, and then the view is readable."""
        self._store.hold_projection(projection.name)
        # Before the sizes: a stream that is sealed by then ends where its size says, one that is opened later is new.
        state = self._store.rows("SELECT stream,(SELECT max(number) FROM streams) FROM heads")
        ranges = behind(self._reader, number)
        table, bodies = KeptTable(self._reader, self._store, number), Bodies(self._reader)
        kinds, decisions = projection.kinds or None, _decisions_of(projection)
        # Rare kinds are found by their index, and passing over all others costs nothing.
        span = _SPAN if kinds is None or DECISION in kinds else 1 << POSITION.bit_length()
        left, cut = most, False
        for stream, (start, size) in ranges.items():
            at, stop = start, min(size, start + span)
            for entry in self._reader.entries(kinds, after={stream: start}, until={stream: stop}, decisions=decisions):
                if left == 0:
                    break
                projection.apply(table, entry, bodies.of(entry))
                at, left = entry.seq + 1, left - 1
            else:
                at = stop
            span -= at - start
            cut = at < size
            self._store.run(
                "INSERT INTO positions VALUES (?,?,?) ON CONFLICT (projection,stream) DO UPDATE SET size=excluded.size",
                number,
                stream,
                at,
            )
            if cut or left == 0 or span == 0:
                break
        table.flush()
        if (cut or left == 0 or span == 0) and behind(self._reader, number):
            return False
        self._finish(number, {stream for stream, _ in state}, max(highest for _, highest in state))
        self._show(projection, number)
        return True

    def _finish(self, number: int, growing: set[int], highest: int) -> None:
        """All streams up to the highest are folded: of those, from now on only the ones that grow need a position."""
        run, each, numbers = self._store.run, self._reader.each, msgspec.json.encode(sorted(growing)).decode()
        run("UPDATE projections SET seen=? WHERE number=?", highest, number)
        run(
            f"DELETE FROM positions WHERE projection=? AND stream<=? AND stream NOT IN ({each})",  # noqa: S608 - constants
            number,
            highest,
            numbers,
        )
        run(
            f"INSERT INTO positions SELECT ?,e.value,0 FROM ({each}) AS e WHERE true ON CONFLICT DO NOTHING",  # noqa: S608
            number,
            numbers,
        )

    def _show(self, projection: Projection, number: int) -> None:
        """Make it the readable one; an older version stays for processes that still run it, what is before it goes."""
        self._store.run("UPDATE projections SET live=1 WHERE number=? AND live=0", number)
        old = self._store.rows(
            "SELECT number FROM projections WHERE name=? AND number<>? AND (version=? AND number<? OR number <"
            " (SELECT max(number) FROM projections WHERE name=? AND version<>? AND live=1))",
            projection.name,
            number,
            projection.version,
            number,
            projection.name,
            projection.version,
        )
        self._remove(old)

    def drop(self, name: str) -> None:
        """Forget every version of a projection."""
        self._store.hold_projection(name)
        self._remove(self._store.rows("SELECT number FROM projections WHERE name=?", name))

    def _remove(self, numbers: Iterable[Row]) -> None:
        for (number,) in numbers:
            self._store.run("DELETE FROM kept WHERE projection=?", number)
            self._store.run("DELETE FROM positions WHERE projection=?", number)
            self._store.run("DELETE FROM projections WHERE number=?", number)


class InlineFolds:
    """Projections that are folded in the same transaction as the entries that concern them."""

    def __init__(self, store: StoreWriter, folder: Folder) -> None:
        self._store = store
        self._folder = folder
        self.projections: list[Projection] = []
        self.broken: dict[str, Exception] = {}  # by name: what its fold raised

    def add(self, projection: Projection) -> None:
        """Keep this one up to date from now on."""
        # By name: two processes that each hold what the other wants would wait for ever.
        self.projections = sorted([*self.projections, projection], key=lambda each: each.name)

    def follow(self, kinds: Iterable[str]) -> None:
        """Entries of these kinds were just written.

        A fold that raises loses nobody's entry: its own changes are taken back, and `view` raises the same later.
        """
        written = set(kinds)
        for projection in self.projections:
            if projection.kinds and not projection.kinds & written:
                continue
            self._store.run("SAVEPOINT fold")
            try:
                self._folder.fold(projection, self._folder.prepare(projection, anew=False))
                self._store.flush()
            except Exception as error:  # noqa: BLE001 - code of a user; the entries must not suffer from it
                self._store.run("ROLLBACK TO fold")
                self.broken[projection.name] = error
            finally:
                self._store.run("RELEASE fold")
