"""Quantities with units, parsed once into typed values."""

from __future__ import annotations

import enum
import math
import re
from typing import Final

import msgspec

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.words import nearest, quoted


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
_EXAMPLES: Final = {
    UnitKind.RATIO: "95%",
    UnitKind.DURATION: "300ms",
    UnitKind.RATE: "50/s",
    UnitKind.MULTIPLE: "3x",
    UnitKind.COUNT: "0",
}
NUMBER: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_PATTERN: Final = re.compile(rf"\s*({NUMBER})\s*(%|[^\W\d_]+|/\s*[^\W\d_]+)?\s*")
# What people write for a unit that exists; a minute is never "m", which could be a month or a metre.
_MEANT: Final = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "millis": "ms", "milliseconds": "ms",
    "mins": "min", "minute": "min", "minutes": "min", "m": "min", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "days", "percent": "%", "pct": "%", "times": "x", "fold": "x", "rps": "/s", "qps": "/s", "hz": "/s",
    "/sec": "/s", "/second": "/s", "/d": "/day", "/days": "/day",
}  # fmt: skip


def units_of(kind: UnitKind) -> tuple[str, ...]:
    """The units that measure this kind of thing, as they are written.

    >>> units_of(UnitKind.RATE)
    ('/s', '/day')
    """
    return tuple(unit for unit, (measures, _) in _UNITS.items() if measures is kind)


def example_of(kind: UnitKind) -> str:
    """How a quantity of this kind may be written."""
    return _EXAMPLES[kind]


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
            known = [u for u in _UNITS if u]
            near = _MEANT.get(self.unit.casefold()) or nearest(self.unit, known)
            raise NotUnderstood(
                f"{quoted(self.unit)} is not a unit; allowed are {' '.join(known)}",
                fix=f"did you mean '{near}'?" if near else "",
            )
        if not math.isfinite(self.amount) or not math.isfinite(self.base):
            raise NotUnderstood("a quantity must be a finite number")
        msgspec.structs.force_setattr(self, "amount", float(self.amount))  # 7 and 7.0 have one canonical form

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Read ``"300ms"``, ``"0.5 %"``, ``"3x"``, ``"50/s"``, ``"7 days"`` or a bare number.

        Raises:
            NotUnderstood: (a ValueError) the text is not a number with one of the units
                ``% ms s min h day days x /s /day``.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise NotUnderstood(f"{quoted(text)} is not a number with a unit, such as 300ms, 0.5%, 3x, 50/s")
        return cls(float(match[1]), "".join((match[2] or "").split()))

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
        # The shortest text that reads back as the same number: two limits that differ never share a digest.
        amount = repr(float(self.amount)).removesuffix(".0")
        gap = "" if self.unit in {"", "%", "x", "/s", "/day"} else " "
        return f"{amount}{gap}{self.unit}"

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
