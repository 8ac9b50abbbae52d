"""Who writes a stream: a lock that its writer's session holds for as long as it lives.

The lock is the proof that nobody else appends to the stream and that nobody seals it. The server takes it away when the
session ends, and not before the session's last transaction has ended, too. So whoever gets the lock of a writer that
is gone sees the stream as it is going to stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from plimsoll.errors import StoreLocked
from plimsoll.ledger.postgres import Link
from plimsoll.ledger.postgres_open import IN_USE, check_versions
from plimsoll.ledger.read import StreamRow

_CLASS: Final = 0x504C_494D  # "PLIM": the first half of these locks' key; the second is the stream's number…
_SEALING: Final = 0x504C_4953  # …and "PLIS" of the lock of who seals a stream of others
_END_MS: Final = 5_000  # so long a session may take to end

_GRANTED: Final = (
    "locktype='advisory' AND objsubid=2 AND granted AND"
    " database=(SELECT oid FROM pg_database WHERE datname=current_database())"
)
_HELD: Final = f"SELECT objid::bigint FROM pg_locks WHERE {_GRANTED} AND classid=?::oid"  # noqa: S608 - constants
_END_HOLDER: Final = (
    f"SELECT pg_terminate_backend(pid,?) FROM pg_locks WHERE {_GRANTED} AND classid=?::oid AND objid=?::oid"  # noqa: S608
)


class StreamLocks:
    """The locks of one writing session."""

    def __init__(self, link: Link, silent_s: float) -> None:
        """None are held.

        Args:
            link: the writing connection.
            silent_s: seconds after which a stream that nobody holds is taken for left by its process.
        """
        self._link = link
        self._silent_s = silent_s
        self._held: set[int] = set()  # ours to write
        self._claimed: set[int] = set()  # of others, for the time of sealing them
        self._unheld_since: dict[int, float] = {}

    def renew(self) -> None:
        """Take what we hold on a connection that is new. What somebody else has got meanwhile is ours no more.

        Raises:
            StoreError: the server cannot be reached, or its tables are of a later version by now.
        """
        fetch = self._link.fetch
        # The server may not have noticed that we are gone: the session would keep our locks, and may be committing.
        fetch(
            "SELECT pg_terminate_backend(pid,?) FROM pg_stat_activity WHERE application_name LIKE ? AND"
            " datname=current_database() AND usename=current_user AND pid<>pg_backend_pid()",
            (_END_MS, f"%{self._link.token}"),
        )
        self._claimed.clear()
        fetch("SELECT pg_advisory_lock_shared(?)", (IN_USE,))
        check_versions(self._link)
        for number in list(self._held):
            try:
                self._lock(number)
            except StoreLocked:
                self._held.discard(number)

    def _lock(self, number: int) -> None:
        self._link.fetch("SELECT pg_advisory_lock(?::int,?::int)", (_CLASS, number))

    def hold(self, number: int) -> None:
        """A new stream is ours."""
        self._lock(number)
        self._held.add(number)

    def holds(self, number: int) -> bool:
        """Whether a stream is ours to write."""
        return number in self._held

    def give(self, numbers: Iterable[int]) -> None:
        """These are no longer ours: sealed, or never come to be."""
        for number in numbers:
            if number in self._held:
                self._held.discard(number)
                self._unlock(number)

    def give_claimed(self) -> None:
        """Those of others are sealed, or somebody else is to do it."""
        while self._claimed:
            number = self._claimed.pop()
            self._unlock(number)
            self._unlock(number, _SEALING)

    def _unlock(self, number: int, lock: int = _CLASS) -> None:
        if self._link.is_up:
            self._link.fetch("SELECT pg_advisory_unlock(?::int,?::int)", (lock, number))

    # ── of others ──

    def claim(self, rows: Sequence[StreamRow], is_gone: Callable[[str], bool]) -> list[StreamRow]:
        """Those of some open streams that certainly nobody writes any more; until `give_claimed`, nobody will.

        A stream is left when its process has ended, as far as this machine can see it, or when no session has held it
        for a while: its process may be on a machine that nobody can look at.
        """
        if not rows:
            return []
        held = {number for (number,) in self._link.fetch(_HELD, (_CLASS,))}
        gone = {owner for owner in {row.owner for row in rows} if is_gone(owner)}
        return [
            row
            for row in rows
            if row.number in self._claimed
            or (
                (row.owner in gone or self._is_silent(row.number, row.number in held))
                and self._claim(row.number, by_force=row.owner in gone)
            )
        ]

    def _is_silent(self, number: int, is_held: bool) -> bool:  # noqa: FBT001 - one of two facts
        if is_held:
            self._unheld_since.pop(number, None)
            return False
        return time.monotonic() - self._unheld_since.setdefault(number, time.monotonic()) >= self._silent_s

    def _claim(self, number: int, *, by_force: bool) -> bool:
        """Take the lock of a stream; by force also from the session of a process that has ended."""
        if not self._try(number, _SEALING):
            return False  # somebody else seals it
        if not self._try(number):
            # As nobody else seals it, who holds it is the writer that is gone.
            if by_force:
                self._link.fetch(_END_HOLDER, (_END_MS, _CLASS, number))
            if not by_force or not self._try(number):
                self._unlock(number, _SEALING)
                return False
        self._claimed.add(number)
        self._unheld_since.pop(number, None)
        return True

    def _try(self, number: int, lock: int = _CLASS) -> bool:
        ((got,),) = self._link.fetch("SELECT pg_try_advisory_lock(?::int,?::int)", (lock, number))
        return bool(got)
