"""A cell that behaves in one chosen way: ``cell_child.py KIND VALUE SOCKET``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time

from plimsoll.engine.cell import serve_cell

_LOCK = threading.Lock()
_SEEN = 0


def _count() -> int:
    global _SEEN  # noqa: PLW0603  # a script of its own
    with _LOCK:
        _SEEN += 1
        return _SEEN


def say(record: bytes) -> str:
    """What the record asks for."""
    return str(json.loads(record)["say"])


def raises(record: bytes) -> str:
    raise RuntimeError("a fault of the target")


def exits(record: bytes) -> str:
    sys.exit(3)


def chatty(record: bytes) -> str:
    print("the target prints", record, flush=True)
    return "answered"


def crash(record: bytes) -> str:
    """The process dies at the n-th record."""
    if _count() >= VALUE:
        os._exit(7)
    return "answered"


def slow(record: bytes) -> str:
    time.sleep(VALUE)
    return "answered"


def sulk(record: bytes) -> str:
    """The first n records take half a second each."""
    if _count() <= VALUE:
        time.sleep(0.5)
    return "answered"


def serial(record: bytes) -> str:
    """So long each, one at a time."""
    with _LOCK:
        time.sleep(VALUE)
    return "answered"


async def asay(record: bytes) -> str:
    await asyncio.sleep(VALUE)
    return say(record)


KIND, VALUE, SOCKET = sys.argv[1], float(sys.argv[2]), sys.argv[3]
if KIND == "stillborn":
    sys.exit("the model file is missing")
if KIND == "mute":
    time.sleep(60)
if KIND == "asay":
    serve_cell(SOCKET, adecide=asay)
else:
    serve_cell(SOCKET, globals()[KIND], threads=8)
