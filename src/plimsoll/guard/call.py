"""Calling a target: nobody waits longer than was said, and nothing that it does can end us."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, Final

import msgspec

from plimsoll.engine.python_import import said
from plimsoll.guard.room import Room
from plimsoll.guard.target import FAULTS, Ask, Target, TargetFault, kind_of

_LOOP_LAG_S: Final = 0.02  # in time for the loop to cancel at the limit itself, if nothing blocks it


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt ended. Exactly one of ``returned`` and ``why`` speaks."""

    returned: Any = None
    why: str = ""  # "target-error", "target-timeout"…, "target-exit"; "deadline": the caller's wait is over; "no-room"
    kind: str = ""  # which of `FAULTS`; "": it answered, or was never asked
    error: str = ""  # type and message of what was raised
    ns: int = 0  # nanoseconds in the target, or waited for it
    asked: bool = True  # False: the target was not reached
    retry_after_s: float | None = None  # what the target asks us to wait


class Caller:
    """Asks one target, from threads and from event loops, for callers who have taken a place in its room.

    A synchronous target with a limit runs in a thread of ours, so that its caller can stop waiting; the work itself
    goes on until it ends, and only then the place is left. Without a limit it runs in the caller's own thread. An
    asynchronous one is cancelled at its limit; one that goes on all the same, or blocks its loop, holds up a caller on
    that loop, and a caller from a thread not.
    """

    def __init__(self, target: Target, room: Room) -> None:
        self.target = target
        self.room = room
        self._pool: _Pool | None = None
        self._loop: _LoopThread | None = None
        self._lock = threading.Lock()

    def call(self, ask: Ask, limit_s: float | None) -> Called:
        """Ask from a thread; returns within the limit, if there is one."""
        if self.target.is_async:
            return self._our_loop().run(lambda: _run_async(self.target, ask, limit_s), limit_s, self.room.leave)
        if limit_s is None:
            return self.here(ask)
        started = time.perf_counter_ns()
        job = self._submit(ask)
        if job is None:
            return _no_thread()
        try:
            if job.bell.acquire(timeout=limit_s):
                return job.called
        except BaseException:
            job.claim()
            raise
        return _given_up(job, started)

    async def acall(self, ask: Ask, limit_s: float | None) -> Called:
        """Ask from an event loop; without a limit a synchronous target runs right here, with no thread hop."""
        if self.target.is_async:
            called = None
            try:
                called = await _run_async(self.target, ask, limit_s)
            finally:
                self.room.leave(0 if called is None else called.ns)
            return called
        if limit_s is None:
            return self.here(ask)
        started = time.perf_counter_ns()
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        job = self._submit(ask, lambda: _tell(loop, ended))
        if job is None:
            return _no_thread()
        try:
            async with asyncio.timeout(limit_s):
                await ended
        except TimeoutError:
            return _given_up(job, started)
        except BaseException:
            job.claim()
            raise
        return job.called

    def here(self, ask: Ask) -> Called:
        """Ask a synchronous target in the caller's own thread, as long as it takes."""
        try:
            return _run(self.target, ask)
        finally:
            self.room.leave()

    def close(self) -> None:
        """Let go of idle threads. A thread that is still inside the target is a daemon and ends with the process."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None
            if self._loop is not None:
                self._loop.close()
                self._loop = None

    def _submit(self, ask: Ask, rings: Callable[[], object] | None = None) -> _Job | None:
        """Hand it to a thread; None, and the place is left, when the system has no more of them."""
        if self._pool is None:
            with self._lock:
                self._pool = self._pool or _Pool(self.target, self.room)
        job = _Job(ask, rings)
        try:
            self._pool.submit(job)
        except RuntimeError:  # "can't start new thread"
            self.room.leave()
            return None
        return job

    def _our_loop(self) -> _LoopThread:
        with self._lock:
            if self._loop is None:
                self._loop = _LoopThread()
            return self._loop


class _Job:
    """One call for a thread of the pool. Whoever claims it first has it: the thread, or the caller who gives it up."""

    __slots__ = ("_claimed", "ask", "bell", "called", "rings")

    def __init__(self, ask: Ask, rings: Callable[[], object] | None) -> None:
        self.ask = ask
        self.rings = rings  # in place of the bell
        self.bell = threading.Lock()
        self.bell.acquire()
        self.called = _NOT_BEGUN
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        return self._claimed.acquire(blocking=False)

    def end(self, called: Called) -> None:
        self.called = called
        self.bell.release()
        if self.rings is not None:
            self.rings()


class _Pool:
    """Daemon threads that take one call each: a target that never returns must not keep the process from ending.

    ``concurrent.futures`` joins its threads at exit, so one hung target would hang the interpreter. Whoever submits
    has a place in the room, so there are never more threads than places, and never a job without a thread.
    """

    def __init__(self, target: Target, room: Room) -> None:
        self._target = target
        self._room = room
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self.threads = 0
        self._idle = 0  # threads with nothing to do and nothing coming to them

    def submit(self, job: _Job) -> None:
        """Raises RuntimeError when the system has no thread for it."""
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                threading.Thread(target=self._work, name="plimsoll-target", daemon=True).start()
                self.threads += 1
        self._jobs.put(job)

    def close(self) -> None:
        for _ in range(self.threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            called = _run_to_its_end(self._target, job.ask) if job.claim() else _NOT_BEGUN
            with self._lock:
                self._idle += 1
            self._room.leave(called.ns)
            job.end(called)
            del job, called  # what a call held must not stay until the next one


class _LoopThread:
    """One event loop in a thread of its own, for asynchronous targets that are called from threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="plimsoll-loop", daemon=True)
        self._thread.start()

    def run(
        self, work: Callable[[], Coroutine[Any, Any, Called]], limit_s: float | None, leave: Callable[[int], None]
    ) -> Called:
        """Run ``work`` there, and leave the room when it has ended; that may be after this returns."""
        started = time.perf_counter_ns()
        bell = threading.Lock()
        bell.acquire()
        tasks: list[asyncio.Task[Called]] = []
        ended: list[Called] = []

        def start() -> None:
            task = self._loop.create_task(_as_outcome(work))
            task.add_done_callback(end)
            tasks.append(task)

        def end(task: asyncio.Task[Called]) -> None:
            if not task.cancelled() and task.exception() is None:
                ended.append(task.result())
            leave(ended[0].ns if ended else 0)
            bell.release()

        def cancel() -> None:
            tasks[0].cancel()  # it was started before: the loop takes one thing after the other

        try:
            self._loop.call_soon_threadsafe(start)
        except RuntimeError:  # the guard is being closed
            leave(0)
            return Called(why="no-room", asked=False, error="the guard was closed")
        try:
            if bell.acquire(timeout=-1 if limit_s is None else limit_s + _LOOP_LAG_S) and ended:
                return ended[0]
        except BaseException:
            self._loop.call_soon_threadsafe(cancel)
            raise
        self._loop.call_soon_threadsafe(cancel)
        return _late(started)

    def close(self) -> None:
        # One turn later than what was asked of the loop before: connections that close need a turn of their own.
        self._loop.call_soon_threadsafe(self._loop.call_soon, self._loop.stop)
        self._thread.join(timeout=1.0)
        if not self._thread.is_alive():
            self._loop.close()


