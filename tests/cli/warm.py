"""The command line in processes forked from one that has imported it already.

A test run starts more than a thousand commands, and most of what each of them costs is importing the same modules. Each
still is a process of its own, with its own folder, environment, streams and exit code. What is about the beginning of
the process itself (signals, `--help`, the interpreter's own variables) starts the installed command instead.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "TZ", "LD_")
_IMPORTED = (
    "plimsoll.assembly.checking",
    "plimsoll.assembly.rolling",
    "plimsoll.assembly.drilling",
    "plimsoll.cli.run",
    "plimsoll.cli.parser",
)
_lock = threading.Lock()
_warm: tuple[int, subprocess.Popen[bytes], socket.socket] | None = None


def can_run(more: Mapping[str, str] | None) -> bool:
    """Whether a command with these variables can be forked off."""
    return not any(name.startswith(_OF_THE_INTERPRETER) for name in more or {})


def run(
    program: str, arguments: Sequence[str], *, cwd: Path | None, stdin: bytes, env: Mapping[str, str], timeout: float
) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of one command; as `subprocess.run` has them.

    Raises:
        TimeoutExpired: it was killed.
    """
    with contextlib.ExitStack() as stack:
        files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
        for file in files:
            stack.callback(os.close, file)
        os.write(files[0], stdin) if stdin else None
        os.lseek(files[0], 0, os.SEEK_SET)
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        with theirs, _lock:
            socket.send_fds(_started(program), [b"."], [*files, theirs.fileno()])
        asked = {"argv": [program, *arguments], "cwd": str(cwd or Path.cwd()), "env": dict(env)}
        ours.sendall(json.dumps(asked).encode() + b"\n")
        ours.settimeout(timeout)
        told = ours.makefile("rb")
        pid = int(told.readline())
        try:
            code = int(told.readline())
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired([program, *arguments], timeout) from None
        said = []
        for file in files[1:]:
            os.lseek(file, 0, os.SEEK_SET)
            with os.fdopen(os.dup(file), "rb") as whole:
                said.append(whole.read())
        return code, said[0], said[1]


def _started(program: str) -> socket.socket:
    """The way to the process that has imported everything; one for each test process."""
    global _warm  # noqa: PLW0603 - one for each process, and made when it is needed
    if _warm is None or _warm[0] != os.getpid() or _warm[1].poll() is not None:
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [sys.executable, "-B", __file__, str(theirs.fileno()), program],
            pass_fds=[theirs.fileno()],
            env={**{k: v for k, v in os.environ.items() if not k.startswith("PLIMSOLL")}},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        _warm = os.getpid(), process, ours
        atexit.register(_end, *_warm)
    return _warm[2]


def _end(pid: int, process: subprocess.Popen[bytes], way: socket.socket) -> None:
    if pid == os.getpid():
        way.close()  # which tells it
        process.wait(10)


# -- in the other process


def _serve(way: socket.socket, program: str) -> None:
    """Fork for each command that is asked for, until nobody can ask any more."""
    sys.path[0] = str(Path(program).parent)  # as for a program that lies there
    for name in _IMPORTED:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the commands
    while True:
        asked, files, _, _ = socket.recv_fds(way, 1, 4)
        if not asked:
            os._exit(0)
        if os.fork() == 0:
            way.close()
            _wait_for_one(files)
        for file in files:
            os.close(file)


def _wait_for_one(files: list[int]) -> None:
    """Start the command and tell its process id and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    answer = socket.socket(fileno=files[3])
    asked = json.loads(answer.makefile("rb").readline())
    pid = os.fork()
    if pid == 0:
        answer.close()
        for number, file in enumerate(files[:3]):
            os.dup2(file, number)
            os.close(file)
        _become(asked["argv"], asked["cwd"], asked["env"])
    with contextlib.suppress(OSError):  # who asked has gone
        answer.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        answer.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(argv: list[str], cwd: str, env: dict[str, str]) -> None:
    """Run the command and end with its exit code, with all that the interpreter does at its end."""
    from plimsoll.cli.main import main  # noqa: PLC0415 - tests that never run a command need none of it

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = argv
    atexit._clear()  # what the process that this one was forked from has to do at its own end
    code: object = 1
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    except BaseException as why:  # noqa: BLE001 - as the interpreter does it
        sys.excepthook(type(why), why, why.__traceback__)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # a target may have closed it, or taken it away
            stream.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
