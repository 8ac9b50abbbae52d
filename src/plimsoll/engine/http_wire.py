"""One keep-alive HTTP/1.1 connection, on the side of who asks: bytes out, parsed replies in, one call at a time.

The one place that knows the parser. The load driver and the HTTP client are both made of it; what they do with a reply
is theirs.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, cast

import httptools

LOST_IN_REPLY: Final = "connection lost in mid-reply"
LOST_BEFORE_REPLY: Final = "connection lost before the reply"
NOT_HTTP: Final = "reply is not HTTP/1.1"


class Wire(asyncio.Protocol):
    """Sends requests one after the other and tells what became of each; a subclass says what that means.

    A request ends in exactly one call of `replied` or `broke`, unless the connection is dropped before.
    """

    __slots__ = ("_head", "_parser", "_transport", "awaiting")

    def __init__(self) -> None:
        self.awaiting = False  # a request is under way
        self._head = b""  # the first bytes of its reply
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    # ── what a subclass says ──

    def joined(self) -> None:
        """The connection is up."""

    def replied(self, status: int) -> None:
        """A whole reply is in; the connection is not free yet."""

    def broke(self, kind: str) -> None:
        """No whole reply will come."""

    def freed(self) -> None:
        """The connection can carry the next request."""

    def gone(self) -> None:
        """The connection is closed."""

    # ── asyncio's calls ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases
        self.joined()

    def send(self, request: bytes) -> None:
        """Send one request; the one before has ended."""
        self.awaiting = True
        self._head = b""
        self._transport.write(request)  # type: ignore[union-attr]  # connected: it was given out as free

    def data_received(self, data: bytes) -> None:
        """Some of a reply."""
        if not self._head:
            self._head = data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break(NOT_HTTP)
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whomever."""
        if self.awaiting:
            if exc is None and self._ends_with_connection():
                self.awaiting = False
                self.replied(self._parser.get_status_code())
            else:
                self._break(LOST_IN_REPLY if self._head else LOST_BEFORE_REPLY)
        self.gone()

    # ── the parser's call ──

    def on_message_complete(self) -> None:
        """The parser has seen the end of a reply."""
        status = self._parser.get_status_code()
        if status < 200:  # 100 Continue and the like come before the reply
            return
        if not self.awaiting:  # nobody asked: the service and we no longer agree on what is a reply to what
            self.drop()
            return
        self.awaiting = False
        self.replied(status)
        if self._parser.should_keep_alive():
            self.freed()
        else:
            self.drop()

    # ── ──

    def drop(self) -> None:
        """Close at once; whatever is still under way on it is not reported."""
        self.awaiting = False
        if self._transport is not None:
            self._transport.abort()

    def _break(self, kind: str) -> None:
        if self.awaiting:
            self.awaiting = False
            self.broke(kind)

    def _ends_with_connection(self) -> bool:
        """Whether the reply under way is one whose body ends where the connection does, as HTTP/1.0 has it."""
        head = self._head.lower()
        return b"\r\n\r\n" in head and b"content-length:" not in head and b"transfer-encoding:" not in head


def kind_of(why: OSError) -> str:
    """Why a connection could not be made, in a few words; a timeout and every TLS error are an OSError as well."""
    if isinstance(why, TimeoutError):
        return "no connection in time"
    if isinstance(why, ConnectionRefusedError):
        return "connection refused"
    if isinstance(why, ssl.SSLError):
        return f"TLS: {why.reason or 'failed'}"
    return why.strerror or type(why).__name__
