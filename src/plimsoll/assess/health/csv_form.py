"""Whether lines of text are a table, and what parts its columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final

import msgspec

DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_NAME: Final = 80  # characters of a column's name; longer ones are sentences
_KEPT: Final = 0.8  # share of the lines that have as many columns as the first


class CsvForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is written."""

    delimiter: str
    names: list[str]


def csv_form_of(lines: Sequence[str]) -> CsvForm | None:
    """How a table is written; None: the lines are no table with a row of names on top.

    Args:
        lines: the first ones of the file, none of them blank.

    >>> csv_form_of(["id;amount", "1;2,5", "2;3,5"]).delimiter
    ';'
    >>> csv_form_of(["The records come daily, by mail.", "They are, mostly, complete."]) is None
    True
    """
    best: tuple[float, int, CsvForm] | None = None
    for delimiter in DELIMITERS:
        rows = [_cells(line, delimiter) for line in lines]
        width = len(rows[0]) if rows else 0
        if width < 2 or not _are_names(rows[0]):
            continue
        fit = max(
            sum(len(row) == width for row in each) / len(each) for each in (rows, _whole(lines, delimiter)) if each
        )
        if fit >= _KEPT and (best is None or (fit, width) > best[:2]):
            best = (fit, width, CsvForm(delimiter=delimiter, names=rows[0]))
    return best[2] if best is not None else None


def _whole(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Rows whose quoted cells may hold line ends; none where no line has a quote, or hardly one ends."""
    if not any('"' in line for line in lines):
        return []
    try:
        rows = list(csv.reader([line + "\n" for line in lines], delimiter=delimiter))
    except csv.Error:
        return []
    return rows if len(rows) * 4 > len(lines) else []


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _are_names(cells: Sequence[str]) -> bool:
    """Whether a first row names columns: short, not empty, none twice, and not all of them figures."""
    plain = [cell.strip() for cell in cells]
    full = [cell for cell in plain if cell]
    if len(full) < len(plain) - 1 or any(len(cell) > _LONGEST_NAME for cell in full):  # an index may be without a name
        return False
    if any(cell.endswith(".") and " " in cell for cell in full):
        return False
    return sum(_is_figure(cell) for cell in full) * 2 < len(full) or len(full) == 0


def _is_figure(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
