"""Steer the running guards: stop a decision type, or the whole system, to human-only; take it back.

Every guard on this ledger obeys within a second, without a restart. Everybody whom the manifest names may stop; only
those under may.override may take a stop back (where none is named: operations, and who holds the production decision).

Example:
  plimsoll control stop --type read-amount --by ops@example.org --reason "scanner 3 sends blank pages"
"""

from __future__ import annotations

import argparse

from plimsoll.assembly.steering import steer
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project, open_project
from plimsoll.model.control import Action


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll control` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    for name, said in (("stop", "people decide from now on"), ("resume", "take a stop back")):
        action = add_action(
            actions, name, said, f'plimsoll control {name} --type read-amount --by ops@example.org --reason "why"'
        )
        add_project(action)
        action.add_argument("--type", default="", help="this decision type alone; default: all of them")
        action.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
        action.add_argument("--reason", required=True, help="why, for everyone who looks at it later")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Write the control entry."""
    project = open_project(arguments)
    entry = steer(project, Action(arguments.action), type_=arguments.type, by=arguments.by, reason=arguments.reason)
    what = arguments.type or "every decision type"
    out.give({"entry": entry, "action": arguments.action, "type": arguments.type})
    out.show(f"{what} of {project.manifest.system}: {'human-only' if arguments.action == 'stop' else 'as declared'}")
    return 0
