"""Dates and times as a contract writes them: the patterns of Java's DateTimeFormatter that people use.

Source: java.time.format.DateTimeFormatter, "Patterns for Formatting and Parsing", which ODCS names for ``format``.
ODCS's own examples depart from it in three ways, which are understood as they are meant: ``YYYY`` and ``DD`` stand for
year and day, ``T`` needs no quotes, and ``Z`` takes ``Z`` as well as ``+01:00`` and ``+0100``.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

import msgspec

_TWO: Final = "[0-9]{2}"
_ONE_OR_TWO: Final = "[0-9]{1,2}"
_HOUR: Final = "(?:[01][0-9]|2[0-3])"
_SIXTY: Final = "[0-5][0-9]"
_AWAY: Final = "[+-](?:0[0-9]|1[0-8])"  # hours of an offset; Java allows 18

# What each run of one letter means: the part of the date it gives, and the text it takes.
_PARTS: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(("yyyy", "uuuu", "YYYY", "y", "u"), ("year", "[0-9]{4}")),
    **dict.fromkeys(("yy", "uu"), ("short_year", _TWO)),
    "MM": ("month", _TWO),
    "M": ("month", _ONE_OR_TWO),
    **dict.fromkeys(("dd", "DD"), ("day", _TWO)),
    "d": ("day", _ONE_OR_TWO),
    "HH": ("hour", _HOUR),
    "H": ("hour", "(?:1?[0-9]|0[0-9]|2[0-3])"),
    "mm": ("minute", _SIXTY),
    "m": ("minute", "[0-5]?[0-9]"),
    "ss": ("second", _SIXTY),
    "s": ("second", "[0-5]?[0-9]"),
    **{"S" * n: ("fraction", f"[0-9]{{{n}}}") for n in range(1, 10)},
    "X": ("offset", f"Z|{_AWAY}(?:{_SIXTY})?"),
    "XX": ("offset", f"Z|{_AWAY}{_SIXTY}"),
    **dict.fromkeys(("XXX", "ZZZZZ"), ("offset", f"Z|{_AWAY}:{_SIXTY}")),
    "x": ("offset", f"{_AWAY}(?:{_SIXTY})?"),
    "xx": ("offset", f"{_AWAY}{_SIXTY}"),
    "xxx": ("offset", f"{_AWAY}:{_SIXTY}"),
    "Z": ("offset", f"Z|{_AWAY}:?{_SIXTY}"),
    "T": ("", "T"),
}
_PIECE: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|(.)", re.DOTALL)
_WORDS: Final = {
    "year": "years", "short_year": "years", "month": "months", "day": "days",
    "hour": "hours", "minute": "minutes", "second": "seconds", "fraction": "fractions", "offset": "offsets",
}  # fmt: skip


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A way to write a date or a time."""

    text: str  # as the contract names it
    regex: re.Pattern[str]  # with a named group for each part
    has_date: bool
    has_time: bool
    has_offset: bool  # always: an offset that may be left out does not count


def read_layout(text: str) -> Layout:
    """Understand a ``format``.

    Raises:
        ValueError: it uses a letter, or a run of letters, that is not supported; says which.

    >>> moment(read_layout("dd/MM/yyyy"), "29/02/2024")
    datetime.datetime(2024, 2, 29, 0, 0, tzinfo=datetime.timezone.utc)
    """
    taken: set[str] = set()
    made: list[str] = []
    for piece in _PIECE.finditer(text):
        literal, letter, other = piece.group(1), piece.group(2), piece.group(3)
        if literal is not None:
            made.append(re.escape(literal.replace("''", "'") or "'"))
        elif letter is None:
            made.append(_punctuation(other))
        else:
            part, takes = _part(piece.group(0))
            made.append(f"(?P<{part}>{takes})" if part else takes)
            if part in taken:
                raise ValueError(f"it asks for {_WORDS[part]} twice")
            taken.add(part)
    taken.discard("")
    if not taken:
        raise ValueError("it holds no part of a date or a time")
    try:
        regex = re.compile("".join(made))
    except re.error:
        raise ValueError("its brackets do not match") from None
    return Layout(
        text=text,
        regex=regex,
        has_date=bool(taken & {"year", "short_year", "month", "day"}),
        has_time=bool(taken & {"hour", "minute", "second"}),
        has_offset="offset" in taken and "(?:" not in made,
    )


