"""Pseudonyms: marks that stand for values while they are away, and are turned back when an answer comes.

A pseudonym is ``PSN-`` and 20 hexadecimal digits: the first 80 bits of an HMAC-SHA-256 over the value. Under one key
the same value has the same pseudonym, so that a target can still see that two are equal; without the key nobody can try
values out. Who wants decisions that cannot be linked with each other gives each its own key.

A mark can be found again inside a longer text without a word boundary: its length is fixed, and none of the characters
of ``PSN-`` is a hexadecimal digit, so that no mark can begin inside another.

Source: RFC 2104 (HMAC); ENISA (2019), "Pseudonymisation techniques and best practices", section 5 (keyed hashing, and
why a hash without a key is no pseudonym).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from plimsoll.model.canonical import canonical

MARK: Final = "PSN-"
DIGITS: Final = 20
LENGTH: Final = len(MARK) + DIGITS
LEAST_KEY: Final = 16  # bytes; a shorter key can be guessed, and then every value tried out

_FORM: Final = re.compile(rf"{MARK}[0-9a-f]{{{DIGITS}}}")
_BLOCK: Final = 64  # bytes of SHA-256's block
_INNER: Final = bytes(b ^ 0x36 for b in range(256))
_OUTER: Final = bytes(b ^ 0x5C for b in range(256))
_MOST_SALTS: Final = 8  # a mark that stands in the record by chance: 2^-80; so often only where somebody put it there
_ENCODE: Final = msgspec.json.Encoder(enc_hook=str).encode


class CannotApply(ValueError):
    """Why the page cannot be applied to a record, in words that hold nothing of it."""


class Pseudonyms:
    """The pseudonyms of one decision. Holds the values they stand for: it is never recorded.

    Args:
        key: at least 16 bytes that nobody outside knows.
        salt: another one gives other marks, for a record that holds one of these by itself.

    Raises:
        CannotApply: the key is too short.
    """

    __slots__ = ("_by_value", "_inner", "_outer", "values")

    def __init__(self, key: bytes, salt: int = 0) -> None:
        if len(key) < LEAST_KEY:
            raise CannotApply(f"pseudonyms need a key of at least {LEAST_KEY} bytes; this one has {len(key)}")
        # HMAC as RFC 2104 writes it, with the key's two blocks hashed once: half the time of a call for each value.
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER) + bytes([salt]))
        self._outer = hashlib.sha256(block.translate(_OUTER))
        self._by_value: dict[bytes, str] = {}
        self.values: dict[str, Any] = {}  # what each mark stands for

    def of(self, value: Any) -> str:
        """The mark for a value: a text, a number, or anything else that has a JSON form.

        Raises:
            TypeError: it has none.
            CannotApply: another value has the same mark.
        """
        # A text and a number that is written alike are two values, and come back as what they were.
        is_text = isinstance(value, str)
        raw = b"t" + str.encode(value, "utf-8", "surrogatepass") if is_text else b"j" + canonical(value)
        mark = self._by_value.get(raw)
        if mark is None:
            inner, outer = self._inner.copy(), self._outer.copy()
            inner.update(raw)
            outer.update(inner.digest())
            mark = MARK + outer.hexdigest()[:DIGITS]
            self._by_value[raw] = mark
            if mark in self.values:
                raise CannotApply("two values have one pseudonym, so neither could be turned back")
            self.values[mark] = value
        return mark

    def stand_in(self, record: Any) -> bool:
        """Whether one of the marks stands in a record that was not given one: it could not be told apart."""
        raw = _ENCODE(record)
        return MARK.encode() in raw and any(mark.encode() in raw for mark in self.values)


def fresh_salts() -> range:
    """The salts that are tried in turn."""
    return range(_MOST_SALTS)


def restore(value: Any, values: Mapping[str, Any]) -> Any:
    """An output with every pseudonym in it turned back.

    A text that is a pseudonym and nothing else becomes the value itself, of the type it had; inside a longer text, and
    in names, its text (of a value that is none, its JSON). What looks like a pseudonym and is none of these stays.

    Args:
        value: an output: texts, numbers, lists and objects in each other. Of anything else nothing is turned back.
        values: what each mark stands for.
    """
    if not values:
        return value
    kind = type(value)
    if kind is str:
        return _restore_text(value, values)
    if isinstance(value, dict):
        return {restore_text(k, values) if type(k) is str else k: restore(v, values) for k, v in value.items()}
    if isinstance(value, list | tuple):
        back = [restore(item, values) for item in value]
        return tuple(back) if kind is tuple else back
    return value


def _restore_text(text: str, values: Mapping[str, Any]) -> Any:
    if MARK not in text:
        return text
    return values[text] if text in values else restore_text(text, values)


def restore_text(text: str, values: Mapping[str, Any]) -> str:
    """A text with every pseudonym in it turned back into text."""
    if MARK not in text:
        return text
    return _FORM.sub(lambda found: _written(values[found[0]]) if found[0] in values else found[0], text)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


class StreamRestorer:
    """Turns pseudonyms back in a text that comes in pieces, whatever the pieces cut through.

    What could be the beginning of a mark is kept back until it is known; that is at most 23 characters.

    >>> restorer = StreamRestorer({"PSN-00000000000000000000": "Ann"})
    >>> [restorer.feed(piece) for piece in ("Dear PS", "N-0000000000", "0000000000, PS")] + [restorer.end()]
    ['Dear ', '', 'Ann, ', 'PS']
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._kept = ""

    def feed(self, piece: str) -> str:
        """What can leave after this piece."""
        if not self._values:
            return piece
        text = self._kept + piece
        cut = _cut(text)
        self._kept = text[cut:]
        return restore_text(text[:cut], self._values)

    def end(self) -> str:
        """What was kept back, when no piece is left."""
        kept, self._kept = self._kept, ""
        return kept


_BEGUN: Final = re.compile(rf"(?:P|PS|PSN|{MARK}[0-9a-f]{{0,{DIGITS - 1}}})\Z")


def _cut(text: str) -> int:
    """Where a mark may have begun that is not whole yet; the length of the text when none has."""
    found = _BEGUN.search(text, max(0, len(text) - LENGTH + 1))
    return found.start() if found else len(text)
