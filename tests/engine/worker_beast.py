"""What a worker process may be asked to call: it does what the record says, however bad."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from plimsoll import Result


def do(record):
    return globals()[record.get("do", "answer").replace(" ", "_")](record)


def answer(record):
    return {"pid": os.getpid(), "value": record.get("value")}


def segfault(record):
    ctypes.string_at(0)


def exit(record):  # noqa: A001
    os._exit(7)


def abort(record):
    os.abort()


def loop(record):
    while True:
        pass


def hold_the_interpreter(record):
    ctypes.PyDLL(None).sleep(100)


def ignore_signals(record):
    for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(100)


def raise_(record):
    raise ValueError("no good")


class Odd(Exception):
    def __str__(self):
        raise RuntimeError


def raise_oddly(record):
    raise Odd


def time_out(record):
    raise TimeoutError("its database was slow")


def lose_connection(record):
    raise ConnectionResetError("gone")


def leave(record):
    sys.exit(3)


def interrupt(record):
    raise KeyboardInterrupt


def sleep(record):
    time.sleep(record["s"])
    return answer(record)


def hog(record):
    return len(bytearray(record["mib"] << 20))


def print_(record):
    print("said to standard output " * 1000, flush=True)
    os.write(1, b"\x00\x00\x00\x01Axyz" * 1000)
    sys.stdout.buffer.write(b"raw\xff")
    sys.stdout.flush()
    return "printed"


def start_a_process(record):
    process = subprocess.Popen(["sleep", "100"])
    Path(record["note"]).write_text(str(process.pid))
    loop(record)


def fork_and_die(record):
    if os.fork() == 0:
        time.sleep(100)
    os._exit(9)


def close_everything(record):
    os.closerange(3, 256)
    time.sleep(100)


def unsendable(record):
    return object()


def surrogate(record):
    return "\ud800"


def surrogate_error(record):
    raise ValueError("\ud800")


def large(record):
    return "x" * record["size"]


async def later(record):
    await asyncio.sleep(0.01)
    return {"later": record}


def sure(record):
    total = np.array(record["numbers"]).sum()
    return Result(
        {"sum": total}, confidence=np.float64(0.75), sources=["table"], reasons=[7], usage={"input_tokens": 3}
    )
