"""Everything that a guard is told, parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from plimsoll.guard.breaker import BreakerRule
from plimsoll.guard.retry import RetryRule
from plimsoll.model.decision import Tier
from plimsoll.model.knowledge import Knowledge
from plimsoll.model.manifest import Consequence
from plimsoll.model.prices import Prices
from plimsoll.model.quarantine import QuarantineBound

# Callers that may wait for each place. The last of a full queue waits about as long as this many calls take: a burst of
# five times what runs at once passes, and what is more would wait for an answer that comes too late.
QUEUE_PER_PLACE: Final = 4


class GuardedType(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard needs to know of one decision type."""

    name: str
    tier: Tier
    accountable: str
    review_below: float | None  # in (0, 1]
    next: str  # who has it when it is not answered
    consequence: Consequence | None = None  # what a wrong decision touches; the governance page may ask for a person
    held_message: str = ""  # what a chat client is told of a held answer; "": an error


class CallRules(msgspec.Struct, frozen=True, kw_only=True):
    """How one target is called."""

    concurrency: int = 16  # calls inside at once, at least 1
    queue: int | None = None  # callers that may wait, at least 0; None: `QUEUE_PER_PLACE` for each place
    retry: RetryRule | None = None  # None: a call is tried once
    breaker: BreakerRule | None = None  # None: it is called however often it fails

    @property
    def most_waiting(self) -> int:
        """Callers that may wait for a place."""
        return QUEUE_PER_PLACE * self.concurrency if self.queue is None else self.queue


class OtherTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the fallback chain: another target is asked. It is looked up by its name when it is needed."""

    name: str  # "previous-release", or as the manifest's step is named
    rules: CallRules = CallRules()


class Constant(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the fallback chain: always the same output. It is checked and held like any other."""

    output: Any
    name: str = "constant"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the fallback chain: a person takes it."""

    name: str = "hold"


FallbackStep = OtherTarget | Constant | Hold


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all decisions of one system."""

    system: str
    release: str
    types: Mapping[str, GuardedType]
    deadline_s: float | None = None  # for a whole decision but its record; None: as long as it takes
    call: CallRules = CallRules()
    fallback: tuple[FallbackStep, ...] = ()  # what is done when the target does not answer, in order
    knowledge: Mapping[str, Knowledge] = {}  # what answers may rest on, by name
    prices: Prices | None = None  # what the target charges; None: no cost is recorded
    sheds_when_spent: bool = False  # when the budget is spent, nothing stands in
    batched: bool = False
    seal: bool = True  # encrypt what is recorded
    quarantine: QuarantineBound | None = None  # what may wait there; None: it has no bound
    run: str = ""  # id of the assessment this guard measures for; "" in earnest
    rehearsal: bool = False  # it measures load: what it quarantines waits for nobody
