"""A witness: checkpoints kept where whoever can rewrite the ledger cannot reach.

A ledger that is rewritten as a whole, or set back to an earlier copy of itself, agrees with itself again. Only what
was said about it elsewhere tells. The file is plain text, notes one below the other with an empty line after each::

    example.org/ledger
    4711
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.org/ledger Az3grlgtzPICa5OS8npVmf1Myq/…

    example.org/ledger
    …

It is only ever appended to (also on media that allow nothing else): a note that a crash cut off stays, is named by its
line when the file is read, and does not spoil the next.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import msgspec

from plimsoll.errors import (
    InputError,
    PlimsollError,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    VerificationFailed,
    Where,
)
from plimsoll.ledger.checkpoint import Checkpoint, parse_checkpoint, parse_note

# No checkpoint comes near these; a file that is no witness file at all must not fill the memory.
_MAX_LINE: Final = 100_000  # bytes
_MAX_LINES: Final = 1_000  # of one block
_POLL_S: Final = 0.01


class WitnessedNote(msgspec.Struct, frozen=True, kw_only=True):
    """One note as the witness keeps it; its form was checked, its signatures were not."""

    line: int  # where it begins, from 1
    note: str
    checkpoint: Checkpoint


class BadLine(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the witness's file that holds no note."""

    line: int  # from 1
    why: str


class Witness(Protocol):
    """Whoever keeps checkpoints outside the store."""

    def publish(self, note: str) -> None:
        """Keep one signed note; it is kept durably when this returns."""
        ...

    def read(self) -> Iterator[WitnessedNote | BadLine]:
        """All notes in the order in which they were published, and what is no note."""
        ...


class FileWitness:
    """A witness file, on another disk, another machine's share, an append-only medium.

    Several processes may publish to one file; each waits for the other, ``wait_s`` seconds at most.

    >>> witness = FileWitness("/mnt/elsewhere/claims.notes")
    >>> str(witness.path)
    '/mnt/elsewhere/claims.notes'
    """

    def __init__(self, path: str | Path, *, wait_s: float = 5.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self.path = Path(path)
        self._wait_s = wait_s
        self._sleep = sleep

    def publish(self, note: str) -> None:
        """Append one signed note; it is on the disk when this returns.

        Raises:
            VerificationFailed: the text is no signed checkpoint; nothing was written.
            StoreLocked, StoreFull, StoreReadOnly, StoreError: the file cannot take it now.
        """
        _checkpoint_of(note)
        with self._failures("written"), self._locked() as file:
            end = os.lseek(file, 0, os.SEEK_END)
            _write_all(file, f"{_closing(_tail(file, end))}{note}\n".encode())
            os.fsync(file)
            if end == 0:
                self._sync_folder()

    def read(self) -> Iterator[WitnessedNote | BadLine]:
        """All notes in the file's order, and each place that holds none; one note in memory at a time.

        Raises:
            InputError: there is no such file.
            StoreError: it cannot be read.
        """
        with self._failures("read"), self.path.open("rb") as file:
            yield from _read_notes(file)

    def notes(self) -> tuple[WitnessedNote, ...]:
        """All well-formed notes, in the order in which they were published."""
        return tuple(found for found in self.read() if isinstance(found, WitnessedNote))

    def bad_lines(self) -> tuple[BadLine, ...]:
        """Each place that holds no note."""
        return tuple(found for found in self.read() if isinstance(found, BadLine))

    @property
    def latest(self) -> WitnessedNote | None:
        """The note of the largest tree; the last published of them when several have that size; None without any."""
        best: WitnessedNote | None = None
        for found in self.read():
            if isinstance(found, WitnessedNote) and (best is None or found.checkpoint.size >= best.checkpoint.size):
                best = found
        return best

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, open for appending, with no other process in it; closing it gives the lock back."""
        # O_APPEND: the end is where the system says it is at the moment of writing, never where we thought it was.
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            waited = 0.0
            while not _try_lock(file):
                if waited >= self._wait_s:
                    raise StoreLocked(
                        f"another process holds the witness file {self.path} for more than {self._wait_s:g} s",
                        fix="see which process that is (`fuser` names it), then publish again",
                    )
                self._sleep(_POLL_S)
                waited += _POLL_S
            yield file
        finally:
            os.close(file)

    def _sync_folder(self) -> None:
        """Make the new file's name durable, too."""
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _as_ours(self.path, what, error) from error


def _as_ours(path: Path, what: str, error: OSError) -> PlimsollError:
    where = Where(file=str(path))
    said = f"the witness file cannot be {what}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return InputError(said, where=where, fix="check the path; its folder has to exist")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(said, where=where, fix="make space there; nothing in the ledger is lost")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return StoreReadOnly(said, where=where, fix="the ledger's account needs the right to append to it")
    return StoreError(said, where=where, fix="check the path and the disk")


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _closing(tail: bytes) -> str:
    """What has to follow the file's last two bytes, so that the next note stands on its own.

    A line that a crash cut off is marked: half a signature is base64 too, and must not look like a whole, wrong one.
    """
    if tail in (b"", b"\n\n"):
        return ""
    return "\n" if tail.endswith(b"\n") else " (cut off)\n\n"


def _tail(file: int, end: int) -> bytes:
    return os.pread(file, 2, max(0, end - 2))


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _checkpoint_of(note: str) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)


def _read_notes(file: BinaryIO) -> Iterator[WitnessedNote | BadLine]:
    """Pair each block of text with the block of signatures below it."""
    body: tuple[int, str] | None = None
    for line, block in _blocks(file):
        if isinstance(block, BadLine):
            yield block
            continue
        if not block.startswith("— "):
            if body:
                yield BadLine(line=body[0], why="a text without signatures: cut off, or not a note")
            body = line, block
        elif body is None:
            yield BadLine(line=line, why="signatures without the text they sign")
        else:
            yield _note_at(body[0], f"{body[1]}\n{block}")
            body = None
    if body:
        yield BadLine(line=body[0], why="a text without signatures: cut off, or not a note")


def _note_at(line: int, note: str) -> WitnessedNote | BadLine:
    try:
        return WitnessedNote(line=line, note=note, checkpoint=_checkpoint_of(note))
    except VerificationFailed as error:
        return BadLine(line=line, why=error.message)


def _blocks(file: BinaryIO) -> Iterator[tuple[int, str | BadLine]]:
    """Runs of lines between empty ones, each with the number of its first line."""
    start, number, lines = 0, 0, list[str]()
    while raw := file.readline(_MAX_LINE):
        number += 1
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = "\n"
            yield number, BadLine(line=number, why="not UTF-8")
        if text != "\n" and len(lines) < _MAX_LINES:
            start = start if lines else number
            lines.append(text)
        elif lines:
            yield start, "".join(lines)
            lines.clear()
    if lines:
        yield start, "".join(lines)
