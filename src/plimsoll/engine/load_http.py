"""Asks an HTTP/1.1 service: a pool of keep-alive connections, requests built beforehand, replies read by httptools.

A connection carries one call at a time. Each call takes the connection that was used last, so that the pool grows only
as far as the system's own slowness makes it, and connections that are not needed are left for the service to close.
A call is never sent twice: one whose connection breaks has failed, even where a kinder client would try again.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from plimsoll.engine.http_request import address
from plimsoll.engine.http_wire import Wire, kind_of
from plimsoll.engine.load import DRIVER_FAULT, Sink
from plimsoll.engine.load_request import HttpTarget, build_requests, by_status, tls_of
from plimsoll.engine.load_window import Outcome
from plimsoll.errors import TargetError

MOST_BODY: Final = 1 << 20  # bytes of a reply that are kept for a classifier; the rest is read and dropped
WARM: Final = 8  # connections made before the first call; more are made as calls need them
# Faults of this machine and not of the service: out of descriptors, ports, buffers.
_OWN_ERRNO: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS})

Classify: TypeAlias = Callable[[int, bytes], Outcome]
"""From a status and a body (its first MiB) to how the call ended."""


class HttpLink:
    """A pool of keep-alive connections to one service (see `plimsoll.engine.load.Link`).

    Args:
        target: the service.
        bodies: sent in turn, over again from the first after the last.
        classify: how a call ended, from status and body; None: `by_status`, and bodies are not kept.
    """

    def __init__(self, target: HttpTarget, bodies: Sequence[bytes], classify: Classify | None = None) -> None:
        self.requests = build_requests(target, bodies)
        self.classify = classify
        self.flying: dict[int, _Connection] = {}
        self.queued = 0
        self.base = 0  # calls of all windows before this one: which body is next in turn
        self._calls = 0
        self._parts = address(target.url)
        self._limit = target.connections
        self._connect_s = target.connect_s
        self._sink: Sink | None = None
        self._idle: list[_Connection] = []
        self._waiting: deque[int] = deque()
        self._connections: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._host = ""
        self._port = 0
        self._tls = tls_of(target)
        self._untrusted = ""  # why the certificate that the service shows is not one to trust
        self._abandoned = False
        self._closing = False
        self._by_status: dict[int, tuple[int, str]] = {}

    # ── the link ──

    async def open(self) -> None:
        """Find the service's address and make the first connections; a service that refuses them is no error yet.

        Raises:
            TargetError: the host name is unknown, or the service shows a certificate that cannot be trusted.
        """
        host = self._parts.hostname or ""
        self._port = self._parts.port or (443 if self._parts.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, self._port, type=socket.SOCK_STREAM)
        except OSError as why:
            raise TargetError(f"the host '{host}' is unknown: {why}", fix="check the URL of the target") from why
        # "localhost" has two addresses and a service often listens on one; later connections go where the first went.
        for *_, found_address in found:
            self._host = str(found_address[0])
            self._connect()
            await asyncio.gather(*self._connecting)
            if self._connections:
                break
        if self._untrusted and not self._connections:
            raise TargetError(
                f"the certificate of {self._parts.netloc} cannot be trusted: {self._untrusted}",
                fix="name the authority that signed it: --ca FILE; nothing is sent to a service that is not verified",
            )
        for _ in range(min(WARM, self._limit) - 1 if self._connections else 0):
            self._connect()
        await asyncio.gather(*self._connecting)

    def begin(self, calls: int, sink: Sink) -> None:
        """Start a window; calls of former windows have all ended or been given up."""
        self.base += self._calls
        self._calls = calls
        self._sink = sink
        self.queued = 0
        self._waiting.clear()

    def ask(self, call: int) -> None:
        """Send one call on the connection that was used last, or when there is one."""
        if self._idle:
            self._idle.pop().ask(call)
            return
        self._waiting.append(call)
        if len(self._connections) + len(self._connecting) >= self._limit:
            self.queued += 1
        self._grow()

    def abandon(self, call: int) -> None:
        """Give a call up; its connection is closed, since its reply would be taken for the next one's."""
        self._abandoned = True
        connection = self.flying.pop(call, None)
        if connection is not None:
            connection.drop()
        elif self._waiting and self._waiting[0] == call:  # calls wait in order, and the oldest is abandoned first
            self._waiting.popleft()

    async def drain(self, within_s: float) -> bool:
        """After calls that were given up, ask once more: a reply means that what they left behind is worked off."""
        if not self._abandoned:
            return True
        self._abandoned = False
        probe = _Probe(asyncio.get_running_loop().create_future())
        self.begin(1, probe)
        self.ask(0)
        try:
            async with asyncio.timeout(within_s):
                await probe.ended
        except TimeoutError:
            self.abandon(0)
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        self._closing = True
        self._waiting.clear()
        for task in tuple(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in tuple(self._connections):
            connection.drop()
        for _ in range(100):  # the loop closes sockets on its next turns
            if not self._connections:
                return
            await asyncio.sleep(0.01)

    # ── the pool ──

    def _grow(self) -> None:
        room = self._limit - len(self._connections) - len(self._connecting)
        for _ in range(min(room, len(self._waiting) - len(self._connecting))):
            self._connect()

    def _connect(self) -> None:
        task = asyncio.get_running_loop().create_task(self._try_connect())
        self._connecting.add(task)
        task.add_done_callback(self._connect_done)

    async def _try_connect(self) -> None:
        loop = asyncio.get_running_loop()
        name = self._parts.hostname if self._tls else None
        make: Any = _Connection if self.classify is None else _ReadingConnection
        try:
            async with asyncio.timeout(self._connect_s):
                await loop.create_connection(
                    lambda: make(self), self._host, self._port, ssl=self._tls, server_hostname=name
                )
        except OSError as why:  # a timeout and every TLS error are of this kind as well
            if isinstance(why, ssl.SSLCertVerificationError):
                self._untrusted = why.verify_message
            if self._waiting and self._sink is not None:
                call = self._waiting.popleft()
                if why.errno in _OWN_ERRNO:
                    self._sink.settle(call, Outcome.UNSENT, f"{DRIVER_FAULT}: {why.strerror}", replied=False)
                else:
                    self._sink.settle(call, Outcome.FAILED, kind_of(why), replied=False)

    def _connect_done(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if not self._closing:
            self._grow()

    def joined(self, connection: _Connection) -> None:
        """A connection is up."""
        self._connections.add(connection)
        self.free(connection)

    def free(self, connection: _Connection) -> None:
        """A connection has nothing to do."""
        if self._waiting:
            connection.ask(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def left(self, connection: _Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._closing:
            self._grow()

    def ended(self, call: int, outcome: int, kind: str, *, replied: bool) -> None:
        """A call ended on a connection."""
        self.flying.pop(call, None)
        if self._sink is not None:
            self._sink.settle(call, outcome, kind, replied=replied)

    def replied(self, call: int, status: int) -> None:
        """A call got a whole reply whose body nobody wants."""
        del self.flying[call]
        verdict = self._by_status.get(status)
        if verdict is None:
            outcome = by_status(status)
            verdict = int(outcome), "" if outcome is Outcome.ANSWERED else f"status {status}"
            self._by_status[status] = verdict
        assert self._sink is not None, "a call is only sent in a window"
        self._sink.settle(call, *verdict)


class _Probe:
    """A window of one call that nobody counts."""

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self.ended = ended

    def settle(self, *_: object, **__: object) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    lost = settle


class _Connection(Wire):
    """One keep-alive connection; the hot path of the driver."""

    __slots__ = ("call", "link")

    def __init__(self, link: HttpLink) -> None:
        super().__init__()
        self.link = link
        self.call = -1  # the call under way; -1: none

    def ask(self, call: int) -> None:
        link = self.link
        self.call = call
        link.flying[call] = self
        requests = link.requests
        self.send(requests[(link.base + call) % len(requests)])

    def joined(self) -> None:
        self.link.joined(self)

    def replied(self, status: int) -> None:
        call, self.call = self.call, -1
        self.ended(call, status)

    def ended(self, call: int, status: int) -> None:
        self.link.replied(call, status)

    def broke(self, kind: str) -> None:
        call, self.call = self.call, -1
        self.link.ended(call, Outcome.FAILED, kind, replied=False)

    def freed(self) -> None:
        self.link.free(self)

    def gone(self) -> None:
        self.link.left(self)

    def drop(self) -> None:
        self.call = -1
        super().drop()


class _ReadingConnection(_Connection):
    """A connection that also keeps the body, for a classifier."""

    __slots__ = ("_body",)

    def __init__(self, link: HttpLink) -> None:
        super().__init__(link)
        self._body = bytearray()

    def on_body(self, body: bytes) -> None:
        self._body += body[: MOST_BODY - len(self._body)]

    def ended(self, call: int, status: int) -> None:
        body = bytes(self._body)
        self._body.clear()
        assert self.link.classify is not None, "only a link with a classifier makes these connections"
        outcome = self.link.classify(status, body)
        ok = outcome not in {Outcome.FAILED, Outcome.SHED}
        self.link.ended(call, outcome, "" if ok else f"status {status}", replied=True)

    def broke(self, kind: str) -> None:
        self._body.clear()
        super().broke(kind)
