"""One field over all records: what kind of values it holds, read once for all signs."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from plimsoll.assess.health.moments import Times, read_times

# Texts that stand for "nothing was said"; what else a source writes for it is a value to us.
MARKS: Final = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", "unknown", "#n/a", "missing", "."}
)
_LONGEST_MARK: Final = 12  # with blanks around it
_COMMA: Final = re.compile(r"-?\d{1,3}(?:\.?\d{3})*,\d{1,4}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,17})?(?:[eE][+-]?\d{1,3})?")
_ID: Final = re.compile(
    r"(?:^|[_.\- ])(?:id|ids|key|uuid|guid|no|nr|number|num|ref|code|index|seq|sequence|rownames)$", re.IGNORECASE
)
_CAMEL_ID: Final = re.compile(r"[a-z](?:Id|ID|Key|No|Number)$")
_EXACT: Final = 2**53  # beyond it a double does not hold every whole number


class Column:
    """One field.

    Args:
        name: with dots for objects in each other.
        values: one for each record, None where there is none.
        by_text: whether all values came as text (CSV), and what looks like a number in all of them is one.
    """

    def __init__(self, name: str, values: Sequence[Any], *, by_text: bool = False) -> None:
        self.name = name
        self.raw = values
        self.by_text = by_text

    @cached_property
    def marked(self) -> int:
        """How many texts stand for nothing."""
        return sum(n for text, n in self._texts.items() if _is_mark(text))

    @cached_property
    def _texts(self) -> Counter[str]:
        return Counter(value for value in self.raw if type(value) is str)

    @cached_property
    def values(self) -> list[Any]:
        """One for each record: None for none and for a mark; numbers that came as text as numbers."""
        values = list(self.raw)
        if self.marked:
            marks = {text for text in self._texts if _is_mark(text)}
            values = [None if type(value) is str and value in marks else value for value in values]
        if self.by_text and self._all_numbers(values):
            return [None if value is None else _as_number(value) for value in values]
        return values

    def _all_numbers(self, values: Sequence[Any]) -> bool:
        some = [value for value in values if value is not None]
        return bool(some) and all(_NUMBER.fullmatch(value) for value in some)

    @cached_property
    def present(self) -> list[Any]:
        """The values there are."""
        return [value for value in self.values if value is not None]

    @property
    def given(self) -> int:
        """How many records have a value."""
        return len(self.present)

    @property
    def missing(self) -> int:
        """How many have none, or a mark for it."""
        return len(self.raw) - self.given

    @cached_property
    def kinds(self) -> Counter[str]:
        """Kinds of its values."""
        names = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}
        return Counter({names.get(kind, "other"): n for kind, n in Counter(map(type, self.present)).items()})

    @property
    def kind(self) -> str:
        """The one kind that all are of; whole numbers among numbers are numbers; "" for several, or none."""
        kinds = set(self.kinds)
        return "number" if kinds == {"integer", "number"} else kinds.pop() if len(kinds) == 1 else ""

    @cached_property
    def times(self) -> Times | None:
        """Its times, when it holds such."""
        return read_times(self.name, self.values)

    @cached_property
    def counts(self) -> Counter[Any]:
        """How often each value is there; of lists and objects nothing."""
        return Counter(value for value in self.present if type(value) is not list and type(value) is not dict)

    @cached_property
    def numbers(self) -> list[float]:
        """Its numbers, finite ones."""
        return [float(v) for v in self.present if type(v) in {int, float} and abs(v) < 1e300 and not math.isnan(v)]

    @cached_property
    def is_id(self) -> bool:
        """Whether it names its record: by its own name, with hardly a value twice."""
        if self.given < 20 or self.kind not in {"integer", "string"}:
            return False
        named = (
            _ID.search(self.name) is not None
            or _CAMEL_ID.search(self.name) is not None
            or self.name.startswith("column 1")
        )
        return named and len(self.counts) > 0.5 * self.given

    @cached_property
    def is_measure(self) -> bool:
        """Whether it holds numbers that say how much: no identifier, no time, no position in the file."""
        if self.kind not in {"integer", "number"} or self.times is not None or self.is_id or len(self.counts) < 20:
            return False
        return not self._counts_up

    @cached_property
    def _counts_up(self) -> bool:
        numbers = self.numbers
        up = sum(a < b for a, b in itertools.pairwise(numbers))
        return len(numbers) > 2 and up >= 0.9 * (len(numbers) - 1)  # a number that was given out; some came late

    @cached_property
    def beyond_double(self) -> int:
        """Whole numbers that a reader which uses doubles would change."""
        return sum(type(value) is int and abs(value) > _EXACT for value in self.present)

    @cached_property
    def leading_zeros(self) -> int:
        """Texts of digits that begin with a zero, and would lose it as a number."""
        return sum(n for text, n in self._texts.items() if len(text) > 1 and text[0] == "0" and text.isdigit())

    @cached_property
    def decimal_commas(self) -> int:
        """Texts that are numbers with a comma."""
        return sum(n for text, n in self._texts.items() if "," in text and _COMMA.fullmatch(text))

    @cached_property
    def lengths(self) -> list[int]:
        """Characters of each text."""
        return [len(value) for value in self.present if type(value) is str]

    @property
    def is_prose(self) -> bool:
        """Whether people write in it: texts of several words, hardly any twice."""
        if self.kind != "string" or self.times is not None or self.given < 50:
            return False
        texts = self.present[:500]
        words = sum(text.count(" ") >= 2 for text in texts)
        return words > 0.5 * len(texts) and len(self.counts) > 0.5 * self.given


def _is_mark(text: str) -> bool:
    return len(text) <= _LONGEST_MARK and text.strip().casefold() in MARKS


def _as_number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
