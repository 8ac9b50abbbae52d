"""Run one assessment and record its evidence; the verdict is `plimsoll gate`'s.

Exit code 0: it was measured, whatever it found. With --compare, the evaluation puts two targets side by side on the
golden set, and gives no evidence.

Examples:
  plimsoll assess evaluation
  plimsoll assess stability --url http://127.0.0.1:8000/predict
  plimsoll assess stability --url https://claims.example.org/predict --ca authority.pem
  plimsoll assess evaluation --compare openai:gpt-4o
  plimsoll assess evaluation --compare ../next/plimsoll.yaml
"""

from __future__ import annotations

import argparse

from plimsoll.assembly.assessing import ORDER
from plimsoll.assembly.checking import check
from plimsoll.assembly.comparing import compare_targets
from plimsoll.cli.board_out import show_verdict
from plimsoll.cli.comparison_out import comparison_text
from plimsoll.cli.out import Out
from plimsoll.cli.progress import progress_for
from plimsoll.cli.project_options import add_project, here, open_project
from plimsoll.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll assess` takes."""
    parser.add_argument("name", choices=ORDER, help="which assessment")
    add_project(parser)
    parser.add_argument(
        "--report", metavar="FILE", type=here, help="where the HTML report goes; default: the state folder"
    )
    parser.add_argument(
        "--compare",
        metavar="TARGET",
        help="evaluation: another manifest, of which the target counts, or a target as `plimsoll init` takes it",
    )
    parser.add_argument("--url", help="stability: drive this HTTP address in place of the guard in process")
    parser.add_argument(
        "--ca",
        metavar="FILE",
        type=here,
        help="PEM file with the authorities to trust at an https:// address; default: the system's own",
    )


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Assess, print the board as it stands now, and succeed when the assessment could be run."""
    if arguments.ca is not None and arguments.url is None:
        raise UsageError("--ca says whom to trust at an address, and there is none", fix="give --url https://…")
    if arguments.compare is not None:
        return _compare(arguments, out)
    project = open_project(arguments)
    with progress_for(out) as progress:
        checked = check(
            project,
            trust_file=arguments.trust,
            only=(arguments.name,),
            report=arguments.report,
            progress=progress,
            url=arguments.url,
            ca=arguments.ca,
        )
    show_verdict(out, checked.board, checked.report)
    return 0


def _compare(arguments: argparse.Namespace, out: Out) -> int:
    if arguments.name != "evaluation":
        raise UsageError(
            f"--compare is for the evaluation, not for {arguments.name}",
            fix=f"plimsoll assess evaluation --compare {arguments.compare}",
        )
    project = open_project(arguments)
    with progress_for(out) as progress:
        found = compare_targets(project, arguments.compare, progress=progress)
    out.give(found)
    out.show(comparison_text(found))
    return 0
