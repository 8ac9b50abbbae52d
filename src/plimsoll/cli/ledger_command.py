"""The record: is it whole, what stands in it, prove one entry to someone without the store, forget a person.

Examples:
  plimsoll ledger verify --witness /mnt/elsewhere/witness.txt --trust trust.yaml
  plimsoll ledger prove 01a1fc40…-100 --out proof.json
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import msgspec

from plimsoll.assembly.integrity import expect_none_before, what_to_do
from plimsoll.assembly.project import Project
from plimsoll.assembly.record import (
    default_witness,
    erase_subject,
    ledger_keys,
    moment,
    newest_entries,
    prove_entry,
    show_entry,
    streams_left,
)
from plimsoll.assembly.succession import begin_anew
from plimsoll.cli.files import read_bytes, read_trust_file, write_bytes
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.progress import progress_for
from plimsoll.cli.project_options import add_project_options, open_project
from plimsoll.errors import InputError, Problem, UsageError, VerificationFailed, Where
from plimsoll.ledger import FileWitness, check_proof, verify_ledger
from plimsoll.ledger.places import store_at
from plimsoll.ledger.store import Store


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll ledger` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    verify = add_action(
        actions,
        "verify",
        "recompute every hash; say what was altered, cut or is missing\n\nExit code 0: it is whole. 5: it is not.",
        "plimsoll ledger verify --witness /mnt/elsewhere/witness.txt --trust trust.yaml",
    )
    verify.add_argument("--witness", metavar="FILE", type=Path, help="checkpoints kept outside the store")
    verify.add_argument(
        "--ledger", metavar="PLACE", help="the ledger itself, without a manifest: a file, or postgresql://…"
    )
    show = add_action(actions, "show", "one entry, opened; or the newest entries", "plimsoll ledger show 01a1fc40…-100")
    show.add_argument("id", nargs="?", help="of the entry; default: list the newest entries")
    show.add_argument("--newest", metavar="N", type=_count, default=20, help="how many to list; default: 20")
    prove = add_action(
        actions,
        "prove",
        "a file that proves one entry offline, without the store",
        "plimsoll ledger prove 01a1fc40…-100 --out proof.json",
    )
    prove.add_argument("id", help="of the entry")
    prove.add_argument("--out", metavar="FILE", type=Path, help="default: <id>.proof.json")
    prove.add_argument("--disclose", action="store_true", help="put the entry's key in, so that it can be read")
    streams = add_action(
        actions,
        "streams",
        "answers that began to leave in pieces and have no end on record, or whose process died\n\nExit code 3: there"
        " is one whose process is gone, or that is long past its deadline. The next process that opens the ledger for"
        " writing records the end of those whose process is gone.",
        "plimsoll ledger streams",
    )
    streams.add_argument("--newest", metavar="N", type=_count, default=20, help="how many deaths to list; default: 20")
    check = add_action(
        actions, "check", "check a proof file, offline", "plimsoll ledger check proof.json --trust trust.yaml"
    )
    check.add_argument("proof", type=Path, help="the file that `prove` wrote")
    erase = add_action(
        actions,
        "erase",
        "destroy a subject's key; proofs stay valid, payloads are unreadable\n\nNothing brings them back.",
        'plimsoll ledger erase claim-4711 --by head@example.org --reason "asked for on 3 May"',
    )
    erase.add_argument("subject", help="the name under which decisions were recorded")
    erase.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
    erase.add_argument("--reason", required=True, help="why; it must not name the subject")
    begin = add_action(
        actions,
        "begin",
        "say that this ledger was begun in place of another\n\nThe witness has seen that one, and no verdict is given"
        " until somebody says why it is gone. It is written into the new ledger and shown on every board; the old notes"
        " are kept, and a new witness file begins.",
        'plimsoll ledger begin --by head@example.org --reason "the disk was lost, no copy is left"',
    )
    begin.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
    begin.add_argument("--reason", required=True, help="why the other one is gone")
    for action in (verify, show, streams, prove, check, erase, begin):
        action.add_argument("--manifest", metavar="FILE", help="default: ./plimsoll.yaml")
        add_project_options(action)


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Do the one thing that is asked."""
    return _ACTIONS[arguments.action](arguments, out)


