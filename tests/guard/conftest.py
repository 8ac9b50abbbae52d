"""A guard over a real ledger, with whatever target and contract a test needs."""

from __future__ import annotations

import random
import time

import msgspec
import pytest

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.arrivals import rules_of
from plimsoll.guard import CallRules, Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.ledger import Ledger
from plimsoll.model.decision import DecisionRecord, Tier

CLAIM = """
apiVersion: v3.1.0
kind: DataContract
id: claim
name: claim
version: 1.0.0
status: active
servers:
  - {server: counter, type: local, path: ./counter, format: json}
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: claim_id, logicalType: string, required: true}
      - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
      - {name: note, logicalType: string}
"""


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def open_guard(ledger):
    opened = []

    def make(
        target,
        *,
        contract=CLAIM,
        output=None,
        tier=Tier.AUTOMATIC,
        review_below=None,
        others=None,
        spend=None,
        chance=random.random,
        ledger=ledger,
        contracts=(),
        clock_ns=time.time_ns,
        **settings,
    ):
        rules = {name: settings.pop(name) for name in ("concurrency", "queue", "retry", "breaker") if name in settings}
        checker = None if contract is None else compile_contract(read_contract(contract, "claim.odcs.yaml"))
        out = None if output is None else compile_contract(read_contract(output, "out.odcs.yaml"))
        read = [read_contract(text, "source.odcs.yaml") for text in contracts]
        inputs = {source: compile_contract(each) for each in read for source in each.sources}
        types = {
            "read": GuardedType(
                name="read",
                tier=tier,
                accountable="head@example.org",
                review_below=review_below,
                next="ops@example.org",
            ),
            "deny": GuardedType(
                name="deny",
                tier=Tier.HUMAN_ONLY,
                accountable="head@example.org",
                review_below=None,
                next="head@example.org",
            ),
        }
        guard = Guard(
            GuardSettings(
                system="claims", release="sha256:" + "a" * 64, types=types, call=CallRules(**rules), **settings
            ),
            ledger=ledger,
            target=PythonTarget(target, "test:target") if callable(target) else target,
            inputs=inputs,
            default_input=checker,
            output=out,
            hold_to_release=lambda _: None,
            others={} if others is None else others,
            spend=spend,
            chance=chance,
            source_rules={source: rule for each in read for source, rule in rules_of(each).items()},
            clock_ns=clock_ns,
        )
        opened.append(guard)
        return guard

    yield make
    for guard in opened:
        guard.close()


@pytest.fixture
def record_of(ledger):
    def read(answer):
        ledger.flush()
        entry = ledger.get(answer.record)
        assert entry is not None
        return msgspec.json.decode(ledger.body(entry), type=DecisionRecord), entry

    return read
