"""What was said of a decision since it was taken: feedback, its outcome, a verdict. Each is an entry of its own."""

from __future__ import annotations

import enum
from typing import Any, Final

import msgspec

from plimsoll.attest.moments import to_text
from plimsoll.guard.quarantine_records import REPLAYED
from plimsoll.guard.quarantine_view import QuarantineView, state_of
from plimsoll.ledger import Draft, Entry, Ledger, Table
from plimsoll.model.decision import Disposition

FEEDBACK: Final = "feedback"
OUTCOME: Final = "outcome"


class Judged(enum.StrEnum):
    """What somebody who used an answer says of it."""

    RIGHT = "right"
    WRONG = "wrong"
    UNCLEAR = "unclear"


class Feedback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a user says of an answer. The body of a ``feedback`` entry."""

    judged: Judged
    by: str = ""  # who says it, as the client names them
    comment: str = ""
    correction: Any = None  # what the answer should have been


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What turned out to be true. The body of an ``outcome`` entry."""

    value: Any
    observed_at: str = ""  # RFC 3339
    source: str = ""  # how it is known


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One later entry about a decision."""

    kind: str
    entry: str
    time: str  # RFC 3339, UTC


class SinceView:
    """The projection: later entries under the id of the decision they speak of."""

    name = "since"
    version = 1
    kinds = frozenset({FEEDBACK, OUTCOME, "released", "rejected", "quarantine.replayed", "quarantine.discarded"})

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:  # noqa: ARG002 - the shape of a fold
        """Fold one entry in."""
        said = msgspec.json.encode(Said(kind=entry.kind, entry=entry.id, time=to_text(entry.time_ns)))
        for ref in entry.refs:
            table.put(f"{ref}/{entry.time_ns:020}-{entry.id}", said)


def said_since(ledger: Ledger, record: str) -> tuple[Said, ...]:
    """What was said of a decision since, the oldest first."""
    said = [msgspec.json.decode(raw, type=Said) for _, raw in ledger.view(SinceView()).scan(f"{record}/")]
    became = _replayed_with_its_group(ledger, record)
    if became is not None:
        said.append(Said(kind=REPLAYED, entry=became.id, time=to_text(became.time_ns)))
    return tuple(sorted(said, key=lambda each: each.time))


def _replayed_with_its_group(ledger: Ledger, record: str) -> Entry | None:
    """The decision that closed a quarantined record, where no entry but that decision says so."""
    entry = ledger.get(record)
    if entry is None or entry.header is None or entry.header.disposition != Disposition.QUARANTINED.value:
        return None
    found = state_of(ledger.view(QuarantineView()), record).record
    return ledger.get(found.became) if found is not None and found.run else None


def say(ledger: Ledger, decision: Entry, what: Feedback | Outcome) -> Draft:
    """The entry that says it. It is sealed as the decision is, under the same subject: erasing one erases the other."""
    return Draft(
        kind=FEEDBACK if isinstance(what, Feedback) else OUTCOME,
        system=decision.system,
        subject=ledger.subject_of(decision),
        refs=(decision.id,),
        body=msgspec.json.encode(what),
        seal=decision.sealed,
    )
