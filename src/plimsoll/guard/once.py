"""Idempotency keys: one decision for a key, however often it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from plimsoll.errors import Conflict
from plimsoll.guard.intake import Intake
from plimsoll.ledger import Ledger, Op, Release, Replace, Reservation, Taken
from plimsoll.model.canonical import digest_bytes

LEASE_S: Final = 120  # a call that has not ended after this is taken to have died with its process
KEPT_S: Final = 24 * 3600  # how long a key gives the recorded answer again


class Once:
    """Keeps the idempotency keys of one system in its ledger's reservations.

    Args:
        ledger: where they are kept; reservations and entries are written in one transaction.
        system: keys of different systems never meet.
        clock_ns: UTC nanoseconds.
    """

    def __init__(self, ledger: Ledger, system: str, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._ledger = ledger
        self._space = f"idempotency:{system}"
        self._clock_ns = clock_ns

    def begin(self, type_: str, key: str, intake: Intake) -> str | Reservation:
        """Take the key for a call that now begins, or give the record of the one that has ended.

        Returns:
            The id of the recorded decision, or the reservation that is now ours.

        Raises:
            Conflict: the key was used with another input, or by a call that has not ended yet.
            StoreError: the reservation could not be written.
        """
        name = f"{type_}:{key}"
        given = digest_bytes(intake.raw if intake.json is None else intake.json)
        expires = self._clock_ns() + LEASE_S * 10**9
        value = f"{given} ".encode()  # the id of the decision comes behind it, once there is one
        try:
            return self._ledger.reserve(self._space, name, value, expires_ns=expires)
        except Taken as taken:
            if taken.current is None:
                raise
            return _recorded(key, given, taken.current)

    def end(self, mine: Reservation) -> tuple[Op, ...]:
        """What is written in one transaction with the decision: the key gives this decision from now on."""
        expires = self._clock_ns() + KEPT_S * 10**9
        return (
            Replace(
                space=mine.space, key=mine.key, fence=mine.fence, value=mine.value, expires_ns=expires, with_id=True
            ),
        )

    def give_back(self, mine: Reservation) -> tuple[Op, ...]:
        """What is written with a decision that was shed: nothing was asked of anybody, so the key is free again.

        Whoever is told to try again later does so under the same key.
        """
        return (Release(space=mine.space, key=mine.key, fence=mine.fence),)


def _recorded(key: str, given: str, current: Reservation) -> str:
    used_for, _, record = current.value.decode().partition(" ")
    if used_for != given:
        raise Conflict(f"the idempotency key '{key}' was used with another input", fix="use a new key for a new input")
    if not record:
        raise Conflict(
            f"a call under the idempotency key '{key}' has not ended yet",
            fix=f"ask again; if its process died, the key is free after {LEASE_S} s",
        )
    return record
