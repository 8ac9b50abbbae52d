"""Quarantine: what could not be processed, as a view of the ledger that can be dropped and folded again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from plimsoll.errors import InputError
from plimsoll.guard.guard import Guard
from plimsoll.ledger import Draft, Entry, Ledger, Reserve, Table, Taken, parse_id
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import Answer, DecisionRecord, Disposition, Reason

REPLAYED: Final = "quarantine.replayed"
DISCARDED: Final = "quarantine.discarded"
ERASED: Final = "erased"

_DECIDES: Final = frozenset({Disposition.ANSWERED, Disposition.HELD})  # otherwise the record still waits for somebody


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """One quarantined record, without its bytes."""

    record: str  # id of the decision
    type: str
    source: str
    contract: str
    time_ns: int
    # new, replayed, discarded, erased; rehearsal: from a load test; attempt: a replay that was quarantined again
    status: str = "new"
    reasons: tuple[Reason, ...] = ()
    release: str = ""
    by: str = ""  # who closed it
    became: str = ""  # id of the decision that its replay gave
    system: str = ""
    replay_of: str = ""  # id of the record that an attempt was to mend; that one waits, the attempt does not


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one source that broke the same rule at the same place."""

    source: str
    reason: str
    count: int
    example: str  # id of one of them


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``quarantine.replayed`` or ``quarantine.discarded`` entry."""

    record: str
    by: str
    became: str = ""
    reason: str = ""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One replay of a record, as the guard decided it."""

    time_ns: int
    record: str  # id of its decision
    disposition: str
    release: str = ""
    given: str = ""  # digest of what was sent
    subject: str = ""  # pseudonym


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one record. Streams are folded one after the other, so any of it can come first."""

    found: Quarantined | None = None  # None: its decision has not been folded yet, or was no quarantine
    closed: tuple[int, str, str, Closed] | None = None  # time, id of the entry, status, its body; the earliest counts
    attempts: tuple[Attempt, ...] = ()  # by time

    @property
    def record(self) -> Quarantined | None:
        """The record with what became of it."""
        if self.found is None:
            return None
        if self.closed is None:
            attempt = self.found.status == "new" and self.found.replay_of
            return msgspec.structs.replace(
                self.found, became=self.decided, status="attempt" if attempt else self.found.status
            )
        _, _, status, closed = self.closed
        return msgspec.structs.replace(self.found, status=status, by=closed.by, became=closed.became)

    @property
    def decided(self) -> str:
        """The first replay that left nothing to do, whether or not somebody lived to close the record; "" if none."""
        return next((a.record for a in self.attempts if a.disposition in _DECIDES), "")


class QuarantineView:
    """The projection: every quarantined record under ``r/<stream>-<position>``, by subject under ``s/``."""

    name = "quarantine"
    version = 4
    kinds = frozenset({"decision", REPLAYED, DISCARDED, ERASED})

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        """Fold one entry in."""
        if entry.kind == "decision":
            self._decision(table, entry, body)
        elif entry.kind == ERASED:
            for key, _ in list(table.scan(f"s/{entry.subject}/")):
                place = key.rpartition("/")[2]
                state = _load(table, place)
                _save(table, place, _without_subject(state, entry.subject))
        elif body is not None:
            closed = msgspec.json.decode(body, type=Closed)
            place, status = _place(closed.record), "replayed" if entry.kind == REPLAYED else "discarded"
            state, this = _load(table, place), (entry.time_ns, entry.id, status, closed)
            first = this if state.closed is None else min(state.closed, this, key=lambda c: c[:2])
            _save(table, place, msgspec.structs.replace(state, closed=first))

    def _decision(self, table: Table, entry: Entry, body: bytes | None) -> None:
        if entry.header is not None and entry.header.disposition == Disposition.QUARANTINED.value:
            place = _place(entry.id)
            _save(table, place, msgspec.structs.replace(_load(table, place), found=_of_entry(entry, body)))
            if entry.subject:
                table.put(f"s/{entry.subject}/{place}", b"")
        for replayed in entry.refs:
            place = _place(replayed)
            state = _load(table, place)
            attempts = sorted((*state.attempts, _attempt(entry, body)), key=lambda a: (a.time_ns, a.record))
            _save(table, place, msgspec.structs.replace(state, attempts=tuple(attempts)))


def _place(record: str) -> str:
    """The id with its position in full width, so that keys sort as a stream does."""
    stream, seq = parse_id(record) or (record, 0)
    return f"{stream}-{seq:013}"


def _load(table: Table, place: str) -> _State:
    raw = table.get(f"r/{place}")
    return _State() if raw is None else msgspec.json.decode(raw, type=_State)


def _save(table: Table, place: str, state: _State) -> None:
    table.put(f"r/{place}", msgspec.json.encode(state))


def _of_entry(entry: Entry, body: bytes | None) -> Quarantined:
    assert entry.header is not None, "a decision has a header"
    bare = Quarantined(
        record=entry.id,
        type=entry.header.type,
        source="",
        contract="",
        time_ns=entry.time_ns,
        system=entry.system,
        replay_of=entry.refs[0] if entry.refs else "",
    )
    if body is None:
        return _without_content(bare)
    kept = msgspec.json.decode(body, type=DecisionRecord)
    return msgspec.structs.replace(
        bare,
        source=kept.source,
        contract=kept.contract,
        reasons=kept.broken,
        release=kept.release,
        # A load test sends the feed over and over; the same records wait once, from the contracts assessment.
        status="rehearsal" if kept.rehearsal else "new",
    )


def _without_content(record: Quarantined) -> Quarantined:
    """What is left of an erased one: that it was quarantined."""
    return Quarantined(
        record=record.record,
        type=record.type,
        source="",
        contract="",
        time_ns=record.time_ns,
        system=record.system,
        status="erased",
        replay_of=record.replay_of,
    )


def _without_subject(state: _State, subject: str) -> _State:
    """The same as if it had been folded after the subject was erased."""
    assert state.found is not None, "only a quarantined record is listed under its subject"
    attempts = tuple(
        msgspec.structs.replace(a, release="", given="") if a.subject == subject else a for a in state.attempts
    )
    return msgspec.structs.replace(state, found=_without_content(state.found), attempts=attempts)


def _attempt(entry: Entry, body: bytes | None) -> Attempt:
    disposition = "" if entry.header is None else entry.header.disposition
    bare = Attempt(time_ns=entry.time_ns, record=entry.id, disposition=disposition, subject=entry.subject)
    if body is None:
        return bare
    kept = msgspec.json.decode(body, type=DecisionRecord)
    return msgspec.structs.replace(bare, release=kept.release, given=digest_bytes(original_bytes(kept)))


def quarantined(ledger: Ledger, *, status: str | None = "new", system: str | None = None) -> Iterator[Quarantined]:
    """The quarantined records, stream by stream in the order of arrival.

    Args:
        ledger: where they are.
        status: only of this one; None: of any.
        system: only of this one; None: of all that share the ledger.
    """
    for _, raw in ledger.view(QuarantineView()).scan("r/"):
        record = msgspec.json.decode(raw, type=_State).record
        if record is not None and status in {None, record.status} and system in {None, record.system}:
            yield record


def grouped(ledger: Ledger, *, system: str | None = None) -> tuple[Group, ...]:
    """Open records by source and by each rule they break; the largest group first.

    A record that breaks two rules stands in two groups, so counts can add up to more than there are records.
    """
    groups: dict[tuple[str, str], tuple[int, str]] = {}
    for record in quarantined(ledger, system=system):
        for reason in {f"{r.path or '(record)'}: {r.fault.value} ({r.rule})" for r in record.reasons}:
            count, example = groups.get((record.source, reason), (0, record.record))
            groups[record.source, reason] = (count + 1, example)
    return tuple(
        Group(source=source, reason=reason, count=count, example=example)
        for (source, reason), (count, example) in sorted(groups.items(), key=lambda g: (-g[1][0], g[0]))
    )


def find_quarantined(ledger: Ledger, record: str) -> tuple[Quarantined, DecisionRecord]:
    """One quarantined record and what stands in the ledger of it.

    Raises:
        InputError: there is no such record in quarantine.
        VerificationFailed: its payload was erased.
    """
    found, _ = _find(ledger, record)
    entry = ledger.get(record)
    assert entry is not None, "views are folded from what is there"
    return found, msgspec.json.decode(ledger.body(entry), type=DecisionRecord)


def _find(ledger: Ledger, record: str) -> tuple[Quarantined, _State]:
    raw = ledger.view(QuarantineView()).get(f"r/{_place(record)}")
    state = _State() if raw is None else msgspec.json.decode(raw, type=_State)
    found = state.record
    if found is None:
        raise InputError(
            f"'{record}' is not a quarantined record", fix="`plimsoll quarantine list --records` names them"
        )
    return found, state


def original_bytes(kept: DecisionRecord) -> bytes:
    """What was offered, byte for byte; of a JSON value without the blanks around it, which are no part of it."""
    return kept.raw_bytes if kept.input_json is None else kept.input_json


def replay(guard: Guard, record: str, *, by: str, fixed: bytes | None = None) -> Answer:
    """Send a quarantined record through the guard again, and close it once it is answered or held.

    It is decided once: the same bytes give the same decision again, other bytes are refused while a replay is under
    way, and a replay that broke off before it could close the record is closed by the next. One that is quarantined
    again, or fails, leaves the record open.

    Args:
        guard: of the system it belongs to.
        record: its id.
        by: contact of who does it.
        fixed: the mended record; None: as it came (its contract may have changed since).

    Raises:
        InputError: there is no such record here, or it is closed already.
        UsageError: somebody else is replaying it.
        VerificationFailed: its payload was erased.
    """
    ledger, system = guard.ledger, guard.settings.system
    found, state = _find(ledger, record)
    _, kept = find_quarantined(ledger, record)
    if found.system != system:
        raise InputError(f"{record} is of the system '{found.system}', not of '{system}'", fix="name its own manifest")
    _refuse_closed(found)
    given = original_bytes(kept) if fixed is None else fixed
    before = state.decided or _same(state, digest_bytes(given), guard.settings.release)
    answer = guard.recorded(before) if before else _decide(guard, found, given, len(state.attempts))
    if answer.disposition in _DECIDES:
        close(ledger, system, REPLAYED, Closed(record=record, by=by, became=answer.record))
    return answer


def _same(state: _State, given: str, release: str) -> str:
    """An earlier replay that must come out as this one would: the same bytes, quarantined by the same release."""
    like = Disposition.QUARANTINED.value, given, release
    return next((a.record for a in state.attempts if (a.disposition, a.given, a.release) == like), "")


def _decide(guard: Guard, found: Quarantined, given: bytes, attempts: int) -> Answer:
    entry = guard.ledger.get(found.record)
    assert entry is not None, "it was found"
    return guard.decide(
        found.type,
        given,
        subject=guard.ledger.subject_of(entry),  # erasing the subject erases what became of it, too
        source=found.source,
        key=f"replay:{found.record}:{attempts}",
        replay_of=found.record,
    )


def discard(ledger: Ledger, system: str, record: str, *, by: str, reason: str) -> str:
    """Close a quarantined record without a decision; gives the id of the entry.

    Raises:
        InputError: there is no such record, it is closed already, or no reason is given.
    """
    found, _ = _find(ledger, record)
    _refuse_closed(found)
    if not reason.strip():
        raise InputError("a record is discarded for a reason", fix="say why: --reason '…'")
    return close(ledger, system, DISCARDED, Closed(record=record, by=by, reason=reason))


def _refuse_closed(found: Quarantined) -> None:
    if found.status == "attempt":
        raise InputError(
            f"{found.record} is an attempt to mend {found.replay_of}", fix=f"replay or discard {found.replay_of}"
        )
    if found.status != "new":
        raise InputError(
            f"{found.record} is {found.status} already" + (f", as {found.became}" if found.became else ""),
            fix="`plimsoll quarantine list --records` names the open ones",
        )


def close(ledger: Ledger, system: str, kind: str, closed: Closed) -> str:
    """Record that a quarantined record is closed, once.

    Raises:
        InputError: somebody else has closed it meanwhile.
    """
    refs = (closed.record, closed.became) if closed.became else (closed.record,)
    draft = Draft(kind=kind, system=system, refs=refs, body=msgspec.json.encode(closed))
    try:
        return ledger.append(draft, (Reserve(space=f"quarantine.closed:{system}", key=closed.record),))
    except Taken as taken:
        raise InputError(
            f"{closed.record} was closed by somebody else at the same time"
            + (f"; it was decided as {closed.became} nevertheless" if closed.became else ""),
            fix="`plimsoll quarantine list --all --records` says by whom",
        ) from taken
