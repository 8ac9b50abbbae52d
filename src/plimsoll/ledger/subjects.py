"""Which entries are about a subject: a view, since an index of its own would cost every decision a page."""

from __future__ import annotations

from typing import Final

from plimsoll.ledger.entry import Entry
from plimsoll.ledger.projection import Table

_WIDTH: Final = 13  # digits of a position, 2**40: keys sort as the stream does


class BySubject:
    """Keys are ``<pseudonym> <stream>-<position>``; values are empty."""

    name: Final = "ledger.by-subject"
    version: Final = 1
    kinds: Final[frozenset[str]] = frozenset()

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:  # noqa: ARG002 - who it is about is in clear
        """Note whom the entry is about."""
        if entry.subject:
            table.put(f"{entry.subject} {entry.stream}-{entry.seq:0{_WIDTH}}", b"")


def entry_in(key: str) -> tuple[str, int]:
    """Stream and position in a key."""
    stream, _, seq = key.partition(" ")[2].partition("-")
    return stream, int(seq)
