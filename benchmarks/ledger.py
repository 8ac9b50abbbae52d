"""What the ledger costs: shares of raw SQLite, durable calls, verification, proofs, growth.

    python benchmarks/ledger.py [--dir FOLDER_ON_A_REAL_DISK] [--size ENTRIES] [--rounds N] [--quick] [--json]

Ratios are taken in alternating rounds of one run, both sides into files with the same columns and indexes and a log that
has been written over once before; the median of the rounds' ratios is reported. ``trend`` compares the share of raw
inserts in the last quarter of ``--size`` entries with that in the first quarter; ``trend_of_rate`` does so for the rate
itself, which falls with the disk's, and ``proof_trend`` for the time of an inclusion proof.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plimsoll.ledger import Draft, Header, Ledger
from plimsoll.ledger.merkle import inclusion_proof
from plimsoll.ledger.numbering import SHIFT
from plimsoll.ledger.verify import verify_ledger

Figures = dict[str, float]

BODY = os.urandom(296).hex().encode()  # 592 bytes, as the prototypes' figures were taken with
HEADER = Header(type="read-amount", tier="reviewed", called=True, disposition="answered")
INSERT = "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
ROW = ("decision", "claims-reader", "", "", "read-amount", "reviewed", 1, "answered", 0, os.urandom(32), BODY)
NUMBER = 2  # of the first stream behind the root stream
LOG = 9_000_000  # bytes written first, so that the log has been filled and begun anew once


def draft() -> Draft:
    return Draft(kind="decision", system="claims-reader", body=BODY, header=HEADER)


@contextmanager
def scratch(folder: str | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="ledger-bench-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place)


class Raw:
    """SQLite itself: the same table and indexes, in a file of its own."""

    def __init__(self, path: Path) -> None:
        Ledger.open(path).close()
        self._con = sqlite3.connect(path, isolation_level=None)
        self._con.execute("PRAGMA synchronous=FULL")
        self._con.execute("PRAGMA cache_size=-16384")
        self._next = 2 << SHIFT

    def write(self, count: int) -> None:
        now = time.time_ns()
        rows = [(self._next + n, now, *ROW) for n in range(count)]
        self._con.execute("BEGIN IMMEDIATE")
        if count == 1:
            self._con.execute(INSERT, rows[0])
        else:
            self._con.executemany(INSERT, rows)
        self._con.execute("COMMIT")
        self._next += count

    def close(self) -> None:
        self._con.close()


def timed(work: Callable[[], object], times: int) -> float:
    """Seconds for so many calls."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - start


