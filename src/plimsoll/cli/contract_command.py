"""Data contracts: are they right, does a table keep them, what changed, a first one from real records.

Examples:
  plimsoll contract lint contracts/*.odcs.yaml
  plimsoll contract diff main/claims.odcs.yaml claims.odcs.yaml --breaks consumers
  plimsoll contract check feed/2026-11/ --contract contracts/claims.odcs.yaml
  plimsoll contract infer feed/branch-fax.jsonl --output contracts/branch-fax.odcs.yaml
  plimsoll contract changes --manifest plimsoll.yaml
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.contracting import Linted, compare, infer, lint
from plimsoll.cli.files import write_bytes
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.problem_lines import problems_text
from plimsoll.cli.table_command import add_check, add_history, run_check, run_history
from plimsoll.contract.changes import Change, Comparison
from plimsoll.errors import InputError, NotReady
from plimsoll.model.source_change import ChangeKind

_BOTH = "both"


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll contract` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    linted = add_action(
        actions,
        "lint",
        "every problem of contracts, and every rule that is not enforced, with its line\n\n"
        "A file is judged by the version of the Open Data Contract Standard that it names; a JSON Schema is a\n"
        "contract too, and so is a Pydantic model by package.module:Model.\n\n"
        "Exit code 0: no problem. 2: at least one.",
        "plimsoll contract lint contracts/claims.odcs.yaml claims.schema.json --json",
    )
    linted.add_argument("files", metavar="FILE", nargs="+", help="contracts; models as package.module:Model")
    diffed = add_action(
        actions,
        "diff",
        "what changed from one contract to another, and whom it breaks\n\n"
        "A change breaks sources when a record that keeps the first contract can break the second, and consumers when\n"
        "it is the other way round, or when a value means something else. Each declared consumer is named with what\n"
        "breaks it.\n\n"
        "Exit code 0: nothing breaks. 3: something does. 2: a file has problems.",
        "plimsoll contract diff main/claims.odcs.yaml claims.odcs.yaml --breaks consumers",
    )
    diffed.add_argument("old", metavar="OLD", help="the contract that is in force")
    diffed.add_argument("new", metavar="NEW", help="the one that is to follow it")
    diffed.add_argument(
        "--breaks",
        choices=("sources", "consumers", _BOTH),
        default=_BOTH,
        help="whose breaking decides the exit code: sources, consumers or both; default: both",
    )
    add_check(actions)
    add_history(actions)
    inferred = add_action(
        actions,
        "infer",
        "a first contract from real records of one source\n\n"
        "Types, formats, limits and allowed values, each with how many rows carry it; what too few carry is a comment\n"
        "alone. Fields with personal data are classified, and their values written nowhere. A line that is no record\n"
        "is counted and left out.",
        "plimsoll contract infer feed/branch-fax.jsonl --output contracts/branch-fax.odcs.yaml",
    )
    inferred.add_argument(
        "files", metavar="FILE", nargs="+", help="JSON, JSON Lines, CSV; Parquet with the extra 'tables'"
    )
    inferred.add_argument("--name", metavar="NAME", help="of the contract; default: from the first file's")
    inferred.add_argument("--output", metavar="FILE", type=Path, help="a file that is not there yet; default: stdout")
    changed = add_action(
        actions,
        "changes",
        "what the traffic of a system has shown that no contract knows\n\n"
        "New fields, with the old name that they most likely had; new values of enumerations; other kinds of values;\n"
        "sources and consumers that nobody declared. Each once, with when it was first seen and how often since.",
        "plimsoll contract changes --manifest plimsoll.yaml",
    )
    changed.add_argument("--manifest", metavar="FILE", help="default: ./plimsoll.yaml")
    changed.add_argument("--state", metavar="DIR", type=Path, help="folder of the ledger; default: the manifest's")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Do the one thing that is asked."""
    return _ACTIONS[arguments.action](arguments, out)


# -- lint


def _lint(arguments: argparse.Namespace, out: Out) -> int:
    found = lint(arguments.files)
    out.give({"contracts": found})
    out.note(tuple(p for one in found for p in one.problems))
    for one in found:
        _show_linted(one, out)
    bad = sum(not one.ok for one in found)
    if len(found) > 1:
        out.show(f"{len(found)} contracts, {bad} with problems" if bad else f"{len(found)} contracts, no problem")
    return InputError.exit_code if bad else 0


def _show_linted(one: Linted, out: Out) -> None:
    if not one.ok:
        out.show(problems_text(one.problems))
        return
    named = " ".join(filter(None, (one.standard, one.api_version)))
    version = f", version {one.version}" if one.version else ""
    out.show(f"{one.file}: no problem. {named}; id '{one.id}'{version}; {one.digest}")
    for warned in one.warnings:
        out.show(f"  warning: {problems_text([warned])}")
    if one.unenforced:
        rests = any(left.of_records for left in one.unenforced)
        why = ": contracts.valid_rate is not measured while those with * stand" if rests else ""
        out.show(f"  not enforced on single records{why}")
    for left in one.unenforced:
        star = "*" if left.of_records else " "
        about = f" ({left.field})" if left.field else ""
        out.show(f"  {star} {one.file}:{left.line}:{left.column}: {left.rule}{about}: {left.why}")


