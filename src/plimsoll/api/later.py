"""What became of a decision: feedback of who used it, and the outcome when it is known."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec

from plimsoll.access import Identity, Scope
from plimsoll.api.decisions import decision_entry
from plimsoll.api.exchange import JSON, Exchange
from plimsoll.api.parts import Parts
from plimsoll.api.problem import HttpProblem
from plimsoll.contract import parse_record
from plimsoll.guard.fleet import Fleet
from plimsoll.guard.since import Feedback, Judged, Outcome, say

T = TypeVar("T", Feedback, Outcome)
_MOST = 64 << 10  # bytes of what is said


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The entry that was written."""

    entry: str


async def feedback(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/decisions/{record}/feedback``."""
    await _record(exchange, parts, who, Feedback)


async def outcome(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/decisions/{record}/outcome``."""
    await _record(exchange, parts, who, Outcome)


async def _record(exchange: Exchange, parts: Parts, who: Identity, type_: type[T]) -> None:
    entry = await asyncio.to_thread(decision_entry, parts.guard, exchange.parameters["record"], who, Scope.FEEDBACK)
    said = await _read(exchange, type_)
    ledger = parts.guard.ledger
    draft = await asyncio.to_thread(say, ledger, entry, said)
    written = await ledger.aappend(draft)
    if isinstance(said, Feedback) and isinstance(parts.guard, Fleet) and said.judged is not Judged.UNCLEAR:
        kept = await asyncio.to_thread(parts.guard.recorded, entry.id)
        parts.guard.judged(kept.release, wrong=said.judged is Judged.WRONG)
    await exchange.respond(201, msgspec.json.encode(Recorded(entry=written)))


async def _read(exchange: Exchange, type_: type[T]) -> T:
    if exchange.content_type != JSON:
        raise HttpProblem(415, "request.media", "this takes application/json", fix="set Content-Type")
    raw, whole = await exchange.body(_MOST)
    if not whole:
        raise HttpProblem(413, "request.size", f"this takes at most {_MOST:,} bytes", close=True)
    parsed = parse_record(raw)
    if parsed.reasons:
        reason = parsed.reasons[0]
        raise HttpProblem(400, "request.json", f"the body is no JSON: expected {reason.expected}, found {reason.found}")
    try:
        return msgspec.convert(parsed.value, type_)
    except msgspec.ValidationError as why:
        # msgspec names fields and types, and repeats no value but those of an enumeration.
        raise HttpProblem(422, "request.fields", f"the body is not as it must be: {_said(why)}") from why


def _said(why: msgspec.ValidationError) -> str:
    text = str(why)
    return text if "Invalid enum value" not in text else f"an unknown word{text[text.rfind(' - at') :]}"
