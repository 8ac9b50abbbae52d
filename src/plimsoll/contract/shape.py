"""Whether a document has the shape of the standard: its keys, their kinds, and what must not be left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from plimsoll.contract.notes import Notes
from plimsoll.contract.odcs import SHAPES, Key, Shape
from plimsoll.model.words import quoted
from plimsoll.model.yaml_source import Path

_STABLE_ID: Final = re.compile(r"[A-Za-z0-9_-]+")


def check_shape(document: dict[str, Any], minor: int, notes: Notes) -> None:
    """Note every key that is unknown, missing, or of the wrong kind.

    Args:
        document: the whole file.
        minor: minor version of the standard that the file says it follows.
        notes: takes the problems.
    """
    _Walk(minor, notes).group("contract", document, ())


class _Walk:
    """Goes through a document along the standard's shapes."""

    def __init__(self, minor: int, notes: Notes) -> None:
        self._minor = minor
        self._notes = notes
        self._kinds: dict[str, Callable[[Any, Path, Key], None]] = {
            "text": self._text,
            "id": self._id,
            "flag": self._plain(lambda v: isinstance(v, bool), "true or false"),
            "whole": self._plain(lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number"),
            "number": self._plain(lambda v: isinstance(v, int | float) and not isinstance(v, bool), "a number"),
            "scalar": self._plain(lambda v: not isinstance(v, dict | list), "a single value"),
            "group": self._plain(lambda v: isinstance(v, dict), "a group of keys"),
            "list": self._plain(lambda v: isinstance(v, list), "a list"),
            "any": lambda _value, _path, _key: None,
            "texts": self._texts,
            "custom": self._custom,
            "team": self._team,
        }

    def group(self, name: str, value: Any, path: Path) -> None:
        """A group of keys of the named shape."""
        shape = SHAPES[name]
        if not isinstance(value, dict):
            self._notes.mistyped(path, value, f"{_one(name)} (a group of keys)")
            return
        for word, given in value.items():
            self._known_key(shape, word, given, (*path, word))
        for word, key in shape.keys.items():
            demanded = key.required or self._minor < key.required_until
            if demanded and word not in value:
                self._notes.problem("missing", path, f"this {name} has no '{word}'", fix=f"write '{word}: …'")

    def _known_key(self, shape: Shape, word: str, given: Any, path: Path) -> None:
        key = shape.keys.get(word)
        if key is None:
            if shape.closed_since is not None and self._minor >= shape.closed_since:
                known = [w for w, k in shape.keys.items() if k.since <= self._minor]
                self._notes.unknown("unknown-key", path, f"a key of {_one(shape.name)}", word, known)
            return
        if key.since > self._minor:
            fix = f"say apiVersion: v3.{key.since}.0, or leave it out"
            said = f"'{word}' is known from v3.{key.since}.0 on; this file says v3.{self._minor}"
            self._notes.problem("version", path, said, fix=fix, at_key=True)
            return
        if given is None and not key.required and key.kind not in {"any", "scalar", "list"}:
            return  # `description:` with nothing behind it is a key left blank
        self._value(key, given, path)

    def _value(self, key: Key, value: Any, path: Path) -> None:
        kind = key.kind
        if kind in self._kinds:
            self._kinds[kind](value, path, key)
        elif not kind.startswith("["):
            self.group(kind, value, path)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                self.group(kind[1:-1], item, (*path, i))
        else:
            self._notes.mistyped(path, value, "a list")

    def _text(self, value: Any, path: Path, key: Key) -> None:
        if not isinstance(value, str):
            self._notes.mistyped(path, value, "a text")
        elif key.words and value not in key.words:
            self._notes.unknown("word", path, "allowed here", value, key.words)
        elif key.required and not value.strip():
            self._notes.problem("empty", path, "the text is empty", fix="write what is asked for")

    def _id(self, value: Any, path: Path, key: Key) -> None:
        self._text(value, path, key)
        if isinstance(value, str) and not _STABLE_ID.fullmatch(value):
            fix = "use letters, digits, '-' and '_' only"
            self._notes.problem("id", path, f"{quoted(value)} cannot be an id", fix=fix)

    def _plain(self, fits: Callable[[Any], bool], wanted: str) -> Callable[[Any, Path, Key], None]:
        def look(value: Any, path: Path, _key: Key) -> None:
            if not fits(value):
                self._notes.mistyped(path, value, wanted)

        return look

    def _texts(self, value: Any, path: Path, key: Key) -> None:
        if not isinstance(value, list):
            self._notes.mistyped(path, value, "a list of texts")
            return
        for i, item in enumerate(value):
            self._text(item, (*path, i), key)

    def _custom(self, value: Any, path: Path, _key: Key) -> None:
        # The standard writes a list of property and value; a plain group of keys says the same and is understood too.
        if isinstance(value, dict):
            return
        if not isinstance(value, list):
            self._notes.mistyped(path, value, "a list of property and value")
            return
        for i, item in enumerate(value):
            self.group("custom property", item, (*path, i))

    def _team(self, value: Any, path: Path, _key: Key) -> None:
        if isinstance(value, list):  # the form of before 3.1, which stays readable until 4.0
            for i, item in enumerate(value):
                self.group("member", item, (*path, i))
        else:
            self.group("team", value, path)


def _one(name: str) -> str:
    """A shape's name with its article."""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
