"""A first contract from records: what was seen, how often, and nothing that few rows cannot carry.

What few rows show is written as a comment, with its count, for a person to decide. A rule is written when the rows are
many enough that a record of the same kind rarely breaks it:

- a field is required when it had a value in all of at least 20 rows;
- a text is a date, a timestamp, a UUID or an e-mail address when all of at least 20 were;
- a limit is one when 200 values or more kept it and several stand exactly on it: a limit that the world sets leaves a
  pile at its edge, the largest of a sample of amounts does not;
- values are an enumeration when 200 values or more were few different texts and none of them was rare.

Values of fields that look personal are written nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from plimsoll.contract.profile import DIALECTS, Finder, Profile, Seen
from plimsoll.errors import UsageError
from plimsoll.model.yaml_source import resolve

_ROWS_FOR_REQUIRED: Final = 20  # by the rule of succession a next row then lacks it in less than 1 of 20
_ROWS_FOR_FORMAT: Final = 20
_ROWS_FOR_LIMIT: Final = 200  # of 200 values the next one lies outside of their range in about 1 of 100
_AT_LIMIT: Final = 3
_ROWS_FOR_ENUM: Final = 200
_EACH_VALUE: Final = 5  # a value seen less often than this says that unseen ones exist
_MOST_VALUES: Final = 12
_EXACT: Final = 2**53  # beyond it a double does not hold every whole number
_SHOWN: Final = 60

_PERSONAL: Final = frozenset(
    {
        "name", "firstname", "lastname", "surname", "forename", "fullname", "nickname", "username", "email", "mail",
        "phone", "telephone", "mobile", "fax", "birth", "birthday", "birthdate", "birthplace", "dob", "address",
        "street", "zip", "zipcode", "postcode", "postal", "iban", "bic", "ssn", "passport", "gender", "sex",
        "nationality", "religion", "ethnicity", "diagnosis", "patient", "salary", "signature", "ip", "vorname",
        "nachname", "geburtsdatum", "strasse", "plz", "anschrift", "telefon",
    }
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_OLD_BOOLEANS: Final = frozenset({"y", "n", "yes", "no", "on", "off"})  # to readers of YAML 1.1
_LOGICAL: Final = {"date": "date", "date-time": "timestamp", "timestamp": "timestamp", **DIALECTS}
_DAY_OR_MONTH: Final = ("dd/MM/yyyy", "MM/dd/yyyy")


def infer_contract(
    records: Iterable[Any],
    *,
    name: str,
    file_note: str = "",
    notes: Sequence[str] = (),
    personal: Finder | None = None,
) -> str:
    """Write an ODCS v3.1 document that all of the records keep.

    Args:
        records: as JSON reads them, one object each; read once.
        name: of the contract and of its schema object.
        file_note: where the records come from, for the comment at the top.
        notes: what else there is to say of them, one comment each.
        personal: says which kinds of personal data stand in a text under a name; a field with any is classified.

    Returns:
        YAML with comments, which `read_contract` reads without a problem.

    Raises:
        UsageError: there is no record, one is not an object, or holds what JSON has no form for.
    """
    profile = Profile(personal)
    profile.add_all(records)
    if profile.rows == 0:
        raise UsageError("there is no record to infer a contract from", fix="give at least one")
    return _Writer(profile.rows).document(profile.root, name.strip() or "records", file_note, notes)


class _Writer:
    """Writes YAML lines."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._lines: list[str] = []

    def document(self, root: Seen, name: str, file_note: str, notes: Sequence[str]) -> str:
        """The whole file."""
        rows = f"{self._rows:,} row" + ("" if self._rows == 1 else "s")
        note = f" ({_one_line(file_note)})" if file_note else ""
        self._say(0, f"Inferred from {rows}{note}. It says what was seen, not what must be: read it and decide.")
        self._say(0, "A comment beside a rule says how many rows carry it. What too few rows carry is a comment alone.")
        self._say(
            0, "A field that is not named here breaks the contract; plimsollUnknownFields: allow lets it through."
        )
        for said in notes:
            self._say(0, _one_line(said))
        self._put(0, "apiVersion", "v3.1.0")
        self._put(0, "kind", "DataContract")
        self._put(0, "id", _slug(name))
        self._put(0, "name", _scalar(name))
        self._put(0, "version", "0.1.0")
        self._put(0, "status", "draft")
        self._say(0, "servers:  # the sources that send such records, one item each")
        self._say(0, "  - server: name-of-the-source")
        self._say(0, "    type: custom")
        self._line(0, "schema:")
        self._put(1, "- name", _scalar(name))
        self._put(2, "logicalType", "object")
        self._fields(root, 2, hidden=False)
        return "\n".join(self._lines) + "\n"

    def _line(self, depth: int, text: str) -> None:
        self._lines.append("  " * depth + text)

    def _say(self, depth: int, text: str) -> None:
        self._line(depth, f"# {text}")

    def _put(self, depth: int, key: str, value: str, why: str = "") -> None:
        self._line(depth, f"{key}: {value}" + (f"  # {why}" if why else ""))

    # -- one place

    def _fields(self, seen: Seen, depth: int, *, hidden: bool) -> None:
        """The fields of an object, at the indentation of its keys."""
        if seen.left_out or not seen.fields:
            why = "some names were too many, too long or empty" if seen.left_out else "no field was seen"
            self._line(depth, "customProperties:")
            self._put(depth + 1, "- property", "plimsollUnknownFields")
            self._put(depth + 2, "value", "allow", why)
        if seen.fields:
            self._line(depth, "properties:")
        for name, below in seen.fields.items():
            self._put(depth + 1, "- name", _scalar(name))
            self._place(below, depth + 2, of=seen.kinds["object"], name=name, hidden=hidden)

    def _place(self, seen: Seen, depth: int, *, of: int, name: str, hidden: bool) -> None:
        """What was seen of a field, or of the items of a list, after its first line."""
        kind = _kind(seen)
        personal = self._personal(seen, name)
        if personal and not hidden:
            self._put(depth, "classification", "personal", f"{personal}; confirm, or remove")
        hidden = hidden or bool(personal)
        self._type(seen, kind, depth, of)
        self._required(seen, depth, of)
        if kind == "string":
            self._text(seen, depth, hidden=hidden)
        elif kind in {"integer", "number"} and not hidden:
            self._number(seen, depth)
        elif kind == "array":
            self._list(seen, depth, hidden=hidden)
        elif kind == "object" and (seen.fields or seen.left_out):
            self._fields(seen, depth, hidden=hidden)

    @staticmethod
    def _personal(seen: Seen, name: str) -> str:
        """Why a field looks personal; never what stands in it."""
        if seen.personal:
            kinds = ", ".join(f"{kind} in {n:,}" for kind, n in seen.personal.most_common())
            return f"it holds {kinds} of {seen.given:,} values"
        word = _personal_word(name) or ("email" if _is_format(seen, "email") else "")
        return f"it looks so ('{word}')" if word else ""

    def _type(self, seen: Seen, kind: str, depth: int, of: int) -> None:
        if not kind:
            several = ", ".join(f"{k} in {n:,}" for k, n in sorted(seen.kinds.items()))
            said = f"several kinds of values ({several})" if several else "always null"
            self._say(depth, f"{said}: no type is claimed")
            return
        found = next((f for f in _LOGICAL if _is_format(seen, f)), "")
        either = all(_is_format(seen, f) for f in _DAY_OR_MONTH)
        written = found if seen.rows >= _ROWS_FOR_FORMAT and not either else ""
        self._put(depth, "logicalType", _LOGICAL.get(written, kind), f"seen in {self._share(seen, seen.given, of)}")
        if either:
            self._say(depth, f"dates, written {' or '.join(_DAY_OR_MONTH)}: in {_rows(seen)} no day tells which")
        elif found and not written:
            form = f" written {found}" if found in DIALECTS else ""
            self._unsure(depth, f"logicalType: {_LOGICAL[found]}{form}", seen)
        elif written in DIALECTS:
            self._line(depth, "logicalTypeOptions:")
            self._put(depth + 1, "format", _scalar(written, flow=True), f"in all of {_rows(seen)}")

    def _required(self, seen: Seen, depth: int, of: int) -> None:
        if seen.given < of:
            said = f"not required: missing in {of - seen.times:,}, null in {seen.nulls:,} of {of:,}"
            self._say(depth, said + (f" row{'' if of == 1 else 's'}" if of <= self._rows else ""))
        elif seen.rows >= _ROWS_FOR_REQUIRED:
            self._put(depth, "required", "true", f"a value in {self._share(seen, of, of)}")
        else:
            self._unsure(depth, "required: true", seen)

    def _share(self, seen: Seen, n: int, of: int) -> str:
        """``40 of 40 rows``; inside lists, the places that were counted and the rows that they come from."""
        if of <= self._rows and seen.rows == seen.times:
            return f"{n:,} of {of:,} row{'' if of == 1 else 's'}"
        return f"{n:,} of {of:,} places in {seen.rows:,} row{'' if seen.rows == 1 else 's'}"

    def _unsure(self, depth: int, rule: str, seen: Seen) -> None:
        self._say(depth, f"{rule}: seen in {_rows(seen)}, too few to make it a rule")

    # -- options

    def _text(self, seen: Seen, depth: int, *, hidden: bool) -> None:
        enough = seen.rows >= _ROWS_FOR_FORMAT
        if enough and _is_format(seen, "date-time"):
            self._line(depth, "logicalTypeOptions:")
            self._put(depth + 1, "timezone", "true", f"an offset in all of {_rows(seen)}")
        found = next((f for f in ("uuid", "email") if _is_format(seen, f)), "")
        if found and enough:
            self._line(depth, "logicalTypeOptions:")
            self._put(depth + 1, "format", found, f"in all of {_rows(seen)}")
        elif found:
            self._unsure(depth, f"format: {found}", seen)
        if not seen.formats and not hidden:
            self._say(depth, f"{_count(seen.shortest, seen.longest, 'character')} long")
            self._enumeration(seen, depth)

    def _enumeration(self, seen: Seen, depth: int) -> None:
        values: Mapping[str, int] = seen.values or {}
        if not 1 < len(values) <= _MOST_VALUES:
            return
        listed = ", ".join(_scalar(v, flow=True) for v in values)
        if seen.rows >= _ROWS_FOR_ENUM and min(values.values()) >= _EACH_VALUE:
            self._line(depth, "quality:")
            self._put(depth + 1, "- metric", "invalidValues")
            self._line(depth + 2, "arguments:")
            self._put(depth + 3, "validValues", f"[{listed}]", f"nothing else in {_rows(seen)}")
            self._put(depth + 2, "mustBe", "0")
        elif len(values) < seen.given:
            shown = listed if len(listed) <= _SHOWN else listed[: _SHOWN - 1] + "…"
            self._say(
                depth, f"only {shown}: seen in {_rows(seen)}; too few, or one of them too rare, to make it a rule"
            )

    def _number(self, seen: Seen, depth: int) -> None:
        low, high = seen.low, seen.high
        if low is None or high is None or max(abs(low), abs(high)) > _EXACT:
            return
        many = seen.rows >= _ROWS_FOR_LIMIT and low < high
        ends = (("minimum", low, seen.at_low), ("maximum", high, seen.at_high))
        rules = [(word, limit, n) for word, limit, n in ends if many and n >= _AT_LIMIT]
        if rules:
            self._line(depth, "logicalTypeOptions:")
        for word, limit, n in rules:
            self._put(
                depth + 1, word, repr(limit), f"seen in {_rows(seen)}; {n:,} of {seen.given:,} values stand on it"
            )
        if len(rules) < 2:
            between = f"always {low!r}" if low == high else f"from {low!r} to {high!r}"
            why = "nothing shows a limit" if many else "too few to make it a rule"
            self._say(depth, f"{between}: seen in {_rows(seen)}; {why}")

    def _list(self, seen: Seen, depth: int, *, hidden: bool) -> None:
        if seen.fewest == seen.most and seen.rows >= _ROWS_FOR_LIMIT:
            self._line(depth, "logicalTypeOptions:")
            self._put(depth + 1, "minItems", str(seen.fewest), f"in all of {_rows(seen)}")
            self._put(depth + 1, "maxItems", str(seen.most), f"in all of {_rows(seen)}")
        else:
            self._say(depth, f"{_count(seen.fewest, seen.most, 'item')}: seen in {_rows(seen)}")
        if seen.items is None:
            self._say(depth, "nothing is claimed of its items: none was seen, or they stand too deep")
            return
        self._line(depth, "items:")
        self._put(depth + 1, "name", "item")
        self._place(seen.items, depth + 1, of=seen.items.times, name="", hidden=hidden)


