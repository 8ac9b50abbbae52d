"""What became of a decision: feedback of who used it, and the outcome when it is known."""

from __future__ import annotations

import asyncio

import msgspec

from plimsoll.access import Identity, Scope
from plimsoll.api.decisions import decision_entry
from plimsoll.api.exchange import Exchange
from plimsoll.api.fields import read_fields
from plimsoll.api.parts import Parts
from plimsoll.guard.fleet import Fleet
from plimsoll.guard.since import Feedback, Judged, Outcome, say


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The entry that was written."""

    entry: str


async def feedback(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/decisions/{record}/feedback``."""
    await _record(exchange, parts, who, Feedback)


async def outcome(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/decisions/{record}/outcome``."""
    await _record(exchange, parts, who, Outcome)


async def _record(exchange: Exchange, parts: Parts, who: Identity, type_: type[Feedback | Outcome]) -> None:
    entry = await asyncio.to_thread(decision_entry, parts.guard, exchange.parameters["record"], who, Scope.FEEDBACK)
    said = await read_fields(exchange, type_)
    ledger = parts.guard.ledger
    draft = await asyncio.to_thread(say, ledger, entry, said)
    written = await ledger.aappend(draft)
    if isinstance(said, Feedback) and isinstance(parts.guard, Fleet) and said.judged is not Judged.UNCLEAR:
        kept = await asyncio.to_thread(parts.guard.recall.recorded, entry.id)
        parts.guard.judged(kept.release, wrong=said.judged is Judged.WRONG)
    await exchange.respond(201, msgspec.json.encode(Recorded(entry=written)))
