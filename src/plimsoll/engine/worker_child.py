"""A worker process: imports one callable, and calls it with one record after the other until its owner is gone.

Started by `plimsoll.engine.workers` as ``python -m plimsoll.engine.worker_child FD PARENT``. What the callable prints
goes to standard error; nothing that it does can reach the frames.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from plimsoll.engine.python_import import import_callable, said
from plimsoll.engine.worker_wire import (
    ANSWER,
    FAULT,
    MOST,
    NO_START,
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
from plimsoll.model.decision import Result

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_SAID: Final = 500  # characters of an error that are sent
_KINDS: Final = frozenset({"timeout", "unavailable", "error", "invalid", "crash"})


def _work(arguments: list[str], opened: Callable[[], tuple[str, ...]]) -> int:
    """The main loop.

    Args:
        arguments: the number of the socket's descriptor, and the owner's process id.
        opened: files that were opened since it was asked last.
    """
    descriptor, owner = (int(argument) for argument in arguments)
    _end_with(owner)
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)  # what the callable starts must not hold it open
    os.dup2(2, 1)
    first = receive(connection)
    if first is None or first[0] != SETUP:
        return 0
    setup: Setup = decode(first[1], Setup)
    try:
        if setup.memory_mib is not None:
            most = setup.memory_mib << 20
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        call = _as_sync(import_callable(setup.reference, [Path(folder) for folder in setup.folders]))
    except TargetError as error:
        connection.sendall(frame(NO_START, encode(NoStart(message=error.message, fix=error.fix))))
        return 1
    except (OSError, ValueError) as why:
        connection.sendall(frame(NO_START, encode(NoStart(message=f"its memory cannot be bounded: {why}"))))
        return 1
    connection.sendall(frame(READY, encode(opened())))
    while (asked := receive(connection)) is not None:
        connection.sendall(_answer(call, asked[1], opened))
    return 0


def run(arguments: list[str], opened: Callable[[], tuple[str, ...]] = tuple) -> int:
    """Work until the owner is gone; gives the exit code."""
    try:
        return _work(arguments, opened)
    except OSError:
        return 0  # the owner is gone


def _end_with(owner: int) -> None:
    """Be killed when the owner ends, however it ends: whoever holds the interpreter sees no closed socket."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != owner:  # it ended before we asked
        sys.exit(0)


def _as_sync(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An asynchronous callable runs in one loop that stands still between two questions."""
    if not (inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))):  # noqa: B004 - as in `PythonTarget`
        return call
    import asyncio  # noqa: PLC0415 - a tenth of a worker's start, which most have no use for

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return lambda record: loop.run_until_complete(call(record))


def _answer(call: Callable[[Any], Any], payload: bytes, opened: Callable[[], tuple[str, ...]]) -> bytes:
    try:
        found = call(decode(payload))
    except BaseException as why:  # noqa: BLE001 - whatever a target raises is an outcome, never our end
        return frame(FAULT, encode(_raised(why, opened())))
    try:
        answer = encode(_returned(found, opened()))
        if len(answer) <= MOST:
            return frame(ANSWER, answer)
        wrong = f"its answer has {len(answer):,} bytes; a worker may give {MOST:,}"
    except Exception as why:  # noqa: BLE001 - what a target returns can fail in any way when it is looked at
        wrong = f"what it returned cannot be sent: {said(why)}"[:_SAID].encode("utf-8", "replace").decode()
    return frame(FAULT, encode(Raised(kind="invalid", message=wrong)))


def _returned(found: Any, opened: tuple[str, ...]) -> Returned:
    if not isinstance(found, Result):
        return Returned(output=found, opened=opened)
    confidence = found.confidence
    if confidence is not None and type(confidence) is not float:
        confidence = float(confidence)
    return Returned(
        output=found.output,
        bare=False,
        confidence=confidence,
        sources=tuple(found.sources),
        reasons=tuple(str(reason) for reason in found.reasons),
        usage=found.usage,
        opened=opened,
    )


def _raised(why: BaseException, opened: tuple[str, ...]) -> Raised:
    """A fault by its kind; one of ours is known by its name, since the guard is not imported here."""
    kind = getattr(why, "kind", None) if type(why).__name__ == "TargetFault" else None
    if kind not in _KINDS:
        kind = "timeout" if isinstance(why, TimeoutError) else None
        kind = kind or ("unavailable" if isinstance(why, ConnectionRefusedError) else "error")
    wait = getattr(why, "retry_after_s", None)
    return Raised(
        kind=kind,
        message=said(why)[:_SAID].encode("utf-8", "replace").decode(),
        retry_after_s=wait if isinstance(wait, float) else None,
        opened=opened,
    )


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
