"""What the ledger costs in PostgreSQL: shares of raw inserts, durable calls, the guard, followers, verification.

    python benchmarks/postgres.py [--dir FOLDER_ON_A_REAL_DISK] [--rounds N] [--quick] [--json]

The server is one of its own, on this machine, with PostgreSQL's defaults for what is durable; it is reached by TCP.
Ratios are taken in alternating rounds of one run. The floor is the driver itself: the same columns into a table with
the same indexes, one statement a batch where there is one row, and ``executemany`` (pipelined) or ``COPY`` where there are
more. ``made`` and ``stored`` must be equal: stored is counted in the database itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hooks
from guard import CLAIM
from plain import classify

from plimsoll.ledger import Draft, Entry, Header, Ledger, verify_ledger
from plimsoll.ledger.numbering import SHIFT
from plimsoll.testing.postgres import TemporaryServer, database_of

Figures = dict[str, float]

BODY = os.urandom(296).hex().encode()
HEADER = Header(type="read-amount", tier="reviewed", called=True, disposition="answered")
COLUMNS = "id,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,leaf,body"
INSERT = f"INSERT INTO plimsoll.entries ({COLUMNS}) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)"
TYPES = ("int8", "int8", *["text"] * 6, "int2", "text", "int2", "bytea", "bytea")
RAW = 7 << SHIFT  # the raw rows lie where no stream of the ledger is


def draft() -> Draft:
    return Draft(kind="decision", system="claims-reader", body=BODY, header=HEADER)


class Raw:
    """The driver itself, into a database of its own with the same tables."""

    def __init__(self, url: str) -> None:
        Ledger.open(url).close()
        self._con = psycopg.connect(url, autocommit=True)
        self._con.prepare_threshold = 0
        self._cursor = self._con.cursor()
        self._next = RAW

    def _rows(self, count: int) -> list[tuple[Any, ...]]:
        now, first = time.time_ns(), self._next
        self._next += count
        rest = ("decision", "claims-reader", "", "", "read-amount", "reviewed", 1, "answered", 0)
        return [(first + n, now, *rest, os.urandom(32), BODY) for n in range(count)]

    def insert(self, count: int) -> None:
        rows = self._rows(count)
        if count == 1:
            self._cursor.execute(INSERT, rows[0])
        else:
            self._cursor.executemany(INSERT, rows)

    def copy(self, count: int) -> None:
        rows = self._rows(count)
        with self._cursor.copy(f"COPY plimsoll.entries ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(TYPES)
            for row in rows:
                copy.write_row(row)

    def close(self) -> None:
        self._con.close()


def timed(work: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - start


def shares(server: TemporaryServer, rounds: int, scale: float) -> Figures:
    """Append rate as a share of raw inserts and of COPY, at several batch sizes, in short turns of each."""
    found: Figures = {}
    ledger, raw = Ledger.open(server.new_database()), Raw(server.new_database())
    for batch, entries in ((1, 400), (10, 2_000), (100, 10_000), (1000, 20_000)):
        drafts = [draft()] * batch
        arms: list[Callable[[], object]] = [
            lambda drafts=drafts: ledger.transact(drafts),  # type: ignore[misc]
            lambda batch=batch: raw.insert(batch),  # type: ignore[misc]
            lambda batch=batch: raw.copy(batch),  # type: ignore[misc]
        ]
        calls = max(5, int(entries * scale) // batch)
        for arm in arms:
            timed(arm, max(3, calls // 4))
        spent = []
        for _ in range(rounds):
            turn = [0.0, 0.0, 0.0]
            for part in range(5):
                count = calls * (part + 1) // 5 - calls * part // 5
                for at, arm in enumerate(arms):
                    turn[at] += timed(arm, count)
            spent.append(turn)
        found[f"append_share_{batch}"] = statistics.median(raw_s / ours for ours, raw_s, _ in spent)
        found[f"append_share_of_copy_{batch}"] = statistics.median(copy_s / ours for ours, _, copy_s in spent)
        found[f"append_per_s_{batch}"] = statistics.median(calls * batch / ours for ours, _, _ in spent)
        if batch == 1:
            found["durable_us_1"] = statistics.median(ours / calls * 1e6 for ours, _, _ in spent)
            found["durable_ratio_1"] = statistics.median(ours / raw_s for ours, raw_s, _ in spent)
    ledger.close()
    raw.close()
    return found


def callers(server: TemporaryServer, rounds: int, scale: float) -> Figures:
    """Many callers of one process, and what a second and a fourth writing process add."""
    url = server.new_database()
    entry, calls = draft(), max(5, int(100 * scale))
    found: Figures = {}
    with Ledger.open(url) as ledger:

        async def many(how_many: int) -> float:
            async def caller() -> None:
                for _ in range(calls):
                    await ledger.aappend(entry)

            start = time.perf_counter()
            await asyncio.gather(*[caller() for _ in range(how_many)])
            return (time.perf_counter() - start) / (how_many * calls) * 1e6

        asyncio.run(many(64))
        found["durable_us_64_asyncio"] = statistics.median(asyncio.run(many(64)) for _ in range(rounds))
        found["durable_us_16_asyncio"] = statistics.median(asyncio.run(many(16)) for _ in range(rounds))
    for count in (1, 2, 4):
        found[f"append_per_s_of_{count}_processes"] = statistics.median(
            side_by_side(url, count, max(50, int(400 * scale))) for _ in range(rounds)
        )
    return found


def side_by_side(url: str, count: int, calls: int) -> float:
    """Entries a second of so many processes, each of which writes one after the other, durably."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(count + 1), context.Barrier(count + 1)
    workers = [context.Process(target=_write, args=(url, calls, ready, go)) for _ in range(count)]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.perf_counter()
    go.wait()
    spent = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return count * calls / spent


