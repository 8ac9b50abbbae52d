"""A group of quarantined records, mended, sent through again or discarded together.

Decisions are written in batches, each in one transaction: what a decision of a replay closes is closed by the decision
itself, so that a crash leaves every record either waiting or decided, and never both or neither.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from plimsoll.contract import Checker
from plimsoll.contract.patch import Operation, apply_patch
from plimsoll.errors import Conflict, InputError
from plimsoll.guard.guard import Guard
from plimsoll.guard.intake import take_in
from plimsoll.guard.passage import Passage
from plimsoll.guard.quarantine_records import DECIDES, DISCARDED, REPLAYED, RUN, RUN_ENDED, Closed, Count, Run
from plimsoll.guard.quarantine_turn import Turn
from plimsoll.guard.quarantine_view import QuarantineView, counts_of, state_of, waiting_in
from plimsoll.guard.windows import Windows
from plimsoll.ledger import Draft, Entry, Ledger, Taken, View
from plimsoll.model.decision import DecisionRecord, Reason

BATCH: Final = 1000  # records in one transaction
_BATCH_S: Final = 0.25  # and no longer: what a crash would have to do again
_IN_A_ROW: Final = 100  # replays that decide nothing, one after the other: the target is down, and the rest waits

_READ: Final = msgspec.json.Decoder(DecisionRecord).decode


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to each record before it is sent through again."""

    patch: tuple[Operation, ...] = ()  # none: they go as they came
    text: str = ""  # the patch as it was given, for the record


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay of a group came to. The body of a ``quarantine.replay.ended`` entry."""

    run: str  # id of the entry that began it
    waiting: int  # records in the group when it began
    ended: dict[str, int] = {}  # disposition -> decisions; answered and held ones are closed, the others wait
    still_broken: int = 0  # they break the contract as before: nothing was asked, they wait
    not_patched: int = 0  # the patch does not apply to them, they wait
    already: int = 0  # an earlier replay had decided them and died before it could close them
    erased: int = 0  # nothing is left of them
    stopped: str = ""  # why the rest was not tried; "" when all were


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a group, before and after the fix."""

    record: str
    before: str
    after: str  # "" when the patch does not apply
    why: str  # why it does not
    reasons: tuple[Reason, ...] = ()  # what it would break then; none: it would pass


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a fix would do to a group; nothing was asked of the target, and nothing is written."""

    waiting: int
    would_pass: int
    still_broken: int
    not_patched: int
    reasons: dict[str, int]  # what those that do not pass would break, and how many do
    samples: tuple[Sample, ...]


def find_group(view: View, system: str, group: str) -> Count:
    """What a group is.

    Raises:
        InputError: nothing waits under this name.
    """
    found = counts_of(view, system).get(group)
    if found is None:
        raise InputError(
            f"no quarantined records wait in a group '{group}'", fix="`plimsoll quarantine list` names the groups"
        )
    return found


def preview(
    ledger: Ledger,
    system: str,
    group: str,
    fix: Fix,
    checker: Checker | None,
    *,
    samples: int,
    windows: Windows | None = None,
) -> Preview:
    """How many of a group would keep the contract after a fix, and what the fix does to the first of them.

    Args:
        ledger: where they are.
        system: whose.
        group: its short name.
        fix: what is done to each.
        checker: the contract they would be held against; None: there is none.
        samples: how many to show, at least 0.
        windows: filled; compare each with the records before it, and with those of the group that would pass.

    Raises:
        InputError: nothing waits in the group.
    """
    view = ledger.view(QuarantineView())
    count = find_group(view, system, group)
    shown: list[Sample] = []
    passed = broken = unpatched = 0
    reasons: Counter[str] = Counter()
    for entry, kept in _records(ledger, (record for record, _ in waiting_in(view, system, group))):
        if kept is None:
            continue
        given, why = mended(kept, fix)
        type_ = "" if entry.header is None else entry.header.type
        found = () if given is None else _check(given, checker, windows, type_, count.source)
        passed += given is not None and not found
        broken += bool(found)
        unpatched += given is None
        reasons.update({f"{r.path or '(record)'}: {r.fault.value} ({r.rule})" for r in found} if not why else {why})
        if len(shown) < samples:
            after = "" if given is None else given.decode("utf-8", "backslashreplace")
            before = kept.offered.decode("utf-8", "backslashreplace")
            shown.append(Sample(record=entry.id, before=before, after=after, why=why, reasons=found))
    return Preview(
        waiting=count.records,
        would_pass=passed,
        still_broken=broken,
        not_patched=unpatched,
        reasons=dict(reasons.most_common(20)),
        samples=tuple(shown),
    )


def _check(
    given: bytes, checker: Checker | None, windows: Windows | None, type_: str, source: str
) -> tuple[Reason, ...]:
    intake = take_in(given)
    if intake.reasons or checker is None:
        return intake.reasons
    checked = checker.check(intake.value)
    if checked.reasons or windows is None:
        return checked.reasons
    compared = windows.judge(type_, source, checked.value)
    return compared if isinstance(compared, tuple) else ()


def mended(kept: DecisionRecord, fix: Fix) -> tuple[bytes | None, str]:
    """What stands for a record after the fix, or None and why there is nothing."""
    if not fix.patch:
        return kept.offered, ""
    raw = kept.input_json
    if raw is None:
        return None, "the record is no JSON, so no patch applies to it"
    done = apply_patch(fix.patch, msgspec.json.decode(raw))
    return (None, done.why) if done.why else (_encoded(done.value), "")


def _encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # whole numbers beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def replay_group(
    guard: Guard,
    group: str,
    fix: Fix,
    *,
    by: str,
    tick: Callable[[int], None] = lambda _: None,
    batch: int = BATCH,
) -> Outcome:
    """Send every record of a group that waits through the guard again, and close what is answered or held.

    Each is decided once, also when this is broken off and begun again. A record that breaks its contract as before is
    not asked about and leaves no entry: it is counted, and waits.

    Args:
        guard: of the system they belong to.
        group: its short name.
        fix: what is done to each before.
        by: contact of who does it.
        tick: told how many were seen, after each batch.
        batch: records in one transaction.

    Raises:
        InputError: nothing waits in the group.
        Conflict: somebody else is at work in the quarantine.
        VerificationFailed: the ledger's record of one was altered.
    """
    ledger, system = guard.ledger, guard.settings.system
    with Turn(ledger, system) as turn:
        view = ledger.view(QuarantineView())
        count = find_group(view, system, group)
        checker = guard.checker_of(count.source)
        began = Run(
            by=by,
            source=count.source,
            reason=count.reason,
            contract="" if checker is None else checker.label,
            contract_version="" if checker is None else checker.contract.version,
            release=guard.settings.release,
            patch=fix.text,
            waiting=count.records,
        )
        seal = guard.settings.seal and bool(fix.text)  # a patch may hold values of records
        run = ledger.append(Draft(kind=RUN, system=system, body=msgspec.json.encode(began), seal=seal))
        work = _Replay(guard, fix, turn, run, by, batch)
        records = waiting_in(view, system, group)
        seen = 0
        try:
            while not work.stopped and (chunk := list(islice(records, batch))):
                work.take(view, chunk)
                seen += len(chunk)
                tick(seen)
        finally:  # interrupted or not: what the target was asked about is on record
            work.flush()
        outcome = work.outcome(count.records)
        ended = Draft(kind=RUN_ENDED, system=system, refs=(run,), body=msgspec.json.encode(outcome))
        ledger.append(ended)
        return outcome


class _Replay:
    """One replay of a group under way."""

    def __init__(self, guard: Guard, fix: Fix, turn: Turn, run: str, by: str, batch: int) -> None:
        self._guard = guard
        self._fix = fix
        self._turn = turn
        self._run = run
        self._by = by
        self._batch = batch
        self._drafts: list[tuple[Draft, Passage | None]] = []  # with how it went, where it is a decision
        self._since = time.monotonic()
        self._in_a_row = 0
        self._ended: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self.stopped = ""

    def take(self, view: View, chunk: Sequence[tuple[str, bool]]) -> None:
        """Decide some records."""
        ledger = self._guard.ledger
        decided = [record for record, is_decided in chunk if is_decided]
        for record in decided:
            self._close(record, state_of(view, record).decided)
        for entry, kept in _records(ledger, (record for record, is_decided in chunk if not is_decided)):
            if self.stopped:
                return
            if kept is None:
                self._left["erased"] += 1
                continue
            self._decide(entry, kept)
            if len(self._drafts) >= self._batch or time.monotonic() - self._since > _BATCH_S:
                self.flush()

    def _close(self, record: str, became: str) -> None:
        closed = Closed(record=record, by=self._by, became=became)
        system = self._guard.settings.system
        draft = Draft(kind=REPLAYED, system=system, refs=(record, became), body=msgspec.json.encode(closed))
        self._drafts.append((draft, None))
        self._left["already"] += 1

    def _decide(self, entry: Entry, kept: DecisionRecord) -> None:
        given, why = mended(kept, self._fix)
        if given is None:
            self._left["not_patched"] += bool(why)
            return
        guard = self._guard
        drafted = guard.draft_replay(
            "" if entry.header is None else entry.header.type,
            given,
            replay_of=entry.id,
            subject=guard.ledger.subject_of(entry) if entry.subject else None,  # erasing them erases what became of it
            source=kept.source,
            offset=kept.offset,
        )
        if drafted is None:
            self._left["still_broken"] += 1
            return
        draft, passage = drafted
        self._drafts.append((msgspec.structs.replace(draft, refs=(entry.id, self._run)), passage))
        self._ended[passage.disposition.value] += 1
        self._in_a_row = 0 if passage.disposition in DECIDES else self._in_a_row + 1
        if self._in_a_row >= _IN_A_ROW:
            self.stopped = f"{self._in_a_row} in a row were {passage.disposition.value}; the rest waits"

    def flush(self) -> None:
        """Write what is decided and not written yet, all or nothing."""
        decided, self._drafts = self._drafts, []
        drafts, ledger = [draft for draft, _ in decided], self._guard.ledger
        records: Sequence[str] = ("",) * len(drafts)
        try:
            if drafts:
                records = ledger.transact(drafts, (self._turn.op,))
                self._turn.went_on()
        except Taken as taken:
            # The lease ran out in the middle of a call. The target was asked, so that is on record all the same.
            records = ledger.transact(drafts)
            raise Conflict(
                "somebody else has begun to replay or discard quarantined records meanwhile",
                fix="see what waits: `plimsoll quarantine list`; then ask again",
            ) from taken
        finally:
            for (_, passage), record in zip(decided, records, strict=True):
                if passage is not None:
                    self._guard.settle(passage, record)
        self._since = time.monotonic()

    def outcome(self, waiting: int) -> Outcome:
        """What it came to."""
        return Outcome(run=self._run, waiting=waiting, ended=dict(self._ended), stopped=self.stopped, **self._left)


def _records(ledger: Ledger, ids: Iterator[str]) -> Iterator[tuple[Entry, DecisionRecord | None]]:
    """Records and what stands in the ledger of them, some at a time; None: it was erased."""
    while chunk := list(islice(ids, BATCH)):
        for entry, body in ledger.opened(chunk):
            yield entry, None if body is None else _READ(body)


def discard_group(ledger: Ledger, system: str, group: str, *, by: str, reason: str, batch: int = BATCH) -> int:
    """Close every record of a group that waits without a decision; gives how many there were.

    One that a replay has decided and could not close is left to the next replay.

    Raises:
        InputError: nothing waits in the group, or no reason is given.
        Conflict: somebody else is at work in the quarantine.
    """
    if not reason.strip():
        raise InputError("records are discarded for a reason", fix="say why: --reason '…'")
    with Turn(ledger, system) as turn:
        view = ledger.view(QuarantineView())
        find_group(view, system, group)
        body = msgspec.json.encode(Closed(by=by, reason=reason.strip()))
        waiting = (record for record, is_decided in waiting_in(view, system, group) if not is_decided)
        closed = 0
        while chunk := tuple(islice(waiting, batch)):
            ledger.transact([Draft(kind=DISCARDED, system=system, refs=chunk, body=body)], (turn.op,))
            turn.went_on()
            closed += len(chunk)
        return closed
