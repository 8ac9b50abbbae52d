"""Group commit: whoever comes first writes for all who came meanwhile.

A caller who finds the writer's lock free writes its own record under it: a hop to a writer thread would cost 50 µs.
Callers who find it taken queue up; the one who holds it writes, lets go and wakes the first in the queue, who writes
for the whole queue. Calls on an event loop are gathered per tick of the loop, go into the queue as one and are answered
by one wake-up; a thread of ours writes for them when nobody else does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final, Protocol

from plimsoll.ledger.entry import Draft
from plimsoll.ledger.reservation import Op

# A waiting caller looks for itself after so long: whoever should have woken it may have been interrupted (Ctrl-C).
_LOOK_S: Final = 0.05


Outcome = tuple[str, ...] | Exception  # ids, or why there are none


class Request:
    """Drafts and ops that stand or fall together.

    Attributes:
        planned: its outcome once the group is on the disk; nobody who waits may look at it.
        outcome: its outcome; None until it is settled.
    """

    __slots__ = ("drafts", "ops", "outcome", "planned")

    def __init__(self, drafts: Sequence[Draft], ops: Sequence[Op]) -> None:
        self.drafts = drafts
        self.ops = ops
        self.planned: Outcome | None = None
        self.outcome: Outcome | None = None

    def result(self) -> tuple[str, ...]:
        """Its ids, once it is settled. Raises its error."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome


class _Ticket(Protocol):
    """Something in the queue: requests, and somebody who waits for them."""

    @property
    def requests(self) -> Sequence[Request]:
        """What is to be written."""
        ...

    def wake(self) -> None:
        """The requests are settled, or it is this one's turn to write."""
        ...


class _Caller:
    """A thread that waits for its one request."""

    __slots__ = ("_bell", "requests")

    def __init__(self, request: Request) -> None:
        self.requests = (request,)
        self._bell = threading.Lock()
        self._bell.acquire()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # it rang already
            self._bell.release()

    def wait(self) -> None:
        self._bell.acquire(timeout=_LOOK_S)


class _Tick:
    """What one event loop asked for in one turn of it."""

    __slots__ = ("_futures", "_loop", "_nudge", "requests")

    def __init__(self, loop: asyncio.AbstractEventLoop, nudge: Callable[[], None]) -> None:
        self._loop = loop
        self._nudge = nudge
        self._futures: list[asyncio.Future[tuple[str, ...]]] = []
        self.requests: list[Request] = []

    def add(self, request: Request) -> asyncio.Future[tuple[str, ...]]:
        future: asyncio.Future[tuple[str, ...]] = self._loop.create_future()
        self.requests.append(request)
        self._futures.append(future)
        return future

    def wake(self) -> None:
        if any(request.outcome is None for request in self.requests):
            self._nudge()
            return
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        for request, future in zip(self.requests, self._futures, strict=True):
            if future.done():  # cancelled; what it asked for is written nevertheless
                continue
            if isinstance(request.outcome, Exception):
                future.set_exception(request.outcome)
            else:
                future.set_result(request.result())


class GroupCommit:
    """The writer's lock and the queue in front of it."""

    def __init__(self, write: Callable[[Sequence[Request]], None], most: int) -> None:
        """A queue whose groups are written by ``write``.

        Args:
            write: settles every request it is given. When it raises (an interrupt), those it left are tried again.
            most: requests in one group; what one caller or one tick of a loop asks for is never split.
        """
        self._write = write
        self._most = most
        self._queue: deque[_Ticket] = deque()
        self._lock = threading.Lock()
        self._ticks: dict[asyncio.AbstractEventLoop, _Tick] = {}
        self._nudges: SimpleQueue[object] = SimpleQueue()  # one per tick; None ends the thread
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def lock(self) -> threading.Lock:
        """The writer's lock."""
        return self._lock

    # ── threads ──

    def submit(self, request: Request) -> tuple[str, ...]:
        """Write one request, alone or with others; its ids. Raises the request's error."""
        if self._queue or self._lock.locked():
            self._wait(request)
        else:
            try:
                with self._lock:
                    self._write((request,))
            finally:
                self._hand_over()
        return request.result()

    def _wait(self, request: Request) -> None:
        ticket = _Caller(request)
        self._queue.append(ticket)
        try:
            while request.outcome is None:
                if not self._lock.locked():
                    self._lead()
                if request.outcome is None:
                    ticket.wait()
        except BaseException:
            # Interrupted: what was not begun is not done, and if it was our turn to write, somebody else must.
            with contextlib.suppress(ValueError):
                self._queue.remove(ticket)
            self._hand_over()
            raise

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the writer's lock for something that is no group."""
        try:
            with self._lock:
                yield
        finally:
            self._hand_over()

    def _lead(self) -> None:
        """Write for the queue, as far as one group goes."""
        try:
            with self._lock:
                tickets = self._take()
                if not tickets:
                    return
                requests = [request for ticket in tickets for request in ticket.requests]
                try:
                    self._write(requests)
                finally:
                    self._settle(tickets)
        finally:
            self._hand_over()

    def _take(self) -> list[_Ticket]:
        tickets: list[_Ticket] = []
        count = 0
        while self._queue and count < self._most:
            tickets.append(self._queue.popleft())
            count += len(tickets[-1].requests)
        return tickets

    def _settle(self, tickets: list[_Ticket]) -> None:
        for ticket in tickets:
            if all(request.outcome is not None for request in ticket.requests):
                ticket.wake()
            else:  # an interrupt came between
                self._queue.append(ticket)

    def _hand_over(self) -> None:
        """Wake the first in the queue to write for it; a spare call does no harm."""
        if self._queue and not self._lock.locked():
            with contextlib.suppress(IndexError):  # somebody else took it meanwhile
                self._queue[0].wake()

    # ── event loops ──

    def post(self, loop: asyncio.AbstractEventLoop, request: Request) -> asyncio.Future[tuple[str, ...]]:
        """Ask for a request from a running event loop; the future gets its ids or its error."""
        tick = self._ticks.get(loop)
        if tick is None:
            tick = self._ticks[loop] = _Tick(loop, self._nudge)
            loop.call_soon(self._end_tick, loop)
        return tick.add(request)

    def _end_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._queue.append(self._ticks.pop(loop))
        self._nudge()

    def _nudge(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="plimsoll-ledger-commit", daemon=True)
                    self._thread.start()
        self._nudges.put(self)

    def _run(self) -> None:
        while self._nudges.get() is not None:
            while self._queue:
                self._lead()

    def close(self) -> None:
        """Write what is queued and end our thread."""
        while self._queue:
            self._lead()
        self.stop()

    def stop(self) -> None:
        """End our thread."""
        if self._thread is not None:
            self._nudges.put(None)
            self._thread.join()
            self._thread = None
