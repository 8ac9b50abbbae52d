"""Problems as a person reads them: place, message, the line with a caret, what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from plimsoll.errors import Problem
from plimsoll.model.yaml_source import LINE_BREAK

_WIDTH: Final = 100  # columns of an offending line that are shown; a longer one is cut around the caret
_BEFORE: Final = 60  # of these, how many stand before the caret at most

# Of these the line is not shown: what stands there may be a secret, and a terminal's lines end up in logs.
_UNSHOWN: Final = frozenset({"manifest.secret", "manifest.variable"})


def format_problems(problems: Sequence[Problem], source_text: str | None = None) -> str:
    """The problems as text for a terminal, without colour, one after the other.

    Args:
        problems: in the order in which they are to be read.
        source_text: the file they were found in; None: no lines are shown.

    >>> from plimsoll.errors import Where
    >>> where = Where(file="plimsoll.yaml", line=1, column=1)
    >>> unknown = Problem(code="c", message="'teir' is not a key", where=where, fix="did you mean 'tier'?")
    >>> print(format_problems([unknown], "teir: reviewed"))
    plimsoll.yaml:1:1: 'teir' is not a key
      1 | teir: reviewed
        | ^
        fix: did you mean 'tier'?
    """
    lines = LINE_BREAK.split(source_text) if source_text is not None else []
    return "\n\n".join(_block(problem, lines) for problem in problems)


def _block(problem: Problem, lines: Sequence[str]) -> str:
    place = f"{problem.where}: " if problem.where else ""
    number = problem.where.line if problem.where else 0
    margin = len(str(number)) if 0 < number <= len(lines) and problem.code not in _UNSHOWN else 0
    rows = [f"{place}{problem.message}"]
    if margin:
        column = problem.where.column if problem.where else 0
        shown, caret = _excerpt(lines[number - 1], column)
        rows.append(f"  {number} | {shown}".rstrip())
        if column:
            rows.append(f"  {' ' * margin} | {' ' * caret}^")
    if problem.fix:
        rows.append(f"  {' ' * margin} fix: {problem.fix}" if margin else f"    fix: {problem.fix}")
    return "\n".join(rows)


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """What is shown of a line, and in which terminal column the caret stands below it, from 0."""
    at = max(column - 1, 0)
    start = max(at - _BEFORE, 0) if len(line) > _WIDTH else 0
    shown = line[start : start + _WIDTH]
    before = ("…" if start else "") + shown[: at - start]
    after = shown[at - start :] + ("…" if start + _WIDTH < len(line) else "")
    return _visible(before + after), sum(map(_columns, _visible(before)))


def _visible(text: str) -> str:
    """The text without what would move a terminal's cursor or change its colour."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "·" for c in text)


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
