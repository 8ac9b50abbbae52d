"""One value of the manifest, read from what YAML gave: text, number, quantity, condition, word.

Each function takes the value and what is asked for, and gives the typed value or raises `NotUnderstood`.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final, TypeVar

from plimsoll.model.asked import Asked, Text
from plimsoll.model.hosts import HostPattern
from plimsoll.model.money import check_currency
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.pointer import parse_pointer
from plimsoll.model.quantity import Quantity, UnitKind, example_of, units_of
from plimsoll.model.service import check_service
from plimsoll.model.share_of import ShareOf
from plimsoll.model.threshold import Condition
from plimsoll.model.unanswered import is_unanswered
from plimsoll.model.words import nearest, quoted

_Word = TypeVar("_Word", bound=enum.StrEnum)

SLUG: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_ADDRESS: Final = re.compile(r"[^@\s,;<>]*@[^@\s,;<>]+")  # also "@team", as chats and code hosts write it
_URL: Final = re.compile(r"https?://[^\s/?#]+[^\s#]*", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_LINE: Final = 1024  # characters of a name, contact or path; the longest e-mail address has 254
_ANSWERED: Final = frozenset({Text.SENTENCE, Text.NAME, Text.CONTACT, Text.KNOWN})

# Written where a later version will know what to do with it.
_PLANNED_SHARES: Final = frozenset({"calibrated"})
_YES: Final = {"yes": "true", "on": "true", "y": "true", "1": "true", "no": "false", "off": "false", "n": "false"}


def _kind_of(data: Any) -> str:
    """What YAML gave, in words."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(data), "a group of keys")


def wrong_type(data: Any, wanted: str, fix: str = "") -> NotUnderstood:
    """The value is of another kind than the one asked for."""
    found = f"{shown(data)} is {_kind_of(data)}" if isinstance(data, str | int | float) else f"found {_kind_of(data)}"
    return NotUnderstood(f"{found}; {wanted} is asked for", fix=fix, code="manifest.wrong-type")


def shown(data: str | float) -> str:
    """A found value as a message repeats it: text in quotes, numbers and truth values as YAML writes them."""
    if isinstance(data, bool):
        return str(data).lower()
    return quoted(str(data)) if isinstance(data, str) else quoted(str(data)).strip("'")


def read_text(data: Any, asked: Asked) -> str:
    """A text, without the blanks around it."""
    if not isinstance(data, str):
        fix = "put it in quotes" if isinstance(data, bool | int | float) else "write one text"
        raise wrong_type(data, "a text", fix)
    if asked.text is Text.POINTER:  # an empty one is the whole value
        return _checked_pointer(data)
    text = data if asked.text is Text.VALUE else data.strip()  # "Bearer " ends in a blank that is meant
    if not text:
        raise NotUnderstood("the text is empty", fix="write what is asked for", code="manifest.empty")
    if asked.text in _ANSWERED and is_unanswered(text):
        raise put_off(text)
    if asked.text is Text.SENTENCE:
        return text
    if not _is_one_line(text):
        raise NotUnderstood(f"{quoted(text)} is not one line of text", fix="write one short line", code="manifest.text")
    if (check := _CHECKS.get(asked.text)) is not None:
        check(text)
    return text


def _checked_pointer(text: str) -> str:
    try:
        parse_pointer(text)
    except NotUnderstood as why:
        raise NotUnderstood(why.message, fix=why.fix, code="manifest.pointer") from None
    return text


def _check_url(text: str) -> None:
    fault = ""
    if _URL.fullmatch(text) is None:
        fault = "is not an http or https URL"
    elif "@" in text.split("://", 1)[1].partition("/")[0]:
        fault = "holds a user name; what is secret does not stand in a manifest"
    if fault:
        shown_url = re.sub(r"//[^/@]*@", "//…@", text)
        raise NotUnderstood(
            f"{quoted(shown_url)} {fault}",
            fix="write https://host/path, and name credentials under headers or key",
            code="manifest.url",
        )


