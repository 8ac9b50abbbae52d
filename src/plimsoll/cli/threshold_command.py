"""The line: what it says, who set it, and the setter's signature.

Example:
  plimsoll threshold sign --key coo.key
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.signing import sign_threshold, threshold_history
from plimsoll.attest import read_private
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project, open_project


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll threshold` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    show = add_action(
        actions, "show", "the conditions, and whether they are signed", "plimsoll threshold show plimsoll.yaml"
    )
    add_project(show)
    sign = add_action(
        actions,
        "sign",
        "sign the threshold as the person who sets it\n\n"
        "It counts where trust.yaml pins this key for that contact with the role setter.",
        "plimsoll threshold sign --key coo.key",
    )
    add_project(sign)
    sign.add_argument("--key", metavar="FILE", type=Path, required=True, help="the setter's private key")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Show or sign."""
    project = open_project(arguments)
    threshold = project.manifest.threshold
    if arguments.action == "sign":
        entry = sign_threshold(project, read_private(arguments.key))
        out.give({"entry": entry, "threshold": threshold.digest, "set_by": threshold.set_by})
        out.show(f"Signed as {threshold.set_by}: {threshold.digest}")
        out.say("It counts where trust.yaml pins this key for that contact with the role setter.")
        return 0
    signed = threshold_history(project)
    out.give(
        {
            "threshold": threshold.digest,
            "set_by": threshold.set_by,
            "conditions": [str(c) for c in threshold.conditions],
            "load_window": str(threshold.load_window),
            "signatures": signed,
        }
    )
    out.show(f"Threshold of {project.manifest.system}, set by {threshold.set_by}")
    out.show(f"{threshold.digest}")
    for condition in threshold.conditions:
        out.show(f"  {condition!s:<42} {condition.dimension.value}")
    out.show(f"  load windows of at least {threshold.load_window}")
    for line in signed:
        if not line.set_by:
            out.show(f"  entry {line.entry} holds no signature that this version can read")
            continue
        out.show(f"  signed {line.signed_at} by {line.set_by}{'' if line.current else ' (an earlier version)'}")
    if not any(line.current for line in signed):
        out.show("  not signed: a DRAFT, which nothing can pass")
    return 0
