"""Printing a verdict: the board as text or data, and its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plimsoll.cli.out import Out
from plimsoll.errors import NoEvidence, Problem
from plimsoll.gate import Styler, board_text, exit_code, plain, rich_styler
from plimsoll.model.board import Board, Outcome, Standing


def show_verdict(out: Out, board: Board, report: Path | None) -> int:
    """Print the board and give the exit code; a draft is never ready, whatever its figures say."""
    out.give({"board": board, "sentence": board.sentence, "report": None if report is None else str(report)})
    out.note(tuple(_problems(board)))
    out.show(board_text(board, width=out.width, style=style_for(out)))
    if report is not None:
        out.say(f"Report: {report}")
    if board.outcome is Outcome.READY and board.draft:
        return NoEvidence.exit_code
    return exit_code(board.outcome)


def style_for(out: Out) -> Styler:
    """Colours where a person looks at a terminal; words and glyphs alone elsewhere."""
    if not out.colour:
        return plain
    from rich.console import Console  # noqa: PLC0415 - imported only where something is coloured

    return rich_styler(Console(force_terminal=True, width=out.width))


def _problems(board: Board) -> Iterator[Problem]:
    """What stands between this release and READY, one problem for each condition: for a pipeline to print."""
    for row in board.rows:
        if row.standing is not Standing.MET:
            said = row.gap or row.needed or row.why
            yield Problem(
                code=f"gate.{row.standing.value.replace(' ', '-')}",
                message=f"{row.condition}: {row.standing.value}" + (f"; {said}" if said else ""),
                fix=row.next,
            )
    if board.draft:
        yield Problem(
            code="gate.draft",
            message="nobody whose key is pinned has signed this threshold",
            fix=f"{board.set_by} signs it: `plimsoll threshold sign --key FILE`; trust.yaml pins the key",
        )
