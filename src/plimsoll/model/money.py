"""Sums of money, exact: what a person wrote, never what a binary fraction makes of it.

Source: ISO 4217 for the form of a currency's name; M. F. Cowlishaw, "General Decimal Arithmetic Specification", for
the arithmetic, as Python's ``decimal`` does it.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.words import quoted

# Every step is exact or fails: a sum that was rounded in silence is a wrong bill. 100 digits hold any product of a
# count and a price that a person writes.
EXACT: Final = decimal.Context(
    prec=100, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow, decimal.DivisionByZero]
)

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
_MONEY: Final = re.compile(r"([0-9.]+)\s*([A-Za-z]{3})")
_DIGITS: Final = 15  # of a number without quotes: YAML gives a double, which keeps 15 digits as they were written


class Money(msgspec.Struct, frozen=True):
    """An amount of one currency.

    >>> str(Money.parse("50 EUR")), str(Money.parse("0.10 USD"))
    ('50 EUR', '0.10 USD')
    """

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read ``"50 EUR"``.

        Raises:
            NotUnderstood: (a ValueError) it is not an amount with a currency.
        """
        match = _MONEY.fullmatch(text.strip())
        if match is None or _NUMBER.fullmatch(match[1]) is None:
            raise NotUnderstood(
                f"{quoted(text)} is not an amount with its currency", fix="write 50 EUR", code="manifest.money"
            )
        check_currency(match[2])
        return cls(Decimal(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


def check_currency(text: str) -> None:
    """Refuse what is not the name of a currency.

    Raises:
        NotUnderstood: it is not three capital letters.
    """
    if _CURRENCY.fullmatch(text) is None:
        fix = f"write {text.upper()}" if _CURRENCY.fullmatch(text.upper()) else "write three capitals, such as EUR"
        raise NotUnderstood(f"{quoted(text)} is not the name of a currency", fix=fix, code="manifest.money")


def read_money(data: Any) -> Money:
    """An amount with its currency.

    Raises:
        NotUnderstood: it is none.
    """
    if isinstance(data, str):
        return Money.parse(data)
    said = f"{data} has no currency" if type(data) in {int, float} else "an amount with its currency is asked for"
    raise NotUnderstood(
        said, fix=f"write {data} EUR" if type(data) in {int, float} else "write 50 EUR", code="manifest.money"
    )


def read_amount(data: Any) -> Decimal:
    """A price as a number, exactly as it was written.

    Raises:
        NotUnderstood: it is no number, is negative, or has more digits than a number without quotes keeps.

    >>> read_amount(2.5), read_amount("0.10")
    (Decimal('2.5'), Decimal('0.10'))
    """
    if type(data) in {int, float}:
        exact = Decimal(repr(data))
        if data >= 0 and len(exact.as_tuple().digits) <= _DIGITS and _NUMBER.fullmatch(f"{exact:f}"):
            return exact
        fix = "write 0 or more" if data < 0 else "put it in quotes, so that every digit is kept"
        raise NotUnderstood(f"{data} cannot be a price as it stands", fix=fix, code="manifest.money")
    if isinstance(data, str) and _NUMBER.fullmatch(data.strip()):
        return Decimal(data.strip())
    found = quoted(data) if isinstance(data, str) else "what is written"
    raise NotUnderstood(f"{found} is not a price", fix="write a number, such as 2.50", code="manifest.money")
