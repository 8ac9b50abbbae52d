"""Tables asked by SQL, in this process: the one place that knows DuckDB. Needs the extra ``tables``."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from plimsoll.contract.columns import Column
from plimsoll.contract.sql_text import text
from plimsoll.errors import InputError, MissingExtra

MEMORY_MB: Final = 640  # of the database; what is above goes to a folder beside it. All in all it stays under 1 GB
_BATCH: Final = 2_048  # rows taken at once
# Nothing is fetched from anywhere: what reads these files is in the package.
CONFIG: Final = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
# What the driver raises of its own where a damaged file gives it bytes for a text.
OUTSIDE: Final = (RuntimeError, UnicodeDecodeError)
# Kinds of errors whose words can hold a value of the data.
_OF_FILES: Final = ("Parquet", "No magic bytes", "decompression failure")  # in what says nothing of values
_WITH_VALUES: Final = ("ConversionException", "InvalidInputException", "OutOfRangeException", "ConstraintException")


def driver(what: str) -> Any:
    """DuckDB's own module.

    Args:
        what: needs it, for the message: "a Parquet file".

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module("duckdb")
    except ImportError as why:
        raise MissingExtra("tables", what) from why


class QueryFailed(InputError):
    """A query, or the file under it, could not be read to its end."""


class Database:
    """One database in memory, that spills to a folder of its own. Use it as a context manager."""

    def __init__(self, *, memory_mb: int = MEMORY_MB) -> None:
        """Open it.

        Raises:
            MissingExtra: DuckDB is not installed.
        """
        self._duckdb = driver("a check of tables")
        self._spill: tempfile.TemporaryDirectory[str] | None = None
        self._memory_mb = memory_mb

    def __enter__(self) -> Self:
        self._spill = tempfile.TemporaryDirectory(prefix="plimsoll-tables-")
        config = {**CONFIG, "memory_limit": f"{self._memory_mb}MB", "temp_directory": self._spill.name}
        self._connection = self._duckdb.connect(config=config)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        if self._spill is not None:
            self._spill.cleanup()

    def columns(self, source: str) -> dict[str, Column]:
        """The columns of a table, by name.

        Args:
            source: SQL, as it stands after FROM.

        Raises:
            QueryFailed: it cannot be read.
        """
        try:
            found = self._connection.sql(f"SELECT * FROM {source}")
            return {name: _column(kind) for name, kind in zip(found.columns, found.types, strict=True)}
        except (self._duckdb.Error, *OUTSIDE) as why:
            raise QueryFailed(said_of(why)) from why

    def run(self, sql: str, *values: Any) -> None:
        """Run a statement.

        Args:
            sql: the statement.
            values: of its ``$1``, ``$2``, …

        Raises:
            QueryFailed: it failed.
        """
        try:
            self._connection.execute(sql, values or None)
        except (self._duckdb.Error, *OUTSIDE) as why:
            raise QueryFailed(said_of(why)) from why

    def row(self, sql: str, *values: Any) -> tuple[Any, ...]:
        """The first row that a query gives."""
        return next(iter(self.rows(sql, *values)))

    def rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, taken some at a time.

        Args:
            sql: the query.
            values: of its ``$1``, ``$2``, …

        Raises:
            QueryFailed: the query is off, or what it reads is damaged.
        """
        try:
            found = self._connection.execute(sql, values or None)
            while batch := found.fetchmany(_BATCH):
                yield from batch
        except (self._duckdb.Error, *OUTSIDE) as why:
            raise QueryFailed(said_of(why)) from why


def said_of(why: Exception) -> str:
    """What an error of the database says, without a value of the data in it.

    Raises:
        KeyboardInterrupt: somebody asked the command to stop, which the driver tells as an error of its own.
    """
    said, kind = str(why).partition("\n")[0], type(why).__name__
    if kind == "InterruptException" or (isinstance(why, RuntimeError) and "interrupt" in said.casefold()):
        raise KeyboardInterrupt from why
    if isinstance(why, OUTSIDE):
        return "a name or a value in it is no text"
    if kind in _WITH_VALUES and not any(word in said for word in _OF_FILES):
        return f"{kind}, told without the values that stand there"
    return said


def parquet(paths: Sequence[Path], partitions: Mapping[str, str] | None = None) -> str:
    """Parquet files as SQL after FROM; columns come together by name.

    Args:
        paths: at least one.
        partitions: SQL types of the columns that the folders' names give; None: folders mean nothing.
    """
    options = "union_by_name = true"
    if partitions is not None:
        types = ", ".join(f"{text(name)}: {kind}" for name, kind in partitions.items())
        options += f", hive_partitioning = true, hive_types = {{{types}}}" if types else ", hive_partitioning = true"
    else:
        options += ", hive_partitioning = false"
    return f"read_parquet([{', '.join(text(escaped(path)) for path in paths)}], {options})"


def escaped(path: Path) -> str:
    """A path without a character that means several files.

    >>> escaped(Path("a[1]*.parquet"))
    'a[[]1][*].parquet'
    """
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def _column(kind: Any) -> Column:
    word = str(kind.id)
    if word == "decimal":
        sizes = dict(kind.children)
        return Column(kind=word, precision=sizes["precision"], scale=sizes["scale"])
    if word == "struct":
        return Column(kind=word, fields={name: _column(below) for name, below in kind.children})
    return Column(kind=word)
