"""Contracts: a feed is replayed through the guard, and every record that was offered must be found again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from plimsoll.assess.feed import Feed, Sent
from plimsoll.assess.run import Run, body_of
from plimsoll.errors import VerificationFailed
from plimsoll.guard import Guard
from plimsoll.ledger import Ledger
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import DecisionRecord, Disposition, Reason, Verdict
from plimsoll.model.details import ContractsDetail, QuarantineExample, RuleCount, SourceDetail
from plimsoll.model.evidence import Census, Draw, Proportion

AT_ONCE = 8  # calls under way; enough that one commit serves several records
EXAMPLES = 6  # quarantined records shown in the report, one for each different first reason


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the feed and what became of it."""

    source: str  # as the report names it
    place: str  # where it stands in the feed
    record: str  # id in the ledger
    disposition: Disposition
    verdict: Verdict
    broken: tuple[Reason, ...]
    found: bool  # its entry is in the ledger and holds what was offered


def replay_feed(
    run: Run,
    guard: Guard,
    ledger: Ledger,
    feed: Feed,
    *,
    declared: Sequence[str] = (),
    unenforced: tuple[str, ...] = (),
    valid_limit: float | None = None,
    tick: Callable[[int], None] = lambda _: None,
) -> ContractsDetail:
    """Take the feed through the guard and give evidence for ``contracts.*``.

    Args:
        run: the started run.
        guard: of the release that is measured.
        ledger: the one the guard records in; every record is looked up there afterwards.
        feed: what the sources sent; each record is given to the guard as a decision of its type.
        declared: sources that have a contract; one that the feed is silent of is shown with no record.
        unenforced: "file:line rule" of contract rules that nothing enforces yet.
        valid_limit: where the report draws its line, as a fraction of 1.
        tick: called with the number of records done.
    """
    offered = asyncio.run(_take_all(guard, ledger, feed, tick))
    short = tuple(
        f"plimsollWindow of the source '{source}': it forgot {count:,} keys that were younger than its age"
        for source, count in sorted(guard.forgotten.items())
    )
    run.leave(short)
    total = len(offered)
    kept = sum(o.verdict in {Verdict.VALID, Verdict.COERCED} for o in offered)
    quarantined = sum(o.disposition is Disposition.QUARANTINED for o in offered)
    lost = [o for o in offered if not o.found]
    run.give(
        "contracts.valid_rate",
        Proportion(hits=kept, total=total),
        draw=Draw.FIXED,
        finding=f"{kept} of {total} records kept their contract; {quarantined} were quarantined.",
    )
    run.give(
        "contracts.lost_records",
        Census(
            count=len(lost),
            total=total,
            ratio=False,
            missing=tuple(o.place for o in lost[:20]),
        ),
        draw=Draw.FIXED,
        finding=f"{total - len(lost)} of {total} records offered were found again in the ledger.",
    )
    heard = {file.source for file in feed.files}
    names = {*(feed.name(file) for file in feed.files), *(name for name in declared if name not in heard)}
    detail = ContractsDetail(
        sources=tuple(_of_source(name, [o for o in offered if o.source == name]) for name in sorted(names)),
        examples=tuple(_examples(ledger, offered)),
        dispositions=dict(Counter(o.disposition.value for o in offered)),
        lost=len(lost),
        unenforced=(*unenforced, *short),
        valid_limit=valid_limit,
        feed=feed.folder.name,
        unseen=feed.missing,
    )
    run.draw_with(detail)
    return detail


