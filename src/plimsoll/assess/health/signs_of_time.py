"""Signs in the times of records: when they were made, in which rhythm, and in which order they stand."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from plimsoll.assess.health.column import Column
from plimsoll.assess.health.moments import Fine
from plimsoll.assess.health.signs import LEAST_RECORDS, sign
from plimsoll.model.health import Points, Sign
from plimsoll.stats import burstiness, evenness_tails

DAY_S: Final = 86_400.0
FRESH_S: Final = 2 * DAY_S
STALE_S: Final = 30 * DAY_S
_CLOCKWORK: Final = -0.9  # burstiness
_BURSTY: Final = 0.1
_AT_ONCE: Final = 0.5  # share of records with one moment
_NIGHTS_OF: Final = 500  # records over three days, from which on a daily rhythm would show
_PEOPLE: Final = 1e-6  # probability that hours as uneven as these come by chance
# What is not the time at which the record came: of a person, of a plan, of an end.
_NOT_ARRIVAL: Final = re.compile(
    r"birth|dob|born|expir|due|until|deadline|valid|end|plan|sched|release|publish|founded|open", re.IGNORECASE
)
_ARRIVAL: Final = (
    re.compile(r"receiv|arriv|ingest|logged|event|occurred|observed|captured|recorded", re.IGNORECASE),
    re.compile(r"creat|insert|submit|start|order|request|timestamp|^ts$|_ts$|time_?hour", re.IGNORECASE),
    re.compile(r"time|^at$|_at$|At$|^when$", re.IGNORECASE),
    re.compile(r"date|day", re.IGNORECASE),
)


def arrival_column(columns: Sequence[Column], records: int) -> Column | None:
    """The field that says when a record came; None: there is none that most records have."""
    found = [
        c
        for c in columns
        if c.times is not None and not _NOT_ARRIVAL.search(c.name) and c.given >= 0.5 * records and any(_known(c))
    ]
    for pattern in _ARRIVAL:
        named = [c for c in found if pattern.search(c.name.rpartition(".")[2])]
        if named:
            return max(named, key=lambda c: (-int(c.times.fine) if c.times else 0, len(c.counts)))
    return found[0] if found else None


def signs_of_time(
    columns: Sequence[Column], records: int, *, now_s: float | None, ids: Column | None, hashes: Sequence[int]
) -> Iterator[Sign]:
    """Every sign that rests on times or on the order of the records.

    Args:
        columns: of one source.
        records: how many there are.
        now_s: seconds since 1970; None: freshness is not judged.
        ids: the field that names a record, where there is one.
        hashes: of each record, in their order.
    """
    arrival = arrival_column(columns, records)
    moments = [] if arrival is None else [m for m in _known(arrival) if now_s is None or m <= now_s + DAY_S]
    if arrival is None or arrival.times is None or not moments:
        yield from late_or_corrected([], corrected(ids, hashes), records, field="")
        return
    name, fine = arrival.name, arrival.times.fine
    if now_s is not None:
        yield freshness(moments, now_s, field=name)
    for column in columns:
        if column.times is not None and not _NOT_ARRIVAL.search(column.name):
            yield from one_export_time([*_known(column)], column.times.fine, field=column.name)
    gaps = arrival_gaps(moments, fine, field=name)
    yield from gaps
    if not any(s.points is Points.PREPARED for s in gaps):  # a clock has no nights either; it is one sign, not two
        yield from daily_rhythm(moments, fine, field=name)
    yield from late_or_corrected(moments, corrected(ids, hashes), records, field=name)


def is_fresh(columns: Sequence[Column], records: int, now_s: float) -> bool | None:
    """Whether the newest record is of the last two days; None: no field says."""
    arrival = arrival_column(columns, records)
    if arrival is None:
        return None
    past = [m for m in _known(arrival) if m <= now_s + DAY_S]
    return bool(past) and now_s - max(past) <= FRESH_S


def freshness(moments: Sequence[float], now_s: float, *, field: str) -> Sign:
    """The age of the newest record.

    Args:
        moments: seconds since 1970, at least one.
        now_s: the same, of now.
        field: where they stand.
    """
    newest = max(moments)
    age = now_s - newest
    figure = f"newest {age_text(age)} old"
    if age <= FRESH_S:
        return sign("fresh", Points.LIVE, figure, f"The newest record is of {day(newest)}.", field=field)
    if age > STALE_S:
        said = f"The newest record is of {day(newest)}: nothing that runs today sent it lately."
        return sign("fresh", Points.PREPARED, figure, said, field=field)
    return sign("fresh", Points.NEITHER, figure, f"The newest record is of {day(newest)}.", field=field)


def one_export_time(moments: Sequence[float], fine: Fine, *, field: str) -> Iterator[Sign]:
    """Whether most records carry one and the same moment.

    Args:
        moments: seconds since 1970.
        fine: how fine they are written; days alone say nothing.
        field: where they stand.
    """
    n = len(moments)
    if n < LEAST_RECORDS:
        return
    ((commonest, times),) = Counter(moments).most_common(1)
    figure = f"{times:,} of {n:,} at one moment"
    if times >= _AT_ONCE * n and (fine is not Fine.DAY or times == n):
        said = f"{times / n:.0%} of the records say {day(commonest)} to the second: they were written at one time."
        weight = 1 if fine is Fine.DAY else 2
        yield sign("one-export-time", Points.PREPARED, figure, said, weight=weight, field=field)


def arrival_gaps(moments: Sequence[float], fine: Fine, *, field: str) -> tuple[Sign, ...]:
    """How the records are spread over time.

    Args:
        moments: seconds since 1970.
        fine: how fine they are written; what is written by the day shows no gaps.
        field: where they stand.
    """
    if len(moments) < LEAST_RECORDS or fine is Fine.DAY:
        return ()
    ordered = sorted(moments)
    gaps = [b - a for a, b in itertools.pairwise(ordered)]
    if ordered[0] == ordered[-1]:
        return ()
    b = burstiness(gaps)
    figure = f"burstiness {b:+.2f} of {len(gaps):,} gaps"
    if b <= _CLOCKWORK:
        said = "The records stand at equal distances in time: a clock made them, or a generator."
        return (sign("arrival-gaps", Points.PREPARED, figure, said, field=field),)
    if b >= _BURSTY:
        said = "The records come in bursts with pauses between, as work does."
        return (sign("arrival-gaps", Points.LIVE, figure, said, field=field),)
    said = "The gaps are as chance would have them, which a generator can do as well."
    return (sign("arrival-gaps", Points.NEITHER, figure, said, field=field),)


def daily_rhythm(moments: Sequence[float], fine: Fine, *, field: str) -> Iterator[Sign]:
    """Whether there are nights.

    Args:
        moments: seconds since 1970.
        fine: how fine they are written.
        field: where they stand.
    """
    if len(moments) < _NIGHTS_OF or fine is Fine.DAY or max(moments) - min(moments) < 3 * DAY_S:
        return
    hours = Counter(int(m // 3600) % 24 for m in moments)
    counts = [hours.get(hour, 0) for hour in range(24)]
    _, uneven = evenness_tails(counts)
    figure = f"{max(counts):,} records in the busiest hour, {min(counts):,} in the quietest"
    if uneven > 0.01:
        said = "Every hour of the day has as many records, nights as well."
        yield sign("daily-rhythm", Points.PREPARED, figure, said, field=field)
    elif uneven < _PEOPLE and max(counts) >= 3 * min(counts):
        yield sign("daily-rhythm", Points.LIVE, figure, "The records follow the hours of the day.", field=field)
    else:
        yield sign("daily-rhythm", Points.NEITHER, figure, "The hours differ, and not by much.", field=field)


def late_or_corrected(moments: Sequence[float], changed: int, records: int, *, field: str) -> Iterator[Sign]:
    """Records that stand after a later one, and ids that came again with another content.

    Args:
        moments: seconds since 1970, in the order of the records; empty: not known.
        changed: records whose id came before with another content.
        records: how many there are.
        field: where the times stand.
    """
    steps = [b - a for a, b in itertools.pairwise(moments) if a != b]
    back = sum(step < 0 for step in steps)
    late = min(back, len(steps) - back)  # a file may begin with the newest
    figure = f"{late:,} of {len(steps):,} steps go against the order; {changed:,} corrections"
    name = "late-or-corrected"
    if len(steps) >= LEAST_RECORDS and late > 0.35 * len(steps):
        said = "The records stand in no order of time: they were shuffled, or drawn."
        yield sign(name, Points.PREPARED, figure, said, field=field)
    elif late or changed:
        said = "Some records came late, or were corrected."
        yield sign(name, Points.LIVE, figure, said, field=field)
    elif records >= 500 and len(steps) >= LEAST_RECORDS:
        said = "Not one record came late or was corrected: the order of a query, not of arrivals."
        yield sign(name, Points.PREPARED, figure, said, field=field)


def corrected(ids: Column | None, hashes: Sequence[int]) -> int:
    """Records whose id came before with another content; 0 where nothing names a record."""
    if ids is None:
        return 0
    seen: dict[Any, int] = {}
    changed = 0
    for value, content in zip(ids.values, hashes, strict=True):
        if value is not None and seen.setdefault(value, content) != content:
            changed += 1
    return changed


def _known(column: Column) -> list[float]:
    return [] if column.times is None else [m for m in column.times.moments if m is not None]


def day(moment_s: float) -> str:
    """A moment as its day, UTC."""
    return f"{dt.datetime.fromtimestamp(moment_s, dt.UTC):%Y-%m-%d}"


def age_text(seconds: float) -> str:
    """An age in the unit that a person would use.

    >>> age_text(7200.0), age_text(86_400 * 800.0)
    ('2 hours', '2.2 years')
    """
    units: Mapping[str, float] = {"years": 365.25 * DAY_S, "days": DAY_S, "hours": 3600.0, "minutes": 60.0}
    for name, length in units.items():
        if seconds >= 2 * length:
            number = seconds / length
            return f"{number:.1f} {name}" if name == "years" else f"{number:.0f} {name}"
    return f"{max(seconds, 0.0):.0f} seconds"
