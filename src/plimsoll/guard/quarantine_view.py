"""What waits in quarantine, as a view of the ledger that can be dropped and folded again.

Counts are kept as the entries are folded, so that a list of groups costs the same however many records wait. Every
count is the sum over the records of what each of them adds, and what a record adds follows from all that is known of
it: streams are folded one after the other, in any order, and the sums come out the same.

Keys:
    ``r/<stream>-<position>``            what is known of one record
    ``i/<system>/<group>/<position>``    that it waits, under each group it stands in
    ``g/<system>/<group>``               how many wait in a group
    ``t/<system>``                       how many records there are in each status, and how many bytes wait
    ``w/<system>/<group>``               what was turned away because too much was waiting
    ``u/<id>``                           a replay of a group: who, what and under which contract
    ``s/<pseudonym>/<position>``         whose record it is, to be found when that person is erased
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from plimsoll.guard.quarantine_records import (
    DISCARDED,
    REPLAYED,
    RUN,
    Attempt,
    Closed,
    Count,
    Quarantined,
    Run,
    State,
    Totals,
)
from plimsoll.ledger import Entry, Table, parse_id
from plimsoll.ledger.projection import View
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import DecisionRecord, Disposition, Fault, Reason

ERASED: Final = "erased"
GROUP_ID: Final = re.compile(r"[0-9a-f]{10}", re.ASCII)
_POSITION: Final = re.compile(r"/[0-9]+(?=/|$)")


_READ_STATE: Final = msgspec.json.Decoder(State).decode
_READ_COUNT: Final = msgspec.json.Decoder(Count).decode
_READ_TOTALS: Final = msgspec.json.Decoder(Totals).decode
_READ_DECISION: Final = msgspec.json.Decoder(DecisionRecord).decode
_ENCODE: Final = msgspec.json.Encoder(order="sorted").encode  # a count is the same bytes in whatever order it grew


class QuarantineView:
    """The projection."""

    name = "quarantine"
    version = 5
    kinds = frozenset({"decision", REPLAYED, DISCARDED, RUN, ERASED})
    decisions = frozenset({Disposition.QUARANTINED.value, Disposition.SHED.value})

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        """Fold one entry in."""
        if entry.kind == "decision":
            self._decision(table, entry, body)
        elif entry.kind == ERASED:
            for key, _ in list(table.scan(f"s/{entry.subject}/")):
                place = key.rpartition("/")[2]
                state = _load(table, place)
                _save(table, place, state, _without_subject(state, entry.subject))
        elif entry.kind == RUN:
            table.put(f"u/{entry.id}", b"" if body is None else _ENCODE(_without_patch(body)))
        elif body is not None:
            closed = msgspec.json.decode(body, type=Closed)
            status = "replayed" if entry.kind == REPLAYED else "discarded"
            for record in (closed.record,) if closed.record else entry.refs:
                place = place_of(record)
                state, this = _load(table, place), (entry.time_ns, entry.id, status, closed)
                first = this if state.closed is None else min(state.closed, this, key=lambda c: c[:2])
                _save(table, place, state, msgspec.structs.replace(state, closed=first))

    def _decision(self, table: Table, entry: Entry, body: bytes | None) -> None:
        ended = "" if entry.header is None else entry.header.disposition
        if ended == Disposition.QUARANTINED.value:
            place = f"{entry.stream}-{entry.seq:013}"
            state = _load(table, place)
            _save(table, place, state, msgspec.structs.replace(state, found=_of_entry(entry, body)))
            if entry.subject:
                table.put(f"s/{entry.subject}/{place}", b"")
        elif ended == Disposition.SHED.value and body is not None:
            _count_turned_away(table, entry.system, _READ_DECISION(body))
        if entry.refs:
            place = place_of(entry.refs[0])
            state = _load(table, place)
            attempts = sorted((*state.attempts, _attempt(entry, body)), key=lambda a: (a.time_ns, a.record))
            _save(table, place, state, msgspec.structs.replace(state, attempts=tuple(attempts)))


def place_of(record: str) -> str:
    """The id with its position in full width, so that keys sort as a stream does."""
    stream, seq = parse_id(record) or (record, 0)
    return f"{stream}-{seq:013}"


def record_at(place: str) -> str:
    """The id of the record at a place."""
    stream, _, seq = place.rpartition("-")
    return f"{stream}-{int(seq)}"


def reason_text(reason: Reason) -> str:
    """A reason as groups are named by it; the place in a list is left out, or every place would be a group."""
    path = _POSITION.sub("/*", reason.path) if reason.path else "(record)"
    return f"{path}: {reason.fault.value} ({reason.rule})"


def group_id(source: str, reason: str) -> str:
    """The short name of a group, the same in every ledger."""
    return sha256(f"{source}\0{reason}".encode("utf-8", "backslashreplace")).hexdigest()[:10]


# -- reading


def state_of(view: View, record: str) -> State:
    """What is known of a record; an empty state when nothing is."""
    return _load(view, place_of(record))


def all_of(view: View) -> Iterator[Quarantined]:
    """Every record, stream by stream in the order of arrival."""
    for _, raw in view.scan("r/"):
        record = _READ_STATE(raw).record
        if record is not None:
            yield record if not record.run else with_run(view, record)


def waiting_in(view: View, system: str, group: str) -> Iterator[tuple[str, bool]]:
    """Ids of the records of a group that wait, in the order of arrival; and whether a replay had decided each.

    Such a replay has died before it could close the record.
    """
    for key, is_decided in view.scan(f"i/{system}/{group}/"):
        yield record_at(key.rpartition("/")[2]), bool(is_decided)


def with_run(view: View, record: Quarantined) -> Quarantined:
    """A record that was closed with its group, with who did that."""
    raw = view.get(f"u/{record.run}")
    return record if not raw else msgspec.structs.replace(record, by=msgspec.json.decode(raw, type=Run).by)


def systems_in(view: View, system: str | None) -> tuple[str, ...]:
    """The systems that share the ledger, or the one that is asked for."""
    if system is not None:
        return (system,)
    return tuple(key.removeprefix("t/") for key, _ in view.scan("t/"))


def counts_of(view: View, system: str, *, turned_away: bool = False) -> dict[str, Count]:
    """The groups that something waits in, by their short names; or what was turned away."""
    top = f"{'w' if turned_away else 'g'}/{system}/"
    return {key.rpartition("/")[2]: _READ_COUNT(raw) for key, raw in view.scan(top)}


def totals_of(view: View, system: str) -> Totals:
    """How many records of a system there are."""
    raw = view.get(f"t/{system}")
    return Totals() if raw is None else _READ_TOTALS(raw)


# -- folding


def _load(table: View, place: str) -> State:
    raw = table.get(f"r/{place}")
    return State() if raw is None else _READ_STATE(raw)


def _save(table: Table, place: str, before: State, after: State) -> None:
    table.put(f"r/{place}", _ENCODE(after))
    was, now = before.record, after.record
    if was is None and now is None:
        return
    if was is not None and now is not None and _adds(was) == _adds(now):
        return
    for record, one in ((was, -1), (now, 1)):
        if record is not None:
            _count(table, place, record, one)


def _adds(record: Quarantined) -> tuple[object, ...]:
    """What of a record the sums and the index rest on; the rest of it never changes but with these."""
    return record.status, record.reasons, record.became


def _count(table: Table, place: str, record: Quarantined, one: int) -> None:
    """Add what a record adds to the sums, or take it back."""
    waits = record.status == "new"
    totals = totals_of(table, record.system)
    records = dict(totals.records)
    records[record.status] = records.get(record.status, 0) + one
    left = {status: count for status, count in records.items() if count}
    size = totals.bytes + (one * record.size if waits else 0)
    table.put(f"t/{record.system}", _ENCODE(Totals(records=left, bytes=size)))
    if not waits:
        return
    for reason in {reason_text(r) for r in record.reasons}:
        name = group_id(record.source, reason)
        index = f"i/{record.system}/{name}/{place}"
        _count_in(table, f"g/{record.system}/{name}", record.source, reason, one, one * record.size)
        if one > 0:
            table.put(index, b"decided" if record.became else b"")
        else:
            table.delete(index)


def _count_in(table: Table, key: str, source: str, reason: str, records: int, size: int) -> None:
    raw = table.get(key)
    count = Count(source=source, reason=reason, records=0, bytes=0) if raw is None else _READ_COUNT(raw)
    count = _add(count, records, size)
    if count.records:
        table.put(key, _ENCODE(count))
    else:
        table.delete(key)


def _add(count: Count, records: int, size: int) -> Count:
    return msgspec.structs.replace(count, records=count.records + records, bytes=count.bytes + size)


def _count_turned_away(table: Table, system: str, kept: DecisionRecord) -> None:
    if kept.turned_away is None:
        return
    for reason in {reason_text(r) for r in kept.broken[:1]}:
        key = f"w/{system}/{group_id(kept.source, reason)}"
        _count_in(table, key, kept.source, reason, 1, kept.turned_away.size)


def _of_entry(entry: Entry, body: bytes | None) -> Quarantined:
    assert entry.header is not None, "a decision has a header"
    replay_of = entry.refs[0] if entry.refs else ""
    if body is None:
        return _erased(entry.id, entry.header.type, entry.time_ns, entry.system, replay_of)
    kept = _READ_DECISION(body)
    offered = kept.offered
    return Quarantined(
        record=entry.id,
        type=entry.header.type,
        source=kept.source,
        contract=kept.contract,
        contract_version=kept.contract_version,
        time_ns=entry.time_ns,
        # A load test sends the feed over and over; the same records wait once, from the contracts assessment.
        status="rehearsal" if kept.rehearsal else "new",
        reasons=kept.broken,
        release=kept.release,
        system=entry.system,
        replay_of=replay_of,
        offset=kept.offset,
        parse=_parse_state(kept),
        size=len(offered),
        digest=digest_bytes(offered),
    )


def _parse_state(kept: DecisionRecord) -> str:
    if kept.input_json is not None:
        return "parsed"
    return "unread" if any(r.fault is Fault.TOO_LARGE for r in kept.broken) else "unparseable"


def _erased(record: str, type_: str, time_ns: int, system: str, replay_of: str) -> Quarantined:
    """What is left of an erased one: that it was quarantined."""
    return Quarantined(
        record=record,
        type=type_,
        source="",
        contract="",
        time_ns=time_ns,
        system=system,
        status="erased",
        replay_of=replay_of,
    )


def _without_subject(state: State, subject: str) -> State:
    """The same as if it had been folded after the subject was erased."""
    found = state.found
    assert found is not None, "only a quarantined record is listed under its subject"
    attempts = tuple(
        msgspec.structs.replace(a, release="", given="") if a.subject == subject else a for a in state.attempts
    )
    left = _erased(found.record, found.type, found.time_ns, found.system, found.replay_of)
    return msgspec.structs.replace(state, found=left, attempts=attempts)


def _without_patch(body: bytes) -> Run:
    """A patch may hold values of records, and a view is not encrypted."""
    run = msgspec.json.decode(body, type=Run)
    return msgspec.structs.replace(run, patch=digest_bytes(run.patch.encode()) if run.patch else "")


def _attempt(entry: Entry, body: bytes | None) -> Attempt:
    disposition = "" if entry.header is None else entry.header.disposition
    run = entry.refs[1] if len(entry.refs) > 1 else ""
    bare = Attempt(time_ns=entry.time_ns, record=entry.id, disposition=disposition, subject=entry.subject, run=run)
    if body is None:
        return bare
    kept = _READ_DECISION(body)
    return msgspec.structs.replace(bare, release=kept.release, given=digest_bytes(kept.offered))
