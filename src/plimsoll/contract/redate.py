"""A record with another date, so that it is as old as a test needs it: a sample is as old as its file."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from plimsoll.contract.arrivals import AgeRule, SourceRule, too_old
from plimsoll.contract.dates import Layout, moment

_STRF: Final = (
    ("yyyy", "%Y"), ("uuuu", "%Y"), ("YYYY", "%Y"), ("MM", "%m"), ("dd", "%d"), ("DD", "%d"), ("HH", "%H"),
    ("mm", "%M"), ("ss", "%S"), ("XXX", "+00:00"), ("XX", "+0000"), ("Z", "+0000"), ("'T'", "T"),
)  # fmt: skip
_ISO: Final = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
_SPARE_S: Final = 172_800.0  # a date counts from the end of its day, so a day more would not always be enough


def fresh(rule: SourceRule, value: Any, now_ns: int) -> Any | None:
    """A record dated now; the record itself where no level names a date in it. None: it cannot be dated so."""
    for age in rule.ages:
        value = _dated(age, value, now_ns / 1e9)
        if value is None:
            return None
    return None if too_old(rule, value, now_ns) else value


def stale(rule: SourceRule, value: Any, now_ns: int) -> Any | None:
    """A record that is older than the first level allows that names a date in it. None: there is none such."""
    if not rule.ages:
        return None
    age = rule.ages[0]
    made = _dated(age, value, now_ns / 1e9 - age.most_s - _SPARE_S)
    return made if made is not None and too_old(rule, made, now_ns) else None


def _dated(age: AgeRule, value: Any, at_s: float) -> Any | None:
    steps = age.field.split(".")
    inside = value
    for step in steps[:-1]:
        inside = inside.get(step) if isinstance(inside, dict) else None
    if not isinstance(inside, dict):
        return None
    at = dt.datetime.fromtimestamp(at_s, dt.UTC)
    was = inside.get(steps[-1])
    for layout in age.layouts:
        # As the record itself writes it, where it does: a record that keeps its contract keeps it then, too.
        if not layout.has_date or (isinstance(was, str) and moment(layout, was) is None):
            continue
        for text in _texts(layout, at):
            if moment(layout, text) is not None and (not isinstance(was, str) or len(text) == len(was)):
                return _with(value, steps, text)
    for layout in age.layouts:
        for text in _texts(layout, at):
            if layout.has_date and moment(layout, text) is not None:
                return _with(value, steps, text)
    return None


def _texts(layout: Layout, at: dt.datetime) -> tuple[str, ...]:
    pattern = layout.text
    for letters, directive in _STRF:
        pattern = pattern.replace(letters, directive)
    return (at.strftime(pattern), *(at.strftime(iso) for iso in _ISO))


def _with(value: Any, steps: list[str], text: str) -> Any:
    if not steps:
        return text
    return {**value, steps[0]: _with(value.get(steps[0]), steps[1:], text)}