def _write(url: str, calls: int, ready: Any, done: Any) -> None:
    with Ledger.open(url) as ledger:
        entry = draft()
        ledger.append(entry)
        ready.wait()
        timed(lambda: ledger.append(entry), calls)
        done.wait()


def guarded(server: TemporaryServer, rounds: int, scale: float) -> Figures:
    """The guard with its defaults, durable before the answer, beside a bare insert of one row; one caller and many."""
    url, raw = server.new_database(), Raw(server.new_database())
    calls = max(20, int(300 * scale))
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        guard = hooks.open_guard(folder, classify, durability="before-answer", ledger=url)
        call, _, _ = hooks.hook(classify, guard)
        ours, floor, many = [], [], []

        async def all_at_once(each: int) -> float:
            async def caller() -> None:
                for _ in range(each):
                    await guard.adecide("classify", CLAIM)

            start = time.perf_counter()
            await asyncio.gather(*[caller() for _ in range(64)])
            return (time.perf_counter() - start) / (64 * each) * 1e6

        timed(lambda: call(CLAIM), calls)
        timed(lambda: raw.insert(1), calls)
        asyncio.run(all_at_once(5))
        made = calls + 64 * 5
        for _ in range(rounds):
            ours.append(timed(lambda: call(CLAIM), calls) / calls * 1e6)
            floor.append(timed(lambda: raw.insert(1), calls) / calls * 1e6)
            many.append(asyncio.run(all_at_once(10)))
            made += calls + 64 * 10
        guard.close()
    raw.close()
    stored = int(server.sql("SELECT count(*) FROM plimsoll.entries WHERE kind='decision'", database_of(url)))
    return {
        "guard_durable_us_1": statistics.median(ours),
        "guard_durable_ratio_1": statistics.median(mine / bare for mine, bare in zip(ours, floor, strict=True)),
        "guard_durable_us_64": statistics.median(many),
        "made": float(made),
        "stored": float(stored),
    }


def following(server: TemporaryServer, scale: float) -> Figures:
    """From before an entry is appended by one process's ledger until a follower of another has it, milliseconds."""
    url, count = server.new_database(), max(50, int(300 * scale))
    lags: list[float] = []
    arrived = threading.Event()
    began = 0.0

    def seen(_: Entry) -> None:
        lags.append((time.perf_counter() - began) * 1e3)
        arrived.set()

    with Ledger.open(url) as writer, Ledger.open(url) as reader:
        follower = reader.follow(["control"], seen, every_s=5)  # too seldom to matter
        time.sleep(0.5)
        for n in range(count):
            arrived.clear()
            began = time.perf_counter()
            writer.append(Draft(kind="control", body=b"%d" % n))
            if not arrived.wait(10):
                raise SystemExit("an entry was not followed")
        follower.close()
    return {"follow_ms": statistics.median(lags), "follow_ms_max": max(lags)}


def verification(server: TemporaryServer, scale: float) -> Figures:
    """Whole entries recomputed a second."""
    url = server.new_database()
    with Ledger.open(url) as ledger:
        for _ in range(max(10, int(100 * scale))):
            ledger.transact([draft()] * 1000)
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        report = verify_ledger(url)
        rates.append(report.entries / (time.perf_counter() - start))
        if not report.ok:
            raise SystemExit(f"the ledger does not verify: {report.findings[0]}")
    return {"verify_per_s": statistics.median(rates)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="folder on the disk to measure")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a small run, three rounds")
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    options = parser.parse_args()
    rounds, scale = (3, 0.2) if options.quick else (options.rounds, 1.0)
    figures: Figures = {}
    with TemporaryServer.start(
        folder=options.dir, settings=["shared_buffers = '256MB'", "max_wal_size = '2GB'"]
    ) as server:
        arms: list[tuple[str, Callable[[], Figures]]] = [
            ("shares of raw inserts", lambda: shares(server, rounds, scale)),
            ("many callers, several processes", lambda: callers(server, min(rounds, 5), scale)),
            ("the guard", lambda: guarded(server, rounds, scale)),
            ("followers", lambda: following(server, scale)),
            ("verification", lambda: verification(server, scale)),
        ]
        for name, arm in arms:
            print(f"{name} …", file=sys.stderr, flush=True)
            figures |= arm()
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:<32}{value:>14,.3f}")
    return 0 if figures["made"] == figures["stored"] else 1


if __name__ == "__main__":
    sys.exit(main())
