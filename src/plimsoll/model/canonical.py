"""One way to write a value as bytes, so that equal values have equal digests."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder(order="sorted", decimal_format="string")


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: the bytes that digests and signatures are taken over.

    Raises:
        TypeError: the value holds something that JSON has no form for.
    """
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """``sha256:`` and the hex SHA-256 of the canonical bytes of a value."""
    return digest_bytes(canonical(value))


def digest_bytes(raw: bytes) -> str:
    """``sha256:`` and the hex SHA-256 of bytes.

    >>> digest_bytes(b"")[:19]
    'sha256:e3b0c44298fc'
    """
    return "sha256:" + hashlib.sha256(raw).hexdigest()
