"""Calling the target: within its deadline, and so that nothing it does can end us."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

import msgspec

from plimsoll.guard.target import PythonTarget


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended. Exactly one of ``returned`` and ``why`` speaks."""

    returned: Any = None
    why: str = ""  # "deadline", "target-error", "target-exit", "no-room"
    error: str = ""  # type and message of what was raised
    ns: int = 0  # nanoseconds in the target, or waited for it


class Caller:
    """Calls one target, from threads and from event loops.

    A synchronous target with a deadline runs in a pool of at most ``concurrency`` threads, so that its caller can stop
    waiting; the work itself goes on until it ends, and its thread is not free until then. Without a deadline it runs in
    the caller's own thread. An asynchronous one is cancelled at its deadline; one that goes on all the same, or blocks
    its loop, holds up a caller on that loop, and a caller from a thread not.
    """

    def __init__(self, target: PythonTarget, *, deadline_s: float | None, concurrency: int) -> None:
        self.target = target
        self.deadline_s = deadline_s
        self._concurrency = concurrency
        self._pool: _Pool | None = None
        self._loop: _LoopThread | None = None
        self._lock = threading.Lock()

    def call(self, record: Any) -> Called:
        """Call from a thread; returns within the deadline, if there is one."""
        if self.target.is_async:
            return self._call_async_from_thread(record)
        if self.deadline_s is None:
            return _run(self.target, record)
        started = time.perf_counter_ns()
        future = self._threads().submit(self.target, record)
        try:
            return future.result(self.deadline_s)
        except FutureTimeoutError:
            # A job that never began is taken back, so that it does not run for nobody.
            waited = "no-room" if future.cancel() else "deadline"
            return Called(why=waited, ns=time.perf_counter_ns() - started)

    async def acall(self, record: Any) -> Called:
        """Call from an event loop; without a deadline a synchronous target runs right here, with no thread hop."""
        if self.target.is_async:
            return await _run_async(self.target, record, self.deadline_s)
        if self.deadline_s is None:
            return _run(self.target, record)
        started = time.perf_counter_ns()
        future = self._threads().submit(self.target, record)
        wrapped = asyncio.wrap_future(future)
        try:
            async with asyncio.timeout(self.deadline_s):
                return await asyncio.shield(wrapped)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except TimeoutError:
            waited = "no-room" if future.cancel() else "deadline"
            return Called(why=waited, ns=time.perf_counter_ns() - started)

    def close(self) -> None:
        """Let go of idle threads. A thread that is still inside the target is a daemon and ends with the process."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None
            if self._loop is not None:
                self._loop.close()
                self._loop = None

    def forget_threads(self) -> None:
        """After a fork: the parent's threads are not here; new ones are started when needed."""
        self._lock = threading.Lock()
        self._pool = None
        self._loop = None

    def _threads(self) -> _Pool:
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = _Pool(self._concurrency)
        return self._pool

    def _call_async_from_thread(self, record: Any) -> Called:
        with self._lock:
            if self._loop is None:
                self._loop = _LoopThread()
            runner = self._loop
        return runner.run(_run_async(self.target, record, self.deadline_s), self.deadline_s)


def _run(target: PythonTarget, record: Any) -> Called:
    started = time.perf_counter_ns()
    try:
        returned = target.call(record)
    except KeyboardInterrupt:
        raise
    except BaseException as why:  # noqa: BLE001 - whatever a target raises is an outcome, never our end
        return _raised(why, started)
    return Called(returned=returned, ns=time.perf_counter_ns() - started)


async def _run_async(target: PythonTarget, record: Any, deadline_s: float | None) -> Called:
    started = time.perf_counter_ns()
    timeout = asyncio.timeout(deadline_s)
    try:
        async with timeout:
            returned = await target.call(record)
    except KeyboardInterrupt:
        raise
    except BaseException as why:  # whatever a target raises is an outcome, never our end
        if timeout.expired():
            return Called(why="deadline", ns=time.perf_counter_ns() - started)
        task = asyncio.current_task()
        if isinstance(why, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is our caller who was cancelled
        return _raised(why, started)
    if timeout.expired():  # it did not let itself be cancelled, and came late
        return Called(why="deadline", ns=time.perf_counter_ns() - started)
    return Called(returned=returned, ns=time.perf_counter_ns() - started)


_LOOP_LAG_S: Final = 0.02  # in time for the loop to cancel at the deadline itself, if nothing blocks it
_SAID: Final = 500  # characters of a target's error kept in the record


def _raised(why: BaseException, started: int) -> Called:
    return Called(
        why="target-exit" if isinstance(why, SystemExit) else "target-error",
        error=said(why),
        ns=time.perf_counter_ns() - started,
    )


def said(why: BaseException) -> str:
    """Type and message of an error, for the record."""
    try:
        text = str(why)
    except Exception:  # noqa: BLE001 - an exception may fail to describe itself
        text = "<no message>"
    return f"{type(why).__name__}: {text}"[:_SAID]


class _Pool:
    """Daemon threads that take one call each: a target that never returns must not keep the process from ending.

    ``concurrent.futures`` joins its threads at exit, so one hung target would hang the interpreter.
    """

    WAITING_MOST: Final = 1024  # calls that wait for a thread; beyond it there is no room, and the caller is told so

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: deque[tuple[Future[Called], PythonTarget, Any]] = deque()
        self._ready = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0  # threads with nothing to do and nothing coming to them
        self._unclaimed = 0  # jobs that no thread was woken or started for
        self._closed = False

    def submit(self, target: PythonTarget, record: Any) -> Future[Called]:
        future: Future[Called] = Future()
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name="plimsoll-target", daemon=True).start()
            elif self._unclaimed < self.WAITING_MOST:
                self._unclaimed += 1
            else:
                future.set_result(Called(why="no-room"))
                return future
            self._jobs.append((future, target, record))
        self._ready.release()
        return future

    def close(self) -> None:
        with self._lock:
            self._closed = True
            threads = self._threads
        for _ in range(threads):
            self._ready.release()

    def _work(self) -> None:
        while True:
            self._ready.acquire()
            with self._lock:
                if not self._jobs:
                    if self._closed:
                        return
                    continue
                future, target, record = self._jobs.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(_run(target, record))
                except KeyboardInterrupt as why:  # only the main thread is interrupted; a target can still raise it
                    future.set_result(_raised(why, time.perf_counter_ns()))
            del future, record
            with self._lock:
                if self._unclaimed:
                    self._unclaimed -= 1
                else:
                    self._idle += 1


class _LoopThread:
    """One event loop in a thread of its own, for asynchronous targets that are called from threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="plimsoll-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Called], deadline_s: float | None) -> Called:
        started = time.perf_counter_ns()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(None if deadline_s is None else deadline_s + _LOOP_LAG_S)
        except FutureTimeoutError:
            future.cancel()
            return Called(why="deadline", ns=time.perf_counter_ns() - started)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=1.0)
        if not self._thread.is_alive():
            self._loop.close()