class _Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the feed and what the guard says became of it."""

    sent: Sent
    answer: str  # id of the record
    disposition: Disposition
    offered: str  # digest of what was offered
    without_blanks: str  # digest of the same without the blanks around it, which are no part of a JSON value


async def _take_all(guard: Guard, ledger: Ledger, feed: Feed, tick: Callable[[int], None]) -> list[Offered]:
    waiting: set[asyncio.Task[_Taken]] = set()
    done: list[_Taken] = []

    async def take(sent: Sent) -> _Taken:
        offset = f"{sent.source}.jsonl:{sent.line}"
        answer = await guard.adecide(sent.type, sent.record, source=sent.source, offset=offset)
        return _Taken(
            sent=msgspec.structs.replace(sent, record=b""),  # the digests are enough; a feed may be large
            answer=answer.record,
            disposition=answer.disposition,
            offered=digest_bytes(sent.record),
            without_blanks=digest_bytes(sent.record.strip(b" \t\r\n")),
        )

    def collect(finished: set[asyncio.Task[_Taken]]) -> None:
        done.extend(task.result() for task in finished)
        tick(len(done))

    for sent in feed.lines():
        if len(waiting) >= AT_ONCE:
            finished, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            collect(finished)
        waiting.add(asyncio.create_task(take(sent)))
    if waiting:
        finished, waiting = await asyncio.wait(waiting)
        collect(finished)
    ledger.flush()  # in batched mode a record may still be on its way to the disk
    done.sort(key=lambda taken: (taken.sent.type, taken.sent.source, taken.sent.line))
    return [_look_up(ledger, feed, taken) for taken in done]


def _look_up(ledger: Ledger, feed: Feed, taken: _Taken) -> Offered:
    """Read the record back from the ledger when all are written, not from what the guard says of it."""
    kept = _kept(ledger, taken.answer)
    name = feed.name(taken.sent)
    return Offered(
        source=name,
        place=f"{name}.jsonl line {taken.sent.line}",
        record=taken.answer,
        disposition=taken.disposition,
        verdict=Verdict.NONE if kept is None else kept.verdict,
        broken=() if kept is None else kept.broken,
        found=kept is not None and kept.disposition is taken.disposition and _holds(kept, taken),
    )


def _kept(ledger: Ledger, record: str) -> DecisionRecord | None:
    """What the ledger holds of a decision; None when it is not there, or can no longer be read."""
    entry = ledger.get(record)
    try:
        return None if entry is None else body_of(ledger, entry, DecisionRecord)
    except VerificationFailed:
        return None


def _holds(kept: DecisionRecord, taken: _Taken) -> bool:
    """Whether a record in the ledger holds what was offered, byte for byte."""
    if kept.input_json is not None:
        return digest_bytes(kept.input_json) == taken.without_blanks
    return digest_bytes(kept.raw_bytes) == taken.offered


def _of_source(name: str, offered: Sequence[Offered]) -> SourceDetail:
    verdicts = Counter(o.verdict for o in offered)
    # A record that breaks one rule in two places still counts once under it.
    reasons = Counter(text for o in offered for text in {in_words(r) for r in o.broken})
    quarantined = sum(o.disposition is Disposition.QUARANTINED for o in offered)
    valid, coerced = verdicts[Verdict.VALID], verdicts[Verdict.COERCED]
    return SourceDetail(
        name=name,
        offered=len(offered),
        valid=valid,
        coerced=coerced,
        quarantined=quarantined,
        other=len(offered) - valid - coerced - quarantined,
        reasons=tuple(RuleCount(rule=rule, count=count) for rule, count in reasons.most_common(8)),
    )


def in_words(reason: Reason) -> str:
    """A reason as one plain phrase, without the position in a list, so that like reasons are counted together."""
    parts = [part for part in reason.path.split("/")[1:] if not part.isdigit()]
    field = ".".join(parts) or "the record"
    if reason.fault.value == "missing":
        return f"{field} is missing"
    if reason.fault.value == "unknown-field":
        return f"{field} is not in the contract"
    return f"{field}: {reason.fault.value.replace('-', ' ')} ({reason.rule}), expected {reason.expected}"[:160]


def _examples(ledger: Ledger, offered: Sequence[Offered]) -> Iterator[QuarantineExample]:
    seen: set[tuple[str, str]] = set()
    for o in offered:
        if o.disposition is not Disposition.QUARANTINED or not o.broken:
            continue
        kind = (o.broken[0].rule, o.broken[0].path)
        if kind in seen or len(seen) >= EXAMPLES:
            continue
        seen.add(kind)
        kept = _kept(ledger, o.record)
        yield QuarantineExample(
            source=o.source,
            record=o.record,
            excerpt="" if kept is None else masked(kept),
            reasons=tuple(in_words(r) for r in o.broken[:6]),
        )


def masked(kept: DecisionRecord) -> str:
    """The shape of a record without its values: field names, and of each value its type and length."""
    if kept.input_json is None:
        return f"{len(kept.raw_bytes)} bytes that are no JSON record"
    return shape_of(msgspec.json.decode(kept.input_json))


def shape_of(value: object) -> str:
    """The shape of a value without what it holds, in at most 300 characters."""
    shape = _shape(value)
    return shape if len(shape) <= 300 else shape[:299] + "…"


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shape(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{len(value)} x {_shape(value[0])}]" if value else "[]"
    if isinstance(value, str):
        return f"text({len(value)})"
    return {"bool": "boolean", "int": "integer", "float": "number", "NoneType": "null"}[type(value).__name__]
