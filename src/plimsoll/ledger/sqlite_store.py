"""A ledger that is kept in an SQLite file."""

from __future__ import annotations

from pathlib import Path

from plimsoll.errors import StoreReadOnly
from plimsoll.ledger.audit import LedgerFile
from plimsoll.ledger.read import Reader
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.sqlite import not_writable, open_file
from plimsoll.ledger.sqlite_audit import SqliteFile
from plimsoll.ledger.sqlite_read import SqliteReader
from plimsoll.ledger.sqlite_write import SqliteWriter
from plimsoll.ledger.stream import check_draft
from plimsoll.ledger.write import StoreWriter


class SqliteStore:
    """See `store.Store`."""

    check_draft = staticmethod(check_draft)

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The path, as it was given."""
        return str(self.path)

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def open_reader(self, *, read_only: bool, now_ns: int, settings: LedgerSettings) -> Reader:
        """A reading connection of one's own."""
        con = open_file(
            self.path, read_only=read_only, now_ns=now_ns, busy_s=settings.busy_s, wal_pages=settings.wal_pages
        )
        return SqliteReader(con, self.name)

    def open_writer(self, *, now_ns: int, settings: LedgerSettings) -> StoreWriter:
        """The writing connection of this process."""
        return SqliteWriter.open(self.path, now_ns=now_ns, busy_s=settings.busy_s, wal_pages=settings.wal_pages)

    def audit(self, *, alone: bool = True) -> LedgerFile:
        """The file as a verification reads it."""
        return SqliteFile(self.path, alone=alone)

    def not_writable(self) -> StoreReadOnly:
        """The file was opened for reading."""
        return not_writable(self.path)
