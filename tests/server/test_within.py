"""Waiting no longer than was said, without a timer for what is there already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from plimsoll.api.within import within


def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await work()

    return asyncio.run(main())


async def _there() -> str:
    return "here"


async def _comes(seconds: float = 0.01) -> str:
    await asyncio.sleep(0)
    await asyncio.sleep(seconds)
    return "came"


def test_what_is_there_is_given_without_a_timer() -> None:
    async def timers() -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        given = await within(60, _there())
        return given, len(loop._scheduled)  # type: ignore[attr-defined]

    assert _run(timers) == ("here", 0)


def test_what_comes_in_time_is_given() -> None:
    assert _run(lambda: within(10, _comes())) == "came"


def test_what_does_not_come_in_time_is_cancelled() -> None:
    ended: list[str] = []

    async def never() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(TimeoutError):
        _run(lambda: within(0.01, never()))
    assert ended == ["cancelled"]


def test_a_cancellation_from_outside_is_one() -> None:
    async def cancelled() -> bool:
        task = asyncio.create_task(within(60, asyncio.sleep(60)))
        await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return task.cancelled()
        return False

    assert _run(cancelled)


@pytest.mark.parametrize("after", [False, True])
def test_an_error_of_the_work_comes_out_as_it_is(after: bool) -> None:
    async def breaks() -> None:
        if after:
            await asyncio.sleep(0)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        _run(lambda: within(10, breaks()))
