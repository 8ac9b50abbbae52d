"""What was seen in records: kinds of values, how often, between which limits. The base of an inferred contract."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import jsonschema_rs

from plimsoll.contract.dates import is_written, iso_timestamp, read_layout
from plimsoll.errors import UsageError

# Of objects and lists in each other that are described; deeper ones are left open. Each is up to three levels of
# YAML, of which the reader takes 64.
MAX_DEPTH: Final = 12
_MAX_FIELDS: Final = 200  # of one object; more names than that are data, not a design
_MAX_SEEN: Final = 5_000  # places that are described in all
_MAX_VALUES: Final = 24  # different values that are counted; more are no enumeration
_MAX_TEXT: Final = 100  # characters of a text that can be one of an enumeration
_IDENTIFIES: Final = 10**6  # a whole number of fewer digits is no identifier
_MAX_NAME: Final = 200  # characters of a name that can be a field's


Finder = Callable[[str, str], Iterable[str]]  # of a text, and the name of the field it stands in


def _format(name: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = jsonschema_rs.validator_for({"format": name}, validate_formats=True).is_valid
    return is_valid


def _written(layout: str) -> Callable[[str], bool]:
    read = read_layout(layout)
    return lambda text: is_written(read, text)


# Ways to write a date or a time beside ISO 8601. The first two cannot both be meant.
DIALECTS: Final[Mapping[str, str]] = {
    "dd/MM/yyyy": "date",
    "MM/dd/yyyy": "date",
    "dd.MM.yyyy": "date",
    "dd-MM-yyyy": "date",
    "yyyy/MM/dd": "date",
    "yyyy-MM-dd HH:mm": "timestamp",
    "yyyy-MM-dd HH:mm:ss": "timestamp",
}
_ANY_TIMESTAMP: Final = iso_timestamp(offset=None)
FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": _format("date"),
    "date-time": _format("date-time"),
    "timestamp": lambda text: is_written(_ANY_TIMESTAMP, text),
    "uuid": _format("uuid"),
    "email": _format("email"),
    **{layout: _written(layout) for layout in DIALECTS},
}


class Seen:
    """Everything seen at one place of the records."""

    def __init__(self, depth: int = 0, name: str = "") -> None:
        self.depth = depth
        self.name = name  # of the field; of items, that of their list
        self.personal: Counter[str] = Counter()  # kinds of personal data, and in how many values each was found
        self.rows = 0  # records in which it was seen; the many items of one list are no more evidence than it
        self.last_row = 0
        self.times = 0  # how often a value was there, null or not
        self.nulls = 0
        self.kinds: Counter[str] = Counter()  # string, integer, number, boolean, object, array
        self.low: float | None = None  # of numbers
        self.high: float | None = None
        self.at_low = 0  # how often the lowest was seen
        self.at_high = 0
        self.shortest = 0  # of texts, characters
        self.longest = 0
        self.formats = set(FORMATS)  # that every text so far has had
        self.values: Counter[Any] | None = Counter()  # None: too many different ones
        self.fields: dict[str, Seen] = {}
        self.left_out = False  # fields were seen that are not described
        self.items: Seen | None = None
        self.fewest = 0  # items of lists
        self.most = 0

    @property
    def given(self) -> int:
        """How often there was a value other than null."""
        return self.times - self.nulls


class Profile:
    """Looks at records, one after another."""

    def __init__(self, personal: Finder | None = None) -> None:
        """Begin.

        Args:
            personal: says which kinds of personal data stand in a text under a name; None: nothing is looked for.
        """
        self._personal = personal
        self.rows = 0
        self.root = Seen()
        self._places = 1

    def add_all(self, records: Iterable[Any]) -> None:
        """Look at every record.

        Raises:
            UsageError: a record is not an object, or holds something that JSON has no form for.
        """
        for record in records:
            self.rows += 1
            if not isinstance(record, dict):
                raise UsageError(
                    f"record {self.rows} is {type(record).__name__}; a contract describes objects",
                    fix="give one JSON object for each record",
                )
            self._add(self.root, record)

    def _add(self, seen: Seen, value: Any) -> None:
        seen.times += 1
        if seen.last_row != self.rows:
            seen.last_row = self.rows
            seen.rows += 1
        if value is None:
            seen.nulls += 1
        elif isinstance(value, bool):
            seen.kinds["boolean"] += 1
        elif isinstance(value, int | float):
            self._add_number(seen, value)
        elif isinstance(value, str):
            self._add_text(seen, value)
        elif isinstance(value, list | tuple):
            self._add_list(seen, value)
        elif isinstance(value, dict):
            self._add_object(seen, value)
        else:
            raise self._no_json(type(value).__name__)

    def _no_json(self, what: str) -> UsageError:
        return UsageError(f"record {self.rows} holds {what}, which JSON has no form for", fix="give plain JSON values")

    def _add_number(self, seen: Seen, value: float) -> None:
        if not math.isfinite(value) if isinstance(value, float) else value.bit_length() > 1_000:
            raise self._no_json("a number that is not finite" if isinstance(value, float) else "a number too long")
        seen.kinds["integer" if isinstance(value, int) else "number"] += 1
        if self._personal is not None and isinstance(value, int) and abs(value) >= _IDENTIFIES:
            seen.personal.update(set(self._personal(str(value), seen.name)))
        if seen.low is None or value < seen.low:
            seen.low, seen.at_low = value, 0
        if seen.high is None or value > seen.high:
            seen.high, seen.at_high = value, 0
        seen.at_low += value == seen.low
        seen.at_high += value == seen.high

    def _add_text(self, seen: Seen, value: str) -> None:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self._no_json("half a character (a lone surrogate)") from None
        if self._personal is not None:
            seen.personal.update(set(self._personal(value, seen.name)))
        n = len(value)
        seen.shortest = min(seen.shortest, n) if seen.kinds["string"] else n
        seen.longest = max(seen.longest, n)
        seen.kinds["string"] += 1
        for name in [f for f in seen.formats if not FORMATS[f](value)]:
            seen.formats.discard(name)
        if seen.values is not None:
            if n <= _MAX_TEXT:
                seen.values[value] += 1
            if n > _MAX_TEXT or len(seen.values) > _MAX_VALUES:
                seen.values = None

    def _add_list(self, seen: Seen, value: list[Any] | tuple[Any, ...]) -> None:
        n = len(value)
        seen.fewest = min(seen.fewest, n) if seen.kinds["array"] else n
        seen.most = max(seen.most, n)
        seen.kinds["array"] += 1
        if value and seen.items is None:
            seen.items = self._new(seen, seen.name)
        if seen.items is not None:
            for item in value:
                self._add(seen.items, item)

    def _add_object(self, seen: Seen, value: dict[Any, Any]) -> None:
        seen.kinds["object"] += 1
        for name, item in value.items():
            if not isinstance(name, str):
                raise self._no_json(f"a name that is {type(name).__name__}")
            if name not in seen.fields:
                fits = name.strip() and len(name) <= _MAX_NAME and len(seen.fields) < _MAX_FIELDS
                below = self._new(seen, name) if fits else None
                if below is None:
                    seen.left_out = True
                    continue
                seen.fields[name] = below
            self._add(seen.fields[name], item)

    def _new(self, above: Seen, name: str) -> Seen | None:
        """Room for one more place; None when there is none left, or it would be too deep."""
        if above.depth >= MAX_DEPTH or self._places >= _MAX_SEEN:
            return None
        self._places += 1
        return Seen(above.depth + 1, name)
