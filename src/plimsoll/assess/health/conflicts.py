"""Fields that mean one thing in one source and another thing in another."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from plimsoll.assess.health.column import Column

_UNITS: Final = 20.0  # medians that are further apart are most likely of two units
_LEAST: Final = 20  # values of either side
_LIST: Final = 30  # different values up to which texts are words of a list


def conflicting(sources: Sequence[tuple[str, Sequence[Column]]]) -> Iterator[str]:
    """One sentence for each field that two sources define differently.

    Args:
        sources: names, and their fields.
    """
    for (one, ours), (other, theirs) in combinations(sources, 2):
        by_name = {c.name.casefold(): c for c in theirs}
        for column in ours:
            twin = by_name.get(column.name.casefold())
            if twin is not None and min(column.given, twin.given) >= _LEAST:
                why = _conflict(column, twin)
                if why:
                    yield f"'{column.name}' is not the same in {one} and {other}: {why}"


def _conflict(a: Column, b: Column) -> str:
    if (a.times is None) != (b.times is None):
        return "a time in one, and none in the other"
    if a.times is not None and b.times is not None:
        ways = [max(t.written, key=lambda way: t.written[way]) for t in (a.times, b.times)]
        return f"written as {ways[0]} and as {ways[1]}" if ways[0] != ways[1] else ""
    numbers = {"integer", "number"}
    if a.kind != b.kind and not {a.kind, b.kind} <= numbers:
        return f"{a.kind or 'several kinds'} and {b.kind or 'several kinds'}"
    if {a.kind, b.kind} <= numbers and a.is_measure and b.is_measure:
        low, high = sorted(abs(statistics.median(c.numbers)) for c in (a, b))
        return f"medians are {high / low:,.0f} times apart, as of two units" if low and high / low >= _UNITS else ""
    if a.kind == "string" and max(len(a.counts), len(b.counts)) <= _LIST and not (set(a.counts) & set(b.counts)):
        return "not one value in common"
    return ""
