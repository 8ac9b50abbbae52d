"""Find the command, parse its arguments, run it, and turn what happens into an exit code."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any, Final

from plimsoll.cli.interrupt import INTERRUPTED, Interrupt
from plimsoll.cli.out import Out
from plimsoll.cli.parser import command_parser
from plimsoll.errors import PlimsollError, Problem, StoreFull, StoreReadOnly

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def run_command(arguments: Sequence[str], interrupt: Interrupt) -> int:
    """Run one command; every error becomes a message and an exit code, never a traceback (but with ``--debug``).

    Args:
        arguments: the command, and what it is given.
        interrupt: holds signals back until all modules of the command are imported.
    """
    name, rest = arguments[0], list(arguments[1:])
    debug = "--debug" in rest
    out = Out(name, json="--json" in rest, quiet="--quiet" in rest, interrupt=interrupt)
    try:
        return _guarded(name, rest, out, interrupt, debug=debug)
    finally:
        interrupt.is_over()


def _guarded(name: str, rest: list[str], out: Out, interrupt: Interrupt, *, debug: bool) -> int:
    try:
        code, problems = _run(name, rest, out, debug=debug)
    except SystemExit as stop:  # argparse's --help
        return _read_to_its_end(stop.code if isinstance(stop.code, int) else 0)
    except BaseException as error:  # noqa: BLE001 - the one place where everything ends: nothing is shown raw
        if debug:
            traceback.print_exc()
        # An interruption that falls into a C extension's own code can come out as any error at all.
        code, problems = _ended_by(KeyboardInterrupt() if interrupt.is_asked else error)
    try:
        out.end(ok=code == 0, problems=problems)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _read_to_its_end(INTERRUPTED)
    except PlimsollError as error:  # the output itself cannot be written
        out.let_go()
        out.json = False
        out.end(ok=False, problems=error.problems)
        return error.exit_code
    return code


def _read_to_its_end(code: int) -> int:
    """The exit code, once what was printed is out; what nobody reads must not fail at the interpreter's end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    return code


def _run(name: str, rest: list[str], out: Out, *, debug: bool) -> tuple[int, Sequence[Problem]]:
    module, parser = command_parser(name)
    out.interrupt.watch()
    parsed: argparse.Namespace = parser.parse_args(rest)
    out.keep_stdout()
    if not debug:
        _silence()
    code: int = module.run(parsed, out)
    return code, ()


def _silence() -> None:
    """No traceback of what is not ours to end by, and is a problem or an outcome elsewhere.

    That is a target's own thread that dies, an object of it that fails when it is thrown away, and an interruption that
    falls into a callback of an event loop, which logs it.
    """
    threading.excepthook = _stay_silent
    sys.unraisablehook = _stay_silent
    log = logging.getLogger("asyncio")
    log.addHandler(logging.NullHandler())
    log.propagate = False


def _ended_by(error: BaseException) -> tuple[int, Sequence[Problem]]:
    """The exit code and the problems that an error means."""
    if isinstance(error, PlimsollError):
        return error.exit_code, error.problems
    if isinstance(error, KeyboardInterrupt):
        said = "interrupted; everything acknowledged so far is recorded"
        return INTERRUPTED, (Problem(code="interrupted", message=said),)
    if isinstance(error, BrokenPipeError):
        return INTERRUPTED, ()  # who read the output has gone, and knows it
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        full = StoreFull(f"no space left{_on(error)}", fix="free some space, then run it again")
        return full.exit_code, full.problems
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        read_only = StoreReadOnly(f"the file system is read-only{_on(error)}", fix="give another --state")
        return read_only.exit_code, read_only.problems
    ours = Problem(
        code="internal",
        message=f"an error of ours, not of yours: {type(error).__name__}: {error}",
        fix="run it again with --debug and report what it prints",
    )
    return 1, (ours,)


def _on(error: OSError) -> str:
    return f" for '{error.filename}'" if error.filename else ""


def _stay_silent(*_: Any) -> None:
    """Say nothing."""
