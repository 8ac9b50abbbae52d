"""Printing a health check: the verdict, the four answers, what to do; and its exit code."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from plimsoll.assess.health.page import steps_of
from plimsoll.cli.board_out import style_for
from plimsoll.cli.out import Out
from plimsoll.errors import NoEvidence, NotReady, Problem
from plimsoll.gate import Styler
from plimsoll.gate.text import QUIET, STRONG
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.health import Answer, HealthCheck, Question

_GLYPH: Final = {Answer.YES: "●", Answer.NO: "✕", Answer.UNCLEAR: "◐"}
_ROLE: Final = {
    Answer.YES: Standing.MET.value, Answer.NO: Standing.NOT_MET.value, Answer.UNCLEAR: Standing.INSUFFICIENT.value,
}  # fmt: skip
_SHOWN: Final = 8  # reasons under a question


def show_health(out: Out, check: HealthCheck, report: Path | None) -> int:
    """Print the check and give the exit code: 0 go, 3 no-go by a no, 4 no-go by what is unclear."""
    out.give({"check": check, "report": None if report is None else str(report)})
    out.note(tuple(_problems(check)))
    out.show("\n".join(_lines(check, out.width, style_for(out))))
    if report is not None:
        out.say(f"Report: {report}")
    if check.go:
        return 0
    return NotReady.exit_code if check.no else NoEvidence.exit_code


def _lines(check: HealthCheck, width: int, style: Styler) -> Iterator[str]:
    verdict, _, why = check.sentence.partition(":")
    role = Outcome.READY.value if check.go else Outcome.NOT_READY.value if check.no else Outcome.CANNOT_SAY.value
    yield from (style(line, role) for line in textwrap.wrap(f"{verdict.upper()}:{why}.", width))
    if check.demonstration:
        yield "DEMONSTRATION: somebody who agreed is played by a script, or the system is a demonstration."
    for number, question in enumerate(check.questions, 1):
        yield ""
        yield from _question(question, number, width, style)
    steps = steps_of(check)
    if steps:
        yield ""
        yield style("What to do next", STRONG)
        for step in steps:
            yield from textwrap.wrap(step.fix, width - 4, initial_indent="  → ", subsequent_indent="    ")
    if not check.system:
        yield ""
        yield style("Nothing was recorded: there is no manifest. --report FILE writes an HTML page.", QUIET)


def _question(question: Question, number: int, width: int, style: Styler) -> Iterator[str]:
    head = f"{number}  {question.asked.value}"
    answer = style(f"{_GLYPH[question.answer]} {question.answer.value}", _ROLE[question.answer])
    yield f"{style(head, STRONG)}  {answer}  {question.said}"
    order = {Answer.NO: 0, Answer.UNCLEAR: 1, Answer.YES: 2}
    reasons = sorted(question.reasons, key=lambda reason: order[reason.answer])
    for reason in reasons[:_SHOWN]:
        first, *rest = textwrap.wrap(_harmless(reason.said), width - 5) or [""]
        yield f"   {style(_GLYPH[reason.answer], _ROLE[reason.answer])} {first}"
        yield from (f"     {line}" for line in rest)
    if len(reasons) > _SHOWN:
        yield f"     … and {len(reasons) - _SHOWN} more; --json lists all of them"


def _problems(check: HealthCheck) -> Iterator[Problem]:
    for question in check.questions:
        for reason in question.reasons:
            if reason.answer is not Answer.YES:
                yield Problem(code=reason.code, message=reason.said, fix=reason.fix)


def _harmless(text: str) -> str:
    """Without what would steer a terminal: names of files and fields are somebody else's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