def shares(place: Path, rounds: int, scale: float) -> Figures:
    """Append rate as a share of raw inserts, at several batch sizes; `transact` against one transaction."""
    found: Figures = {}
    for batch, entries in ((1, 300), (10, 2_000), (100, 20_000), (1000, 50_000)):
        calls = max(10, int(entries * scale) // batch)
        ratios, rates = [], []
        for _ in range(rounds):
            ours, theirs = side_by_side(place, batch, calls)
            ratios.append(theirs / ours)
            rates.append(calls * batch / ours)
        found[f"append_share_{batch}"] = statistics.median(ratios)
        found[f"append_per_s_{batch}"] = statistics.median(rates)
    return found


def side_by_side(place: Path, batch: int, calls: int) -> tuple[float, float]:
    """Seconds for so many batches, ours and raw, in short turns, so that a busy moment of the machine hits both."""
    drafts = [draft() for _ in range(batch)]
    ledger, raw = Ledger.open(place / "ours"), Raw(place / "raw")
    warm = LOG // (len(BODY) * batch + 3500) + 1
    timed(lambda: ledger.transact(drafts), warm)
    timed(lambda: raw.write(batch), warm)
    ours = theirs = 0.0
    for turn in range(5):
        share = calls * (turn + 1) // 5 - calls * turn // 5
        ours += timed(lambda: ledger.transact(drafts), share)
        theirs += timed(lambda: raw.write(batch), share)
    ledger.close()
    raw.close()
    for file in place.iterdir():
        file.unlink()
    return ours, theirs


def durable(place: Path, rounds: int, scale: float) -> Figures:
    """Durable calls: one caller against a bare commit of the same row; many callers; enqueued."""
    ledger, raw = Ledger.open(place / "ours"), Raw(place / "raw")
    entry = draft()
    timed(lambda: ledger.append(entry), 1200)
    timed(lambda: raw.write(1), 1200)
    count = int(400 * scale)
    ratios, ours = [], []
    for _ in range(rounds * 3):
        mine = timed(lambda: ledger.append(entry), count)
        ratios.append(mine / timed(lambda: raw.write(1), count))
        ours.append(mine / count * 1e6)
    found = {"durable_ratio_1": statistics.median(ratios), "durable_us_1": statistics.median(ours)}

    async def callers(how_many: int, calls: int) -> float:
        async def caller() -> None:
            for _ in range(calls):
                await ledger.aappend(entry)

        start = time.perf_counter()
        await asyncio.gather(*[caller() for _ in range(how_many)])
        return (time.perf_counter() - start) / (how_many * calls) * 1e6

    def threads(how_many: int, calls: int) -> float:
        workers = [
            threading.Thread(target=lambda: [ledger.append(entry) for _ in range(calls)]) for _ in range(how_many)
        ]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return (time.perf_counter() - start) / (how_many * calls) * 1e6

    calls = int(200 * scale)
    found["durable_us_64_asyncio"] = statistics.median(asyncio.run(callers(64, calls)) for _ in range(rounds))
    found["durable_us_16_asyncio"] = statistics.median(asyncio.run(callers(16, calls)) for _ in range(rounds))
    found["durable_us_64_threads"] = statistics.median(threads(64, calls // 4) for _ in range(rounds))
    enqueued, total = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        enqueued.append(timed(lambda: ledger.enqueue(entry), 20_000) / 20_000 * 1e6)
        ledger.flush()
        total.append((time.perf_counter() - start) / 20_000 * 1e6)
    found["enqueue_us_saturated"] = statistics.median(enqueued)
    found["enqueue_us_with_flush"] = statistics.median(total)
    pauses = []
    for _ in range(300):  # what a caller sees who does not outrun the disk
        pauses.append(timed(lambda: ledger.enqueue(entry), 10) / 10 * 1e6)
        time.sleep(0.001)
    found["enqueue_us"] = statistics.median(pauses)
    ledger.close()
    raw.close()
    return found


def sealed(place: Path, rounds: int, scale: float) -> Figures:
    """Batches of 100 sealed entries: of few subjects, and of a new subject each."""
    found: Figures = {}
    with Ledger.open(place / "sealed") as ledger:
        fresh = 0
        for name, subjects in (("few", 50), ("new", 0)):
            rates = []
            for _ in range(rounds):
                batches = []
                for _ in range(int(100 * scale)):
                    batch = []
                    for n in range(100):
                        fresh += 1
                        subject = f"person-{n % subjects}" if subjects else f"person-{random.getrandbits(64)}"
                        batch.append(
                            Draft(
                                kind="decision", body=BODY, header=HEADER, subject=subject, seal=True, system="claims"
                            )
                        )
                    batches.append(batch)
                start = time.perf_counter()
                for batch in batches:
                    ledger.transact(batch)
                rates.append(len(batches) * 100 / (time.perf_counter() - start))
            found[f"sealed_per_s_{name}_subjects"] = statistics.median(rates)
    return found


def growth(place: Path, size: int, talk: Callable[[str], None]) -> Figures:
    """Append ``size`` decisions in hundreds beside raw SQLite; proofs on the way, verification and bytes at the end."""
    path, steps = place / "grown", 40
    calls = size // steps // 100
    chance, drafts = random.Random(1), [draft() for _ in range(100)]
    rates, ratios, proofs = [], [], []
    ledger, raw = Ledger.open(path), Raw(place / "raw")
    for step in range(steps):
        ours = theirs = 0.0
        for turn in range(5):
            share = calls * (turn + 1) // 5 - calls * turn // 5
            ours += timed(lambda: ledger.transact(drafts), share)
            theirs += timed(lambda: raw.write(100), share)
        rates.append(calls * 100 / ours)
        ratios.append(theirs / ours)
        reached = (step + 1) * calls * 100
        proofs.append(proof_us(ledger.reader.nodes(NUMBER), reached, chance, 150))
        if step % 4 == 3:
            talk(f"  {reached:>9,} entries: {rates[-1]:>9,.0f}/s, {ratios[-1]:.2f} of raw, proof {proofs[-1]:.0f} µs")
    ledger.close()
    raw.close()
    (place / "raw").unlink()
    quarter = steps // 4
    found = {
        "entries": float(reached),
        "append_per_s": statistics.median(rates),
        "trend": statistics.median(ratios[-quarter:]) / statistics.median(ratios[:quarter]),
        "trend_of_rate": statistics.median(rates[-quarter:]) / statistics.median(rates[:quarter]),
        "proof_trend": statistics.median(proofs[-quarter:]) / statistics.median(proofs[:quarter]),
        "bytes_per_decision": path.stat().st_size / reached,
        "bytes_of_body": float(len(BODY)),
    }
    return found | reading(path, reached, chance)


def reading(path: Path, size: int, chance: random.Random) -> Figures:
    """Proofs, look-ups by id and verification of a ledger that nobody writes to."""
    with Ledger.open(path, read_only=True) as ledger:
        inclusion = proof_us(ledger.reader.nodes(NUMBER), size, chance, 1000)
        stream = ledger.reader.id_of(NUMBER)
        looked = []
        for _ in range(1000):
            wanted = f"{stream}-{chance.randrange(size)}"
            start = time.perf_counter()
            ledger.get(wanted)
            looked.append(time.perf_counter() - start)
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        report = verify_ledger(path)
        rates.append(report.entries / (time.perf_counter() - start))
        if not report.ok:
            raise SystemExit(f"the ledger does not verify: {report.findings[0]}")
    return {
        "inclusion_us": inclusion,
        "get_us": statistics.median(looked) * 1e6,
        "verify_per_s": statistics.median(rates),
    }


def proof_us(reader: Any, size: int, chance: random.Random, count: int) -> float:
    """Median time of one inclusion proof of a random entry."""
    taken = []
    for _ in range(count):
        index = chance.randrange(size)
        start = time.perf_counter()
        inclusion_proof(reader, index, size)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


BARS = {
    "append_share_100": (">=", 0.6),
    "durable_ratio_1": ("<=", 1.2),
    "durable_us_64_asyncio": ("<=", 15.0),
    "verify_per_s": (">=", 300_000.0),
    "inclusion_us": ("<=", 100.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="folder on the disk to measure (default: the temporary folder)")
    parser.add_argument("--size", type=int, help="entries for growth, proofs and verification (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a small run: 100,000 entries, three rounds")
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    scale = 0.3 if options.quick else 1.0
    size = options.size or (100_000 if options.quick else 1_000_000)

    def talk(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    figures: Figures = {}
    arms: list[tuple[str, Callable[[Path], Figures]]] = [
        ("shares of raw inserts", lambda place: shares(place, rounds, scale)),
        ("durable calls", lambda place: durable(place, rounds, scale)),
        ("sealed entries", lambda place: sealed(place, rounds, scale)),
        (f"growth to {size:,} entries", lambda place: growth(place, size, talk)),
    ]
    for name, arm in arms:
        talk(f"{name} …")
        with scratch(options.dir) as place:
            figures |= arm(place)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        sign, bar = BARS.get(name, ("", 0.0))
        wanted = f"   (wanted {sign} {bar:,g})" if sign else ""
        print(f"{name:<32}{value:>14,.3f}{wanted}")


if __name__ == "__main__":
    main()
