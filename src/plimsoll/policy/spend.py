"""What a decision costs, and whether today's budget has room for another.

What the guard does with it::

    if budget is not None and is_spent(budget, spent_today):     # before the call; `spent_today` from the store
        ...                                                      # shed, or the fallback: budget.when_spent
    cost = cost_of(result.usage, manifest.prices, calls=attempts)
    ...                                                          # cost.amount in the record; add cost.nano to the day

The store keeps the sum of a day as a whole number of billionths (`nano`), rounded up for each decision, so that adding
is exact in any store and never in the spender's favour. ``day_of`` names the day: a key for a reservation or a counter.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from plimsoll.model.money import EXACT
from plimsoll.model.prices import Budget, Prices

NANO: Final = 9  # decimal places that a store keeps
DAY_NS: Final = 86_400 * 10**9

# What targets call the same thing. Of several that are given, the largest counts: two names for one count are common,
# and a sum would bill it twice.
_INPUT: Final = ("input", "input_tokens", "prompt_tokens")
_OUTPUT: Final = ("output", "output_tokens", "completion_tokens")
_TOTALS: Final = frozenset({"total_tokens", "total"})  # sums of what is counted already
_CALLS: Final = ("request", "requests", "calls")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one decision cost by the manifest's price table."""

    amount: Decimal  # exact
    currency: str
    unpriced: tuple[str, ...] = ()  # names in the usage that no price is for, or whose value is no count

    @property
    def nano(self) -> int:
        """Billionths of the currency, rounded up."""
        return nano_of(self.amount)


def cost_of(usage: Mapping[str, Any], prices: Prices, *, calls: int = 1) -> Cost:
    """The cost of one decision, in exact decimal arithmetic.

    Args:
        usage: counts by name, as a `Result` gives them: ``input_tokens`` or ``prompt_tokens``, ``output_tokens`` or
            ``completion_tokens``, ``requests``. A total is passed over. Whatever else stands there is listed
            as not priced.
        prices: of the manifest.
        calls: how often the target was called, for the price of a request; what the usage says of it comes first.

    Returns:
        The cost. Never raises: a count that is negative, not finite, or absurd is not priced, and listed.

    >>> from plimsoll.model.prices import Prices
    >>> prices = Prices(currency="EUR", input=Decimal("2.50"), output=Decimal("10"), request=Decimal("0.001"))
    >>> cost_of({"input_tokens": 1200, "output_tokens": 345}, prices).amount == Decimal("0.00745")
    True
    """
    bad = [name for name, value in usage.items() if _count(value) is None]
    read = {name: count for name, value in usage.items() if (count := _count(value)) is not None}
    asked = _largest(read, _CALLS)
    parts = (
        (_largest(read, _INPUT), prices.input, prices.per.exponent),
        (_largest(read, _OUTPUT), prices.output, prices.per.exponent),
        (Decimal(max(0, calls)) if asked is None else asked, prices.request, 0),
    )
    amount = Decimal(0)
    for count, price, exponent in parts:
        if count is not None:
            amount = EXACT.add(amount, EXACT.scaleb(EXACT.multiply(count, price), -exponent))
    known = {*_INPUT, *_OUTPUT, *_CALLS, *_TOTALS}
    return Cost(amount=amount, currency=prices.currency, unpriced=tuple(sorted({*bad, *(set(read) - known)})))


def tokens_of(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens that were read and written, as whole numbers rounded up; 0 where the usage does not say.

    >>> tokens_of({"prompt_tokens": 1200, "output_tokens": 345.0, "total_tokens": 1545})
    (1200, 345)
    """
    return _tokens(usage, _INPUT), _tokens(usage, _OUTPUT)


def _tokens(usage: Mapping[str, Any], names: tuple[str, ...]) -> int:
    most = 0
    for name in names:
        value = usage.get(name)
        if value is None:
            continue
        if type(value) is int or (type(value) is float and value.is_integer()):
            count = int(value) if value < _ABSURD else 0  # as nearly everybody says it; no decimal has to be made
        else:
            exact = _count(value)
            count = 0 if exact is None else math.ceil(exact)
        most = max(most, count)
    return most


def _largest(read: Mapping[str, Decimal], names: tuple[str, ...]) -> Decimal | None:
    return max((read[name] for name in names if name in read), default=None)


def _count(value: Any) -> Decimal | None:
    """A count as it was given; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        exact = EXACT.create_decimal(repr(value) if isinstance(value, float) else value)
    except (decimal.Inexact, decimal.InvalidOperation, ValueError):
        return None
    # Beyond 15 digits before the point no bill is meant; exactness in `EXACT` rests on it.
    return exact if 0 <= exact < _ABSURD and exact.is_finite() and _places(exact) <= _MOST_PLACES else None


_ABSURD: Final = Decimal(10) ** 15
_MOST_PLACES: Final = 30


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else _MOST_PLACES + 1


def nano_of(amount: Decimal) -> int:
    """An amount in billionths, rounded up.

    >>> nano_of(Decimal("0.0000000011")), nano_of(Decimal(50))
    (2, 50000000000)
    """
    return int(EXACT.scaleb(amount, NANO).to_integral_value(rounding=decimal.ROUND_CEILING))


# -- the day and its budget


class Day(msgspec.Struct, frozen=True):
    """One day of a budget: from midnight to midnight, in UTC."""

    name: str  # "2026-11-25"
    starts_ns: int
    ends_ns: int  # the first moment of the next day


def day_of(now_ns: int) -> Day:
    """The day that a moment belongs to.

    Args:
        now_ns: UTC nanoseconds since the epoch.

    >>> day_of(0).name, day_of(DAY_NS - 1).name, day_of(DAY_NS).name
    ('1970-01-01', '1970-01-01', '1970-01-02')
    """
    number = now_ns // DAY_NS
    name = (dt.date(1970, 1, 1) + dt.timedelta(days=number)).isoformat()
    return Day(name, number * DAY_NS, (number + 1) * DAY_NS)


def is_spent(budget: Budget, spent_nano: int, reserved_nano: int = 0) -> bool:
    """Whether nothing of a day's budget is left.

    A call's cost is known when it has ended, so that a budget can be overdrawn by what is under way; who wants it held
    exactly reserves an estimate for each call beforehand.

    Args:
        budget: of the manifest.
        spent_nano: what decisions of this day cost so far.
        reserved_nano: what is put aside for calls that are under way.
    """
    return spent_nano + reserved_nano >= nano_of(budget.per_day.amount)


def left_nano(budget: Budget, spent_nano: int, reserved_nano: int = 0) -> int:
    """Billionths of the currency that are left of a day's budget; never below 0."""
    return max(0, nano_of(budget.per_day.amount) - spent_nano - reserved_nano)
