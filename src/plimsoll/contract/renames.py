"""Which field a new one may have been: by what its rules take, by what is gone, by values it had, and by its name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract.rules import Field

_ALIKE: Final = 0.6  # names from here on speak for each other: "claim_nr" and "claimNumber", not "amount" and "account"
_ALONE: Final = 0.3  # names from here on are enough where the values were seen before
_GONE: Final = 0.95  # share of the records with the new field in which the old one is gone
_PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


class Evidence(msgspec.Struct, kw_only=True):
    """What was seen of one field that may be the former one."""

    gone: int = 0  # records that have the new field and not this one
    fits: int = 0  # of those, the rules of this one take the value
    had: int = 0  # of those, this one had the very value before


class Renamed:
    """Gathers what speaks for each field of an object, record by record.

    Args:
        name: of the new field.
        fields: the declared fields beside which it stands.
        fits: whether a field's rules take a value.
        had: whether a field had a value before.
        was_there: whether a field was ever there; one that never was is not gone.
    """

    def __init__(
        self,
        name: str,
        fields: tuple[Field, ...],
        *,
        fits: Callable[[Field, Any], bool],
        had: Callable[[Field, Any], bool],
        was_there: Callable[[Field], bool],
    ) -> None:
        self._name, self._fields = name, {field.name: field for field in fields}
        self._fits, self._had, self._was_there = fits, had, was_there
        self._seen = 0
        self._by_name: Mapping[str, Evidence] = {field.name: Evidence() for field in fields}

    def add(self, beside: Mapping[str, Any], value: Any) -> None:
        """One record with the new field.

        Args:
            beside: the object it stands in.
            value: what it holds.
        """
        self._seen += 1
        for name, evidence in self._by_name.items():
            if beside.get(name) is None:
                evidence.gone += 1
                if self._fits(self._fields[name], value):
                    evidence.fits += 1
                    evidence.had += self._had(self._fields[name], value)

    def likely(self) -> tuple[str, str]:
        """The field that it most likely was, and what speaks for that; "" and "" when none is likely."""
        best, best_score, why = "", 0.0, ""
        for name, evidence in self._by_name.items():
            if not self._seen or evidence.gone < _GONE * self._seen or evidence.fits < _GONE * evidence.gone:
                continue
            alike, had = likeness(self._name, name), evidence.had / evidence.fits
            if alike < (_ALONE if had > 0.5 else _ALIKE) and not (had > 0.5 and self._is_only_one_gone(name)):
                continue
            if alike + had > best_score:
                best, best_score, why = name, alike + had, _said(name, evidence, self._seen, alike)
        return best, why

    def _is_only_one_gone(self, name: str) -> bool:
        gone = (other for other, evidence in self._by_name.items() if evidence.gone >= _GONE * self._seen)
        return all(other == name or not self._was_there(self._fields[other]) for other in gone)


def likeness(a: str, b: str) -> float:
    """How alike two names are, in [0, 1]; case and what stands between their parts do not count.

    A part may be short for another: ``nr`` for ``number``.

    >>> likeness("claim_nr", "claimNumber"), round(likeness("amount", "account"), 2)
    (1.0, 0.54)
    """
    x, y = _parts(a), _parts(b)
    if not x or not y:
        return 0.0
    if len(x) == len(y) and all(_is_short_for(p, q) for p, q in zip(x, y, strict=True)):
        return 1.0
    shared = 2 * len(set(x) & set(y)) / (len(x) + len(y))
    letters = difflib.SequenceMatcher(None, "".join(x), "".join(y), autojunk=False).ratio()
    # Letters alone say little: of two words that share two thirds of them, most mean different things.
    return max(shared, 2 * letters - 1.0)


def _parts(name: str) -> list[str]:
    return [part.casefold() for part in _PARTS.findall(name[:120])]


def _is_short_for(a: str, b: str) -> bool:
    """The same, or the shorter holds the first letter and others of the longer in their order."""
    short, long = sorted((a, b), key=len)
    rest = iter(long)
    return short == long or (len(short) > 1 and short[0] == long[0] and all(letter in rest for letter in short))


def _said(name: str, evidence: Evidence, seen: int, alike: float) -> str:
    records = "the record that has it" if seen == 1 else f"{evidence.gone:,} of {seen:,} records that have it"
    said = [
        f"'{name}' is gone from {records}",
        "its rules take the value" if seen == 1 else "its rules take the values",
    ]
    if alike >= _ALONE:
        said.append(f"the names are alike ({alike:.2f} of 1)")
    if evidence.had:
        said.append("it had the value before" if seen == 1 else f"it had {evidence.had:,} of the values before")
    return "; ".join(said)
