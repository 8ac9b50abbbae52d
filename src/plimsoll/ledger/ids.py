"""Ids of streams: 128 bits that begin with the time, so that they sort by it."""

from __future__ import annotations

import re
import secrets
from typing import Final

_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_IS_ID: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")


def new_id(now_ns: int) -> str:
    """A UUIDv7 as 32 hex digits: 48 bits of milliseconds, 74 random bits.

    Args:
        now_ns: UTC nanoseconds since the epoch.

    Source: RFC 9562, section 5.7.

    >>> new_id(1_700_000_000_000_000_000)[:13]
    '018bcfe568007'
    """
    millis = (now_ns // 1_000_000) & (1 << 48) - 1
    chance = secrets.randbits(74)
    high, low = chance >> 62, chance & (1 << 62) - 1
    return f"{millis << 80 | _VERSION_7 | high << 64 | _VARIANT | low:032x}"


def made_ns(id: str) -> int | None:  # noqa: A002 - the word of the format
    """When an id was made, in UTC nanoseconds since the epoch, as the clock of its maker said; None: it is no id.

    >>> made_ns("018bcfe56800700080000000000000ff")
    1700000000000000000
    >>> made_ns("claims")
    """
    return int(id[:12], 16) * 1_000_000 if _IS_ID.fullmatch(id) else None
