"""Targets that fail, each in its own way; callers who wait for them; and what the machine did meanwhile.

A caller is to have an answer or a clear refusal within the deadline and 50 ms, less what the machine took. A control
loop sees that: a process of its own that waits a millisecond and commits a row to the same disk, over and over, and
that reads from the kernel how long our threads were ready to run while somebody else did. On a machine at rest it is
next to nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self

from plimsoll.guard import Guard, Target, TargetFault
from plimsoll.guard.target import Ask
from plimsoll.guard.workers_target import load_workers_target
from plimsoll.model.decision import Answer

DEADLINE_S: Final = 0.08
LATE_S: Final = 0.05
CALLERS: Final = 16
STALLED_S: Final = 0.005  # a turn of the control loop takes some two milliseconds; a longer one was stalled
WORKERS: Final = 4
# Why a decision was not answered, where that is told clearly; "" when it was.
CLEAR: Final = frozenset(
    {"", "deadline", "no-room", "breaker-open", "target-unavailable", "target-error", "target-timeout", "target-crash"}
)


class Failing:
    """A target that fails, in a thread of the caller's (``is_async`` False) or on a loop."""

    destination = ""
    name = "failing"

    def __init__(self, *, is_async: bool) -> None:
        self.is_async = is_async
        self.calls = 0
        self._chance = random.Random(11)  # noqa: S311 - which calls fail, the same in each run
        self._lock = threading.Lock()

    def ask(self, _: Ask) -> Any:
        """Fail, or answer."""
        with self._lock:
            self.calls += 1
            chance = self._chance.random()
        return self.later(chance) if self.is_async else self.now(chance)

    def now(self, chance: float) -> Any:
        """In a thread; ``chance`` is uniform in [0, 1)."""
        raise NotImplementedError

    async def later(self, chance: float) -> Any:
        """On a loop."""
        return self.now(chance)

    def close(self) -> None:
        """Nothing is held."""


class Down(Failing):
    """Nobody listens at its address."""

    def __init__(self, *, is_async: bool) -> None:
        super().__init__(is_async=is_async)
        with contextlib.closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            self._at: tuple[str, int] = taken.getsockname()

    def now(self, chance: float) -> Any:  # noqa: ARG002 - it always fails
        """Find nobody there."""
        socket.create_connection(self._at)

    async def later(self, chance: float) -> Any:  # noqa: ARG002 - it always fails
        """Find nobody there."""
        await asyncio.open_connection(*self._at)


class Slow(Failing):
    """Half of its answers come too late."""

    def now(self, chance: float) -> Any:
        """Take up to twice the deadline."""
        time.sleep(2 * DEADLINE_S * chance)
        return {"amount": 1}

    async def later(self, chance: float) -> Any:
        """Take up to twice the deadline."""
        await asyncio.sleep(2 * DEADLINE_S * chance)
        return {"amount": 1}


class Erring(Failing):
    """Every second call fails."""

    def now(self, chance: float) -> Any:
        """Fail, or answer at once."""
        if chance < 0.5:
            raise TargetFault("error", "out of order")
        return {"amount": 1}


class Hanging(Failing):
    """It accepts, and never answers."""

    def __init__(self, *, is_async: bool) -> None:
        super().__init__(is_async=is_async)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def now(self, chance: float) -> Any:  # noqa: ARG002 - it always hangs
        """Wait for ever."""
        with contextlib.closing(socket.create_connection(self._server.getsockname())) as asked:
            return asked.recv(1)

    async def later(self, chance: float) -> Any:  # noqa: ARG002 - it always hangs
        """Wait for ever."""
        reader, writer = await asyncio.open_connection(*self._server.getsockname())
        try:
            return await reader.read(1)
        finally:
            writer.close()

    def close(self) -> None:
        """Whoever still waits is told that nobody is there."""
        self._server.close()


def killed(*, is_async: bool = True) -> Target:  # noqa: ARG001 - as the others are made; workers are asked from anywhere
    """Every second call's process is killed in its middle."""
    return _in_workers("killed")


def holding(*, is_async: bool = True) -> Target:  # noqa: ARG001 - as above
    """Every second call's process is held by C code that never comes back."""
    return _in_workers("holding")


