"""Make a key, or show the public half of one as trust.yaml takes it.

A person's key never leaves that person. What the organisation needs is its public half, in trust.yaml.

Examples:
  plimsoll keys new coo.key
  plimsoll keys show coo.key --for coo@example.org --role setter --role owner >> trust.yaml
  plimsoll keys ledger >> trust.yaml
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from plimsoll.assembly.pinning import LedgerKey, ledger_key
from plimsoll.attest import PrivateKey, Role, generate, read_private, save_private, trust_entry
from plimsoll.cli.files import read_trust_file
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project, open_project
from plimsoll.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll keys` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    new = add_action(
        actions, "new", "make a private key; an existing file is never overwritten", "plimsoll keys new coo.key"
    )
    new.add_argument("file", type=Path, help="where the private key goes, readable by you alone")
    new.add_argument(
        "--kind", choices=("ed25519", "ecdsa-p256"), default="ed25519", help="ecdsa-p256 for tools that need it"
    )
    show = add_action(
        actions,
        "show",
        "the public half of a private key, or its entry for trust.yaml",
        "plimsoll keys show coo.key --for coo@example.org --role setter",
    )
    show.add_argument("file", type=Path, help="the private key")
    show.add_argument("--for", dest="who", metavar="CONTACT", help="whose it is: gives the entry for trust.yaml")
    show.add_argument(
        "--role",
        action="append",
        default=[],
        choices=tuple(role.value for role in Role),
        help="what it may sign, with --for; may be repeated",
    )
    ledger = add_action(
        actions,
        "ledger",
        "the entry for trust.yaml of the key that signs this system's ledger\n\nIt is made if there is neither key nor"
        " ledger yet. Until it is pinned, every verdict on the ledger is a DEMONSTRATION.",
        "plimsoll keys ledger >> trust.yaml",
    )
    add_project(ledger)


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Make or show."""
    if arguments.action == "ledger":
        return _ledger(arguments, out)
    if arguments.action == "new":
        key = generate(arguments.kind)
        save_private(key, arguments.file)
        out.say(f"Private key written to {arguments.file}, readable by you alone. Its public half, for trust.yaml:")
        _give(arguments.file, key, out)
        out.show(key.public.line)
        return 0
    key = read_private(arguments.file)
    if (arguments.who is None) != (not arguments.role):
        raise UsageError(
            "--for and --role go together", fix="say whose key it is and what it may sign: --for CONTACT --role setter"
        )
    _give(arguments.file, key, out)
    if arguments.who is None:
        out.show(key.public.line)
    else:
        entry = trust_entry(arguments.who, tuple(Role(role) for role in arguments.role), key.public)
        out.show(entry.rstrip("\n"))
    return 0


def _ledger(arguments: argparse.Namespace, out: Out) -> int:
    found = ledger_key(open_project(arguments), read_trust_file(arguments.trust), now_ns=time.time_ns())
    out.give(found)
    if not found.pinned_in:  # so that `>> trust.yaml` may be said twice
        out.show(found.entry.rstrip("\n"))
    out.say(_said(found))
    return 0


def _said(found: LedgerKey) -> str:
    made = f"{found.file} was made just now. " if found.made else ""
    if found.pinned_in:
        return f"{made}It is pinned in {found.pinned_in} already: nothing is to do."
    return (
        f"{made}Paste these lines under 'keys:' of trust.yaml, which the organisation keeps where the builders of the"
        " system cannot write. A new file begins with 'plimsoll-trust: 1' and 'keys:'."
    )


def _give(file: Path, key: PrivateKey, out: Out) -> None:
    out.give({"file": str(file), "key": key.public.line, "key_id": key.public.key_id})