def _verify(arguments: argparse.Namespace, out: Out) -> int:
    project, store = _store(arguments)
    trust = read_trust_file(arguments.trust)
    keys, pinned = ledger_keys(project, trust, time.time_ns())
    witness = arguments.witness or default_witness(project)
    with progress_for(out) as progress:
        progress.begin("verify", None)
        report = verify_ledger(
            store,
            trusted_keys=keys,
            witness=None if witness is None else FileWitness(witness),
            progress=lambda done, _: progress.tick(done),
        )
        progress.end(f"{report.entries:,} entries in {report.streams:,} streams")
    out.give(
        {"ledger": store.name, "keys": pinned, "witness": None if witness is None else str(witness), "report": report}
    )
    out.note(
        tuple(
            Problem(
                code=f"ledger.{finding.code}",
                message=str(finding),
                where=Where(file=store.name),
                fix=what_to_do(finding),
            )
            for finding in report.findings
        )
    )
    for line in report.lines():
        out.show(line)
    out.show(f"Checkpoint keys: {pinned}")
    for fix in dict.fromkeys(what_to_do(finding) for finding in report.findings):
        out.show(f"To do: {fix}")
    return 0 if report.ok else VerificationFailed.exit_code


def _show(arguments: argparse.Namespace, out: Out) -> int:
    project = open_project(arguments)
    if arguments.id is None:
        listed = newest_entries(project, arguments.newest)
        out.give(listed)
        for entry in listed:
            out.show(f"{entry.id}  {entry.time}  {entry.kind:<20} {entry.type} {entry.disposition}".rstrip())
        return 0
    opened = show_entry(project, arguments.id)
    out.give(opened)
    out.show(msgspec.json.format(msgspec.json.encode(opened), indent=2).decode())
    return 0


def _streams(arguments: argparse.Namespace, out: Out) -> int:
    left = streams_left(open_project(arguments), arguments.newest)
    out.give(left)
    for stream in left.open:
        state = "its process is gone" if stream.is_dead else "late" if stream.is_late else "under way"
        out.show(f"{stream.started}  {moment(stream.time_ns)}  {stream.type}  open: {state}")
    for death in left.died:
        out.show(f"{death.started}  ended by the death of its process, found {death.time}")
    if not left.open and not left.died:
        out.show("Every stream that began has its end on record.")
    return 3 if any(stream.is_dead or stream.is_late for stream in left.open) else 0


def _prove(arguments: argparse.Namespace, out: Out) -> int:
    raw = prove_entry(open_project(arguments), arguments.id, disclose=arguments.disclose)
    file = arguments.out or Path(f"{arguments.id}.proof.json")
    write_bytes(file, raw, "proof")
    out.give({"file": str(file), "bytes": len(raw)})
    out.show(f"Wrote {file}; check it anywhere with `plimsoll ledger check {file} --trust FILE`")
    return 0


def _check(arguments: argparse.Namespace, out: Out) -> int:
    trust = read_trust_file(arguments.trust)
    keys, pinned = ledger_keys(None, trust, time.time_ns())
    if not keys:
        raise UsageError("no ledger key is trusted", fix="give --trust FILE that pins one with 'roles: [ledger]'")
    report = check_proof(read_bytes(arguments.proof, "proof"), keys)
    out.give(report)
    for line in report.lines():
        out.show(line)
    if report.body is not None:
        out.show(report.body.decode("utf-8", "backslashreplace"))
    out.show(f"Checkpoint keys: {pinned}")
    return 0


def _erase(arguments: argparse.Namespace, out: Out) -> int:
    entry = erase_subject(open_project(arguments), arguments.subject, by=arguments.by, reason=arguments.reason)
    out.give({"entry": entry})
    out.show(f"The key is destroyed; recorded as {entry}. Backups made before still hold it.")
    return 0


def _begin(arguments: argparse.Namespace, out: Out) -> int:
    entry, kept = begin_anew(open_project(arguments), by=arguments.by, reason=arguments.reason)
    out.give({"entry": entry, "kept_in": str(kept)})
    out.show(f"Recorded as {entry}. The notes of the other ledger are kept in {kept}: do not delete it.")
    return 0


def _store(arguments: argparse.Namespace) -> tuple[Project | None, Store]:
    """Where the ledger is kept that is meant, and its project where there is one."""
    if arguments.ledger is not None:
        store = store_at(arguments.ledger)
        if not store.exists():
            raise InputError(f"there is no ledger '{store.name}'", fix="mend the path or the address")
        return None, store
    project = open_project(arguments)
    if not project.store.exists():
        expect_none_before(project, arguments.witness)
        raise InputError(f"there is no ledger '{project.store.name}' yet", fix="`plimsoll check` makes one")
    return project, project.store


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 10_000:
        raise argparse.ArgumentTypeError(f"'{text}' is not from 1 to 10000")
    return count


_ACTIONS = {
    "verify": _verify,
    "show": _show,
    "streams": _streams,
    "prove": _prove,
    "check": _check,
    "erase": _erase,
    "begin": _begin,
}
