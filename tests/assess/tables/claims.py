"""A contract of claims, and tables for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from plimsoll.assess.tables.check import check_files
from plimsoll.contract import read_contract_bytes
from plimsoll.engine.duckdb import Database

NOW_S = 1767571200.0  # 2026-01-05T00:00:00Z
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
  - {name: id, logicalType: string, required: true, unique: true, logicalTypeOptions: {pattern: '^C-[0-9]+$'}}
  - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 1000}}
  - {name: email, logicalType: string, classification: confidential, logicalTypeOptions: {format: email}}
  - {name: day, logicalType: date}
"""


def contract(more="", text=CONTRACT):
    return read_contract_bytes((text + more).encode(), "claims.odcs.yaml")


def write_parquet(path: Path, *rows: str) -> Path:
    """Rows as SQL has them after SELECT."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Database() as database:
        database.run(f"COPY ({' UNION ALL '.join('SELECT ' + row for row in rows)}) TO '{path}' (FORMAT parquet)")
    return path


def row(number, amount="1.5", email="'a@b.org'", day="DATE '2026-01-02'"):
    return f"'C-{number}' AS id, {amount} AS amount, {email} AS email, {day} AS day"


def check(*paths: Path, of=None, **options):
    return check_files(paths, of or contract(), **{"now_s": NOW_S, **options})


def broken(found) -> dict[str, int]:
    """Rows that break each rule that is broken, without the name of the object."""
    return {f"{r.field.partition('.')[2]} {r.rule}": r.failed for r in found.rules if r.holds is False}


def faults(found) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for fault in found.faults:
        counts[fault.code.partition(".")[2]] += fault.count
    return dict(counts)
