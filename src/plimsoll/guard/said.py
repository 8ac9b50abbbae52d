"""What sources said of the same thing: found again by its key, so that two of them can be held against each other.

Values are kept as digests under a key that only this process has, and as the id of the decision that holds them: no
copy of a payload is left here that an erasure would miss. The newest things are kept, so many and no more.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract.arrivals import SourceRule, span
from plimsoll.contract.terms import Precedence
from plimsoll.model.canonical import canonical

_MOST: Final = 50_000  # things; the one that nothing was said of for longest is forgotten


class Statement(msgspec.Struct, frozen=True):
    """What one source said of one thing, last."""

    source: str
    time_ns: int  # UTC nanoseconds
    values: tuple[bytes, ...]  # a digest for each of the rule's fields, in their order
    record: str = ""  # id of the decision whose input it is


class Thing(msgspec.Struct, frozen=True):
    """A record's thing and what the record says of it; to be kept once its decision is written."""

    key: bytes
    statement: Statement


class Conflict(msgspec.Struct, frozen=True):
    """Another source said otherwise."""

    fields: tuple[str, ...]  # on which the two do not agree
    other: Statement
    wins: bool | None  # whether the source of the record goes before the other; None: neither does

    def said(self, now_ns: int) -> str:
        """In a sentence without any value."""
        ago = span((now_ns - self.other.time_ns) / 1e9)
        named = ", ".join(f"'{field}'" for field in self.fields)
        differs = "differs" if len(self.fields) == 1 else "differ"
        return f"{named} {differs} from what '{self.other.source}' said of the same {ago} ago"


class Said:
    """Of one system, in this process."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self.begin_anew()

    def begin_anew(self) -> None:
        """As it was made: also after a fork."""
        self._lock = threading.Lock()
        self._things: OrderedDict[bytes, dict[str, Statement]] = OrderedDict()

    def of(self, rule: SourceRule, value: Any, now_ns: int) -> Thing | None:
        """What a record says, and of what; None where its key is not whole."""
        precedence = rule.precedence
        if precedence is None:
            return None
        key = [at(value, field) for field in precedence.key]
        if any(part is None for part in key):
            return None
        # The fields' names belong to it: a claim's number and a customer's number are different things.
        name = self._digest([list(precedence.key), [_number(part) for part in key], list(precedence.fields)])
        values = tuple(self._digest(_number(at(value, field))) for field in precedence.fields)
        return Thing(name, Statement(rule.source, now_ns, values))

    def conflict(self, rule: SourceRule, rules: Mapping[str, SourceRule], thing: Thing) -> Conflict | None:
        """The newest statement of another source that does not agree; None: there is none that still counts."""
        assert rule.precedence is not None, "only then there is a thing"
        with self._lock:
            others = sorted(self._things.get(thing.key, {}).values(), key=lambda s: -s.time_ns)
        for other in others:
            theirs = rules[other.source].precedence if other.source in rules else None
            most_s = min(rule.precedence.within_s, theirs.within_s if theirs is not None else 0.0)
            if other.source == rule.source or (thing.statement.time_ns - other.time_ns) / 1e9 > most_s:
                continue
            fields = tuple(
                field
                for field, mine, said in zip(rule.precedence.fields, thing.statement.values, other.values, strict=True)
                if mine != said
            )
            if fields:
                return Conflict(fields, other, _wins(rule, rule.precedence, other.source, theirs))
        return None

    def keep(self, thing: Thing, record: str) -> None:
        """It is written, under this id."""
        statement = msgspec.structs.replace(thing.statement, record=record)
        with self._lock:
            self._things.setdefault(thing.key, {})[statement.source] = statement
            self._things.move_to_end(thing.key)
            if len(self._things) > _MOST:
                self._things.popitem(last=False)

    def _digest(self, value: Any) -> bytes:
        return hashlib.blake2b(canonical(value), digest_size=16, key=self._salt).digest()


def _wins(rule: SourceRule, mine: Precedence, other: str, theirs: Precedence | None) -> bool | None:
    first, second = other in mine.over, theirs is not None and rule.source in theirs.over
    return None if first is second else first  # each before the other says nothing


def at(value: Any, field: str) -> Any:
    """What stands at a dotted field; None where nothing does."""
    for step in field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def put(value: Any, field: str, new: Any) -> Any:
    """The same value with something else at a dotted field."""
    first, _, rest = field.partition(".")
    inside = value if isinstance(value, dict) else {}
    return {**inside, first: put(inside.get(first), rest, new) if rest else new}


def _number(value: Any) -> Any:
    """1 and 1.0 are one number, true is none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
