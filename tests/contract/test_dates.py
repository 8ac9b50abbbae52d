"""Dates and times as contracts write them."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract.dates import ISO_DATE, is_written, iso_time, iso_timestamp, moment, read_layout


@pytest.mark.parametrize(
    ("layout", "good", "bad"),
    [
        ("yyyy-MM-dd", ["2024-02-29", "0001-01-01"], ["2023-02-29", "2024-2-9", "0000-01-01", "2024-01-01 "]),
        ("YYYY-MM-DD", ["2024-02-29"], ["2023-02-29"]),
        ("dd.MM.yyyy", ["31.12.2026"], ["31-12-2026", "32.12.2026", "31.11.2026"]),
        ("d/M/yyyy", ["1/2/2026", "01/02/2026"], ["1/13/2026"]),
        ("dd/MM/yy", ["29/02/24"], ["29/02/23"]),
        ("yyyyMMdd", ["20240229"], ["20230229", "2024022"]),
        ("yyyy-MM-dd HH:mm:ss", ["2024-01-01 23:59:59"], ["2024-01-01 24:00:00", "2024-01-01T23:59:59"]),
        ("yyyy-MM-ddTHH:mm:ssZ", ["2024-03-10T14:22:35Z", "2024-03-10T14:22:35+10:00"], ["2024-03-10T14:22:35"]),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", ["2024-03-10T14:22:35.123+01:00"], ["2024-03-10T14:22:35.12Z"]),
        ("HH:mm", ["00:00", "23:59"], ["24:00", "9:00", "12:60"]),
        ("H:m", ["9:5", "09:05", "23:59"], ["24:0"]),
        ("yyyy-MM-dd[ HH:mm]", ["2024-01-01", "2024-01-01 10:00"], ["2024-01-01 10"]),
        ("yyyy 'o''clock'", ["2024 o'clock"], ["2024 oclock"]),
        ("yyyy-MM", ["2024-12"], ["2024-13"]),
    ],
)
def test_a_format_takes_what_it_says_and_nothing_else(layout, good, bad):
    read = read_layout(layout)
    assert [t for t in good if not is_written(read, t)] == []
    assert [t for t in bad if is_written(read, t)] == []


@pytest.mark.parametrize(
    "layout", ["EEE, d MMM yyyy", "hh:mm a", "yyyy-'W'ww", "QQ", "", "---", "yyyy yyyy", "yyyy]", "n"]
)
def test_a_format_that_is_not_understood_is_said_to_be_so(layout):
    with pytest.raises(ValueError):
        read_layout(layout)


@given(st.datetimes(timezones=st.just(UTC)))
@settings(deadline=None)
def test_every_timestamp_that_python_writes_is_read_to_the_same_moment(at):
    assert moment(iso_timestamp(offset=True), at.isoformat()) == at
    assert moment(iso_timestamp(offset=None), at.replace(tzinfo=None).isoformat()) == at
    assert moment(ISO_DATE, at.date().isoformat()) == at.replace(hour=0, minute=0, second=0, microsecond=0)
    assert moment(iso_time(offset=None), at.time().isoformat()) == at.replace(1970, 1, 1)


@given(
    st.text(alphabet="0123456789-:TZ+. ", max_size=30), st.sampled_from(["yyyy-MM-dd", "d.M.yyyy H:mm", "HH:mm:ssXXX"])
)
@settings(deadline=None)
def test_what_is_written_right_has_a_moment_and_the_other_way_round(text, layout):
    read = read_layout(layout)
    assert is_written(read, text) == (moment(read, text) is not None)


def test_offsets_decide_the_moment():
    layout = iso_timestamp(offset=True)
    assert moment(layout, "2024-01-01T00:30:00+01:00") == moment(layout, "2023-12-31T23:30:00Z")
    assert moment(layout, "0001-01-01T00:00:00+01:00") is None  # before the first year that there is
