"""Accept a release as a named owner or operator, with your own key.

An operator accepts after finding and replaying one quarantined record (`plimsoll quarantine list`, `replay`): who
cannot do that cannot run the system.

Example:
  plimsoll accept --as operator-1@example.org --key operator-1.key
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.signing import accept
from plimsoll.attest import read_private
from plimsoll.cli.out import Out
from plimsoll.cli.project_options import add_project, open_project


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll accept` takes."""
    add_project(parser)
    parser.add_argument("--as", dest="contact", metavar="CONTACT", required=True, help="your contact in the manifest")
    parser.add_argument("--key", metavar="FILE", type=Path, required=True, help="your private key")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Sign and record the acceptance."""
    project = open_project(arguments)
    accepted = accept(project, arguments.contact, read_private(arguments.key))
    out.give(accepted)
    out.show(f"{accepted.contact} accepts release {accepted.release} as {', '.join(accepted.roles)}")
    role = "operator" if "operator" in accepted.roles else "owner"
    out.say(f"It counts where trust.yaml pins this key for that contact with the role {role}.")
    return 0
