"""How arguments are read: argparse with errors of ours, texts as they are written, and the same options everywhere."""

from __future__ import annotations

import argparse
import importlib
from typing import Any, Final, NoReturn

from plimsoll.errors import UsageError
from plimsoll.model.words import nearest

COMMANDS: Final = (
    "accept", "assess", "check", "completion", "contract", "control", "decide", "demo", "gate", "govern",
    "health-check", "init", "keys", "ledger", "quarantine", "rollout", "serve", "threshold", "token", "verify",
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Raises `UsageError`, and takes no shortened options: a script that relies on one breaks with the next option."""

    def __init__(self, **settings: Any) -> None:
        defaults: dict[str, Any] = {"formatter_class": _Raw, "allow_abbrev": False}
        super().__init__(**defaults | settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments."""
        raise UsageError(message, fix=f"`{self.prog} --help` shows what it takes")


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Descriptions as they are written, and room for long options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


def command_parser(name: str) -> tuple[Any, Parser]:
    """The module of a command and the parser of its arguments.

    Raises:
        UsageError: there is no such command.
    """
    if name not in COMMANDS:
        message, fix = _no_such(name)
        raise UsageError(message, fix=fix)
    module = importlib.import_module(f"plimsoll.cli.{name.replace('-', '_')}_command")
    parser = Parser(prog=f"plimsoll {name}", description=module.__doc__)
    module.configure(parser)
    _add_common(parser)
    return module, parser


def add_action(actions: Any, name: str, said: str, example: str) -> argparse.ArgumentParser:
    """One action of a command that has several.

    Args:
        actions: what ``add_subparsers`` gave.
        name: the word for it.
        said: what it is for, in a line or two.
        example: a command line as it can be typed.
    """
    first, _, _ = said.partition("\n")
    described = f"{said[0].upper()}{said[1:]}\n\nExample:\n  {example}"
    made: argparse.ArgumentParser = actions.add_parser(name, help=first, description=described)
    return made


def actions_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The actions of a command, by name; empty when it is one thing."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to walk to the sub-commands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            return dict(action.choices)
    return {}


def _no_such(name: str) -> tuple[str, str]:
    if name.startswith("-"):
        return (
            f"'{name}' stands before a command",
            "write the command first, then its options: `plimsoll check --json`; `plimsoll --help` lists the commands",
        )
    close = nearest(name, COMMANDS)
    fix = f"did you mean `plimsoll {close}`?" if close else "`plimsoll --help` lists them"
    return f"there is no command '{name}'", fix


def _add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every command takes."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="one JSON envelope on stdout")
    group.add_argument("--quiet", action="store_true", help="no talk on stderr")
    group.add_argument("--debug", action="store_true", help="the traceback, when something goes wrong")
    for sub in actions_of(parser).values():
        _add_common(sub)
