"""Wakes an event loop at a moment, more finely than the loop's own timers.

uvloop's timers count whole milliseconds. A driver that sends 2,000 calls a second with them must either spin through
the last half millisecond, which takes a whole processor from the system it measures and makes its own processor share
say nothing, or send in clumps. Linux gives nanoseconds through a timer file descriptor (timerfd_create(2)); elsewhere
the loop's timers have to do.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final, Protocol

_CLOCK_MONOTONIC: Final = 1
_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC have these values on Linux


class Alarm(Protocol):
    """Calls back once for each time it is set; setting it again forgets the former time."""

    def set(self, after_s: float) -> None:
        """Call back after this many seconds; 0 or less means as soon as possible."""

    def close(self) -> None:
        """Never call back again."""


def make_alarm(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> Alarm:
    """The finest alarm there is on this system, for one loop."""
    if sys.platform == "linux":
        return _TimerFd(loop, callback)
    return _LoopTimer(loop, callback)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _TimerFd:
    """A kernel timer that the loop reads like a socket; about 1 µs to set, some 30 µs late when it fires."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._fd: int = libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._spec = _Itimerspec()
        self._value = self._spec.value
        self._reference = ctypes.byref(self._spec)
        self._loop = loop
        loop.add_reader(self._fd, callback)

    def set(self, after_s: float) -> None:
        # Setting the timer also clears its count of expiries, so that the descriptor need not be read. A value of
        # zero would disarm it.
        nanoseconds = max(1, int(after_s * 1e9))
        self._value.seconds, self._value.nanoseconds = divmod(nanoseconds, 1_000_000_000)
        self._settime(self._fd, 0, self._reference, None)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class _LoopTimer:
    """The loop's own timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.Handle | None = None

    def set(self, after_s: float) -> None:
        self.close()
        self._handle = self._loop.call_later(max(0.0, after_s), self._callback)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
