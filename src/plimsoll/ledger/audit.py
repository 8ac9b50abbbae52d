"""What a verification reads of a store: one moment of it, believing nothing that it says about itself.

The classes that do it share the names of tables and the numbering of rows with the store, and no code that it reads
with.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from plimsoll.ledger.numbering import Row

KIND_MODULUS: Final = (1 << 61) - 1  # keeps sums of ids in one machine word


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the table of streams says of one stream."""

    number: int
    id: str
    durability: str
    size: int | None  # when sealed
    root: bytes | None  # when sealed


class HeadRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the table of heads says of a stream that still grows: how it once stood; it may have grown since."""

    size: int
    time_ns: int
    frontier: bytes


class LedgerFile(Protocol):
    """A store as it was at the moment of opening; writers go on meanwhile.

    Every method may raise StoreDamaged where the database finds something that cannot be read. Rows of entries are
    given as seq, time_ns, kind, system, subject, refs, type, tier, called, disposition, sealed, body, leaf.
    """

    @property
    def path(self) -> Path | str:
        """The file, or how the database is called in messages."""
        ...

    @property
    def engine(self) -> str:
        """Which database keeps it."""
        ...

    def __enter__(self) -> Self:
        """Itself; let go of at the end."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        ...

    def was_disturbed(self) -> bool:
        """Whether it was not one moment after all, and must be read again."""
        ...

    def meta(self, key: str) -> str | None:
        """A fact about the store: ``format``, ``root``, ``origin``."""
        ...

    def check_format(self) -> None:
        """Raise StoreTooNew for a later format, StoreDamaged for none."""
        ...

    def schema_differences(self) -> list[str]:
        """Tables, indexes, triggers and views that are not what the store makes; a rule taken away shows here."""
        ...

    def streams(self) -> list[StreamRow]:
        """All rows of the table of streams."""
        ...

    def heads(self) -> dict[int, HeadRow]:
        """Heads by number of their stream."""
        ...

    def written_streams(self) -> Iterator[int]:
        """Numbers of streams that have entries, whether registered or not."""
        ...

    def notes(self, after: int = -1) -> Iterator[tuple[int, str]]:
        """Signed notes beyond a size, with the size they are filed under; the smallest first."""
        ...

    def erased_subjects(self) -> Iterator[int]:
        """Numbers of subjects whose key is gone."""
        ...

    def subject_key(self, number: int) -> bytes | None:
        """The key of a data subject; None when it was destroyed or there is none."""
        ...

    def stream_key(self, number: int) -> bytes | None:
        """The key under which a stream seals what has no subject; None when there is none."""
        ...

    def end_of(self, number: int) -> int:
        """Position after the last stored entry of a stream; 0 when it has none."""
        ...

    def next_after(self, number: int, seq: int) -> int | None:
        """The first position from ``seq`` on that has an entry; None when there is none."""
        ...

    def rows(self, number: int, first: int, stop: int) -> list[Row]:
        """The entries at positions first … stop - 1 that are there, in order."""
        ...

    def kinds_by_index(self) -> dict[str, tuple[int, int]]:
        """What the index of rare kinds holds: kind → how many entries, sum of their ids modulo `KIND_MODULUS`."""
        ...

    def tile(self, number: int, index: int) -> bytes | None:
        """The stored interior hashes of one tile; None when there are none."""
        ...

    def last_tile(self, number: int) -> int:
        """Index of the last stored tile; -1 when there is none."""
        ...

    def node(self, number: int, level: int, index: int) -> bytes | None:
        """One stored hash above the tiles; None when it is not there."""
        ...

    def nodes(self, number: int, level: int) -> Iterator[tuple[int, bytes]]:
        """All stored hashes of one level (8 and up): index, hash."""
        ...
