"""Reservations: what is no history (idempotency keys, leases, budgets, sessions), one holder at a time."""

from __future__ import annotations

import msgspec

from plimsoll.errors import Refused, UsageError


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """What one key of one space holds now."""

    space: str
    key: str
    value: bytes
    fence: int  # grows with every change of this key: who holds a lower one has lost it
    expires_ns: int  # UTC nanoseconds; 0: never


class Reserve(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take a key that is free or expired."""

    space: str
    key: str
    value: bytes = b""
    expires_ns: int = 0


class Replace(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Write a new value (and expiry) where nobody else has been since ``fence``: compare and set.

    An expired reservation that nobody has taken yet can still be replaced by its holder.

    ``with_id`` puts the id of the first entry that is written with it behind the value: an entry's id is known only
    when it is written, and what points at it must not be written later.
    """

    space: str
    key: str
    fence: int
    value: bytes = b""
    expires_ns: int = 0
    with_id: bool = False


class Release(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Give a key back."""

    space: str
    key: str
    fence: int


Op = Reserve | Replace | Release


class Taken(Refused):
    """A reservation could not be made, replaced or released; nothing that came with it was written.

    Attributes:
        op: what was asked.
        current: what the key holds, an expired reservation included; None: nothing.
    """

    code = "store.taken"

    def __init__(self, op: Op, current: Reservation | None) -> None:
        self.op = op
        self.current = current
        state = "nothing" if current is None else f"fence {current.fence}"
        super().__init__(
            f"{type(op).__name__.lower()} of '{op.space}' was refused: the key holds {state}",
            fix="read the reservation again and decide anew",
        )


def result_of(op: Op, current: Reservation | None, fence: int, now_ns: int) -> tuple[int, Reservation | None]:
    """The counter of fencing tokens, and what the key holds, after ``op``; None: nothing.

    Only who takes or gives back a key moves the counter. A holder who replaces counts up from the key's own token, so
    the counter is brought level when the key is given back or taken over: a key never sees a token twice.

    Args:
        op: what is asked.
        current: what the key holds before, expired or not.
        fence: the counter.
        now_ns: UTC nanoseconds.

    Raises:
        Taken: the op does not apply.
    """
    if isinstance(op, Reserve):
        if current is not None and not is_expired(current, now_ns):
            raise Taken(op, current)
        token = counter = max(fence, current.fence if current is not None else 0) + 1
    else:
        if current is None or current.fence != op.fence:
            raise Taken(op, current)
        if isinstance(op, Release):
            return max(fence, current.fence), None
        token, counter = current.fence + 1, fence
    held = Reservation(space=op.space, key=op.key, value=op.value, fence=token, expires_ns=op.expires_ns)
    return counter, held


def check_op(op: Op) -> None:
    """Refuse what cannot be stored before it joins a group. Raises UsageError naming the field."""
    if not isinstance(op.space, str) or not isinstance(op.key, str):
        raise UsageError("space and key of a reservation are text")
    try:
        (op.space + op.key).encode()
    except UnicodeEncodeError as error:
        raise UsageError("space and key of a reservation are text that UTF-8 has bytes for") from error
    if isinstance(op, Release):
        return
    if not isinstance(op.value, bytes):
        raise UsageError(f"the value of a reservation is bytes, not {type(op.value).__name__}")
    if not isinstance(op.expires_ns, int) or not 0 <= op.expires_ns < 1 << 63:
        raise UsageError("a reservation expires at UTC nanoseconds since the epoch, or 0 for never")


def is_expired(held: Reservation, now_ns: int) -> bool:
    """Whether anybody may take it."""
    return 0 < held.expires_ns <= now_ns
