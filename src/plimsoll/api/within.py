"""Waiting no longer than was said, for what is mostly there already: only what has to wait gets a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")


async def within(seconds: float, work: Awaitable[R]) -> R:
    """What ``work`` gives.

    Raises:
        TimeoutError: it was not there in time; ``work`` was cancelled.
    """
    steps = work.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]  # what an awaitable returns is what its type says
    async with asyncio.timeout(seconds):
        return await _Begun(steps, waits_for)


class _Begun(Generic[R]):
    """What was begun to be awaited, and waits for something already."""

    def __init__(self, steps: Generator[Any, Any, R], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, R]:
        """Go on as ``await`` would have: hand on what it waits for, and back what comes of it."""
        waits_for = self._waits_for
        while True:
            try:
                came, thrown = (yield waits_for), None
            except BaseException as why:  # noqa: BLE001 - a cancellation above all: it belongs to the work
                came, thrown = None, why
            try:
                waits_for = self._steps.send(came) if thrown is None else self._steps.throw(thrown)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]  # as above
