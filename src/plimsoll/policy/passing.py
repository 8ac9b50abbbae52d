"""A text that leaves in pieces, looked through for personal data: what may leave now, and what is kept back.

What is found does not depend on how the text is cut: it is
what `personal.scan_text` finds in the whole of it. Nothing of
what is found has left when it is found, because whatever could still become part of something is kept back. That is one
word most of the time, and never more than `MOST_KEPT` characters.

It rests on how the forms are written: each has a greatest length, looks at two characters on each side of it and, for
what is called a phone, at forty before it. So at every point of the text all that began long enough ago is decided, and
of what is decided only those forty characters have to be remembered. Each character is looked at in a window of bounded
length: the time is linear in the length of the text, however it is cut.
"""

from __future__ import annotations

import re
from typing import Final

from plimsoll.policy.identifiers import IBAN_LENGTHS
from plimsoll.policy.personal import all_in, scan_text
from plimsoll.policy.personal_forms import PersonalKind, Span

_LONGEST_NUMBER: Final = 70  # characters: an IBAN of 34 with a separator after each but the last has 67
_LONGEST_LOCAL: Final = 64  # of an e-mail address, before the "@"
_LONGEST_DOMAIN: Final = 8 * 64 + 24  # after it: eight names with their dots, and the last one
_LONGEST_PLAIN: Final = 36  # a timestamp with an offset
_AFTER: Final = 2  # characters after something that decide whether it ends there
_BEFORE: Final = 64  # characters before something that decide whether it begins there; 40 are looked at for a word
MOST_KEPT: Final = _LONGEST_LOCAL + 1 + _LONGEST_DOMAIN + _AFTER

_LOCAL: Final = frozenset("_.!#$%&'*+/=?^`{|}~-")  # in an e-mail address, beside letters and digits
_BETWEEN: Final = frozenset(" ./()+-")  # within a number
_BEGINS: Final = frozenset("+(")  # before the first digit of a phone
_PLAIN: Final = re.compile(r"[-+0-9T:.Z ]*")  # what dates and amounts are written with
_IBAN: Final = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}", re.ASCII)
_IBAN_SO_FAR: Final = re.compile(r"[0-9A-Za-z]+(?:[ -][0-9A-Za-z]+)*[ -]?")


class Passing:
    """One text on its way out, piece by piece.

    >>> passing = Passing()
    >>> [passing.feed(piece) for piece in ("Write to a", "nn@exam", "ple.org, plea", "se")], passing.found
    (['Write ', 'to ', '', ''], <PersonalKind.EMAIL: 'email'>)
    """

    def __init__(self) -> None:
        self._text = ""  # the last characters that left, and all that has not
        self._left = 0  # how many of them left
        self._begun = False  # anything has left
        self.found: PersonalKind | None = None

    @property
    def kept(self) -> int:
        """How many characters are kept back."""
        return len(self._text) - self._left

    def feed(self, piece: str) -> str:
        """What may leave after this piece; nothing more once something was found."""
        if self.found is not None:
            return ""
        self._text += piece
        known = len(self._text) - _AFTER
        upto = _undecided_from(self._text, known) if known > self._left and not self._may_be_plain() else self._left
        if upto <= self._left:
            return ""
        return self._decided(all_in(self._text, since=self._left), upto)

    def end(self) -> str:
        """What was kept back and may leave now that no piece is left."""
        if self.found is not None:
            return ""
        # Only a text that is a date or an amount as a whole is passed over.
        spans = all_in(self._text, since=self._left) if self._begun else [*scan_text(self._text)]
        return self._decided(spans, len(self._text))

    def _decided(self, spans: list[Span], upto: int) -> str:
        """Let go of what stands before a place, unless something personal begins there."""
        begun = [span for span in spans if self._left <= span.start < upto]
        if begun:
            self.found = min(begun, key=lambda span: (span.start, _RANK[span.kind])).kind
            return ""
        gone = self._text[self._left : upto]
        self._begun |= bool(gone)
        forget = max(0, upto - _BEFORE)
        self._text = self._text[forget:]
        self._left = upto - forget
        return gone

    def _may_be_plain(self) -> bool:
        """Whether it can still turn out to be a date or an amount and nothing else."""
        return not self._begun and len(self._text) <= _LONGEST_PLAIN and _PLAIN.fullmatch(self._text) is not None


def scan_passing(text: str) -> PersonalKind | None:
    """What a text would be cut for if it came as one piece; None: all of it may leave."""
    passing = Passing()
    passing.feed(text)
    passing.end()
    return passing.found


def _undecided_from(text: str, known: int) -> int:
    """Where the first thing begins that may go on after a position; the position itself where nothing does."""
    return min(_address_from(text, known), _number_from(text, known), _iban_from(text, known))


def _address_from(text: str, known: int) -> int:
    """Where an e-mail address may have begun that is not at its end."""
    least = max(0, known - _LONGEST_DOMAIN)
    start = _word_from(text, known, least)
    first = start if known - start <= _LONGEST_LOCAL else known
    if start and text[start - 1] == "@":
        begun = _word_from(text, start - 1, max(0, start - 2 - _LONGEST_LOCAL))
        return begun if 1 <= start - 1 - begun <= _LONGEST_LOCAL else first
    return first


def _word_from(text: str, end: int, least: int) -> int:
    """Where what stands before a position begins, of the characters that addresses are made of."""
    at = end
    while at > least and (text[at - 1].isalnum() or text[at - 1] in _LOCAL):
        at -= 1
    return at


def _number_from(text: str, known: int) -> int:
    """Where a number may have begun that is not at its end: words with digits, and what may stand before the first."""
    least = max(0, known - _LONGEST_NUMBER)
    start = end = _alnum_from(text, known, least)
    if not text[start:known].isalpha():  # letters end every form but an IBAN
        while True:
            while end > least and text[end - 1] in _BETWEEN and start - end < 2:
                end -= 1
            begun = _alnum_from(text, end, least)
            word = text[begun:end]
            if end == start or not word:
                break
            if word.isalpha():
                start = begun if len(word) <= 2 else start  # the X of an NIE, the letters of a NINO
                break
            start = end = begun
    while start > least and text[start - 1] in _BEGINS:
        start -= 1
    return start


def _alnum_from(text: str, end: int, least: int) -> int:
    at = end
    while at > least and text[at - 1].isascii() and text[at - 1].isalnum():
        at -= 1
    return at


def _iban_from(text: str, known: int) -> int:
    for match in _IBAN.finditer(text, max(0, known - _LONGEST_NUMBER), known):
        length = IBAN_LENGTHS.get(match[0][:2].upper(), 0)
        so_far = text[match.start() : known]
        if _IBAN_SO_FAR.fullmatch(so_far) and sum(map(str.isalnum, so_far)) < length:
            return match.start()
    return known


_RANK: Final = {kind: at for at, kind in enumerate(PersonalKind)}
