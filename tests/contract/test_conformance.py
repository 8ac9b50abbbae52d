"""Public contracts and data with known verdicts, read from beside the checkout."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from plimsoll.contract import compile_contract, parse_record, read_contract_bytes

CASES = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "odcs-data"
ALLOW = (
    b"customProperties: [{property: plimsollUnknownFields, value: allow}]\n"  # tables may have columns of no contract
)


def _cases() -> list[Path]:
    return sorted(CASES.glob("*/contract.odcs.yaml"))


@pytest.fixture(scope="module", autouse=True)
def _there() -> None:
    if _cases():
        return
    why = f"the conformance cases are not at {CASES}: nothing was compared with them"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(why)
    print(why, file=sys.stderr)
    pytest.skip(why)


def test_every_contract_of_the_cases_is_read_and_compiled():
    for file in _cases():
        contract = read_contract_bytes(file.read_bytes(), str(file))
        checker = compile_contract(contract)
        assert checker.label.startswith(contract.id)
        assert contract.sources or file.parent.name == "json-complex"  # which names no server
        where = {(u.line, u.column) for u in contract.unenforced}
        assert len(where) == len(contract.unenforced)
        assert all(line > 0 for line, _ in where)


def test_the_cases_rules_that_no_single_record_can_tell_are_listed():
    listed = {
        file.parent.name: [u.rule for u in read_contract_bytes(file.read_bytes(), str(file)).unenforced]
        for file in _cases()
    }
    assert listed["cities-v2"] == ["unique", "primaryKey"]
    assert listed["flights-jsonl"] == ["quality.sql", "quality.sql"]
    assert listed["s3-csv"] == ["unique", "quality.sql"]
    assert listed["parquet-binary"] == ["physicalType"]
    assert listed["json-complex"] == listed["parquet-map"] == listed["diagnostics"][1:] == []


@pytest.mark.parametrize(
    ("case", "data", "broken"),
    [
        ("cities-v2", "cities-version-2.json", 0),
        ("cities-v3", "cities-version-1.json", 2),  # population came with the second version
        ("cities-v3", "cities-version-2.json", 1),  # and is null in one record
        ("flights-jsonl", "data/flights-100.json", 0),
        ("inventory-json", "data/**/*.json", 0),
        ("s3-json-complex", "data/feed.json", 0),
        ("json-complex", "data/sts_data.json", 0),
    ],
)
def test_records_of_the_cases_get_the_verdict_that_is_known_of_them(case, data, broken):
    folder = CASES / case
    checker = compile_contract(read_contract_bytes((folder / "contract.odcs.yaml").read_bytes() + ALLOW, case))
    checked = [checker.check(record) for file in sorted(folder.glob(data)) for record in _records(file)]
    assert checked
    assert sum(bool(c.reasons) for c in checked) == broken


def _records(file: Path) -> list[object]:
    raw = file.read_bytes()
    whole = parse_record(raw)
    if not whole.reasons:
        return whole.value if isinstance(whole.value, list) else [whole.value]
    return [parse_record(line).value for line in raw.splitlines() if line.strip()]


def test_a_field_beyond_the_contract_is_a_reason_unless_the_contract_lets_it_through():
    folder = CASES / "flights-jsonl"
    raw = (folder / "contract.odcs.yaml").read_bytes()
    record = json.loads((folder / "data" / "flights-100.json").read_text().splitlines()[0])
    paths = [r.path for r in compile_contract(read_contract_bytes(raw, "x")).check(record).reasons]
    assert paths == ["/AIR_TIME", "/DISTANCE", "/ARR_TIME"]
