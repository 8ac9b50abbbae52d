"""Help, version and completion: quick, complete, and on stdout."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest
from cli.tiny_system import environment, plimsoll

from plimsoll.cli.main import HELP, VERSION
from plimsoll.cli.parser import COMMANDS, actions_of, command_parser

LISTING = "import sys; print('\\n'.join(sorted(sys.modules)))"
# What may come in beside the interpreter's own start: our three, and what the package's lazy names need.
OURS = {"plimsoll", "plimsoll.cli", "plimsoll.cli.main"}


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(), timeout=30
    )
    return set(done.stdout.split("--modules--")[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_import_next_to_nothing(arguments):
    bare = modules_after(LISTING)
    call = f"from plimsoll.cli.main import main; main({arguments!r}); print('--modules--'); {LISTING}"
    more = modules_after(call) - bare
    foreign = {m for m in more if m.split(".")[0] not in sys.stdlib_module_names} - OURS
    assert not foreign, f"imported on the way to {arguments[0]}: {sorted(foreign)}"
    heavy = {"argparse", "asyncio", "dataclasses", "importlib.metadata", "inspect", "json", "logging", "pathlib",
             "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "traceback", "zoneinfo"}  # fmt: skip
    assert not more & heavy
    assert len(more) <= 40, sorted(more)


def test_the_version_is_that_of_the_distribution():
    assert importlib.metadata.version("plimsoll-ai") == VERSION
    assert plimsoll("--version").stdout == f"plimsoll {VERSION}\n"


def test_help_names_every_command_and_every_exit_code():
    ran = plimsoll("--help")
    assert (ran.code, ran.stdout, ran.stderr) == (0, HELP, "")
    for name in COMMANDS:
        assert f"plimsoll {name} " in HELP, f"`plimsoll --help` does not say what {name} is for"
    for code in ("0 done", "1 our", "2 usage", "3 the answer is no", "4 cannot", "5 verif", "6 the store", "130 inter"):
        assert code in HELP


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_is_for_with_an_example(name):
    _, parser = command_parser(name)
    for prog, one in {f"plimsoll {name}": parser, **{p.prog: p for p in actions_of(parser).values()}}.items():
        text = one.format_help()
        assert "Example" in text, f"{prog} --help shows no example"
        assert prog in text.split("Example")[1], f"{prog} --help shows an example of something else"
        assert "--json" in text
        assert "--quiet" in text
        for action in one._actions:
            assert action.help, f"{prog}: {action.dest} is not explained"


def test_help_of_a_command_goes_to_stdout_and_can_be_asked_for_both_ways():
    ran = plimsoll("ledger", "verify", "--help")
    assert ran.code == 0
    assert "usage: plimsoll ledger verify" in ran.stdout
    assert ran.stderr == ""
    assert plimsoll("help", "ledger").stdout.startswith("usage: plimsoll ledger")


def test_completion_knows_commands_actions_and_options():
    script = plimsoll("completion", "bash").stdout
    asked = {
        "plimsoll qua": "quarantine",
        "plimsoll ledger ver": "verify",
        "plimsoll ledger verify --wit": "--witness",
        "plimsoll check --re": "--report",
        "plimsoll assess sta": "stability",
    }
    for line, expected in asked.items():
        words = line.split()
        array = " ".join(f"'{w}'" for w in words)
        shell = f'{script}\nCOMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _plimsoll; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True, timeout=10)
        assert expected in done.stdout.split(), f"{line}: {done.stdout!r}"
    assert "bashcompinit" in plimsoll("completion", "zsh").stdout
