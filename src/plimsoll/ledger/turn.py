"""Whose turn it is to write: a lock between processes, beside SQLite's own.

SQLite would do without, were it not for its checkpoints. In versions before 3.51.3 (Debian 12 has 3.40.1), a process
that carries the log over into the file while another one commits can, in a rare race, take the other's frames for
carried over; they are dropped later, and acknowledged entries with them ("WAL-reset bug", sqlite.org/wal.html). We have
not seen it in a million commits, and do not want to: whoever writes, carries over or cuts the log has the turn, so that
no two ever do so at the same time.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from plimsoll.errors import StoreLocked

_FIRST_WAIT_S: Final = 0.0001
_LONGEST_WAIT_S: Final = 0.0005  # with 5 ms, of three busy processes one waited 670 ms for its turn; with this, 85


class Turn:
    """A lock on the empty file ``NAME-lock`` beside the ledger; the kernel gives it back when its process ends.

    A file of its own, for closing the ledger's would take SQLite's locks away (POSIX); and it is never removed, for who
    holds a removed file holds nothing.
    """

    def __init__(self, ledger: Path, wait_s: float) -> None:
        """Open the file, making it if need be.

        Args:
            ledger: path of the ledger.
            wait_s: seconds to wait for one's turn.

        Raises:
            OSError: it cannot be made.
        """
        self._ledger = ledger
        self._wait_s = wait_s
        self._file = os.open(ledger.with_name(f"{ledger.name}-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take(self) -> None:
        """Wait for one's turn; nothing when one has it already. Raises StoreLocked."""
        if self._try():
            return
        until, wait = time.monotonic() + self._wait_s, _FIRST_WAIT_S
        while not self._try():
            if time.monotonic() >= until:
                raise StoreLocked(
                    f"{self._ledger}: another process holds it for longer than {self._wait_s:g} s",
                    fix="see who has it open (`fuser FILE`), or retry",
                )
            time.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT_S)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give(self) -> None:
        """Let the others; nothing when one has not the turn."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give it back and close the file. In a forked child only the file: the parent keeps what it has."""
        file, self._file = self._file, -1  # its number may soon belong to another file
        os.close(file)
