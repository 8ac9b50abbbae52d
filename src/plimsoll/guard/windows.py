"""Comparing records with those before them, in this process and in others, across restarts.

The state is a memory of this process: a bounded window for each decision type and source. It is no second truth: it is
filled from the decisions in the ledger when a guard opens, and kept in step with what other processes decide by
following them. So it outlives a restart, and it holds between processes from the moment on in which their decisions are
seen here, some tenth of a second. Two processes that take the same key within that time both answer; who sees it counts
it as missed.

A record takes its keys when it is admitted and keeps them when it was answered or held. Whatever ends otherwise may
come again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from plimsoll.contract import Checker
from plimsoll.contract.terms import Use
from plimsoll.contract.window import Claim, Marks, SourceWindow
from plimsoll.errors import PlimsollError
from plimsoll.ledger import Entry, Follower, Ledger, parse_id
from plimsoll.model.decision import DecisionRecord, Disposition, Reason, Verdict
from plimsoll.model.input_note import PRECEDENCE

_LOG: Final = logging.getLogger("plimsoll.guard")
_DECIDES: Final = frozenset({Disposition.ANSWERED, Disposition.HELD})
_KEPT: Final = frozenset({Verdict.VALID, Verdict.COERCED})
_READ_BACK: Final = 200_000  # decisions read when a guard opens: some ten seconds; more would keep callers waiting
_OWN: Final = 65_536  # own decisions that the follower has not come to yet; beyond, they are read once more
_DECODE: Final = msgspec.json.Decoder(DecisionRecord).decode


class Taken(msgspec.Struct, frozen=True):
    """What one record has taken, in which window."""

    window: SourceWindow
    claim: Claim


class Windows:
    """The windows of one guard. Safe to use from several threads.

    Args:
        inputs: the contract of each declared source, by source name.
        default: the contract of every other source; these share one window, since anybody can make names up.
        clock: UTC nanoseconds.
        acts: False: records are compared and none is refused for it, as a load test sends the same ones over and over.
    """

    def __init__(
        self, inputs: Mapping[str, Checker], default: Checker | None, *, clock: Callable[[], int], acts: bool = True
    ) -> None:
        self._inputs = inputs
        self._default = default
        self._clock = clock
        self._acts = acts
        self.begin_anew()

    @staticmethod
    def needed(inputs: Mapping[str, Checker], default: Checker | None) -> bool:
        """Whether any contract compares records with each other."""
        return any(checker is not None and checker.stateful for checker in (*inputs.values(), default))

    def begin_anew(self) -> None:
        """Remember nothing: at the start, and after a fork."""
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], SourceWindow | None] = {}  # by decision type and source
        self._own: dict[str, None] = {}  # decisions of this guard that the follower has not come to yet
        self._come_to: dict[str, int] = {}  # by stream, where it is
        self._follower: Follower | None = None
        self._system = ""
        self._ledger: Ledger | None = None
        self.missed = 0  # keys that two processes took at the same time

    def judge(self, type_: str, source: str, value: object) -> Taken | tuple[Reason, ...] | None:
        """Compare a record that keeps its contract by itself with those before it.

        Returns:
            What it has taken, to be given to `settle`; every reason why it is refused; None: nothing is compared.
        """
        with self._lock:
            window = self._window(type_, source)
            if window is None:
                return None
            found = window.judge(value, self._clock())
        if isinstance(found, Claim):
            return Taken(window, found)
        return found if self._acts else None

    def settle(self, taken: Taken, record: str, disposition: Disposition) -> None:
        """What became of it; ``record`` is "" where nothing was written."""
        with self._lock:
            if record and disposition in _DECIDES:
                self._miss(taken.window.settle(taken.claim, record), record)
            else:
                taken.window.withdraw(taken.claim)
            if record and self._follower is not None and len(self._own) < _OWN:
                stream, seq = parse_id(record) or ("", 0)
                if self._come_to.get(stream, -1) < seq:
                    self._own[record] = None

    @property
    def forgotten(self) -> Mapping[str, int]:
        """By source, keys that a window let go of before they were as old as its age; sources without are left out."""
        found: dict[str, int] = {}
        with self._lock:
            for (_, source), window in self._windows.items():
                if window is not None and window.forgotten:
                    found[source] = found.get(source, 0) + window.forgotten
        return found

    @property
    def held(self) -> int:
        """Keys that are remembered now."""
        with self._lock:
            return sum(window.held for window in self._windows.values() if window is not None)

    def follow(self, ledger: Ledger, system: str) -> None:
        """Fill the windows from the ledger, and keep them in step with what other processes decide."""
        self._ledger, self._system = ledger, system
        with self._lock:  # what comes meanwhile waits until what was before is in
            self._follower = ledger.follow(("decision",), self._on_entry)
            self._fill(ledger, system)

    def fill(self, ledger: Ledger, system: str) -> None:
        """Fill the windows from the ledger as it is now, and follow nobody."""
        with self._lock:
            self._ledger, self._system = ledger, system
            self._fill(ledger, system)

    def close(self) -> None:
        """Stop following. Raises StoreError where the store could not be read at the end."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()

    # -- from the ledger

    def _fill(self, ledger: Ledger, system: str) -> None:
        oldest = self._clock() - self._longest_ns
        found: list[tuple[SourceWindow, Marks, Entry]] = []
        kept: dict[int, int] = {}  # by window, how many of its records were found: more than its keys it cannot hold
        for number, entry in enumerate(ledger.find("decision", system=system)):
            if entry.time_ns <= oldest:
                break
            if number == _READ_BACK:
                _LOG.warning("windows reach back over the last %s decisions alone, to %s", number, entry.id)
                break
            seen = self._seen(ledger, entry)
            if seen is not None and kept.get(id(seen[0]), 0) < seen[0].keys:
                kept[id(seen[0])] = kept.get(id(seen[0]), 0) + 1
                found.append((*seen, entry))
        for window, marks, entry in reversed(found):
            window.remember(marks, entry.id, entry.time_ns)

    def _on_entry(self, entry: Entry) -> None:
        with self._lock:
            self._come_to[entry.stream] = entry.seq
            if entry.id in self._own:
                del self._own[entry.id]
                return
            seen = None if self._ledger is None or entry.system != self._system else self._seen(self._ledger, entry)
            if seen is None:
                return
            window, marks = seen
            self._miss(window.remember(marks, entry.id, entry.time_ns), entry.id)

    def _miss(self, other: str, record: str) -> None:
        if other:
            self.missed += 1
            _LOG.warning("%s and %s have the same key: two processes took them at the same time", other, record)

    def _seen(self, ledger: Ledger, entry: Entry) -> tuple[SourceWindow, Marks] | None:
        """What a decision in the ledger has taken; None: nothing, or its payload was erased."""
        if entry.header is None or entry.header.disposition not in _DECIDES:
            return None
        try:
            kept = _DECODE(ledger.body(entry))
        except (PlimsollError, msgspec.MsgspecError):
            return None
        window = self._window(entry.header.type, kept.source)
        checker = self._checker(kept.source)
        is_traffic = not kept.run and not kept.rehearsal and kept.verdict in _KEPT
        if window is None or checker is None or not is_traffic or kept.input_json is None or _stood_in(kept):
            return None
        value = msgspec.json.decode(kept.input_json)
        return window, window.marks(checker.check(value).value)

    # -- windows by source

    def _checker(self, source: str) -> Checker | None:
        return self._inputs.get(source, self._default)

    def _window(self, type_: str, source: str) -> SourceWindow | None:
        name = type_, source if source in self._inputs else ""
        if name not in self._windows:
            checker = self._checker(source)
            self._windows[name] = None if checker is None else checker.window()
        return self._windows[name]

    @property
    def _longest_ns(self) -> int:
        rules = (c.contract.terms.window for c in (*self._inputs.values(), self._default) if c is not None)
        return int(max((rule.age_s for rule in rules if rule is not None), default=0.0) * 1e9)


def _stood_in(kept: DecisionRecord) -> bool:
    """Whether the target was asked with another value, so that the record itself has taken nothing."""
    note = kept.input_note
    if note is None or note.failed or note.use == PRECEDENCE:
        return False
    return bool(note.record) or note.use == Use.DEFAULT.value
