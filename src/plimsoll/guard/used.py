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


class Used:
    """Counts that only grow. Safe to use from several threads; the guards of all releases of a process share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, float] = {}

    def add(self, release: str, passage: Passage, cost: str) -> None:
        """Count a decision that is on record.

        Args:
            release: that took it.
            passage: how it went.
            cost: as the record says it, such as "0.00745 EUR"; "": nothing is priced.
        """
        result = passage.result
        read, written = (0, 0) if result is None else tokens_of(result.usage)
        amount, _, currency = cost.partition(" ")
        found: dict[str, float] = {
            "decisions": 1,
            "answered": passage.disposition is Disposition.ANSWERED,
            "input_tokens": read,
            "output_tokens": written,
            **({f"cost {currency}": float(Decimal(amount))} if cost else {}),
        }
        head = f"{release}\t{_TYPE if passage.kind is None else passage.kind.name}\t"
        with self._lock:
            for name, count in found.items():
                self._counts[head + name] = self._counts.get(head + name, 0) + count

    def counts(self) -> Mapping[str, float]:
        """Release, type and name, joined by tabs, and how much."""
        with self._lock:
            return dict(self._counts)
