"""What the guard costs around a trivial function, in process, with its real defaults; floor and peers in the same run.

    python benchmarks/guard.py [--json] [--rounds 5] [--calls 2000] [--dir FOLDER_ON_THE_DISK_THAT_COUNTS]

Arms, in alternating rounds; medians over the rounds, microseconds per call on the caller's side:

    bare            the function alone
    sqlite          the floor: the same row into SQLite, WAL, synchronous=FULL, one commit a call, WAL warm
    otel            OpenTelemetry: one span a call, BatchSpanProcessor, exporter that drops (if installed)
    durable         our guard, answer after its record is on the disk; and with a deadline
    durable 64      the same from 64 asyncio callers (and from 64 threads)
    batched         our guard, written within the flush window, queue bounded at 4,096; and with a deadline

``until stored`` adds the time until everything is on the disk, so that waiting records cannot flatter a figure.
``made`` and ``stored`` must be equal: stored is counted in the file itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hooks
from plain import classify

NS = time.perf_counter_ns
CLAIM = {"claim_id": "c-1", "amount": 1234.5, "kind": "auto", "text": "rear bumper damaged in a car park. " * 8}


class Arm:
    """One thing that is measured: opened once, run once a round."""

    def __init__(self, name: str, callers: int = 1) -> None:
        self.name = name
        self.callers = callers
        self.us: list[float] = []
        self.until: list[float] = []
        self.made = 0
        self.stored: Callable[[], int] | None = None

    def round(self, calls: int) -> None:
        raise NotImplementedError

    def close(self) -> None: ...


class Calls(Arm):
    """One caller in a loop."""

    def __init__(self, name: str, call: Callable[[Any], Any], flush: Callable[[], object] = lambda: None) -> None:
        super().__init__(name)
        self.call, self.flush = call, flush

    def round(self, calls: int) -> None:
        call = self.call
        began = NS()
        for _ in range(calls):
            call(CLAIM)
        spent = NS() - began
        self.flush()
        self.us.append(spent / calls / 1e3)
        self.until.append((NS() - began) / calls / 1e3)
        self.made += calls


class Floor(Arm):
    """The row that the guard writes, with the same columns and index, committed alone; its WAL is as warm as ours."""

    def __init__(self, folder: Path, row: tuple[Any, ...], schema: str, insert: str) -> None:
        super().__init__("sqlite")
        self.connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(schema)
        self.row, self.insert, self.at = row, insert, 0

    def round(self, calls: int) -> None:
        execute = self.connection.execute
        began = NS()
        for _ in range(calls):
            self.at += 1
            execute("BEGIN IMMEDIATE")
            execute(self.insert, (self.at, *self.row))
            execute("COMMIT")
        self.us.append((NS() - began) / calls / 1e3)
        self.until.append(self.us[-1])

    def close(self) -> None:
        self.connection.close()


class Concurrent(Arm):
    """Many asyncio callers, or many threads, on one guard."""

    def __init__(self, name: str, guard: Any, *, callers: int, threads: bool) -> None:
        super().__init__(name, callers)
        self.guard, self.threads = guard, threads

    def round(self, calls: int) -> None:
        each = max(1, calls // self.callers)
        total = each * self.callers
        spent = self._in_threads(each) if self.threads else asyncio.run(self._in_tasks(each))
        self.us.append(spent / total / 1e3)
        self.until.append(self.us[-1])
        self.made += total

    async def _in_tasks(self, each: int) -> int:
        async def caller() -> None:
            for _ in range(each):
                await self.guard.adecide("classify", CLAIM)

        began = NS()
        await asyncio.gather(*(caller() for _ in range(self.callers)))
        return NS() - began

    def _in_threads(self, each: int) -> int:
        def caller() -> None:
            for _ in range(each):
                self.guard.decide("classify", CLAIM)

        threads = [threading.Thread(target=caller) for _ in range(self.callers)]
        began = NS()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return NS() - began

    def close(self) -> None:
        self.guard.close()


def otel() -> Arm | None:
    try:
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - a peer that need not be there
        from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - as above
            BatchSpanProcessor,
            SpanExporter,
            SpanExportResult,
        )
    except ImportError:
        return None

    class Drop(SpanExporter):
        def export(self, spans: Any) -> Any:  # noqa: ARG002 - the exporter's interface
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Drop()))
    tracer = provider.get_tracer("bench")

    def call(claim: Any) -> Any:
        with tracer.start_as_current_span("decide") as span:
            span.set_attribute("input", json.dumps(claim))
            output = classify(claim)
            span.set_attribute("output", json.dumps(output))
            return output

    arm = Calls("otel batch span", call, provider.force_flush)
    arm.close = provider.shutdown  # type: ignore[method-assign]  # its thread must end with the run
    return arm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout, the table on stderr")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--dir", help="where the files go; default: the temporary folder")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="guard-", dir=options.dir))
    try:
        return measure(options, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def measure(options: argparse.Namespace, scratch: Path) -> int:
    arms: list[Arm] = [Calls("bare", classify)]
    closers: list[Callable[[], None]] = []

    def folder(name: str) -> str:
        made = scratch / name
        made.mkdir()
        return str(made)

    for name, durability, deadline in (
        ("durable", "before-answer", ""),
        ("durable, deadline", "before-answer", "1s"),
        ("batched", "batched", ""),
        ("batched, deadline", "batched", "1s"),
    ):
        guard = hooks.open_guard(folder(name), classify, durability=durability, deadline=deadline)
        call, flush, count = hooks.hook(classify, guard)
        calls = Calls(name, call, flush)
        calls.stored = count
        arms.append(calls)
        closers.append(guard.close)
    for name, threads in (("durable, 64 asyncio callers", False), ("durable, 64 threads", True)):
        place = folder(name)
        guard = hooks.open_guard(place, classify, durability="before-answer")
        concurrent = Concurrent(name, guard, callers=64, threads=threads)
        concurrent.stored = lambda at=guard.ledger.path: hooks.stored(at)
        arms.append(concurrent)
    arms.insert(1, floor_like(Path(scratch / "durable"), scratch, arms[1]))
    peer = otel()
    if peer is not None:
        arms.insert(2, peer)
    for arm in arms:  # warm: WAL files grown to their working size, code paths run
        arm.round(options.calls)
        arm.us.clear()
        arm.until.clear()
    for _ in range(options.rounds):
        for arm in arms:
            arm.round(options.calls)
    for arm in arms:
        arm.close()
    for close in closers:
        close()
    return report(options, {arm.name: arm for arm in arms})


def floor_like(guarded: Path, scratch: Path, durable: Arm) -> Floor:
    """The floor writes the very row that the guard writes: read from the guard's own ledger."""
    durable.round(10)
    durable.us.clear()
    durable.until.clear()
    connection = sqlite3.connect(next(guarded.rglob("ledger.db")))
    try:
        schema = connection.execute("SELECT sql FROM sqlite_master WHERE name='entries'").fetchone()[0]
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
        row = connection.execute("SELECT * FROM entries WHERE kind='decision' ORDER BY 1 DESC").fetchone()
    finally:
        connection.close()
    insert = f"INSERT INTO entries({','.join(columns)}) VALUES({','.join('?' * len(columns))})"
    return Floor(scratch, tuple(row[1:]), schema, insert)


