"""Whether a document has the shape of the standard: its keys, their kinds, and what must not be left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from plimsoll.contract.notes import Notes
from plimsoll.contract.odcs import SHAPES, Key, Shape
from plimsoll.contract.odcs_servers import FILE_SERVERS, SERVER_TYPES, WORDS_BEFORE_1
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path

_ASCII_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_STABLE_ID: Final = (_ASCII_ID, _ASCII_ID, re.compile(r"[^\s.#/\\@!%&^]+"))  # by minor version
# Ways to name a property, by minor version: relationships came with v3.1.
_SHORT_1: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+$")
_SHORT: Final = (_SHORT_1, _SHORT_1, re.compile(r"^[A-Za-z_][A-Za-z0-9_\-]*(?:\.[A-Za-z_][A-Za-z0-9_\-]*)+$"))
_FILE: Final = r"^(?:(?:https?://)?[A-Za-z0-9._\-/]+\.ya?ml#)?/?"
_FULL_1: Final = re.compile(rf"{_FILE}[A-Za-z_]\w*/[A-Za-z0-9_-]+(?:/[A-Za-z_]\w*/[A-Za-z0-9_-]+)*$", re.ASCII)
_FULL_2: Final = re.compile(rf"{_FILE}[A-Za-z_]\w*/[^\s.#/\\@!%&^]+(?:/[A-Za-z_]\w*/[^\s.#/\\@!%&^]+)*$", re.ASCII)
_FULL: Final = (_FULL_1, _FULL_1, _FULL_2)


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
            "whole": self._plain(_is_whole, "a whole number"),
            "number": self._plain(lambda v: isinstance(v, int | float) and not isinstance(v, bool), "a number"),
            "scalar": self._plain(lambda v: not isinstance(v, dict | list), "a single value"),
            "group": self._plain(lambda v: isinstance(v, dict), "a group of keys"),
            "list": self._plain(lambda v: isinstance(v, list), "a list"),
            "any": lambda _value, _path, _key: None,
            "text or group": self._plain(lambda v: isinstance(v, str | dict), "a text or a group of keys"),
            "context": self._context,
            "reference": self._reference,
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
        own = self._server(value, path) if name == "server" else frozenset()
        for word, given in value.items():
            if word not in own:
                self._known_key(shape, word, given, (*path, word))
        if name == "link between properties":
            self._both_alike(value, path)
        for word, key in shape.keys.items():
            demanded = (key.required and self._minor >= key.required_from) or self._minor < key.required_until
            if demanded and word not in value:
                self._notes.problem("missing", path, f"this {name} has no '{word}'", fix=f"write '{word}: …'")

    def _known_key(self, shape: Shape, word: str, given: Any, path: Path) -> None:
        key = shape.keys.get(word)
        if key is None:
            if shape.closed_since is not None and self._minor >= shape.closed_since:
                known = [w for w, k in shape.keys.items() if k.since <= self._minor]
                self._notes.unknown("unknown-key", path, f"a key of {_one(shape.name)}", word, known)
            return
        closed = shape.closed_since is not None and self._minor >= shape.closed_since
        if key.since > self._minor and not closed:
            return  # in its version any key may stand here
        if key.since > self._minor:
            fix = f"say apiVersion: v3.{key.since}.0, or leave it out"
            said = f"'{word}' is known from v3.{key.since}.0 on; this file says v3.{self._minor}"
            self._notes.problem("version", path, said, fix=fix, at_key=True)
            return
        if given is None and key.kind not in {"any", "scalar"}:
            fix = "write what belongs there, or leave the key out"
            self._notes.problem("wrong-type", path, f"'{word}' has nothing behind it", fix=fix, at_key=True)
            return
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

    # -- servers

    def _server(self, value: dict[str, Any], path: Path) -> frozenset[str]:
        """Look at the keys that this type of server has, and say which they are."""
        kind = value.get("type")
        known = SERVER_TYPES.get(kind) if isinstance(kind, str) else None
        if known is None:
            return frozenset()
        since, keys = known
        if since > self._minor:
            said = f"the type '{kind}' is known from v3.{since}.0 on; this file says v3.{self._minor}"
            self._notes.problem("version", (*path, "type"), said, fix=f"say apiVersion: v3.{since}.0, or type: custom")
            return frozenset(value)
        for key in keys:
            if key.name not in value and self._minor < key.required_until:
                said = f"a server of type {kind} has no '{key.name}'"
                self._notes.problem("missing", path, said, fix=f"write '{key.name}: …'")
        own = [key for key in keys if key.since <= self._minor]
        for key in own:
            if key.name in value:
                self._server_value(str(kind), key.name, value[key.name], (*path, key.name))
        if self._minor >= 1:
            # Tools write more than the schema knows (`delimiter` of a local file); where data lies changes no check.
            self._no_others(str(kind), value, path, [key.name for key in own])
        return frozenset(key.name for key in own) | {w for w in value if w not in SHAPES["server"].keys}

    def _server_value(self, kind: str, word: str, value: Any, path: Path) -> None:
        if word == "port":
            fits = _is_whole(value) or (isinstance(value, str) and self._minor >= 2)
            if not fits:
                wanted = "a whole number, or from v3.2 on a text"
                self._notes.mistyped(path, value, wanted)
            return
        self._text(value, path, Key(kind="text", words=self._words_of(kind, word)))
        if kind == "sftp" and word == "location" and isinstance(value, str) and not value.startswith("sftp://"):
            self._notes.problem("word", path, f"{quoted(value)} is not the address of an SFTP server", fix="sftp://…")

    def _words_of(self, kind: str, word: str) -> tuple[str, ...]:
        return WORDS_BEFORE_1.get(word, ()) if kind in FILE_SERVERS and self._minor == 0 else ()

    def _no_others(self, kind: str, value: dict[str, Any], path: Path, own: list[str]) -> None:
        for word in value:
            if word not in own and word not in SHAPES["server"].keys:
                near = nearest(word, own)
                fix = f"did you mean '{near}'?" if near else "move it to customProperties"
                said = f"{quoted(word)} is not a key of a server of type {kind} in v3.{self._minor}; it is not read"
                self._notes.warning("unknown-key", (*path, word), said, fix=fix)

    # -- references

    def _reference(self, value: Any, path: Path, _key: Key) -> None:
        """What a relationship points from or to: one property, or a list of them."""
        items = [(path, value)] if isinstance(value, str) else []
        if isinstance(value, list):
            items = [((*path, i), item) for i, item in enumerate(value)]
        if not items:
            self._notes.mistyped(path, value, "a property, or a list of properties")
        for at, item in items:
            if not isinstance(item, str):
                self._notes.mistyped(at, item, "a property as a text")
            elif not (_SHORT[self._minor].search(item) or _FULL[self._minor].search(item)):
                fix = "write object.property, or schema/<id>/properties/<id>"
                self._notes.problem("reference", at, f"{quoted(item)} names no property", fix=fix)

    def _both_alike(self, value: dict[str, Any], path: Path) -> None:
        a, b = value.get("from"), value.get("to")
        if isinstance(a, str | list) and isinstance(b, str | list) and isinstance(a, str) != isinstance(b, str):
            said = "'from' and 'to' are not of one kind: one is a text, the other a list"
            self._notes.problem("reference", path, said, fix="make both texts, or both lists")
        elif isinstance(a, list) and isinstance(b, list) and len(a) != len(b):
            said = f"'from' has {len(a)} properties and 'to' has {len(b)}"
            self._notes.problem("reference", path, said, fix="name one property in 'to' for each in 'from'")

    def _context(self, value: Any, path: Path, _key: Key) -> None:
        if not isinstance(value, str):
            self.group("context", value, path)

    # -- single values

    def _id(self, value: Any, path: Path, key: Key) -> None:
        self._text(value, path, key)
        if isinstance(value, str) and not _STABLE_ID[self._minor].fullmatch(value):
            only, not_these = "use letters, digits, '-' and '_' only", "leave out blanks and . # / \\ @ ! % & ^"
            fix = only if self._minor < 2 else not_these
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
        if not isinstance(value, list):
            self._notes.mistyped(path, value, "a list of property and value")
            return
        for i, item in enumerate(value):
            self.group("custom property", item, (*path, i))

    def _team(self, value: Any, path: Path, _key: Key) -> None:
        if isinstance(value, list):  # the form of before 3.1, which stays readable until 4.0
            for i, item in enumerate(value):
                self.group("member", item, (*path, i))
        elif self._minor == 0:
            self._notes.mistyped(path, value, "a list of members; a group of keys comes with v3.1,")
        else:
            self.group("team", value, path)


def _one(name: str) -> str:
    """A shape's name with its article."""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
