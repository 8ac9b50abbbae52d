"""One HTTP request and its response over ASGI: headers, a bounded body in bounded time, one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from plimsoll.api.problem import MEDIA, HttpProblem
from plimsoll.api.within import within

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: Final = b"application/json"
JSON_LINES: Final = frozenset({b"application/jsonl", b"application/x-ndjson"})
_HEADER_MOST: Final = 1024  # characters of a header of ours: they are recorded


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may take."""

    body_bytes: int = 1 << 20  # of one record; what the guard reads at most
    batch_bytes: int = 16 << 20
    batch_records: int = 1000
    body_s: float = 30.0  # from the headers to the last byte of the body
    write_s: float = 30.0  # for a client to take what is sent at once


class Exchange:
    """A request, and the one response to it."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send, limits: Limits) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.parameters: Mapping[str, str] = scope.get("path_params", {})
        self.limits = limits
        self.started = False
        self.status = 0  # of the response, once it has begun
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._fields: dict[bytes, bytes] = dict(self._headers)
        self._receive = receive
        self._send = send

    # -- the request

    def has_header(self, name: bytes) -> bool:
        """Whether a header is there, be it empty."""
        return name in self._fields

    def header(self, name: bytes) -> str:
        """The value of a header, "" when it is not there.

        Raises:
            HttpProblem: it is there twice (whoever reads the other one sees another request), or too long.
        """
        value = self._fields.get(name)
        if value is None:
            return ""
        if len(self._fields) < len(self._headers) and (n := sum(key == name for key, _ in self._headers)) > 1:
            raise HttpProblem(400, "request.header", f"the header '{name.decode()}' is there {n} times")
        if len(value) > _HEADER_MOST:
            raise HttpProblem(400, "request.header", f"the header '{name.decode()}' is over {_HEADER_MOST} bytes")
        return value.decode("latin-1").strip()

    def text_header(self, name: bytes) -> str:
        """As `header`, with percent escapes for what is not ASCII.

        Raises:
            HttpProblem: it is not ASCII, or what is escaped is not UTF-8.
        """
        if name not in self._fields:
            return ""
        value = self.header(name)
        if not value.isascii():
            raise HttpProblem(
                400, "request.header", f"the header '{name.decode()}' is not ASCII", fix="percent-encode it as UTF-8"
            )
        if "%" not in value:
            return value
        try:
            return unquote(value, errors="strict")
        except UnicodeDecodeError as why:
            raise HttpProblem(
                400, "request.header", f"what is percent-encoded in the header '{name.decode()}' is not UTF-8"
            ) from why

    @property
    def content_type(self) -> bytes:
        """Media type without parameters, in small letters."""
        return self.header(b"content-type").partition(";")[0].strip().lower().encode("latin-1")

    async def body(self, most: int) -> tuple[bytes, bool]:
        """The body, and whether it is whole: of one that is longer than ``most``, the first ``most`` + 1 bytes.

        Raises:
            HttpProblem: it came too slowly, or its sender has gone.
        """
        try:
            return await within(self.limits.body_s, self._whole(most))
        except TimeoutError as why:
            raise HttpProblem(
                408, "request.slow", f"the body was not here after {self.limits.body_s:g} s", close=True
            ) from why

    async def _whole(self, most: int) -> tuple[bytes, bool]:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise HttpProblem(400, "request.cut", "the request ended before its body did", close=True)
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                return b"".join(chunks)[: most + 1], False
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks), True

    async def gone(self) -> None:
        """Returns when the client has gone."""
        while True:
            if (await self._receive())["type"] == "http.disconnect":
                return

    # -- the response

    async def respond(
        self, status: int, body: bytes, media: bytes = JSON, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        """Send the whole response."""
        self.started, self.status = True, status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", media),
                    (b"content-length", str(len(body)).encode()),
                    *_SAFE,
                    *headers,
                ],
            }
        )
        await self._write({"type": "http.response.body", "body": body})

    async def refuse(self, problem: HttpProblem) -> None:
        """Send a problem document; of a response that has begun, nothing more can be said."""
        if not self.started:
            close = ((b"connection", b"close"),) if problem.close else ()
            await self.respond(problem.status, problem.body, MEDIA, (*problem.headers, *close))

    async def begin(self, status: int, media: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Begin a response that comes in pieces."""
        self.started, self.status = True, status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", media), *_SAFE, *headers],
            }
        )

    async def piece(self, body: bytes, *, last: bool = False) -> None:
        """One piece of it, when the client has room for it."""
        await self._write({"type": "http.response.body", "body": body, "more_body": not last})

    async def _write(self, message: Message) -> None:
        # A client that takes nothing would keep its answer, and its place, for ever.
        await within(self.limits.write_s, self._send(message))


_SAFE: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
