"""The people, places and promises around the data: servers, team, roles, support and service levels, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from plimsoll.contract.notes import Notes
from plimsoll.contract.odcs import SHAPES
from plimsoll.contract.terms import Channel, Member, Role, Server, ServiceLevel
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path

# The standard's names of service levels by their short forms (its page "Service-Level Agreement"); in any case.
LEVELS: Final[Mapping[str, str]] = {
    "availability": "av",
    "throughput": "th",
    "errorRate": "er",
    "generalAvailability": "ga",
    "endOfSupport": "es",
    "endOfLife": "el",
    "retention": "re",
    "frequency": "fy",
    "latency": "ly",
    "freshness": "",
    "timeToDetect": "td",
    "timeToNotify": "tn",
    "timeToRepair": "tr",
    "timeOfAvailability": "",
}
_NAMES: Final = {name.casefold(): name for name in LEVELS} | {short: name for name, short in LEVELS.items() if short}
_DURATIONS: Final = frozenset(
    {"retention", "frequency", "latency", "freshness", "timeToDetect", "timeToNotify", "timeToRepair"}
)
_RATIOS: Final = frozenset({"availability", "errorRate"})
_DAY: Final = 86_400.0
_SECONDS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7 * _DAY),
    **dict.fromkeys(("mo", "mon", "month", "months"), 30.436875 * _DAY),  # a twelfth of the year below
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 365.2425 * _DAY),  # the mean of the Gregorian calendar
}
_WITH_UNIT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")
_ISO: Final = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_ISO_UNITS: Final = ("y", "mo", "w", "d", "h", "min", "s")


def read_levels(items: list[dict[str, Any]], default_element: str, notes: Notes) -> tuple[ServiceLevel, ...]:
    """Read ``slaProperties``.

    A duration or a share that is not understood is noted as a warning: the promise stays, and nothing can measure it.

    Args:
        items: as the file gives them.
        default_element: ``slaDefaultElement``; "" when there is none.
        notes: takes the warnings.
    """
    return tuple(_level(item, ("slaProperties", i), default_element, notes) for i, item in enumerate(items))


def _level(item: dict[str, Any], path: Path, default_element: str, notes: Notes) -> ServiceLevel:
    written, value, unit = _text(item, "property"), item.get("value"), _text(item, "unit")
    name = _NAMES.get(written.casefold(), written)
    if name not in LEVELS and written:
        near = nearest(written, LEVELS)
        if near is not None:
            said = f"{quoted(written)} is not one of the standard's service levels"
            notes.warning("word", (*path, "property"), said, fix=f"did you mean '{near}'?")
    seconds = seconds_of(value, unit) if name in _DURATIONS else None
    ratio = _ratio(value, unit) if name in _RATIOS else None
    if name in _DURATIONS and seconds is None:
        fix = "write a number as value, and s, min, h, d, w, month or y as unit"
        said = f"the duration {quoted(f'{value} {unit}'.strip())} of {name} is not understood, so it is not measured"
        notes.warning("sla", (*path, "value"), said, fix=fix)
    if name in _RATIOS and ratio is None:
        said = f"the share {quoted(f'{value} {unit}'.strip())} of {name} is not understood, so it is not measured"
        notes.warning("sla", (*path, "value"), said, fix="write a number as value, and percent as unit")
    where = notes.source.where(path)
    element = _text(item, "element") or default_element
    return ServiceLevel(
        property=name,
        value=value,
        unit=unit,
        seconds=seconds,
        ratio=ratio,
        fields=tuple(part.strip() for part in element.split(",") if part.strip()),
        driver=_text(item, "driver"),
        line=where.line,
        column=where.column,
    )


def seconds_of(value: Any, unit: str) -> float | None:
    """A duration in seconds; None when it is none. ``m`` alone could be months or minutes, and is not understood.

    Args:
        value: a number, or a text with its unit, or one in ISO 8601.
        unit: as the file writes it; "" when it is part of the value.

    >>> seconds_of(4, "h"), seconds_of("2 days", ""), seconds_of("PT15M", ""), seconds_of(1, "m")
    (14400.0, 172800.0, 900.0, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        iso = _ISO.fullmatch(value.strip())
        if iso is not None and any(iso.groups()) and not unit:
            parts = zip(iso.groups(), _ISO_UNITS, strict=True)
            return sum(float(amount) * _SECONDS[name] for amount, name in parts if amount)
        match = _WITH_UNIT.fullmatch(value)
        if match is None or (match[2] and unit):
            return None
        value, unit = float(match[1]), match[2] or unit
    if not isinstance(value, int | float) or value < 0:
        return None
    factor = _SECONDS.get(unit.casefold())
    return None if factor is None else value * factor


def _ratio(value: Any, unit: str) -> float | None:
    """A share as a fraction of 1; None when it is not said what it is of."""
    if isinstance(value, str):
        match = _WITH_UNIT.fullmatch(value)
        if match is None or (match[2] and unit):
            return None
        value, unit = float(match[1]), match[2] or unit
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    percent = unit.casefold() in {"%", "percent", "pct"}
    if (unit and not percent) or not 0 <= value <= (100 if percent else 1):
        return None
    return value / 100 if percent else float(value)


def read_servers(items: list[dict[str, Any]], notes: Notes) -> tuple[Server, ...]:
    """Read ``servers``: where the data is."""
    made: list[Server] = []
    for i, item in enumerate(items):
        where = notes.source.where(("servers", i))
        made.append(
            Server(
                name=_text(item, "server"),
                type=_text(item, "type"),
                environment=_text(item, "environment"),
                settings={key: value for key, value in item.items() if key not in SHAPES["server"].keys},
                line=where.line,
                column=where.column,
            )
        )
    return tuple(made)


def read_members(team: Any, notes: Notes) -> tuple[Member, ...]:
    """Read ``team``: a list of members before v3.1, a group that holds one since."""
    grouped = isinstance(team, dict)
    items = team.get("members") if grouped else team
    path: Path = ("team", "members") if grouped else ("team",)
    return tuple(
        Member(
            username=_text(item, "username"),
            name=_text(item, "name"),
            role=_text(item, "role"),
            since=_text(item, "dateIn"),
            until=_text(item, "dateOut"),
            line=notes.source.where((*path, i)).line,
        )
        for i, item in enumerate(items if isinstance(items, list) else [])
        if isinstance(item, dict)
    )


def read_roles(items: list[dict[str, Any]], notes: Notes) -> tuple[Role, ...]:
    """Read ``roles``: rights to the data."""
    return tuple(
        Role(
            role=_text(item, "role"),
            access=_text(item, "access"),
            approvers=tuple(
                name for key in ("firstLevelApprovers", "secondLevelApprovers") if (name := _text(item, key))
            ),
            line=notes.source.where(("roles", i)).line,
        )
        for i, item in enumerate(items)
    )


def read_support(items: list[dict[str, Any]], notes: Notes) -> tuple[Channel, ...]:
    """Read ``support``: where help is found."""
    return tuple(
        Channel(
            channel=_text(item, "channel"),
            url=_text(item, "url"),
            tool=_text(item, "tool"),
            scope=_text(item, "scope"),
            line=notes.source.where(("support", i)).line,
        )
        for i, item in enumerate(items)
    )


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""  # of another kind: the shape says so already
