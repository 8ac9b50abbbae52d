"""Reading a decision back: its answer, who asked for it, and who may see it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from plimsoll.errors import Conflict, UsageError
from plimsoll.guard.record import answer_again
from plimsoll.guard.settings import GuardSettings
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Answer, DecisionRecord
from plimsoll.model.principal import Principal
from plimsoll.policy import SourcesVerdict, rule_on_sources


class Recall:
    """What the ledger has of earlier decisions.

    Args:
        ledger: where they are recorded.
        settings: of the guard that is asked now; knowledge and types are looked up in it.
        clock_ns: UTC nanoseconds; documents age by it.
    """

    def __init__(self, ledger: Ledger, settings: GuardSettings, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clock_ns = clock_ns

    def again(self, record: str, key: str, principal: Principal | None) -> Answer:
        """The answer of an earlier call under a key, for who asked then: another one may not be allowed to see it.

        Raises:
            Conflict: somebody else asked, or may not see it any more.
        """
        if self.taken_for(record) != ("" if principal is None else principal.id):
            raise Conflict(
                f"the idempotency key '{key}' was used by another principal", fix="use keys that no two callers share"
            )
        answer = self.recorded(record)
        if not self.may_see(answer, principal):
            raise Conflict(
                f"the answer under the idempotency key '{key}' rests on what this principal may not see",
                fix="ask with the labels that were held then, or under a new key",
            )
        return answer

    def may_see(self, answer: Answer, principal: Principal | None) -> bool:
        """Whether an answer may be shown to somebody: what it rests on is not closed to them."""
        if not answer.sources:
            return True
        ruling = rule_on_sources(
            answer.sources, knowledge=self._settings.knowledge, principal=principal, now_ns=self._clock_ns()
        )
        return ruling.verdict is not SourcesVerdict.REFUSE

    def taken_for(self, record: str) -> str:
        """Who asked for a decision, as the organisation names them; "" where nobody knew."""
        entry = self._ledger.get(record)
        return "" if entry is None else msgspec.json.decode(self._ledger.body(entry), type=DecisionRecord).principal

    def recorded(self, record: str) -> Answer:
        """The answer of a decision.

        Raises:
            UsageError: it is not there.
            VerificationFailed: its payload was erased.
        """
        entry = self._ledger.get(record)
        if entry is None:
            raise UsageError(f"the answer recorded under this key, {record}, is not in the ledger")
        kept = msgspec.json.decode(self._ledger.body(entry), type=DecisionRecord)
        return answer_again(kept, record, self._settings.types.get("" if entry.header is None else entry.header.type))
