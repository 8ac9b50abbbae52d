"""A pool of worker processes around one Python callable: what hangs or crashes is cut off and replaced.

``processes`` calls run at once, and one process more stands ready with everything imported, so that the call after a
crash does not wait for a start. Processes are spawned, not forked. They end with this one, however it ends.

Each process has a keeper, a thread that starts it, waits for its end, and starts the next: the kernel ties a child's
life to the thread that made it (prctl(2), PR_SET_PDEATHSIG), so that thread must live as long.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.engine.ending import how_it_ended
from plimsoll.engine.worker_wire import (
    ANSWER,
    FAULT,
    HEADER,
    MOST,
    NO_START,
    QUESTION,
    READY,
    SETUP,
    NoStart,
    Raised,
    Returned,
    Setup,
    decode,
    encode,
    frame,
    receive,
)
from plimsoll.errors import TargetError

REGULAR: Final = "plimsoll.engine.worker_child"  # the main module of a worker

_FIRST_PAUSE_S: Final = 0.1  # after a start that failed; doubled after each one that follows
_LONGEST_PAUSE_S: Final = 30.0
_SHORT_S: Final = 1.0  # a worker that ends sooner, and answered nothing, has failed to start
_LAST_WORDS_S: Final = 1.0  # for the kernel to tell how a process ended whose socket is closed
_END_S: Final = 1.0  # for idle workers to end by themselves at close


class WorkerFault(Exception):
    """A worker gave no answer.

    Args:
        kind: "timeout", "unavailable" (nothing was called), "error", "invalid" or "crash".
        message: for the record.
        retry_after_s: how long the callable asks us to wait, or until a worker is started again.
    """

    def __init__(self, kind: str, message: str, *, retry_after_s: float | None = None) -> None:
        self.kind = kind
        self.retry_after_s = retry_after_s
        super().__init__(message)


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is run, in how many processes.

    Args:
        reference: the callable, as ``package.module:callable``.
        folders: to import from, before what is installed; nothing else of this process's ``sys.path`` is passed on, so
            that two pools can run two versions of one module.
        processes: calls at once, at least 1.
        spares: processes that stand ready beside them.
        memory_mib: of address space for each process; None: what the machine has.
        start_s: seconds a process may take to import the callable.
        module: the worker's main module.
    """

    reference: str
    folders: tuple[Path, ...] = ()
    processes: int = 1
    spares: int = 1
    memory_mib: int | None = None
    start_s: float = 60.0
    module: str = REGULAR


