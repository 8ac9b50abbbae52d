"""Problems as a terminal shows them: those of a file that a person writes come with the line and a caret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from plimsoll.errors import Problem
from plimsoll.model.problem_text import format_problems

# Files that declare something. Lines of a sample are not shown: they can hold what is personal.
_SHOWN: Final = frozenset({".yaml", ".yml"})
_MOST_BYTES: Final = 4 << 20  # what the readers take; a larger file is not read for the sake of a line
_MOST: Final = 200  # problems printed; --json lists all of them


def problems_text(problems: Sequence[Problem]) -> str:
    """The problems as text, each with its place, the line where there is one, and what to do."""
    shown = problems[:_MOST]
    blocks = [_of_file(file, group) for file, group in groupby(shown, key=_file_of)]
    if len(problems) > _MOST:
        blocks.append(f"… and {len(problems) - _MOST:,} more; --json lists all of them")
    if len(problems) > 1:
        blocks.append(f"plimsoll: {len(problems):,} problems")
    return "\n\n".join(blocks)


def _of_file(file: str, problems: Iterable[Problem]) -> str:
    text = format_problems(tuple(problems), _text(file))
    return text if file else f"plimsoll: {text}"


def _file_of(problem: Problem) -> str:
    """The file a problem points into; "" when it has no place."""
    return problem.where.file if problem.where is not None else ""


def _text(file: str) -> str | None:
    """The file's text, read again; None when it is not to be shown, or cannot be."""
    path = Path(file)
    if path.suffix not in _SHOWN:
        return None
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):  # gone, or not UTF-8
        return None
