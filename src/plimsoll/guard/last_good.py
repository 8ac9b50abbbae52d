"""The last record of each source that kept its contract, by its decision in the ledger."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

import msgspec

from plimsoll.errors import PlimsollError
from plimsoll.ledger import Ledger
from plimsoll.model.decision import DecisionRecord

_MOST: Final = 10_000  # pairs of source and subject that are remembered; the one not used longest is forgotten


class Good(msgspec.Struct, frozen=True):
    """A record that may stand in for a later one."""

    record: str  # id of its decision
    time_ns: int  # when it came, UTC nanoseconds


class LastGood:
    """Remembers where such records are, never what they hold: that is read from the ledger when it is needed.

    So what has been erased stands in for nothing, and no copy of it is left anywhere. A record about one subject stands
    in for records about the same subject alone; one about none, for those about none.

    Args:
        ledger: where the decisions are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._found: OrderedDict[tuple[str, str], Good] = OrderedDict()
        self._lock = threading.Lock()

    def begin_anew(self) -> None:
        """After a fork: who held the lock is not here."""
        self._lock = threading.Lock()

    def forget(self) -> None:
        """None is known any more."""
        with self._lock:
            self._found.clear()

    def remember(self, source: str, subject: str | None, good: Good) -> None:
        """This is the last one now, unless a later one is known."""
        key = (source, subject or "")
        with self._lock:
            known = self._found.get(key)
            if known is None or known.time_ns <= good.time_ns:
                self._found[key] = good
            self._found.move_to_end(key)
            if len(self._found) > _MOST:
                self._found.popitem(last=False)

    def of(self, source: str, subject: str | None) -> Good | None:
        """The last one; None when none is known here."""
        with self._lock:
            return self._found.get((source, subject or ""))

    def value(self, good: Good) -> Any:
        """What it holds, as JSON.

        Raises:
            PlimsollError: it cannot be read: erased, altered, or the store cannot be asked.
        """
        entry = self._ledger.get(good.record)
        if entry is None:  # in batched mode it may still be on its way to the disk
            self._ledger.flush()
            entry = self._ledger.get(good.record)
        if entry is None:
            raise PlimsollError(f"the decision {good.record} is not in the ledger")
        kept = msgspec.json.decode(self._ledger.body(entry), type=DecisionRecord)
        if kept.input_json is None:
            raise PlimsollError(f"the decision {good.record} holds no JSON record")
        return msgspec.json.decode(kept.input_json)
