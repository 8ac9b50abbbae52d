"""Reservations in PostgreSQL: one holder of a key at a time, whichever process asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b, sha256
from typing import Any, Final, Protocol

import msgspec

from plimsoll.ledger.numbering import Row
from plimsoll.ledger.postgres import Statement
from plimsoll.ledger.postgres_pack import stored
from plimsoll.ledger.reservation import Op, Release, Replace, Reservation, result_of

_WHOLE: Final = 1_000  # bytes of a key that are kept as they are: an index takes some 2,700 of space and key together
_HEAD: Final = 100  # characters of a longer one, before its hash

_READ: Final = (
    "SELECT space,key,value,fence,expires_ns FROM reservations WHERE (space,key) IN"
    " (SELECT * FROM unnest(?::text[],?::text[]))"
)

Place = tuple[str, str]  # space and key, as they were given


class Transaction(Protocol):
    """What is asked of the open transaction."""

    def exchange(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Several statements in one round trip; the rows of each."""
        ...

    def run(self, sql: str, *arguments: Any) -> None:
        """A statement that gives nothing back."""
        ...


class Reservations:
    """The keys that one transaction is about: locked and read once, for all that ask in it.

    Every change of any key gets a token from one sequence, drawn when the key is locked: so a key's tokens only ever
    grow, and nobody waits for a counter.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._known: dict[Place, Reservation | None] = {}
        self._tokens: deque[int] = deque()

    def forget(self) -> None:
        """The transaction is over."""
        self._known.clear()
        self._tokens.clear()

    def fetch(self, ops: Sequence[Op]) -> None:
        """Lock what some ops are about, and read it. In one order, or else two groups might wait for each other."""
        places = {_written(op): (op.space, op.key) for op in ops}
        locks = sorted({lock_key("reservation", "\x00".join(written)) for written in places})
        spaces, keys = [space for space, _ in places], [key for _, key in places]
        _, tokens, rows = self._transaction.exchange(
            (
                ("SELECT pg_advisory_xact_lock(k) FROM unnest(?::bigint[]) AS k", (locks,)),
                ("SELECT nextval('fences') FROM generate_series(1,?)", (len(ops),)),
                (_READ, (spaces, keys)),
            )
        )
        self._tokens.extend(token for (token,) in tokens)
        self._known |= dict.fromkeys(places.values())
        for space, key, value, fence, expires_ns in rows:
            place = places[space, key]
            self._known[place] = Reservation(
                space=place[0], key=place[1], value=value, fence=fence, expires_ns=expires_ns
            )

    def apply(self, ops: Sequence[Op], now_ns: int) -> list[Reservation | None]:
        """Apply all of ``ops`` or none.

        Raises:
            Taken: one does not apply; nothing was changed.
        """
        if len(self._tokens) < len(ops) or any((op.space, op.key) not in self._known for op in ops):
            self.fetch(ops)
        planned: dict[Place, tuple[Op, Reservation | None]] = {}
        results = []
        for op in ops:
            place = (op.space, op.key)
            current = planned[place][1] if place in planned else self._known[place]
            token = 0 if isinstance(op, Release) else self._tokens.popleft()
            _, held = result_of(op, current, token - 1, now_ns)
            if isinstance(op, Replace) and held is not None:
                held = msgspec.structs.replace(held, fence=token)
            planned[place] = (op, held)
            results.append(held)
        for place, (op, held) in planned.items():
            self._write(op, held)
            self._known[place] = held
        return results

    def _write(self, op: Op, held: Reservation | None) -> None:
        space, key = _written(op)
        if held is None:
            self._transaction.run("DELETE FROM reservations WHERE space=? AND key=?", space, key)
        else:
            self._transaction.run(
                "INSERT INTO reservations VALUES (?,?,?,?,?) ON CONFLICT (space,key) DO UPDATE SET"
                " value=excluded.value,fence=excluded.fence,expires_ns=excluded.expires_ns",
                space,
                key,
                held.value,
                held.fence,
                held.expires_ns,
            )


def _written(op: Op) -> Place:
    return findable(op.space), findable(op.key)


def findable(text: str) -> str:
    """How a text stands in an index, however long it is: a long one as its beginning and its hash."""
    whole = stored(text)
    if len(whole) * 4 <= _WHOLE or len(whole.encode()) <= _WHOLE:
        return whole
    return f"{stored(text[:_HEAD])}\x01\x03{sha256(text.encode()).hexdigest()}"


def lock_key(what: str, name: str) -> int:
    """The number of an advisory lock; two names may share one, and then wait for each other in vain, and no more."""
    digest = blake2b(f"{what} {name}".encode(), digest_size=8, person=b"plimsoll lock").digest()
    return int.from_bytes(digest, "big", signed=True)
