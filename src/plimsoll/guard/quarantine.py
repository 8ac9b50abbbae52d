"""Quarantine: what could not be processed; looked at, sent through again, or discarded, one record at a time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from plimsoll.errors import InputError
from plimsoll.guard.guard import Guard
from plimsoll.guard.quarantine_records import DECIDES, DISCARDED, REPLAYED, Closed, Count, Quarantined, State
from plimsoll.guard.quarantine_turn import Turn
from plimsoll.guard.quarantine_view import QuarantineView, all_of, counts_of, state_of, systems_in, waiting_in, with_run
from plimsoll.ledger import Draft, Ledger, Reserve, Taken, View
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import Answer, DecisionRecord, Disposition


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one source that broke the same rule at the same place, and wait."""

    group: str  # its short name
    system: str
    source: str
    reason: str
    count: int
    bytes: int
    example: str  # id of the first of them
    since_ns: int  # when that one was received


def quarantined(ledger: Ledger, *, status: str | None = "new", system: str | None = None) -> Iterator[Quarantined]:
    """The quarantined records, stream by stream in the order of arrival.

    Args:
        ledger: where they are.
        status: only of this one; None: of any.
        system: only of this one; None: of all that share the ledger.
    """
    for record in all_of(ledger.view(QuarantineView())):
        if status in {None, record.status} and system in {None, record.system}:
            yield record


def grouped(ledger: Ledger, *, system: str | None = None) -> tuple[Group, ...]:
    """Open records by source and by each rule they break; the largest group first.

    A record that breaks two rules stands in two groups, so counts can add up to more than there are records.
    """
    view = ledger.view(QuarantineView())
    found = [_group(view, of, name, c) for of in systems_in(view, system) for name, c in counts_of(view, of).items()]
    return tuple(sorted(found, key=lambda group: (-group.count, group.source, group.reason)))


def _group(view: View, system: str, name: str, count: Count) -> Group:
    example, _ = next(waiting_in(view, system, name))
    first = state_of(view, example).record
    return Group(
        group=name,
        system=system,
        source=count.source,
        reason=count.reason,
        count=count.records,
        bytes=count.bytes,
        example=example,
        since_ns=0 if first is None else first.time_ns,
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


def _find(ledger: Ledger, record: str) -> tuple[Quarantined, State]:
    view = ledger.view(QuarantineView())
    state = state_of(view, record)
    found = state.record
    if found is None:
        raise InputError(
            f"'{record}' is not a quarantined record", fix="`plimsoll quarantine list --records` names them"
        )
    return (with_run(view, found) if found.run else found), state


def original_bytes(kept: DecisionRecord) -> bytes:
    """What was offered, byte for byte; of a JSON value without the blanks around it, which are no part of it."""
    return kept.offered


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
        UsageError: somebody else is replaying or discarding records.
        VerificationFailed: its payload was erased.
    """
    find_quarantined(guard.ledger, record)  # before anybody has to wait
    with Turn(guard.ledger, guard.settings.system):
        return _replay(guard, record, by, fixed)


def _replay(guard: Guard, record: str, by: str, fixed: bytes | None) -> Answer:
    ledger, system = guard.ledger, guard.settings.system
    found, state = _find(ledger, record)
    _, kept = find_quarantined(ledger, record)
    if found.system != system:
        raise InputError(f"{record} is of the system '{found.system}', not of '{system}'", fix="name its own manifest")
    _refuse_closed(found)
    given = original_bytes(kept) if fixed is None else fixed
    before = state.decided or _same(state, digest_bytes(given), guard.settings.release)
    answer = guard.recall.recorded(before) if before else _decide(guard, found, given, len(state.attempts))
    if answer.disposition in DECIDES:
        close(ledger, system, REPLAYED, Closed(record=record, by=by, became=answer.record))
    return answer


def _same(state: State, given: str, release: str) -> str:
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
    _find(ledger, record)  # before anybody has to wait
    if not reason.strip():
        raise InputError("a record is discarded for a reason", fix="say why: --reason '…'")
    with Turn(ledger, system):
        found, _ = _find(ledger, record)
        _refuse_closed(found)
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
