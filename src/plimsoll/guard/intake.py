"""What a caller hands to the guard, as the JSON that is recorded and the value that is checked."""

from __future__ import annotations

import base64
import math
import re
from typing import Any, Final

import msgspec

from plimsoll.contract import parse_record
from plimsoll.contract.parse import MAX_BYTES, MAX_DEPTH
from plimsoll.model.decision import Fault, Reason
from plimsoll.model.unavailable import Unavailable


class Intake(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One input, taken in."""

    value: Any = None  # what the target is given when the contract changes nothing
    json: bytes | None = None  # exact JSON; None when it is not JSON
    raw: bytes = b""  # what came, when it is not JSON
    parsed: bool = False  # the value was parsed from bytes, so it is plain JSON already
    reasons: tuple[Reason, ...] = ()  # why it cannot be read at all
    absent: str = ""  # why there is no record at all: its source gave none; "" where there is one

    def plain(self) -> Any:
        """The value as JSON reads it back: lists for tuples and arrays, text for dates and bytes."""
        assert self.json is not None, "only what has a JSON form has a plain value"
        return msgspec.json.decode(self.json)

    @property
    def size(self) -> int:
        """Bytes that are kept of it."""
        return len(self.raw if self.json is None else self.json)

    @property
    def raw_base64(self) -> str:
        """The bytes as the record keeps them."""
        return base64.b64encode(self.raw).decode()


def take_in(given: Any) -> Intake:
    """Read what a caller gave: bytes are one JSON record, anything else is a value with a JSON form.

    NumPy arrays and scalars, bytes inside a value, tuples, dates and msgspec or data classes are recorded in their JSON
    form; the target still gets them as they are. Never raises: what cannot be read comes back with its reasons.
    """
    if type(given) is bytes:
        return _from_bytes(given)
    if isinstance(given, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(given))
    try:
        encoded = _STRICT.encode(given)
    except TypeError:
        return _from_foreign(given)
    except (ValueError, RecursionError) as why:
        return _unreadable(given, why)
    return _bounded(given, encoded)


def _from_bytes(raw: bytes) -> Intake:
    text = raw if len(raw) > MAX_BYTES else raw.strip(b" \t\r\n")
    parsed = parse_record(text)
    if parsed.reasons:  # places are counted in what came
        return Intake(raw=raw, reasons=parsed.reasons if text is raw else parse_record(raw).reasons)
    return Intake(value=parsed.value, json=text, parsed=True)


def _from_foreign(given: Any) -> Intake:
    """The slow path, for values that hold arrays or other things JSON has no form for."""
    if isinstance(given, Unavailable):
        return Intake(absent=given.why or "it gave no record", reasons=(_ABSENT,))
    try:
        encoded = _LENIENT.encode(given)
    except (TypeError, ValueError, RecursionError, NotImplementedError) as why:
        return _unreadable(given, why)
    return _bounded(given, encoded)


_ABSENT: Final = Reason(fault=Fault.MISSING, path="", rule="available", expected="a record", found="none")


def _bounded(given: Any, encoded: bytes) -> Intake:
    if len(encoded) > MAX_BYTES:
        expected = f"at most {MAX_BYTES:,} bytes of JSON"
        reason = Reason(fault=Fault.TOO_LARGE, path="", rule="size", expected=expected, found=f"{len(encoded):,} bytes")
        return Intake(raw=encoded, reasons=(reason,))
    if _is_too_deep(encoded):
        expected = f"at most {MAX_DEPTH} lists and objects in each other"
        reason = Reason(fault=Fault.UNPARSEABLE, path="", rule="nesting", expected=expected, found="more")
        return Intake(raw=encoded, reasons=(reason,))
    # The encoder writes NaN and infinity as null; only a text with a null in it can hide one.
    if b"null" in encoded and (path := _not_finite(given, "", 0)) is not None:
        reason = Reason(
            fault=Fault.UNPARSEABLE, path=path, rule="finite", expected="a finite number", found="NaN or infinity"
        )
        return Intake(raw=repr(given).encode("utf-8", "backslashreplace"), reasons=(reason,))
    return Intake(value=given, json=encoded)


def _unreadable(given: Any, why: BaseException) -> Intake:
    said = f"{type(why).__name__}: {why}"[:300]
    reason = Reason(fault=Fault.UNPARSEABLE, path="", rule="json", expected="a value with a JSON form", found=said)
    try:
        text = repr(given)
    except Exception as broken:  # noqa: BLE001 - a caller's object may fail in any way when asked to describe itself
        text = f"<{type(given).__name__}, whose repr fails with {type(broken).__name__}>"
    return Intake(raw=text[:MAX_BYTES].encode("utf-8", "backslashreplace"), reasons=(reason,))


def _not_finite(value: Any, path: str, depth: int) -> str | None:
    """JSON Pointer of the first NaN or infinity in a value, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    if depth > MAX_DEPTH or isinstance(value, _SCALAR):
        return None
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, (list, tuple, set, frozenset)):
        pairs = enumerate(value)  # type: ignore[assignment]  # both give (part of the path, value)
    elif hasattr(value, "tolist"):
        return _not_finite(value.tolist(), path, depth)
    else:  # a data class and its like: its fields; of all else the text that it is written as
        plain = msgspec.to_builtins(value, enc_hook=_array)
        return None if isinstance(plain, _SCALAR) else _not_finite(plain, path, depth + 1)
    for key, item in pairs:
        found = _not_finite(item, f"{path}/{key}", depth + 1)
        if found is not None:
            return found
    return None


_SCALAR: Final = (str, bytes, int, type(None))


def _is_too_deep(encoded: bytes) -> bool:
    """Whether lists and objects stand in each other more than `MAX_DEPTH` deep.

    Python can hold what it cannot read back: a record that is nested to the limit of the stack is never read again.
    """
    if encoded.count(b"[") + encoded.count(b"{") <= MAX_DEPTH:
        return False
    # Brackets inside texts count for nothing; left in, a text could close what it does not open, and hide depth.
    left = _TEXT.sub(b"", encoded).translate(_AS_LISTS, _NO_BRACKET)
    for _ in range(MAX_DEPTH):  # each time, the innermost ones go
        left = left.replace(b"[]", b"")
    return bool(left)


_AS_LISTS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')


def _array(value: Any) -> Any:
    """NumPy arrays and scalars (and all that behaves like them) as plain lists and numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


def to_json(value: Any) -> bytes:
    """The JSON form of what a target returned.

    Raises:
        TypeError: it has none; so NaN and infinity, which JSON does not know, and what is nested beyond `MAX_DEPTH`.
    """
    try:
        encoded = _STRICT.encode(value)
    except TypeError:
        try:
            encoded = _LENIENT.encode(value)
        except NotImplementedError as why:
            raise TypeError(str(why)) from why
    except (ValueError, RecursionError) as why:
        raise TypeError(f"{type(why).__name__}: {why}") from why
    if _is_too_deep(encoded):
        raise TypeError(f"it is nested more than {MAX_DEPTH} deep")
    if b"null" in encoded and (path := _not_finite(value, "", 0)) is not None:
        raise TypeError(f"NaN or infinity at '{path}' has no JSON form")
    return encoded


_STRICT: Final = msgspec.json.Encoder()
_LENIENT: Final = msgspec.json.Encoder(enc_hook=_array)
