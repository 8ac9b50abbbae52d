"""A model service on loopback that does as it is told: answers JSON, chats, streams, and fails in every usual way.

It is a real server on a real socket; only what it answers is made up. ::

    with Upstream() as service:
        target = load_target(...)                   # with service.url in its manifest
        service.does = Does(status=429, headers=(("Retry-After", "2"),))
        ...
        service.seen[-1].headers["idempotency-key"]

``python -m plimsoll.testing.upstream`` runs one in a process of its own: it prints its URL, and ends with its input.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Self, TypeAlias, cast

import httptools
import msgspec

from plimsoll.testing.chat import Said, completion, echo_chat, events

_KEPT: Final = 1000  # requests that are remembered
_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


class Does(msgspec.Struct, frozen=True, kw_only=True):
    """How the service treats a request.

    Args:
        wait_s: seconds until it begins to reply.
        status: of the reply; from 400 on, the body is an error in OpenAI's shape.
        headers: beside its own.
        never: it takes the request and says nothing.
        cut_at: bytes of the reply after which the connection is cut; 0: before the first one; None: never.
        garbage: what it says is not HTTP.
        piece: bytes of the body in one chunk; 0: all at once, with its length said before.
        pause_s: seconds between two chunks, or two events of a stream.
        close: the connection ends with the reply.
        raw: the reply, byte for byte, in place of all else; None: a regular one.
    """

    wait_s: float = 0.0
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    never: bool = False
    cut_at: int | None = None
    garbage: bool = False
    piece: int = 0
    pause_s: float = 0.0
    close: bool = False
    raw: bytes | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    connection: int  # number of the connection it came on, from 1

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


Plan: TypeAlias = Does | Callable[[Seen], Does]
"""The same for every request, or by what is asked."""


def echo(value: Any) -> Any:
    """The answer of a service that was told no better: what it was asked, and how sure it is."""
    return {"output": value, "confidence": 0.9}


class Upstream:
    """The service, in a thread of its own.

    Args:
        does: how requests are treated; may be set anew at any time.
        answer: from the JSON of a request to that of the reply.
        chat: from a chat request to what the model says; asked under ``…/chat/completions``.
        idle_s: seconds after which an unused connection is closed; None: never.
        tls: its certificate; None: plain HTTP.
        port: on 127.0.0.1; 0: any that is free.
    """

    def __init__(
        self,
        *,
        does: Plan | None = None,
        answer: Callable[[Any], Any] = echo,
        chat: Callable[[Any], Said] = echo_chat,
        idle_s: float | None = None,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self.does: Plan = does or Does()
        self.answer = answer
        self.chat = chat
        self.idle_s = idle_s
        self.seen: deque[Seen] = deque(maxlen=_KEPT)
        self.connections = 0  # there ever were
        self.open: set[_Line] = set()  # there are now
        self._tls = tls
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    @property
    def url(self) -> str:
        """Where it is asked; a path may follow."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)

    def hang_up(self) -> None:
        """Close every connection there is now."""
        self._loop.call_soon_threadsafe(self._drop_all)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections for a while, on the same port, and close those there are."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10.0)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10.0)

    def _drop_all(self) -> None:
        for line in tuple(self.open):
            line.drop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._listen())
            self._up.set()
            self._loop.run_forever()
            self._loop.run_until_complete(self._stop())
        finally:
            self._loop.close()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Line(self), "127.0.0.1", self._port, ssl=self._tls, backlog=2048
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        lines = tuple(self.open)
        for line in lines:
            line.drop()
        await asyncio.gather(*(line.task for line in lines if line.task is not None), return_exceptions=True)
        for _ in range(100):  # the loop closes sockets on its next turns
            if not self.open:
                return
            await asyncio.sleep(0.01)


