"""Two drivers of PostgreSQL, as a ledger would use them: one group of entries, whole and durable, from a plain thread.

    python benchmarks/postgres_drivers.py [--dir FOLDER_ON_A_REAL_DISK] [--rounds N] [--json]

Groups of 1, 10 and 100 rows into the ledger's table, one transaction each, in alternating rounds; medians, microseconds a
group. psycopg is called as it is; asyncpg from its own event loop ("in its loop") and from a thread that waits for the
loop, which is what group commit by whoever comes first would have to do ("from a thread"). ``packed`` is one INSERT with
one array a column, packed by the ledger; ``arrays`` the same, packed by the driver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
from psycopg import RawCursor

from plimsoll.ledger import Ledger
from plimsoll.ledger.numbering import SHIFT
from plimsoll.ledger.postgres import _DUMPERS
from plimsoll.ledger.postgres_pack import packed
from plimsoll.testing.postgres import TemporaryServer, database_of

BODY = os.urandom(296).hex().encode()
TYPES = ("bigint", "bigint", *["text"] * 6, "smallint", "text", "smallint", "bytea", "bytea")
TABLE = "plimsoll.entries"
INSERT = f"INSERT INTO {TABLE} VALUES ({','.join(f'${n + 1}' for n in range(13))})"
ARRAYS = f"INSERT INTO {TABLE} SELECT * FROM unnest({','.join(f'${n + 1}::{t}[]' for n, t in enumerate(TYPES))})"
COPIED = ("int8", "int8", *["text"] * 6, "int2", "text", "int2", "bytea", "bytea")

Group = list[tuple[Any, ...]]
Way = Callable[[Group], object]


class Rows:
    """Groups of rows that nobody has written yet."""

    def __init__(self) -> None:
        self._next = 7 << SHIFT

    def group(self, count: int) -> Group:
        first, now = self._next, time.time_ns()
        self._next += count
        rest = ("decision", "claims-reader", "", "", "read-amount", "reviewed", 1, "answered", 0)
        return [(first + n, now, *rest, os.urandom(32), BODY) for n in range(count)]


def columns(group: Group) -> list[list[Any]]:
    return [list(column) for column in zip(*group, strict=True)]


def psycopg_ways(url: str) -> dict[str, Way]:
    con = psycopg.connect(url, autocommit=True, cursor_factory=RawCursor)
    con.prepare_threshold = 0
    for kind, dumper in _DUMPERS:
        con.adapters.register_dumper(kind, dumper)
    cursor = con.cursor()

    def copy(group: Group) -> None:
        with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT BINARY)") as into:
            into.set_types(COPIED)
            for row in group:
                into.write_row(row)

    def insert(group: Group) -> None:
        if len(group) == 1:
            cursor.execute(INSERT, group[0])
        else:
            cursor.executemany(INSERT, group)

    return {
        "psycopg, a statement a row": insert,
        "psycopg, arrays": lambda group: cursor.execute(ARRAYS, columns(group)),
        "psycopg, packed": lambda group: cursor.execute(ARRAYS, packed(group)),
        "psycopg, COPY": copy,
    }


def asyncpg_ways(url: str, loop: asyncio.AbstractEventLoop) -> dict[str, Way]:
    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    async def connect() -> Any:
        con = await asyncpg.connect(url)
        return con, await con.prepare(INSERT), await con.prepare(ARRAYS)

    con, insert, arrays = wait(connect())
    ways: dict[str, Callable[[Group], Any]] = {
        "a statement a row": insert.executemany,
        "arrays": lambda group: arrays.fetch(*columns(group)),
        "COPY": lambda group: con.copy_records_to_table("entries", schema_name="plimsoll", records=group),
    }

    async def in_loop(way: Callable[[Group], Any], group: Group) -> float:
        start = time.perf_counter()
        await way(group)
        return time.perf_counter() - start

    found: dict[str, Way] = {}
    for name, way in ways.items():
        found[f"asyncpg, {name}, from a thread"] = lambda group, way=way: wait(way(group))  # type: ignore[misc]
        found[f"asyncpg, {name}, in its loop"] = lambda group, way=way: wait(in_loop(way, group))  # type: ignore[misc]
    return found


def measure(way: Way, rows: Rows, count: int, calls: int) -> float:
    """Microseconds a group."""
    spent = 0.0
    for _ in range(calls):
        group = rows.group(count)
        start = time.perf_counter()
        told = way(group)
        spent += told if isinstance(told, float) else time.perf_counter() - start
    return spent / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="folder on the disk to measure")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    options = parser.parse_args()
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    found: dict[str, dict[str, float]] = {}
    with TemporaryServer.start(
        folder=options.dir, settings=["shared_buffers = '256MB'", "max_wal_size = '2GB'"]
    ) as server:
        url = server.new_database()
        Ledger.open(url).close()
        rows, ways = Rows(), psycopg_ways(url) | asyncpg_ways(url, loop)
        for count, calls in ((1, 200), (10, 100), (100, 40)):
            print(f"groups of {count} …", file=sys.stderr, flush=True)
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for way in ways.values():
                measure(way, rows, count, 20)
            for _ in range(options.rounds):
                for name, way in ways.items():
                    taken[name].append(measure(way, rows, count, calls))
            found[str(count)] = {name: statistics.median(us) for name, us in taken.items()}
        stored = int(server.sql(f"SELECT count(*) FROM {TABLE}", database_of(url)))
    print(f"{stored:,} rows are stored", file=sys.stderr)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{'µs a group of':<44}" + "".join(f"{count:>9}" for count in found))
    for name in ways:
        print(f"{name:<44}" + "".join(f"{figures[name]:>9.0f}" for figures in found.values()))


if __name__ == "__main__":
    main()
