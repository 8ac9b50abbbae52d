"""What a ruling on one record costs, by what has to be done with it.

    python benchmarks/egress.py [--json]

A flat record of 20 fields, and the governance page of the reference. Microseconds a call, the best of five rounds; the
floor is a loop over the same record that looks every field up in a dictionary and copies it.
"""

from __future__ import annotations

import argparse
import json
import timeit
from collections.abc import Callable, Mapping
from pathlib import Path

from plimsoll.model.field_classes import FieldClasses
from plimsoll.model.governance_reader import read_governance
from plimsoll.model.manifest import Classification
from plimsoll.policy import Gatekeeper

PAGE = Path(__file__).resolve().parents[1] / "tests" / "model" / "governance_example.yaml"
NOW_NS = 1_795_608_000 * 10**9  # 25 November 2026, noon
KEY = b"k" * 32
VALUES = ("some text value", "2026-11-25", 12.5, 3, "rear bumper damaged", True)
RECORD = {f"field_{i}": VALUES[i % len(VALUES)] for i in range(20)}
NUMBERED = {**RECORD, "field_0": "order 8812345678", "field_4": "policy 99120-7", "field_6": "2026-11-25T12:30:45Z"}
CALLS = 5_000


def keeper(first: str, rest: str) -> Gatekeeper:
    words = {name: FieldClasses(word=rest) for name in RECORD} | {"field_0": FieldClasses(word=first)}
    page = read_governance(PAGE.read_text(encoding="utf-8"), str(PAGE))
    return Gatekeeper(page, system="claims-reader", classes=FieldClasses(fields=words), default=Classification.PERSONAL)


def ruling(first: str, rest: str, to: str, record: Mapping[str, object]) -> Callable[[], object]:
    gatekeeper = keeper(first, rest)
    return lambda: gatekeeper.admit(to, record, now_ns=NOW_NS, key=KEY)


def floor() -> Mapping[str, object]:
    known = RECORD
    return {name: value for name, value in RECORD.items() if name in known}


ARMS: Mapping[str, Callable[[], object]] = {
    "floor_us": floor,
    "all_goes_unseen_us": ruling("personal", "personal", "api.eu.example.com", RECORD),
    "one_redacted_19_pseudonymised_us": ruling("special", "personal", "x.example.com", RECORD),
    "refused_us": ruling("special", "personal", "api.eu.example.com", RECORD),
    "all_looked_through_us": ruling("internal", "internal", "api.eu.example.com", RECORD),
    "all_looked_through_with_numbers_us": ruling("internal", "internal", "api.eu.example.com", NUMBERED),
    "unknown_host_us": ruling("personal", "personal", "elsewhere.test", RECORD),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    figures = {name: min(timeit.repeat(arm, number=CALLS, repeat=5)) / CALLS * 1e6 for name, arm in ARMS.items()}
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<36} {value:8.2f}")


if __name__ == "__main__":
    main()
