"""Ours, in the shape that comparison scripts take: ``factory(fn, directory) -> (wrapped, close, count)``.

Both factories open the guard from a manifest with its real defaults: the contract is checked, the tier is applied,
payloads are encrypted (the data is personal), control entries are followed, every call is recorded. ``wrapped`` returns
the output alone, as the plain function would; ``close`` returns when every record is on the disk; ``count`` reads the
number of decisions from the ledger file itself.
"""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plimsoll import Guard

Hook = tuple[Callable[[Any], Any], Callable[[], None], Callable[[], int]]

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: claim
name: claim
version: 1.0.0
status: active
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: claim_id, logicalType: string, required: true, classification: personal}
      - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, maximum: 10000000}}
      - {name: kind, logicalType: string, required: true, logicalTypeOptions: {pattern: "^(auto|home|travel)$"}}
      - {name: text, logicalType: string, required: true, logicalTypeOptions: {maxLength: 4000}}
"""
MANIFEST = """\
plimsoll: 1
system: bench
purpose: A claim is classified, to measure what the guard costs.
owners:
  business: {{name: Head of Claims, contact: head-of-claims@example.org}}
  technical: {{name: Document AI team, contact: doc-ai@example.org}}
  operations: {{name: Claims operations, contact: claims-ops@example.org}}
  leader: {{name: Chief operating officer, contact: coo@example.org}}
  single: head-of-claims@example.org
may:
  override: [claims-ops@example.org]
  retrain: [doc-ai@example.org]
  decommission: [head-of-claims@example.org]
target:
  python: plain:classify
{target}
decisions:
  classify:
    tier: automatic
    consequence: operational
    recoverable: true
    accountable: head-of-claims@example.org
    review_of_this_entry: every 90 days
data:
  classification: personal
  inputs: [claim.odcs.yaml]
load: {{peak: 50/s, expected: 3000/day}}
durability: {durability}
threshold:
  set_by: coo@example.org
  conditions:
    - stability.latency_p99 <= 500ms
    - contracts.lost_records = 0
    - organisation.accepted = 100%
    - accountability.complete = 100%
"""


def open_guard(
    directory: str, fn: Callable[[Any], Any], *, durability: str, deadline: str = "", ledger: str = ""
) -> Guard:
    """A guard over a fresh ledger in a directory or database; its release covers the function's file."""
    folder = Path(directory)
    (folder / "claim.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    target = f"  path: [{Path(__file__).resolve().parent}]\n  artifacts: [{Path(inspect.getfile(fn)).resolve()}]"
    target += f"\n  deadline: {deadline}" if deadline else ""
    manifest = folder / "plimsoll.yaml"
    text = MANIFEST.format(durability=durability, target=target) + (f"ledger: {ledger}\n" if ledger else "")
    manifest.write_text(text, encoding="utf-8")
    return Guard.open(manifest)


def guard_durable(fn: Callable[[Any], Any], directory: str) -> Hook:
    """Every record is on the disk before its answer leaves."""
    return hook(fn, open_guard(directory, fn, durability="before-answer"))


def guard_batched(fn: Callable[[Any], Any], directory: str) -> Hook:
    """Records are written within the flush window; the queue is bounded."""
    return hook(fn, open_guard(directory, fn, durability="batched"))


def guard_durable_deadline(fn: Callable[[Any], Any], directory: str) -> Hook:
    """As `guard_durable`, with a deadline over the synchronous target."""
    return hook(fn, open_guard(directory, fn, durability="before-answer", deadline="1s"))


def guard_batched_deadline(fn: Callable[[Any], Any], directory: str) -> Hook:
    """As `guard_batched`, with a deadline over the synchronous target."""
    return hook(fn, open_guard(directory, fn, durability="batched", deadline="1s"))


def hook(fn: Callable[[Any], Any], guard: Guard) -> Hook:
    """A function under a guard that is open already."""
    guarded = guard.decision("classify")(fn)

    def wrapped(claim: Any) -> Any:
        return guarded(claim).output

    return wrapped, guard.ledger.flush, lambda: stored(guard.ledger.path)


def stored(ledger: Path) -> int:
    """How many decisions are in the file, read by a connection of its own."""
    connection = sqlite3.connect(ledger)
    try:
        row = connection.execute("SELECT count(*) FROM entries WHERE kind = 'decision'").fetchone()
    finally:
        connection.close()
    return int(row[0])
