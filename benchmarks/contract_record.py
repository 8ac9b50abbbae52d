"""The guard's own check of single records, all reasons told, against bare parsing of the same bytes.

    python benchmarks/contract_record.py [--json] [--records 20000] [--rounds 7]

A generated claims feed in JSON Lines, 3% of it malformed in ten ways. Arms, in alternating rounds; medians over rounds:

    orjson          the floor: `orjson.loads` alone, broken lines caught (needs `pip install orjson`)
    jsonschema-rs   `orjson.loads` and the bare library with the same rules: no reason is told, and two values of one
                    name in an object, half characters and depth pass it by
    check           any JSON reader (msgspec) and our check: declared coercions, every rule, every reason
    guard           what a record goes through in the guard before any target is asked: the bytes are read strictly
                    (duplicate keys, half characters, depth, size), declared coercions, every rule, every reason
    unchecked       our strict reading alone, without a contract

``record_check_ratio`` is `check` to the floor, like for like with what the library alone does; ``record_ratio`` is all that
the guard does, to the floor.

Each arm reads its lines from the same file. The figure is the quotient of medians. What the guard refuses is counted against what was made malformed: a fast check
that misses one fails the run.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

from plimsoll.contract import Checker, compile_contract, read_contract
from plimsoll.guard.intake import take_in

NS = time.perf_counter_ns
BAR = 2.3
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: claims
name: claims
version: 1.0.0
status: active
schema:
  - name: claims
    logicalType: object
    properties:
      - {name: claim_id, logicalType: string, required: true, logicalTypeOptions: {pattern: '^CLM-[0-9]{8}$'}}
      - {name: customer_id, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1}}
      - name: product
        logicalType: string
        quality:
          - {metric: invalidValues, arguments: {validValues: [motor, home, travel, health, pet]}, mustBe: 0}
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
WORDS = ("water", "damage", "kitchen", "rear", "bumper", "delayed", "flight", "lost", "luggage", "surgery", "invoice")


def measure(records: int = 20_000, rounds: int = 7) -> dict[str, Any]:
    """Run the arms.

    Args:
        records: lines of the feed, at least 1,000.
        rounds: alternating rounds, at least 1; one more, before them, is not counted.

    Returns:
        ``record_ratio``, ``record_check_ratio`` and ``record_library_ratio`` (None without orjson), the microseconds per
        record of each arm, and whether every malformed record was refused and no other (``record_exact``).
    """
    lines, broken = feed(records)
    checker = compile_contract(read_contract(CONTRACT, "claims.odcs.yaml"))
    arms: dict[str, Callable[[Path], int]] = {
        "guard": lambda path: _guard(checker, path),
        "check": lambda path: _check(checker, path),
        "unchecked": _unchecked,
    }
    try:
        import orjson  # noqa: PLC0415 - the floor, which need not be there
    except ImportError:
        pass
    else:
        bare = jsonschema_rs.validator_for({**checker.schema, "properties": _bare(checker.schema["properties"])})
        arms["orjson"] = lambda path: _floor(orjson.loads, path)
        arms["jsonschema-rs"] = lambda path: _library(orjson.loads, bare.is_valid, path)
    us: dict[str, list[float]] = {name: [] for name in arms}
    refused: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        for number in range(rounds + 1):
            for name, arm in arms.items():
                began = NS()
                found = arm(path)
                if number:
                    us[name].append((NS() - began) / 1e3 / records)
                refused[name] = found
    median = {name: statistics.median(each) for name, each in us.items()}
    floor = median.get("orjson")
    return {
        "record_ratio": None if floor is None else round(median["guard"] / floor, 3),
        "record_check_ratio": None if floor is None else round(median["check"] / floor, 3),
        "record_library_ratio": None if floor is None else round(median["jsonschema-rs"] / floor, 3),
        "record_us": round(median["guard"], 2),
        "record_check_us": round(median["check"], 2),
        "record_unchecked_us": round(median["unchecked"], 2),
        "record_orjson_us": None if floor is None else round(floor, 2),
        "record_exact": refused["guard"] == refused["check"] == broken,
        "records": records,
        "records_malformed": broken,
    }


def _bare(properties: dict[str, Any]) -> dict[str, Any]:
    """The rules without formats of ours, which the bare library does not know."""
    return {**properties, "opened_at": {"type": "string"}}


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        yield from opened


def _floor(loads: Callable[[bytes], Any], path: Path) -> int:
    bad = 0
    for line in _lines(path):
        try:
            loads(line)
        except ValueError:
            bad += 1
    return bad


def _library(loads: Callable[[bytes], Any], is_valid: Callable[[Any], bool], path: Path) -> int:
    bad = 0
    for line in _lines(path):
        try:
            bad += not is_valid(loads(line))
        except ValueError:
            bad += 1
    return bad


def _guard(checker: Checker, path: Path) -> int:
    bad, check = 0, checker.check
    for line in _lines(path):
        intake = take_in(line)
        if intake.reasons or check(intake.value).reasons:
            bad += 1
    return bad


def _check(checker: Checker, path: Path) -> int:
    bad, check, decode = 0, checker.check, msgspec.json.Decoder().decode
    for line in _lines(path):
        try:
            value = decode(line)
        except msgspec.MsgspecError:
            bad += 1
        else:
            if check(value).reasons:
                bad += 1
    return bad


def _unchecked(path: Path) -> int:
    return sum(bool(take_in(line).reasons) for line in _lines(path))


def feed(records: int, seed: int = 7) -> tuple[list[bytes], int]:
    """Lines of JSON, and how many of them are malformed."""
    draw = random.Random(seed)
    lines, broken = [], 0
    for i in range(records):
        claim: dict[str, Any] = {
            "claim_id": f"CLM-{i:08d}",
            "customer_id": draw.randint(1, 4_000_000),
            "product": draw.choice(("motor", "home", "travel", "health", "pet")),
            "channel": draw.choice(("web", "app", "phone", "broker")),
            "amount": round(draw.gammavariate(2.0, 900.0), 2),
            "currency": draw.choice(("EUR", "GBP", "USD")),
            "score": round(draw.random(), 4),
            "priority": draw.randint(1, 5),
            "opened_at": f"2026-{draw.randint(1, 10):02d}-{draw.randint(1, 28):02d}T{draw.randint(0, 23):02d}:15:00Z",
            "note": " ".join(draw.choice(WORDS) for _ in range(6)),
        }
        line, is_broken = _spoil(claim, draw)
        lines.append(line)
        broken += is_broken
    return lines, broken


def _spoil(claim: dict[str, Any], draw: random.Random) -> tuple[bytes, bool]:
    kind = int(draw.random() / 0.003)
    edits: list[dict[str, Any]] = [
        {"claim_id": None},
        {"claim_id": "clm/7"},
        {"customer_id": str(claim["customer_id"])},
        {"customer_id": -1},
        {"product": "MOTOR ", "channel": "fax"},
        {"amount": claim["amount"] + 1e6},
        {"currency": "euro"},
        {"score": 100.5, "priority": 9},
        {"opened_at": "yesterday"},
    ]
    if kind < len(edits):
        claim |= edits[kind]
    line = json.dumps(claim, separators=(",", ":")).encode()
    return (line[:-20], True) if kind == len(edits) else (line, kind < len(edits))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    found = measure(options.records, options.rounds)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        for name, figure in found.items():
            print(f"{name:22s} {figure}")
        print(f"check / orjson: {found['record_check_ratio'] or 'not measured, orjson is not installed'} (bar {BAR})")
    return 0 if found["record_exact"] else 1


if __name__ == "__main__":
    sys.exit(main())
