"""Print what makes a shell complete commands, actions, options and fixed words.

Examples:
  bash: eval "$(plimsoll completion bash)"        in ~/.bashrc
  zsh:  eval "$(plimsoll completion zsh)"         in ~/.zshrc
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from plimsoll.cli.out import Out
from plimsoll.cli.parser import COMMANDS, actions_of, command_parser

_BASH = """\
_plimsoll() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands} help --help --version"
    elif [ "$COMP_CWORD" -eq 2 ] && [ "${{COMP_WORDS[1]}}" = help ]; then
        words="{commands}"
    else
        case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _plimsoll plimsoll
"""
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll completion` takes."""
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Print the script, made from the commands there are."""
    cases = "\n".join(f'            "{pattern}"*) words="{" ".join(words)}" ;;' for pattern, words in _table())
    script = (_ZSH if arguments.shell == "zsh" else "") + _BASH.format(commands=" ".join(COMMANDS), cases=cases)
    out.give({"shell": arguments.shell, "script": script})
    out.show(script.rstrip("\n"))
    return 0


def _table() -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each beginning of a command line the words that can follow; the more special ones first."""
    for name in COMMANDS:
        _, parser = command_parser(name)
        actions = actions_of(parser)
        for action, sub in actions.items():
            yield f"{name} {action}", _words(sub)
        yield f"{name} ", (*actions, *_words(parser))


def _words(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """The options of a parser, and the words that its arguments may be."""
    found: list[str] = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            continue
        found += [o for o in action.option_strings if o.startswith("--")]
        found += [str(c) for c in action.choices or ()]
    return tuple(dict.fromkeys(found))
