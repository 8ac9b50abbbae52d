"""Public contracts and data with known verdicts, read from beside the checkout."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from plimsoll.assembly.rows import is_table, read_rows
from plimsoll.contract import compile_contract, read_contract_bytes
from plimsoll.contract.cells import read_cells
from plimsoll.contract.delivery import Delivery, Verdict

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


def verdict_of(case: dict) -> Verdict:
    """A delivery through our reader and checks, as the server of the case says it is written."""
    folder = CASES / case["case"]
    contract = read_contract_bytes((CASES / case["contract"]).read_bytes() + ALLOW, case["case"])
    server = next(s for s in contract.terms.servers if s.name == case["server"])
    delivery = Delivery(compile_contract(contract))
    files = sorted(folder.glob(server.settings["path"].removeprefix("./")))
    columns = [path.suffix == ".parquet" for path in files]
    assert all(columns) or not any(columns)
    for path in files:
        for row in read_rows(path):
            assert not row.why, row
            delivery.add(read_cells(contract.record, row.value) if is_table(path) else row.value)
    return delivery.verdict()


EXPECTED = json.loads((CASES / "expected.json").read_text()) if (CASES / "expected.json").exists() else []
ASSERTED = [case for case in EXPECTED if case["upstream_test_asserts"] is not None]


def named(case):
    return f"{case['case']}/{case['server']}"


@pytest.mark.parametrize("case", ASSERTED, ids=named)
def test_a_delivery_gets_the_verdict_that_is_asserted_of_it(case):
    verdict = verdict_of(case)
    assert ("passed" if verdict.passed else "failed") == case["upstream_test_asserts"], verdict


@pytest.mark.parametrize("case", [c for c in EXPECTED if c["upstream_test_asserts"] is None], ids=named)
def test_a_delivery_of_which_nothing_is_asserted_gets_a_verdict_too(case):
    # What the other tool answered stands beside it, "warning" for what it did not check.
    passed = case["datacontract_cli_1.2.8"] in {"passed", "warning"}
    assert verdict_of(case).passed is passed


def test_all_of_the_set_is_there():
    assert (len(EXPECTED), len(ASSERTED)) == (46, 37)
    assert sum(case["upstream_test_asserts"] == "failed" for case in ASSERTED) == 10


def test_what_needs_a_database_is_said_to_be_not_measured_and_is_never_passed_over():
    case = next(c for c in EXPECTED if c["case"] == "flights-jsonl")
    left = [f for f in verdict_of(case).findings if f.holds is None]
    assert [(f.rule, f.field, f.line) for f in left] == [("quality.sql", "flights", 34), ("quality.sql", "flights", 38)]


def test_the_reasons_of_a_failed_delivery_are_those_that_are_known():
    diagnostics = verdict_of(next(c for c in EXPECTED if c["case"] == "diagnostics"))
    assert diagnostics.broken == 2
    failed = [(f.rule, f.field) for f in diagnostics.findings if f.holds is False]
    assert failed == [("unique", "orders.order_id")]
    historical = verdict_of(next(c for c in EXPECTED if named(c) == "cities-v2/historical-json"))
    assert [(f.rule, f.field) for f in historical.findings if f.holds is False] == [("presence", "cities.population")]


def test_a_field_beyond_the_contract_is_a_reason_unless_the_contract_lets_it_through():
    folder = CASES / "flights-jsonl"
    raw = (folder / "contract.odcs.yaml").read_bytes()
    record = json.loads((folder / "data" / "flights-100.json").read_text().splitlines()[0])
    paths = [r.path for r in compile_contract(read_contract_bytes(raw, "x")).check(record).reasons]
    assert paths == ["/AIR_TIME", "/DISTANCE", "/ARR_TIME"]
