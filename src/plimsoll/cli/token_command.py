"""Tokens of the clients that ask the server: who may ask what, until when. Made, listed, revoked.

A token is shown once, when it is made; the record keeps its digest alone.

Example:
  plimsoll token new claims-desk --scope decide --by ops@example.org
"""

from __future__ import annotations

import argparse
import time

from plimsoll.access import Scope, new_token, revoke_token, tokens_of
from plimsoll.assembly.steering import known_contact
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project_options, open_project
from plimsoll.errors import InputError, UsageError
from plimsoll.model.quantity import Quantity
from plimsoll.model.words import nearest


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll token` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    new = add_action(
        actions,
        "new",
        "make a token",
        "plimsoll token new claims-desk --scope decide --type read-amount --by ops@example.org",
    )
    new.add_argument("name", help="the client that will hold it")
    new.add_argument(
        "--scope", action="append", metavar="SCOPE", help=f"what it is for: {', '.join(Scope)}; may be repeated"
    )
    new.add_argument("--type", action="append", default=[], help="for this decision type alone; may be repeated")
    new.add_argument("--label", action="append", default=[], help="an access label that callers may claim through it")
    new.add_argument("--expires", default="90 days", metavar="DURATION", help="its life; default: 90 days")
    new.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
    shown = add_action(actions, "list", "every token, without its secret", "plimsoll token list")
    revoke = add_action(
        actions, "revoke", "take one back", 'plimsoll token revoke 5f0c… --by ops@example.org --reason "laptop lost"'
    )
    revoke.add_argument("id", help="the token's id, as `list` names it")
    revoke.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
    revoke.add_argument("--reason", required=True, help="why, for everyone who looks at it later")
    for action in (new, shown, revoke):
        action.add_argument("--manifest", metavar="FILE", help="default: ./plimsoll.yaml")
        add_project_options(action)


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Do it."""
    {"new": _new, "list": _list, "revoke": _revoke}[arguments.action](arguments, out)
    return 0


def _new(arguments: argparse.Namespace, out: Out) -> None:
    project = open_project(arguments)
    manifest = project.manifest
    unknown = [name for name in arguments.type if name not in manifest.decisions]
    if unknown:
        raise InputError(
            f"'{unknown[0]}' is not a decision type of {manifest.system}",
            fix=f"there are: {', '.join(manifest.decisions)}",
        )
    scopes = tuple(_scope(text) for text in arguments.scope or [Scope.DECIDE.value])
    with project.open_ledger() as ledger:
        presented, token = new_token(
            ledger,
            manifest.system,
            name=arguments.name,
            scopes=scopes,
            types=arguments.type,
            labels=arguments.label,
            by=known_contact(project, arguments.by),
            now_ns=time.time_ns(),
            lives_s=_seconds(arguments.expires),
        )
    out.give({"token": presented, "id": token.id, "name": token.name, "expires_at": token.expires_at})
    out.show(presented)
    out.say(f"Token {token.id} of {token.name}, until {token.expires_at}. It is shown this once.")


def _list(arguments: argparse.Namespace, out: Out) -> None:
    project = open_project(arguments)
    if not project.store.exists():
        out.give([])
        return
    with project.open_ledger(read_only=True) as ledger:
        found = tokens_of(ledger, project.manifest.system)
    out.give(
        [
            {
                "id": token.id,
                "name": token.name,
                "scopes": token.scopes,
                "types": token.types,
                "labels": token.labels,
                "made_by": token.made_by,
                "made_at": token.made_at,
                "expires_at": token.expires_at,
                "revoked": revoked,
            }
            for token, revoked in found
        ]
    )
    for token, revoked in found:
        what = " ".join(token.scopes) + (f" ({', '.join(token.types)})" if token.types else "")
        state = "revoked" if revoked else f"until {token.expires_at}"
        out.show(f"{token.id}  {token.name}  {what}  {state}")
    if not found:
        out.say("There are no tokens. `plimsoll token new NAME --scope decide --by CONTACT` makes one.")


def _revoke(arguments: argparse.Namespace, out: Out) -> None:
    project = open_project(arguments)
    with project.open_ledger() as ledger:
        by = known_contact(project, arguments.by)
        entry = revoke_token(ledger, project.manifest.system, arguments.id, by=by, reason=arguments.reason)
    out.give({"entry": entry, "id": arguments.id})
    out.say(f"Token {arguments.id} is revoked; every server refuses it within a second.")


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError as why:
        close = nearest(text, tuple(Scope))
        raise UsageError(
            f"'{text}' is not a scope", fix=f"did you mean '{close}'?" if close else f"there are: {', '.join(Scope)}"
        ) from why


def _seconds(text: str) -> float:
    try:
        quantity = Quantity.parse(text)
    except ValueError as why:
        raise UsageError(f"'{text}' is not a duration", fix="write one such as 90 days") from why
    if quantity.kind.value != "duration":
        raise UsageError(f"'{text}' is a {quantity.kind.value}, not a duration", fix="write one such as 90 days")
    return quantity.base