async def _as_outcome(work: Callable[[], Coroutine[Any, Any, Called]]) -> Called:
    """Only the main thread is interrupted; a target can still raise it, and it would end our loop."""
    try:
        return await work()
    except KeyboardInterrupt as why:
        return _raised(why, time.perf_counter_ns())


def _run(target: Target, ask: Ask) -> Called:
    started = time.perf_counter_ns()
    try:
        returned = target.ask(ask)
    except KeyboardInterrupt:
        raise
    except BaseException as why:  # noqa: BLE001 - whatever a target raises is an outcome, never our end
        return _raised(why, started)
    return Called(returned=returned, ns=time.perf_counter_ns() - started)


def _run_to_its_end(target: Target, ask: Ask) -> Called:
    try:
        return _run(target, ask)
    except KeyboardInterrupt as why:  # only the main thread is interrupted; a target can still raise it
        return _raised(why, time.perf_counter_ns())


class _Limit:
    """Cancels the running task when its time is up: what `asyncio.timeout` does, at a fraction of its cost."""

    __slots__ = ("_before", "_cut", "_task", "timer")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "what is awaited is in a task"
        self._task = task
        self._before = task.cancelling()
        self._cut = False
        self.timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        self._cut = True
        self._task.cancel()

    def over(self, *, by_cancelling: bool = False) -> bool:
        """Whether it was this that ended the wait. To be asked once, when the wait is over.

        Args:
            by_cancelling: it ended with a CancelledError, which then has to be this one's and nobody else's.
        """
        if not self._cut:
            return False
        left = self._task.uncancel()
        return left <= self._before or not by_cancelling


async def _run_async(target: Target, ask: Ask, limit_s: float | None) -> Called:
    started = time.perf_counter_ns()
    limit = None if limit_s is None else _Limit(limit_s)
    try:
        returned = await target.ask(ask)
    except KeyboardInterrupt:
        raise
    except BaseException as why:  # whatever a target raises is an outcome, never our end
        if limit is not None and limit.over(by_cancelling=isinstance(why, asyncio.CancelledError)):
            return _late(started)
        task = asyncio.current_task()
        if isinstance(why, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is our caller who was cancelled
        return _raised(why, started)
    finally:
        if limit is not None:
            limit.timer.cancel()
    if limit is not None and limit.over():  # it did not let itself be cancelled, and came late
        return _late(started)
    return Called(returned=returned, ns=time.perf_counter_ns() - started)


def _tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    def ring() -> None:
        if not ended.done():
            ended.set_result(None)

    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(ring)


def _given_up(job: _Job, started: int) -> Called:
    """The wait for a job is over. One that never began is taken back, so that it does not run for nobody."""
    if job.claim():
        return Called(why="no-room", ns=time.perf_counter_ns() - started, asked=False)
    return _late(started)


def _late(started: int) -> Called:
    return Called(why="deadline", kind="timeout", ns=time.perf_counter_ns() - started)


def _no_thread() -> Called:
    return Called(why="no-room", asked=False, error="the system has no thread for it")


def _raised(why: BaseException, started: int) -> Called:
    kind = kind_of(why)
    kind = kind if kind in FAULTS else "error"
    return Called(
        why="target-exit" if isinstance(why, SystemExit) else f"target-{kind}",
        kind=kind,
        error=said(why),
        ns=time.perf_counter_ns() - started,
        retry_after_s=_seconds(why.retry_after_s) if isinstance(why, TargetFault) else None,
    )


def _seconds(given: float | None) -> float | None:
    """What a target asks us to wait, where that is a time at all."""
    return given if isinstance(given, int | float) and math.isfinite(given) and given >= 0 else None


_NOT_BEGUN: Final = Called(why="no-room", asked=False)
