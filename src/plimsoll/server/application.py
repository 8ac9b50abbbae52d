"""What one worker process serves: opened when it starts, closed when what is in flight has ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import itertools
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.api import Api
from plimsoll.api.exchange import Exchange, Limits, Receive, Send
from plimsoll.api.meter import Meter
from plimsoll.api.problem import HttpProblem
from plimsoll.assembly.serving import Keeper, Running, open_running

_LOG: Final = logging.getLogger("plimsoll.server")
_EVERY_S: Final = 1.0  # between two publications of what was counted
_LOOKS_EVERY: Final = 10  # publications between two looks for what processes that died have left


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is told; it crosses to another process."""

    manifest: Path
    state: Path | None = None
    counts: Path | None = None  # folder where the worker processes leave their counts
    is_open: bool = False  # no tokens: for a loopback address alone
    limits: Limits = Limits()
    parent: int = 0  # process id of who started this worker and must outlive it; 0: nobody


class Application:
    """The ASGI application of one worker process."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._api: Api | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end with the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            assert self._api is not None, "requests come after the start"
            if self._setting.is_open and not _is_for_loopback(scope["headers"]):
                await _misdirected(scope, receive, send)
            else:
                await self._api(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        with contextlib.ExitStack() as stack:
            try:
                running = stack.enter_context(self._opened())
            except Exception as why:  # noqa: BLE001 - whatever it is, the process cannot serve, and says so
                await send({"type": "lifespan.startup.failed", "message": f"{type(why).__name__}: {why}"})
                return
            api = self._api = self._made(running)
            _settle_garbage()
            upkeep = asyncio.create_task(_upkeep(api.parts.meter, running.keeper, self._setting.parent))
            await send({"type": "lifespan.startup.complete"})
            await receive()  # what is in flight has ended
            upkeep.cancel()
            api.parts.meter.publish()
        await send({"type": "lifespan.shutdown.complete"})

    def _opened(self) -> contextlib.AbstractContextManager[Running]:
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        return open_running(self._setting.manifest, self._setting.state, with_tokens=not self._setting.is_open)

    def _made(self, running: Running) -> Api:
        meter = Meter(
            running.guard.settings.types,
            folder=self._setting.counts,
            gauges=running.gauges,
            used=running.guard.used.counts,
        )
        return Api(
            running.guard,
            tokens=running.tokens,
            meter=meter,
            limits=self._setting.limits,
            checks=running.checks,
            notes=running.notes,
        )


def _settle_garbage() -> None:
    """What was opened stays for the life of the process: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _upkeep(meter: Meter, keeper: Keeper, parent: int) -> None:
    """Leave the counts where others find them; look after the dead; end with the process that started this one."""
    for turn in itertools.count():
        if turn % _LOOKS_EVERY == 0:
            await asyncio.to_thread(keeper.look)
        await asyncio.to_thread(keeper.look_at_sources)
        await asyncio.sleep(_EVERY_S)
        try:
            meter.publish()
        except OSError as why:  # a full disk must not end the upkeep; the next look tries again
            _LOG.warning("the counts cannot be written: %s", why)
        if parent and os.getppid() != parent:
            signal.raise_signal(signal.SIGTERM)


def _is_for_loopback(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the request was meant for this machine alone.

    Without tokens, a page from anywhere could point a name of its own at 127.0.0.1 and read along (DNS rebinding); it
    cannot choose the Host header.
    """
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    return len(hosts) == 1 and is_loopback(hosts[0].rpartition(":")[0] or hosts[0])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or address."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


async def _misdirected(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    problem = HttpProblem(
        421, "request.host", "without tokens this server answers requests for a loopback address alone", close=True
    )
    await Exchange(scope, receive, send, Limits()).refuse(problem)


def made(setting: Setting) -> Application:
    """The application of a worker process; named, so that another process finds it."""
    return Application(setting)
