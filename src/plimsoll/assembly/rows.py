"""Files of records, whatever they are written in: JSON, JSON Lines, CSV, and with the extra ``tables`` Parquet.

A line that is no record is told with its number and the others are read on. Nothing is changed on the way: a cell of a
CSV file stays text, and whoever asks for the rows says what its columns are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.contract.parse import parse_record
from plimsoll.engine.parquet import read_parquet
from plimsoll.errors import InputError

_MOST_BYTES: Final = (
    256 << 20
)  # of a file that must be read whole: one JSON value, or CSV; a larger one needs a database
_MOST_FIELD: Final = 1 << 20  # characters of one cell
_BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = (",", ";", "\t", "|")
_TABLES: Final = frozenset({".csv", ".tsv"})
_PARQUET: Final = frozenset({".parquet", ".pq"})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record, or why there is none."""

    line: int  # in its file, from 1; of Parquet and of a list in JSON, which record it is
    value: Any = None
    why: str = ""  # not empty: it is no record


def is_table(path: Path) -> bool:
    """Whether every value in a file is text, as in CSV."""
    return path.suffix.casefold() in _TABLES


def read_rows(path: Path) -> Iterator[Row]:
    """The records of a file, one after another, in the form that its name says; JSON otherwise.

    Raises:
        InputError: it cannot be read, or is nothing of the kind.
        MissingExtra: it is Parquet, and what reads it is not installed.
    """
    suffix = path.suffix.casefold()
    try:
        if suffix in _PARQUET:
            if not path.is_file():
                raise InputError(f"there is no file '{path}'", fix="mend the path")
            for number, value in enumerate(read_parquet([path]), 1):
                yield Row(line=number, value=value)
        elif suffix in _TABLES:
            yield from _csv(path)
        else:
            yield from _json(path)
    except OSError as why:
        raise InputError(f"'{path}' cannot be read: {why.strerror}", fix="mend the path") from why


# -- JSON


def _json(path: Path) -> Iterator[Row]:
    """One value a line where the first line is a whole record; otherwise one value, or a list of them, in all.

    What is neither is read line by line, so that each broken line is told.
    """
    with path.open("rb") as lines:
        first = next((line for line in lines if line.strip(b" \t\r\n\xef\xbb\xbf")), b"")
    first = first.removeprefix(_BOM).strip()
    if not first:
        raise InputError(f"'{path}' is empty", fix="give one JSON value, a list of them, or one a line")
    parsed = parse_record(first, max_bytes=_MOST_BYTES)
    if not isinstance(parsed.value, dict) and path.stat().st_size <= _MOST_BYTES:
        whole = parse_record(path.read_bytes().removeprefix(_BOM), max_bytes=_MOST_BYTES)
        if not whole.reasons:
            values = whole.value if isinstance(whole.value, list) else [whole.value]
            yield from (_record(number, value) for number, value in enumerate(values, 1))
            return
    yield from _json_lines(path)


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            text = (line.removeprefix(_BOM) if number == 1 else line).strip(b" \t\r\n")
            if not text:
                continue
            parsed = parse_record(text)
            if parsed.reasons:
                yield Row(line=number, why=f"{parsed.reasons[0].expected} is asked for: {parsed.reasons[0].found}")
            else:
                yield _record(number, parsed.value)


def _record(number: int, value: Any) -> Row:
    if isinstance(value, dict):
        return Row(line=number, value=value)
    return Row(line=number, why=f"a record is an object, and this is {type(value).__name__}")


def _whole(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise InputError(
            f"'{path}' has {size:,} bytes; at most {_MOST_BYTES:,} are read as one value", fix="give one record a line"
        )
    return path.read_bytes()


# -- CSV


def _csv(path: Path) -> Iterator[Row]:
    try:
        text = _whole(path).decode("utf-8-sig")
    except UnicodeDecodeError as why:
        said = f"the byte 0x{why.object[why.start]:02x} at {why.start:,} is not UTF-8"
        raise InputError(f"'{path}': {said}", fix="save it as UTF-8") from why
    if not text.strip():
        raise InputError(f"'{path}' is empty", fix="give a CSV file with a line of column names")
    header = text.splitlines()[0]
    delimiter = max(_DELIMITERS, key=header.count) if any(d in header for d in _DELIMITERS) else ","
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = _columns(path, reader)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as why:
            yield Row(line=line, why=f"no row of CSV: {why}")
            continue
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(columns):
            yield Row(line=line, why=f"{len(cells)} cells, and there are {len(columns)} columns")
        else:
            yield Row(line=line, value=dict(zip(columns, cells, strict=True)))


def _columns(path: Path, reader: Any) -> list[str]:
    try:
        columns = [name.strip() for name in next(reader)]
    except csv.Error as why:
        raise InputError(f"'{path}' has no line of column names: {why}", fix="give a CSV file") from why
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None or "" in columns:
        said = f"the column '{twice}' stands twice" if twice else "a column has no name"
        raise InputError(f"'{path}': {said}", fix="give each column a name of its own, in the first line")
    return columns
