"""Obvious personal data in a record: e-mail addresses, accounts, cards, phone numbers, national identifiers.

What is looked for has a form that can be told without knowing the person. Names, addresses, dates of birth and what
somebody writes about somebody are not found; a field that can hold them must be classified in its contract.

A finding names the kind and the place, never the value. The time is linear in the length of a text, whatever stands in
it. How often it is right and wrong is measured by ``benchmarks/personal.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from plimsoll.policy.personal_forms import PersonalKind, Span, emails, has_numbers, is_date_or_amount, numbered

LONGEST_PATH: Final = 100_000  # characters; a record as it is taken in is nested 64 deep at most
MOST_VALUES: Final = 1_000_000  # looked at in one record; a record of a megabyte cannot hold more

_LEAST: Final = 10**6  # a whole number of fewer digits is no identifier
_MOST: Final = 10**40


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a record something personal stands; never what."""

    kind: PersonalKind
    path: str  # JSON Pointer; a name that is personal itself is "*" in it
    start: int  # of the text, or of the number as it is written
    end: int
    in_name: bool = False  # it stands in the name of a field


def scan_text(text: str, name: str = "") -> tuple[Span, ...]:
    """What is personal in one text, from left to right, none overlapping another.

    Args:
        text: any.
        name: of the field it stands in: digits alone are a phone number where the field is named so.

    >>> [(s.kind.value, s.start, s.end) for s in scan_text("Write to ann@example.org, card 4111 1111 1111 1111")]
    [('email', 9, 24), ('card', 31, 50)]
    >>> scan_text("Invoice 2026-11-25, 4,299.00 EUR, order 8812345678")
    ()
    """
    found = [] if is_date_or_amount(text) else all_in(text, name)
    if not found:
        return ()
    return tuple(found) if len(found) < 2 else _apart(found)


def all_in(text: str, name: str = "", since: int = 0) -> list[Span]:
    """As `scan_text` from a place on, in no order, and with all that overlaps; also in a date or an amount."""
    found = [*numbered(text, name, since)] if has_numbers(text) else []
    if "@" in text:
        found += emails(text, since)
    return found


def scan(value: Any, name: str = "") -> Iterator[Finding]:
    """What is personal in a value: in every text and number of it, and in the names of fields.

    Args:
        value: as JSON reads it; what is of another type is not looked into.
        name: of the field that holds it.

    Raises:
        ValueError: it holds more than a million values, is nested without end, or holds itself.
    """
    stack: list[tuple[Any, str, str]] = [(value, "", name)]
    seen = 0
    while stack:
        item, path, under = stack.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values are not looked through")
        if len(path) > LONGEST_PATH:  # paths of a value that holds itself would grow until the memory is full
            raise ValueError(f"values whose path is over {LONGEST_PATH:,} characters are not looked through")
        text = item if isinstance(item, str) else text_of_number(item)
        if text is not None:
            for span in scan_text(text, under):
                yield Finding(kind=span.kind, path=path, start=span.start, end=span.end)
        elif isinstance(item, dict):
            for key, below in reversed(item.items()):
                spans = scan_text(key) if isinstance(key, str) else ()
                known = isinstance(key, str) and not spans
                at = f"{path}/{key.replace('~', '~0').replace('/', '~1') if known else '*'}"
                stack.append((below, at, key if known else ""))
                for span in spans:
                    yield Finding(kind=span.kind, path=at, start=span.start, end=span.end, in_name=True)
        elif isinstance(item, list | tuple):
            stack.extend((item[i], f"{path}/{i}", under) for i in reversed(range(len(item))))


def text_of_number(value: Any) -> str | None:
    """A whole number as it is written, when it is long enough to be an identifier or a phone; None otherwise."""
    return str(value) if type(value) is int and _LEAST <= value < _MOST else None


def _apart(found: list[Span]) -> tuple[Span, ...]:
    """Without what overlaps a surer kind; of one kind, the longer one stays."""
    kept: list[Span] = []
    for kind in PersonalKind:
        mine = sorted({s for s in found if s.kind is kind}, key=lambda s: (s.start, -s.end))
        kept = _merged(kept, mine)
    return tuple(kept)


def _merged(kept: list[Span], weaker: list[Span]) -> list[Span]:
    """Both, in order, without those of the second that overlap one of the first, or a longer one of their own."""
    free: list[Span] = []
    at = 0
    for span in weaker:
        while at < len(kept) and kept[at].end <= span.start:
            at += 1
        if at < len(kept) and kept[at].start < span.end:
            continue
        if free and span.start < free[-1].end:
            if span.end - span.start > free[-1].end - free[-1].start:
                free[-1] = span
            continue
        free.append(span)
    return sorted([*kept, *free], key=lambda s: s.start)
