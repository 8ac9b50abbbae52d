"""Judge the evidence there is, without measuring anything; with --attest, sign the verdict.

The whole record is verified first; a verdict is given on none that does not hold.

Exit code 0: ready. 3: not ready. 4: cannot say yet. 5: the record does not hold.

Example:
  plimsoll gate --trust trust.yaml --attest claims.attestation.json --key gate.key
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.checking import gate
from plimsoll.cli.board_out import show_verdict
from plimsoll.cli.out import Out
from plimsoll.cli.progress import progress_for
from plimsoll.cli.project_options import add_project, add_witness, open_project


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll gate` takes."""
    add_project(parser)
    parser.add_argument("--attest", metavar="FILE", type=Path, help="write the signed verdict there")
    parser.add_argument("--key", metavar="FILE", type=Path, help="the gate's private key, for --attest")
    add_witness(parser)
    parser.add_argument("--report", metavar="FILE", help="write the HTML report there too")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Judge, print the board, write the attestation."""
    project = open_project(arguments)
    with progress_for(out) as progress:
        judged = gate(
            project,
            trust_file=arguments.trust,
            attest=arguments.attest,
            key_file=arguments.key,
            report=arguments.report,
            witness=arguments.witness,
            progress=progress,
        )
    if arguments.attest is not None:
        out.say(f"Attestation written to {arguments.attest}")
        out.say(f"Check it with: plimsoll verify {arguments.attest} --subject {judged.board.release} --trust FILE")
    return show_verdict(out, judged.board, judged.report)
