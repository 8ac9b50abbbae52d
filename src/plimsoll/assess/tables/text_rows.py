"""The rows of text files, whatever is wrong with their bytes: JSON Lines, JSON, CSV, plain or compressed.

Every line is either a row or told with its place and why it is none; nothing is raised, and nothing is mended.
Memory is bounded by the longest row that is read (`MAX_BYTES`), and by `MOST_DOCUMENT` for a file that is one value.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.assess.health.forms import Form, tell_form
from plimsoll.assess.health.raw_lines import HEAD, Hears, RawFile
from plimsoll.contract.cells import read_cells
from plimsoll.contract.parse import MAX_BYTES, MAX_DEPTH, parse_record
from plimsoll.contract.rules import Field

MOST_DOCUMENT: Final = 64 << 20  # bytes of one JSON value, which has to be in memory as a whole
_NO_BUDGET: Final = 1 << 62  # bytes of a file that are read: all of them
_SPACE: Final = b" \t\r\n"
_LOOKED_AT: Final = 4  # lines of a file that decide whether it is a record a line
LINE_FAULTS: Final = {
    "size": ("too-long", f"a line is longer than {MAX_BYTES:,} bytes"),
    "utf-8": ("not-utf-8", "a line is not UTF-8"),
    "bom": ("bom-inside", "a line begins with a byte order mark"),
    "duplicate-key": ("duplicate-key", "a record has two values of one name"),
    "finite": ("not-finite", "a record holds NaN, Infinity, or a number that nothing holds exactly"),
    "nesting": ("nesting", f"a record nests more than {MAX_DEPTH} lists and objects"),
    "json": ("no-json", "a line is no whole JSON value"),
}


class TextRow(msgspec.Struct, frozen=True):
    """One row."""

    line: int  # in its file; of a list in JSON, which of its items it is
    value: dict[str, Any]


def rows_of(path: Path, record: Field, hear: Hears) -> Iterator[TextRow]:
    """The rows of one file; what is none is told as a fault with its place.

    Args:
        path: the file.
        record: the schema object, which says what the cells of a CSV file are.
        hear: is told of faults; those of single lines with their line.
    """
    with RawFile(path, _NO_BUDGET, hear) as file:
        told = tell_form(file.head, whole=len(file.head) < HEAD // 4)
        if told.form is Form.CSV and _is_json(file.head):
            yield from _json_lines(file, hear)  # short JSON lines with many commas
        elif told.form is Form.CSV:
            yield from _csv(file, told.delimiter, record, hear)
        elif told.form is Form.JSON:
            yield from _json(file, hear)
        elif told.form is Form.JSON_LINES or _is_json(file.head):
            yield from _json_lines(file, hear)
        elif told.form is Form.EMPTY and not file.head.strip(b" \t\r\n\x00"):
            hear("empty", "the file is empty", file.name)
        else:
            hear("foreign", told.said + (f": {told.fix}" if told.fix else ""), file.name)


def _is_json(head: bytes) -> bool:
    """Whether some of the first lines begin as objects do: one cut line must not make a file another format."""
    lines = [line for line in head[:4096].replace(b"\r", b"\n").split(b"\n") if line.strip(_SPACE)]
    return any(line.lstrip().startswith(b"{") for line in lines[:_LOOKED_AT])


# -- JSON


def _json_lines(file: RawFile, hear: Hears) -> Iterator[TextRow]:
    for line in file.lines(MAX_BYTES):
        if line.too_long:
            _refuse("size", f"{file.name}:{line.number}", hear)
        elif line.raw.strip(_SPACE):
            value = record_in(line.raw, f"{file.name}:{line.number}", hear)
            if value is not None:
                yield TextRow(line.number, value)


def record_in(raw: bytes, where: str, hear: Hears) -> dict[str, Any] | None:
    """The record that bytes are; None when they are none, and why is told."""
    parsed = parse_record(raw)
    if parsed.reasons:
        _refuse("nul" if b"\x00" in raw else parsed.reasons[0].rule, where, hear)
    elif type(parsed.value) is not dict:
        hear("no-object", "a line is a value, and no object", where)
    else:
        return parsed.value
    return None


def _refuse(rule: str, where: str, hear: Hears) -> None:
    code, said = ("nul", "a line holds NUL bytes") if rule == "nul" else LINE_FAULTS.get(rule, LINE_FAULTS["json"])
    hear(code, said, where)


def _json(file: RawFile, hear: Hears) -> Iterator[TextRow]:
    """A file that is one value: a list of records, or one record."""
    raw = file.whole(MOST_DOCUMENT)
    if raw is None:
        said = f"the file is one JSON value of more than {MOST_DOCUMENT >> 20} MiB: write one record a line"
        hear("too-long", said, file.name)
        return
    parsed = parse_record(raw, max_bytes=MOST_DOCUMENT, max_depth=MAX_DEPTH + 1)
    if parsed.reasons:
        _refuse(parsed.reasons[0].rule, file.name, hear)
        return
    values = parsed.value if isinstance(parsed.value, list) else [parsed.value]
    for number, value in enumerate(values, 1):
        if type(value) is dict:
            yield TextRow(number, value)
        else:
            hear("no-object", "an item of the list is no object", f"{file.name} item {number}")


# -- CSV


def _csv(file: RawFile, delimiter: str, record: Field, hear: Hears) -> Iterator[TextRow]:
    taken: list[int] = []  # numbers of the lines that went into the row
    csv.field_size_limit(MAX_BYTES)
    reader = csv.reader(_texts(file, taken, hear), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    while True:
        taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error:
            said = "a row is no CSV: a quote is opened and not closed, or something follows it"
            hear("csv", said, f"{file.name}:{taken[0] if taken else 1}", count=max(1, len(taken)))
            continue
        if cells is None:
            return
        line = taken[0] if taken else 1
        if names is None:
            names = column_names(cells, lambda said: hear("columns", said, file.name, lost=False))
        elif len(cells) == len(names):
            yield TextRow(line, read_cells(record, dict(zip(names, cells, strict=True))))
        elif cells:
            said = f"a row has {len(cells):,} cells, and there are {len(names):,} columns"
            hear("cells", said, f"{file.name}:{line}")


def column_names(cells: list[str], tell: Callable[[str], None]) -> list[str]:
    """The names of columns; one that is empty or stands twice gets its position, and that is told."""
    made: list[str] = []
    for at, cell in enumerate(cells, 1):
        name = cell.strip()
        if not name or name in made:
            tell(f"column {at} has {'no name' if not name else 'the name of another'}; it is taken as 'column {at}'")
            name = f"column {at}"
        made.append(name)
    return made


def _texts(file: RawFile, taken: list[int], hear: Hears) -> Iterator[str]:
    """Lines as text; one that is none is told, and left out."""
    for line in file.lines(MAX_BYTES):
        where = f"{file.name}:{line.number}"
        if line.too_long:
            _refuse("size", where, hear)
        elif b"\x00" in line.raw:
            _refuse("nul", where, hear)
        else:
            try:
                text = line.raw.decode()
            except UnicodeDecodeError:
                _refuse("utf-8", where, hear)
                continue
            taken.append(line.number)
            yield text + "\n"
