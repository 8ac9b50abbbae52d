"""Whether a command line, as a page writes it, could be typed."""

from __future__ import annotations

import re
from typing import Final

from plimsoll.cli.parser import COMMANDS, actions_of, command_parser

COMMON: Final = {"--help", "--json", "--quiet", "--debug"}


def fault(text: str) -> str:
    """What is wrong with a command line as a page writes it; "" when nothing is. It need not be complete."""
    words = re.split(r"[\s;|)&>]+", text.removeprefix("plimsoll").strip())
    command = words[0]
    if command in {"", "help"} or command.startswith(("--", "<")):
        return ""
    if command not in COMMANDS:
        return f"there is no command '{command}'"
    _, parser = command_parser(command)
    actions = actions_of(parser)
    parsers = [parser, *actions.values()]
    if actions and len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]):
        if words[1] not in actions:
            return f"'{command}' has no action '{words[1]}'"
        parsers = [actions[words[1]]]
    known = COMMON | {option for p in parsers for action in p._actions for option in action.option_strings}
    wrong = [word.partition("=")[0] for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"'{command}' has no option '{wrong[0]}'" if wrong else ""
