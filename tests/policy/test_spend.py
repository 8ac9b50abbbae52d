"""Costs to the last digit, days from midnight to midnight, and when a budget is spent."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.money import Money
from plimsoll.model.prices import Budget, PerTokens, Prices
from plimsoll.policy.spend import DAY_NS, cost_of, day_of, is_spent, left_nano, nano_of

PRICES = Prices(currency="EUR", input=Decimal("2.50"), output=Decimal("10.00"), request=Decimal("0.001"))
AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=9, allow_nan=False)


@given(
    tokens=st.integers(0, 10**12), written=st.integers(0, 10**12), calls=st.integers(0, 1000),
    prices=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), per=st.sampled_from(PerTokens),
)  # fmt: skip
def test_the_cost_is_exact(tokens, written, calls, prices, per):
    table = Prices(currency="EUR", per=per, input=prices[0], output=prices[1], request=prices[2])
    usage = {"input_tokens": tokens, "output_tokens": written}
    cost = cost_of(usage, table, calls=calls)
    one = Fraction(1, 10**per.exponent)
    exact = tokens * Fraction(prices[0]) * one + written * Fraction(prices[1]) * one + calls * Fraction(prices[2])
    assert Fraction(cost.amount) == exact
    assert 0 <= cost.nano - exact * 10**9 < 1


def test_a_context_that_rounds_changes_nothing():
    with localcontext() as context:
        context.prec = 2
        assert cost_of({"input": 123456789}, PRICES).amount == Decimal("308.6429725")


def test_two_names_of_one_count_are_billed_once():
    usage = {"prompt_tokens": 1000, "input_tokens": 1000, "completion_tokens": 7, "total_tokens": 1007}
    assert cost_of(usage, PRICES).amount == cost_of({"input": 1000, "output": 7}, PRICES).amount


def test_what_has_no_price_is_listed():
    cost = cost_of({"input": 1, "gpu_seconds": 3.5, "total_tokens": 1}, PRICES)
    assert cost.unpriced == ("gpu_seconds",)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 1e300, 10**16, True, None, "7", 1e-300])
def test_what_is_no_count_is_listed_and_costs_nothing(value):
    cost = cost_of({"input": value}, PRICES, calls=0)
    assert (cost.amount, cost.unpriced) == (0, ("input",))


def test_a_request_is_priced_by_calls_or_by_what_the_usage_says():
    assert cost_of({}, PRICES, calls=3).amount == Decimal("0.003")
    assert cost_of({"requests": 2}, PRICES, calls=3).amount == Decimal("0.002")


def test_a_day_is_from_midnight_to_midnight_in_utc():
    now = int(dt.datetime(2026, 11, 25, 23, 59, 59, tzinfo=dt.UTC).timestamp()) * 10**9
    day = day_of(now)
    assert (day.name, day.ends_ns - day.starts_ns) == ("2026-11-25", DAY_NS)
    assert day.starts_ns <= now < day.ends_ns
    assert day_of(day.ends_ns).name == "2026-11-26"


def test_a_budget_is_spent_when_nothing_is_left():
    budget = Budget(per_day=Money.parse("50 EUR"))
    full = nano_of(Decimal(50))
    assert not is_spent(budget, full - 1)
    assert is_spent(budget, full)
    assert is_spent(budget, full - 10, reserved_nano=10)
    assert (left_nano(budget, full - 10, 3), left_nano(budget, full + 1)) == (7, 0)


def test_threads_get_the_same_sums():
    usage = {"input": 123456789012, "output": 987654321098}
    expected, wrong = cost_of(usage, PRICES).amount, []

    def work():
        wrong.extend(1 for _ in range(500) if cost_of(usage, PRICES).amount != expected)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
