"""Decoding what comes from outside, so strictly that one meaning has one form.

A reader that forgives (duplicate keys, stray base64 bits, unknown fields) lets two programs see two contents under one
signature. What is not exactly right is refused here, before a signature is looked at.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from typing import Any, Final, TypeVar

import msgspec

from plimsoll.attest.moments import from_text
from plimsoll.errors import VerificationFailed

MAX_BYTES: Final = 8 * 1024 * 1024  # some thousand times an attestation; beyond it the file is something else

_URL_SAFE: Final = str.maketrans("-_", "+/")

T = TypeVar("T")


def failed(check: str, message: str, *, fix: str = "") -> VerificationFailed:
    """An error that says in its ``code`` which check failed (``verification.subject``), and in words why."""
    error = VerificationFailed(message, fix=fix)
    error.code = f"verification.{check}"
    return error


def read_json(raw: bytes, kind: type[T], what: str) -> T:
    """Decode JSON into one of our types.

    Args:
        raw: UTF-8, at most `MAX_BYTES`.
        kind: the type; whether unknown fields are refused is said by the type.
        what: what is read, for messages: "the envelope".

    Raises:
        VerificationFailed: too large, not UTF-8, not JSON, a key twice in one object, or not of the type.
    """
    if len(raw) > MAX_BYTES:
        raise failed("malformed", f"{what} has {len(raw):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        # Two readers, and both must agree that it is well-formed: the first sees keys that occur twice, the second
        # checks the types and refuses half a surrogate pair.
        json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        return msgspec.json.decode(raw, type=kind)
    except UnicodeDecodeError as error:
        raise failed("malformed", f"{what} is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise failed("malformed", f"{what} is nested too deeply") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise failed("malformed", f"{what} is not as it must be: {_plain(error)}") from error


def read_base64(text: str, what: str) -> bytes:
    """Decode base64, standard or URL-safe, with padding and without stray bits.

    Raises:
        VerificationFailed: it is not base64, mixes both alphabets, or is not the one way to write these bytes.
    """
    standard = text.translate(_URL_SAFE)
    mixed = standard != text and ("+" in text or "/" in text)
    try:
        raw = base64.b64decode(standard.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise failed("malformed", f"{what} is not base64") from error
    if mixed or base64.b64encode(raw).decode() != standard:
        raise failed("malformed", f"{what} is not the one way to write its bytes in base64")
    return raw


def read_moment(text: str, what: str) -> int:
    """A moment out of a statement, in nanoseconds since the epoch.

    Raises:
        VerificationFailed: it is not RFC 3339, UTC.
    """
    try:
        return from_text(text)
    except ValueError as error:
        raise failed("malformed", f"{what} holds a moment that is none: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:40]!r} occurs twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"the number {name} is not JSON")


def _plain(error: Exception) -> str:
    """A parser's message as the middle of a sentence."""
    text = str(error).split("\n", 1)[0][:200]
    return text[:1].lower() + text[1:]
