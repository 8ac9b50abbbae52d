"""The rows of text files, whatever is wrong with their bytes: JSON Lines, JSON, CSV, plain or compressed.

Every line is either a row or told with its place and why it is none; nothing is raised, and nothing is mended.
Memory is bounded by the longest row that is read (`MAX_BYTES`), and by `MOST_DOCUMENT` for a file that is one value.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from plimsoll.assess.health.forms import Form, tell_form
from plimsoll.assess.health.raw_lines import HEAD, RawFile
from plimsoll.contract.cells import read_cells
from plimsoll.contract.parse import MAX_BYTES, MAX_DEPTH, parse_record
from plimsoll.contract.rules import Field

MOST_DOCUMENT: Final = 64 << 20  # bytes of one JSON value, which has to be in memory as a whole
_NO_BUDGET: Final = 1 << 62  # bytes of a file that are read: all of them
_SPACE: Final = b" \t\r\n"
_LOOKED_AT: Final = 4  # lines of a file that decide whether it is a record a line
_LINE_FAULTS: Final = {
    "size": ("too-long", f"a line is longer than {MAX_BYTES:,} bytes"),
    "utf-8": ("not-utf-8", "a line is not UTF-8"),
    "bom": ("bom-inside", "a line begins with a byte order mark"),
    "duplicate-key": ("duplicate-key", "a record has two values of one name"),
    "finite": ("not-finite", "a record holds NaN, Infinity, or a number that nothing holds exactly"),
    "nesting": ("nesting", f"a record nests more than {MAX_DEPTH} lists and objects"),
    "nul": ("nul", "a line holds NUL bytes"),
    "json": ("no-json", "a line is no whole JSON value"),
}


class Listener(Protocol):
    """Is told what is wrong with a file."""

    def hear(self, code: str, said: str, where: str, /, *, lost: bool = True, count: int = 1) -> None:
        """Something about the file as a whole."""

    def unread(self, code: str, said: str, file: str, line: int, raw: bytes, /, *, count: int = 1) -> None:
        """A row that is none, with its bytes as far as they were kept; or several that cannot be told apart."""


class TextRow(msgspec.Struct, frozen=True):
    """One row."""

    line: int  # in its file; of a list in JSON, which of its items it is
    value: dict[str, Any]
    raw: bytes  # as it came; of an item of a list, as JSON writes it


def rows_of(path: Path, record: Field, listener: Listener) -> Iterator[TextRow]:
    """The rows of one file; what is none is told with its place.

    Args:
        path: the file.
        record: the schema object, which says what the cells of a CSV file are.
        listener: is told what is wrong.
    """
    with RawFile(path, _NO_BUDGET, listener.hear) as file:
        told = tell_form(file.head, whole=len(file.head) < HEAD // 4)
        if told.form is Form.CSV and not _is_json(file.head):  # short JSON lines with many commas look like it
            yield from _csv(file, told.delimiter, record, listener)
        elif told.form is Form.JSON and not _begins_with_a_line(file.head):
            yield from _json(file, listener)
        elif told.form is Form.JSON_LINES or _is_json(file.head):
            yield from _json_lines(file, listener)
        elif told.form is Form.EMPTY and not file.head.strip(b" \t\r\n\x00"):
            listener.hear("empty", "the file is empty", file.name)
        else:
            listener.hear("foreign", told.said + (f": {told.fix}" if told.fix else ""), file.name)


def _is_json(head: bytes) -> bool:
    """Whether some of the first lines begin as objects do: one cut line must not make a file another format."""
    lines = [line for line in head[:4096].replace(b"\r", b"\n").split(b"\n") if line.strip(_SPACE)]
    return any(line.lstrip().startswith(b"{") for line in lines[:_LOOKED_AT])


def _begins_with_a_line(head: bytes) -> bool:
    """Whether the first line is a record and another follows, or an object that goes on beyond what is looked at."""
    first, _, others = head.lstrip().partition(b"\n")
    if not first.startswith(b"{"):
        return False
    if not others:
        return len(head) >= HEAD // 2
    return bool(others.strip()) and not parse_record(first.strip(_SPACE)).reasons


# -- JSON


def _json_lines(file: RawFile, listener: Listener) -> Iterator[TextRow]:
    for line in file.lines(MAX_BYTES):
        if line.too_long:
            _refuse("size", file.name, line.number, line.raw, listener)
        elif line.raw.strip(_SPACE):
            parsed = parse_record(line.raw)
            if parsed.reasons:
                rule = "nul" if b"\x00" in line.raw else parsed.reasons[0].rule
                _refuse(rule, file.name, line.number, line.raw, listener)
            elif type(parsed.value) is not dict:
                listener.unread("no-object", "a line is a value, and no object", file.name, line.number, line.raw)
            else:
                yield TextRow(line.number, parsed.value, line.raw)


def _refuse(rule: str, file: str, line: int, raw: bytes, listener: Listener) -> None:
    code, said = _LINE_FAULTS.get(rule, _LINE_FAULTS["json"])
    listener.unread(code, said, file, line, raw)


def _json(file: RawFile, listener: Listener) -> Iterator[TextRow]:
    """A file that is one value: a list of records, or one record."""
    raw = file.whole(MOST_DOCUMENT)
    if raw is None:
        said = f"the file is one JSON value of more than {MOST_DOCUMENT >> 20} MiB: write one record a line"
        listener.hear("too-large", said, file.name)
        return
    parsed = parse_record(raw, max_bytes=MOST_DOCUMENT, max_depth=MAX_DEPTH + 1)
    if parsed.reasons:
        _refuse(parsed.reasons[0].rule, file.name, 1, raw, listener)
        return
    values = parsed.value if isinstance(parsed.value, list) else [parsed.value]
    for number, value in enumerate(values, 1):
        if type(value) is dict:
            yield TextRow(number, value, msgspec.json.encode(value))
        else:
            said = "an item of the list is no object"
            listener.unread("no-object", said, file.name, number, msgspec.json.encode(value))


# -- CSV


def _csv(file: RawFile, delimiter: str, record: Field, listener: Listener) -> Iterator[TextRow]:
    taken: list[tuple[int, bytes]] = []  # the lines that went into the row
    csv.field_size_limit(MAX_BYTES)
    lost: list[int] = []  # lines that are no text
    reader = csv.reader(_texts(file, taken, lost, listener), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    rows = 0
    while True:
        taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error:
            said = "a row is no CSV: a quote is opened and not closed, or something follows it"
            line, raw = _place(taken)
            listener.unread("csv", said, file.name, line, raw, count=max(1, len(taken)))
            continue
        if cells is None:
            if not rows and not lost:
                listener.hear("no-rows", "the file has no row below its line of column names", file.name, lost=False)
            return
        rows += names is not None and bool(cells)
        line, raw = _place(taken)
        if names is None:
            names = column_names(cells, lambda said: listener.hear("columns", said, file.name, lost=False))
        elif len(cells) == len(names):
            yield TextRow(line, read_cells(record, dict(zip(names, cells, strict=True))), raw)
        elif cells:
            said = f"a row has {len(cells):,} cells, and there are {len(names):,} columns"
            listener.unread("cells", said, file.name, line, raw)


def _place(taken: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    return taken[0][0] if taken else 1, b"\n".join(raw for _, raw in taken)


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


def _texts(file: RawFile, taken: list[tuple[int, bytes]], lost: list[int], listener: Listener) -> Iterator[str]:
    """Lines as text; one that is none is told, and left out."""
    for line in file.lines(MAX_BYTES):
        rule = "size" if line.too_long else "nul" if b"\x00" in line.raw else ""
        text = ""
        if not rule:
            try:
                text = line.raw.decode()
            except UnicodeDecodeError:
                rule = "utf-8"
        if rule:
            lost[:] = [line.number]
            _refuse(rule, file.name, line.number, line.raw, listener)
        else:
            taken.append((line.number, line.raw))
            yield text + "\n"
