"""A ledger that is kept in a PostgreSQL database."""

from __future__ import annotations

from plimsoll.errors import StoreReadOnly, UsageError
from plimsoll.ledger.audit import LedgerFile
from plimsoll.ledger.entry import Draft
from plimsoll.ledger.postgres import Link, Wish
from plimsoll.ledger.postgres_address import Address
from plimsoll.ledger.postgres_audit import PostgresFile
from plimsoll.ledger.postgres_open import find, open_ledger
from plimsoll.ledger.postgres_pack import LONGEST, is_findable
from plimsoll.ledger.postgres_read import PostgresReader
from plimsoll.ledger.postgres_write import PostgresWriter
from plimsoll.ledger.read import Reader
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.stream import check_draft
from plimsoll.ledger.write import StoreWriter


def check(draft: Draft) -> None:
    """As `stream.check_draft`; and what an index of PostgreSQL cannot hold. Raises UsageError, Refused."""
    check_draft(draft)
    for what, text in (("the subject", draft.subject), ("the kind", draft.kind)):
        if text is not None and not is_findable(text):
            raise UsageError(
                f"{what} of an entry has more than {LONGEST:,} bytes, which PostgreSQL does not find again",
                fix="give it a shorter name",
            )


class PostgresStore:
    """See `store.Store`."""

    check_draft = staticmethod(check)

    def __init__(self, url: str) -> None:
        """A database by its address; nothing is connected yet. Raises UsageError when it is none."""
        self._address = Address(url)
        Link(self._address, Wish())  # says now what is wrong with the address

    @property
    def name(self) -> str:
        """The address, without the password."""
        return self._address.name

    def exists(self) -> bool:
        """Whether the database holds a ledger. Raises StoreError when it cannot be asked."""
        link = Link(self._address, Wish(read_only=True))
        link.connect()
        try:
            return find(link)
        finally:
            link.close()

    def open_reader(self, *, read_only: bool, now_ns: int, settings: LedgerSettings) -> Reader:
        """A reading connection; where we may write, it makes or migrates the tables if need be."""
        wish = Wish(read_only=read_only, durable=not read_only, busy_s=settings.busy_s)
        link = Link(self._address, wish)
        link.connect()
        try:
            open_ledger(link, now_ns)
        except BaseException:
            link.close()
            raise
        return PostgresReader(link)

    def open_writer(self, *, now_ns: int, settings: LedgerSettings) -> StoreWriter:  # noqa: ARG002 - it is there already
        """The writing connection of this process; behind its reading one, which has seen to the tables."""
        return PostgresWriter(Link(self._address, Wish(durable=True, busy_s=settings.busy_s)), settings)

    def audit(self, *, alone: bool = True) -> LedgerFile:  # noqa: ARG002 - the server keeps the moment for us
        """The database as a verification reads it."""
        return PostgresFile(self._address)

    def not_writable(self) -> StoreReadOnly:
        """The ledger was opened for reading."""
        return StoreReadOnly(f"{self.name}: was opened for reading", fix="open it for writing")