def _is_one_line(text: str) -> bool:
    """Whether a text has no character that breaks a line, steers a terminal or turns the reading direction."""
    return len(text) <= _LONGEST_LINE and all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


def put_off(text: str) -> NotUnderstood:
    """The answer is "TBD" or its like."""
    return NotUnderstood(
        f"{quoted(text)} is no answer",
        fix="name who or what it is now; what nobody has decided cannot go live",
        code="manifest.unanswered",
    )


def slug_of(text: str) -> str:
    """The nearest short name of a-z, 0-9 and '-', at most 63 characters; "" when nothing of the text is left.

    >>> slug_of("Claims Reader (v2)")
    'claims-reader-v2'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:63].strip("-")


def check_slug(text: str) -> None:
    """Refuse a name that is not of a-z, 0-9 and '-'."""
    if re.fullmatch(SLUG, text) is None:
        near = slug_of(text)
        raise NotUnderstood(
            f"{quoted(text)} is not a short name of a-z, 0-9 and '-', at most 63 characters",
            fix=f"write {near}" if near else "write a name such as read-amount",
            code="manifest.name",
        )


def _check_contact(text: str) -> None:
    if "@" in text and _ADDRESS.fullmatch(text) is None:
        found = _ADDRESS.search(text)
        raise NotUnderstood(
            f"{quoted(text)} is not one address",
            fix=f"write {found[0]} alone"
            if found and text.count("@") == 1
            else "write one address, such as ops@example.org",
            code="manifest.contact",
        )


def _check_callable(text: str) -> None:
    module, _, name = text.partition(":")
    parts = [*module.split("."), *name.split(".")]
    if all(part.isidentifier() for part in parts):
        return
    near = text
    if ":" not in text and "." in text:
        near = ":".join(text.rsplit(".", 1))
    elif ".py:" in text:
        near = ":".join((module.removesuffix(".py").replace("/", ".").strip("."), name))
    raise NotUnderstood(
        f"{quoted(text)} does not name a callable",
        fix="write package.module:callable" if near == text else f"did you mean '{near}'?",
        code="manifest.callable",
    )


def _check_variable(text: str) -> None:
    if re.fullmatch(VARIABLE, text) is None:
        raise NotUnderstood(
            "this is not the name of an environment variable",  # and may be a secret itself: it is not repeated
            fix="write the variable's name alone, such as CLAIMS_TOKEN, and set its value where the system runs",
            code="manifest.variable",
        )


def _check_host(text: str) -> None:
    HostPattern.parse(text)


def read_day(data: Any) -> dt.date:
    """A day of the calendar."""
    if not isinstance(data, str):
        raise wrong_type(data, "a day", "write a day such as 2027-01-31")
    text = data.strip()
    if is_unanswered(text):
        raise put_off(text)
    try:
        # `fromisoformat` also takes a week and its day; one form is enough.
        return dt.date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError as why:
        raise NotUnderstood(
            f"{quoted(text)} is not a day of the calendar",
            fix="write year-month-day: 2027-01-31",
            code="governance.day",
        ) from why


def read_flag(data: Any) -> bool:
    """True or false."""
    if isinstance(data, bool):
        return data
    meant = _YES.get(str(data).casefold())
    raise wrong_type(data, "true or false", f"write {meant}" if meant else "write true or false")


def read_whole(data: Any, asked: Asked) -> int:
    """A whole number within its limits."""
    if isinstance(data, bool) or not isinstance(data, int):
        plain = str(data)
        fix = f"write {float(plain):.0f}" if re.fullmatch(r"[0-9]{1,9}(\.0*)?", plain) else "write a whole number"
        raise wrong_type(data, "a whole number", fix)
    beyond = asked.outside(data)
    if beyond:
        raise NotUnderstood(f"{shown(data)} is out of range", fix=f"write {beyond}", code="manifest.range")
    return data


def read_word(data: Any, words: type[_Word]) -> _Word:
    """One of a few allowed words."""
    allowed = [word.value for word in words]
    said = f"one of {', '.join(allowed)}" if len(allowed) > 1 else f"'{allowed[0]}'"
    if not isinstance(data, str):
        raise wrong_type(data, said)
    if data in allowed:
        return words(data)
    near = nearest(data, allowed)
    raise NotUnderstood(
        f"{quoted(data)} is not allowed; allowed is {said}",
        fix=f"did you mean '{near}'?" if near else f"write {allowed[0] if len(allowed) == 1 else 'one of these'}",
        code="manifest.word",
    )


def read_quantity(data: Any, asked: Asked) -> Quantity:
    """A number with a unit of the kind that is asked for, within its limits."""
    kind, example = asked.unit, asked.example or example_of(asked.unit)
    such = f"write a {kind.value} in {' '.join(units_of(kind))}, such as {example}"
    if isinstance(data, bool) or not isinstance(data, str | int | float):
        raise wrong_type(data, f"a {kind.value}", such)
    if not isinstance(data, str):
        share = kind is UnitKind.RATIO and 0 < data <= 1
        fix = f"write {Quantity.parse('95%').like(data)}" if share else such
        raise NotUnderstood(
            f"{shown(data)} has no unit; a {kind.value} is asked for", fix=fix, code="manifest.quantity"
        )
    text = data.strip()
    if asked.every and text.startswith("every "):
        text = text.removeprefix("every ").strip()
    if not text:
        raise NotUnderstood("the text is empty", fix=such, code="manifest.empty")
    if is_unanswered(text):
        raise put_off(text)
    if text in _PLANNED_SHARES and kind is UnitKind.RATIO:
        raise NotUnderstood(f"'{text}' is planned, not in this version", fix=such, code="manifest.planned")
    try:
        quantity = Quantity.parse(text)
    except NotUnderstood as why:
        raise NotUnderstood(why.message, fix=why.fix or such) from why
    if quantity.kind is not kind:
        found = f"a {quantity.kind.value}" if quantity.unit else "a number without a unit"
        raise NotUnderstood(
            f"{quoted(text)} is {found}; a {kind.value} is asked for", fix=such, code="manifest.quantity"
        )
    beyond = asked.outside(quantity.base)
    if beyond:
        raise NotUnderstood(f"{quantity} is out of range", fix=f"write {beyond}", code="manifest.range")
    return quantity


def read_share_of(data: Any) -> ShareOf:
    """A share of a number, such as 50% of 20."""
    if not isinstance(data, str):
        raise wrong_type(data, "a share of a number", "write it as 50% of 20")
    if not data.strip():
        raise NotUnderstood("the text is empty", fix="write it as 50% of 20", code="manifest.empty")
    if is_unanswered(data):
        raise put_off(data.strip())
    return ShareOf.parse(data)


def read_condition(data: Any) -> Condition:
    """A sentence of the threshold."""
    if not isinstance(data, str):
        raise wrong_type(data, "a condition", "write <metric> <op> <quantity>, such as stability.load >= 3x")
    text = data.strip()
    if not text:
        raise NotUnderstood("the text is empty", fix="write <metric> <op> <quantity>", code="manifest.empty")
    if is_unanswered(text):
        raise put_off(text)
    return Condition.parse(text)


_CHECKS: Final[dict[Text, Callable[[str], None]]] = {
    Text.CONTACT: _check_contact,
    Text.KNOWN: _check_contact,
    Text.SLUG: check_slug,
    Text.CALLABLE: _check_callable,
    Text.VARIABLE: _check_variable,
    Text.SERVICE: check_service,
    Text.URL: _check_url,
    Text.HOST: _check_host,
    Text.CURRENCY: check_currency,
}
