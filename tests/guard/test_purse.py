"""The day's budget: counted exactly, shared by processes through the ledger, and spent when nobody can tell."""

from __future__ import annotations

import threading
from decimal import Decimal

import msgspec
import pytest
from cli.tiny_system import TinySystem

from plimsoll import Guard
from plimsoll.errors import StoreError
from plimsoll.guard import Ask
from plimsoll.guard.purse import Purse
from plimsoll.ledger import Ledger
from plimsoll.model.decision import DecisionRecord
from plimsoll.model.money import Money
from plimsoll.model.prices import Budget, PerTokens, Prices

PRICES = Prices(currency="EUR", per=PerTokens.ONE, input=Decimal("0.01"), request=Decimal("0.10"))
DAY_NS = 86_400 * 10**9
NOON = 20_000 * DAY_NS + DAY_NS // 2


class Clocks:
    """Set by hand."""

    def __init__(self) -> None:
        self.now_ns, self.seconds = NOON, 0.0


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def ledger(tmp_path, clocks):
    with Ledger.open(tmp_path / "ledger.db", clock=lambda: clocks.now_ns) as opened:
        yield opened


@pytest.fixture
def purse_of(ledger, clocks):
    made = []

    def make(per_day="1 EUR", on=None) -> Purse:
        budget = Budget(per_day=Money.parse(per_day))
        clock = {"clock_ns": lambda: clocks.now_ns, "monotonic": lambda: clocks.seconds}
        purse = Purse(on or ledger, "s", "model", PRICES, budget, **clock)
        if on is None:
            made.append(purse)
        return purse

    yield make
    for each in made:
        each.close()


def ask(purse, target="model"):
    return purse(Ask(record=1), target)


def test_calls_are_counted_until_the_day_is_spent_and_the_next_begins_anew(purse_of, clocks):
    purse = purse_of()
    for _ in range(5):
        ask(purse)({"input_tokens": 10})  # 10 tokens and one call: 0.20
    assert purse.spent_nano == 10**9
    assert ask(purse) is None
    clocks.now_ns += DAY_NS
    assert ask(purse) is not None


def test_what_two_guards_spend_is_one_sum(purse_of):
    first, second = purse_of(), purse_of()
    for purse in (first, second):
        for _ in range(3):
            ask(purse)({"input_tokens": 10})
    for purse in (first, second, first):
        purse.settle_up()
    assert first.spent_nano == second.spent_nano == 6 * 2 * 10**8
    assert (ask(first), ask(second)) == (None, None)


def test_nothing_is_lost_where_many_settle_up_at_once(purse_of):
    purses = [purse_of("1000 EUR") for _ in range(4)]

    def spend(purse):
        for _ in range(25):
            ask(purse)({"input_tokens": 0})
            purse.settle_up()

    threads = [threading.Thread(target=spend, args=(purse,)) for purse in purses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for purse in purses:
        purse.settle_up()
    assert {purse.spent_nano for purse in purses} == {100 * 10**8}


def test_a_target_that_stands_in_is_free(purse_of):
    purse = purse_of("0.05 EUR")
    ask(purse)({})
    assert ask(purse) is None
    ask(purse, "another")({"input_tokens": 10**6})
    assert purse.spent_nano == 10**8


def test_a_ledger_that_cannot_be_asked_is_a_budget_that_is_spent(purse_of, clocks, tmp_path):
    other = Ledger.open(tmp_path / "other.db")
    purse = purse_of(on=other)
    assert ask(purse) is not None
    other.close()
    clocks.seconds = 11.0
    assert ask(purse) is None
    with pytest.raises(StoreError):
        purse.close()


TARGET = """
from plimsoll.model.decision import Result
def predict(record):
    return Result({"parity": "odd"}, usage={"input_tokens": 100})
"""


@pytest.mark.parametrize("when", ["shed", "fallback"])
def test_a_system_stops_paying_when_its_day_is_spent_and_each_record_says_what_it_cost(tmp_path, when):
    tiny = TinySystem(tmp_path / "parity")
    tiny.write(f"priced_{when}.py", TARGET)  # one process holds one module of a name
    tiny.change("plimsoll.yaml", "python: parity:predict", f"python: priced_{when}:predict\n  fallback: [hold]")
    tiny.change(
        "plimsoll.yaml",
        "load:",
        f"prices: {{currency: EUR, per: 1 token, input: 0.01}}\nbudget: {{per_day: 3 EUR, when_spent: {when}}}\nload:",
    )
    with Guard.open(tiny.folder) as guard:
        ended = [guard.decide("tell-parity", {"number": n}) for n in range(5)]
        instead = ("shed", "live") if when == "shed" else ("held", "fallback:hold")
        assert [(a.disposition, a.via) for a in ended] == [("answered", "live")] * 3 + [instead] * 2
        assert {a.why for a in ended[3:]} == {"budget"}
        first = guard.ledger.get(ended[0].record)
        assert msgspec.json.decode(guard.ledger.body(first), type=DecisionRecord).cost == "1.00 EUR"
    with Guard.open(tiny.folder) as guard:  # the sum outlives the process
        assert guard.decide("tell-parity", {"number": 9}).why == "budget"