def _is_format(seen: Seen, name: str) -> bool:
    return _kind(seen) == "string" and name in seen.formats


def _rows(seen: Seen) -> str:
    return f"{seen.rows:,} row{'' if seen.rows == 1 else 's'}"


def _count(low: int, high: int, what: str) -> str:
    return f"{low:,} {what}{'' if low == 1 else 's'}" if low == high else f"{low:,} to {high:,} {what}s"


def _kind(seen: Seen) -> str:
    """The one kind that all values are of; whole numbers among numbers are numbers. Empty: there is no such kind."""
    kinds = set(seen.kinds)
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else ""


def _personal_word(name: str) -> str:
    words = [w.casefold() for w in _WORD.findall(name)]
    return next((w for w in words if w in _PERSONAL), name if name.casefold() in _PERSONAL else "")


def _slug(name: str) -> str:
    return _scalar(re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "records")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _scalar(text: str, *, flow: bool = False) -> str:
    """A text as YAML: plain when nothing else could be meant, in double quotes otherwise.

    >>> _scalar("amount"), _scalar("true"), _scalar("a: b")
    ('amount', '"true"', '"a: b"')
    """
    if not flow and _PLAIN.fullmatch(text) and resolve(text) == text and text.casefold() not in _OLD_BOOLEANS:
        return text
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
