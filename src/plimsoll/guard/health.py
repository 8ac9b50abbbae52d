"""How a guard stands now, for whoever watches it."""

from __future__ import annotations

import msgspec

from plimsoll.model.breaker import BreakerState


class TargetHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One target, as this process sees it."""

    target: str  # as the manifest calls it
    breaker: BreakerState | None  # None: it has none
    why: str  # why the breaker is in this state; "": it never changed
    retry_after_s: float  # seconds until an open breaker lets a call through
    inside: int  # calls under way, those included that nobody waits for any more
    concurrency: int
    waiting: int  # callers that wait for a place
    queue: int
    retries_left: int | None  # that the retry budget has now; None: it has none


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One guard, in one process."""

    targets: tuple[TargetHealth, ...]  # the manifest's target first
    unrecorded: int  # changes of breakers that wait to be written; they go with the next decision
    trouble: str  # why the ledger could not write what it was given before; "": it could
