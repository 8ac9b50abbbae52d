"""Bytes of a file as lines, in bounded memory, whatever they are: compressed, of another encoding, without an end."""

from __future__ import annotations

import codecs
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self

import msgspec

CHUNK: Final = 1 << 20
HEAD: Final = 1 << 16  # what is looked at to tell what a file is

_GZIP: Final = b"\x1f\x8b"
_MARKS: Final = (  # the longer ones first: a mark of UTF-32 begins with one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Hears(Protocol):
    """Is told what is found."""

    def __call__(self, code: str, said: str, where: str, /, *, lost: bool = True, count: int = 1) -> None:
        """Take one finding, as often as it was found."""


class Line(msgspec.Struct, frozen=True):
    """One line, without its end."""

    number: int
    raw: bytes  # the beginning, where it is too long
    too_long: bool = False


class RawFile:
    """One file, open: its head, then its lines or its whole.

    What is wrong with its bytes is told and never raised. Use it as a context manager.

    Args:
        path: the file.
        budget: bytes that may still be read of this source.
        hear: is told of findings.
    """

    def __init__(self, path: Path, budget: int, hear: Hears) -> None:
        self.path = path
        self.name = os.fsencode(path).decode("utf-8", "backslashreplace")  # a name need not be text
        self.read = 0  # bytes, after decompression
        self.ran_out = False  # the budget ended before the file
        self.digest = hashlib.sha256()
        self._budget = budget
        self._hear = hear
        self._file: BinaryIO | _Gunzip | None = None
        self._pending = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self.head = b""

    def __enter__(self) -> Self:
        try:
            self._file = self._opened()
        except OSError as why:
            self._hear("health.unreadable", f"cannot be read: {why.strerror}", self.name)
            return self
        first = self._raw(HEAD)
        for mark, encoding in _MARKS:
            if first.startswith(mark):
                first = self._marked(first, mark, encoding)
                break
        else:
            if _looks_wide(first):
                said = "no text: most likely UTF-16 without a byte order mark"
                self._hear("health.encoding", said, self.name)
        self.head = self._pending = first
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def lines(self, most: int) -> Iterator[Line]:
        """Its lines, each at most ``most`` bytes long; of a longer one the beginning, marked.

        They end in LF or CR LF; where the beginning of the file holds no LF and a CR, in CR.
        """
        old = b"\n" not in self.head and b"\r" in self.head
        if old:
            self._hear("health.cr-only", "lines end with CR alone, read as such", self.name, lost=False)
        end = b"\r" if old else b"\n"
        number = 0
        kept: list[bytes] = []  # pieces of a line that has not ended
        size = 0
        for chunk in self._chunks():
            first, *others = chunk.split(end)
            size += len(first)
            if size - len(first) <= most:
                kept.append(first)
            for other in others:
                number += 1
                yield _line(number, b"".join(kept), size, most)
                kept, size = [other], len(other)
        if size:
            yield _line(number + 1, b"".join(kept), size, most)

    def whole(self, most: int) -> bytes | None:
        """All of it; None when it is longer than ``most`` bytes."""
        pieces: list[bytes] = []
        size = 0
        for chunk in self._chunks():
            size += len(chunk)
            if size > most:
                return None
            pieces.append(chunk)
        return b"".join(pieces)

    def _opened(self) -> BinaryIO | _Gunzip:
        file = self.path.open("rb")
        compressed = file.read(2) == _GZIP
        file.seek(0)
        return _Gunzip(file) if compressed else file

    def _chunks(self) -> Iterator[bytes]:
        chunk, self._pending = self._pending, b""
        while chunk:
            yield chunk
            chunk = self._text(self._raw(CHUNK))

    def _raw(self, size: int) -> bytes:
        if self._file is None:
            return b""
        if self.read >= self._budget:
            self.ran_out = bool(self._peek())
            return b""
        got = self._peek(min(size, self._budget - self.read))
        self.read += len(got)
        self.digest.update(got)
        return got

    def _peek(self, size: int = 1) -> bytes:
        assert self._file is not None
        try:
            got = self._file.read(size)
        except OSError as why:
            self._hear("health.unreadable", f"cannot be read on: {why.strerror}", self.name)
            return b""
        if isinstance(self._file, _Gunzip) and self._file.trouble:
            self._hear("health.gzip", f"the compressed file is {self._file.trouble}", self.name)
            self._file.trouble = ""
        return got

    def _marked(self, first: bytes, mark: bytes, encoding: str) -> bytes:
        said = f"begins with a byte order mark, read as {encoding.upper()}"
        self._hear("health.bom", said, self.name, lost=False)
        if encoding == "utf-8":
            return first[len(mark) :]
        self._decoder = codecs.getincrementaldecoder(encoding)()
        return self._text(first)

    def _text(self, raw: bytes) -> bytes:
        """As UTF-8, where the mark said that it is something else."""
        if self._decoder is None:
            return raw
        try:
            return self._decoder.decode(raw, final=not raw).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as why:
            self._hear("health.encoding", f"is not the {why.encoding} that its mark says", self.name)
            return b""


class _Gunzip:
    """Reads a gzip file as far as it can be read. `gzip` itself gives nothing of the last piece of a cut file."""

    def __init__(self, file: BinaryIO) -> None:
        self.trouble = ""  # "cut", "damaged"
        self._file = file
        self._engine = zlib.decompressobj(wbits=31)
        self._waiting = b""  # compressed bytes that are not decompressed yet
        self._over = False

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, at least one unless it is over."""
        while not self._over:
            if self._engine.eof:  # another member may follow
                self._waiting = self._engine.unused_data or self._file.read(CHUNK)
                self._over = not self._waiting
                self._engine = zlib.decompressobj(wbits=31)
                continue
            if not self._waiting:
                self._waiting = self._file.read(CHUNK)
                if not self._waiting:
                    self.trouble, self._over = "cut", True
                    return self._engine.flush()
            try:
                got = self._engine.decompress(self._waiting, size)
            except zlib.error:
                self.trouble, self._over = "damaged, or something else follows it", True
                return b""
            self._waiting = self._engine.unconsumed_tail
            if got:
                return got
        return b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _line(number: int, raw: bytes, size: int, most: int) -> Line:
    if size > most:
        return Line(number, raw[:most], too_long=True)
    return Line(number, raw.removesuffix(b"\r"))


def _looks_wide(head: bytes) -> bool:
    """Whether every other byte is NUL, as plain letters are in UTF-16."""
    some = head[:2000]
    nuls = sorted((some[0::2].count(0), some[1::2].count(0)))
    return len(some) >= 8 and nuls[1] > 0.4 * len(some) and nuls[0] < 0.1 * len(some)
