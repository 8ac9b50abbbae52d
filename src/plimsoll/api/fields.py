"""A body that is one object of known fields, as for everything that is no record of a decision."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from plimsoll.api.exchange import JSON, Exchange
from plimsoll.api.problem import HttpProblem
from plimsoll.contract import parse_record

T = TypeVar("T", bound=msgspec.Struct)
_MOST: Final = 64 << 10  # bytes


async def read_fields(exchange: Exchange, type_: type[T]) -> T:
    """The body as a value of a type.

    Raises:
        HttpProblem: it is not JSON, too large, or not of that type; nothing of what was sent is repeated.
    """
    if exchange.content_type != JSON:
        raise HttpProblem(415, "request.media", "this takes application/json", fix="set Content-Type")
    raw, whole = await exchange.body(_MOST)
    if not whole:
        raise HttpProblem(413, "request.size", f"this takes at most {_MOST:,} bytes", close=True)
    parsed = parse_record(raw)
    if parsed.reasons:
        reason = parsed.reasons[0]
        raise HttpProblem(400, "request.json", f"the body is no JSON: expected {reason.expected}, found {reason.found}")
    try:
        return msgspec.convert(parsed.value, type_)
    except msgspec.ValidationError as why:
        # msgspec names fields and types, and repeats no value but those of an enumeration.
        raise HttpProblem(422, "request.fields", f"the body is not as it must be: {_said(why)}") from why


def _said(why: msgspec.ValidationError) -> str:
    text = str(why)
    return text if "Invalid enum value" not in text else f"an unknown word{text[text.rfind(' - at') :]}"
