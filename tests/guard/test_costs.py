"""What releases used and cost: added up from the record, a bit at a time; and counted for /metrics."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from cli.tiny_system import TinySystem
from server.a_server import new_token, serving

from plimsoll import Guard
from plimsoll.guard.costs import CostsView, costs
from plimsoll.ledger import Ledger, check_view
from plimsoll.model.decision import DecisionRecord

TARGET = '''\
"""Whether a whole number is even, by so many tokens."""

from plimsoll import Result


def predict(record):
    if record["number"] == 13:
        raise RuntimeError("no")
    return Result({{"parity": "even"}}, usage={{"input_tokens": record["number"], "output_tokens": {output}}})
'''
PRICES = "prices: {currency: EUR, per: 1 token, input: 0.01, output: 0.1, request: '0.0000000001'}\nload:"


@pytest.fixture
def tiny(tmp_path: Path) -> TinySystem:
    tiny = TinySystem(tmp_path / "parity")
    tiny.change("plimsoll.yaml", "load:", PRICES)
    tiny.write("parity.py", TARGET.format(output=1))
    return tiny


def decided(tiny: TinySystem, *numbers: int, type_: str = "tell-parity", subject: str | None = None) -> str:
    """Decisions by the command line, so that each release has its own process; gives the release."""
    (tiny.folder / "in.jsonl").write_text("".join(f'{{"number": {n}}}\n' for n in numbers))
    more = ("--subject", subject) if subject else ()
    ran = tiny.run("decide", type_, "in.jsonl", *more)
    assert ran.code == 0, ran
    return ran.lines[0]["release"]


def report(tiny: TinySystem) -> dict[tuple[str, str], dict]:
    return {(line["release"], line["type"]): line for line in tiny.run("rollout", "costs", "--json").data}


def test_each_release_has_its_sums_and_they_are_those_of_its_records(tiny):
    one = decided(tiny, 1, 2, 13)
    assert report(tiny)[one, "tell-parity"]["decisions"] == 3
    tiny.write("parity.py", TARGET.format(output=2))
    two = decided(tiny, 10)
    found = report(tiny)
    assert set(found) == {(one, "tell-parity"), (two, "tell-parity")}
    first, second = found[one, "tell-parity"], found[two, "tell-parity"]
    assert (first["decisions"], first["answered"], first["input_tokens"], first["output_tokens"]) == (3, 2, 3, 2)
    # 0.03 + 0.2 for tokens, and for each of three calls a tenth of a billionth, rounded up for each.
    assert first["cost"] == ["0.230000003 EUR"]
    assert first["per_answered"] == ["0.115000002 EUR"]
    assert (second["cost"], second["unpriced"]) == (["0.300000001 EUR"], 0)
    with Ledger.open(tiny.ledger, read_only=True) as ledger:
        exact = sum(
            Decimal(msgspec.json.decode(ledger.body(e), type=DecisionRecord).cost.split()[0])
            for e in ledger.entries(kinds=("decision",))
        )
    assert exact == Decimal("0.53") + 4 * Decimal("1e-10")


def test_asking_again_adds_what_has_come_and_an_erased_record_stays_counted(tiny):
    one = decided(tiny, 1, subject="claim-1")
    assert report(tiny)[one, "tell-parity"]["decisions"] == 1
    assert tiny.run("ledger", "erase", "claim-1", "--by", "ops@example.org", "--reason", "asked for").code == 0
    decided(tiny, 2)
    found = report(tiny)[one, "tell-parity"]
    assert (found["decisions"], found["input_tokens"]) == (2, 3)
    with Ledger.open(tiny.ledger) as ledger:
        ledger.rebuild(CostsView())
        lines = {line.release: line for line in costs(ledger, "parity")}
    assert (lines[one].decisions, lines[""].decisions, lines[""].unpriced) == (1, 1, 1)


def test_types_that_somebody_made_up_are_one_line(tiny):
    with Guard.open(tiny.folder) as guard:
        for number in range(20):
            guard.decide(f"made-up-{number}", {"number": 1})
        (line,) = costs(guard.ledger, "parity")
        assert (line.type, line.decisions, line.cost, line.per_answered) == ("undeclared", 20, (), ())
        assert check_view(guard.ledger, CostsView()) is None


def test_a_ledger_that_is_only_read_gives_the_same(tiny):
    one = decided(tiny, 4)
    with Ledger.open(tiny.ledger, read_only=True) as ledger:
        assert [(line.release, line.input_tokens) for line in costs(ledger, "parity")] == [(one, 4)]


def test_nothing_was_decided_yet(tiny):
    assert tiny.run("rollout", "costs", "--json").data == []


def test_the_server_counts_them_by_release(tiny):
    token = new_token(tiny, "decide", "metrics")
    with serving(tiny, "--workers", "2") as running:
        for number in (1, 2, 13):
            reply = running.ask("POST", "/v1/decisions/tell-parity", {"number": number}, token=token)
            release = reply.headers["plimsoll-release"]
        wanted = [
            f'plimsoll_release_decisions_total{{release="{release}",type="tell-parity"}} 3.0',
            f'plimsoll_release_answered_total{{release="{release}",type="tell-parity"}} 2.0',
            f'plimsoll_tokens_total{{kind="input",release="{release}",type="tell-parity"}} 3.0',
            f'plimsoll_cost_total{{currency="EUR",release="{release}",type="tell-parity"}} 0.23',
        ]
        until = time.monotonic() + 20
        while True:  # a worker tells the others once a second
            text = running.ask("GET", "/metrics", token=token).raw.decode()
            if all(line in text for line in wanted):
                break
            assert time.monotonic() < until, text
            time.sleep(0.2)
