"""What has changed at the sources, as the ledger tells it: one line for each change, over all processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from plimsoll.errors import PlimsollError
from plimsoll.ledger import Ledger
from plimsoll.model.source_change import CHANGED, COUNTED, ChangeKind, SourceChange

_DECODE: Final = msgspec.json.Decoder(SourceChange).decode


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One change, over all processes that saw it."""

    kind: ChangeKind
    source: str
    contract: str
    what: str  # the field, dotted; the source; the consumer
    examples: tuple[str, ...]
    likely: str  # the old name of a new field; "": none is likely
    why: str
    first_ns: int  # UTC nanoseconds
    seen: int  # records
    of: int  # records of the source in the processes that saw it, since they began to watch
    entry: str  # id of the entry that told it first

    @property
    def share(self) -> float:
        """Of the records of the source, in [0, 1]."""
        return self.seen / self.of if self.of else 0.0


def known_changes(ledger: Ledger, system: str, *, after: Mapping[str, int] | None = None) -> Iterator[SourceChange]:
    """Every entry about changes that can be read, the counts of each process in their order."""
    for _, change in _entries(ledger, system, after):
        yield change


def _entries(ledger: Ledger, system: str, after: Mapping[str, int] | None) -> Iterator[tuple[str, SourceChange]]:
    for entry in ledger.entries(kinds=(CHANGED, COUNTED), system=system, after=after):
        try:
            yield entry.id, _DECODE(ledger.body(entry))
        except (PlimsollError, msgspec.MsgspecError):
            continue  # damaged, or of a later version: `ledger verify` names it


def changes_of(ledger: Ledger, system: str) -> tuple[Seen, ...]:
    """What has changed at the sources of a system, the latest first."""
    latest: dict[str, dict[str, SourceChange]] = {}  # by change, then by process
    first: dict[str, tuple[int, str]] = {}
    for entry, change in _entries(ledger, system, None):
        by_process = latest.setdefault(change.id, {})
        before = by_process.get(change.process)
        if before is None or before.seen <= change.seen:
            by_process[change.process] = change
        first[change.id] = min(first.get(change.id, (change.first_ns, entry)), (change.first_ns, entry))
    found = [_merged(tuple(by_process.values()), *first[id_]) for id_, by_process in latest.items()]
    return tuple(sorted(found, key=lambda seen: (-seen.first_ns, seen.source, seen.what)))


def _merged(counts: tuple[SourceChange, ...], first_ns: int, entry: str) -> Seen:
    most = max(counts, key=lambda change: change.seen)
    examples = dict.fromkeys(example for change in counts for example in change.examples)
    return Seen(
        kind=most.kind,
        source=most.source,
        contract=most.contract,
        what=most.what,
        examples=tuple(examples)[:3],
        likely=most.likely,
        why=most.why,
        first_ns=first_ns,
        seen=sum(change.seen for change in counts),
        of=sum(change.of for change in counts),
        entry=entry,
    )
