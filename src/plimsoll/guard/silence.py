"""When the latest record of each source came, over all processes; and which of them have fallen silent.

It is no history, so it stands in the ledger's reservations. What is history, that a source fell silent and spoke again,
is an entry; one process alone writes it, and a crash between two looks loses nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Final

import msgspec

from plimsoll.contract.arrivals import SourceRule, silent_for, span
from plimsoll.guard.last_good import Good
from plimsoll.ledger import Draft, Ledger, Op, Release, Replace, Reservation, Reserve, Taken
from plimsoll.model.input_note import SourceState, SourceTrouble

_MOST_S: Final = 60.0  # between two words that one process leaves of one source, at most…
_PART: Final = 60  # …and at most such a part of the silence that is allowed: each is a write


def every_s(rule: SourceRule) -> float:
    """Seconds between two words that a process leaves of a source."""
    return min(_MOST_S, max(1.0, _MOST_S if rule.silence_s is None else rule.silence_s / _PART))


def grace_s(rule: SourceRule) -> float:
    """Seconds beyond the promise after which it is sure that a record has come nowhere."""
    return every_s(rule) + 5.0


class _Word(msgspec.Struct, frozen=True):
    """What one process tells the others of a source."""

    came_ns: int = 0  # when its latest record came
    good: Good | None = None  # the last one about no subject that kept its contract


class Marks:
    """Of one system, in this process.

    Args:
        ledger: where word is left.
        system: whose sources.
    """

    def __init__(self, ledger: Ledger, system: str) -> None:
        self._ledger = ledger
        self._came = f"source-came:{system}"
        self._silent = f"source-silent:{system}"
        self.begin_anew()

    def begin_anew(self) -> None:
        """As it was made: also after a fork."""
        self._lock = threading.Lock()
        self._came_here: dict[str, int] = {}  # by source, as in `_Word`
        self._good_here: dict[str, Good] = {}
        self._left: dict[str, _Word] = {}  # source -> what word was left of

    def saw(self, source: str, time_ns: int) -> None:
        """A record has come; whoever tells so for a source does it in turn."""
        if time_ns > self._came_here.get(source, 0):
            self._came_here[source] = time_ns

    def keep(self, source: str, good: Good) -> None:
        """It may stand in for a later one, also when this process has ended."""
        with self._lock:
            known = self._good_here.get(source)
            if known is None or known.time_ns <= good.time_ns:
                self._good_here[source] = good

    def latest(self, source: str, here_ns: int = 0) -> int:
        """When the latest record came, wherever; 0: none has. Raises StoreError."""
        return max(here_ns, self._came_here.get(source, 0), self._word(source).came_ns)

    def good(self, source: str) -> Good | None:
        """The last good record about no subject, wherever it came. Raises StoreError."""
        return _later(self._here(source), self._word(source)).good

    def _here(self, source: str) -> _Word:
        return _Word(came_ns=self._came_here.get(source, 0), good=self._good_here.get(source))

    def _word(self, source: str) -> _Word:
        return _read(self._ledger.reservation(self._came, source))

    def leave(self, rules: Mapping[str, SourceRule], *, at_once: bool) -> None:
        """Leave word of what has come here.

        Args:
            rules: of the sources; they say how often.
            at_once: however short a time ago word was left.

        Raises:
            StoreError: it could not be written.
        """
        for source, rule in rules.items():
            word, left = self._here(source), self._left.get(source, _Word())
            is_soon = (word.came_ns - left.came_ns) / 1e9 < every_s(rule)
            is_first_good = left.good is None and word.good is not None
            if word == left or (is_soon and not is_first_good and not at_once):
                continue
            held = self._ledger.reservation(self._came, source)
            value = msgspec.json.encode(_later(_read(held), word))
            op: Op = Reserve(space=self._came, key=source, value=value)
            if held is not None:
                op = Replace(space=self._came, key=source, fence=held.fence, value=value)
            with contextlib.suppress(Taken):  # another process was there just now; the next look sees whose is later
                self._ledger.apply([op])
                self._left[source] = word

    def silence(self, rule: SourceRule, now_ns: int) -> SourceTrouble | None:
        """What is to be recorded of a source now: that it fell silent, or spoke again; None: nothing.

        Raises:
            StoreError: the ledger cannot be asked.
        """
        if rule.silence_s is None:
            return None
        last_ns = self.latest(rule.source)
        held = self._ledger.reservation(self._silent, rule.source)
        why = silent_for(last_ns, rule, now_ns, grace_s=grace_s(rule))
        if bool(why) == (held is not None):
            return None
        since_ns = last_ns if held is None else int(held.value)  # of the last record before the silence
        gap_s = (last_ns - since_ns) / 1e9
        return SourceTrouble(
            source=rule.source,
            state=SourceState.SILENT,
            began=bool(why),
            why=why or f"a record has come after {span(gap_s)}; promised is {rule.silence}",
            owner=rule.owner,
            time_ns=now_ns,
            process=os.getpid(),
            lasted_s=None if why else round(gap_s, 3),
        )

    def record(self, trouble: SourceTrouble, entry: Draft) -> bool:
        """Write it down, unless another process has; whether it was written here. Raises StoreError."""
        held = self._ledger.reservation(self._silent, trouble.source)
        if trouble.began == (held is not None):
            return False
        op: Op = Reserve(space=self._silent, key=trouble.source, value=str(self.latest(trouble.source)).encode())
        if held is not None:
            op = Release(space=self._silent, key=trouble.source, fence=held.fence)
        try:
            self._ledger.transact([entry], (op,))
        except Taken:
            return False
        return True


def _read(held: Reservation | None) -> _Word:
    return _Word() if held is None else msgspec.json.decode(held.value, type=_Word)


def _later(one: _Word, other: _Word) -> _Word:
    good = max((w.good for w in (one, other) if w.good is not None), key=lambda g: g.time_ns, default=None)
    return _Word(came_ns=max(one.came_ns, other.came_ns), good=good)
