"""Releases: keep one, run it as shadow or canary, promote it, roll back, practise that, list them, add up costs.

Every guard on the ledger obeys within a second; what is in flight ends on the release it began with.

Example:
  plimsoll rollout rollback --by ops@example.org --reason "amounts are ten times too high since noon"
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.checking import check
from plimsoll.assembly.drilling import PROCESSES, ROUNDS, Processes
from plimsoll.assembly.excepting import promote_excepted
from plimsoll.assembly.rolling import beside, build, costs_by_release, drilled, end, promote_release, releases, rollback
from plimsoll.cli.drill_out import drill_text
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.progress import progress_for
from plimsoll.cli.project_options import add_project_options, open_project
from plimsoll.errors import NotReady, UsageError
from plimsoll.model.control import Action
from plimsoll.model.quantity import Quantity, UnitKind
from plimsoll.rollout import Line


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll rollout` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    made = {
        name: add_action(actions, name, said, f"plimsoll rollout {name} {example}")
        for name, said, example in (
            ("build", "keep what lies here now as a release", "--by builder@example.org"),
            ("shadow", "give a release a copy of the traffic; nothing it says leaves", "RELEASE --share 10% --by … "),
            ("canary", "give a release a share of the traffic, compared with live", "RELEASE --share 5% --by …"),
            ("promote", "make a release live, on an attestation for it", "RELEASE --attestation passed.json --by …"),
            ("rollback", "make the release live again that was live before", '--by ops@example.org --reason "why"'),
            ("drill", "practise the rollback of what lies here, in several processes under traffic", "--processes 4"),
            ("end", "end a canary or shadow", 'RELEASE --by ops@example.org --reason "why"'),
            ("list", "the releases, and what was done with each", ""),
            ("costs", "what each release used and cost, by decision type", ""),
        )
    }
    for name in ("shadow", "canary", "promote", "end"):
        made[name].add_argument("release", help="digest of a kept release, sha256:…")
    for name in ("shadow", "canary"):
        made[name].add_argument("--share", default="5%", help="of the traffic; default: 5%%")
    made["canary"].add_argument(
        "--alpha",
        type=float,
        default=0.05,
        metavar="P",
        help="probability with which one that is no worse is taken back all the same; default: 0.05",
    )
    on = made["promote"].add_mutually_exclusive_group(required=True)
    on.add_argument("--attestation", type=Path, metavar="FILE", help="for this release")
    on.add_argument(
        "--exception", metavar="ENTRY", help="in place of one: the setter's, as `plimsoll threshold except` gives it"
    )
    made["promote"].add_argument("--allow-simulated", action="store_true", help="let a demonstration pass")
    made["rollback"].add_argument("--to", default="", metavar="RELEASE", help="default: the one before the live one")
    made["drill"].add_argument(
        "--processes", type=int, default=PROCESSES, metavar="N", help=f"that have to follow; default: {PROCESSES}"
    )
    made["drill"].add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help=f"rollbacks practised; default: {ROUNDS}"
    )
    for name, action in made.items():
        action.add_argument("--manifest", metavar="FILE", help="default: ./plimsoll.yaml")
        add_project_options(action)
        if name not in {"list", "drill", "costs"}:
            action.add_argument("--by", metavar="CONTACT", required=True, help="your contact in the manifest")
        if name in {"rollback", "end"}:
            action.add_argument("--reason", required=True, help="why, for everyone who looks at it later")
        elif name not in {"list", "build", "drill", "costs"}:
            action.add_argument("--reason", default=f"{name} asked for", help="why")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Do it."""
    if arguments.action == "drill":
        return _drill(arguments, out)
    {
        "build": _build,
        "shadow": _beside,
        "canary": _beside,
        "promote": _promote,
        "rollback": _rollback,
        "end": _end,
        "list": _list,
        "costs": _costs,
    }[arguments.action](arguments, out)
    return 0


def _build(arguments: argparse.Namespace, out: Out) -> None:
    kept = build(open_project(arguments), by=arguments.by)
    out.give(kept)
    out.show(kept.release)
    at = f" at commit {kept.commit[:12]}{', with changes in no commit' if kept.changed else ''}" if kept.commit else ""
    out.say(f"Kept as a release{at}. `plimsoll rollout canary` runs it beside the live one.")


