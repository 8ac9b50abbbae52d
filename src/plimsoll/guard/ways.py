"""The two ways to wait: a thread blocks, a task on an event loop awaits.

The way of a decision is written once, as a coroutine. Whoever is on an event loop awaits it. Whoever is not runs it to
its end with `finish`; what it waits for then blocks, and it never comes to rest half way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeVar

from plimsoll.guard.call import Called, Caller
from plimsoll.guard.room import Room
from plimsoll.guard.target import Ask

T = TypeVar("T")


class Ways(Protocol):
    """Everything on the way of a decision that takes time."""

    async def take(self, room: Room, until_ns: int | None) -> bool:
        """`Room.take`."""
        ...

    async def call(self, caller: Caller, ask: Ask, limit_s: float | None) -> Called:
        """`Caller.call`."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        ...


class _FromThread:
    async def take(self, room: Room, until_ns: int | None) -> bool:
        return room.take(until_ns)

    async def call(self, caller: Caller, ask: Ask, limit_s: float | None) -> Called:
        return caller.call(ask, limit_s)

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - no event loop waits here


class _OnLoop:
    async def take(self, room: Room, until_ns: int | None) -> bool:
        return await room.atake(until_ns)

    async def call(self, caller: Caller, ask: Ask, limit_s: float | None) -> Called:
        return await caller.acall(ask, limit_s)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that only waits `FROM_THREAD`, and give its result."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    work.close()
    raise AssertionError("a coroutine that waits from a thread came to rest")


FROM_THREAD: Final[Ways] = _FromThread()
ON_LOOP: Final[Ways] = _OnLoop()
