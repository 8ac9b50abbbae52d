"""The organisation's governance page: what it says, and what follows from it for one question.

Example:
  plimsoll govern decide --class personal --to api.example.com --system claims-reader
"""

from __future__ import annotations

import argparse
import time

from plimsoll.assembly.governing import open_governance
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.errors import NotReady
from plimsoll.model.governance import Governance
from plimsoll.model.manifest import Classification
from plimsoll.policy.page import ExceptionState, decide_question, exception_line, list_exceptions, page_text


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll govern` takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do:")
    show = add_action(actions, "show", "the page in plain words, as it is enforced", "plimsoll govern show")
    decide = add_action(
        actions,
        "decide",
        "whether data of a class may go to a destination now, and the rule that decides\n\n"
        "Exit code 0: it may go, as it is or in part. 3: it may not.",
        "plimsoll govern decide --class personal --to api.example.com --system claims-reader",
    )
    exceptions = add_action(
        actions, "exceptions", "what is approved, by whom and until when", "plimsoll govern exceptions"
    )
    exceptions.add_argument("--system", metavar="NAME", help="those of one system alone")
    decide.add_argument(
        "--class",
        dest="data",
        required=True,
        choices=tuple(c.value for c in Classification),
        help="how closely the data must be kept",
    )
    decide.add_argument("--to", metavar="HOST", required=True, help="a host, or a destination of the page by name")
    decide.add_argument("--system", metavar="NAME", required=True, help="whose exceptions count")
    for action in (show, decide, exceptions):
        action.add_argument("file", nargs="?", help="the page, or its folder; default: ./governance.yaml")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Do the one thing that is asked."""
    return _ACTIONS[arguments.action](open_governance(arguments.file), arguments, out)


def _show(page: Governance, _: argparse.Namespace, out: Out) -> int:
    text = page_text(page, now_ns=time.time_ns())
    out.give({"page": page, "text": text})
    out.show(text.rstrip("\n"))
    return 0


def _decide(page: Governance, arguments: argparse.Namespace, out: Out) -> int:
    decided = decide_question(
        page,
        data=Classification(arguments.data),
        to=arguments.to,
        system=arguments.system,
        now_ns=time.time_ns(),
    )
    out.give(decided)
    out.show(f"{'yes' if decided.allowed else 'no'}: {decided.why}")
    out.show(f"rule: {decided.rule}")
    if decided.review:
        out.show(f"a person looks at the answer: {decided.review}")
    out.say(f"{decided.to} is the destination '{decided.place}'; {decided.ask} answers for this question")
    return 0 if decided.allowed else NotReady.exit_code


def _exceptions(page: Governance, arguments: argparse.Namespace, out: Out) -> int:
    listed = [e for e in list_exceptions(page, now_ns=time.time_ns()) if arguments.system in {None, e.system}]
    out.give({"exceptions": listed})
    for state in ExceptionState:
        for each in (e for e in listed if e.state is state):
            out.show(f"{state.value:<8} {exception_line(each)}")
    if not listed:
        out.show("There are none.")
    return 0


_ACTIONS = {"show": _show, "decide": _decide, "exceptions": _exceptions}