def _beside(arguments: argparse.Namespace, out: Out) -> None:
    share, action = _share(arguments.share), Action(arguments.action)
    entry = beside(
        open_project(arguments),
        arguments.release,
        action=action,
        share=share,
        alpha=getattr(arguments, "alpha", 0.05),
        by=arguments.by,
        reason=arguments.reason,
    )
    out.give({"entry": entry, "release": arguments.release, "share": share})
    what = "a copy of" if action is Action.SHADOW else ""
    out.say(f"{arguments.release} gets {what + ' ' if what else ''}{share:.1%} of the traffic.")


def _promote(arguments: argparse.Namespace, out: Out) -> None:
    if arguments.exception is not None:
        _promote_excepted(arguments, out)
        return
    entry = promote_release(
        open_project(arguments),
        arguments.release,
        attestation=arguments.attestation,
        trust_file=arguments.trust,
        by=arguments.by,
        reason=arguments.reason,
        allow_simulated=arguments.allow_simulated,
    )
    out.give({"entry": entry, "release": arguments.release})
    out.say(f"{arguments.release} is live.")


def _promote_excepted(arguments: argparse.Namespace, out: Out) -> None:
    entry = promote_excepted(
        open_project(arguments),
        arguments.release,
        exception=arguments.exception,
        trust_file=arguments.trust,
        by=arguments.by,
        reason=arguments.reason,
        allow_simulated=arguments.allow_simulated,
    )
    out.give({"entry": entry, "release": arguments.release, "exception": arguments.exception})
    out.say(f"{arguments.release} is live on an exception. Every board shows it until it ends, and after.")


def _rollback(arguments: argparse.Namespace, out: Out) -> None:
    entry, release = rollback(open_project(arguments), to=arguments.to, by=arguments.by, reason=arguments.reason)
    out.give({"entry": entry, "release": release})
    out.say(f"{release} is live again.")


def _end(arguments: argparse.Namespace, out: Out) -> None:
    entry = end(open_project(arguments), arguments.release, by=arguments.by, reason=arguments.reason)
    out.give({"entry": entry, "release": arguments.release})
    out.say(f"{arguments.release} runs beside the live release no more.")


def _drill(arguments: argparse.Namespace, out: Out) -> int:
    """Exit code 3: a rollback did not do what it should."""
    project = open_project(arguments)
    held = Processes(count=arguments.processes, rounds=arguments.rounds)
    with progress_for(out) as progress:
        check(project, trust_file=arguments.trust, only=("rollout",), progress=progress, write=False, drill=held)
    found = drilled(project)
    out.give({"passed": found.passed, "said": found.said, "drill": found.detail})
    out.show(drill_text(found.detail))
    out.say(found.said)
    return 0 if found.passed else NotReady.exit_code


def _list(arguments: argparse.Namespace, out: Out) -> None:
    found = releases(open_project(arguments))
    out.give(found)
    for line in found:
        out.show(_line(line))
    if not found:
        out.say("There is no release yet. `plimsoll rollout build --by CONTACT` keeps what lies here now.")


def _costs(arguments: argparse.Namespace, out: Out) -> None:
    found = costs_by_release(open_project(arguments))
    out.give(found)
    for each in found:
        money = ", ".join(each.cost) or "no cost on record"
        share = f" ({', '.join(each.per_answered)} an answer)" if each.cost and each.per_answered else ""
        tokens = f"{each.input_tokens:,} + {each.output_tokens:,} tokens"
        out.show(
            f"{each.release or 'erased'}  {each.type}{'  measured' if each.measured else ''}\n"
            f"    {each.decisions:,} decisions, {each.answered:,} answered, {tokens}, {money}{share}"
        )
    if not found:
        out.say("No decision is recorded yet.")


def _line(line: Line) -> str:
    state = line.state or ("kept" if line.kept else "not kept here")
    share = f" {line.share:.1%}" if line.share else ""
    steps = "".join(f"\n    {s.time}  {s.action} by {s.by}: {s.reason}" for s in line.steps)
    excepted = f"\n    {line.excepted}" if line.excepted else ""
    return f"{line.release}  {state}{share}  built {line.built or 'never here'}{excepted}{steps}"


def _share(text: str) -> float:
    try:
        quantity = Quantity.parse(text)
    except ValueError as why:
        raise UsageError(f"'{text}' is not a share", fix="write one such as 5%") from why
    if quantity.kind is not UnitKind.RATIO:
        raise UsageError(f"'{text}' is a {quantity.kind.value}, not a share", fix="write one such as 5%")
    return quantity.base
