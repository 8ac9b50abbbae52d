"""What a contract costs: tables against one hand-written scan, a split, the first result, single records.

    python benchmarks/contracts.py [--json] [--rows 1000000,5000000] [--rounds 3] [--data DIR]

A table of claims is made with DuckDB; about three rows in a hundred are broken in ten known ways, and every count is held to
what was broken before its time counts. Each contestant is a process of its own, import included; they take turns, and a
ratio is one median of wall time over another of the same run. The floor is one hand-written DuckDB query with the same twelve checks.
Single records are measured by `contract_record.py`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: claims
version: 1.0.0
status: active
schema:
- name: claims
  logicalType: object
  properties:
  - {name: claim_id, logicalType: string, required: true, unique: true, logicalTypeOptions: {pattern: '^CLM-[0-9]{8}$'}}
  - {name: customer_id, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1}}
  - name: product
    logicalType: string
    quality: [{metric: invalidValues, arguments: {validValues: [motor, home, travel, health, pet]}, mustBe: 0}]
  - name: channel
    logicalType: string
    quality: [{metric: invalidValues, arguments: {validValues: [web, app, phone, broker]}, mustBe: 0}]
  - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 250000}}
  - {name: currency, logicalType: string, logicalTypeOptions: {pattern: '^[A-Z]{3}$'}}
  - {name: score, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 1}}
  - {name: priority, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 5}}
  - {name: opened_at, logicalType: timestamp, required: true}
  - {name: note, logicalType: string}
"""
# `k` is a number below 1,000 for each row; those below 30 are broken, three numbers for each of ten ways.
ROWS = """
WITH drawn AS (SELECT i, hash(i, 1) % 1000 AS k, (hash(i, 2) >> 1)::BIGINT AS a, (hash(i, 3) >> 1)::BIGINT AS b,
  (hash(i, 4) >> 1)::BIGINT AS c FROM range({rows}) t(i)),
kinds AS (SELECT *, CASE WHEN k < 30 AND i > 0 THEN k // 3 END AS broken FROM drawn)
SELECT
  CASE WHEN broken = 0 THEN NULL WHEN broken = 1 THEN 'clm/' || i WHEN broken = 2 THEN 'CLM-00000000'
       ELSE 'CLM-' || lpad(i::VARCHAR, 8, '0') END AS claim_id,
  CASE WHEN broken = 3 THEN NULL WHEN broken = 4 THEN -1 - a % 4000000 ELSE 1 + a % 4000000 END AS customer_id,
  CASE WHEN broken = 5 THEN 'MOTOR ' ELSE ['motor', 'home', 'travel', 'health', 'pet'][1 + b % 5] END AS product,
  CASE WHEN broken = 5 THEN 'fax' ELSE ['web', 'app', 'phone', 'broker'][1 + b % 4] END AS channel,
  round((a % 2400000) / 100.0, 2)::DOUBLE + CASE WHEN broken = 6 THEN 1e6 ELSE 0 END AS amount,
  CASE WHEN broken = 7 THEN 'euro' ELSE ['EUR', 'GBP', 'USD'][1 + c % 3] END AS currency,
  (b % 10000) / 10000.0::DOUBLE + CASE WHEN broken = 8 THEN 100 ELSE 0 END AS score,
  CASE WHEN broken = 8 THEN 9 ELSE 1 + c % 5 END AS priority,
  CASE WHEN broken = 9 THEN NULL ELSE TIMESTAMP '2026-01-01' + to_seconds(a % 25920000) END AS opened_at,
  ['water', 'damage', 'kitchen', 'rear', 'bumper', 'delayed', 'flight', 'lost'][1 + a % 8] || ' ' ||
  ['luggage', 'surgery', 'invoice', 'vet', 'storm', 'roof', 'theft', 'phone'][1 + b % 8] || ' ' || (c % 100000) AS note,
  broken
FROM kinds
"""
WAYS = {
    "claim_id.required": 0, "claim_id.pattern": 1, "claim_id.unique": 2, "customer_id.required": 3, "customer_id.minimum": 4,
    "product.enum": 5, "channel.enum": 5, "amount.range": 6, "currency.pattern": 7, "score.range": 8, "priority.range": 8,
    "opened_at.required": 9,
}  # fmt: skip
FLOOR = """SELECT count(*) FILTER (claim_id IS NULL), count(claim_id) - count(DISTINCT claim_id),
 count(*) FILTER (NOT regexp_matches(claim_id, '^CLM-[0-9]{8}$')), count(*) FILTER (customer_id IS NULL),
 count(*) FILTER (customer_id < 1), count(*) FILTER (product NOT IN ('motor', 'home', 'travel', 'health', 'pet')),
 count(*) FILTER (channel NOT IN ('web', 'app', 'phone', 'broker')), count(*) FILTER (amount NOT BETWEEN 0 AND 250000),
 count(*) FILTER (NOT regexp_matches(currency, '^[A-Z]{3}$')), count(*) FILTER (score NOT BETWEEN 0 AND 1),
 count(*) FILTER (priority NOT BETWEEN 1 AND 5), count(*) FILTER (opened_at IS NULL) FROM read_parquet($1)"""
