"""HTTP/1.1 connections with bounds that uvicorn leaves open: how long headers may take, and how large they may be."""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from plimsoll.api.problem import MEDIA, HttpProblem
from plimsoll.server.joined import Joined

HEADERS_S: Final = 10.0  # a client that takes longer for its headers wants our connections, not our answers
HEADERS_BYTES: Final = 32 << 10
HEADERS_MOST: Final = 100


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Whoever sends a request too slowly, or too much of a header, gets a problem and the end of it."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._in_headers = True  # the connection is new, or a request has begun and its headers are not whole
        self._header_bytes = 0
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(Joined(transport, self.loop))
        self._timer = self.loop.call_later(HEADERS_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request has begun."""
        super().on_message_begin()
        self._in_headers = True

    def on_headers_complete(self) -> None:
        """Its headers are whole."""
        self._in_headers, self._header_bytes = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        # Looked at afterwards: most headers come whole, and bytes of a body that came with them are no headers.
        if not self._in_headers:
            return
        if self._timer is None:
            self._timer = self.loop.call_later(HEADERS_S, self._too_slow)
        if self._header_bytes > HEADERS_BYTES or len(self.headers or ()) > HEADERS_MOST:
            self._end(HttpProblem(431, "request.headers", f"headers are over {HEADERS_BYTES:,} bytes"))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours say what to do
        """What is not HTTP/1.1."""
        self._end(HttpProblem(400, "request.http", "this is not an HTTP/1.1 request", fix="send one"))

    def _too_slow(self) -> None:
        self._timer = None
        if self._in_headers:
            self._end(HttpProblem(408, "request.slow", f"the headers were not here after {HEADERS_S:g} s"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, problem: HttpProblem) -> None:
        """Say so, unless a response is under way, and end the connection."""
        if self.transport is None or self.transport.is_closing():
            return
        under_way = self.cycle is not None and not self.cycle.response_complete
        if not under_way:
            body = problem.body
            head = [
                STATUS_LINE[problem.status],
                b"content-type: " + MEDIA + b"\r\n",
                b"content-length: " + str(len(body)).encode() + b"\r\n",
                b"connection: close\r\n\r\n",
            ]
            self.transport.write(b"".join(head) + body)
        self.transport.close()