def _punctuation(character: str) -> str:
    if character == "[":
        return "(?:"
    if character == "]":
        return ")?"
    return re.escape(character)


def _part(letters: str) -> tuple[str, str]:
    known = _PARTS.get(letters)
    if known is None:
        raise ValueError(f"'{letters}' is not supported")
    return known


_DAY: Final = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
_CLOCK: Final = rf"(?P<hour>{_HOUR}):(?P<minute>{_SIXTY})(?::(?P<second>{_SIXTY})(?:\.(?P<fraction>[0-9]{{1,9}}))?)?"
_OFFSET: Final = f"(?P<offset>[Zz]|{_AWAY}:{_SIXTY})"

_OFFSET_TEXT: Final = {True: "+hh:mm", False: "", None: "[+hh:mm]"}
_OFFSET_PATTERN: Final = {True: _OFFSET, False: "", None: f"{_OFFSET}?"}

ISO_DATE: Final = Layout(text="yyyy-MM-dd", regex=re.compile(_DAY), has_date=True, has_time=False, has_offset=False)


def iso_timestamp(*, offset: bool | None) -> Layout:
    """ISO 8601 date and time of day; with an offset, without one, or (None) either."""
    shown = "yyyy-MM-ddTHH:mm:ss"
    return Layout(
        text=shown + _OFFSET_TEXT[offset],
        regex=re.compile(f"{_DAY}[Tt]{_CLOCK}{_OFFSET_PATTERN[offset]}"),
        has_date=True,
        has_time=True,
        has_offset=offset is True,
    )


def iso_time(*, offset: bool | None) -> Layout:
    """ISO 8601 time of day; with an offset, without one, or (None) either."""
    return Layout(
        text="HH:mm:ss" + _OFFSET_TEXT[offset],
        regex=re.compile(f"{_CLOCK}{_OFFSET_PATTERN[offset]}"),
        has_date=False,
        has_time=True,
        has_offset=offset is True,
    )


def is_written(layout: Layout, text: str) -> bool:
    """Whether a text is written so, and there is such a day. Faster than `moment`."""
    match = layout.regex.fullmatch(text)
    if match is None:
        return False
    if not layout.has_date:
        return True
    try:
        _day(match.groupdict())
    except ValueError:
        return False
    return True


def moment(layout: Layout, text: str) -> datetime | None:
    """The point in time that a text gives, for comparison; None when it is not written so, or there is no such day.

    Without an offset UTC is meant; without a date, the first of January 1970; a fraction is cut at microseconds.
    """
    match = layout.regex.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    try:
        day = _day(part) if layout.has_date else date(1970, 1, 1)
        local = datetime(
            day.year, day.month, day.day,
            int(part.get("hour") or 0), int(part.get("minute") or 0), int(part.get("second") or 0),
            int((part.get("fraction") or "0").ljust(6, "0")[:6]),
            tzinfo=_zone(part.get("offset")),
        )  # fmt: skip
        return local.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day or hour; year 1 or 9999 pushed out of range by an offset
        return None


def _day(part: dict[str, str | None]) -> date:
    short = part.get("short_year")
    year = 2000 + int(short) if short else int(part.get("year") or 1970)  # two digits are 2000 to 2099, as in Java
    return date(year, int(part.get("month") or 1), int(part.get("day") or 1))


def _zone(offset: str | None) -> timezone:
    if offset is None or offset in {"Z", "z"}:
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
