"""Server-sent events, as the standard cuts them, however the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.engine.sse import Event, Events, NotAnEvent

# The examples of the standard (WHATWG HTML, 9.2.6) and what chat endpoints send.
STREAMS = [
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(data=b"YHOO\n+2\n10")]),
    (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
     [Event(data=b"first event"), Event(data=b"second event"), Event(data=b" third event")]),
    (b"data\n\ndata\ndata\n\ndata:\n", [Event(data=b""), Event(data=b"\n")]),
    (b"data:test\n\ndata: test\n\n", [Event(data=b"test"), Event(data=b"test")]),
    (b"event: error\ndata: {}\n\ndata: x\n\n", [Event(data=b"{}", name="error"), Event(data=b"x")]),
    (b"event: only a name\n\ndata: x\n\n", [Event(data=b"x")]),
    (b"\xef\xbb\xbfdata: after a mark\n\n\xef\xbb\xbfdata: not a field\n\n", [Event(data=b"after a mark")]),
    (b"data: a\r\n\r\ndata: b\r\rdata: c\n\r\ndata: d\r\n\n", [Event(data=b) for b in (b"a", b"b", b"c", b"d")]),
    (b'data: {"a": "gr\xc3\xbcn"}\n\ndata: [DONE]\n\n', [Event(data=b'{"a": "gr\xc3\xbcn"}'), Event(data=b"[DONE]")]),
    (b"data: unfinished\n", []),
    (b"data: unfinished", []),
    (b"\n\n\n: ping\n\n", []),
    (b"retry: 10\nunknown: x\nnot even a field\n\n", []),
]  # fmt: skip


def events_of(*chunks: bytes, **more) -> list[Event]:
    parser = Events(**more)
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(("raw", "events"), STREAMS)
def test_a_stream_is_cut_as_the_standard_says(raw, events):
    assert events_of(raw) == events


@pytest.mark.parametrize(("raw", "events"), STREAMS)
def test_a_stream_may_be_split_anywhere(raw, events):
    for at in range(len(raw) + 1):
        assert events_of(raw[:at], raw[at:]) == events, at
    assert events_of(*(raw[at : at + 1] for at in range(len(raw)))) == events
    assert events_of(*(part for at in range(len(raw)) for part in (raw[at : at + 1], b""))) == events


@given(data=st.data(), raw=st.one_of(st.binary(), st.text("data: \r\n:evnt\ufeff").map(str.encode)))
def test_any_bytes_give_the_same_events_however_they_are_split(data, raw):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)))))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert events_of(*chunks) == events_of(raw)


@given(datas=st.lists(st.binary().filter(lambda b: b"\r" not in b)), line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_what_was_sent_as_events_comes_back(datas, line_end):
    raw = b"".join(b"".join(b"data: " + line + line_end for line in data.split(b"\n")) + line_end for data in datas)
    assert [event.data for event in events_of(raw)] == datas


def test_an_event_comes_out_with_the_byte_that_ends_it():
    parser = Events()
    assert list(parser.feed(b"data: x\n")) == []
    assert list(parser.feed(b"\n")) == [Event(data=b"x")]
    assert list(parser.feed(b"data: y\r\n\r")) == [Event(data=b"y")]
    assert list(parser.feed(b"\ndata: z\r\r")) == [Event(data=b"z")]


@pytest.mark.parametrize("endless", [b"x" * 64, b"data: x\n" * 8, b"event: y\n" * 8, b"data"])
def test_an_event_without_an_end_is_refused_when_it_grows_too_long(endless):
    parser = Events(most=1000)
    with pytest.raises(NotAnEvent, match="more than 1,000 bytes"):
        [event for _ in range(1000) for event in parser.feed(endless)]


def test_many_events_are_not_one_long_one():
    assert len(events_of(b"data: 1234567890\n\n" * 1000, most=100)) == 1000
