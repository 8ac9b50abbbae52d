"""Take decisions from the shell: one JSON record a line in, one answer a line out.

Each answer has left, and its record is on the disk, before the next line is read.
Exit code 0: every record ended, however it ended; its disposition is in its answer.

Example:
  plimsoll decide read-amount claims.jsonl > answers.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from plimsoll.assembly.guard import Guard
from plimsoll.assembly.project import find_manifest
from plimsoll.cli.out import Out, plain_value
from plimsoll.cli.project_options import add_project_options, here
from plimsoll.errors import InputError, UsageError
from plimsoll.model.decision import Answer
from plimsoll.model.principal import Principal
from plimsoll.model.words import nearest


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll decide` takes."""
    parser.add_argument("type", help="the decision type")
    parser.add_argument("input", nargs="?", default="-", help="a JSON Lines file; default: standard input")
    parser.add_argument("--manifest", metavar="FILE", help="default: ./plimsoll.yaml")
    parser.add_argument("--source", default="", help="which declared source the records come from")
    parser.add_argument("--subject", help="the person or case that all of the records are about")
    parser.add_argument("--principal", metavar="NAME", help="who asks, as the organisation names them; it is recorded")
    parser.add_argument(
        "--label", action="append", default=[], metavar="LABEL", help="an access label they hold; may be repeated"
    )
    add_project_options(parser)


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Decide each line."""
    given = None if arguments.input == "-" else here(arguments.input)
    if arguments.label and not arguments.principal:
        raise UsageError("--label is of nobody", fix="say whose it is: --principal NAME")
    principal = Principal(arguments.principal, frozenset(arguments.label)) if arguments.principal else None
    ended: Counter[str] = Counter()
    answers: list[Answer] = []
    out.give(answers)
    with Guard.open(find_manifest(arguments.manifest), state=arguments.state) as guard:
        _check_type(arguments.type, tuple(guard.settings.types))
        feed = "" if given is None else given.name
        for number, line in _lines(given, out):
            answer = guard.decide(
                arguments.type,
                line,
                source=arguments.source,
                subject=arguments.subject,
                principal=principal,
                offset=f"{feed}:{number}",
            )
            ended[answer.disposition.value] += 1
            if out.json:
                answers.append(answer)
            else:
                out.line(msgspec.json.encode(answer, enc_hook=plain_value))
            out.interrupt.check()
    out.say(", ".join(f"{count} {name}" for name, count in sorted(ended.items())) or "no records")
    return 0


def _check_type(given: str, declared: tuple[str, ...]) -> None:
    if given in declared:
        return
    close = nearest(given, declared)
    raise UsageError(
        f"'{given}' is not a declared decision type",
        fix=f"did you mean '{close}'?" if close else f"there are: {', '.join(declared)}",
    )


def _lines(file: Path | None, out: Out) -> Iterator[tuple[int, bytes]]:
    with contextlib.ExitStack() as stack:
        try:
            feed = _standard_input(out) if file is None else stack.enter_context(file.open("rb"))
            for number, line in enumerate(feed, 1):
                if line.strip():
                    yield number, line.rstrip(b"\r\n")
        except OSError as why:
            name = "standard input" if file is None else file
            raise InputError(f"the input '{name}' cannot be read: {why.strerror}", fix="mend the path") from why


def _standard_input(out: Out) -> BinaryIO:
    if sys.stdin is None:
        raise InputError("there is no standard input", fix="name a JSON Lines file")
    if sys.stdin.isatty():
        out.say("Reading records from the keyboard, one JSON value a line; Ctrl-D ends.")
    return sys.stdin.buffer
