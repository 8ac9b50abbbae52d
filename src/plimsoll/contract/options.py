"""The options of a logical type, as rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeGuard

from plimsoll.contract.dates import ISO_DATE, Layout, iso_time, iso_timestamp, moment, read_layout
from plimsoll.contract.notes import Notes, kind_of
from plimsoll.contract.odcs import BASE64, BITS, DISTANCES, ELEMENTS, FLOATS, FORMATS, HINTS, OPTIONS, RULES
from plimsoll.contract.rules import LogicalType, Rule, RuleName
from plimsoll.contract.values import read_pattern
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path

_PAIRS: Final = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))
_UTC: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z", "Zulu", "Etc/Zulu", "Universal"})


def read_options(
    given: Any,
    path: Path,
    notes: Notes,
    logical: LogicalType | None,
    *,
    field: str,
    minor: int,
) -> tuple[Rule, ...]:
    """Read ``logicalTypeOptions``.

    An option that the standard does not know for this type is a problem, as the standard's own schema has it. Without
    a logical type an option is listed as not enforced: nothing says what it is about.

    Args:
        given: as the file gives them.
        path: of the group of keys.
        notes: takes problems, and options that are not enforced.
        logical: logical type of the property.
        field: what they are about, for the list.
        minor: minor version of the standard.
    """
    if not isinstance(given, dict):
        return ()
    reader = _Options(given, path, notes, logical, field=field, minor=minor)
    for word in given:
        reader.read(word)
    reader.check_together()
    return tuple(reader.rules)


class _Options:
    """The options of one property."""

    def __init__(
        self,
        given: dict[str, Any],
        path: Path,
        notes: Notes,
        logical: LogicalType | None,
        *,
        field: str,
        minor: int,
    ) -> None:
        self.rules: list[Rule] = []
        self._given, self._path, self._notes = given, path, notes
        self._type, self._field, self._minor = logical, field, minor
        self._layout = self._read_layout() if logical is not None and logical.is_temporal else None
        self._readers: dict[str, Callable[[str, Any], None]] = {
            "count": self._count,
            "number": self._number,
            "positive": self._positive,
            "flag": self._flag,
            "word": self._word,
            "pattern": self._pattern,
            "names": self._names,
            "moment": self._moment,
            "layout": lambda _word, _value: None,  # read before all others
            "text": self._text,
        }

    def read(self, word: str) -> None:
        """One option."""
        value = self._given[word]
        if self._type is None:
            self._leave(word, "without a logicalType it does not say which values it is about")
            return
        known = OPTIONS[self._type]
        if word in known:
            self._readers[known[word]](word, value)
            return
        if word == "enum":
            said = f"'enum' is not an option of {self._type} in the standard"
            fix = "list the values under 'enum:' of the property (from v3.2 on), or under customProperties"
            self._notes.problem("unknown-key", (*self._path, word), said, fix=fix, at_key=True)
        else:
            self._notes.unknown("unknown-key", (*self._path, word), f"an option of {self._type}", word, known)

    def check_together(self) -> None:
        """Note bounds that no value can be between."""
        for low, high in _PAIRS:
            a, b = self._given.get(low), self._given.get(high)
            if _is_whole(a) and _is_whole(b) and a > b:
                said = f"{low} {a} is above {high} {b}: no value can be both"
                self._notes.problem("contradiction", (*self._path, low), said, fix="exchange or correct them")
        low_rule, high_rule = self._bound("minimum", "Minimum"), self._bound("maximum", "Maximum")
        if low_rule is not None and high_rule is not None and self._place(low_rule) > self._place(high_rule):
            said = f"{low_rule.name} {low_rule.value} is above {high_rule.name} {high_rule.value}: no value can be both"
            self._notes.problem("contradiction", self._path, said, fix="exchange or correct them")

    def _bound(self, plain: str, ending: str) -> Rule | None:
        return next((r for r in self.rules if r.name == plain or r.name.endswith(ending)), None)

    def _place(self, rule: Rule) -> float:
        if isinstance(rule.value, int | float):
            return rule.value
        assert self._layout is not None, "only dates and times have bounds that are texts"
        at = _moment_of(self._layout, rule.value)
        return at.timestamp() if at is not None else 0.0

    # -- the kinds of options

    def _add(self, name: RuleName, value: Any, word: str) -> None:
        self.rules.append(self._notes.rule(name, value, (*self._path, word)))

    def _leave(self, word: str, why: str) -> None:
        self._notes.leave((*self._path, word), f"logicalTypeOptions.{word}", why, field=self._field)

    def _mistyped(self, word: str, value: Any, wanted: str) -> None:
        self._notes.mistyped((*self._path, word), value, wanted)

    def _count(self, word: str, value: Any) -> None:
        if not _is_whole(value) or value < 0:
            self._mistyped(word, value, "a whole number of 0 or more")
        elif word == "dimensions":
            self._add(RuleName.MIN_ITEMS, value, word)
            self._add(RuleName.MAX_ITEMS, value, word)
        else:
            self._add(RULES[word], value, word)

    def _number(self, word: str, value: Any) -> None:
        if isinstance(value, bool) and self._minor == 0 and word.startswith("exclusive"):
            self._exclusive_flag(word, self._number, exclusive=value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self._mistyped(word, value, "a number")
        else:
            self._add(RULES[word], value, word)

    def _exclusive_flag(self, word: str, read: Callable[[str, Any], None], *, exclusive: bool) -> None:
        """Before v3.1 ``exclusiveMinimum: true`` said that ``minimum`` itself is outside."""
        plain = word.removeprefix("exclusive").lower()
        limit = self._given.get(plain)
        if exclusive and limit is None:
            self._notes.problem("missing", (*self._path, word), f"'{word}: true' needs a '{plain}'", fix=f"{plain}: …")
        elif exclusive and not isinstance(limit, bool):
            read(word, limit)

    def _positive(self, word: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self._mistyped(word, value, "a number above 0")
        else:
            self._add(RULES[word], value, word)

    def _flag(self, word: str, value: Any) -> None:
        if not isinstance(value, bool):
            self._mistyped(word, value, "true or false")
        elif word == "uniqueItems" and value:
            self._add(RuleName.UNIQUE_ITEMS, value, word)
        elif word == "timezone":
            self._timezone(offset=value)
        elif word == "normalized" and value:
            self._leave(word, "the length of a vector is not computed")

    def _timezone(self, *, offset: bool) -> None:
        if "format" not in self._given:
            self._add(RuleName.TIMEZONE, offset, "timezone")
        elif self._layout is not None and self._layout.has_offset is not offset:
            self._leave("timezone", f"the format {quoted(self._layout.text)} decides whether an offset is written")

    def _text(self, word: str, value: Any) -> None:
        """A text that describes; no record can break it."""
        if not isinstance(value, str):
            self._mistyped(word, value, "a text")

    def _word(self, word: str, value: Any) -> None:
        if not isinstance(value, str):
            self._mistyped(word, value, "a text")
        elif word == "distanceMetric":
            if value not in DISTANCES:
                self._notes.unknown("word", (*self._path, word), "a distance", value, sorted(DISTANCES))
        elif word == "elementType":
            self._bits(word, value, ELEMENTS)
        elif self._type is LogicalType.INTEGER:
            self._bits(word, value, BITS)
        elif self._type is LogicalType.NUMBER:
            self._bits(word, value, FLOATS)
        elif value in FORMATS or value == BASE64:
            self._add(RuleName.FORMAT, value, word)
        elif value not in HINTS:
            near = nearest(value, sorted({*FORMATS, BASE64, *HINTS}))
            hint = f"; did you mean '{near}'?" if near else ""
            self._leave(word, f"{quoted(value)} is not a format that can be checked{hint}")

    def _bits(self, word: str, value: str, known: Any) -> None:
        if value not in known:
            self._notes.unknown("word", (*self._path, word), f"a format of {self._type}", value, known)
        elif known[value] is not None and word == "format":
            self._add(RuleName.MINIMUM, known[value][0], word)
            self._add(RuleName.MAXIMUM, known[value][1], word)
        elif known[value] is not None:
            self._add(RuleName.FORMAT, value, word)

    def _pattern(self, word: str, value: Any) -> None:
        pattern = read_pattern(value, (*self._path, word), self._notes)
        if pattern is not None:
            self._add(RuleName.PATTERN, pattern, word)

    def _names(self, word: str, value: Any) -> None:
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            found = kind_of(value)
            said = f"found {found}; a list of names of fields is asked for"
            self._notes.problem("wrong-type", (*self._path, word), said)
        elif len(set(value)) != len(value):
            self._notes.problem("duplicate", (*self._path, word), "a field is named twice", fix="keep one of the two")
        else:
            self._add(RuleName.REQUIRED, tuple(value), word)

    # -- dates and times

    def _read_layout(self) -> Layout | None:
        """How values are written; None when the format is not understood, and is listed."""
        text = self._given.get("format")
        if "format" not in self._given:
            timezone = self._given.get("timezone")
            offset = timezone if isinstance(timezone, bool) else None
            if self._type is LogicalType.DATE:
                return ISO_DATE
            return iso_time(offset=offset) if self._type is LogicalType.TIME else iso_timestamp(offset=offset)
        if not isinstance(text, str):
            self._mistyped("format", text, "a text")
            return None
        try:
            layout = read_layout(text)
        except ValueError as why:
            self._leave("format", f"the format {quoted(text)} is not understood: {why}")
            return None
        self._add(RuleName.FORMAT, text, "format")
        return layout

    def _moment(self, word: str, value: Any) -> None:
        if isinstance(value, bool) and self._minor == 0 and word.startswith("exclusive"):
            self._exclusive_flag(word, self._moment, exclusive=value)
            return
        if not isinstance(value, str):
            self._mistyped(word, value, "a date or a time as a text")
            return
        if self._layout is None:
            self._leave(word, "the format is not understood, so values cannot be compared")
            return
        default = self._given.get("defaultTimezone")
        if self._layout.has_time and not self._layout.has_offset and default is not None and default not in _UTC:
            self._leave(word, f"values without an offset are meant in {quoted(str(default))}, which is not known here")
            return
        if _moment_of(self._layout, value) is None:
            fix = f"write it as {self._layout.text}"
            self._notes.problem("moment", (*self._path, word), f"{quoted(value)} is not such a date or time", fix=fix)
            return
        self._add(RULES[word], value, word)


def _moment_of(layout: Layout, text: str) -> Any:
    """A bound, written as values are, or as ISO 8601."""
    forms = (layout, ISO_DATE, iso_timestamp(offset=None)) if layout.has_date else (layout, iso_time(offset=None))
    return next((at for form in forms if (at := moment(form, text)) is not None), None)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
