"""Projections: views that are folded from the entries, and can be dropped and folded again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from plimsoll.ledger.entry import Entry


class View(Protocol):
    """Reading an ordered space of keys: text in, bytes out, sorted by the keys' code points."""

    def get(self, key: str) -> bytes | None:
        """The value of a key; None when there is none."""
        ...

    def scan(
        self, prefix: str = "", after: str = "", *, limit: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[str, bytes]]:
        """Keys and values in order.

        Args:
            prefix: only keys that begin with it.
            after: begin behind this key (in front of it when reversed); "": from the end that comes first.
            limit: at most so many; None: all.
            reverse: from the last to the first.
        """
        ...


class Table(View, Protocol):
    """The space that one projection keeps its fold in."""

    def put(self, key: str, value: bytes) -> None:
        """Set a key."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        ...


class Projection(Protocol):
    """A fold over entries. Same entries, same result: it reads no clock and no other state than its table.

    Attributes:
        name: unique in the ledger.
        version: raise it when the fold changes; the view is then folded anew from the first entry.
        kinds: kinds of entries it wants; empty: all.

    One that wants few of the decisions may say so in an attribute ``decisions``, a set of dispositions: it is then
    given those that ended so and those that refer to another entry, and the others are passed over without being read.
    """

    @property
    def name(self) -> str:
        """Unique in the ledger."""
        ...

    @property
    def version(self) -> int:
        """Of the fold."""
        ...

    @property
    def kinds(self) -> frozenset[str]:
        """What it wants; empty: all."""
        ...

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        """Fold one entry in.

        Args:
            table: what was folded so far.
            entry: the entry as stored.
            body: its body, opened; None when it was erased.
        """
        ...
