"""What could not be processed, and why; mend it and send it through again.

Examples:
  plimsoll quarantine list
  plimsoll quarantine replay 3f9a01c2de --patch fix.json --preview
  plimsoll quarantine replay 3f9a01c2de --patch fix.json --contract claims@1.1.0 --by ops@example.org
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.quarantining import (
    Patch,
    discard,
    discard_group,
    is_group,
    list_quarantine,
    preview_group,
    read_patch,
    replay,
    replay_group,
    show_quarantined,
)
from plimsoll.assembly.record import moment
from plimsoll.cli.files import read_bytes
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project_options, open_project
from plimsoll.errors import NotReady, UsageError
from plimsoll.guard.quarantine_records import DECIDES
from plimsoll.guard.quarantine_view import group_id, reason_text


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
        "send a record, or all of a group, through again, mended or as it is\n\n"
        "Exit code 0: all of it is answered or held, and closed; of a preview: all would pass. 3: some still wait.",
        "plimsoll quarantine replay 3f9a01c2de --patch fix.json --contract claims@1.1.0 --by ops@example.org",
    )
    replayed.add_argument("what", help="a group as `list` prints it, or the id of a record")
    mend = replayed.add_mutually_exclusive_group()
    mend.add_argument("--fixed", metavar="FILE", type=Path, help="the mended record, one JSON value; not of a group")
    mend.add_argument("--patch", metavar="FILE", type=Path, help="a JSON Patch (RFC 6902) that mends each record")
    replayed.add_argument(
        "--contract", metavar="ID@VERSION", default="", help="the contract that a group is to be held against"
    )
    replayed.add_argument(
        "--preview",
        metavar="N",
        type=int,
        nargs="?",
        const=SAMPLES,
        help=f"of a group: show N records before and after ({SAMPLES}), and how many would pass; send nothing",
    )
    replayed.add_argument("--by", metavar="CONTACT", help="your contact in the manifest; a preview needs none")
    discarded = add_action(
        actions,
        "discard",
        "close a record, or all of a group, without a decision",
        'plimsoll quarantine discard 01a1fc40…-100 --by ops@example.org --reason "sent twice"',
    )
    discarded.add_argument("what", help="a group as `list` prints it, or the id of a record")
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
    if listing.warning:
        out.show(f"{'FULL: ' if listing.full else ''}{listing.warning}")
    if listing.turned_away:
        out.show(
            f"{listing.turned_away:,} broken records ({listing.turned_away_bytes:,} bytes) were shed while full; "
            "each is on record with its reasons, size and digest, and not with its content"
        )
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
        out.say("`plimsoll quarantine replay GROUP --patch FILE --preview` tries a fix on a group")
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
    out.show(_printable(text))
    return 0


def _replay(arguments: argparse.Namespace, out: Out) -> int:
    what, given = arguments.what, arguments.patch
    patch = None if given is None else read_patch(read_bytes(given, "patch"), str(given))
    if not is_group(what):
        return _replay_one(arguments, patch, out)
    if arguments.fixed is not None:
        raise UsageError("--fixed is one record, and this is a group", fix="mend a group with --patch")
    if arguments.preview is not None:
        return _preview(arguments, patch, out)
    by = _said_by(arguments)
    from plimsoll.cli.progress import progress_for  # noqa: PLC0415 - heavy, and a list must be there at once

    with progress_for(out) as progress:
        progress.begin("replay", None)
        outcome = replay_group(
            open_project(arguments), what, by=by, contract=arguments.contract, patch=patch, tick=progress.tick
        )
        progress.end(f"{outcome.waiting:,} records")
    out.give(outcome)
    ended = [f"{count:,} {disposition}" for disposition, count in sorted(outcome.ended.items())]
    left = {
        "closed, decided before": outcome.already,
        "still break the contract": outcome.still_broken,
        "not mended by the patch": outcome.not_patched,
        "erased": outcome.erased,
    }
    ended += [f"{count:,} {said}" for said, count in left.items() if count]
    out.show(f"of {outcome.waiting:,} that waited: {', '.join(ended) or 'nothing'}")
    if outcome.stopped:
        out.show(f"stopped: {outcome.stopped}")
    closed = outcome.already + sum(count for how, count in outcome.ended.items() if how in DECIDES)
    return 0 if closed + outcome.erased == outcome.waiting else NotReady.exit_code


def _said_by(arguments: argparse.Namespace) -> str:
    if not arguments.by:
        raise UsageError("a replay is done by somebody", fix="say who: --by CONTACT")
    return str(arguments.by)


def _replay_one(arguments: argparse.Namespace, patch: Patch | None, out: Out) -> int:
    if arguments.preview is not None or arguments.contract:
        raise UsageError("--preview and --contract are of a group, and this is one record", fix="leave them out")
    by = _said_by(arguments)
    fixed = None if arguments.fixed is None else read_bytes(arguments.fixed, "mended record").rstrip(b"\r\n")
    answer = replay(open_project(arguments), arguments.what, by=by, fixed=fixed, patch=patch)
    out.give(answer)
    out.show(f"{answer.disposition.value}, as {answer.record}" + (f": {answer.why}" if answer.why else ""))
    for reason in answer.broken:
        out.show(f"  {reason.path or '(record)'}: {reason.fault.value}; expected {reason.expected}")
    return 0 if answer.disposition in DECIDES else NotReady.exit_code


def _preview(arguments: argparse.Namespace, patch: Patch | None, out: Out) -> int:
    seen = preview_group(open_project(arguments), arguments.what, patch, samples=max(0, arguments.preview))
    out.give(seen)
    for sample in seen.samples:
        out.show(sample.record)
        out.show(f"  - {_printable(sample.before)}")
        out.show(f"  + {_printable(sample.after)}" if not sample.why else f"  ! {sample.why}")
        for reason in sample.reasons:
            out.show(f"  ! {reason.path or '(record)'}: {reason.fault.value}; expected {reason.expected}")
    out.show(f"{seen.would_pass:,} of {seen.waiting:,} would pass; nothing was sent")
    for said, count in seen.reasons.items():
        out.show(f"{count:>9,}  {said}")
    return 0 if seen.would_pass == seen.waiting else NotReady.exit_code


def _discard(arguments: argparse.Namespace, out: Out) -> int:
    project = open_project(arguments)
    if is_group(arguments.what):
        count = discard_group(project, arguments.what, by=arguments.by, reason=arguments.reason)
        out.give({"discarded": count})
        said = "1 record is" if count == 1 else f"{count:,} records are"
        out.show(f"{said} discarded; what came and the reason stay in the ledger")
        return 0
    entry = discard(project, arguments.what, by=arguments.by, reason=arguments.reason)
    out.give({"entry": entry})
    out.show(f"{arguments.what} is discarded; the record and the reason stay in the ledger")
    return 0


def _printable(text: str) -> str:
    cut = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… (cut here; --json gives all)"
    return "".join(c if c.isprintable() or c in "\n\t" else "·" for c in cut)


SAMPLES = 3  # of a preview
MOST_GROUPS = 50  # on a terminal
MOST_SHOWN = 4000  # characters of a record on a terminal
_ACTIONS = {"list": _list, "show": _show, "replay": _replay, "discard": _discard}
