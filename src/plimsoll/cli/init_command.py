"""A commented manifest for your own function or service, and from a sample a contract and a first feed.

What is written loads without a problem. The people in it are placeholders, and nothing is ready while they are.

Examples:
  plimsoll init claims.model:predict --sample records.jsonl
  plimsoll init https://models.example.org/read --sample records.jsonl
  plimsoll init openai:gpt-4o --sample records.jsonl
  plimsoll init openai:qwen3@http://127.0.0.1:8000/v1
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.starting import Started, start
from plimsoll.cli.out import Out


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll init` takes."""
    parser.add_argument(
        "target", help="what answers: package.module:function, a URL, openai:MODEL, or openai:MODEL@URL"
    )
    parser.add_argument("--sample", metavar="FILE", type=Path, help="real records, one JSON object a line")
    parser.add_argument("--system", metavar="NAME", help="default: from the folder's name")
    parser.add_argument("--into", metavar="DIR", type=Path, default=Path(), help="default: the current folder")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Write the files and say what comes next."""
    started = start(arguments.target, arguments.sample, into=arguments.into, system=arguments.system)
    out.give(started)
    out.show(f"Wrote {started.manifest}")
    if started.contract is not None:
        out.show(f"Wrote {started.contract}, inferred from {started.records:,} records: read it, it is a first guess")
        out.show(f"Wrote {started.feed}, the sample: put the records of each source beside it")
    for line in started.skipped:
        out.say(f"  {line}")
    if started.target_problem:
        out.say(f"The target cannot be asked yet: {started.target_problem}")
    out.show("\nNext:")
    for number, step in enumerate(_steps(started), 1):
        out.show(f"  {number}. {step}")
    return 0


def _steps(started: Started) -> tuple[str, ...]:
    folder = started.manifest.parent
    cases = f"write cases whose right answer you know into {folder / 'golden.jsonl'}, one a line:"
    form = '{"input": {…}, "expected": …}, and take the # away before golden: under samples'
    feed = () if started.feed is not None else (f"put real records into {folder / 'feed'}, and name it under samples",)
    return (
        f"name real people in {started.manifest} in place of the @fill-in.invalid contacts",
        *feed,
        f"{cases}\n     {form}",
        f"plimsoll check {started.manifest}",
    )
