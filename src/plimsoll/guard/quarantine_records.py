"""What is known of quarantined records: bodies of entries, and what the view keeps of each."""

from __future__ import annotations

from typing import Final

import msgspec

from plimsoll.model.decision import Disposition, Reason

REPLAYED: Final = "quarantine.replayed"
DISCARDED: Final = "quarantine.discarded"
RUN: Final = "quarantine.replay"  # a replay of a group begins; decisions that it takes refer to this entry
RUN_ENDED: Final = "quarantine.replay.ended"  # what it came to
TURNED_AWAY: Final = "quarantine-full"  # why a broken record was shed: too much waits already

DECIDES: Final = frozenset({Disposition.ANSWERED, Disposition.HELD})  # otherwise the record still waits for somebody


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """One quarantined record, without its bytes."""

    record: str  # id of the decision
    type: str
    source: str
    contract: str  # id and digest of the contract that it breaks
    time_ns: int  # when it was received
    # new; replayed: decided as it came; fixed: decided after it was mended; discarded; erased; rehearsal: from a load
    # test; attempt: a replay that was quarantined again
    status: str = "new"
    reasons: tuple[Reason, ...] = ()
    release: str = ""
    by: str = ""  # who closed it
    why: str = ""  # why it was discarded
    became: str = ""  # id of the decision that its replay gave
    system: str = ""
    replay_of: str = ""  # id of the record that an attempt was to mend; that one waits, the attempt does not
    run: str = ""  # id of the replay of a group that closed it
    contract_version: str = ""
    offset: str = ""  # where it stood in its feed: "claims.jsonl:17"; "" where nobody said
    parse: str = ""  # parsed; unparseable: it is no JSON; unread: it is too large to be looked at
    size: int = 0  # bytes that were offered
    digest: str = ""  # ``sha256:`` and the hex digest of them


class Closed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a ``quarantine.replayed`` or ``quarantine.discarded`` entry."""

    record: str = ""  # "": of several, which the entry refers to
    by: str
    became: str = ""
    reason: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a ``quarantine.replay`` entry: a replay of a group, written before its first decision."""

    by: str
    source: str
    reason: str
    contract: str  # id and digest of the contract that records are held against; "" where none is
    release: str
    contract_version: str = ""
    patch: str = ""  # the JSON Patch that mends each record; "": they go as they came
    waiting: int = 0  # records in the group when it began


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One replay of a record, as the guard decided it."""

    time_ns: int
    record: str  # id of its decision
    disposition: str
    release: str = ""
    given: str = ""  # digest of what was sent
    subject: str = ""  # pseudonym
    run: str = ""  # the replay of a group that it is part of; what that decides is closed by it


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one record. Streams are folded one after the other, so any of it can come first."""

    found: Quarantined | None = None  # None: its decision has not been folded yet, or was no quarantine
    closed: tuple[int, str, str, Closed] | None = None  # time, id of the entry, status, its body; the earliest counts
    attempts: tuple[Attempt, ...] = ()  # by time

    @property
    def record(self) -> Quarantined | None:
        """The record with what became of it; who closed it with a group stands at the run."""
        found = self.found
        if found is None or not (self.closed or self.attempts or found.replay_of):
            return found
        replace = msgspec.structs.replace
        group = next((a for a in self.attempts if a.run and a.disposition in DECIDES), None)
        if group is not None and (self.closed is None or (group.time_ns, group.record) < self.closed[:2]):
            return replace(found, status=self._mended(group.record), became=group.record, run=group.run)
        if self.closed is None:
            attempt = found.status == "new" and found.replay_of
            return replace(found, became=self.decided, status="attempt" if attempt else found.status)
        _, _, status, closed = self.closed
        if status == "replayed":
            status = self._mended(closed.became)
        return replace(found, status=status, by=closed.by, became=closed.became, why=closed.reason)

    def _mended(self, became: str) -> str:
        """Whether what was decided is what had come."""
        given = next((a.given for a in self.attempts if a.record == became), "")
        return "fixed" if given and self.found is not None and self.found.digest not in {"", given} else "replayed"

    @property
    def decided(self) -> str:
        """The first replay that left nothing to do, whether or not somebody lived to close the record; "" if none."""
        return next((a.record for a in self.attempts if a.disposition in DECIDES), "")


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one source that broke the same rule at the same place: how many, and how many bytes they have."""

    source: str
    reason: str
    records: int
    bytes: int


class Totals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All records of a system."""

    records: dict[str, int] = {}  # status -> how many
    bytes: int = 0  # of those that wait

    @property
    def waiting(self) -> int:
        """How many wait for somebody."""
        return self.records.get("new", 0)
