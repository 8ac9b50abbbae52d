"""Judge the evidence there is, without measuring anything; with --attest, sign the verdict.

Exit code 0: ready. 3: not ready. 4: cannot say yet.

Example:
  plimsoll gate --trust trust.yaml --attest claims.attestation.json --key gate.key
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.checking import gate
from plimsoll.cli.board_out import show_verdict
from plimsoll.cli.out import Out
from plimsoll.cli.project_options import add_project, open_project


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll gate` takes."""
    add_project(parser)
    parser.add_argument("--attest", metavar="FILE", type=Path, help="write the signed verdict there")
    parser.add_argument("--key", metavar="FILE", type=Path, help="the gate's private key, for --attest")
    parser.add_argument("--report", metavar="FILE", help="write the HTML report there too")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Judge, print the board, write the attestation."""
    project = open_project(arguments)
    judged = gate(
        project,
        trust_file=arguments.trust,
        attest=arguments.attest,
        key_file=arguments.key,
        report=arguments.report,
    )
    if arguments.attest is not None:
        out.say(f"Attestation written to {arguments.attest}")
        out.say(f"Check it with: plimsoll verify {arguments.attest} --subject {judged.board.release} --trust FILE")
    return show_verdict(out, judged.board, judged.report)
