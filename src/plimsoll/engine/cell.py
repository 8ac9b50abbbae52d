"""A cell: a process of its own that hosts a system under test, asked over a Unix socket.

The load driver never shares an interpreter with what it measures: one would hold up the other, and the driver's
lateness would be published as the system's. The child process calls `serve_cell`; the driver's side is
`plimsoll.engine.load_cell`.

A frame is 4 bytes length of the payload, 4 bytes number of the call (both unsigned, big-endian), then the payload.
Asked with the exact bytes of a record, a cell replies under the same number with the disposition as a JSON string.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from plimsoll.errors import UsageError
from plimsoll.model.decision import Disposition

HEADER: Final = struct.Struct(">II")
MOST_PAYLOAD: Final = 64 << 20  # bytes; a longer length is a peer that does not speak this protocol
ACCEPT_S: Final = 120.0  # a cell that nobody asks by then has lost its driver, and ends
_CHUNK: Final = 1 << 18
_FAILED: Final = f'"{Disposition.FAILED.value}"'.encode()
_REPLIES: Final = {d.value: f'"{d.value}"'.encode() for d in Disposition}


class BadFrame(ValueError):
    """The peer does not speak the protocol of a cell."""


class Frames:
    """Cuts a stream of bytes into frames; keeps what is not whole yet."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole now: number and payload.

        Raises:
            BadFrame: a length is beyond any record.
        """
        rest = self._rest
        rest += data
        at = 0
        try:
            while len(rest) - at >= HEADER.size:
                length, number = HEADER.unpack_from(rest, at)
                if length > MOST_PAYLOAD:
                    raise BadFrame(f"a frame of {length} bytes was announced; {MOST_PAYLOAD} are allowed")
                end = at + HEADER.size + length
                if len(rest) < end:
                    break
                payload = bytes(rest[at + HEADER.size : end])
                at = end
                yield number, payload
        finally:
            del rest[:at]


def serve_cell(
    socket_path: str,
    decide: Callable[[bytes], str] | None = None,
    *,
    adecide: Callable[[bytes], Awaitable[str]] | None = None,
    threads: int = 16,
) -> None:
    """Answer one driver until it hangs up. This is the main loop of the child process.

    Args:
        socket_path: where to listen; must not exist yet. The driver passes it as the last argument of the process.
        decide: from a record's bytes to its disposition; called from several threads at once. Whatever it raises,
            ``SystemExit`` too, counts as ``failed``.
        adecide: the same as a coroutine function, all calls in one event loop. Exactly one of both must be given.
        threads: calls of ``decide`` under way at once, at least 1.

    Raises:
        UsageError: none or both of ``decide`` and ``adecide`` are given, or no thread.
        TimeoutError: no driver came within two minutes.
    """
    if (decide is None) is (adecide is None) or threads < 1:
        raise UsageError("a cell needs either decide or adecide, and at least one thread")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path)
        listener.listen(1)
        listener.settimeout(ACCEPT_S)
        connection, _ = listener.accept()
    with connection:
        if decide is not None:
            connection.settimeout(None)
            _serve_with_threads(connection, decide, threads)
        elif adecide is not None:
            asyncio.run(_serve_with_tasks(connection, adecide))


def _serve_with_threads(connection: socket.socket, decide: Callable[[bytes], str], threads: int) -> None:
    # Not bounded here: the driver bounds how many calls are open, and a bound would only move the wait to the socket.
    waiting: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
    sending = threading.Lock()

    def work() -> None:
        while (asked := waiting.get()) is not None:
            number, record = asked
            try:
                reply = _REPLIES[decide(record)]
            except BaseException:  # noqa: BLE001  # a target may raise anything, SystemExit too; the cell goes on
                reply = _FAILED
            # An error here is a driver that has hung up; the reader sees it as well and ends the cell.
            with contextlib.suppress(OSError), sending:
                connection.sendall(HEADER.pack(len(reply), number) + reply)

    crew = [threading.Thread(target=work, name=f"cell-{i}", daemon=True) for i in range(threads)]
    for thread in crew:
        thread.start()
    frames = Frames()
    try:
        while data := connection.recv(_CHUNK):
            for asked in frames.feed(data):
                waiting.put(asked)
    except OSError:
        pass
    # What still waits is of no use to anybody; the threads are daemons, so that one that hangs cannot keep the process.
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait()
    for _ in crew:
        waiting.put(None)
    for thread in crew:
        thread.join(1.0)


async def _serve_with_tasks(connection: socket.socket, adecide: Callable[[bytes], Awaitable[str]]) -> None:
    connection.settimeout(0.0)
    reader, writer = await asyncio.open_connection(sock=connection)
    under_way: set[asyncio.Task[None]] = set()

    async def answer(number: int, record: bytes) -> None:
        try:
            reply = _REPLIES[await adecide(record)]
        except (Exception, SystemExit):  # noqa: BLE001  # as above; a cancellation must pass
            reply = _FAILED
        writer.write(HEADER.pack(len(reply), number) + reply)

    frames = Frames()
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            for number, record in frames.feed(data):
                task = asyncio.create_task(answer(number, record))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    writer.close()
