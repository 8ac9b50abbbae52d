"""Parquet files as records, read by DuckDB. Needs the extra ``tables``."""

from __future__ import annotations

import base64
import datetime as dt
import glob
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from plimsoll.engine.duckdb import CONFIG, OUTSIDE, driver, said_of
from plimsoll.errors import InputError

_BATCH: Final = (
    2_048  # rows taken at once; a row of a megabyte then needs two gigabytes, one of a kilobyte two megabytes
)


def read_parquet(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows of one or several files as JSON has them; columns come together by name, absent ones are null.

    Points in time are ISO 8601 text, with an offset where the column has a zone; bytes are base64; names in maps are
    text; a number that is not finite is the text that says so, which no number's rule takes.

    Args:
        paths: of the files, at least one.

    Raises:
        MissingExtra: DuckDB is not installed.
        InputError: a file is no Parquet file, or is damaged.
    """
    duckdb = driver("a Parquet file")
    names = [glob.escape(str(path)) for path in paths]
    with duckdb.connect(config=CONFIG) as connection:
        try:
            rows = connection.execute("SELECT * FROM read_parquet(?, union_by_name = true)", [names])
            columns = [column[0] for column in rows.description]
            while batch := rows.fetchmany(_BATCH):
                for row in batch:
                    yield {name: plain(value) for name, value in zip(columns, row, strict=True)}
        except (duckdb.Error, *OUTSIDE) as why:
            said = said_of(why)
            raise InputError(
                f"'{paths[0]}' cannot be read as Parquet: {said}", fix="give a whole Parquet file"
            ) from why


def plain(value: Any) -> Any:
    """A value of a column, as JSON has it.

    >>> plain(Decimal("12.50")), plain(dt.datetime(2026, 1, 2, 3, 4, 5)), plain(b"ab"), plain({1: None})
    (12.5, '2026-01-02T03:04:05', 'YWI=', {'1': None})
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _PLAIN.get(type(value), str)(value)


def _decimal(value: Decimal) -> float:
    whole = value.is_finite() and value == value.to_integral_value()
    return int(value) if whole else float(value)


_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = {
    Decimal: _decimal,
    float: lambda value: value if math.isfinite(value) else str(value),
    bytes: lambda value: base64.b64encode(value).decode("ascii"),
    dt.datetime: lambda value: (value if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat(),
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
}
