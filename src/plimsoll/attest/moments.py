"""Moments as statements write them: RFC 3339, UTC, whole seconds."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS
MAX_SKEW_NS: Final = 300 * NS  # clocks of two machines differ; beyond five minutes one of them is wrong

_FORM: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def to_text(time_ns: int) -> str:
    """A moment as text, rounded down to the second.

    >>> to_text(1_795_228_200_999_999_999)
    '2026-11-21T02:30:00Z'
    """
    moment = _EPOCH + dt.timedelta(seconds=time_ns // NS)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> int:
    """A moment in nanoseconds since the epoch.

    Raises:
        ValueError: the text is not RFC 3339 in UTC with a ``Z``.

    >>> from_text("2026-11-21T02:30:00Z")
    1795228200000000000
    """
    if not _FORM.fullmatch(text):
        raise ValueError("a moment is written as 2026-11-21T02:30:00Z")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = dt.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.UTC)
    return int((moment - _EPOCH).total_seconds()) * NS + int(fraction.ljust(9, "0") or 0)


def end_of_day(text: str) -> int:
    """The first moment after a day, in nanoseconds since the epoch.

    Raises:
        ValueError: the text is not a date such as ``2027-01-01``.
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError("a day is written as 2027-01-01")
    return from_text(f"{text}T00:00:00Z") + DAY_NS
