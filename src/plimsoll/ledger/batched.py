"""Enqueued entries: the id at once, the disk within the flush window.

They have a stream of their own. Its only writer is this queue, so a position is known the moment an entry is taken in,
and holds: a group that fails (a full disk) stays in front of the queue and is written later under the same ids. What
never reaches the disk leaves no hole, since everything behind it is missing too; `flush` and `close` raise then, and
after a crash the next opener records a ``gap``.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

import msgspec

from plimsoll.errors import StoreError
from plimsoll.ledger.entry import Draft

_GROUP: Final = 1024  # entries in one commit
_RETRY_S: Final = 0.5  # between tries of a group that failed


class Item(msgspec.Struct, gc=False):
    """One enqueued entry."""

    seq: int
    time_ns: int
    draft: Draft


class Sink(Protocol):
    """Where enqueued entries go; all but `open_stream` under the writer's lock."""

    def open_stream(self) -> tuple[str, int]:
        """Id and size of the stream."""
        ...

    def write(self, items: Sequence[Item]) -> int:
        """Store them in one transaction; how far the stream reaches then."""
        ...


class Enqueued:
    """The bounded queue and the thread that empties it."""

    def __init__(self, sink: Sink, clock: Callable[[], int], most: int, flush_s: float) -> None:
        """An empty queue.

        Args:
            sink: where entries go.
            clock: UTC nanoseconds.
            most: entries that may wait.
            flush_s: seconds an entry waits for company.
        """
        self._sink = sink
        self._clock = clock
        self._most = most
        self._flush_s = flush_s
        self._waiting: deque[Item] = deque()
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._work = threading.Condition(self._lock)
        self._draining = threading.Lock()
        self._stream = ""
        self._next = 0
        self._time_ns = 0
        self._clock_ns = 0
        self._error: StoreError | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def lock(self) -> threading.Lock:
        """The queue's lock; taken around a fork."""
        return self._lock

    @property
    def draining(self) -> threading.Lock:
        """Held while a group is written; taken around a fork."""
        return self._draining

    @property
    def trouble(self) -> StoreError | None:
        """Why the last group could not be written; None when it was."""
        return self._error

    def put(self, draft: Draft) -> str:
        """Take one checked draft; its id.

        Raises:
            StoreError: the queue is full and what waits in front cannot be written.
        """
        if not self._stream:
            self._start()
        with self._lock:
            if len(self._waiting) >= self._most:
                self._wait_for_room()
            now = self._clock()
            if now < self._clock_ns - 1_000_000_000:
                body = msgspec.json.encode({"from_ns": self._clock_ns, "to_ns": now})
                self._add(Draft(kind="clock.stepped", body=body), now)
            seq = self._next
            self._add(draft, now)
            count = len(self._waiting)
            if count in {1, self._most // 4}:  # the first begins the window; many do not wait for its end
                self._work.notify()
        return f"{self._stream}-{seq}"

    def _add(self, draft: Draft, now: int) -> None:
        self._clock_ns = now
        self._time_ns = max(self._time_ns, now)
        self._waiting.append(Item(self._next, self._time_ns, draft))
        self._next += 1

    def _wait_for_room(self) -> None:
        while len(self._waiting) >= self._most:
            if self._error is not None:
                raise self._error
            self._work.notify()
            self._room.wait(0.1)

    def _start(self) -> None:
        with self._draining:
            if self._stream:
                return
            stream, self._next = self._sink.open_stream()
            self._thread = threading.Thread(target=self._run, name="plimsoll-ledger-flush", daemon=True)
            self._thread.start()
            self._stream = stream

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self.flush()
            except StoreError:  # kept in `trouble`, raised to callers when the queue is full, at `flush` and at `close`
                time.sleep(_RETRY_S)

    def _wait_for_work(self) -> bool:
        with self._lock:
            while not self._waiting and not self._closing:
                self._work.wait()
            until = time.monotonic() + self._flush_s
            while not self._closing and len(self._waiting) < self._most // 4:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._work.wait(left)
            return not self._closing

    def flush(self) -> None:
        """Write what was enqueued before this call.

        Raises:
            StoreError: it could not be written; it still waits, under the same ids.
        """
        goal = self._next
        with self._draining:
            for group in self._groups(goal):
                try:
                    size = self._sink.write(group)
                except StoreError as error:
                    self._error = error
                    with self._lock:
                        self._room.notify_all()
                    raise
                self._error = None
                with self._lock:
                    while self._waiting and self._waiting[0].seq < size:
                        self._waiting.popleft()
                    self._room.notify_all()

    def _groups(self, goal: int) -> Iterator[list[Item]]:
        while True:
            with self._lock:
                group = list(islice(self._waiting, _GROUP))
            if not group or group[0].seq >= goal:
                return
            yield group

    def stop(self) -> None:
        """End the thread; what waits stays where it is."""
        with self._lock:
            self._closing = True
            self._work.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Write what waits and end the thread.

        Raises:
            StoreError: entries were enqueued that are not on the disk.
        """
        self.stop()
        try:
            self.flush()
        except StoreError as error:
            lost = len(self._waiting)
            raise type(error)(
                f"{lost} enqueued entries were not written: {error.message}", fix=error.fix, where=error.where
            ) from error
