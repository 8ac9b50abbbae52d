"""An open-loop load driver.

Every call is due at a moment that was fixed before the first was sent; it goes out then or as soon after as possible,
whatever became of the calls before it, and its latency counts from when it was **due**. A driver that waits for one
answer before it sends the next call slows down together with the system and so leaves out its worst moments
(coordinated omission, a term of Gil Tene's).

Time is `time.perf_counter`, never the loop's own clock: under uvloop that is cached for a turn, in whole milliseconds.
"""

from __future__ import annotations

import asyncio
import gc
import time
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from plimsoll.engine.load_alarm import make_alarm
from plimsoll.engine.load_backlog import backlog_of
from plimsoll.engine.load_health import HealthLimits, Vitals, out_of_breath
from plimsoll.engine.load_schedule import Schedule
from plimsoll.engine.load_window import Outcome, WindowResult, quantile

LEAD_S: Final = 0.02  # between the making of a window's arrays and its first call
BURST: Final = 64  # calls sent in one go before replies are read again; without it, catching up would starve reading
DRIVER_FAULT: Final = "driver"  # how the kind of an error begins when it is the driver's own

_OPEN: Final = int(Outcome.OPEN)
_REFUSED: Final = int(Outcome.REFUSED)
_LATE: Final = int(Outcome.LATE)
_FAILED: Final = int(Outcome.FAILED)
_UNSENT: Final = int(Outcome.UNSENT)


class Sink(Protocol):
    """Where a link reports how the calls of the window ended."""

    def settle(self, call: int, outcome: int, kind: str = "", *, replied: bool = True) -> None:
        """One call ended. Later reports on the same call are ignored."""

    def lost(self, kind: str) -> None:
        """Nothing can be asked any more; every open call has failed."""


class Link(Protocol):
    """One way of asking the system under test. Calls are numbered from 0 in each window."""

    queued: int  # calls of this window that had to wait in the driver for a free connection

    async def open(self) -> None:
        """Get ready to ask."""

    def begin(self, calls: int, sink: Sink) -> None:
        """Start a window of so many calls; replies to calls of earlier windows are dropped from here on."""

    def ask(self, call: int) -> None:
        """Send one call now, or as soon as a connection is free."""

    def abandon(self, call: int) -> None:
        """Its time is up: whatever still comes for it is dropped."""

    async def drain(self, within_s: float) -> bool:
        """Wait until nothing is under way in the system, at most so long; False: something still is."""

    async def close(self) -> None:
        """Let go of everything that was opened."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How one window is driven."""

    timeout_s: float = 10.0  # a call without a reply is given up then, counted from when it was due
    late_after_s: float | None = None  # a reply after this is late; None: after the timeout, when none comes any more
    outstanding: int = 4096  # calls due and not ended; beyond it calls are not sent and the driver is not healthy
    health: HealthLimits = HealthLimits()

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 3600:
            raise ValueError(f"the timeout is {self.timeout_s} s; it must be above 0 and at most an hour")
        if self.outstanding < 1:
            raise ValueError("at least one call must be allowed to be open")


def outstanding_for(rate: float, timeout_s: float) -> int:
    """How many calls to allow open at once, so that a system which never replies does not look like a weak driver.

    With a timeout no more than rate x timeout can be open; the bound only guards the driver's own memory.

    >>> outstanding_for(50.0, 10.0)
    4096
    """
    return max(4096, min(262_144, int(rate * timeout_s * 1.25)))


async def drive(
    link: Link,
    schedule: Schedule,
    settings: Settings,
    *,
    clock: Callable[[], float] = time.perf_counter,
    cpu: Callable[[], float] = time.process_time,
) -> WindowResult:
    """Offer one window of load and wait until every call has ended or timed out.

    It ends at the latest ``settings.timeout_s`` after the last call was due.

    Args:
        link: opened; may be used for many windows, one after the other.
        schedule: when each call is due.
        settings: timeout, lateness, bounds.
        clock: monotonic seconds.
        cpu: processor seconds used by this process.
    """
    window = _Window(link, schedule, settings, clock, cpu)
    # A collection in mid-window would stop the driver for as long as the whole process has objects; windows are
    # short and the hot path makes no cycles.
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        return await window.run()
    finally:
        if collecting:
            gc.enable()


