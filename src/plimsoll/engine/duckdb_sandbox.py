"""A foreign query over given files, and over nothing else: it can read them, and write and open nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from plimsoll.contract.sql_text import identifier, text
from plimsoll.engine.duckdb import CONFIG, MEMORY_MB, QueryFailed, driver, escaped, said_of

TIMEOUT_S: Final = 60.0  # of one query


class Sandbox:
    """One table under one name, in a database of its own that can do nothing else. Use it as a context manager.

    The files are named before access to anything outside is shut off for good, and the settings are locked. Only one
    statement at a time is taken, and only one that selects.

    Args:
        name: of the table.
        source: SQL of it, after FROM.
        files: that it reads.
    """

    def __init__(self, name: str, source: str, files: Sequence[Path]) -> None:
        self._duckdb = driver("a query of a contract")
        self._name, self._source, self._files = name, source, files

    def __enter__(self) -> Self:
        self._connection = self._duckdb.connect(config={**CONFIG, "memory_limit": f"{MEMORY_MB}MB"})
        # A name with a bracket or a star is asked for as it is escaped, and opened as it is.
        named = dict.fromkeys(name for path in self._files for name in (str(path), escaped(path)))
        try:
            for statement in (
                f"CREATE VIEW {identifier(self._name)} AS SELECT * FROM {self._source}",
                f"SET allowed_paths = [{', '.join(map(text, named))}]",
                "SET enable_external_access = false",
                "SET lock_configuration = true",
            ):
                self._connection.execute(statement)
        except self._duckdb.Error as why:
            self._connection.close()
            raise QueryFailed(said_of(why)) from why
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def number(self, query: str, *, timeout_s: float = TIMEOUT_S) -> float:
        """The one number that a query gives.

        Args:
            query: one statement that selects.
            timeout_s: seconds after which it is ended.

        Raises:
            QueryFailed: it is no such statement, fails, takes too long, or gives no single number.
        """
        watch = threading.Timer(timeout_s, self._connection.interrupt)
        try:
            statements = self._connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != self._duckdb.StatementType.SELECT:
                raise QueryFailed("it is not one statement that selects")
            watch.start()
            rows = self._connection.execute(statements[0]).fetchmany(2)
        except self._duckdb.InterruptException as why:
            raise QueryFailed(f"it took longer than {timeout_s:g} s") from why
        except self._duckdb.Error as why:
            raise QueryFailed(said_of(why)) from why
        finally:
            watch.cancel()
        if len(rows) != 1 or len(rows[0]) != 1:
            raise QueryFailed("it gives no single value")
        return _number(rows[0][0])


def _number(value: Any) -> float:
    if isinstance(value, bool) or value is None:
        raise QueryFailed("it gives no number")
    try:
        return value if isinstance(value, int) else float(value)
    except (TypeError, ValueError) as why:
        raise QueryFailed("it gives no number") from why
