"""The breaker of a target, as others see it: its states, and the entry that records a change."""

from __future__ import annotations

import enum

import msgspec


class BreakerState(enum.StrEnum):
    """Whether a target is called."""

    CLOSED = "closed"  # it is
    OPEN = "open"  # it is not
    HALF_OPEN = "half-open"  # a few calls find out whether it is back


class BreakerChange(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``breaker`` entry: one change of state, in one process."""

    target: str  # as the manifest calls it
    before: BreakerState
    after: BreakerState
    why: str
    time_ns: int  # UTC nanoseconds; the entry may be written later
    process: int  # its id: each process has breakers of its own
    number: int  # counts the changes of this breaker from 1, so that a missing one shows
