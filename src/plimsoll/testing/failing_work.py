"""Callables that end or hold the process they run in, now and then: for worker processes, and for nothing else."""

from __future__ import annotations

import ctypes
import os
import random
import signal
from typing import Any

_CHANCE = random.Random()  # noqa: S311 - which call it hits, no secret; each process draws its own
ANSWER = {"amount": 1}


def killed(_record: Any) -> Any:
    """Every second call is killed in its middle, as by a machine that has run out of memory."""
    if _CHANCE.random() < 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    return ANSWER


def holding(_record: Any) -> Any:
    """Every second call never comes back from C code that holds the interpreter."""
    if _CHANCE.random() < 0.5:
        ctypes.PyDLL(None).sleep(1000)  # a PyDLL keeps the lock, as a loop in C does that never lets go of it
    return ANSWER
