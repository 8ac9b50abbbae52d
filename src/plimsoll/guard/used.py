"""What the decisions of one process used and cost, by release and type, for whoever scrapes it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from plimsoll.guard.passage import Passage
from plimsoll.model.decision import Disposition
from plimsoll.policy.spend import tokens_of

_TYPE: Final = "undeclared"  # of what names no declared type


class _Sums:
    __slots__ = ("answered", "costs", "decisions", "input_tokens", "output_tokens")

    def __init__(self) -> None:
        self.decisions = self.answered = self.input_tokens = self.output_tokens = 0
        self.costs: dict[str, float] = {}  # by currency


class Used:
    """Counts that only grow. Safe to use from several threads; the guards of all releases of a process share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str], _Sums] = {}

    def add(self, release: str, passage: Passage, cost: str) -> None:
        """Count a decision that is on record.

        Args:
            release: that took it.
            passage: how it went.
            cost: as the record says it, such as "0.00745 EUR"; "": nothing is priced.
        """
        result = passage.result
        read, written = (0, 0) if result is None or not result.usage else tokens_of(result.usage)
        of = release, _TYPE if passage.kind is None else passage.kind.name
        with self._lock:
            sums = self._sums.get(of)
            if sums is None:
                sums = self._sums[of] = _Sums()
            sums.decisions += 1
            sums.answered += passage.disposition is Disposition.ANSWERED
            sums.input_tokens += read
            sums.output_tokens += written
            if cost:
                amount, _, currency = cost.partition(" ")
                sums.costs[currency] = sums.costs.get(currency, 0.0) + float(Decimal(amount))

    def counts(self) -> Mapping[str, float]:
        """Release, type and name, joined by tabs, and how much."""
        found: dict[str, float] = {}
        with self._lock:
            for (release, type_), sums in self._sums.items():
                head = f"{release}\t{type_}\t"
                for name in ("decisions", "answered", "input_tokens", "output_tokens"):
                    found[head + name] = getattr(sums, name)
                found |= {f"{head}cost {currency}": amount for currency, amount in sums.costs.items()}
        return found
