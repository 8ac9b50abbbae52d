"""The line: what it says, who set it, the setter's signature, how it was moved, and the setter's exceptions to it.

Examples:
  plimsoll threshold sign --key coo.key
  plimsoll threshold history --trust trust.yaml
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plimsoll.assembly.excepting import DAYS, except_release
from plimsoll.assembly.project import Project
from plimsoll.assembly.record import moment as rfc_3339
from plimsoll.assembly.signed_lines import Past, told_history
from plimsoll.assembly.signing import sign_threshold, threshold_history
from plimsoll.attest import LONGEST_DAYS, read_private
from plimsoll.attest.moments import DAY_NS, end_of_day
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.project_options import add_project, open_project
from plimsoll.errors import UsageError
from plimsoll.gate import moment
from plimsoll.gate.figures import plural


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll threshold` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    show = add_action(
        actions, "show", "the conditions, and whether they are signed", "plimsoll threshold show plimsoll.yaml"
    )
    add_project(show)
    past = add_action(
        actions,
        "history",
        "every line that was signed: who, when, what was tightened or loosened, and from when that counts\n\n"
        "What is tightened counts at once. What is loosened counts when the cooling-off of the line before is over, "
        "from the first witnessed checkpoint that holds the signature. Without --trust no signature is checked, and "
        "only those count that a verdict of this record has counted.",
        "plimsoll threshold history --trust trust.yaml",
    )
    add_project(past)
    sign = add_action(
        actions,
        "sign",
        "sign the threshold as the person who sets it\n\n"
        "It counts where trust.yaml pins this key for that contact with the role setter.",
        "plimsoll threshold sign --key coo.key",
    )
    add_project(sign)
    aside = add_action(
        actions,
        "except",
        "let the release that lies here go live, for a while, without the conditions that it does not meet now\n\n"
        "The one way round a verdict. The setter alone can sign it. It names this release and these conditions, is "
        "shown on every board until it ends, and is what `plimsoll rollout promote --exception` takes.",
        'plimsoll threshold except --key coo.key --trust trust.yaml --until 2026-12-02 --reason "why"',
    )
    add_project(aside)
    aside.add_argument("--key", metavar="FILE", type=Path, required=True, help="the setter's private key")
    aside.add_argument("--reason", required=True, help="why, for everyone who looks at a board meanwhile")
    aside.add_argument(
        "--until",
        metavar="DAY",
        help=f"its last day, UTC; at most {LONGEST_DAYS} days from now; default: {DAYS} days from now",
    )
    sign.add_argument("--key", metavar="FILE", type=Path, required=True, help="the setter's private key")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Show, sign, or tell the history."""
    project = open_project(arguments)
    threshold = project.manifest.threshold
    if arguments.action == "sign":
        entry = sign_threshold(project, read_private(arguments.key))
        out.give({"entry": entry, "threshold": threshold.digest, "set_by": threshold.set_by})
        out.show(f"Signed as {threshold.set_by}: {threshold.digest}")
        out.say("It counts where trust.yaml pins this key for that contact with the role setter.")
        return 0
    if arguments.action == "except":
        return _except(project, arguments, out)
    if arguments.action == "history":
        return _history(project, arguments.trust, out)
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


def _except(project: Project, arguments: argparse.Namespace, out: Out) -> int:
    now_ns = time.time_ns()
    try:
        until_ns = now_ns + DAYS * DAY_NS if arguments.until is None else end_of_day(arguments.until)
    except ValueError as why:
        raise UsageError(f"'{arguments.until}' is no day: {why}", fix="write one such as 2026-12-02") from why
    made = except_release(
        project,
        read_private(arguments.key),
        trust_file=arguments.trust,
        reason=arguments.reason,
        until_ns=until_ns,
    )
    out.give({"entry": made.entry, "release": made.release, "conditions": made.conditions, "until": rfc_3339(until_ns)})
    out.show(made.entry)
    out.say(f"Until {moment(until_ns)}, {made.release} may go live without: {'; '.join(made.conditions)}")
    out.say(f"plimsoll rollout promote {made.release} --exception {made.entry} --by CONTACT")
    return 0


def _history(project: Project, trust: Path | None, out: Out) -> int:
    past = told_history(project, trust, now_ns=time.time_ns())
    out.give({"system": project.manifest.system, "lines": [_data(line) for line in past]})
    signed = plural(sum(bool(line.entry) for line in past), "signature")
    out.show(f"Threshold of {project.manifest.system}: {signed}, oldest first")
    for line in past:
        for text in _lines(line):
            out.show(f"  {text}")
    return 0


def _lines(line: Past) -> Iterator[str]:
    """One line of the history, for a person."""
    when = "not signed" if line.signed_ns is None else f"signed {moment(line.signed_ns)}"
    current = "as the manifest holds it" if line.current else ""
    yield ", ".join(filter(None, [when, f"set by {line.set_by}", line.threshold[:19], current]))
    if line.why:
        yield f"  does not count: {line.why}"
        return
    if line.first:
        yield "  the first: it counts at once" if line.entry else "    a DRAFT, which nothing can pass"
        return
    for change in line.changes:
        was, now = change.was or "nothing", change.now or "nothing"
        named = "" if change.what in f"{was} {now}" else f"{change.what} "
        when = _from(line) if change.looser else "at once"
        yield f"  {'loosened' if change.looser else 'tightened'}: {named}{was} to {now}, {when}"
    if not line.changes:
        yield "  changes nothing"
    if line.entry:
        held = "no witness holds it yet" if line.witnessed_ns is None else f"witnessed {moment(line.witnessed_ns)}"
        yield f"  {held}"


def _from(line: Past) -> str:
    if line.counts_from_ns is not None:
        return f"from {moment(line.counts_from_ns)} on"
    return "once a witness holds it, and has for the cooling-off" if line.entry else "once somebody signs it"


def _data(line: Past) -> dict[str, Any]:
    """One line of the history, for a program."""
    moments = {"signed_at": line.signed_ns, "witnessed_at": line.witnessed_ns, "counts_from": line.counts_from_ns}
    return {
        "entry": line.entry,
        "set_by": line.set_by,
        "threshold": line.threshold,
        "current": line.current,
        "why": line.why,
        "first": line.first,
        **{name: None if not ns else rfc_3339(ns) for name, ns in moments.items()},
        "changes": line.changes,
    }
