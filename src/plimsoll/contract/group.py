"""One group of keys of ours in a contract, read key by key, with every fault at its place."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, TypeVar

from plimsoll.contract.notes import Notes
from plimsoll.model.asked import Asked, Text
from plimsoll.model.manifest_values import read_text
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import Quantity, UnitKind
from plimsoll.model.yaml_source import Path

_Word = TypeVar("_Word", bound=enum.StrEnum)


class Group:
    """Reads the keys of one group; `close` notes those that were not asked for."""

    def __init__(self, given: Any, path: Path, notes: Notes, what: str) -> None:
        """Begin.

        Args:
            given: as the file has it; anything but a group of keys is noted.
            path: of the group.
            notes: takes the problems.
            what: the group's name in messages: "a consumer".
        """
        if not isinstance(given, dict):
            notes.mistyped(path, given, f"{what} (a group of keys)")
        self._given: dict[str, Any] = given if isinstance(given, dict) else {}
        self._is_group = isinstance(given, dict)
        self.path, self.notes, self._what = path, notes, what
        self._asked: list[str] = []

    @property
    def line(self) -> int:
        """Of the group."""
        return self.notes.source.where(self.path).line

    def has(self, key: str) -> bool:
        """Whether the key is written; one that is asked for like this is known."""
        if key not in self._asked:
            self._asked.append(key)
        return key in self._given

    def value(self, key: str) -> Any:
        """What stands at a key, as it is."""
        return self._given.get(key)

    def text(self, key: str, *, required: bool = True, kind: Text = Text.NAME) -> str:
        """One line of text; "" when there is none."""
        if not self._there(key, required=required):
            return ""
        try:
            return read_text(self._given[key], Asked(text=kind))
        except NotUnderstood as why:
            self.notes.problem("custom", (*self.path, key), why.message, fix=why.fix)
            return ""

    def contact(self, key: str, *, required: bool = True) -> str:
        """Somebody who can be reached."""
        return self.text(key, required=required, kind=Text.CONTACT)

    def word(self, key: str, words: type[_Word], *, required: bool = True) -> _Word | None:
        """One of a few words."""
        if not self._there(key, required=required):
            return None
        given = self._given[key]
        if given in list(words):
            return words(given)
        self.notes.unknown("custom", (*self.path, key), f"a word for '{key}'", str(given), [w.value for w in words])
        return None

    def quantity(self, key: str, kind: UnitKind, *, required: bool = True) -> float | None:
        """A quantity of one kind, in its base unit: seconds, or a fraction of 1."""
        if not self._there(key, required=required):
            return None
        at, example = (*self.path, key), "4 h" if kind is UnitKind.DURATION else "5%"
        given = self._given[key]
        if not isinstance(given, str):
            self.notes.mistyped(at, given, f"a text such as {example}")
            return None
        try:
            quantity = Quantity.parse(given)
        except NotUnderstood as why:
            self.notes.problem("custom", at, why.message, fix=why.fix)
            return None
        if quantity.kind is not kind or quantity.base <= 0:
            wanted = "a duration above 0" if kind is UnitKind.DURATION else "a share above 0%"
            self.notes.problem("custom", at, f"'{given}' is not {wanted}", fix=f"write it as {example}")
            return None
        return quantity.base

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, none twice; empty when there is none."""
        if not self._there(key, required=False):
            return ()
        given = self._given[key]
        if not isinstance(given, list) or not given or not all(isinstance(t, str) and t.strip() for t in given):
            self.notes.mistyped((*self.path, key), given, "a list of texts")
            return ()
        return tuple(dict.fromkeys(given))

    def close(self) -> None:
        """Note every key that nothing asked for."""
        for key in self._given:
            if key not in self._asked:
                self.notes.unknown("custom", (*self.path, key), f"a key of {self._what}", key, self._asked)

    def _there(self, key: str, *, required: bool) -> bool:
        if self.has(key) and self._given[key] is not None:
            return True
        if required and self._is_group:
            self.notes.problem("custom", self.path, f"{self._what} has no '{key}'", fix=f"write '{key}: …'")
        return False


def items_of(given: Any, path: Path, notes: Notes, what: str) -> Iterable[tuple[Any, Path]]:
    """The items of a list, with their places; anything but a list with an item is noted."""
    if given == []:
        notes.problem("custom", path, "the list is empty", fix=f"write at least one {what}, or leave the property out")
        return
    if not isinstance(given, list):
        notes.mistyped(path, given, f"a list with at least one {what}")
        return
    for i, item in enumerate(given):
        yield item, (*path, i)
