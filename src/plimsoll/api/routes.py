"""The ASGI application of the guard: which path is answered by what, and how every request ends."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.routing import Route, Router

from plimsoll.access import Identity, Scope, Tokens
from plimsoll.api import chat, decisions, health, later, operate
from plimsoll.api.exchange import Exchange, Limits, Receive, Send
from plimsoll.api.meter import Meter
from plimsoll.api.openapi import document
from plimsoll.api.parts import Check, Parts
from plimsoll.api.problem import HttpProblem, problem_of
from plimsoll.errors import NoAccess, PlimsollError
from plimsoll.guard import Guard

_LOG: Final = logging.getLogger("plimsoll.api")
Handler = Callable[[Exchange, Parts, Identity], Awaitable[None]]
Refuse = Callable[[Exchange, HttpProblem], Awaitable[None]]
_ANYBODY: Final = Identity(id="", name="", scopes=frozenset())
_EVERYTHING: Final = Identity(id="", name="open", scopes=frozenset(Scope))


class _Path:
    """One path: a handler for each method, and the scope that a token needs for it ("" for none)."""

    def __init__(
        self,
        route: str,
        parts: Parts,
        tokens: Tokens | None,
        methods: Mapping[str, tuple[str, Handler]],
        refuse: Refuse,
    ) -> None:
        self._route = route
        self._parts = parts
        self._refuse = refuse
        self._tokens = tokens
        self._methods = methods

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, self._parts.limits)
        started = time.perf_counter()
        try:
            await self._answer(exchange)
        except HttpProblem as problem:
            await self._refuse(exchange, problem)
        except PlimsollError as error:
            if error.exit_code not in {2, 3, 6}:
                _LOG.exception("a request failed")
            await self._refuse(exchange, problem_of(error))
        except TimeoutError:
            pass  # the client took nothing of its answer; the record stands, and the connection ends with this
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer and the log the rest
            _LOG.exception("a request failed")
            await self._refuse(exchange, HttpProblem(500, "internal", "an error of ours; the server's log has it"))
        finally:
            self._parts.meter.request(self._route, exchange.status, time.perf_counter() - started)

    async def _answer(self, exchange: Exchange) -> None:
        found = self._methods.get(exchange.method)
        if found is None:
            allowed = ", ".join(self._methods)
            raise HttpProblem(
                405,
                "request.method",
                f"this path takes {allowed}",
                fix=f"use {allowed}",
                headers=((b"allow", allowed.encode()),),
            )
        scope, handler = found
        await handler(exchange, self._parts, self._identify(exchange, scope) if scope else _ANYBODY)

    def _identify(self, exchange: Exchange, scope: str) -> Identity:
        """Who asks; refused unless their token reaches so far."""
        if self._tokens is None:
            return _EVERYTHING
        kind, _, presented = exchange.header(b"authorization").partition(" ")
        try:
            identity = self._tokens.identify(presented.strip() if kind.lower() == "bearer" else "")
        except NoAccess as refused:
            raise HttpProblem(
                401,
                refused.code,
                str(refused),
                fix="send 'Authorization: Bearer TOKEN'; `plimsoll token new` makes one",
                headers=((b"www-authenticate", b'Bearer realm="plimsoll"'),),
            ) from refused
        if not identity.may(Scope(scope)):
            raise HttpProblem(
                403, "no-access", f"the token '{identity.name}' lacks the scope '{scope}'", fix="use one that has it"
            )
        return identity


async def _refuse(exchange: Exchange, problem: HttpProblem) -> None:
    with contextlib.suppress(TimeoutError):  # nobody takes it
        await exchange.refuse(problem)


class Api:
    """The HTTP surface over one guard.

    Args:
        guard: takes the decisions.
        tokens: who may ask; None: everybody, which is for a loopback address alone.
        meter: where requests are counted.
        limits: what one request may take.
        checks: what must hold for this process to be ready, by name.
        notes: what is to be known and keeps nothing from being ready, by name.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        tokens: Tokens | None,
        meter: Meter,
        limits: Limits | None = None,
        checks: Mapping[str, Check] | None = None,
        notes: Mapping[str, Check] | None = None,
    ) -> None:
        parts = Parts(
            guard=guard, meter=meter, limits=limits or Limits(), checks=dict(checks or {}), notes=dict(notes or {})
        )
        self.parts = parts
        self._openapi = document(guard)

        def path(route: str, refuse: Refuse = _refuse, **methods: tuple[str, Handler]) -> Route:
            return Route(route, endpoint=_Path(route, parts, tokens, methods, refuse))

        read, decide, feedback, steer = (s.value for s in (Scope.READ, Scope.DECIDE, Scope.FEEDBACK, Scope.OPERATE))
        routes = [
            path("/v1/decisions/{name}", POST=(decide, decisions.decide), GET=(read, decisions.show)),
            path("/v1/decisions/{record}/feedback", POST=(feedback, later.feedback)),
            path("/v1/decisions/{record}/outcome", POST=(feedback, later.outcome)),
            path("/v1/chat/completions", chat.refuse, POST=(decide, chat.complete)),
            path("/v1/models", chat.refuse, GET=(decide, chat.models)),
            path("/v1/releases", GET=(read, operate.releases)),
            path("/v1/releases/rollback", POST=(steer, operate.rollback)),
            path("/v1/stop", POST=(steer, operate.stop)),
            path("/healthz", GET=("", health.alive)),
            path("/readyz", GET=("", health.ready)),
            path("/metrics", GET=(Scope.METRICS.value, health.metrics)),
            path("/openapi.json", GET=("", self._describe)),
        ]
        self._router = Router(routes, default=_nothing_here, redirect_slashes=False)
        self._exact = {route.path: route for route in routes if "{" not in route.path}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._exact.get(scope["path"])
        if route is None:
            await self._router(scope, receive, send)
        else:  # nothing is to be looked for: most requests go to one of these
            await route.app(scope, receive, send)

    async def _describe(self, exchange: Exchange, _parts: Parts, _who: Identity) -> None:
        await exchange.respond(200, self._openapi)


async def _nothing_here(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    exchange = Exchange(scope, receive, send, Limits())
    await exchange.refuse(HttpProblem(404, "request.path", "there is nothing at this path", fix="see /openapi.json"))
