"""One hand at a time in the quarantine of a system, so that no record is decided twice."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from plimsoll.errors import Conflict, PlimsollError
from plimsoll.ledger import Ledger, Release, Replace, Reservation, Taken
from plimsoll.ledger.host import Host, ThisHost

LEASE_S: Final = 600  # of a process on another machine that says nothing more; one of this machine is known to be gone
WAIT_S: Final = 10.0  # what somebody who comes second waits
_REST_S: Final = 0.02


class Turn:
    """The right to close quarantined records of one system: a lease in the ledger.

    What is written under it goes into one transaction with `op`, so that nothing is written by who has lost it.

    Args:
        ledger: where the records are.
        system: whose quarantine.
        host: which process we are, and which others are gone.
        clock_ns: UTC nanoseconds.
        wait_s: seconds to wait for somebody else's turn to end, at least 0.
    """

    def __init__(
        self,
        ledger: Ledger,
        system: str,
        *,
        host: Host | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        wait_s: float = WAIT_S,
    ) -> None:
        self._ledger = ledger
        self._space = f"quarantine.turn:{system}"
        self._host = host or ThisHost()
        self._clock_ns = clock_ns
        self._wait_s = wait_s
        self._held: Reservation | None = None

    def __enter__(self) -> Self:
        """Take the turn. Raises Conflict when somebody else keeps it."""
        me, until = self._host.me().encode(), time.monotonic() + self._wait_s
        while True:
            try:
                self._held = self._ledger.reserve(self._space, "turn", me, expires_ns=self._expires())
            except Taken as taken:
                if taken.current is not None and self._host.is_gone(taken.current.value.decode()):
                    self._take_over(me, taken.current)
                elif time.monotonic() >= until:
                    raise Conflict(
                        "somebody else is replaying or discarding quarantined records",
                        fix="wait until that has ended, then ask again; what it has closed is closed",
                    ) from taken
                else:
                    time.sleep(_REST_S)
            if self._held is not None:
                return self

    def _take_over(self, me: bytes, left: Reservation) -> None:
        """The lease of a process that has died."""
        op = Replace(space=self._space, key="turn", fence=left.fence, value=me, expires_ns=self._expires())
        with contextlib.suppress(Taken):  # somebody else was quicker
            self._held = self._ledger.apply((op,))[0]

    @property
    def op(self) -> Replace:
        """What goes into the next transaction: it is written only while the turn is ours, and keeps it."""
        assert self._held is not None, "asked for inside the turn"
        held = self._held
        return Replace(space=held.space, key=held.key, fence=held.fence, value=held.value, expires_ns=self._expires())

    def went_on(self) -> None:
        """A transaction with `op` was written."""
        assert self._held is not None, "asked for inside the turn"
        self._held = Reservation(
            space=self._held.space,
            key=self._held.key,
            value=self._held.value,
            fence=self._held.fence + 1,
            expires_ns=self._expires(),
        )

    def _expires(self) -> int:
        return self._clock_ns() + LEASE_S * 10**9

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        held, self._held = self._held, None
        if held is not None:
            # It had run out, and somebody else has it now; or it cannot be given back, and is free once we are gone.
            with contextlib.suppress(PlimsollError):
                self._ledger.apply((Release(space=held.space, key=held.key, fence=held.fence),))
