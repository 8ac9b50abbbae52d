"""How a command speaks: data on stdout, talk on stderr, one envelope with ``--json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import msgspec

from plimsoll.cli.interrupt import Interrupt
from plimsoll.cli.problem_lines import problems_text
from plimsoll.errors import InputError, Problem


class Out:
    """One command's voice.

    Args:
        command: its name, for the envelope.
        json: one JSON envelope in place of text.
        quiet: no talk.
        interrupt: whether somebody asked the command to stop.
    """

    def __init__(self, command: str, *, json: bool, quiet: bool, interrupt: Interrupt | None = None) -> None:
        self.command = command
        self.json = json
        self.quiet = quiet
        self.interrupt = interrupt or Interrupt()
        self._stdout: TextIO | None = sys.stdout
        self._data: Any = None
        self._notes: list[Problem] = []

    def keep_stdout(self) -> None:
        """Keep stdout to ourselves.

        The process's file descriptor 1 is moved away and points at stderr from now on, so that a target which prints
        can never spoil what this command prints.
        """
        self._stdout = _private_stdout()

    def say(self, text: str = "") -> None:
        """Talk: what is going on. To stderr; nothing with ``--quiet`` or ``--json``."""
        if not self.quiet and not self.json:
            _to_stderr(text)

    def show(self, text: str) -> None:
        """The answer as text, to stdout; nothing with ``--json``."""
        if not self.json:
            self._write(text + "\n")

    def give(self, data: Any) -> None:
        """The answer as data, for the envelope of ``--json``."""
        self._data = data

    def note(self, problems: Sequence[Problem]) -> None:
        """What the envelope lists under ``problems`` beside an answer; as text the answer itself says it."""
        self._notes.extend(problems)

    def line(self, raw: bytes) -> None:
        """One line of JSON Lines; it has left when this returns."""
        self._write(raw.decode() + "\n")

    def end(self, *, ok: bool, problems: Sequence[Problem] = ()) -> None:
        """Print the envelope, if one is asked for; print problems to stderr otherwise."""
        if self.json:
            envelope = {
                "plimsoll": 1,
                "command": self.command,
                "ok": ok,
                "data": self._data,
                "problems": [*problems, *self._notes],
            }
            self._write(_indented(envelope) + "\n")
        elif problems:
            _to_stderr(problems_text(problems))

    def _write(self, text: str) -> None:
        if self._stdout is None:  # started without one, as `>&-` does
            return
        try:
            self._stdout.write(text)
            self._stdout.flush()
        except BrokenPipeError:
            self.let_go()
            raise
        except OSError as why:
            self.let_go()
            raise InputError(
                f"the output cannot be written: {why.strerror}", fix="send stdout somewhere that takes it"
            ) from why

    def let_go(self) -> None:
        """Who read us has gone: what is still in the buffer must not complain about it at exit."""
        if self._stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stdout.fileno())
            self._stdout = None

    @property
    def interactive(self) -> bool:
        """Whether a person watches: progress may be drawn."""
        return not self.json and not self.quiet and _is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Columns there are for text."""
        try:
            return max(40, os.get_terminal_size(self._stdout.fileno() if self._stdout else 1).columns)
        except (OSError, ValueError):
            return 100

    @property
    def colour(self) -> bool:
        """Whether colour may be used: a terminal, and NO_COLOR not set (https://no-color.org)."""
        return _is_terminal(self._stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain_value(value: object) -> object:
    """A NumPy array or scalar in an output, as JSON has it; anything else that JSON has no form for, in words."""
    tolist = getattr(value, "tolist", None)
    return tolist() if tolist is not None else str(value)


def _indented(envelope: Any) -> str:
    try:
        return msgspec.json.format(msgspec.json.encode(envelope, enc_hook=plain_value), indent=2).decode()
    except UnicodeEncodeError:  # a file name that is not UTF-8 stands in it, as Python hands it to us
        return json.dumps(msgspec.to_builtins(envelope, enc_hook=plain_value), indent=2)


def _private_stdout() -> TextIO | None:
    """A handle of our own on the real stdout; descriptor 1 becomes stderr."""
    if sys.stdout is None:
        return None
    sys.stdout.flush()
    try:
        mine = os.dup(1)
        # Started without a stderr, a target's prints go nowhere.
        os.dup2(2 if sys.stderr is not None else os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:  # no descriptors at all, as in some embedded interpreters
        return sys.stdout
    return os.fdopen(mine, "w", encoding="utf-8", errors="backslashreplace")


def _to_stderr(text: str) -> None:
    """Talk. Nobody listens any more: then it is lost, and what was done stays done."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
