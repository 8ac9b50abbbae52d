"""One of the processes of a rollback drill: a guard of several releases under traffic, on the system's own ledger.

Run as ``python -m plimsoll.assembly.drill_host``. It is told on stdin what to do, a JSON value a line, and replies on
stdout: first an `Order`, then one `Word` after the other. It ends when stdin does.

It records and is steered under the drill's name in place of the system's, so that what is practised is obeyed by no
guard that serves callers, and counts in no figure but the drill's own.
"""

from __future__ import annotations

import asyncio
import enum
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.releases import opener
from plimsoll.assess.drill import PEOPLE, Asked
from plimsoll.errors import PlimsollError, TargetError
from plimsoll.guard.fleet import Fleet
from plimsoll.ledger import Ledger
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import Answer, Disposition

_ENCODE: Final = msgspec.json.Encoder(enc_hook=str, order="sorted").encode
_STOPPED: Final = "human-only: "  # how the reason of a decision begins that an operator's stop holds


class Word(enum.StrEnum):
    """What a process of a drill is told to do."""

    STATE = "state"  # say how the guard stands, and who answered the call that began last
    ASK = "ask"  # ask all inputs once, and say what came of it
    TRAFFIC = "traffic"  # begin to ask them over and over
    REST = "rest"  # end the traffic, and say what came of it


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a process of a drill is for."""

    manifest: str
    state: str
    run: str  # id of the run
    name: str  # under which it records and is steered
    release: str  # digest: what this process reads must be what the run is about
    inputs: tuple[tuple[str, str, bytes], ...]  # decision type, source, record
    callers: int  # calls under way at once
    rate_per_s: float


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """How a guard stands."""

    trouble: str = ""
    last: str = ""  # who answered the call that began last
    calls: int = 0  # of the traffic, so far


class _Traffic:
    """The callers of one process. Each asks, waits for the answer, and asks again when it is due."""

    def __init__(self, guard: Fleet, order: Order) -> None:
        self._guard = guard
        self._order = order
        self._tasks: list[asyncio.Task[None]] = []
        self._next = 0
        self._resting = False
        self.calls: list[Asked] = []

    def begin(self) -> None:
        self.calls, self._resting = [], False
        self._tasks = [asyncio.create_task(self._call_on(n)) for n in range(self._order.callers)]

    async def end(self) -> list[Asked]:
        self._resting = True  # what is under way is let end: broken off, it would look like a lost call
        await asyncio.gather(*self._tasks)
        self._tasks = []
        return self.calls

    async def _call_on(self, number: int) -> None:
        every_s = self._order.callers / self._order.rate_per_s
        due = time.monotonic() + every_s * number / self._order.callers
        while not self._resting:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - every_s) + every_s  # what is behind catches up with one call at most
            self._next += 1
            self.calls.append(await self.ask(self._next % len(self._order.inputs)))

    async def once(self) -> list[Asked]:
        """Ask all inputs once."""
        waiting = iter(range(len(self._order.inputs)))

        async def some() -> list[Asked]:
            return [await self.ask(n) for n in waiting]

        found = await asyncio.gather(*(some() for _ in range(self._order.callers)))
        return [call for each in found for call in each]

    async def ask(self, number: int) -> Asked:
        type_, source, record = self._order.inputs[number]
        began = time.monotonic_ns()
        answer = await self._guard.adecide(type_, record, source=source)
        return Asked(
            input=number,
            began_ns=began,
            ended_ns=time.monotonic_ns(),
            by=PEOPLE if _is_stopped(answer) else answer.release,
            disposition=answer.disposition,
            why="stopped" if _is_stopped(answer) else answer.why,
            outcome=_outcome(answer),
        )


def _is_stopped(answer: Answer) -> bool:
    return answer.disposition is Disposition.HELD and answer.why.startswith(_STOPPED)


def _outcome(answer: Answer) -> str:
    return digest_bytes(_ENCODE((answer.disposition, answer.via, answer.output)))


@asynccontextmanager
async def _lines() -> AsyncIterator[Callable[[], Any]]:
    """Reads a line of stdin without holding up the loop."""
    reader = asyncio.StreamReader(limit=1 << 30)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader.readline
    finally:
        transport.close()


async def _serve(guard: Fleet, order: Order, next_line: Callable[[], Any], say: Callable[[Any], None]) -> None:
    traffic = _Traffic(guard, order)
    say(Stand(trouble=guard.trouble))
    while line := await next_line():
        match msgspec.json.decode(line, type=Word):
            case Word.STATE:
                last = max(traffic.calls[-4 * order.callers :], key=lambda c: c.began_ns, default=None)
                trouble = guard.trouble or ("" if guard.is_steered else "control entries are not followed")
                say(Stand(trouble=trouble, last="" if last is None else last.by, calls=len(traffic.calls)))
            case Word.ASK:
                say(await traffic.once())
            case Word.TRAFFIC:
                traffic.begin()
                say(Stand())
            case Word.REST:
                say(await traffic.end())


def open_drilled(project: Project, ledger: Ledger, order: Order) -> Fleet:
    """The guard of a drill: as in earnest, but for its name."""
    parts = project.guard_parts(run=order.run, rehearsal=True, system=order.name)
    return Fleet(
        ledger=ledger,
        open_release=opener(project, ledger, run=order.run, system=order.name),
        spend=project.purse(ledger, parts["target"], system=order.name),
        **parts,
    )


async def _main(say: Callable[[Any], None]) -> None:
    async with _lines() as next_line:
        order = msgspec.json.decode(await next_line(), type=Order)
        project = Project(Path(order.manifest), state=Path(order.state))
        if project.release.digest != order.release:
            raise TargetError(
                f"the files of {project.file}, or its environment, changed after the drill had begun",
                fix="leave them as they are while it runs, and run it again",
            )
        with project.open_ledger() as ledger, open_drilled(project, ledger, order) as guard:
            await _serve(guard, order, next_line, say)


def main() -> int:
    """Do what is said on stdin; say on stderr what went wrong."""
    replies = os.dup(1)
    os.dup2(2, 1)  # a target that prints must not write into the replies

    def say(value: Any) -> None:
        raw = msgspec.json.encode(value) + b"\n"
        while raw:
            raw = raw[os.write(replies, raw) :]

    try:
        asyncio.run(_main(say))
    except PlimsollError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
