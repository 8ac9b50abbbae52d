"""Watching the sources of one guard, and telling the ledger what changes there: once, whoever sees it first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract import Checker
from plimsoll.contract.schema_watch import SchemaWatch
from plimsoll.errors import PlimsollError
from plimsoll.guard.passage import Passage
from plimsoll.guard.source_changes import known_changes
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.source_change import CHANGED, COUNTED, ChangeKind, SourceChange

_MADE_UP: Final = 64  # sources that nobody declared and that are watched by name; all others share one watch
_CLIENT: Final = "token:"  # before the name of a client that asks by itself
_ENCODE: Final = msgspec.json.Encoder().encode


class Watching:
    """What a guard sees of its sources. Safe to use from several threads.

    Args:
        inputs: the contract of each declared source, by source name.
        default: the contract of every other source.
        output: the contract of what leaves; where it declares consumers, others who ask are told.
        ledger: where changes are looked up that another process, or an earlier one, has told.
        system: as the manifest names it.
        seal: whether entries are encrypted.
        clock: UTC nanoseconds.
        process: which process counts.
        tell: takes an entry, to be written with the next decision.
    """

    def __init__(
        self,
        inputs: Mapping[str, Checker],
        default: Checker | None,
        output: Checker | None,
        *,
        ledger: Ledger,
        system: str,
        seal: bool,
        clock: Callable[[], int],
        process: str,
        tell: Callable[[Draft], None],
    ) -> None:
        self._inputs, self._default = inputs, default
        self._consumers = frozenset(() if output is None else (c.id for c in output.contract.terms.consumers))
        self._ledger, self._system, self._seal, self._clock = ledger, system, seal, clock
        self._tell = tell
        self.begin_anew(process)

    def begin_anew(self, process: str) -> None:
        """Count from nought: at the start, and after a fork."""
        self._lock = threading.Lock()
        self._process = process
        self._watches: dict[str, SchemaWatch] = {}
        self._made_up = 0
        self._asking = SchemaWatch("", None, process=process)
        self._known: set[str] = set()

    def see(self, passage: Passage, value: Any) -> None:
        """Look at one record that was offered, as its contract reads it; None where it could not be read."""
        source, asks = passage.source, self._consumers and passage.principal is not None
        watch = self._watches.get(source) or self._begin(source)
        if not passage.broken and watch.passes() and not asks and not (source and watch.undeclared):
            return  # as nearly all records do
        with self._lock:
            now = self._clock()
            told = watch.see(value, passage.broken, now)
            if source and watch.undeclared:
                told += watch.note(ChangeKind.UNDECLARED_SOURCE, source, now)
            if asks and passage.principal is not None:
                told += self._consumer(passage.principal.id)
            if told:
                self._write(told)

    def rest(self) -> Iterator[Draft]:
        """What was seen since it was last told; for the end of a process."""
        with self._lock:
            for watch in (*self._watches.values(), self._asking):
                for change in watch.rest():
                    yield self._draft(change, COUNTED)

    def gauges(self) -> Iterator[tuple[str, str, float]]:
        """Name, source and kind of change, and how many of them are known here; then how many records had them."""
        with self._lock:
            found = [(source, watch.counts) for source, watch in (*self._watches.items(), ("", self._asking))]
        for source, counts in found:
            for kind, (changes, records) in counts.items():
                of = " ".join(filter(None, (source, kind.value)))
                yield "plimsoll_source_changes", of, changes
                yield "plimsoll_source_changed_records", of, records

    def _begin(self, source: str) -> SchemaWatch:
        declared = source in self._inputs or not source
        with self._lock:
            if not declared and self._made_up >= _MADE_UP:
                source = ""
            if source not in self._watches:
                self._made_up += not declared
                checker = self._inputs.get(source, self._default)
                self._watches[source] = SchemaWatch(
                    source[:80],
                    checker,
                    process=self._process,
                    classification="" if checker is None else checker.classification,
                    undeclared=bool(self._inputs) and source not in self._inputs,
                )
            return self._watches[source]

    # -- under the lock

    def _consumer(self, who: str) -> tuple[SourceChange, ...]:
        self._asking.passes()
        if who in self._consumers or who.removeprefix(_CLIENT) in self._consumers:
            return ()
        return self._asking.note(ChangeKind.UNDECLARED_CONSUMER, who, self._clock())

    def _write(self, told: tuple[SourceChange, ...]) -> None:
        if any(change.id not in self._known for change in told):  # rare: somebody else may have told it already
            with contextlib.suppress(PlimsollError):  # told twice is better than not at all
                self._known.update(change.id for change in known_changes(self._ledger, self._system))
        for change in told:
            self._tell(self._draft(change, COUNTED if change.id in self._known else CHANGED))
            self._known.add(change.id)

    def _draft(self, change: SourceChange, kind: str) -> Draft:
        return Draft(kind=kind, system=self._system, body=_ENCODE(change), seal=self._seal)
