"""What a decision costs, and what may be spent: the price table and the budget of a manifest."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Annotated

from plimsoll.model.asked import Amount, Currency, Says
from plimsoll.model.declared import Declared
from plimsoll.model.money import Money


class PerTokens(enum.StrEnum):
    """How many tokens a price is for. A power of ten, so that a price divides without a rest."""

    ONE = "1 token"
    THOUSAND = "1k tokens"
    MILLION = "1M tokens"

    @property
    def exponent(self) -> int:
        """The power of ten."""
        return {PerTokens.ONE: 0, PerTokens.THOUSAND: 3, PerTokens.MILLION: 6}[self]


class WhenSpent(enum.StrEnum):
    """What happens to a call when the day's budget is spent."""

    SHED = "shed"
    FALLBACK = "fallback"


class Prices(Declared, frozen=True, kw_only=True):
    """What the target's owner charges."""

    currency: Annotated[Currency, Says("the currency of every price here, as ISO 4217 names it")]
    per: Annotated[PerTokens, Says("how many tokens the prices of input and output are for")] = PerTokens.MILLION
    input: Annotated[Amount, Says("price of tokens that are read")] = Decimal(0)
    output: Annotated[Amount, Says("price of tokens that are written")] = Decimal(0)
    request: Annotated[Amount, Says("price of one call, whatever its length")] = Decimal(0)


class Budget(Declared, frozen=True, kw_only=True):
    """What may be spent."""

    per_day: Annotated[Money, Says("most that may be spent in one day, midnight to midnight in UTC, such as 50 EUR")]
    when_spent: Annotated[WhenSpent, Says("what happens to a call when it is spent")] = WhenSpent.SHED
