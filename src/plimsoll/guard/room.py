"""Room at a target: so many calls inside at once, so many more that wait, and for the rest a clear no."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from typing import Final

NS: Final = time.perf_counter_ns

# How long nine of ten calls take, followed by steps: up by the first factor when one took longer, else down by the
# second. A stall that hits all who are inside moves it little, and a target that slowed down tenfold is known after
# some thirty calls. Source: H. Robbins and S. Monro (1951), "A Stochastic Approximation Method".
_LONGER: Final = math.exp(0.1 * 0.9)
_SHORTER: Final = math.exp(-0.1 * 0.1)
_LEAST_WAIT_S: Final = 0.1  # what a caller who was turned away is asked to wait at least


class _Waiter:
    """Somebody who waits for a place."""

    __slots__ = ("has_place", "until_ns")

    def __init__(self, until_ns: int | None) -> None:
        self.until_ns = until_ns
        self.has_place = False

    def wake(self) -> bool:
        """Tell that there is a place; False when nobody is there any more."""
        raise NotImplementedError


class _Thread(_Waiter):
    __slots__ = ("bell",)

    def __init__(self, until_ns: int | None) -> None:
        super().__init__(until_ns)
        self.bell = threading.Lock()
        self.bell.acquire()

    def wake(self) -> bool:
        self.bell.release()
        return True


class _Task(_Waiter):
    __slots__ = ("_loop", "future")

    def __init__(self, until_ns: int | None) -> None:
        super().__init__(until_ns)
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._ring)
        except RuntimeError:  # the loop was closed, and its tasks are gone
            return False
        return True

    def _ring(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class Room:
    """The places at one target, shared by threads and event loops.

    Whoever takes a place leaves it when the work has really ended: a thread that is stuck in its target is still in
    there, whoever has stopped waiting for it.

    A place that comes free goes to who has waited longest, if the time that this caller has left is what calls need.
    Else it goes to who came last and has most time left: in a queue that has become as long as the deadline, every
    place would otherwise work for somebody who is about to give up, and hardly any answer come in time.

    Args:
        places: calls inside at once, at least 1.
        queue: callers that may wait for a place; beyond them there is no room.
    """

    def __init__(self, places: int, queue: int) -> None:
        self.places = places
        self.queue = queue
        self._free = places
        self._waiting: deque[_Waiter] = deque()  # nobody waits while a place is free
        self._lock = threading.Lock()
        self._usual_ns = 0.0  # nine of ten calls take at most this

    @property
    def inside(self) -> int:
        """Places that are taken."""
        return self.places - self._free

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take_free(self) -> bool:
        """Take a place if there is a free one."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            return True

    def take(self, until_ns: int | None) -> bool:
        """Take a place, waiting for one; False: there is no room, or none in time.

        Args:
            until_ns: on the clock `NS`; None: as long as it takes.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._waiting) >= self.queue:
                return False
            waiter = _Thread(until_ns)
            self._waiting.append(waiter)
        try:
            if until_ns is None:
                waiter.bell.acquire()
            else:
                waiter.bell.acquire(timeout=max(0.0, (until_ns - NS()) / 1e9))
        except BaseException:
            self._withdraw(waiter, keep=False)
            raise
        return self._withdraw(waiter, keep=True)

    async def atake(self, until_ns: int | None) -> bool:
        """As `take`, from an event loop."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._waiting) >= self.queue:
                return False
            waiter = _Task(until_ns)
            self._waiting.append(waiter)
        left_s = None if until_ns is None else max(0.0, (until_ns - NS()) / 1e9)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await waiter.future
        except BaseException:
            self._withdraw(waiter, keep=False)
            raise
        return self._withdraw(waiter, keep=True)

    def _withdraw(self, waiter: _Waiter, *, keep: bool) -> bool:
        """End a wait; whether the waiter has a place now. A place it was given and does not ``keep`` is passed on."""
        with self._lock:
            if not waiter.has_place:
                with contextlib.suppress(ValueError):  # it was taken out, and its loop was closed
                    self._waiting.remove(waiter)
        if waiter.has_place and not keep:
            self.leave()
        return waiter.has_place and keep

    def leave(self, held_ns: int = 0) -> None:
        """Give a place back, to somebody who waits for one.

        Args:
            held_ns: how long the call took, or was waited for; 0: it says nothing of how long calls take.
        """
        with self._lock:
            if held_ns:
                usual_ns = self._usual_ns or held_ns
                self._usual_ns = usual_ns * (_LONGER if held_ns > usual_ns else _SHORTER)
            if not self._waiting or not self._hand_over():
                self._free += 1

    def _hand_over(self) -> bool:
        """Whether somebody has the place now. The lock is held."""
        in_time_ns = NS() + self._usual_ns
        while self._waiting:
            until_ns = self._waiting[0].until_ns
            oldest = until_ns is None or until_ns >= in_time_ns
            waiter = self._waiting.popleft() if oldest else self._waiting.pop()
            waiter.has_place = waiter.wake()
            if waiter.has_place:
                return True
        return False

    def wait_s(self) -> float:
        """Seconds after which there may be room again: as long as those who are in there and wait need, at least."""
        rounds = 1 + len(self._waiting) / self.places
        return max(_LEAST_WAIT_S, round(rounds * self._usual_ns / 1e9, 3))
