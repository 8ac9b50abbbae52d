"""Small real targets for the tests of the call path."""

from __future__ import annotations

import asyncio
import threading
import time

from plimsoll.guard import TargetFault

GOOD = {"claim_id": "c-1", "amount": 12.5}


class Scripted:
    """A target that does, one after the other, what it was told; the last thing for ever.

    What it is told: an exception is raised, a callable is called with the question, anything else is returned.
    """

    destination = ""

    def __init__(self, *script, name="scripted", asynchronous=False):
        self.name = name
        self.is_async = asynchronous
        self.asked = []
        self.closed = 0
        self._script = script
        self._lock = threading.Lock()

    @property
    def calls(self):
        return len(self.asked)

    def ask(self, ask):
        return self._awaited(ask) if self.is_async else self._now(ask)

    def _now(self, ask):
        with self._lock:
            self.asked.append(ask)
            does = self._script[min(len(self.asked), len(self._script)) - 1]
        if isinstance(does, BaseException):
            raise does
        return does(ask) if callable(does) else does

    async def _awaited(self, ask):
        given = self._now(ask)
        return await given if asyncio.iscoroutine(given) else given

    def close(self):
        self.closed += 1


class Gate:
    """A target in which everybody stays until it is opened."""

    destination = ""
    name = "gate"
    is_async = False

    def __init__(self):
        self.open = threading.Event()
        self.inside = 0
        self.calls = 0
        self._lock = threading.Lock()

    def ask(self, ask):
        with self._lock:
            self.inside += 1
            self.calls += 1
        try:
            self.open.wait(20)
        finally:
            with self._lock:
                self.inside -= 1
        return {"amount": ask.record["amount"]}

    def close(self): ...


def unavailable(retry_after_s=None):
    return TargetFault("unavailable", "nobody there", retry_after_s=retry_after_s)


def takes(seconds, answer=1):
    def answers(_):
        time.sleep(seconds)
        return answer

    return answers


def wait_until(true, seconds=5.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.001)
