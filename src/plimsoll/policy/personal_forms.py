"""The forms in which personal data is written, and where in a text each of them stands.

Every pattern begins only where no letter or digit stands before it, has a greatest length, and repeats nothing that
could be divided in two ways: a text costs it a fixed number of steps for each character, whatever stands there.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from plimsoll.policy.identifiers import (
    IBAN_LENGTHS,
    is_card,
    is_de_steuer_id,
    is_es_dni,
    is_fr_nir,
    is_iban,
    is_it_codice_fiscale,
    is_nl_bsn,
    is_uk_nino,
    is_us_ssn,
)


class PersonalKind(enum.StrEnum):
    """What was found. Of two that overlap, the one that stands first here is the surer."""

    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    FR_NIR = "fr-nir"
    IT_CODICE_FISCALE = "it-codice-fiscale"
    DE_STEUER_ID = "de-steuer-id"
    ES_DNI = "es-dni"
    US_SSN = "us-ssn"
    UK_NINO = "uk-nino"
    NL_BSN = "nl-bsn"
    PHONE = "phone"


class Span(msgspec.Struct, frozen=True):
    """Where in a text something personal stands."""

    kind: PersonalKind
    start: int  # position of the first character, from 0
    end: int  # position after the last


Finder = Callable[[str, int, int], Iterator[Span]]  # looks at a text from one position to another

_LOCAL: Final = r"[\w.!#$%&'*+/=?^`{|}~-]"
_EMAIL: Final = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}{{1,64}}+@(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?\.){{1,8}}[^\W\d_]{{2,24}}(?![\w-])"
)
_NOT_BEFORE: Final = r"(?<![0-9A-Za-z])(?<![0-9][.,])"
_NOT_AFTER: Final = r"(?![0-9A-Za-z])(?![.,][0-9])"


def emails(text: str, start: int = 0) -> Iterator[Span]:
    """E-mail addresses from a place on (RFC 5321; quoted local parts and addresses without a dot are left out)."""
    return (Span(PersonalKind.EMAIL, *match.span()) for match in _EMAIL.finditer(text, start))


def _pattern(middle: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(_NOT_BEFORE + middle + _NOT_AFTER, re.ASCII | flags)


_SEPARATORS: Final = str.maketrans("", "", " -./()+")


def _checked(
    kind: PersonalKind, pattern: re.Pattern[str], holds: Callable[[str], bool], *, as_written: bool = False
) -> Finder:
    """What has the form, and passes the check without its separators, or as it is written.

    What fails the check hides nothing: a card number after four other digits is found, though the five groups together
    are none. So whether something is found never depends on what stands far before it.
    """

    def find(text: str, start: int, end: int) -> Iterator[Span]:
        at = start
        while (match := pattern.search(text, at, end)) is not None:
            at = match.start() + 1
            if holds(match[0] if as_written else match[0].translate(_SEPARATORS)):
                at = match.end()
                yield Span(kind, *match.span())

    return find


_IBAN: Final = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?=[ -]?[0-9A-Za-z])")


def _ibans(text: str, start: int, end: int) -> Iterator[Span]:
    taken = 0
    for match in _IBAN.finditer(text, start, end):
        length = IBAN_LENGTHS.get(match[0][:2].upper(), 0)
        if not length or match.start() < taken:
            continue
        plain, at = "", match.start()
        while len(plain) < length and at < len(text):
            character = text[at]
            if character.isascii() and character.isalnum():
                plain += character
            elif character not in " -" or not text[at - 1].isalnum():
                break  # one separator at most stands between two characters
            at += 1
        follows = text[at : at + 1]
        if len(plain) == length and not (follows.isascii() and follows.isalnum()) and is_iban(plain):
            taken = at
            yield Span(PersonalKind.IBAN, match.start(), at)


_CARD: Final = _pattern(
    r"(?:[0-9]{13,19}+"
    r"|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{1,3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})"
)
_NIR: Final = _pattern(
    r"[1-478] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AaBb]) ?[0-9]{3} ?[0-9]{3}[ -]?[0-9]{2}"
)
_CODICE: Final = _pattern(r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", re.IGNORECASE)
_STEUER: Final = _pattern(r"[1-9][0-9](?: ?[0-9]{3}){3}")
_DNI: Final = _pattern(r"(?:[0-9]{8}|[XYZxyz][ -]?[0-9]{7})[ -]?[A-Za-z]")
_SSN: Final = _pattern(r"[0-9]{3}([- ])[0-9]{2}\1[0-9]{4}(?!-)")
_NINO: Final = _pattern(r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]")
_BSN: Final = _pattern(r"[0-9]{4}\.[0-9]{2}\.[0-9]{3}")

# Phones: ITU-T E.164 for what begins with + or 00; the North American plan; ten digits in pairs as in France; and what
# begins with the 0 of a trunk and has a separator after the area, as in Germany, the United Kingdom or the Netherlands.
_E164: Final = re.compile(r"(?<![0-9A-Za-z+])(?:\+|00)[1-9](?:[ ./()-]{0,2}[0-9]){6,14}(?![0-9A-Za-z])")
_NANP: Final = _pattern(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}")
_IN_PAIRS: Final = _pattern(r"0[1-9]([ .-])[0-9]{2}(?:\1[0-9]{2}){3}")
_TRUNK: Final = _pattern(r"(?<![A-Za-z]-)\(?0[1-9][0-9]{0,3}\)?[ /-][0-9](?:[ -]?[0-9]){5,8}")
_DATED: Final = re.compile(r"\(?[0-9]{2}([./-])[0-9]{2}\1(?:19|20)[0-9]{2}(?![0-9])")


def _phones(text: str, start: int, end: int) -> Iterator[Span]:
    for pattern in (_E164, _NANP, _IN_PAIRS):
        for match in pattern.finditer(text, start, end):
            yield Span(PersonalKind.PHONE, *match.span())
    yield from _trunks(text, start, end)


def _is_trunk(text: str) -> bool:
    return 9 <= sum(map(str.isdigit, text)) <= 12 and _DATED.match(text) is None


_trunks: Final = _checked(PersonalKind.PHONE, _TRUNK, _is_trunk, as_written=True)
_FINDERS: Final[tuple[Finder, ...]] = (
    _ibans,
    _checked(PersonalKind.CARD, _CARD, is_card),
    _checked(PersonalKind.FR_NIR, _NIR, is_fr_nir),
    _checked(PersonalKind.IT_CODICE_FISCALE, _CODICE, is_it_codice_fiscale),
    _checked(PersonalKind.DE_STEUER_ID, _STEUER, is_de_steuer_id),
    _checked(PersonalKind.ES_DNI, _DNI, is_es_dni),
    _checked(PersonalKind.US_SSN, _SSN, is_us_ssn),
    _checked(PersonalKind.UK_NINO, _NINO, is_uk_nino),
    _checked(PersonalKind.NL_BSN, _BSN, is_nl_bsn),
    _phones,
)


# -- where it is worth looking
#
# Most texts with digits hold dates, amounts and order numbers. Ten patterns are tried only around digits that can
# belong to one of them; it is the difference between 2 and 12 µs for a short text.

_RUN: Final = re.compile(r"\+?\(?[0-9](?:[ ./()-]{0,2}+[0-9])*+")
_NEAR: Final = re.compile(r"[0-9](?:[^0-9]{0,3}+[0-9]){5}")  # six digits near each other: every form has them
_PLAIN: Final = re.compile(  # a date, a timestamp, an amount, and nothing else
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]{4,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?|-?[0-9]{1,9}\.[0-9]{1,6}"
)
_LEAD: Final = 8  # characters before the first digit of a form: the six letters of a codice fiscale
_TAIL: Final = 36  # after the last digit that is seen: the letters at the end of an IBAN
_REST: Final = re.compile(r"[0-9A-Za-z]{0,64}")
_SOLID: Final = frozenset({8, 11, *range(13, 20)})  # digits without a separator: DNI, Steuer-ID, cards and NIR
_BETWEEN: Final = frozenset({6, 7})  # digits between letters with a separator: NINO, NIE


def has_numbers(text: str) -> bool:
    """Whether `numbered` can find something: six digits near each other."""
    return _NEAR.search(text) is not None


def is_date_or_amount(text: str) -> bool:
    """Whether a text is a date, a timestamp or an amount, and nothing else."""
    return _PLAIN.fullmatch(text) is not None


def numbered(text: str, name: str = "", since: int = 0) -> Iterator[Span]:
    """Identifiers and phone numbers, some of them found twice, in no order.

    Args:
        text: any.
        name: of the field it stands in.
        since: from where on they are looked for; what stands before it says alone what they are called.
    """
    start = end = -1
    for run in _RUN.finditer(text):
        yield from _called(text, run, name)
        if run.end() < since or not _is_worth_a_look(text, run):
            continue
        first, last = max(since, run.start() - _LEAD), min(len(text), run.end() + _TAIL)
        if first > end:
            if end >= 0:
                yield from _found(text, start, end)
            start = first
        end = last
    if end >= 0:
        yield from _found(text, start, end)


def _found(text: str, start: int, end: int) -> Iterator[Span]:
    rest = _REST.match(text, end)  # a word that is cut in two would look like one that ends
    end = rest.end() if rest else end
    if _NEAR.search(text, start, end) is not None:
        for finder in _FINDERS:
            # Its own digits, not those of a neighbour: what is found never depends on what stands beside it.
            yield from (s for s in finder(text, start, end) if _NEAR.search(text, s.start, s.end) is not None)


def _is_worth_a_look(text: str, run: re.Match[str]) -> bool:
    body = run[0]
    if body.isdigit():
        before, after = text[max(0, run.start() - 2) : run.start()], text[run.end() : run.end() + 2]
        if len(body) in _SOLID or body.startswith("00") or before[-1:].isalpha() or after[:1].isalpha():
            return True
        return len(body) in _BETWEEN and before[:1].isalpha() and after[1:].isalpha()
    return len(body) >= 7


# -- what a word beside it, or the name of its field, says it is

_CALLED: Final = re.compile(
    r"(?<![a-z])(?:(?P<phone>tel|tél|phone|telephone|telefon|téléphone|mobile?|handy|fax|cell|call|ring)"
    r"|(?P<bsn>bsn|burgerservicenummer|sofinummer)|(?P<ssn>ssn|social security))"
    r"(?:[ .:#=-]|number|nummer|no|nr|is){0,6}\Z"
)
_CALLS: Final = ("tel", "tél", "phone", "mob", "handy", "fax", "cell", "call", "ring", "bsn", "nummer", "ssn", "social")
_SEEN_BEFORE: Final = 40  # characters before a number in which a word for it is looked for
_PHONE_NAME: Final = re.compile(r"phone|mobile|telefon|telephone|(?:^|[_-])(?:tel|fax|cell)(?:$|[_-])", re.IGNORECASE)
_BSN_NAME: Final = re.compile(r"(?:^|[_-])(?:bsn|burgerservicenummer)", re.IGNORECASE)
_SSN_NAME: Final = re.compile(r"(?:^|[_-])(?:ssn|social.?security)", re.IGNORECASE)


def _called(text: str, run: re.Match[str], name: str) -> Iterator[Span]:
    """A run of digits that is called a phone or a personal number."""
    body = run[0]
    if len(body) < 7:
        return
    digits = body.translate(_SEPARATORS)
    if not 7 <= len(digits) <= 15:
        return
    before = text[max(0, run.start() - _SEEN_BEFORE) : run.start()].casefold()
    said = _CALLED.search(before) if any(word in before for word in _CALLS) else None
    alone = bool(name) and text.strip() == body
    if said is None and not alone:
        return
    if (said is not None and said["phone"]) or (alone and _PHONE_NAME.search(name)):
        yield Span(PersonalKind.PHONE, *run.span())
    if len(digits) != 9 or not body.isdigit():
        return
    if ((said is not None and said["bsn"]) or (alone and _BSN_NAME.search(name))) and is_nl_bsn(digits):
        yield Span(PersonalKind.NL_BSN, *run.span())
    if ((said is not None and said["ssn"]) or (alone and _SSN_NAME.search(name))) and is_us_ssn(digits):
        yield Span(PersonalKind.US_SSN, *run.span())
