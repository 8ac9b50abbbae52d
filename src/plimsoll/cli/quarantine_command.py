"""What could not be processed, and why; mend it and send it through again.

Examples:
  plimsoll quarantine list --records
  plimsoll quarantine replay 01a1fc40…-100 --fixed mended.json --by ops@example.org
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.quarantining import discard, list_quarantine, replay, show_quarantined
from plimsoll.assembly.record import moment
from plimsoll.cli.files import read_bytes
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project_options, open_project
from plimsoll.errors import NotReady
from plimsoll.guard.quarantine_view import group_id, reason_text
from plimsoll.model.decision import Disposition


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll quarantine` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    listed = add_action(actions, "list", "what waits, by source and reason, with counts", "plimsoll quarantine list")
    listed.add_argument("--all", action="store_true", help="replayed and discarded ones too")
    listed.add_argument("--records", action="store_true", help="every record, not only the groups")
    show = add_action(
        actions, "show", "one record, every reason, and its bytes", "plimsoll quarantine show 01a1fc40…-100"
    )
    show.add_argument("record", help="its id, as `list --records` prints it")
    replayed = add_action(
        actions,
        "replay",
        "send a record through again, mended or as it is\n\n"
        "Exit code 0: it is answered or held, and the record is closed. 3: it still waits.",
        "plimsoll quarantine replay 01a1fc40…-100 --fixed mended.json --by ops@example.org",
    )
    replayed.add_argument("record", help="its id, as `list --records` prints it")
    replayed.add_argument("--fixed", metavar="FILE", type=Path, help="the mended record, one JSON value")
    replayed.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
    discarded = add_action(
        actions,
        "discard",
        "close a record without a decision",
        'plimsoll quarantine discard 01a1fc40…-100 --by ops@example.org --reason "sent twice"',
    )
    discarded.add_argument("record", help="its id, as `list --records` prints it")
    discarded.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
    discarded.add_argument("--reason", required=True, help="why")
    for action in (listed, show, replayed, discarded):
        action.add_argument("--manifest", metavar="FILE", help="default: ./plimsoll.yaml")
        add_project_options(action)


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Do the one thing that is asked."""
    return _ACTIONS[arguments.action](arguments, out)


def _list(arguments: argparse.Namespace, out: Out) -> int:
    listing = list_quarantine(open_project(arguments), closed=arguments.all, records=arguments.records)
    out.give(listing)
    if not listing.open:
        out.show("Nothing waits in quarantine.")
    else:
        out.show("1 record waits." if listing.open == 1 else f"{listing.open:,} records wait.")
    if sum(group.count for group in listing.groups) > listing.open:
        out.show("A record that breaks two rules stands in two groups.")
    for group in listing.groups[:MOST_GROUPS]:
        source = group.source or "(no source)"
        out.show(f"{group.count:>9,}  {group.group}  {source:<20} {group.reason}  owner {group.owner}")
    if len(listing.groups) > MOST_GROUPS:
        out.show(f"… and {len(listing.groups) - MOST_GROUPS:,} smaller groups; --json gives all")
    for record in listing.records:
        reasons = "; ".join(f"{r.path or 'record'}: {r.fault.value}" for r in record.reasons[:3])
        out.show(f"{record.record}  {record.status:<9} {record.source or '(no source)':<20} {reasons}")
    if listing.open and not arguments.records:
        out.say("`plimsoll quarantine list --records` names each; `plimsoll quarantine show ID` opens one")
    return 0


def _show(arguments: argparse.Namespace, out: Out) -> int:
    shown = show_quarantined(open_project(arguments), arguments.record)
    found = shown.quarantined
    text = shown.raw.decode("utf-8", "backslashreplace")
    out.give(
        {
            "quarantined": found,
            "owner": shown.owner,
            "encrypted": shown.sealed,
            "groups": [group_id(found.source, text) for text in dict.fromkeys(map(reason_text, found.reasons))],
            "received": moment(found.time_ns),
            "raw": text,
            "bytes": len(shown.raw),
        }
    )
    contract, _, digest = found.contract.rpartition(" ")
    closed = f" by {found.by}" if found.by else ""
    out.show(f"{found.record}  {found.status}{closed}, from {found.source or '(no source)'}")
    rows = {
        "received": moment(found.time_ns),
        "offset": found.offset,
        "contract": f"{contract} {found.contract_version} {digest}".strip() or "none",
        "owner": shown.owner,
        "state": found.parse,
        "digest": found.digest,
        "kept": "encrypted" if shown.sealed else "as it came",
        "became": found.became,
        "because": found.why,
    }
    for name, value in rows.items():
        if value:
            out.show(f"  {name:<9} {value}")
    for reason in found.reasons:
        out.show(f"  {reason.path or '(record)'}: {reason.fault.value}, {reason.rule}")
        out.show(f"      expected {reason.expected}; found {reason.found}")
    out.show(f"{len(shown.raw):,} bytes:")
    cut = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… (cut here; --json gives all)"
    out.show("".join(c if c.isprintable() or c in "\n\t" else "·" for c in cut))
    return 0


def _replay(arguments: argparse.Namespace, out: Out) -> int:
    fixed = None if arguments.fixed is None else read_bytes(arguments.fixed, "mended record").rstrip(b"\r\n")
    answer = replay(open_project(arguments), arguments.record, by=arguments.by, fixed=fixed)
    out.give(answer)
    out.show(f"{answer.disposition.value}, as {answer.record}" + (f": {answer.why}" if answer.why else ""))
    for reason in answer.broken:
        out.show(f"  {reason.path or '(record)'}: {reason.fault.value}; expected {reason.expected}")
    return 0 if answer.disposition in {Disposition.ANSWERED, Disposition.HELD} else NotReady.exit_code


def _discard(arguments: argparse.Namespace, out: Out) -> int:
    entry = discard(open_project(arguments), arguments.record, by=arguments.by, reason=arguments.reason)
    out.give({"entry": entry})
    out.show(f"{arguments.record} is discarded; the record and the reason stay in the ledger")
    return 0


MOST_GROUPS = 50  # on a terminal
MOST_SHOWN = 4000  # characters of a record on a terminal
_ACTIONS = {"list": _list, "show": _show, "replay": _replay, "discard": _discard}