class _Line(asyncio.Protocol):
    """One connection; replies to one request at a time."""

    def __init__(self, service: Upstream) -> None:
        self.service = service
        self.task: asyncio.Task[None] | None = None
        self.number = 0
        self._waiting: deque[Seen] = deque()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._path = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)
        self.service.connections += 1
        self.number = self.service.connections
        self.service.open.add(self)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Closed, by whomever."""
        self.service.open.discard(self)
        if self.task is not None:
            self.task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def drop(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some of a request."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.drop()

    def on_url(self, url: bytes) -> None:
        """The parser has (some of) the path."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """The parser has some of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The parser has a request."""
        seen = Seen(
            method=self._parser.get_method().decode(),
            path=self._path.decode(),
            headers=self._headers,
            body=b"".join(self._body),
            connection=self.number,
        )
        self._path, self._headers, self._body = b"", {}, []
        self.service.seen.append(seen)
        self._waiting.append(seen)
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._reply_all())

    async def _reply_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            seen = self._waiting.popleft()
            plan = self.service.does
            with suppress(_Cut):
                await self._reply(seen, plan if isinstance(plan, Does) else plan(seen))
        self._rest()

    def _rest(self) -> None:
        if self.service.idle_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self.service.idle_s, self.drop)

    async def _reply(self, seen: Seen, does: Does) -> None:
        if does.wait_s:
            await asyncio.sleep(does.wait_s)
        if does.never:
            await asyncio.Event().wait()
        out = _Out(self._transport, does.cut_at)
        if does.garbage or does.raw is not None:
            out.write(_GARBAGE if does.raw is None else does.raw)
        elif does.status >= 400:
            await self._whole(out, does, _error(does.status))
        elif seen.path.partition("?")[0].endswith("/chat/completions"):
            asked = seen.value
            said = self.service.chat(asked)
            if asked.get("stream"):
                await self._events(out, does, events(asked, said))
            else:
                await self._whole(out, does, completion(asked, said))
        else:
            await self._whole(out, does, self.service.answer(seen.value))
        if does.close and self._transport is not None:
            self._transport.close()

    async def _whole(self, out: _Out, does: Does, value: Any) -> None:
        body = msgspec.json.encode(value)
        if not does.piece:
            out.write(_head(does, "application/json", length=len(body)) + body)
            return

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), does.piece):
                yield body[at : at + does.piece]

        await self._chunks(out, does, "application/json", pieces())

    async def _events(self, out: _Out, does: Does, values: Iterator[bytes]) -> None:
        async def each() -> AsyncIterator[bytes]:
            for value in values:
                yield b"data: " + value + b"\n\n"

        await self._chunks(out, does, "text/event-stream", each())

    async def _chunks(self, out: _Out, does: Does, kind: str, pieces: AsyncIterator[bytes]) -> None:
        out.write(_head(does, kind))
        begun = False
        async for piece in pieces:
            if begun and does.pause_s:
                await asyncio.sleep(does.pause_s)
            begun = True
            out.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        out.write(b"0\r\n\r\n")


class _Cut(Exception):
    """The connection was cut, as it was told."""


class _Out:
    """Where a reply goes, until it is cut."""

    def __init__(self, transport: asyncio.Transport | None, cut_at: int | None) -> None:
        self._transport = transport
        self._left = cut_at

    def write(self, data: bytes) -> None:
        """Send, or as much of it as may still go."""
        assert self._transport is not None, "a request came in on it"
        if self._left is None:
            self._transport.write(data)
            return
        part = data[: self._left]
        self._left -= len(part)
        if part:
            self._transport.write(part)
        if len(part) < len(data) or not self._left:
            self._transport.close()
            raise _Cut


def _head(does: Does, kind: str, length: int | None = None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"HTTP/1.1 {does.status} Said", f"Content-Type: {kind}", framing]
    lines += [f"{name}: {value}" for name, value in does.headers]
    lines += ["Connection: close"] if does.close else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _error(status: int) -> dict[str, Any]:
    kind = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status, "server_error")
    return {"error": {"message": f"the service was told to say {status}", "type": kind, "code": kind}}


def main() -> int:
    """Serve until the input is closed."""
    with Upstream() as service:
        sys.stdout.write(f"{service.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