# -- diff


def _diff(arguments: argparse.Namespace, out: Out) -> int:
    found = compare(arguments.old, arguments.new)
    sources = found.breaks_sources and arguments.breaks in {"sources", _BOTH}
    consumers = found.breaks_consumers and arguments.breaks in {"consumers", _BOTH}
    out.give(found)
    if not found.changes:
        out.show("Nothing changed.")
    for change in found.changes:
        out.show(f"{_mark(change)}  {change.field or 'contract'}: {change.kind.value}: {change.said}")
        if change.old_line or change.new_line:
            out.show(f"{'':<19}  {_places(found, change)}")
    for consumer in found.consumers:
        if consumer.changes:
            said = f"broken by {len(consumer.changes)} change{'' if len(consumer.changes) == 1 else 's'}"
            fields = ", ".join(dict.fromkeys(found.changes[i].field or "contract" for i in consumer.changes))
            out.show(f"consumer {consumer.id}: {said} ({fields}); an unexpected value {_EFFECTS[consumer.effect]}")
            out.show(f"  it needs the approval of {consumer.approver}; its owner is {consumer.owner}")
        else:
            out.show(f"consumer {consumer.id}: nothing breaks it")
    out.say(_verdict(found))
    return NotReady.exit_code if sources or consumers else 0


_EFFECTS = {
    "stops": "stops it",
    "drops": "costs it the record",
    "ignores": "is not used there",
    "misleads": "gives a wrong result there, without a sign",
    "unknown": "does nobody knows what there",
}


def _mark(change: Change) -> str:
    whom = [
        word for word, is_so in (("sources", change.breaks_sources), ("consumers", change.breaks_consumers)) if is_so
    ]
    return f"{'breaks ' + '+'.join(whom) if whom else 'compatible':<19}"


def _places(found: Comparison, change: Change) -> str:
    old = f"{found.old}:{change.old_line}" if change.old_line else ""
    new = f"{found.new}:{change.new_line}" if change.new_line else ""
    return " → ".join(filter(None, (old, new)))


def _verdict(found: Comparison) -> str:
    whom = [word for word, is_so in (("sources", found.breaks_sources), ("consumers", found.breaks_consumers)) if is_so]
    return f"It breaks {' and '.join(whom)}." if whom else "It breaks nobody."


# -- infer


def _infer(arguments: argparse.Namespace, out: Out) -> int:
    if arguments.output is not None and arguments.output.exists():
        raise InputError(f"'{arguments.output}' is there already", fix="give another file")
    found = infer(arguments.files, name=arguments.name)
    out.give(found)
    if arguments.output is None:
        out.show(found.contract.rstrip("\n"))
    else:
        write_bytes(arguments.output, found.contract.encode(), "contract")
        out.show(f"Wrote {arguments.output}")
    records = f"{found.records:,} record{'' if found.records == 1 else 's'}"
    out.say(f"Inferred from {records}: it says what was seen, not what must be. Read it and decide.")
    if found.skipped:
        out.say("1 line is no record:" if found.skipped == 1 else f"{found.skipped:,} lines are no record:")
    for line in found.told:
        out.say(f"  {line}")
    return 0


# -- changes


def _changes(arguments: argparse.Namespace, out: Out) -> int:
    # A whole system is much to import for who only lints; this action alone needs it.
    from plimsoll.assembly.source_changes import list_changes  # noqa: PLC0415
    from plimsoll.cli.project_options import open_project  # noqa: PLC0415

    found = list_changes(open_project(arguments))
    out.give({"changes": found})
    if not found:
        out.show("Nothing has come that no contract knows.")
    for change in found:
        out.show(f"{change.first_seen}  {change.source or '(no source)':<20} {_said(change.kind, change.what)}")
        share = f" ({change.seen / change.of:.1%})" if change.of else ""
        out.show(f"{'':<22}in {change.seen:,} of {change.of:,} records{share}")
        if change.examples:
            out.show(f"{'':<22}such as {', '.join(change.examples)}")
        if change.likely:
            out.show(f"{'':<22}most likely '{change.likely}' under a new name: {change.why}")
    return 0


def _said(kind: ChangeKind, what: str) -> str:
    if kind is ChangeKind.MORE:
        return f"more new values of '{what}' than are told one by one" if what else "more than is told one by one"
    return _KINDS[kind].format(f"'{what}'" if what else "the record itself")


_KINDS = {
    ChangeKind.UNKNOWN_FIELD: "the field {} is new",
    ChangeKind.NEW_VALUE: "{} has a new value",
    ChangeKind.OTHER_TYPE: "{} holds another kind of value",
    ChangeKind.UNDECLARED_SOURCE: "no contract names this source",
    ChangeKind.UNDECLARED_CONSUMER: "no contract names the consumer {}",
}
_ACTIONS = {
    "infer": _infer,
    "lint": _lint,
    "diff": _diff,
    "check": run_check,
    "history": run_history,
    "changes": _changes,
}
