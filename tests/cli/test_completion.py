"""Completion in a real shell on a real terminal: set up as the help says, keys pressed, and the line read back."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plimsoll.cli.parser import COMMANDS

LIMIT_S = 30
READY, END = "shell-is-ready", "\x18d"  # Ctrl-X d: show the line as it stands
# How a shell shows its line, and lists what could come next at the first press.
SETUP = {
    "bash": 'bind \'set bell-style none\'; bind \'set show-all-if-ambiguous on\'; bind \'set page-completions off\'\n'
    'bind \'set completion-query-items 0\'; bind -x \'"\\C-xd": printf "LINE=<%s>\\n" "$READLINE_LINE"\'\n',
    "zsh": 'unsetopt beep; setopt auto_list no_list_ambiguous; LISTMAX=0\n'
    'show-line() { print -r -- "LINE=<$BUFFER>"; }; zle -N show-line; bindkey "^Xd" show-line\n',
}  # fmt: skip


class Terminal:
    """A shell on a terminal of its own, with one line in its start-up file: what `plimsoll completion` tells."""

    def __init__(self, shell: str, home: Path) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        started = f'PS1="> "\neval "$(plimsoll completion {shell})"\n{SETUP[shell]}echo {READY}\n'
        (home / f".{shell}rc").write_text(started)
        env = {"HOME": str(home), "PATH": path, "TERM": "xterm", "LANG": "C.UTF-8", "COLUMNS": "200", "LINES": "100"}
        command = [shell, "--noprofile", "-i"] if shell == "bash" else [shell, "-i"]
        self._mine, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=home, env=env, start_new_session=True
        )
        os.close(theirs)
        self.said = self._until(rf"(?s){READY}\r\n.*> ")

    def press(self, keys: str, *, patience_s: float = 0.3) -> tuple[str, str]:
        """Type, complete; gives what was printed and the line as it stands then. The line is wiped afterwards."""
        os.write(self._mine, (keys + "\t").encode())
        listed = self._all_within(patience_s)  # zsh lists nothing while more is being typed
        os.write(self._mine, END.encode())
        shown = self._until(r"LINE=<.*>")
        os.write(self._mine, b"\x15")  # Ctrl-U
        self._all_within(0.1)
        return listed, re.findall(r"LINE=<(.*?)>", shown)[-1]

    def listed(self, keys: str) -> set[str]:
        """The words that are offered, when there are several; a busy machine is given more time to list them."""
        for patience_s in (0.3, 1.0, 5.0):
            words = set(re.findall(r"[\w.-]+", self.press(keys, patience_s=patience_s)[0])) - set(keys.split())
            if words:
                return words
        return set()

    def line(self, keys: str) -> str:
        """The line that a press of the key makes of this one."""
        return self.press(keys)[1]

    def _until(self, pattern: str) -> str:
        """What is printed until a pattern is seen."""
        text, until = "", time.monotonic() + LIMIT_S
        while not re.search(pattern, text) and time.monotonic() < until:
            text = _plain(text + self._read(1.0))
        assert re.search(pattern, text), f"no {pattern!r} within {LIMIT_S} s:\n{text}"
        return text

    def _all_within(self, patience_s: float) -> str:
        """What is printed until nothing more comes for so long."""
        text = ""
        while more := self._read(patience_s):
            text += more
        return _plain(text)

    def _read(self, patience_s: float) -> str:
        if not select.select([self._mine], [], [], patience_s)[0]:
            return ""
        return os.read(self._mine, 1 << 16).decode("utf-8", "replace")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        os.close(self._mine)


def _plain(text: str) -> str:
    """Without what steers the terminal."""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])|\x00", "", text)


@pytest.fixture(scope="module", params=["bash", "zsh"])
def terminal(request, tmp_path_factory) -> Iterator[Terminal]:
    if shutil.which(request.param) is None:
        pytest.skip(f"NOT TRIED: completion in {request.param}, which is not installed")
    home = tmp_path_factory.mktemp(request.param)
    for name in ("claims.yaml", "clues.jsonl"):
        (home / name).touch()
    opened = Terminal(request.param, home)
    yield opened
    opened.close()


def test_it_is_set_up_without_a_word(terminal):
    assert terminal.said.partition(READY)[0].strip() == ""
    assert not re.search("command not found|error|insecure|no such", terminal.said, re.IGNORECASE)


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("plimsoll che", "plimsoll check "),
        ("plimsoll quar", "plimsoll quarantine "),
        ("plimsoll help thr", "plimsoll help threshold "),
        ("plimsoll ledger ver", "plimsoll ledger verify "),
        ("plimsoll gate --att", "plimsoll gate --attest "),
        ("plimsoll quarantine replay --fi", "plimsoll quarantine replay --fixed "),
        ("plimsoll keys new --kind ed", "plimsoll keys new --kind ed25519 "),
        ("plimsoll check --only eval", "plimsoll check --only evaluation "),
        ("plimsoll completion z", "plimsoll completion zsh "),
        ("plimsoll check cla", "plimsoll check claims.yaml "),
        ("plimsoll init x:y --sample clu", "plimsoll init x:y --sample clues.jsonl "),
        ("plimsoll nonsense", "plimsoll nonsense"),
    ],
)
def test_what_can_only_be_one_thing_is_written_out(terminal, typed, becomes):
    assert terminal.line(typed) == becomes


@pytest.mark.parametrize(
    ("typed", "offered", "not_offered"),
    [
        ("plimsoll ", {*COMMANDS, "help"}, {"verify-ledger"}),
        ("plimsoll help ", set(COMMANDS), {"--version"}),
        ("plimsoll ledger ", {"verify", "show", "prove", "check", "erase"}, {"replay"}),
        ("plimsoll threshold s", {"show", "sign"}, {"--key"}),
        ("plimsoll decide --s", {"--source", "--subject", "--state"}, {"--trust"}),
    ],
)
def test_what_can_be_several_things_is_listed(terminal, typed, offered, not_offered):
    listed = terminal.listed(typed)
    assert offered <= listed
    assert not not_offered & listed