def _in_workers(name: str) -> Target:
    return load_workers_target(f"plimsoll.testing.failing_work:{name}", (), processes=WORKERS)


FAULTS: Final[Mapping[str, Callable[..., Target]]] = MappingProxyType(
    {"down": Down, "slow": Slow, "erring": Erring, "killed": killed, "hanging": Hanging, "holding": holding}
)


# ── what the machine does meanwhile ──────────────────────────────────────────────────────────────────────────────────

_CONTROL: Final = """
import glob, os, sqlite3, sys, threading, time

def waited(watched):
    total = 0
    for name in glob.glob(f"/proc/{watched}/task/*/schedstat"):
        try:
            with open(name) as file:
                total += int(file.read().split()[1])
        except (OSError, IndexError):
            pass  # the thread has ended
    return total

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
con = sqlite3.connect(sys.argv[1], isolation_level=None)
con.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x)")
before = waited(sys.argv[2])
while True:
    began = time.perf_counter_ns()
    time.sleep(0.001)
    con.execute("INSERT INTO t VALUES (zeroblob(1000))")
    now = waited(sys.argv[2])
    os.write(1, b"%d %d %d\\n" % (began, time.perf_counter_ns(), max(0, now - before)))
    before = now
"""


class Control:
    """What the machine did: to a loop that waits and writes, and to our own threads that were ready to run.

    Args:
        folder: on the disk that the ledger is on; a file is made there.
    """

    def __init__(self, folder: Path) -> None:
        self._loop = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", _CONTROL, folder / "control.db", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._loop.stdout is not None, "it was asked for"
        self._loop.stdout.readline()
        self._turns: list[tuple[int, ...]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _read(self) -> None:
        if self._loop.stdout is not None:
            self._turns.extend(tuple(map(int, line.split())) for line in self._loop.stdout)

    def end(self) -> None:
        """End it; what it saw is complete then."""
        if self._loop.stdin is not None:
            self._loop.stdin.close()
        self._loop.wait(timeout=10)
        self._reader.join(timeout=10)
        if self._loop.stdout is not None:
            self._loop.stdout.close()

    def stalled_s(self, began_ns: int, ended_ns: int) -> float:
        """Seconds of stalls that overlap a time by ``time.perf_counter_ns``; of a turn that is half outside it, all."""
        meanwhile = [turn for turn in self._turns if turn[0] < ended_ns and turn[1] > began_ns]
        loop = sum(t1 - t0 for t0, t1, _ in meanwhile if t1 - t0 > STALLED_S * 1e9)
        return (loop + sum(waited for _, _, waited in meanwhile)) / 1e9


# ── callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Ended(NamedTuple):
    """One call; times by ``time.perf_counter_ns``."""

    began_ns: int
    ended_ns: int
    answer: Answer


def from_threads(guard: Guard, calls: int, type_: str, record: Any) -> list[Ended]:
    """So many calls of one decision type, by several threads."""
    ended: list[Ended] = []
    numbers = itertools.count()

    def caller() -> None:
        while next(numbers) < calls:
            began = time.perf_counter_ns()
            answer = guard.decide(type_, record)
            ended.append(Ended(began, time.perf_counter_ns(), answer))

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def on_a_loop(guard: Guard, calls: int, type_: str, record: Any) -> list[Ended]:
    """So many calls of one decision type, by several tasks of one event loop."""
    ended: list[Ended] = []
    numbers = itertools.count()

    async def caller() -> None:
        while next(numbers) < calls:
            began = time.perf_counter_ns()
            answer = await guard.adecide(type_, record)
            ended.append(Ended(began, time.perf_counter_ns(), answer))

    async def all_of_them() -> None:
        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    asyncio.run(all_of_them())
    return ended


def late_ms(ended: Sequence[Ended], control: Control) -> list[float]:
    """By how much calls were late that the machine did not hold up for as long, in milliseconds; empty: none was.

    Args:
        ended: the calls, under a deadline of `DEADLINE_S`.
        control: which saw the machine meanwhile, and has ended.
    """
    late = []
    for began_ns, ended_ns, _ in ended:
        over_s = (ended_ns - began_ns) / 1e9 - DEADLINE_S - LATE_S
        if over_s > 0 and over_s > control.stalled_s(began_ns, ended_ns):
            late.append(round(over_s * 1000, 1))
    return late
