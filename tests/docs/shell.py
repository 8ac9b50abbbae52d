"""Runs what a page says, as its reader would, and compares what is printed with what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from docs.pages import Block, blocks, named

MARK: Final = "\x01"
LIMIT_S: Final = 240  # a page that hangs must not hang the suite
ANY: Final = "…"


class Step(NamedTuple):
    """One thing that is done."""

    line: int  # of the block
    shell: str  # what bash is given
    said: str  # as the page writes it
    expected: list[str]  # below it on the page
    checked: bool  # whether the page shows what it prints


def steps(page: Path) -> Iterator[Step]:
    """What a page does, in order."""
    for block in blocks(page):
        if block.write:
            yield _write(block)
        elif block.language == "console":
            yield from _commands(block)
        elif block.language == "python":
            yield _python(block)


def _heredoc(text: str) -> str:
    return f"<<'END_OF_BLOCK'\n{text}END_OF_BLOCK"


def _write(block: Block) -> Step:
    arrow = ">>" if block.write == "append" else ">"
    shell = f"mkdir -p \"$(dirname '{block.name}')\" && cat {arrow} '{block.name}' {_heredoc(block.text)}"
    return Step(block.line, shell, f"{block.write} {block.name}", [], checked=False)


def _python(block: Block) -> Step:
    name = f".block-{block.line}"
    run = f"python -m doctest -o ELLIPSIS {name}" if ">>>" in block.text else f"python {name}"
    return Step(block.line, f"cat > {name} {_heredoc(block.text)}\n{run}", "the program", [], checked=False)


def _commands(block: Block) -> Iterator[Step]:
    said: list[str] = []
    expected: list[str] = []
    for line in [*block.text.splitlines(), "$ "]:
        if line.startswith("$ ") and not (said and said[-1].endswith("\\")):
            if said:
                yield Step(block.line, "\n".join(said), said[0], expected, checked=bool(expected))
            said, expected = [line[2:]], []
        elif said and said[-1].endswith("\\"):
            said.append(line.lstrip())
        elif said and not expected and line.startswith("> "):  # as bash asks for the rest of a command
            said.append(line[2:])
        else:
            expected.append(line)


class Ran(NamedTuple):
    """A step and what came of it."""

    step: Step
    code: int
    output: list[str]


def run_page(page: Path, folder: Path) -> list[Ran]:
    """Run a page in a folder, and check every step.

    Raises:
        AssertionError: a command failed without the page saying so, or printed something else than the page shows.
    """
    todo = list(steps(page))
    script = "".join(f"{step.shell}\n__c=$?; printf '{MARK}%d\\n' $__c; (exit $__c)\n" for step in todo)
    printed = _bash(script, folder, named(page))
    parts = re.split(rf"{MARK}(\d+)\n", printed)
    ran = [
        Ran(step, int(code), output.splitlines())
        for step, output, code in zip(todo, parts[0::2], parts[1::2], strict=False)
    ]
    assert len(ran) == len(todo), f"{named(page)} stopped after {len(ran)} of {len(todo)} steps:\n{printed[-3000:]}"
    for now, then in zip(ran, [*ran[1:], None], strict=True):
        _check(page, now, then)
    return ran


def _bash(script: str, folder: Path, name: str) -> str:
    file = folder / ".page.sh"
    file.write_text(script, encoding="utf-8")
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", file.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=_environment(folder),
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
            raise AssertionError(f"{name} took longer than {LIMIT_S} s:\n{printed.decode()[-3000:]}") from None
    return printed.decode()


def _environment(folder: Path) -> dict[str, str]:
    """A plain terminal with our environment first on the path; nothing of the machine's settings."""
    binaries = str(Path(sys.executable).parent)
    return {
        "PATH": f"{binaries}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _check(page: Path, now: Ran, then: Ran | None) -> None:
    where = f"{named(page)}:{now.step.line}: `{now.step.said}`"
    printed = "\n".join(now.output)
    shown = then is not None and then.step.said == "echo $?" and then.step.expected == [str(now.code)]
    assert now.code == 0 or shown, f"{where} ended with {now.code}, which the page does not say:\n{printed}"
    if now.step.checked:
        wanted = pattern(now.step.expected)
        said = "\n".join(now.step.expected)
        assert re.fullmatch(wanted, _tidy(now.output)), f"{where} printed\n{printed}\n-- the page shows\n{said}"


def pattern(expected: list[str]) -> str:
    """A regular expression for what a page shows."""
    made = []
    for line in expected:
        if line.strip() == ANY:
            made.append("(?:.*\n)*?")
        else:
            made.append(".*?".join(re.escape(part) for part in line.rstrip().split(ANY)) + "\n")
    return "".join(made)


def _tidy(output: list[str]) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output)


def copy_stage(from_: Path, to: Path) -> None:
    """The folder that another page left, as a copy of our own."""
    shutil.copytree(from_, to, dirs_exist_ok=True, symlinks=True)
