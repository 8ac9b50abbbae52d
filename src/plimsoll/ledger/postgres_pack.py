"""Rows as PostgreSQL takes them: columns packed into arrays, and text that may hold what PostgreSQL's cannot.

One INSERT takes any number of rows as one array a column; packed here, that costs half of what the driver's own way of
writing lists does, and a third of one statement a row.

PostgreSQL keeps no text with the character U+0000. It is written as U+0001 U+0001, and U+0001 as U+0001 U+0002: no two
texts become the same, they sort as before, and a beginning of a text is a beginning of what is written for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct, pack
from typing import Final

from plimsoll.ledger.numbering import Row

INT8: Final = 20  # type numbers, from PostgreSQL's catalogue of types
INT2: Final = 21
TEXT: Final = 25
BYTEA: Final = 17

LONGEST: Final = 2_000  # bytes of a text that an index holds: it takes a third of a page at most

_HEAD: Final = Struct(">iiIii").pack  # dimensions, whether any is null, type of the elements, how many, the first index
_LENGTH: Final = Struct(">i").pack
_MOST_BYTES: Final = 16_000_000  # of bodies in one statement: it stands several times in memory, here and there


class Packed:
    """One array in PostgreSQL's binary form."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


class Int8s(Packed):
    """``bigint[]``."""


class Int2s(Packed):
    """``smallint[]``."""


class Texts(Packed):
    """``text[]``."""


class Byteas(Packed):
    """``bytea[]``."""


def stored(text: str) -> str:
    """A text as it is written; see the top of this file.

    >>> given(stored("a" + chr(0) + "b" + chr(1))) == "a" + chr(0) + "b" + chr(1)
    True
    """
    if "\x00" in text or "\x01" in text:
        return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
    return text


def given(text: str) -> str:
    """The text that was written as this."""
    if "\x01" in text:
        return text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")
    return text


def is_findable(text: str) -> bool:
    """Whether an index can hold this text. What is no text at all is for others to refuse."""
    return len(text) * 4 <= LONGEST or len(stored(text).encode("utf-8", "replace")) <= LONGEST


def int8s(values: Sequence[int]) -> Int8s:
    """Numbers of 64 bits."""
    parts = [8] * (2 * len(values))
    parts[1::2] = values
    return Int8s(_HEAD(1, 0, INT8, len(values), 1) + pack(">" + "iq" * len(values), *parts))


def int2s(values: Sequence[int]) -> Int2s:
    """Numbers of 16 bits."""
    parts = [2] * (2 * len(values))
    parts[1::2] = values
    return Int2s(_HEAD(1, 0, INT2, len(values), 1) + pack(">" + "ih" * len(values), *parts))


def texts(values: Sequence[str]) -> Texts:
    """Texts, as `stored`."""
    together = "".join(values)
    if "\x00" in together or "\x01" in together:
        values = [stored(value) for value in values]
    return Texts(_joined(TEXT, [value.encode() for value in values]))


def byteas(values: Sequence[bytes]) -> Byteas:
    """Bytes."""
    return Byteas(_joined(BYTEA, values))


def _joined(kind: int, values: Sequence[bytes]) -> bytes:
    parts = [_HEAD(1, 0, kind, len(values), 1)]
    for value in values:
        parts.append(_LENGTH(len(value)))
        parts.append(value)
    return b"".join(parts)


_COLUMNS: Final[tuple[Callable[..., Packed], ...]] = (
    int8s,
    int8s,
    texts,
    texts,
    texts,
    texts,
    texts,
    texts,
    int2s,
    texts,
    int2s,
    byteas,
    byteas,
)  # fmt: skip - id, time_ns, kind, system, subject, refs, type, tier, called, disposition, sealed, leaf, body


def packed(rows: Sequence[Row]) -> list[Packed]:
    """Rows of entries, in the order of the table's columns, as one array a column."""
    return [pack_column(column) for pack_column, column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)]


def portions(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    """Rows of entries in portions that fit into one statement; the body stands last in a row."""
    size = first = 0
    for at, row in enumerate(rows):
        size += len(row[-1])
        if size > _MOST_BYTES and at > first:
            yield rows[first:at]
            first, size = at, len(row[-1])
    yield rows[first:] if first else rows