NAMES = ("claim_id.required", "claim_id.unique", "claim_id.pattern", "customer_id.required", "customer_id.minimum", "product.enum",
         "channel.enum", "amount.range", "currency.pattern", "score.range", "priority.range", "opened_at.required")  # fmt: skip


def make(folder: Path, rows: int) -> Path:
    """The table, and how often each check is broken in it."""
    table = folder / f"claims-{rows}.parquet"
    if not table.exists():
        duckdb = importlib.import_module("duckdb")
        with duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder / "spill")}) as c:
            made = f"({ROWS.format(rows=rows)})"
            c.execute(f"COPY (SELECT * EXCLUDE broken FROM {made}) TO '{table}' (FORMAT parquet)")
            broken = dict(
                c.execute(f"SELECT broken, count(*) FROM {made} WHERE broken IS NOT NULL GROUP BY 1").fetchall()
            )
        truth = {name: broken.get(way, 0) for name, way in WAYS.items()}
        (folder / f"truth-{rows}.json").write_text(json.dumps(truth))
    return table


def floor(table: Path) -> None:
    """The hand-written scan, in a process of its own."""
    duckdb = importlib.import_module("duckdb")
    print(
        json.dumps({"checks": dict(zip(NAMES, duckdb.connect().execute(FLOOR, [str(table)]).fetchone(), strict=True))})
    )


def timed(command: Sequence[str]) -> tuple[float, float, dict[str, Any]]:
    """Seconds of wall time, megabytes at the peak, and what the last line says."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - began, used.ru_maxrss / 1024, json.loads(said.strip().splitlines()[-1])


def alternate(
    commands: dict[str, Callable[[], Sequence[str]]], rounds: int, truth: dict[str, int]
) -> dict[str, tuple[float, float]]:
    """Median seconds and highest megabytes of each, in turns; a wrong count ends it."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            took, megabytes, said = timed(command())
            wrong = {k: (said["checks"].get(k, 0), n) for k, n in truth.items() if said["checks"].get(k, 0) != n}
            assert not wrong, f"{name} counts otherwise than what was broken: {wrong}"
            found[name].append((took, megabytes))
    return {name: (statistics.median(t for t, _ in runs), max(m for _, m in runs)) for name, runs in found.items()}


def measure_table(folder: Path, rows: int, rounds: int, *, split: bool) -> dict[str, float]:
    table, contract, out = make(folder, rows), folder / "claims.odcs.yaml", folder / "split"
    contract.write_text(CONTRACT)
    ours = [sys.executable, str(HERE / "contract_table.py"), str(contract), str(table)]

    def to_split() -> list[str]:
        shutil.rmtree(out, ignore_errors=True)
        return [*ours, "--split", str(out)]

    commands: dict[str, Callable[[], Sequence[str]]] = {
        "floor": lambda: [sys.executable, __file__, "--floor", str(table)],
        "ours": lambda: ours,
    }
    if split:
        commands["split"] = to_split
    took = alternate(commands, rounds, json.loads((folder / f"truth-{rows}.json").read_text()))
    shutil.rmtree(out, ignore_errors=True)
    name = f"{rows // 1_000_000}m" if rows >= 1_000_000 else str(rows)
    figures = {f"table_ratio_{name}": took["ours"][0] / took["floor"][0], f"table_s_{name}": took["ours"][0]}
    figures[f"floor_s_{name}"] = took["floor"][0]
    if split:
        figures |= {f"split_ratio_{name}": took["split"][0] / took["floor"][0], "split_rss_mb": took["split"][1]}
    return figures


def measure_first(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds to the result of the whole command on 1,000 rows, import included."""
    table, contract = make(folder, 1_000), folder / "claims.odcs.yaml"
    contract.write_text(CONTRACT)
    command = [
        sys.executable,
        "-m",
        "plimsoll.cli.main",
        "contract",
        "check",
        str(table),
        "--contract",
        str(contract),
        "--json",
    ]
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        ran = subprocess.run(command, capture_output=True, check=False)
        took.append(time.perf_counter() - began)
        assert ran.returncode == 3, ran.stderr.decode()
    return {"first_result_s": statistics.median(took)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", default="1000000,5000000", help="sizes of tables; the largest is split, too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="keep what is made here; default: a folder that is removed")
    parser.add_argument("--floor", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.floor is not None:
        floor(arguments.floor)
        return
    import contract_record  # noqa: PLC0415 - the process of the floor needs none of it
    import health_check  # noqa: PLC0415 - as above

    sizes = [int(size) for size in arguments.rows.split(",")]
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.data or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        figures: dict[str, Any] = {}
        for rows in sizes:
            figures |= measure_table(folder, rows, arguments.rounds, split=rows == max(sizes))
        figures |= measure_first(folder, max(arguments.rounds, 3))
    figures |= contract_record.measure()
    figures["health_check_s"] = health_check.measure()["health_check_s"]
    print(
        json.dumps(figures)
        if arguments.json
        else "\n".join(
            f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
            for name, value in figures.items()
        )
    )


if __name__ == "__main__":
    main()
