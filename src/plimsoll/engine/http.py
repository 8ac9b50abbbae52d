"""The one HTTP client: asks one service over a bounded pool of keep-alive connections, each call within its time.

It follows no redirect, asks no proxy that an environment variable names, keeps no cookie, and takes no compressed body:
what it sends goes to the host that was declared and nowhere else. A certificate is always verified.

A request is sent a second time in one case only: the connection had carried a reply before, the service closed it
before the first byte of this one, and the request says that it may be repeated (RFC 9112, 9.3.1).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.engine.http_pool import HttpLimits, Pool
from plimsoll.engine.http_reply import HttpFault, HttpReply, HttpStream, Whole
from plimsoll.engine.http_request import Headers, address, path_and_query, start_of
from plimsoll.errors import InputError

__all__ = ["Headers", "HttpClient", "HttpFault", "HttpLimits", "HttpReply", "HttpRequest", "HttpStream"]

LONGEST_S: Final = 600.0  # for a call that was given no time of its own: every outside call has an end


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    Args:
        body: bytes of the body; empty for none.
        method: such as ``POST``.
        path: with its query, in place of the URL's own.
        headers: beside those of the client.
        repeatable: sending it twice does no more than sending it once, so it may be sent again where a connection
            was closed before the reply began.
    """

    body: bytes = b""
    method: str = "POST"
    path: str = ""
    headers: Headers = ()
    repeatable: bool = False


class HttpClient:
    """Asks one service. May be used from several event loops and threads; each loop has connections of its own.

    Args:
        url: ``http://`` or ``https://``; its path is that of requests which name none.
        headers: sent with every request.
        limits: bounds of connections, times and sizes.
        authorities: a PEM file of certificate authorities in place of the system's.

    Raises:
        UsageError: the URL or a header cannot be sent as it is.
        InputError: the file of authorities cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Headers = (),
        limits: HttpLimits | None = None,
        authorities: Path | None = None,
    ) -> None:
        parts = address(url)
        self.limits = limits or HttpLimits()
        self.host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._host_header = parts.netloc
        self._path = path_and_query(parts)
        self._headers = headers
        self._tls = _tls(authorities) if parts.scheme == "https" else None
        self._lock = threading.Lock()
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._pid = os.getpid()
        self._closed = False
        self._start = self._start_of(HttpRequest())

    async def ask(self, request: HttpRequest, within_s: float | None = None) -> HttpReply:
        """Send a request and read the whole reply, whatever its status.

        Args:
            request: what to send.
            within_s: seconds for all of it, from now; None: `LONGEST_S`.

        Raises:
            HttpFault: no whole reply came in time; see its kinds.
            UsageError: a header cannot be sent as it is.
        """
        raw = self._bytes_of(request)
        pool = await self._pool()
        until = pool.loop.time() + (LONGEST_S if within_s is None else within_s)
        again = False
        while True:
            whole = Whole(pool.loop, self.limits.body_bytes)
            connection = await pool.take(until, fresh=again, surely=not request.repeatable)
            try:
                return await connection.carry(raw, whole, until)
            except HttpFault as fault:
                if again or not (fault.unanswered and connection.reused and request.repeatable):
                    raise
                again = True
            finally:
                pool.give_back(connection)

    @asynccontextmanager
    async def stream(self, request: HttpRequest, within_s: float | None = None) -> AsyncIterator[HttpStream]:
        """Send a request and read its reply as it comes.

        The service is asked when the block is entered; leaving it closes the connection, unless all was read.

        Args:
            request: what to send.
            within_s: seconds for all of it, the last byte included, from now; None: `LONGEST_S`.

        Raises:
            HttpFault: no head of a reply came in time; or, when it is read, the rest did not.
            UsageError: a header cannot be sent as it is.
        """
        raw = self._bytes_of(request)
        pool = await self._pool()
        until = pool.loop.time() + (LONGEST_S if within_s is None else within_s)
        again = False
        while True:
            stream = HttpStream(pool.loop, self.limits.body_bytes, until)
            connection = await pool.take(until, fresh=again, surely=not request.repeatable)
            try:
                await connection.begin(raw, stream, until)
                yield stream
            except HttpFault as fault:
                # Only what ends before the head can be asked again; a fault in the block is past that.
                if again or stream.status or not (fault.unanswered and connection.reused and request.repeatable):
                    raise
                again = True
                continue
            finally:
                if not stream.ended:
                    connection.drop()
                pool.give_back(connection)
            return

    def close(self) -> None:
        """Close every connection, those of other event loops as soon as they come to it. A call under way fails."""
        with self._lock:
            self._closed = True
            pools = [] if self._pid != os.getpid() else list(self._pools.values())
        for pool in pools:
            pool.close_from_anywhere()

    def _start_of(self, request: HttpRequest) -> bytes:
        path = request.path or self._path
        return start_of(request.method, path, self._host_header, (*self._headers, *request.headers))

    def _bytes_of(self, request: HttpRequest) -> bytes:
        own = bool(request.headers or request.path or request.method != "POST")
        start = self._start_of(request) if own else self._start
        return b"%bContent-Length: %d\r\n\r\n%b" % (start, len(request.body), request.body)

    async def _pool(self) -> Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is not None and self._pid == os.getpid():
            return pool
        with self._lock:
            if self._closed:
                raise HttpFault("unavailable", "the client is closed")
            if self._pid != os.getpid():  # after a fork, the connections there are belong to the parent
                self._pools = {}
                self._pid = os.getpid()
            for ended in [known for known in self._pools if known.is_closed()]:
                del self._pools[ended]
            pool = self._pools[loop] = Pool(self.limits, self.host, self._port, self._tls)
        await pool.close_with_loop()
        return pool


def _tls(authorities: Path | None) -> ssl.SSLContext:
    """Verifies the certificate and the host's name; TLS 1.2 or later."""
    if authorities is None:
        context = ssl.create_default_context()
    else:
        try:
            context = ssl.create_default_context(cafile=str(authorities))
        except (OSError, ssl.SSLError) as why:
            raise InputError(
                f"the certificate authorities '{authorities}' cannot be read: {why.strerror or why}",
                fix="name a PEM file of certificates",
            ) from why
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with suppress(NotImplementedError):
        context.set_alpn_protocols(["http/1.1"])
    return context
