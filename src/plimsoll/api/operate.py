"""What an operator does with a running system: see its releases, go back to the one before, leave everything to people.

Who does it is the token's client: its name stands in the control entry, and in the ledger who made the token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from plimsoll.access import Identity
from plimsoll.api.exchange import Exchange
from plimsoll.api.fields import read_fields
from plimsoll.api.parts import Parts
from plimsoll.api.problem import HttpProblem
from plimsoll.errors import NotReady
from plimsoll.ledger import Draft
from plimsoll.model.control import Action, Control
from plimsoll.rollout import Step, listing, roll_back, steered

R = TypeVar("R")
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release of the system, and what was done with it."""

    release: str  # its digest
    state: str  # live, previous, canary, shadow, or ""
    built: str  # RFC 3339, UTC
    share: float  # of the traffic, of one that runs beside the live release
    steps: tuple[Step, ...]  # the oldest first


class Releases(msgspec.Struct, frozen=True, kw_only=True):
    """The releases of a system, the latest first."""

    system: str
    live: str  # digest; "" until one was promoted: then what lies beside the manifest answers
    releases: tuple[Release, ...]


class Back(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Go back to a release that was live before."""

    reason: Reason
    to: str = ""  # its digest; "": the one before the live one


class Stop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave decisions to people from now on."""

    reason: Reason
    type: str = ""  # of this decision type alone; "": all of them


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It is recorded; every guard obeys within a second."""

    entry: str  # id of the control entry
    release: str = ""  # digest of the release that is live again


async def releases(exchange: Exchange, parts: Parts, _who: Identity) -> None:
    """``GET /v1/releases``."""
    ledger, system = parts.guard.ledger, parts.guard.settings.system
    lines, state = await asyncio.to_thread(lambda: (listing(ledger, system, ()), steered(ledger, system)))
    shown = tuple(
        Release(release=line.release, state=line.state, built=line.built, share=line.share, steps=line.steps)
        for line in lines
    )
    await exchange.respond(200, msgspec.json.encode(Releases(system=system, live=state.live, releases=shown)))


async def rollback(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/releases/rollback``."""
    _reaches(who)
    asked = await read_fields(exchange, Back)
    ledger, system = parts.guard.ledger, parts.guard.settings.system
    entry, release = await _done(lambda: roll_back(ledger, system, to=asked.to, by=_by(who), reason=asked.reason))
    await exchange.respond(201, msgspec.json.encode(Done(entry=entry, release=release)))


async def stop(exchange: Exchange, parts: Parts, who: Identity) -> None:
    """``POST /v1/stop``."""
    asked = await read_fields(exchange, Stop)
    settings = parts.guard.settings
    if asked.type and asked.type not in settings.types:
        raise HttpProblem(
            422, "request.fields", "there is no such decision type", fix=f"there are: {', '.join(settings.types)}"
        )
    _reaches(who, asked.type)
    control = Control(action=Action.STOP, by=_by(who), reason=asked.reason.strip(), type=asked.type)
    entry = await parts.guard.ledger.aappend(
        Draft(kind="control", system=settings.system, body=msgspec.json.encode(control))
    )
    await exchange.respond(201, msgspec.json.encode(Done(entry=entry)))


def _reaches(who: Identity, type_: str = "") -> None:
    """A token for some decision types alone steers nothing else."""
    if who.types and type_ not in who.types:
        raise HttpProblem(403, "no-access", f"the token '{who.name}' is for {', '.join(sorted(who.types))} alone")


def _by(who: Identity) -> str:
    return f"token {who.name}"


async def _done(work: Callable[[], R]) -> R:
    try:
        return await asyncio.to_thread(work)
    except NotReady as why:
        raise HttpProblem(409, why.code, why.message, fix=why.fix) from why
