"""Rows of text files sorted into good and quarantined ones, and written as Parquet.

They go to two temporary files of JSON lines first, so that memory does not grow with them, and from there to Parquet. A
good row is written as it is after the declared coercions. Its columns are those of the contract: texts, dates and times
as the texts that they are, numbers as numbers where the column's type holds each of them exactly, and as text where one
does not; objects, lists and maps as JSON.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from plimsoll.assess.tables.split import FILE, REASONS, ROW, write
from plimsoll.contract.rules import Field, LogicalType
from plimsoll.contract.sql_text import identifier, text
from plimsoll.engine.duckdb import Database
from plimsoll.model.table_check import Split

RAW: Final = "plimsoll_raw"
OTHER: Final = "plimsoll_other"
_MOST_BYTES: Final = 16 << 20  # of a line that is read back: one of 1 MiB, escaped and with its reasons
_EXACT: Final = 1 << 53  # whole numbers up to here are exact as a double
_WHOLE: Final = 1 << 63
_TYPES: Final = {LogicalType.INTEGER: "BIGINT", LogicalType.NUMBER: "DOUBLE", LogicalType.BOOLEAN: "BOOLEAN"}
_NESTED: Final = frozenset({LogicalType.OBJECT, LogicalType.ARRAY, LogicalType.MAP, LogicalType.VECTOR, None})


class Sorter:
    """Takes rows one after another. Use it as a context manager, and call `finish` before its end.

    Args:
        record: the schema object.
    """

    def __init__(self, record: Field) -> None:
        self._record = record
        self._names = {f.name for f in record.fields}
        self._numbers = [f for f in record.fields if f.type in {LogicalType.INTEGER, LogicalType.NUMBER}]
        self._inexact: set[str] = set()  # columns with a number that their type does not hold
        self._has_other = False  # a good row has fields that the contract does not name
        self._counts = {"good": 0, "quarantine": 0}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="plimsoll-split-")
        self._files = {name: (Path(self._folder.name) / name).open("wb") for name in self._counts}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()
        self._folder.cleanup()

    def take(self, value: dict[str, Any], reasons: Sequence[str], file: str, line: int, raw: bytes) -> None:
        """A row that could be read."""
        if reasons:
            self.refuse(reasons, file, line, raw)
            return
        for field in self._numbers:
            number = value.get(field.name)
            if number is not None and not _fits(number, field):
                self._inexact.add(field.name)
        other = value.keys() - self._names
        if other:
            self._has_other = True
            value = {k: v for k, v in value.items() if k in self._names} | {OTHER: {k: value[k] for k in other}}
        self._write("good", value)

    def refuse(self, reasons: Sequence[str], file: str, line: int, raw: bytes, *, rows: int = 1) -> None:
        """A row that breaks something, or could not be read; or several of these that cannot be told apart."""
        kept = base64.b64encode(raw).decode("ascii")
        self._write("quarantine", {REASONS: sorted(reasons), FILE: file, ROW: line, RAW: kept}, rows)

    def finish(self, database: Database, folder: Path) -> Split:
        """Write both files."""
        for file in self._files.values():
            file.close()
        written: list[str] = []
        kept = {REASONS: "VARCHAR[]", FILE: "VARCHAR", ROW: "BIGINT", RAW: "VARCHAR"}
        bad = f"SELECT * REPLACE (from_base64({RAW}) AS {RAW}) FROM {self._source('quarantine', kept)}"
        write(database, bad, folder / "quarantine.parquet", written)
        columns = {field.name: self._type(field) for field in self._record.fields}
        good = f"SELECT * FROM {self._source('good', columns | ({OTHER: 'JSON'} if self._has_other else {}))}"
        write(database, good, folder / "good.parquet", written)
        return Split(good=self._counts["good"], quarantined=self._counts["quarantine"], files=tuple(written))

    def _type(self, field: Field) -> str:
        if field.type in _NESTED:
            return "JSON"
        return "VARCHAR" if field.name in self._inexact or field.type is None else _TYPES.get(field.type, "VARCHAR")

    def _source(self, name: str, columns: dict[str, str]) -> str:
        """SQL of one of the temporary files."""
        typed = ", ".join(f"{identifier(column)}: {text(kind)}" for column, kind in columns.items())
        path = text(str(Path(self._folder.name) / name))
        options = f"format = 'newline_delimited', maximum_object_size = {_MOST_BYTES}"
        return f"read_json({path}, columns = {{{typed}}}, {options})"

    def _write(self, name: str, value: dict[str, Any], rows: int = 1) -> None:
        self._files[name].write(msgspec.json.encode(value) + b"\n")
        self._counts[name] += rows


def _fits(number: float, field: Field) -> bool:
    """Whether the column's type holds a number exactly: a whole one as 64 bits, any other as a double."""
    if field.type is LogicalType.INTEGER:
        return -_WHOLE <= number < _WHOLE
    return isinstance(number, float) or -_EXACT <= number <= _EXACT
