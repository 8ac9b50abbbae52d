"""Times in every way in which people and systems write them; which way a column uses, and the moments it means.

Nothing is guessed: 03/04/2026 is a day in March or in April, and a column that leaves it open is said to be so and
gives no moment. A time without an offset is taken for UTC, which moves every hour alike.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections import Counter
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import msgspec

UNCLEAR: Final = "day and month cannot be told apart"
_LEAST: Final = 0.9  # share of a column's values that have to be times
_LOOKED_AT: Final = 400
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_TIMELY: Final = re.compile(
    r"time|date|(?:^|[_.\b])(?:at|ts|on|when)$|_at$|At$|stamp|received|created|updated|day$", re.IGNORECASE
)
_EPOCHS: Final = (("seconds since 1970", 1), ("milliseconds since 1970", 10**3), ("microseconds since 1970", 10**6),
                  ("nanoseconds since 1970", 10**9))  # fmt: skip
_FROM: Final = 946_684_800  # 2000 to 2100: a number before or after is hardly a time
_TO: Final = 4_102_444_800
_CLOCK: Final = r"(?:[T ,]+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?)?"


class Fine(enum.IntEnum):
    """How fine times are written; the worth is the length in seconds."""

    SECOND = 1
    MINUTE = 60
    HOUR = 3600
    DAY = 86_400


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """What a column says of times."""

    written: dict[str, int]  # way of writing -> values; more than one is a finding
    moments: tuple[float | None, ...]  # seconds since 1970, one for each record; None: none, or it cannot be told
    fine: Fine
    fractions: bool = False  # parts of seconds are written
    impossible: int = 0  # values that are written as times and name no day or hour that there is


Reader = Callable[[str], float | None]


def read_times(name: str, values: Sequence[Any]) -> Times | None:
    """The times of a column; None: it holds none.

    Args:
        name: of the field: a number is a time only where the field is named so.
        values: one for each record, None for none.
    """
    given = [value for value in values if value is not None]
    if not given:
        return None
    some = given[:: max(1, len(given) // _LOOKED_AT)]
    if all(type(value) is int or type(value) is float for value in some):
        return _epoch(name, values, given)
    if sum(type(value) is str and _way(value) is not None for value in some) < _LEAST * len(some):
        return None
    ways = [_way(value) if type(value) is str else None for value in values]
    written = Counter(way for way in ways if way is not None)
    order = _slash_order(values, ways) if any(way in _OPEN for way in written) else None
    readers: dict[str, Reader] = {}
    for way in written:
        if way not in _OPEN:
            readers[way] = _READERS[way]
        elif order is not None:
            readers[way] = partial(_of_three, first=order)
    moments = tuple(readers[way](value) if way in readers else None for way, value in zip(ways, values, strict=True))
    named = {way if way not in _OPEN or order else f"{way} ({UNCLEAR})": n for way, n in written.items()}
    known = [moment for moment in moments if moment is not None]
    texts = [value for value in some if type(value) is str]
    fractions = sum(bool(re.search(r":\d\d[.,]\d", value)) for value in texts) * 2 > len(texts)
    return Times(
        written=named,
        moments=moments,
        fine=_fineness(known),
        fractions=fractions,
        impossible=sum(m is None and way in readers for m, way in zip(moments, ways, strict=True)),
    )


def _fineness(moments: Sequence[float]) -> Fine:
    some = moments[:: max(1, len(moments) // 5_000)]
    return next((f for f in (Fine.DAY, Fine.HOUR, Fine.MINUTE) if some and all(m % f == 0 for m in some)), Fine.SECOND)


def _epoch(name: str, values: Sequence[Any], given: Sequence[Any]) -> Times | None:
    if not _TIMELY.search(name.rpartition(".")[2]):
        return None
    for said, factor in _EPOCHS:
        if sum(_FROM <= value / factor < _TO for value in given) >= _LEAST * len(given):
            numbers = (type(v) is int or type(v) is float for v in values)
            moments = tuple(v / factor if ok else None for v, ok in zip(values, numbers, strict=True))
            known = [moment for moment in moments if moment is not None]
            return Times(written={said: len(given)}, moments=moments, fine=_fineness(known), fractions=factor > 1)
    if all(type(value) is int and _COMPACT.fullmatch(str(value)) for value in given):
        return read_times(name, [None if value is None else str(value) for value in values])
    return None


# -- ways of writing


def _iso(text: str) -> float | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def _mail(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


def _of_three(text: str, first: str) -> float | None:
    match = _THREE.fullmatch(text.strip())
    if match is None:
        return None
    a, b, year = int(match[1]), int(match[2]), int(match[3])
    day, month = (a, b) if first == "day" else (b, a)
    return _at(year if year > 99 else 2000 + year, month, day, match.groups()[3:])


def _german(text: str) -> float | None:
    match = _DOTTED.fullmatch(text.strip())
    if match is None:
        return None
    year = int(match[3])
    return _at(year if year > 99 else 2000 + year, int(match[2]), int(match[1]), match.groups()[3:])


def _year_first(text: str) -> float | None:
    match = _YEAR_FIRST.fullmatch(text.strip())
    return None if match is None else _at(int(match[1]), int(match[2]), int(match[3]), match.groups()[3:])


def _compact(text: str) -> float | None:
    match = _COMPACT.fullmatch(text)
    if match is None:
        return None
    return _at(int(match[1]), int(match[2]), int(match[3]), (match[4], match[5], match[6], None))


def _worded(text: str) -> float | None:
    match = _DAY_WORD.fullmatch(text.strip())
    if match is not None:
        day, word, year, clock = int(match[1]), match[2], int(match[3]), match.groups()[3:]
    else:
        match = _WORD_DAY.fullmatch(text.strip())
        if match is None:
            return None
        day, word, year, clock = int(match[2]), match[1], int(match[3]), match.groups()[3:]
    return _at(year, _MONTHS.index(word[:3].casefold()) + 1, day, clock)


def _dot_net(text: str) -> float | None:
    match = _NET.fullmatch(text)
    return None if match is None else int(match[1]) / 1000


def _at(year: int, month: int, day: int, clock: Sequence[str | None]) -> float | None:
    hour, minute, second, half = clock
    h = int(hour or 0)
    if half and h <= 12:
        h = h % 12 + 12 * (half[0] in "pP")
    try:
        return dt.datetime(year, month, day, h, int(minute or 0), int(second or 0), tzinfo=dt.UTC).timestamp()
    except ValueError:
        return None


_THREE: Final = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)" + _CLOCK)
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)" + _CLOCK)
_YEAR_FIRST: Final = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})" + _CLOCK)
_COMPACT: Final = re.compile(
    r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:T?([01]\d|2[0-3])([0-5]\d)([0-5]\d)?)?Z?"
)
_MONTH: Final = "(" + "|".join(_MONTHS) + r")[a-z]*\.?"
_DAY_WORD: Final = re.compile(r"(\d{1,2})[ -]" + _MONTH + r"[ -](\d{4})" + _CLOCK, re.IGNORECASE)
_WORD_DAY: Final = re.compile(_MONTH + r" (\d{1,2}),? (\d{4})" + _CLOCK, re.IGNORECASE)
_NET: Final = re.compile(r"/Date\((-?\d{1,15})\)/")
_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?")
_MAIL: Final = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d .{1,6}")
_OPEN: Final = frozenset({"1/2/2026"})  # ways that leave open which number is the day

_READERS: Final[dict[str, Reader]] = {
    "2026-11-25": _iso,
    "2026-11-25T09:30:00Z": _iso,
    "2026-11-25T09:30:00, without an offset": _iso,
    "25.11.2026": _german,
    "2026/11/25": _year_first,
    "20261125": _compact,
    "25 Nov 2026": _worded,
    "Wed, 25 Nov 2026 09:30:00 GMT": _mail,
    "/Date(1795599000000)/": _dot_net,
}


def _way(text: str) -> str | None:  # noqa: PLR0911 - one return for each way of writing
    if len(text) > 40 or len(text) < 6:
        return None
    if text[:4].isdigit():
        if _ISO_DAY.fullmatch(text):
            return "2026-11-25" if _iso(text) is not None else None
        if (match := _ISO.fullmatch(text)) is not None:
            way = "2026-11-25T09:30:00Z" if match[1] else "2026-11-25T09:30:00, without an offset"
            return way if _iso(text) is not None else None
        if _YEAR_FIRST.fullmatch(text):
            return "2026/11/25"
        if _COMPACT.fullmatch(text):
            return "20261125"
    if _DOTTED.fullmatch(text.strip()):
        return "25.11.2026"
    if _THREE.fullmatch(text.strip()):
        return "1/2/2026"
    if _DAY_WORD.fullmatch(text.strip()) or _WORD_DAY.fullmatch(text.strip()):
        return "25 Nov 2026"
    if _MAIL.fullmatch(text):
        return "Wed, 25 Nov 2026 09:30:00 GMT"
    return "/Date(1795599000000)/" if _NET.fullmatch(text) else None


def _slash_order(values: Sequence[Any], ways: Sequence[str | None]) -> str | None:
    """Which of two numbers is the day: the one that is once above 12. None: neither is, or both are."""
    over = {"day": False, "month": False}
    for value, way in zip(values, ways, strict=True):
        if way in _OPEN and (match := _THREE.fullmatch(value.strip())) is not None:
            over["day"] |= int(match[1]) > 12
            over["month"] |= int(match[2]) > 12
    if over["day"] == over["month"]:
        return None
    return "day" if over["day"] else "month"
