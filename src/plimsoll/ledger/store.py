"""Where a ledger is kept: a file, or a database. Everything above asks this, and nothing else, to be let in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from plimsoll.errors import StoreReadOnly
from plimsoll.ledger.audit import LedgerFile
from plimsoll.ledger.entry import Draft
from plimsoll.ledger.read import Reader
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.write import StoreWriter


class Store(Protocol):
    """One place that a ledger is kept at, or is going to be."""

    @property
    def name(self) -> str:
        """How it is called in messages; never with a password."""
        ...

    @property
    def check_draft(self) -> Callable[[Draft], None]:
        """Refuses what cannot be stored here before it joins a group, so that it fails nobody else."""
        ...

    def exists(self) -> bool:
        """Whether there is a ledger already. Raises StoreError when that cannot be told."""
        ...

    def open_reader(self, *, read_only: bool, now_ns: int, settings: LedgerSettings) -> Reader:
        """A reading connection; the ledger is made if it is not there yet and may be.

        Args:
            read_only: write nothing.
            now_ns: UTC nanoseconds, for the id of the root stream.
            settings: bounds and windows.

        Raises:
            StoreError: the kinds of it that say what is wrong.
        """
        ...

    def open_writer(self, *, now_ns: int, settings: LedgerSettings) -> StoreWriter:
        """The writing connection of this process; arguments and errors as of `open_reader`."""
        ...

    def audit(self, *, alone: bool = True) -> LedgerFile:
        """The store as a verification reads it.

        Args:
            alone: whether to do without locks where nobody has it open.

        Raises:
            StoreError: there is none, or it cannot be read.
            StoreDamaged: it is no ledger.
        """
        ...

    def not_writable(self) -> StoreReadOnly:
        """What is raised when something is to be written that was opened for reading."""
        ...
