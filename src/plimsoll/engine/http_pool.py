"""The connections of the HTTP client to one service in one event loop, and the bound on how many there are."""

from __future__ import annotations

import asyncio
import math
import os
import re
import select
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

import msgspec

from plimsoll.engine.http_reply import Exchange, HttpFault, HttpReply, HttpStream, Whole, first
from plimsoll.engine.http_wire import LOST_BEFORE_REPLY, NOT_HTTP, Wire, kind_of

_LOOK_AFTER_S: Final = 0.001  # an idle connection older than this is looked at before it is used again
_KEEP_ALIVE: Final = re.compile(r"timeout=(\d{1,6})", re.IGNORECASE)
_FRAMES: Final = 2  # bytes on the wire for one byte of body, at most; chunks of a byte each would cost six
_CLOSED: Final = "the client is closed"


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client allows itself and the service.

    Args:
        connections: open at once in one event loop, at most; calls beyond wait for one.
        waiting: calls that wait for a connection, at most; beyond it a call fails at once as ``unavailable``.
        connect_s: seconds until a connection must stand, TLS included.
        idle_s: seconds for which an unused connection is kept.
        head_bytes: of a reply's status line and headers.
        body_bytes: of a reply's body; of a stream, in all.
    """

    connections: int = 64
    waiting: int = 1024
    connect_s: float = 10.0
    idle_s: float = 55.0
    head_bytes: int = 64 << 10
    body_bytes: int = 16 << 20


class Connection(Wire):
    """One keep-alive connection and the exchange on it."""

    __slots__ = (
        "_exchange",
        "_headers",
        "_headers_size",
        "_in_head",
        "_paused",
        "_pool",
        "_read",
        "_timer",
        "_timer_at",
        "_until",
        "idle_until",
        "reused",
        "since",
    )

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self._exchange: Exchange | None = None
        self._headers: list[tuple[str, str]] = []
        self._in_head = True
        self._read = 0  # bytes of the reply under way, framing included
        self._paused = False
        self._until = math.inf  # when the time of the exchange is up, in the loop's time
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self.reused = False  # it has carried a whole reply before
        self.since = 0.0  # when it became idle, in the loop's time
        self.idle_until = 0.0

    # ── one exchange ──

    async def carry(self, request: bytes, whole: Whole, until: float) -> HttpReply:
        """Send, and wait for the whole reply.

        Raises:
            HttpFault: there is none in time.
        """
        self._ask(request, whole)
        self._ends_at(until)
        try:
            return await whole.reply
        except asyncio.CancelledError:
            self.drop()
            raise
        finally:
            self._until = math.inf

    async def begin(self, request: bytes, stream: HttpStream, until: float) -> None:
        """Send, and wait for the head of the reply.

        Raises:
            HttpFault: there is none in time.
        """
        stream.pause = self._pause
        self._ask(request, stream)
        self._ends_at(until)
        try:
            await stream.head_is_in()
        finally:
            self._until = math.inf

    def _ask(self, request: bytes, exchange: Exchange) -> None:
        self._exchange = exchange
        self._in_head = True
        self._read = 0
        self._headers = []
        self.send(request)

    def _ends_at(self, until: float) -> None:
        """Bound the exchange. The timer of an earlier one stays and looks again: most calls need none of their own."""
        self._until = until
        if self._timer is None or self._timer_at > until:
            self._stop_timer()
            self._timer, self._timer_at = self._pool.loop.call_at(until, self._look), until

    def _look(self) -> None:
        self._timer = None
        if self._timer_at >= self._until:
            self._fail(HttpFault("timeout", "no reply in time"))
        elif self._until < math.inf:
            self._ends_at(self._until)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, fault: HttpFault) -> None:
        exchange, self._exchange = self._exchange, None
        self.drop()
        if exchange is not None:
            exchange.fail(fault)

    def _pause(self, stop: bool) -> None:  # noqa: FBT001 - asyncio's two words for it
        if self._transport is None or self._transport.is_closing() or stop is self._paused:
            return
        self._paused = stop
        if stop:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # ── what comes in ──

    def data_received(self, data: bytes) -> None:
        """Some of a reply; bounded before it is parsed, since the parser keeps what is not whole."""
        self._read += len(data)
        limits = self._pool.limits
        if self._in_head:
            super().data_received(data)
            if self._in_head and self._read > limits.head_bytes and self._exchange is not None:
                self._fail(HttpFault("invalid", f"the head of the reply has more than {limits.head_bytes:,} bytes"))
            return
        if self._read > limits.head_bytes + _FRAMES * limits.body_bytes + (1 << 20):
            self._fail(HttpFault("invalid", "the reply is mostly framing, and has no end"))
            return
        super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has one header; those after the body are of no interest."""
        if self._in_head:
            self._headers.append((name.lower().decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The parser has the whole head."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []  # 100 Continue and the like: the head of the reply follows
            return
        self._in_head = False
        if self._exchange is not None:
            wrong = self._exchange.head(status, tuple(self._headers))
            most = self._pool.limits.head_bytes
            if not wrong and self._read > most and sum(len(n) + len(v) for n, v in self._headers) > most:
                wrong = f"the head of the reply has more than {most:,} bytes"
            if wrong:
                self._fail(HttpFault("invalid", wrong))

    def on_body(self, data: bytes) -> None:
        """The parser has some of the body."""
        if self._exchange is not None:
            wrong = self._exchange.body(data)
            if wrong:
                self._fail(HttpFault("invalid", wrong))

    # ── what the wire tells ──

    def replied(self, status: int) -> None:  # noqa: ARG002 - the exchange has it from the head
        """A whole reply is in."""
        exchange, self._exchange = self._exchange, None
        said = first(self._headers, "keep-alive")
        seconds = _KEEP_ALIVE.search(said) if said else None
        # A second before the service closes it, so that a request does not cross with the end of its connection.
        kept = self._pool.limits.idle_s if seconds is None else min(self._pool.limits.idle_s, int(seconds[1]) - 1.0)
        self.since = self._pool.loop.time()
        self.idle_until = self.since + kept
        if exchange is not None:
            exchange.done()

    def broke(self, kind: str) -> None:
        """No whole reply will come."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            fault = "invalid" if kind == NOT_HTTP else "error"
            exchange.fail(HttpFault(fault, kind, unanswered=kind == LOST_BEFORE_REPLY))

    def freed(self) -> None:
        """The connection can carry the next request, unless it is still busy sending the last one."""
        self._in_head = True
        self._pause(stop=False)
        if self._transport is None or self._transport.get_write_buffer_size():
            self.drop()  # a reply that came before the request was out is an early refusal
        else:
            self.reused = True

    def gone(self) -> None:
        """The connection is closed."""
        self._stop_timer()
        self._pool.left(self)

    def _ends_with_connection(self) -> bool:
        names = {name for name, _ in self._headers}
        return not self._in_head and not names & {"content-length", "transfer-encoding"}

    # ── ──

    def is_good(self, *, surely: bool = True) -> bool:
        """Whether the connection can be used again, as far as one can tell from here; ``surely``: after a look."""
        now = self._pool.loop.time()
        if self._transport is None or self._transport.is_closing() or now >= self.idle_until:
            return False
        if not surely or now - self.since < _LOOK_AFTER_S:
            return True
        # A loop that was held up has not read that the service closed. Whatever can be read here, nobody asked for.
        look = select.poll()
        look.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not look.poll(0)

    def close(self) -> None:
        """Close; a call under way fails."""
        self._fail(HttpFault("error", _CLOSED))

    @property
    def is_free(self) -> bool:
        """Whether it waits for the next request."""
        return not self.awaiting and self._transport is not None and not self._transport.is_closing()


class Pool:
    """Connections in the running event loop.

    Args:
        limits: bounds of connections and times.
        host: a name or an IP address.
        port: of the service.
        tls: None for plain HTTP.
    """

    def __init__(self, limits: HttpLimits, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits
        self._host, self._port, self._tls = host, port, tls
        self._given = 0  # connections that are with a caller, or are being made for one
        self._idle: list[Connection] = []  # the last one used is used first, so that those not needed grow old
        self._open: set[Connection] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._end: AsyncGenerator[None, None] | None = None
        self._pid = os.getpid()

    async def take(self, until: float, *, fresh: bool = False, surely: bool = True) -> Connection:
        """A connection to ask on; give it back.

        Args:
            until: when the caller's time is up, in the loop's time.
            fresh: a new one, though there may be idle ones.
            surely: look whether an idle one is still open, for what must not be sent twice.

        Raises:
            HttpFault: there is none in time.
        """
        await self._permit(until)
        try:
            while self._idle:
                connection = self._idle.pop()
                if not fresh and connection.is_good(surely=surely):
                    return connection
                connection.drop()
            return await self._connect(until)
        except BaseException:
            self._release()
            raise

    def give_back(self, connection: Connection) -> None:
        """The caller is done with it."""
        if self._closed:
            connection.drop()
        elif connection.is_free:
            self._idle.append(connection)
        self._release()

    async def _permit(self, until: float) -> None:
        if self._closed:
            raise HttpFault("unavailable", _CLOSED)
        if self._given < self.limits.connections and not self._waiting:
            self._given += 1
            return
        if len(self._waiting) >= self.limits.waiting:
            raise HttpFault("unavailable", f"{len(self._waiting):,} calls wait for a connection already")
        turn = self.loop.create_future()
        self._waiting.append(turn)
        timer = self.loop.call_at(until, _give_up, turn)
        try:
            await turn  # whoever gives its permit back gives it to us
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release()  # it was given, and we were cancelled before we knew
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise
        finally:
            timer.cancel()

    def _release(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._given -= 1

    async def _connect(self, until: float) -> Connection:
        left = until - self.loop.time()
        try:
            async with asyncio.timeout(max(0.0, min(left, self.limits.connect_s))):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except TimeoutError as why:
            kind = "timeout" if left <= self.limits.connect_s else "unavailable"
            raise HttpFault(kind, "no connection in time") from why
        except OSError as why:
            raise HttpFault("unavailable", kind_of(why)) from why
        self._open.add(connection)
        if self._closed:
            connection.drop()
            raise HttpFault("unavailable", _CLOSED)
        return connection

    def left(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        with suppress(ValueError):
            self._idle.remove(connection)

    # ── the end ──

    async def close_with_loop(self) -> None:
        """See to it that the connections are closed before the loop is, if it ends as ``asyncio.run`` ends it."""
        if self._end is None:
            self._end = self._until_the_end()
            await anext(self._end)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Close every connection; calls under way fail. To be called in the loop."""
        self._closed = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(HttpFault("unavailable", _CLOSED))
        self._waiting.clear()
        for connection in tuple(self._open):
            connection.close()

    def close_from_anywhere(self) -> None:
        """Close from any thread; a loop that runs elsewhere does it on its next turn."""
        if self._pid != os.getpid() or self.loop.is_closed():
            return
        with suppress(RuntimeError):  # closed in between
            self.loop.call_soon_threadsafe(self.close)


def _give_up(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(HttpFault("timeout", "no connection was free in time"))