def report(options: argparse.Namespace, arms: dict[str, Arm]) -> int:
    if options.json:
        sys.stdout = sys.stderr
    bare = statistics.median(arms["bare"].us)
    print(f"{options.rounds} alternating rounds of {options.calls} calls; medians, microseconds per call")
    print(f"{'arm':30s} {'caller':>9s} {'added':>9s} {'until stored':>13s}   made / stored")
    made = stored = 0
    for arm in arms.values():
        us, until = statistics.median(arm.us), statistics.median(arm.until)
        kept = "" if arm.stored is None else f"{arm.made} / {arm.stored()}"
        if arm.stored is not None:
            made, stored = made + arm.made, stored + arm.stored()
        print(f"{arm.name:30s} {us:9.2f} {us - bare:9.2f} {until:13.2f}   {kept}")
    ratios = [a / b for a, b in zip(arms["durable"].us, arms["sqlite"].us, strict=True)]
    figures = {
        "batched_us": round(statistics.median(arms["batched"].us), 2),
        "batched_until_stored_us": round(statistics.median(arms["batched"].until), 2),
        "batched_deadline_us": round(statistics.median(arms["batched, deadline"].us), 2),
        "durable_us_1": round(statistics.median(arms["durable"].us), 2),
        "durable_ratio_1": round(statistics.median(ratios), 3),
        "durable_deadline_us_1": round(statistics.median(arms["durable, deadline"].us), 2),
        "durable_us_64": round(statistics.median(arms["durable, 64 asyncio callers"].us), 2),
        "durable_us_64_threads": round(statistics.median(arms["durable, 64 threads"].us), 2),
        "otel_us": round(statistics.median(arms["otel batch span"].us), 2) if "otel batch span" in arms else None,
        "made": made,
        "stored": stored,
    }
    print(f"durable / sqlite, one caller: {figures['durable_ratio_1']} (bar 1.5)")
    if options.json:
        sys.__stdout__.write(json.dumps(figures, indent=1) + "\n")  # type: ignore[union-attr]  # a script has one
    return 0 if made == stored else 1


if __name__ == "__main__":
    sys.exit(main())
