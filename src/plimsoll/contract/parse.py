"""One record from bytes, strictly: what is not exactly one JSON value comes back as reasons, never as an exception."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from plimsoll.contract.coerce import pointer_step
from plimsoll.model.decision import Fault, Reason

MAX_BYTES: Final = 1 << 20  # of a record; one of ten megabytes would stall every other caller while it is read
MAX_DEPTH: Final = 64  # of lists and objects in each other; deeper ones cost stack wherever a record is walked

_DECODE: Final = msgspec.json.Decoder().decode
_ENCODE: Final = msgspec.json.Encoder().encode
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"
_PLACE: Final = re.compile(r"\(byte ([0-9]+)\)")
_NOT_FINITE: Final = re.compile(rb"-?(?:NaN|Infinity)")
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPED_COLON: Final = b"\\u003"  # begins \u003a; other escapes in that row cost a second look, nothing more
_LISTED: Final = 16  # duplicate keys that reasons name
_NAME: Final = 80  # characters of a key that a reason repeats


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """What bytes hold: a value, or the reasons why there is none."""

    value: Any = None
    reasons: tuple[Reason, ...] = ()


def parse_record(raw: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Parsed:
    """Read one record.

    Refused, with a reason each: more than ``max_bytes``; nothing at all; a byte order mark (a record is kept as the
    bytes it came as, and inside a larger JSON text a mark is an error); bytes that are not UTF-8; NaN, Infinity and
    numbers that no double holds; two values of one name in an object; half a surrogate pair; deeper nesting than
    ``max_depth``; anything before or after the value but blanks, tabs and line breaks; and all else that RFC 8259
    does not allow. Whole numbers are kept exactly, however large, up to the digits that Python reads (4,300).

    Args:
        raw: the bytes of one record, without framing.
        max_bytes: a longer record is refused unread.
        max_depth: lists and objects inside each other, the outermost counted as 1; at most about 900.

    >>> parse_record(b'{"amount": 12}').value
    {'amount': 12}
    >>> parse_record(b'{"amount": 1, "amount": 2}').reasons[0].rule
    'duplicate-key'
    """
    if len(raw) > max_bytes:
        expected = f"at most {max_bytes:,} bytes"
        return _refused("size", expected, f"{len(raw):,} bytes", fault=Fault.TOO_LARGE)
    try:
        value = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
        return _explain(raw, why, max_depth)
    if type(value) is not dict and type(value) is not list:
        return Parsed(value)
    nested = raw.find(b"{", 1) >= 0 or raw.find(b"[", 1) >= 0  # most records are flat, and these two looks are quick
    if nested and raw.count(b"[") + raw.count(b"{") > max_depth and _is_deeper(value, max_depth):
        return _too_deep(max_depth)
    # A comma stands before every pair but an object's first. With fewer of them than names were kept, none was dropped.
    surely = type(value) is dict and raw.count(b",") < len(value)
    if not surely and (again := _ENCODE(value)) != raw and (twice := _duplicates(raw, again)):
        return Parsed(None, twice)
    return Parsed(value)


def _duplicates(raw: bytes, again: bytes) -> tuple[Reason, ...]:
    """A reason for each name that an object holds twice.

    The parser keeps the last of two. Written back, its value then has fewer colons than the bytes: every pair has one,
    and those inside texts are the same in both, unless one was written as an escape. Only when the counts differ, or
    such an escape is there, the bytes are read a second time, slowly.

    Args:
        raw: the bytes.
        again: what they were read as, written back; when that is the same, no name stands twice.
    """
    if raw.count(b":") == again.count(b":") and _ESCAPED_COLON not in raw:
        return ()
    pairs = json.loads(raw, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    found: list[Reason] = []
    _find_twice(pairs, "", found)
    return tuple(found)


class _Pairs(list[tuple[str, Any]]):
    """An object with all its pairs, in place of the last of each name."""


def _find_twice(value: Any, path: str, found: list[Reason]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, item in value:
            at = f"{path}/{pointer_step(name[:_NAME])}"
            if name in seen and len(found) < _LISTED:
                expected = "every name once in an object"
                found.append(
                    Reason(fault=Fault.UNPARSEABLE, path=at, rule="duplicate-key", expected=expected, found="it again")
                )
            seen.add(name)
            _find_twice(item, at, found)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _find_twice(item, f"{path}/{i}", found)


def _is_deeper(value: Any, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth + 1):
        level = [v for v in level if type(v) is dict or type(v) is list]
        if not level:
            return False
        level = [item for v in level for item in (v.values() if type(v) is dict else v)]
    return True


# -- why bytes are no record


def _refused(rule: str, expected: str, found: str, *, fault: Fault = Fault.UNPARSEABLE) -> Parsed:
    return Parsed(None, (Reason(fault=fault, path="", rule=rule, expected=expected, found=found),))


def _too_deep(max_depth: int) -> Parsed:
    return _refused("nesting", f"at most {max_depth} lists and objects in each other", "more")


def _explain(raw: bytes, why: Exception, max_depth: int) -> Parsed:
    """The reason, without a single byte of the record in it but those that are no text."""
    if isinstance(why, RecursionError):
        return _too_deep(max_depth)
    return _no_text(raw) or _no_json(raw, str(why))


def _no_text(raw: bytes) -> Parsed | None:
    if not raw.strip(_SPACE):
        return _refused("empty", "one JSON value", "nothing")
    if raw.startswith(_BOM):
        return _refused("bom", "UTF-8 without a byte order mark", "a byte order mark")
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return _refused("utf-8", "text in UTF-8", f"the byte 0x{raw[bad.start]:02x} at {bad.start}")
    return None


def _no_json(raw: bytes, why: str) -> Parsed:
    said = why.removeprefix("JSON is malformed: ")
    if "out of range" in said:
        return _refused("finite", "numbers that a double, or 4,300 digits, can hold", "a number beyond them")
    place = _PLACE.search(said)
    if place and (match := _NOT_FINITE.match(raw, int(place[1]))):
        return _refused("finite", "finite numbers", f"{match[0].decode()} at byte {place[1]}")
    if _HALF.search(raw) and ("truncated" in said or "surrogate" in said):
        return _refused("json", "whole characters", "half a character (a lone surrogate), or a cut record")
    return _refused("json", "one JSON value", said)
