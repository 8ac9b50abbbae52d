"""One record from bytes: what is read, and what is refused with which reason."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plimsoll.contract import parse_record
from plimsoll.model.decision import Fault

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


class _Refused(Exception):
    pass


def _no_duplicates(pairs):
    if len(dict(pairs)) != len(pairs):
        raise _Refused
    return dict(pairs)


def _refuse(_):
    raise _Refused


def _finite(text):
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise _Refused
    return number


def _strict(raw: bytes):
    """The same rules by the standard library alone."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _Refused
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_no_duplicates, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be written
    except (ValueError, RecursionError):
        raise _Refused from None
    return value


def _agree(raw: bytes) -> None:
    parsed = parse_record(raw)
    try:
        expected = _strict(raw)
    except _Refused:
        assert parsed.reasons, raw
        return
    if parsed.reasons:
        assert parsed.reasons[0].rule == "nesting", (raw, parsed.reasons)
    else:
        assert parsed.value == expected


@given(st.binary(max_size=200))
@example(b"[" * 5_000)
@example(b'{"a":' * 5_000)
@example(b'"\\ud800"')
@example(b"1" * 5_000)
@settings(deadline=None)
def test_any_bytes_give_a_value_or_reasons_and_never_an_exception(raw):
    parsed = parse_record(raw)
    assert all(r.fault in {Fault.UNPARSEABLE, Fault.TOO_LARGE} for r in parsed.reasons)
    if raw[:1] not in {b"[", b"{"}:
        _agree(raw)


@given(JSON_VALUES, st.sampled_from([None, (",", ":"), (" , ", " : ")]), st.booleans(), st.data())
@settings(deadline=None, max_examples=300)
def test_a_strict_reading_by_the_standard_library_gives_the_same(value, separators, ascii_only, data):
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    _agree(text)
    at = data.draw(st.integers(0, len(text)))
    _agree(text[:at] + data.draw(st.binary(max_size=2)) + text[data.draw(st.integers(at, len(text))) :])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ":", '":', "\\", "é", "a:b"]),
            st.sampled_from([1, "x", ":", '":"', "\\u003a", {"a": ":"}, [":"], "é:"]),
        ),
        max_size=5,
    ),
    st.booleans(),
    st.sampled_from(["", " ", "\t"]),
)
@settings(deadline=None, max_examples=500)
def test_two_values_of_one_name_are_found_whatever_the_texts_hold(pairs, escape, blank):
    def text(value):
        written = json.dumps(value, ensure_ascii=False)
        return written.replace(":", "\\u003a") if escape and isinstance(value, str) else written

    raw = ("{" + ",".join(f"{text(k)}{blank}:{blank}{text(v)}" for k, v in pairs) + "}").encode()
    names = [k for k, _ in pairs]
    rules = [r.rule for r in parse_record(raw).reasons]
    assert rules == ["duplicate-key"] * (len(names) - len(set(names)))


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b'\xef\xbb\xbf{"a": 1}', "bom"),
        (b'{"a": "\xff"}', "utf-8"),
        ('{"a": 1}'.encode("utf-16"), "utf-8"),
        (b'"\xed\xa0\x80"', "utf-8"),  # a surrogate, encoded
        (b"NaN", "finite"),
        (b'{"a": NaN}', "finite"),
        (b"[-Infinity]", "finite"),
        (b"[1e999]", "finite"),
        (b"9" * 5_000, "finite"),
        (b'"\\ud800"', "json"),
        (b'"\\udc00\\ud800"', "json"),
        (b'{"a": 1', "json"),
        (b'{"a": 1,}', "json"),
        (b"{'a': 1}", "json"),
        (b'{"a": 1} {"b": 2}', "json"),
        (b'{"a": 1}\x00', "json"),
        (b"[01]", "json"),
        (b'"a\nb"', "json"),
        (b"[" * 100_000, "nesting"),
        (b"[" * 65 + b"]" * 65, "nesting"),
        (b'{"a": 1, "b": 2, "a": 1}', "duplicate-key"),
        (b'{"a": 1, "\\u0061": 2}', "duplicate-key"),
    ],
)
def test_what_is_no_record_is_refused_by_name(raw, rule):
    (reason,) = parse_record(raw).reasons
    assert (reason.fault, reason.rule) == (Fault.UNPARSEABLE, rule)
    assert parse_record(raw).value is None


def test_a_record_with_all_that_json_allows_is_read():
    raw = b' \t{"a": [1, -0.5e3, true, null, "\\u00e9\\ud83d\\ude00:{["], "": {"": {}}}\r\n'
    assert parse_record(raw).value == {"a": [1, -500.0, True, None, "é😀:{["], "": {"": {}}}


def test_whole_numbers_beyond_64_bits_are_kept_exactly():
    for number in (2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**300):
        assert parse_record(str(number).encode()).value == number


def test_a_duplicate_is_named_by_its_place():
    (reason,) = parse_record(b'{"items": [{"x": 1}, {"x/y": 1, "x/y": 2}]}').reasons
    assert reason.path == "/items/1/x~1y"


def test_nesting_is_allowed_up_to_the_bound_and_not_one_deeper():
    for depth in (1, 5, 64):
        assert not parse_record(b'{"a":' * depth + b"1" + b"}" * depth, max_depth=depth).reasons
        assert parse_record(b"[" * (depth + 1) + b"]" * (depth + 1), max_depth=depth).reasons[0].rule == "nesting"
    wide = b"[" + b",".join([b"[1]"] * 1_000) + b"]"
    assert not parse_record(wide, max_depth=2).reasons


@pytest.mark.alone
def test_a_line_of_ten_megabytes_is_refused_unread():
    raw = b'{"a": "' + b"x" * 10_000_000
    start = time.perf_counter()
    (reason,) = parse_record(raw).reasons
    assert time.perf_counter() - start < 0.05
    assert (reason.fault, reason.rule, reason.found) == (Fault.TOO_LARGE, "size", "10,000,007 bytes")


def test_reasons_hold_nothing_of_the_record():
    for raw in (b'{"secret": "4711" oops}', b'{"secret": NaN}', b'{"secret": "4711', b'"4711\xff"'):
        (reason,) = parse_record(raw).reasons
        assert "4711" not in reason.found + reason.expected + reason.path
        assert "secret" not in reason.found + reason.expected + reason.path
