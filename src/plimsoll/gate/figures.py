"""How a figure, its gap to the limit and its age are put into words."""

from __future__ import annotations

import math
from typing import Final

from plimsoll.model.board import Row
from plimsoll.model.quantity import Quantity, UnitKind
from plimsoll.model.threshold import Condition, Op

ASKED: Final = {Op.LE: "at most", Op.LT: "less than", Op.GE: "at least", Op.GT: "more than", Op.EQ: "exactly"}

_DIRECTION: Final = {
    UnitKind.RATIO: ("low", "high"),
    UnitKind.DURATION: ("short", "long"),
    UnitKind.RATE: ("slow", "fast"),
    UnitKind.MULTIPLE: ("little", "much"),
    UnitKind.COUNT: ("few", "many"),
}
_SECONDS: Final = (("days", 86400.0, 172800.0), ("h", 3600.0, 7200.0), ("min", 60.0, 120.0), ("s", 1.0, 1.0))


def figure_text(limit: Quantity, figure: float) -> str:
    """A figure in the unit of its condition's limit.

    Three significant digits, as `Quantity.like` writes them, and more where three would say something that is not so:
    that 94.98% is the 95% asked for, or that 4,999 of 5,000 are 100%.

    >>> figure_text(Quantity.parse("500ms"), 0.3124)
    '312 ms'
    >>> figure_text(Quantity.parse("95%"), 0.9498), figure_text(Quantity.parse("95%"), 0.9998)
    ('94.98%', '99.98%')
    """
    suffix = str(Quantity(1, limit.unit))[1:]
    if not math.isfinite(figure):
        return f"∞{suffix}"
    amount = figure / Quantity(1, limit.unit).base
    untrue = {_number(limit.amount, 12)} if figure != limit.base else set()
    if limit.kind is UnitKind.RATIO and figure not in {0.0, 1.0}:
        untrue |= {"100", "0"}
    for digits in range(3, 13):
        text = _number(amount, digits)
        if text not in untrue:
            break
    return text + suffix


def duration_text(seconds: float) -> str:
    """A length of time in the unit that a person would take.

    >>> duration_text(5.1), duration_text(0.0312), duration_text(3 * 86400)
    ('5.1 s', '31.2 ms', '3 days')
    """
    for unit, size, at_least in _SECONDS:
        if seconds >= at_least:
            return f"{_number(seconds / size, 3)} {unit}"
    return f"{_number(seconds * 1000, 3)} ms"


def age_text(seconds: float) -> str:
    """How old evidence is, in whole units.

    >>> age_text(12), age_text(150), age_text(50 * 3600)
    ('just now', '2 min old', '2 days old')
    """
    for unit, size, at_least in _SECONDS[:3]:
        if seconds >= at_least:
            return f"{math.floor(seconds / size)} {unit} old"
    return "1 min old" if seconds >= 60 else "just now"


def declared_text(row: Row) -> str:
    """What a row that rests on services says of them: that nobody knows who answers there, and how long it counts.

    >>> row = Row(condition="", metric="", op="", limit="", dimension="", standing="met",
    ...           declared=("api.example.org:443",), counts_for_s=86400.0)
    >>> declared_text(row)
    'Rests on api.example.org:443, whose identity is only declared; it counts for 24 h.'
    """
    whose = "whose identity is" if len(row.declared) == 1 else "whose identities are"
    until = "" if row.counts_for_s is None else f"; it counts for {duration_text(row.counts_for_s)}"
    return f"Rests on {listed(row.declared)}, {whose} only declared{until}."


def gap_text(condition: Condition, figure: float) -> str:
    """How far a figure on the wrong side is from its limit, in words.

    >>> gap_text(Condition.parse("stability.latency_p99 <= 500ms"), 5.6)
    '5.1 s too long'
    >>> gap_text(Condition.parse("evaluation.accuracy >= 95%"), 0.927)
    '2.3 points too low'
    """
    limit = condition.limit
    low = figure < limit.base
    if figure == limit.base:
        return f"on the line itself; {ASKED[condition.op]} {limit} is asked for"
    away = float(f"{abs(figure - limit.base):.12g}")
    if not math.isfinite(away):
        return "there is no end to it"
    low_word, high_word = _DIRECTION[limit.kind]
    match limit.kind:
        case UnitKind.RATIO:
            points = _number(away * 100, 3)
            size = f"{points} point{'' if points == '1' else 's'}"
        case UnitKind.DURATION:
            size = duration_text(away)
        case UnitKind.RATE | UnitKind.MULTIPLE | UnitKind.COUNT:
            size = figure_text(limit, away)
    return f"{size} too {low_word if low else high_word}"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "run"), plural(3000, "case")
    ('1 run', '3,000 cases')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: tuple[str, ...], most: int = 3) -> str:
    """Some names in a row, and how many more there are.

    >>> listed(("a", "b", "c", "d", "e"))
    'a, b, c and 2 more'
    """
    shown, left = names[:most], len(names) - most
    return ", ".join(shown) + (f" and {left} more" if left > 0 else "")


def _number(amount: float, digits: int) -> str:
    """So many significant digits, all of the integer part, no exponent, no zeros at the end."""
    if amount == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(amount))))
    text = f"{amount:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
