"""Decisions: one record or many in, their answers out; and one that was taken, read again.

The body is the record itself, byte for byte, so that one which is not JSON is quarantined as it came. What is about it
stands in headers.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from plimsoll.access import Identity, Scope
from plimsoll.api.exchange import JSON, JSON_LINES, Exchange
from plimsoll.api.parts import Parts
from plimsoll.api.principal import may_read, principal_of
from plimsoll.api.problem import HttpProblem, problem_of
from plimsoll.attest.moments import to_text
from plimsoll.errors import PlimsollError
from plimsoll.guard import Guard
from plimsoll.guard.since import Said, said_since
from plimsoll.ledger import Entry, Erased, parse_id
from plimsoll.model.decision import Answer, Disposition, Fault
from plimsoll.model.principal import Principal
from plimsoll.model.unavailable import Unavailable

_LINES: Final = b"application/jsonl"
_AT_ONCE: Final = 64  # records of one batch that are under way together


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers say about the record."""

    subject: str | None
    source: str
    key: str
    principal: Principal | None
    offset: str = ""  # where it stood in its feed
    unavailable: str = ""  # why there is no record: its source gave none


async def decide(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/decisions/{type}``."""
    type_ = exchange.parameters["name"]
    if not who.may(Scope.DECIDE, type_):
        raise HttpProblem(403, "no-access", f"the token '{who.name}' is not for this decision type")
    asked = Asked(
        subject=exchange.text_header(b"plimsoll-subject") or None,
        source=exchange.text_header(b"plimsoll-source"),
        key=exchange.text_header(b"idempotency-key"),
        principal=principal_of(exchange, who),
        offset=exchange.text_header(b"plimsoll-offset"),
        unavailable=exchange.text_header(b"plimsoll-unavailable"),
    )
    if asked.unavailable:
        await _absent(exchange, parts, type_, asked)
        return
    media = exchange.content_type
    if media in JSON_LINES:
        await _many(exchange, parts, type_, asked)
    elif media == JSON:
        await _one(exchange, parts, type_, asked)
    else:
        raise HttpProblem(
            415, "request.media", "a record is application/json; many are application/jsonl", fix="set Content-Type"
        )


async def _one(exchange: Exchange, parts: Parts, type_: str, asked: Asked) -> None:
    raw, whole = await exchange.body(parts.limits.body_bytes)
    # Of one that is too large, what was read goes to the guard all the same: it is quarantined, and so on record.
    await _tell(exchange, await _decided(parts, type_, raw, asked), close=not whole)


async def _absent(exchange: Exchange, parts: Parts, type_: str, asked: Asked) -> None:
    """There is no record: what the contract of its source declares stands in."""
    raw, whole = await exchange.body(1)
    if raw or not whole:
        raise HttpProblem(
            400,
            "request.unavailable",
            "Plimsoll-Unavailable says that there is no record, and there is a body",
            fix="send one of the two",
            close=not whole,
        )
    await _tell(exchange, await _decided(parts, type_, Unavailable(asked.unavailable), asked))


async def _tell(exchange: Exchange, answer: Answer, *, close: bool = False) -> None:
    if answer.disposition in {Disposition.ANSWERED, Disposition.HELD}:
        status = 200 if answer.disposition is Disposition.ANSWERED else 202
        await exchange.respond(status, encode(answer), headers=about(answer))
        return
    raise problem_about(answer, close=close)


async def _many(exchange: Exchange, parts: Parts, type_: str, asked: Asked) -> None:
    raw, whole = await exchange.body(parts.limits.batch_bytes)
    if not whole:
        raise HttpProblem(
            413,
            "request.size",
            f"a batch is at most {parts.limits.batch_bytes:,} bytes; nothing of it was decided",
            fix="send it in parts",
            close=True,
        )
    lines = [line for line in raw.split(b"\n") if line.strip()]
    if len(lines) > parts.limits.batch_records:
        raise HttpProblem(
            413,
            "request.size",
            f"a batch is at most {parts.limits.batch_records:,} records, this has {len(lines):,}; none was decided",
            fix="send it in parts",
        )
    room = asyncio.Semaphore(_AT_ONCE)

    async def line(number: int, record: bytes) -> bytes:
        async with room:
            key = f"{asked.key}:{number}" if asked.key else ""
            try:
                offset = f"{asked.offset}:{number}"
                one = msgspec.structs.replace(asked, key=key, offset=offset)
                answer = await _decided(parts, type_, record, one)
            except PlimsollError as error:  # this one line was not decided; the others are
                return problem_of(error).body
            return encode(answer)

    answers = [asyncio.ensure_future(line(number, record)) for number, record in enumerate(lines, 1)]
    try:
        await exchange.begin(200, _LINES)
        for answer in answers:
            await exchange.piece(await answer + b"\n")
        await exchange.piece(b"", last=True)
    finally:
        for answer in answers:
            answer.cancel()


async def _decided(parts: Parts, type_: str, raw: bytes | Unavailable, asked: Asked) -> Answer:
    answer = await parts.guard.adecide(
        type_,
        raw,
        subject=asked.subject,
        source=asked.source,
        key=asked.key,
        principal=asked.principal,
        offset=asked.offset,
    )
    parts.meter.decision(type_, answer)
    return answer


async def show(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``GET /v1/decisions/{record}``: the answer as it was recorded, and what became of it since."""
    record = exchange.parameters["name"]
    kept = await asyncio.to_thread(_kept, parts.guard, record, who, principal_of(exchange, who))
    await exchange.respond(200, kept)


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision that was taken, and the entries that speak of it since."""

    answer: Answer
    type: str
    taken_at: str  # RFC 3339, UTC
    since: tuple[Said, ...] = ()  # the later entries about it, the oldest first


def _kept(guard: Guard, record: str, who: Identity, principal: Principal | None) -> bytes:
    entry = decision_entry(guard, record, who, Scope.READ)
    try:
        answer = guard.recall.recorded(record)
        taken_for = guard.recall.taken_for(record)
    except Erased as erased:
        raise HttpProblem(410, "erased", "what this decision was about has been erased", record=record) from erased
    if not may_read(taken_for, principal) or not guard.recall.may_see(answer, principal):
        raise HttpProblem(404, "no-decision", "there is no such decision")  # that it is there is not told either
    kept = Kept(
        answer=answer,
        type="" if entry.header is None else entry.header.type,
        taken_at=to_text(entry.time_ns),
        since=said_since(guard.ledger, record),
    )
    return msgspec.json.encode(kept, enc_hook=plain)


def decision_entry(guard: Guard, record: str, who: Identity, scope: Scope) -> Entry:
    """The entry of a decision of this system that the token may speak of.

    Raises:
        HttpProblem: there is none; of what a token may not see, it is not told that it is there.
    """
    entry = guard.ledger.get(record) if parse_id(record) else None
    if entry is None or entry.kind != "decision" or entry.system != guard.settings.system or entry.header is None:
        raise HttpProblem(404, "no-decision", "there is no such decision")
    if not who.may(scope, entry.header.type):
        raise HttpProblem(404, "no-decision", "there is no such decision")
    return entry


def problem_about(answer: Answer, *, close: bool = False) -> HttpProblem:
    """An answer that is none, as a problem document. It names the record: nothing that came is lost."""
    faults = {reason.fault for reason in answer.broken}
    status, code, fix = {
        Disposition.QUARANTINED: (413 if Fault.TOO_LARGE in faults else 422, "quarantined", "mend the record"),
        Disposition.REFUSED: (403, "refused", "see what the rule says"),
        Disposition.SHED: (503, "shed", "ask again after the time in Retry-After"),
        Disposition.FAILED: (504 if answer.why == "deadline" else 502, "failed", "ask again, or ask who has it"),
    }[answer.disposition]
    if answer.disposition is Disposition.REFUSED and "not a declared decision type" in answer.why:
        status, code, fix = 404, "no-such-type", "see /openapi.json for the declared ones"
    wait = answer.retry_after_s
    headers = () if status != 503 else ((b"retry-after", str(max(1, round(wait or 1))).encode()),)
    return HttpProblem(
        status,
        code,
        answer.why or code,
        fix=fix,
        record=answer.record,
        disposition=answer.disposition.value,
        next=answer.next,
        reasons=tuple(
            {"path": r.path, "rule": r.rule, "fault": r.fault.value, "expected": r.expected, "found": r.found}
            for r in answer.broken
        ),
        headers=(*headers, *about(answer)),
        close=close,
    )


def about(answer: Answer) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that say which decision it was."""
    return (
        (b"plimsoll-record", answer.record.encode()),
        (b"plimsoll-release", answer.release.encode()),
        *(
            ((b"location", b"/v1/decisions/" + answer.record.encode()),)
            if answer.disposition is Disposition.HELD
            else ()
        ),
    )


def encode(answer: Answer) -> bytes:
    """An answer as JSON; an output that holds arrays as the lists they are recorded as."""
    return msgspec.json.encode(answer, enc_hook=plain)


def plain(value: object) -> object:
    """A NumPy array or scalar in an output, as JSON has it; anything else that JSON has no form for, in words."""
    tolist = getattr(value, "tolist", None)
    return tolist() if tolist is not None else str(value)