class WorkerPool:
    """Worker processes of one callable. May be asked from several event loops; made anew after a fork.

    Args:
        settings: see `WorkerSettings`.
        on_opened: told which files a worker opened, where its module watches them.
    """

    def __init__(self, settings: WorkerSettings, on_opened: Callable[[tuple[str, ...]], None] = lambda _: None) -> None:
        self.settings = settings
        self._on_opened = on_opened
        self._inherited: tuple[object, ...] = ()  # kept, so that nothing is closed or reaped that is not ours
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._alive: set[_Worker] = set()
        self._waiting: deque[Future[_Worker]] = deque()
        self._busy = 0
        self._failure: NoStart | None = None  # of the last start, where it failed and no worker is up
        self._again_at = 0.0  # when the next start is tried, monotonic seconds
        self._news = threading.Condition(self._lock)  # the first worker is up, or has failed to start
        self._closing = threading.Event()
        self._keepers = [
            threading.Thread(target=self._keep, name="plimsoll-worker", daemon=True)
            for _ in range(self.settings.processes + self.settings.spares)
        ]
        self._started = False

    def start(self) -> None:
        """Start the processes and wait until the first is ready.

        Raises:
            TargetError: it cannot be started: the callable cannot be imported, or importing it ends the process.
        """
        self._start_keepers()
        with self._news:
            self._news.wait_for(lambda: self._alive or self._failure is not None)
            failure = None if self._alive else self._failure
        if failure is not None:
            self.close()
            raise TargetError(failure.message, fix=failure.fix)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that are up."""
        with self._lock:
            return tuple(worker.pid for worker in self._alive)

    async def ask(self, record: Any, within_s: float | None = None) -> Returned:
        """Call the callable with one record in one of the processes.

        A process that is still busy at the end of the time, or when the caller is cancelled, is killed.

        Args:
            record: anything that MessagePack has a form for, and NumPy arrays.
            within_s: seconds from now, the wait for a free process included; None: as long as it takes.

        Raises:
            WorkerFault: there is no answer; see its kinds.
        """
        if within_s is not None and within_s <= 0.0:
            raise WorkerFault("timeout", "no time was left to ask it")
        loop = asyncio.get_running_loop()
        until = None if within_s is None else loop.time() + within_s
        try:
            question = encode(record)
        except TypeError as why:
            raise WorkerFault("invalid", f"the record cannot be sent to a worker process: {why}") from why
        if len(question) > MOST:
            raise WorkerFault("invalid", f"the record has {len(question):,} bytes; a worker takes {MOST:,}")
        worker = await self._take(until)
        try:
            try:
                async with asyncio.timeout_at(until):
                    kind, payload = await worker.exchange(loop, frame(QUESTION, question))
            except TimeoutError as why:
                worker.kill()
                raise WorkerFault("timeout", "it was still at it when its time was up, and was cut off") from why
            except (OSError, EOFError, ValueError) as why:
                worker.kill()
                words = await worker.last_words()
                if self._closing.is_set():
                    raise WorkerFault("unavailable", "the pool was closed") from why
                raise WorkerFault("crash", f"its process {words}") from why
            except BaseException:
                worker.kill()
                raise
        finally:
            self._give_back(worker)
        return self._read(worker, kind, payload)

    def _read(self, worker: _Worker, kind: bytes, payload: bytes) -> Returned:
        try:
            if kind == ANSWER:
                returned: Returned = decode(payload, Returned)
                if returned.opened:
                    self._on_opened(returned.opened)
                return returned
            raised: Raised = decode(payload, Raised)
        except msgspec.DecodeError as why:
            worker.kill()
            raise WorkerFault("crash", "its process gave an answer that is no frame of ours") from why
        if raised.opened:
            self._on_opened(raised.opened)
        raise WorkerFault(raised.kind, raised.message, retry_after_s=raised.retry_after_s)

    def close(self) -> None:
        """End every process: idle ones by themselves, for a second; then all. Calls under way fail."""
        if self._pid != os.getpid():
            return
        self._closing.set()
        with self._lock:
            idle, self._idle = self._idle, []
            waiting, self._waiting = self._waiting, deque()
            busy = self._alive.difference(idle)
            self._news.notify_all()
        for turn in waiting:
            if turn.set_running_or_notify_cancel():
                turn.set_exception(WorkerFault("unavailable", "the pool is closed"))
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.hang_up()
        limit = time.monotonic() + _END_S
        for keeper in self._keepers:
            if keeper.ident is not None:
                keeper.join(max(0.0, limit - time.monotonic()))
        with self._lock:
            late = tuple(self._alive)
        for worker in late:
            worker.kill()
        for keeper in self._keepers:
            if keeper.ident is not None:
                keeper.join(_END_S)

    # ── who has which worker ──

    async def _take(self, until: float | None) -> _Worker:
        turn = self._turn()
        if isinstance(turn, _Worker):
            return turn
        waited = asyncio.wrap_future(turn)
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(waited)
        except BaseException as why:
            if not turn.cancel() and turn.exception() is None:
                self._give_back(turn.result())  # it was given to us while we turned away
            waited.cancel()
            if isinstance(why, TimeoutError):
                raise WorkerFault("unavailable", "every worker process was busy until its time was up") from why
            raise

    def _turn(self) -> _Worker | Future[_Worker]:
        if self._pid != os.getpid():  # the workers there are belong to the parent, and so do their sockets
            self._inherited = (self._alive, self._idle, self._keepers)
            self._begin()
        self._start_keepers()
        with self._lock:
            if self._closing.is_set():
                raise WorkerFault("unavailable", "the pool is closed")
            if self._idle and self._busy < self.settings.processes:
                return self._taken()
            if self._failure is not None and not self._alive:
                wait = max(0.0, self._again_at - time.monotonic())
                raise WorkerFault(
                    "unavailable", f"no worker process can be started: {self._failure.message}", retry_after_s=wait
                )
            turn: Future[_Worker] = Future()
            self._waiting.append(turn)
            return turn

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._busy -= 1
            worker.busy = False
            if worker not in self._alive:
                worker.let_go()
            elif not worker.killed:
                self._idle.append(worker)
        self._serve()

    def _serve(self) -> None:
        """Give idle workers to those who wait."""
        while True:
            with self._lock:
                if not (self._idle and self._waiting and self._busy < self.settings.processes):
                    return
                turn = self._waiting.popleft()
                if not turn.set_running_or_notify_cancel():
                    continue
                worker = self._taken()
            turn.set_result(worker)

    def _taken(self) -> _Worker:
        """The one that was used last; those at the bottom stand ready."""
        worker = self._idle.pop()
        worker.busy = True
        self._busy += 1
        return worker

    # ── the keepers ──

    def _start_keepers(self) -> None:
        if self._started:
            return
        with self._lock:
            if self._started:
                return
            self._started = True
        for keeper in self._keepers:
            keeper.start()

    def _keep(self) -> None:
        failed = 0
        while not self._closing.is_set():
            begun = time.monotonic()
            started = self._spawn()
            if isinstance(started, _Worker):
                self._joined(started)
                started.wait_for_end()
                self._left(started)
                if started.asked or started.killed or time.monotonic() - begun > _SHORT_S:
                    failed = 0
                    continue
                started = NoStart(message=f"its process {how_it_ended(started.code or 0)} without being asked")
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**failed)
            failed = min(failed + 1, 20)
            self._no_start(started, pause)
            self._closing.wait(pause)

    def _spawn(self) -> _Worker | NoStart:
        settings = self.settings
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-u", "-m", settings.module, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for its owner; and it is ended with all that it started
            )
        except OSError as why:
            ours.close()
            return NoStart(message=f"a worker process cannot be started: {why}", fix="free some memory or processes")
        finally:
            theirs.close()
        worker = _Worker(ours, process)
        with self._lock:
            if self._closing.is_set():
                worker.kill()
        setup = Setup(
            reference=settings.reference,
            folders=tuple(str(folder.resolve()) for folder in settings.folders),
            memory_mib=settings.memory_mib,
        )
        said = worker.greet(frame(SETUP, encode(setup)), settings.start_s)
        if said is not None and said[0] == READY:
            self._on_opened(decode(said[1], tuple[str, ...]))
            return worker
        worker.kill()
        worker.wait_for_end()
        worker.let_go()
        if said is not None and said[0] == NO_START:
            no_start: NoStart = decode(said[1], NoStart)
            return no_start
        what = f"importing '{settings.reference.partition(':')[0]}' in a worker process"
        if worker.late:
            return NoStart(message=f"{what} took more than {settings.start_s:g} s", fix="see what it waits for")
        return NoStart(
            message=f"{what} failed: the process {how_it_ended(worker.code or 0)}",
            fix=f"`python -c 'import {settings.reference.partition(':')[0]}'` shows what happens",
        )

    def _joined(self, worker: _Worker) -> None:
        with self._news:
            self._failure = None
            self._alive.add(worker)
            self._idle.insert(0, worker)  # those that have answered before are asked first
            self._news.notify_all()
            closing = self._closing.is_set()
        if closing:
            worker.kill()
        self._serve()

    def _left(self, worker: _Worker) -> None:
        with self._lock:
            self._alive.discard(worker)
            with suppress(ValueError):
                self._idle.remove(worker)
            if not worker.busy:
                worker.let_go()

    def _no_start(self, why: NoStart, pause: float) -> None:
        with self._news:
            self._failure = why
            self._again_at = time.monotonic() + pause
            waiting: deque[Future[_Worker]] = deque()
            if not self._alive:
                waiting, self._waiting = self._waiting, waiting
            self._news.notify_all()
        for turn in waiting:
            if turn.set_running_or_notify_cancel():
                said = f"no worker process can be started: {why.message}"
                turn.set_exception(WorkerFault("unavailable", said, retry_after_s=pause))


class _Worker:
    """One process, from its owner's side."""

    def __init__(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self.code: int | None = None  # how it ended, as `subprocess` says it
        self.killed = False  # by us
        self.late = False  # it did not start in time
        self.asked = False
        self.busy = False  # a caller has it
        self._connection = connection
        self._process = process
        self._lock = threading.Lock()  # between killing and reaping: a reaped process id may be another's
        self._ended: Future[None] = Future()
        # A future that runs cannot be cancelled: who gives up waiting for it would otherwise end it for its keeper.
        self._ended.set_running_or_notify_cancel()

    def greet(self, setup: bytes, within_s: float) -> tuple[bytes, bytes] | None:
        """Send the first frame and wait for the first of the worker's; None: there is none."""
        limit = time.monotonic() + within_s
        # The limit is for all of it; the worker's first frame is small, and comes in one piece or not at all.
        self._connection.settimeout(within_s)
        try:
            self._connection.sendall(setup)
            said = receive(self._connection)
        except TimeoutError:
            said = None
        except OSError:
            return None
        self.late = said is None and time.monotonic() >= limit
        self._connection.setblocking(False)  # noqa: FBT003 - the socket's own word
        return said

    async def exchange(self, loop: asyncio.AbstractEventLoop, question: bytes) -> tuple[bytes, bytes]:
        """Ask, and wait for the answer.

        Raises:
            EOFError, OSError: the process is gone.
            ValueError: what it sent is no frame.
        """
        self.asked = True
        await loop.sock_sendall(self._connection, question)
        length, kind = HEADER.unpack(await self._exactly(loop, HEADER.size))
        if length > MOST or kind not in {ANSWER, FAULT}:
            raise ValueError("not a frame")
        payload = await self._exactly(loop, length)
        return kind, payload

    async def _exactly(self, loop: asyncio.AbstractEventLoop, size: int) -> bytes:
        got = await loop.sock_recv(self._connection, size)
        if len(got) == size:
            return got
        parts = bytearray(got)
        while len(parts) < size:
            if not got:
                raise EOFError
            got = await loop.sock_recv(self._connection, min(size - len(parts), 1 << 20))
            parts += got
        return bytes(parts)

    def kill(self) -> None:
        """End the process now, and all that it started."""
        with self._lock:
            self.killed = True
            if self.code is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Let it end by itself."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close the socket of a process that has ended, once nobody reads it."""
        self._connection.close()

    def wait_for_end(self) -> None:
        """Until the process has ended; then end what it left behind, and note how it went."""
        with suppress(ChildProcessError):  # the program has told the kernel to forget its children
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # before it is reaped: until then the id is its own
            self.code = self._process.wait()
        self.hang_up()  # a process that it forked may hold the other end open
        self._ended.set_result(None)

    async def last_words(self) -> str:
        """How the process ended, in words."""
        with suppress(TimeoutError, FutureTimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await asyncio.wrap_future(self._ended)
        return "was cut off" if self.code is None else how_it_ended(self.code)
