"""Asks a cell (`plimsoll.engine.cell`): starts its process, connects to it, and carries calls over one Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.engine.cell import HEADER, MOST_PAYLOAD, BadFrame, Frames
from plimsoll.engine.ending import how_it_ended
from plimsoll.engine.load import Sink
from plimsoll.engine.load_window import OUTCOME_OF, Outcome
from plimsoll.errors import TargetError, UsageError
from plimsoll.model.decision import Disposition

_VERDICT: Final = {
    f'"{d.value}"'.encode(): (int(o), "" if d not in {Disposition.FAILED, Disposition.SHED} else f"disposition {d}")
    for d, o in OUTCOME_OF.items()
}
_UNKNOWN: Final = (int(Outcome.FAILED), "reply is no disposition")
_MEND: Final = "mend what keeps the system from starting, then measure again"
_LOOK_S: Final = 0.02  # between two looks for the socket of a starting process
_END_S: Final = 15.0  # a cell that was hung up on may still have to close a ledger and say what it opened
_LAST_WORDS: Final = 2000  # characters of the process's output in an error


class CellTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A child process that hosts the system under test.

    Args:
        argv: its command line; the path of the socket it must serve is added as the last argument.
        cwd: its working directory; empty: ours.
        env: environment variables beside ours.
        start_s: how long it may take until it listens.
    """

    argv: tuple[str, ...]
    cwd: str = ""
    env: dict[str, str] = {}
    start_s: float = 60.0


class CellLink:
    """One cell and its process (see `plimsoll.engine.load.Link`).

    Args:
        target: how the process is started.
        records: sent in turn, over again from the first after the last.
    """

    def __init__(self, target: CellTarget, records: Sequence[bytes]) -> None:
        if not records:
            raise UsageError("there is no record to send", fix="give at least one record")
        longest = max(len(record) for record in records)
        if longest > MOST_PAYLOAD:
            raise UsageError(f"a record has {longest} bytes; a cell takes {MOST_PAYLOAD}", fix="leave it out")
        self.queued = 0  # all calls share one socket: none ever waits for it
        self._target = target
        self._records = records
        self._base = 0
        self._calls = 0
        self._sink: Sink | None = None
        self._under_way = 0  # in the cell, calls that were given up included
        self._idle = asyncio.Event()
        self._gone = ""
        self._closing = False
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the cell; None before it is opened."""
        return None if self._process is None else self._process.pid

    @property
    def folder(self) -> Path | None:
        """Where the socket and the process's output are, while it is open."""
        return self._folder

    # ── the link ──

    async def open(self) -> None:
        """Start the process and connect.

        Raises:
            TargetError: it cannot be started, ended by itself, or did not listen in time; with its last words.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="plimsoll-cell-"))
        path = str(self._folder / "socket")  # short: the path of a Unix socket has some hundred characters at most
        try:
            with (self._folder / "output").open("wb") as output:
                # What the target prints must not mix with what the command prints. A session of its own: Ctrl-C goes
                # to the driver alone, which then ends the cell and whatever the cell started.
                self._process = subprocess.Popen(  # noqa: ASYNC220, S603  # the command is ours; starting is instant
                    [*self._target.argv, path],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._target.cwd or None,
                    env={**os.environ, **self._target.env},
                    start_new_session=True,
                )
        except OSError as why:
            await self.close()
            raise TargetError(f"the process of the system under test cannot be started: {why}", fix=_MEND) from why
        try:
            await self._connect(path)
        except BaseException:
            await self.close()
            raise

    async def _connect(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        limit = time.perf_counter() + self._target.start_s
        process = self._process
        assert process is not None, "open() starts it first"
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                transport, _ = await loop.create_unix_connection(lambda: _Wire(self), path)
                self._transport = transport
                return
            ended = process.poll()
            if ended is not None:
                raise TargetError(
                    f"the process of the system under test {how_it_ended(ended)} before it listened{self._said()}"
                )
            if time.perf_counter() > limit:
                late = f"did not listen within {self._target.start_s:g} s"
                raise TargetError(f"the process of the system under test {late}{self._said()}", fix=_MEND)
            await asyncio.sleep(_LOOK_S)

    def begin(self, calls: int, sink: Sink) -> None:
        """Start a window; replies to calls of former windows are dropped from here on."""
        self._base += self._calls
        self._calls = calls
        self._sink = sink
        if self._gone:
            sink.lost(self._gone)

    def ask(self, call: int) -> None:
        """Send one call."""
        if self._transport is None:
            return  # lost; the sink has been told
        number = self._base + call
        record = self._records[number % len(self._records)]
        self._under_way += 1
        self._transport.write(HEADER.pack(len(record), number & 0xFFFFFFFF) + record)

    def abandon(self, call: int) -> None:
        """Nothing to do: its reply is dropped when it comes."""

    async def drain(self, within_s: float) -> bool:
        """Wait until the cell has replied to all it was ever asked."""
        if self._gone or not self._under_way:
            return True
        self._idle.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Hang up, which ends the cell; one that does not end is terminated, then killed."""
        self._closing = True
        told = self._transport is not None
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._process is not None:
            await _end(self._process, patience_s=_END_S if told else 0.0)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # ── the wire ──

    def replied(self, number: int, payload: bytes) -> None:
        """A reply came in. Numbers begin again at 0 after 2^32 calls."""
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
        call = (number - self._base) & 0xFFFFFFFF
        if call < self._calls and self._sink is not None:
            self._sink.settle(call, *_VERDICT.get(payload, _UNKNOWN))

    def lost(self, kind: str) -> None:
        """The cell is gone, or does not speak the protocol."""
        if self._closing or self._gone:
            return
        ended = self._process.poll() if self._process is not None else None
        self._gone = kind if ended is None else f"process {how_it_ended(ended)}"
        self._transport = None
        self._under_way = 0
        self._idle.set()
        if self._sink is not None:
            self._sink.lost(self._gone)

    def _said(self) -> str:
        """The last words of the process, for an error."""
        assert self._folder is not None, "open() makes it first"
        raw = (self._folder / "output").read_bytes()[-_LAST_WORDS:]
        words = raw.decode("utf-8", "replace").strip()
        return f"; its last words:\n{words}" if words else "; it said nothing"


class _Wire(asyncio.Protocol):
    """The driver's end of the socket."""

    def __init__(self, link: CellLink) -> None:
        self._link = link
        self._frames = Frames()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for number, payload in self._frames.feed(data):
                self._link.replied(number, payload)
        except BadFrame:
            self._link.lost("reply is no frame of a cell")
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._link.lost("connection to the process lost")


async def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Wait so long for a process to end by itself; then make it end, with all of its session."""
    for name, wait_s in ((None, patience_s), (signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
        if name is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, name)
        limit = time.perf_counter() + wait_s
        while process.poll() is None and time.perf_counter() < limit:  # noqa: ASYNC110  # its end sets no event
            await asyncio.sleep(_LOOK_S)
        if process.poll() is not None:
            return