class _Window:
    """One window while it runs."""

    def __init__(
        self,
        link: Link,
        schedule: Schedule,
        settings: Settings,
        clock: Callable[[], float],
        cpu: Callable[[], float],
    ) -> None:
        self._link = link
        self._schedule = schedule
        self._settings = settings
        self._clock = clock
        self._cpu = cpu
        self._calls = schedule.count
        self._offsets = schedule.offsets()
        self._latency = array("d", bytes(8 * schedule.count))
        self._outcome = array("b", bytes(schedule.count))
        self._lag = array("d")
        self._errors: Counter[str] = Counter()
        self._next = 0  # the next call to send
        self._oldest = 0  # the oldest call that may still be open
        self._open = 0
        self._over_bound = 0
        self._dead = ""
        self._late_after = settings.late_after_s if settings.late_after_s is not None else settings.timeout_s
        self._start = 0.0
        self._ended = 0.0
        self._sent_all = 0.0
        self._cpu_used = 0.0
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._done: asyncio.Future[None] = loop.create_future()
        self._alarm = make_alarm(loop, self._turn)

    async def run(self) -> WindowResult:
        try:
            self._link.begin(self._calls, self)
            self._start = self._clock() + LEAD_S
            self._cpu_used = self._cpu()
            self._alarm.set(LEAD_S)
            await self._done
        finally:
            self._alarm.close()
            self._done.cancel()
        return self._result()

    # ── the sink ──

    def settle(self, call: int, outcome: int, kind: str = "", *, replied: bool = True) -> None:
        if self._outcome[call] != _OPEN:
            return
        now = self._clock()
        took = now - self._start - self._offsets[call]
        if took > self._late_after and outcome <= _REFUSED:
            outcome, kind = _LATE, "reply after the time allowed"
        if not replied:
            took = max(took, self._settings.timeout_s)
        self._latency[call] = took
        self._outcome[call] = outcome
        if kind:
            self._errors[kind] += 1
        self._ended = now
        self._open -= 1
        if not self._open and self._next == self._calls:
            self._finish()

    def lost(self, kind: str) -> None:
        self._dead = kind
        # Not now: the link may be in the middle of sending one of these calls.
        self._loop.call_soon(self._fail_the_rest)

    def _fail_the_rest(self) -> None:
        for call in range(self._oldest, self._next):
            self.settle(call, _FAILED, self._dead, replied=False)
        if self._done.done():
            return
        while self._next < self._calls:
            call = self._next
            self._next += 1
            self._open += 1
            self.settle(call, _FAILED, self._dead, replied=False)
        self._finish()

    # ── the schedule ──

    def _turn(self) -> None:
        """Send what is due, give up what is over time, and set the alarm for whichever comes next."""
        if self._done.done() or self._dead:
            return
        elapsed = self._clock() - self._start
        more = self._next < self._calls and self._send_due(elapsed)
        self._expire(elapsed)
        if self._done.done():
            return
        if more:
            self._alarm.set(0.0)
            return
        timeout = self._settings.timeout_s
        upcoming = self._offsets[self._oldest] + timeout
        if self._next < self._calls:
            upcoming = min(upcoming, self._offsets[self._next])
        self._alarm.set(self._start + upcoming - self._clock())

    def _send_due(self, elapsed: float) -> bool:
        """Send the calls that are due, at most a burst of them; True when others are due already."""
        offsets, clock, start = self._offsets, self._clock, self._start
        ask, note = self._link.ask, self._lag.append
        due = bisect_right(offsets, elapsed, self._next)
        self._skip(self._open + due - self._next - self._settings.outstanding)
        for call in range(self._next, min(due, self._next + BURST)):
            # Counted before it is asked: a link may settle a call at once.
            self._next = call + 1
            self._open += 1
            note(clock() - start - offsets[call])
            ask(call)
        if self._next < self._calls:
            return self._next < due
        self._sent_all = clock()
        self._cpu_used = self._cpu() - self._cpu_used
        if not self._open:
            self._finish()
        return False

    def _skip(self, calls: int) -> None:
        """Never send so many of the calls that are due, the oldest first: the driver has reached its bound."""
        if calls <= 0:
            return
        skipped = slice(self._next, self._next + calls)
        self._outcome[skipped] = array("b", [_UNSENT]) * calls
        self._next += calls
        self._over_bound += calls

    def _expire(self, elapsed: float) -> None:
        """Calls were due in order and have one timeout, so the oldest is always the first to run out of time."""
        due_before = elapsed - self._settings.timeout_s
        call = self._oldest
        while call < self._next and (self._outcome[call] != _OPEN or self._offsets[call] <= due_before):
            if self._outcome[call] == _OPEN:
                self._link.abandon(call)
                self.settle(call, _LATE, "no reply in time", replied=False)
            call += 1
        self._oldest = min(call, self._calls - 1)

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    # ── the result ──

    def _result(self) -> WindowResult:
        sending = max(self._sent_all - self._start, 0.0)
        cpu_share = min(1.0, self._cpu_used / sending) if self._sent_all and sending >= 0.05 else 0.0
        result = WindowResult(
            rate=self._schedule.rate,
            latency=self._latency,
            outcome=self._outcome,
            lag=self._lag,
            errors=dict(self._errors),
            sending_s=sending,
            wall_s=max(self._ended - self._start, 0.0),
            cpu_share=cpu_share,
            queued=self._link.queued,
            # What was never sent waited for nobody, and what broke had its answer at once.
            backlog=backlog_of(self._offsets, self._latency, [o not in {_UNSENT, _FAILED} for o in self._outcome]),
        )
        if self._over_bound:
            result.errors[f"{DRIVER_FAULT}: too many calls waiting"] = self._over_bound
        vitals = Vitals(
            lag_p99_s=quantile(sorted(self._lag), 0.99),
            latency_p99_s=quantile(result.latencies(), 0.99),
            cpu_share=cpu_share,
            over_bound=self._over_bound,
            bound=self._settings.outstanding,
            own_faults=result.count(Outcome.UNSENT) - self._over_bound,
        )
        return msgspec.structs.replace(result, unhealthy=out_of_breath(vitals, self._settings.health))
