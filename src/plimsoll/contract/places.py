"""Places in a record, as contracts name them with dots, and the values that stand there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from plimsoll.contract.coerce import pointer_step
from plimsoll.contract.rules import Field, LogicalType

ITEM: Final = "[]"  # a step into a list
VALUE: Final = ".value"  # a step into a map
_QUICKLY: Final = msgspec.json.Encoder(order="sorted", enc_hook=str).encode
_ANYHOW: Final = json.JSONEncoder(sort_keys=True, default=str, separators=(",", ":")).encode


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place below a schema object."""

    steps: tuple[str, ...]
    field: Field | None = None  # what is declared there; None: nothing is

    @property
    def pointer(self) -> str:
        """JSON Pointer of it, up to the first list or map: where that begins is as near as a name can say."""
        plain: list[str] = []
        for step in self.steps:
            if step in {ITEM, VALUE}:
                break
            plain.append(pointer_step(step))
        return "".join(f"/{step}" for step in plain)

    @property
    def is_one(self) -> bool:
        """Whether a record has one value there; in a list or map it has many."""
        return ITEM not in self.steps and VALUE not in self.steps


def place_of(name: str, record: Field | None) -> Place:
    """The place of a dotted field below its schema object; names may hold dots themselves."""
    if record is None or not name.startswith(f"{record.name}."):
        return Place(steps=(), field=record)
    rest, field = name[len(record.name) + 1 :], record
    steps: list[str] = []
    while rest:
        step, below = _next(rest, field)
        if step is None:
            break
        steps.append(step)
        rest = rest.removeprefix(step.removeprefix(".")).removeprefix(".")
        field = below or Field(name="", line=0, column=0)
    return Place(steps=tuple(steps), field=field)


def steps_of(name: str, record: Field | None) -> tuple[str, ...]:
    """The steps to a dotted field below its schema object."""
    return place_of(name, record).steps


def _next(rest: str, field: Field) -> tuple[str | None, Field | None]:
    if rest.startswith(ITEM):
        return ITEM, field.items
    if field.type is LogicalType.MAP and (rest == "value" or rest.startswith(("value.", "value["))):
        return VALUE, field.value
    named = [f for f in field.fields if rest == f.name or rest.startswith((f"{f.name}.", f"{f.name}["))]
    found = max(named, key=lambda f: len(f.name), default=None)
    return (None, None) if found is None else (found.name, found)


def values_at(value: Any, steps: tuple[str, ...] | list[str]) -> Iterator[Any]:
    """Every value at a place; None where there is nothing."""
    if not steps:
        yield value
    elif steps[0] == ITEM:
        for item in value if isinstance(value, list) else ():
            yield from values_at(item, steps[1:])
    elif steps[0] == VALUE:
        for item in value.values() if isinstance(value, dict) else ():
            yield from values_at(item, steps[1:])
    else:
        yield from values_at(value.get(steps[0]) if isinstance(value, dict) else None, steps[1:])


def keys_at(value: Any, places: tuple[Place, ...]) -> Iterator[tuple[Any, ...]]:
    """The keys that a record has: of a field in a list many, of several fields one value of each.

    What is null, or not there, is like nothing else: no key has it.
    """
    found = [list(values_at(value, place.steps)) for place in places]
    for key in zip(*found, strict=False) if len(found) > 1 else ((v,) for v in found[0]):
        if all(v is not None for v in key):
            yield key


def mark(values: tuple[Any, ...], size: int = 8) -> bytes:
    """Bytes that stand for values; 1 and 1.0 are one value, and true is none of them.

    Args:
        values: JSON values.
        size: bytes of the mark: with 8, two of a hundred million that differ are taken for equal with a chance of one
            in four thousand; with 16, never in practice.
    """
    plain = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    try:
        written = _QUICKLY(plain)
    except (TypeError, ValueError, OverflowError, RecursionError):  # half a character, or no JSON
        written = _ANYHOW(plain).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(written, digest_size=size).digest()
