"""Whether this process is alive, whether it is ready, and what it counts."""

from __future__ import annotations

import asyncio

import msgspec

from plimsoll.access import Identity
from plimsoll.api.exchange import Exchange
from plimsoll.api.parts import Check, Parts


class Readiness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Each thing that must hold, and what does not ("" when it does)."""

    ready: bool
    checks: dict[str, str]
    notes: dict[str, str] = {}  # what is to be known, and keeps nothing from being ready


async def alive(exchange: Exchange, _parts: Parts, _who: Identity) -> None:
    """``GET /healthz``: this process answers."""
    await exchange.respond(200, b'{"alive":true}')


async def ready(exchange: Exchange, parts: Parts, _who: Identity) -> None:
    """``GET /readyz``: 200 when everything holds that a decision needs, else 503 with what does not."""
    found = {name: await asyncio.to_thread(_asked, check) for name, check in parts.checks.items()}
    is_ready = not any(found.values())
    notes = {name: said for name, note in parts.notes.items() if (said := await asyncio.to_thread(_asked, note))}
    body = msgspec.json.encode(Readiness(ready=is_ready, checks=found, notes=notes))
    await exchange.respond(200 if is_ready else 503, body)


def _asked(check: Check) -> str:
    try:
        return check()
    except Exception as why:  # noqa: BLE001 - a check that fails is a thing that does not hold
        return f"it could not be asked: {type(why).__name__}"


async def metrics(exchange: Exchange, parts: Parts, _who: Identity) -> None:
    """``GET /metrics``: Prometheus text format, of all worker processes together."""
    text = await asyncio.to_thread(parts.meter.exposition)
    await exchange.respond(200, text, b"text/plain; version=0.0.4; charset=utf-8")
