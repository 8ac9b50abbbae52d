"""Writing decisions into the ledger, and with them what has changed around them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Final

import msgspec

from plimsoll.errors import StoreError
from plimsoll.guard.once import Once
from plimsoll.ledger import Draft, Ledger, Op, Reservation, Taken
from plimsoll.model.breaker import BreakerChange
from plimsoll.model.decision import Disposition

_ENCODE: Final = msgspec.json.Encoder().encode


class Recorder:
    """Makes records durable, or enqueues them, as the manifest says.

    Changes of breakers and of sources, and troubles of these, wait here until the next decision is written, and go
    into the same transaction: that is the decision which brought the change about, or one that came by at the same
    time. What could not be written waits on.

    Args:
        ledger: where everything is recorded; it is closed by who opened it.
        once: the idempotency keys.
        system: as the manifest names it.
        batched: an answer may leave before its record is on the disk.
    """

    def __init__(self, ledger: Ledger, once: Once, *, system: str, batched: bool) -> None:
        self._ledger = ledger
        self._once = once
        self._system = system
        self._batched = batched
        self._changes: deque[BreakerChange | Draft] = deque()

    @property
    def unrecorded(self) -> int:
        """Changes that wait to be written."""
        return len(self._changes)

    def note(self, change: BreakerChange | Draft) -> None:
        """Take a change, or an entry that tells one, to be written with the next decision."""
        self._changes.append(change)

    def write(self, draft: Draft, mine: Reservation | None, also: tuple[Draft, ...] = ()) -> str:
        """Write one decision; its id.

        Args:
            draft: its entry.
            mine: the reservation of its idempotency key, which from now on gives this decision.
            also: what is written with it.

        Raises:
            StoreError: it could not be written.
        """
        if mine is None and not self._changes and not also:
            return self._ledger.enqueue(draft) if self._batched else self._ledger.append(draft)
        changes = self._take()
        try:
            return self._write(draft, mine, changes, also)
        except BaseException:
            self._put_back(changes)
            raise

    async def awrite(self, draft: Draft, mine: Reservation | None, also: tuple[Draft, ...] = ()) -> str:
        """As `write`, from an event loop."""
        if mine is not None or ((self._changes or also) and not self._batched):
            return await asyncio.to_thread(self.write, draft, mine, also)
        if self._batched:
            return self.write(draft, None, also)
        return await self._ledger.aappend(draft)

    def forget(self) -> None:
        """After a fork: what waits is the parent's to write."""
        self._changes = deque()

    def flush(self) -> None:
        """Write the changes that wait. Raises StoreError."""
        changes = self._take()
        try:
            if changes:
                self._ledger.transact([self._entry(change) for change in changes])
        except BaseException:
            self._put_back(changes)
            raise

    def _write(
        self, draft: Draft, mine: Reservation | None, changes: list[BreakerChange | Draft], also: tuple[Draft, ...]
    ) -> str:
        if mine is None and self._batched:
            record = self._ledger.enqueue(draft)
            for each in also:
                self._ledger.enqueue(each)
            with contextlib.suppress(StoreError):  # the decision is taken in; what of the changes is not, waits on
                while changes:
                    self._ledger.enqueue(self._entry(changes[0]))
                    del changes[0]
            self._put_back(changes)
            return record
        drafts = [draft, *also, *(self._entry(change) for change in changes)]
        ops: tuple[Op, ...] = ()
        if mine is not None:
            was_shed = draft.header is not None and draft.header.disposition == Disposition.SHED.value
            ops = self._once.give_back(mine) if was_shed else self._once.end(mine)
        try:
            return self._ledger.transact(drafts, ops)[0]
        except Taken:  # it took longer than its lease, and somebody else has the key now: it is recorded all the same
            return self._ledger.transact(drafts)[0]

    def _take(self) -> list[BreakerChange | Draft]:
        changes: list[BreakerChange | Draft] = []
        try:
            while True:
                changes.append(self._changes.popleft())
        except IndexError:
            return changes

    def _put_back(self, changes: list[BreakerChange | Draft]) -> None:
        self._changes.extendleft(reversed(changes))

    def _entry(self, change: BreakerChange | Draft) -> Draft:
        return change if isinstance(change, Draft) else Draft(kind="breaker", system=self._system, body=_ENCODE(change))
