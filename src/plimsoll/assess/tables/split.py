"""Good rows and quarantined rows, each to a Parquet file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from plimsoll.assess.tables.marks import Marks, Part
from plimsoll.contract.sql_text import text
from plimsoll.engine.duckdb import Database
from plimsoll.errors import InputError, UsageError
from plimsoll.model.table_check import Split

# Texts that hardly repeat need no dictionary, and are written faster without; version 2 has encodings for them.
_HOW: Final = "FORMAT parquet, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 2000"
REASONS: Final = "plimsoll_reasons"
FILE: Final = "plimsoll_file"
ROW: Final = "plimsoll_row"


def prepare(folder: Path) -> None:
    """Make the folder that a split is written to.

    Raises:
        UsageError: something is in it already; nothing is ever overwritten.
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"the folder '{folder}' is not empty", fix="give one that is not there yet")
    except OSError as why:
        raise InputError(f"the folder '{folder}' cannot be made: {why.strerror}", fix="give another one") from why


def split_parts(database: Database, marks: Marks, parts: Sequence[Part], folder: Path) -> Split:
    """Write every row to one of two files; files with other columns than the first ones go to further pairs.

    A quarantined row has all its columns as they came, and three more: `REASONS`, and the file and row it comes from.

    Args:
        database: open.
        marks: of all parts.
        parts: of the check.
        folder: empty.

    Raises:
        UsageError: a column has a name that places need.
        QueryFailed: a file cannot be read, or the folder not be written to.
    """
    good = quarantined = 0
    written: list[str] = []
    for part in parts:
        if not part.knows_places or {REASONS, FILE, ROW} & part.columns.keys():
            taken = ", ".join(
                sorted({"filename", "file_index", "file_row_number", REASONS, FILE, ROW} & part.columns.keys())
            )
            raise UsageError(f"a column is named {taken}, which a split needs for places", fix="rename the column")
        table = marks.join(part)
        ending = "" if part.number == 0 else f"-{part.number + 1}"
        bad = (
            f"SELECT t.*, m.reasons AS {REASONS}, filename AS {FILE}, file_row_number + 1 AS {ROW} "
            f"FROM {part.source} t JOIN {table} m ON {part.place} = m.place"
        )
        quarantined += write(database, bad, folder / f"quarantine{ending}.parquet", written)
        kept = f"SELECT * FROM {part.source} WHERE {part.place} NOT IN (SELECT place FROM {table})"
        good += write(database, kept, folder / f"good{ending}.parquet", written)
    return Split(good=good, quarantined=quarantined, files=tuple(written))


def write(database: Database, query: str, path: Path, written: list[str]) -> int:
    """Write a query's rows to Parquet and give how many; the file has its name when it is whole."""
    part = path.with_suffix(".part")
    rows = int(database.row(f"COPY ({query}) TO {text(str(part))} ({_HOW})")[0])
    part.rename(path)
    written.append(str(path))
    return rows
