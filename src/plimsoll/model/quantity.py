"""Quantities with units, parsed once into typed values."""

from __future__ import annotations

import enum
import math
import re
from typing import Final

import msgspec


class UnitKind(enum.StrEnum):
    """What a unit measures; only quantities of one kind can be compared."""

    RATIO = "ratio"
    DURATION = "duration"
    RATE = "rate"
    MULTIPLE = "multiple"
    COUNT = "count"


_UNITS: Final[dict[str, tuple[UnitKind, float]]] = {
    "%": (UnitKind.RATIO, 0.01),
    "ms": (UnitKind.DURATION, 0.001),
    "s": (UnitKind.DURATION, 1.0),
    "min": (UnitKind.DURATION, 60.0),
    "h": (UnitKind.DURATION, 3600.0),
    "day": (UnitKind.DURATION, 86400.0),
    "days": (UnitKind.DURATION, 86400.0),
    "x": (UnitKind.MULTIPLE, 1.0),
    "/s": (UnitKind.RATE, 1.0),
    "/day": (UnitKind.RATE, 1.0 / 86400.0),
    "": (UnitKind.COUNT, 1.0),
}
_PATTERN: Final = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(%|[A-Za-z]+|/[A-Za-z]+)?\s*")


class Quantity(msgspec.Struct, frozen=True, order=False):
    """A number with its unit, kept as it was written, and comparable by its base value.

    The base units are: a ratio as a fraction of 1, a duration in seconds, a rate per second.

    >>> Quantity.parse("300ms").base
    0.3
    >>> Quantity.parse("0.5%") < Quantity.parse("1 %")
    True
    """

    amount: float
    unit: str = ""

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            allowed = " ".join(u for u in _UNITS if u)
            raise ValueError(f"'{self.unit}' is not a unit; allowed are {allowed}")
        if not math.isfinite(self.amount):
            raise ValueError("a quantity must be a finite number")

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Read ``"300ms"``, ``"0.5 %"``, ``"3x"``, ``"50/s"``, ``"7 days"`` or a bare number.

        Raises:
            ValueError: the text is not a number with one of the units ``% ms s min h day days x /s /day``.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not a quantity; write a number and a unit, such as 300ms, 0.5%, 3x, 50/s")
        return cls(float(match[1]), match[2] or "")

    @property
    def kind(self) -> UnitKind:
        """What is measured."""
        return _UNITS[self.unit][0]

    @property
    def base(self) -> float:
        """The amount in the base unit of its kind."""
        # A product such as 300 * 0.001 is not 0.3; rounding to 15 digits gives back the number that was meant.
        return float(f"{self.amount * _UNITS[self.unit][1]:.15g}")

    def comparable(self, other: Quantity) -> bool:
        """Whether both measure the same thing."""
        return self.kind is other.kind

    def __lt__(self, other: Quantity) -> bool:
        if not self.comparable(other):
            raise ValueError(f"{self} and {other} do not measure the same thing")
        return self.base < other.base

    def __str__(self) -> str:
        gap = "" if self.unit in {"", "%", "x", "/s", "/day"} else " "
        return f"{self.amount:g}{gap}{self.unit}"

    def like(self, base: float) -> str:
        """Another figure of this kind, written in this unit.

        >>> Quantity.parse("500ms").like(0.3124)
        '312 ms'
        >>> Quantity.parse("95%").like(0.9531)
        '95.3%'
        """
        amount = base / _UNITS[self.unit][1]
        return str(Quantity(_tidy(amount), self.unit))


def _tidy(amount: float) -> float:
    """Three significant digits, or more where the integer part has them."""
    if amount == 0 or not math.isfinite(amount):
        return 0.0
    digits = max(3, math.floor(math.log10(abs(amount))) + 1)
    return float(f"{amount:.{digits}g}")
