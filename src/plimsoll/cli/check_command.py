"""Measure what the threshold asks for, then judge: is this release ready to go live?

The whole record is verified before anything is measured, and again before it is judged.

Exit code 0: ready. 3: not ready. 4: cannot say yet. 5: the record does not hold. A DRAFT (nobody whose key is pinned
has signed the threshold) is never ready.

Examples:
  plimsoll check
  plimsoll check systems/claims --only evaluation --trust trust.yaml
"""

from __future__ import annotations

import argparse

from plimsoll.assembly.assessing import ORDER
from plimsoll.assembly.checking import check
from plimsoll.cli.board_out import show_verdict
from plimsoll.cli.out import Out
from plimsoll.cli.progress import progress_for
from plimsoll.cli.project_options import add_project, add_witness, here, open_project


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll check` takes."""
    add_project(parser)
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        choices=ORDER,
        help=f"run this assessment alone; may be repeated: {', '.join(ORDER)}",
    )
    add_witness(parser)
    parser.add_argument(
        "--report", metavar="FILE", type=here, help="where the HTML report goes; default: the state folder"
    )


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Check, print the board, and say where the report is."""
    project = open_project(arguments)
    for warned in (w for contract in (*project.inputs, *project.outputs) for w in contract.warnings):
        out.say(f"warning: {warned.where}: {warned.message}")
    with progress_for(out) as progress:
        checked = check(
            project,
            trust_file=arguments.trust,
            only=tuple(arguments.only),
            report=arguments.report,
            progress=progress,
            witness=arguments.witness,
        )
    return show_verdict(out, checked.board, checked.report)
