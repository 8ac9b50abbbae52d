"""From what somebody gives as a ledger's place to the store that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from plimsoll.errors import MissingExtra, UsageError
from plimsoll.ledger.sqlite_store import SqliteStore
from plimsoll.ledger.store import Store

_DATABASE: Final = ("postgresql:", "postgres:")


class HasStore(Protocol):
    """A ledger that is open."""

    @property
    def store(self) -> Store:
        """Where it is kept."""
        ...


Place = HasStore | Store | Path | str


def is_database(place: Path | str) -> bool:
    """Whether this names a database and not a file."""
    return str(place).startswith(_DATABASE)


def store_at(place: Path | str) -> Store:
    """The store at a path, or at the address of a PostgreSQL database: ``postgresql://USER@HOST/DATABASE``.

    Raises:
        UsageError: it looks like an address, and is none.
        MissingExtra: it is a database, and its driver is not installed.
    """
    if not is_database(place):
        return SqliteStore(Path(place))
    if isinstance(place, Path):
        raise UsageError("the address of a database is a text, not a path", fix="give it as it is written: a `str`")
    try:
        from plimsoll.ledger.postgres_store import PostgresStore  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("postgres", "a ledger in PostgreSQL") from error
    return PostgresStore(place)


def store_of(place: Place) -> Store:
    """The store of an open ledger, or at a place. Raises as `store_at` does."""
    if isinstance(place, (str, Path)):
        return store_at(place)
    return place.store if hasattr(place, "store") else place
