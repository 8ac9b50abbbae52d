"""Replies of the HTTP client: read whole or as a stream, and the ways in which there is none."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from plimsoll.engine.http_request import Headers

_FULL: Final = 256 << 10  # bytes that a stream's reader may be behind; beyond it the connection is not read
_LATE: Final = "its time ran out in mid-reply"


class HttpFault(Exception):
    """There is no whole reply.

    Args:
        kind: "timeout" (its time ran out), "unavailable" (the service could not be reached or is not asked: it had no
            effect), "error" (the connection broke), "invalid" (what came is not HTTP, too large, or compressed).
        message: what happened; it holds nothing of what was sent.
        unanswered: the request was sent, and the connection closed before the first byte of a reply.
    """

    def __init__(self, kind: str, message: str, *, unanswered: bool = False) -> None:
        self.kind = kind
        self.unanswered = unanswered
        super().__init__(message)


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole reply."""

    status: int
    headers: Headers  # names in lower case
    body: bytes

    def header(self, name: str) -> str:
        """The value of the first header of this name; "" when there is none."""
        return first(self.headers, name)


def first(headers: Iterable[tuple[str, str]], name: str) -> str:
    """The value of the first header of a name in lower case; "" when there is none."""
    for known, value in headers:
        if known == name:
            return value
    return ""


class Exchange(Protocol):
    """Where a connection puts the reply under way."""

    def head(self, status: int, headers: Headers) -> str:
        """Status and headers are in; gives what is wrong with them, or ""."""

    def body(self, data: bytes) -> str:
        """Some of the body; gives what is wrong with it, or ""."""

    def done(self) -> None:
        """The reply is whole."""

    def fail(self, fault: HttpFault) -> None:
        """It will not come."""


def _unreadable(headers: Headers, most: int) -> str:
    """Why a body will not be read, from the headers before it."""
    coding = first(headers, "content-encoding")
    if coding and coding.strip().lower() not in {"", "identity"}:
        return "the reply is compressed, which was not asked for"
    length = first(headers, "content-length")
    return f"the reply has more than {most:,} bytes" if length.isdecimal() and int(length) > most else ""


class Whole:
    """A reply that is awaited whole."""

    __slots__ = ("_headers", "_most", "_pieces", "_size", "_status", "reply")

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self.reply: asyncio.Future[HttpReply] = loop.create_future()
        self._most = most
        self._status = 0
        self._headers: Headers = ()
        self._pieces: list[bytes] = []
        self._size = 0

    def head(self, status: int, headers: Headers) -> str:
        """Status and headers are in."""
        self._status, self._headers = status, headers
        return _unreadable(headers, self._most)

    def body(self, data: bytes) -> str:
        """Some of the body."""
        self._pieces.append(data)
        self._size += len(data)
        return f"the reply has more than {self._most:,} bytes" if self._size > self._most else ""

    def done(self) -> None:
        """The reply is whole."""
        if not self.reply.done():
            body = b"".join(self._pieces)
            self.reply.set_result(HttpReply(status=self._status, headers=self._headers, body=body))

    def fail(self, fault: HttpFault) -> None:
        """It will not come."""
        if not self.reply.done():
            self.reply.set_exception(fault)


class HttpStream:
    """A reply that is read as it comes, by one reader.

    Attributes:
        status: 0 until the head is in.
        headers: names in lower case.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int, until: float) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.ended = False  # the whole body is in
        self._loop = loop
        self._most = most
        self._until = until
        self._chunks: deque[bytes] = deque()
        self._behind = 0  # bytes in it
        self._total = 0
        self._fault: HttpFault | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self.pause: Callable[[bool], None] = lambda _: None  # the connection's: stop reading, or go on

    def header(self, name: str) -> str:
        """The value of the first header of this name in lower case; "" when there is none."""
        return first(self.headers, name)

    async def read(self) -> bytes:
        """What has come since the last read, as soon as there is something; b"" at the end of the body.

        Raises:
            HttpFault: the rest did not come in time, or not as HTTP.
        """
        while not self._chunks:
            if self._fault is not None:
                raise self._fault
            if self.ended:
                return b""
            await self._wait()
        if self._loop.time() > self._until and not self.ended:
            raise HttpFault("timeout", _LATE)
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._behind = 0
        if self._paused:
            self._paused = False
            self.pause(False)  # noqa: FBT003 - asyncio's two words for it
        return data

    async def read_all(self) -> bytes:
        """The rest of the body.

        Raises:
            HttpFault: as `read`.
        """
        parts = []
        while data := await self.read():
            parts.append(data)
        return b"".join(parts)

    async def ends_within(self, seconds: float) -> bool:
        """Whether the body ends in so much time, with nothing more in it; never raises.

        For a reader who knows by what was read that it is at the end: then the connection can be used again.
        """
        self._until = min(self._until, self._loop.time() + seconds)
        try:
            return await self.read() == b""
        except HttpFault:
            return False

    async def head_is_in(self) -> None:
        """Wait for status and headers.

        Raises:
            HttpFault: they do not come.
        """
        while not self.status:
            if self._fault is not None:
                raise self._fault
            await self._wait()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(self._until, self.fail, HttpFault("timeout", _LATE))
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def head(self, status: int, headers: Headers) -> str:
        """Status and headers are in."""
        self.status, self.headers = status, headers
        self._wake()
        return _unreadable(headers, self._most)

    def body(self, data: bytes) -> str:
        """Some of the body."""
        self._chunks.append(data)
        self._behind += len(data)
        self._total += len(data)
        if self._behind > _FULL and not self._paused:
            self._paused = True
            self.pause(True)  # noqa: FBT003 - asyncio's two words for it
        self._wake()
        return f"the reply has more than {self._most:,} bytes" if self._total > self._most else ""

    def done(self) -> None:
        """The body is whole."""
        self.ended = True
        self._wake()

    def fail(self, fault: HttpFault) -> None:
        """It will not come; what came before is read first."""
        if not self.ended and self._fault is None:
            self._fault = fault
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
