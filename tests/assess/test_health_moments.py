"""Times in every way in which they are written: read as what they mean, or said not to be told. Never guessed."""

from __future__ import annotations

import datetime as dt

import pytest

from plimsoll.assess.health.moments import UNCLEAR, Fine, read_times

NOON = dt.datetime(2026, 11, 25, 12, 30, 5, tzinfo=dt.UTC).timestamp()
DAY = dt.datetime(2026, 11, 25, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-25T12:30:05Z", NOON),
        ("2026-11-25T14:30:05+02:00", NOON),
        ("2026-11-25 12:30:05", NOON),
        ("2026-11-25T12:30:05.000", NOON),
        ("2026-11-25", DAY),
        ("25.11.2026 12:30:05", NOON),
        ("25.11.26", DAY),
        ("25/11/2026", DAY),
        ("11/25/2026 12:30:05 PM", NOON),
        ("2026/11/25 12:30:05", NOON),
        ("20261125", DAY),
        ("20261125T123005Z", NOON),
        ("25 Nov 2026", DAY),
        ("Nov 25, 2026", DAY),
        ("25-Nov-2026", DAY),
        ("Wed, 25 Nov 2026 12:30:05 GMT", NOON),
        (f"/Date({int(NOON * 1000)})/", NOON),
    ],
)
def test_each_way_of_writing_is_read_as_what_it_means(text, meant):
    times = read_times("received", [text, None])
    assert times is not None
    assert times.moments == (meant, None)


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_numbers_are_times_only_where_the_field_is_named_so(factor):
    value = int(NOON) * factor
    assert read_times("createdAt", [value]).moments == (int(NOON),)
    assert read_times("amount", [value]) is None


def test_a_day_and_a_month_that_cannot_be_told_apart_give_no_moment():
    times = read_times("when", ["3/4/2026", "5/6/2026"])
    assert times.moments == (None, None)
    assert [UNCLEAR in way for way in times.written] == [True]


def test_one_day_above_twelve_tells_for_the_whole_column_and_a_contradiction_for_none():
    assert (
        read_times("when", ["3/4/2026", "13/4/2026"]).moments[0] == dt.datetime(2026, 4, 3, tzinfo=dt.UTC).timestamp()
    )
    assert (
        read_times("when", ["3/4/2026", "4/13/2026"]).moments[0] == dt.datetime(2026, 3, 4, tzinfo=dt.UTC).timestamp()
    )
    assert read_times("when", ["13/4/2026", "4/13/2026"]).moments == (None, None)


def test_ways_are_counted_and_days_that_are_none_are_told():
    times = read_times("when", ["2026-11-25", "25.11.2026", "31.02.2026"])
    assert times.written == {"2026-11-25": 1, "25.11.2026": 2}
    assert (times.impossible, times.moments[2]) == (1, None)


@pytest.mark.parametrize(
    ("texts", "fine"),
    [
        (["2026-11-25", "2026-11-26"], Fine.DAY),
        (["2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z"], Fine.HOUR),
        (["2026-11-25T10:01:00Z", "2026-11-25T11:00:00Z"], Fine.MINUTE),
        (["2026-11-25T10:01:03Z"], Fine.SECOND),
    ],
)
def test_how_fine_they_are_is_told(texts, fine):
    assert read_times("at", texts).fine is fine


@pytest.mark.parametrize(
    "values",
    [["hello world"], ["1234567"], ["4111 1111"], [None], [], [True], ["2026-11-25", "open", "shut"], ["1.2.3"]],
)
def test_what_is_no_time_is_none(values):
    assert read_times("note", values) is None
