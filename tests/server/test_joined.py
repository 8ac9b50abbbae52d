"""Head and body of a response leave in one piece, and nothing is kept back for longer than one turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from plimsoll.server.joined import Joined

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def _first_received(new_loop: Callable[[], asyncio.AbstractEventLoop], act: Callable[[Joined], None]) -> list[bytes]:
    """What a client receives, read by read, of a server that acts on its connection at once."""

    class Acts(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            act(Joined(transport, asyncio.get_running_loop()))  # type: ignore[arg-type]

    class Reads(asyncio.Protocol):
        def __init__(self) -> None:
            self.pieces: list[bytes] = []
            self.ended = asyncio.get_running_loop().create_future()

        def data_received(self, data: bytes) -> None:
            self.pieces.append(data)

        def connection_lost(self, _exc: Exception | None) -> None:
            self.ended.set_result(None)

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Acts, "127.0.0.1", 0)
        async with server:
            transport, reads = await loop.create_connection(Reads, *server.sockets[0].getsockname())
            await asyncio.wait([reads.ended], timeout=0.5)
            transport.close()
        return reads.pieces

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())


@LOOPS
def test_two_writes_arrive_as_one(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    def act(joined: Joined) -> None:
        joined.write(b"head ")
        joined.write(b"body")
        joined.close()

    assert _first_received(new_loop, act) == [b"head body"]


@LOOPS
def test_what_is_written_alone_leaves_by_itself(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    assert _first_received(new_loop, lambda joined: joined.write(b"alone")) == [b"alone"]


@LOOPS
def test_what_was_written_leaves_before_the_connection_closes(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    def act(joined: Joined) -> None:
        joined.write(b"all")
        joined.close()
        assert joined.is_closing()

    assert _first_received(new_loop, act) == [b"all"]


@LOOPS
def test_what_was_written_is_forgotten_when_it_is_broken_off(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    def act(joined: Joined) -> None:
        joined.write(b"never")
        joined.abort()

    assert _first_received(new_loop, act) == []


@LOOPS
def test_the_order_is_kept(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    def act(joined: Joined) -> None:
        for number in range(100):
            joined.write(b"%d," % number)
        joined.close()

    assert b"".join(_first_received(new_loop, act)) == b"".join(b"%d," % number for number in range(100))
