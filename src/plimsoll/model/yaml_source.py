"""YAML read into plain values that still know their line and column.

What is read is YAML 1.2's core schema, narrowed to what JSON can hold: ``true`` and ``false`` are the only booleans
(not ``yes`` or ``on``), dates stay strings, and a number that could be meant otherwise (``007``, ``0o17``, ``0x1f``,
``1:30``, ``1_000``) stays the string that was written. Keys are always strings.

A file that was written to hurt is refused before it can: nesting, alias expansion and length are bounded here, on the
event stream, because the C parser's own composer recurses on the machine's stack and takes the process down with it.

Source: YAML 1.2.2, section 10.3 (core schema), https://yaml.org/spec/1.2.2/
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import msgspec
import yaml

from plimsoll.errors import InvalidFile, Problem, Where

Path = tuple[str | int, ...]  # to a value: keys, and positions in lists

LINE_BREAK: Final = re.compile("\r\n|[\n\r]")  # what editors count as the end of a line
_ONLY_YAML: Final = re.compile("[\x85\u2028\u2029]")  # what YAML 1.1 ends a line at, too, and editors do not

_MAX_BYTES: Final = 4 * 1024 * 1024  # what a person declares is pages, not megabytes; a larger file is the wrong file
_MAX_DEPTH: Final = 64  # far beyond any contract; without it a few thousand brackets exhaust the stack
_MAX_REPEATED: Final = (
    10_000  # values reached through aliases; without it ten lines expand to billions ("billion laughs")
)
_MAX_DIGITS: Final = 300  # of a whole number; beyond it Python refuses to convert, and a float overflows

_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_CORE: Final = "tag:yaml.org,2002:"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # without the C library the same events, more slowly

_HINTS: Final = (
    (
        "mapping values are not allowed",
        "a ':' too many, or a line indented too far; put text that holds ': ' in quotes",
    ),
    ("could not find expected ':'", "write 'key: value'; a text over several lines is indented below its key"),
    ("did not find expected key", "indent the keys of one group equally; check that no quote closes early"),
    ("did not find expected '-'", "indent the items of one list equally; a key does not stand among '- ' items"),
    ("found unexpected end of stream", "close the quote that was opened"),
    ("did not find expected ',' or", "close the bracket that was opened, or put a comma between its items"),
    ("undefined alias", "an alias (*name) needs its anchor (&name) before it"),
    ("unknown escape", "inside double quotes a backslash starts an escape; use single quotes"),
    ("undefined tag handle", "remove the tag (the word that begins with '!')"),
    ("<document start>", "remove what stands after the end of the document"),
)


class Node(msgspec.Struct, frozen=True):
    """A value with its place; lines and columns count from 1."""

    line: int
    column: int
    data: Any
    size: int = 1  # values in it, itself included, aliases expanded
    children: dict[str | int, Node] = {}  # by key, or by position in a list
    keys: dict[str, tuple[int, int]] = {}  # line and column of each key


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read: its values, and where each of them stands.

    Paths are tuples of keys and list positions: ``("owners", "business", "name")``, ``("data", "inputs", 0)``.
    """

    file: str
    text: str
    data: Any  # dict, list, str, int, float, bool or None
    root: Node

    def where(self, path: Sequence[str | int] = ()) -> Where:
        """The place of a value; of the nearest one around it when there is none at this path."""
        node = self._walk(path)[0]
        return Where(file=self.file, line=node.line, column=node.column)

    def where_key(self, path: Sequence[str | int]) -> Where:
        """The place of the key that holds a value; of the value itself for list items and for the whole file."""
        if path:
            holder, whole = self._walk(path[:-1])
            place = holder.keys.get(str(path[-1])) if whole else None
            if place is not None:
                return Where(file=self.file, line=place[0], column=place[1])
        return self.where(path)

    def has(self, path: Sequence[str | int]) -> bool:
        """Whether there is a value at this path, be it null."""
        return self._walk(path)[1]

    def problem(
        self, code: str, path: Sequence[str | int], message: str, *, fix: str = "", at_key: bool = False
    ) -> Problem:
        """A problem at a value's place, or at its key's."""
        where = self.where_key(path) if at_key else self.where(path)
        return Problem(code=code, message=message, where=where, fix=fix)

    def _walk(self, path: Sequence[str | int]) -> tuple[Node, bool]:
        """The deepest node on a path, and whether it is the one asked for."""
        node = self.root
        for step in path:
            child = node.children.get(step)
            if child is None:
                return node, False
            node = child
        return node, True


def load_bytes(raw: bytes, file: str) -> Source:
    """As `load`, from the bytes of a file.

    Raises:
        InvalidFile: also when the bytes are not UTF-8, or more than 4 MiB.
    """
    if len(raw) > _MAX_BYTES:
        _refuse(file, "yaml.too-large", f"the file has {len(raw):,} bytes; at most {_MAX_BYTES:,} are read")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = _place_after(before)
        _refuse(
            file,
            "yaml.encoding",
            f"the byte 0x{raw[error.start]:02x} is not UTF-8",
            line,
            column,
            fix="save the file as UTF-8",
        )
    return load(text, file)


def load(text: str, file: str) -> Source:
    r"""Read one YAML document.

    Args:
        text: the whole file.
        file: its name, for messages only; nothing is opened.

    Raises:
        InvalidFile: it is not one well-formed document, or it is not safe to read: duplicate keys, unknown tags,
            a tab as indentation, too deep, too many values through aliases, a number that is not finite.

    >>> source = load("deadline: 300ms\nsince: 2026-11-01\n", "x.yaml")
    >>> source.data
    {'deadline': '300ms', 'since': '2026-11-01'}
    >>> str(source.where(("since",)))
    'x.yaml:2:8'
    """
    text = text.removeprefix("\ufeff")
    if len(text) > _MAX_BYTES:
        _refuse(file, "yaml.too-large", f"the file has {len(text):,} characters; at most {_MAX_BYTES:,} are read")
    strange = _UNPRINTABLE.search(text)
    if strange:
        message = f"the character U+{ord(strange[0]):04X} is not allowed in YAML"
        _refuse(file, "yaml.encoding", message, *_place_after(text[: strange.start()]), fix="remove it")
    composer = _Composer(file, text)
    root = composer.compose()
    if composer.problems or root is None:
        raise InvalidFile(file, tuple(composer.problems))
    return Source(file=file, text=text, data=root.data, root=root)


def resolve(text: str) -> Any:
    """What an unquoted scalar means.

    Raises:
        ValueError: a number that is not finite or has too many digits.

    >>> [resolve(t) for t in ("true", "yes", "7", "007", "1:30", "2026-11-01", "0.5", "1e3", "")]
    [True, 'yes', 7, '007', '1:30', '2026-11-01', 0.5, 1000.0, None]
    """
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ValueError(f"a number of {len(text)} digits is too long")
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in {float("inf"), float("-inf")}:
            raise ValueError("the number is too large")
        return value
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"'{text}' is not a finite number")
    return text


class _Stop(Exception):
    """Reading on makes no sense; the problem is already noted."""


class _Composer:
    """Builds values with their places from the parser's events, one pass, bounded in depth and expansion."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._counts_otherwise = _ONLY_YAML.search(text) is not None
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node | None] = {}  # None: its value is not complete yet
        self._repeated = 0

    def compose(self) -> Node | None:
        """The document's value; None when a problem kept it from being read."""
        events: Iterator[Any] = yaml.parse(self.text, Loader=_LOADER)
        try:
            with contextlib.closing(events):  # type: ignore[type-var]  # it is a generator, which has close()
                return self._document(events)
        except _Stop:
            return None
        except yaml.YAMLError as error:
            self._syntax(error)
            return None

    def _document(self, events: Iterator[Any]) -> Node | None:
        next(events)  # stream start
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            self._note("yaml.empty", "the file is empty", fix="a file that declares something has at least one key")
            return None
        root = self._value(next(events), events, 0)
        next(events)  # document end
        event = next(events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._note(
                "yaml.many-documents",
                "a second document begins here; the file must hold one",
                event.start_mark,
                fix="remove the '---' line, or move what follows into a file of its own",
            )
        elif root.data is None:
            self._note("yaml.empty", "the file is empty", fix="a file that declares something has at least one key")
        return root

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > _MAX_DEPTH:
            self._too_deep(event.start_mark)
            raise _Stop
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            node = self._mapping(event, events, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        line, column = self._place(event.start_mark)
        if event.anchor not in self._anchors:
            self._note(
                "yaml.alias",
                f"the alias '*{event.anchor}' has no anchor before it",
                event.start_mark,
                fix=f"name the value once with '&{event.anchor}' above this line, or write it out",
            )
            return Node(line, column, None)
        node = self._anchors[event.anchor]
        if node is None:
            self._note(
                "yaml.alias",
                f"the alias '*{event.anchor}' stands inside the value it names",
                event.start_mark,
                fix="write the value out",
            )
            return Node(line, column, None)
        self._repeated += node.size
        if self._repeated > _MAX_REPEATED:
            self._note(
                "yaml.alias",
                f"aliases repeat more than {_MAX_REPEATED:,} values",
                event.start_mark,
                fix="write the values out, or split the file",
            )
            raise _Stop
        return Node(line, column, node.data, node.size, node.children, node.keys)

    def _scalar(self, event: Any) -> Node:
        line, column = self._place(event.start_mark)
        tag: str = event.tag or ""
        kind = tag.removeprefix(_CORE)
        try:
            if tag in {"", "!"}:
                plain = tag == "" and event.implicit[0]
                return Node(line, column, resolve(event.value) if plain else event.value)
            if kind == "str":
                return Node(line, column, event.value)
            value = resolve(event.value)
        except ValueError as error:
            self._note("yaml.number", str(error), event.start_mark, fix="write a finite number, or put text in quotes")
            return Node(line, column, None)
        if kind == "float" and type(value) is int:
            value = float(value)
        if {"null": type(None), "bool": bool, "int": int, "float": float}.get(kind) is not type(value):
            self._unknown_tag(event, tag)
        return Node(line, column, value)

    def _sequence(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        self._check_tag(event, "seq")
        children: dict[str | int, Node] = {}
        for item in events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            children[len(children)] = self._value(item, events, depth + 1)
        data = [child.data for child in children.values()]
        return Node(*self._place(event.start_mark), data, 1 + sum(c.size for c in children.values()), children)

    def _mapping(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        self._check_tag(event, "map")
        children: dict[str | int, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        for item in events:
            if isinstance(item, yaml.MappingEndEvent):
                break
            key = self._key(item, events, depth)
            value = self._value(next(events), events, depth + 1)
            if key is None:
                continue
            if key in keys:
                self._note(
                    "yaml.duplicate-key",
                    f"the key '{key}' is already on line {keys[key][0]}",
                    item.start_mark,
                    fix="keep one of the two",
                )
                continue
            children[key] = value
            keys[key] = self._place(item.start_mark)
        data = {key: children[key].data for key in keys}
        return Node(*self._place(event.start_mark), data, 1 + sum(c.size for c in children.values()), children, keys)

    def _key(self, event: Any, events: Iterator[Any], depth: int) -> str | None:
        """A key's text; None when there is none that could be used."""
        if isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                self._anchors[event.anchor] = Node(*self._place(event.start_mark), event.value)
            if event.tag not in {None, "!", _CORE + "str"}:
                self._unknown_tag(event, event.tag)
            if event.value == "<<" and event.implicit[0]:
                self._note(
                    "yaml.merge-key",
                    "the merge key '<<' is not part of YAML 1.2",
                    event.start_mark,
                    fix="write the keys out",
                )
                return None
            return str(event.value)
        node = self._value(event, events, depth + 1)
        if isinstance(event, yaml.AliasEvent) and isinstance(node.data, str):
            return node.data
        self._note("yaml.key", "a key must be a single word or text", event.start_mark, fix="write 'key: value'")
        return None

    def _check_tag(self, event: Any, kind: str) -> None:
        if event.tag not in {None, "!", _CORE + kind}:
            self._unknown_tag(event, event.tag)

    def _unknown_tag(self, event: Any, tag: str) -> None:
        shown = f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
        self._note(
            "yaml.tag",
            f"the tag '{shown}' is not allowed here",
            event.start_mark,
            fix="remove it; a value is a text, a number, true, false, null, a list or a group of keys",
        )

    def _syntax(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        said = str(getattr(error, "problem", None) or error)
        if "maximum nesting depth" in said:  # libyaml's own bound, of 1,000; it reads ahead, and may get there first
            self._too_deep(mark)
            return
        opened = getattr(error, "context_mark", None)
        hint = next((fix for words, fix in _HINTS if words in said), "")
        message = f"not well-formed YAML: {said}"
        if "cannot start any token" in said and mark is not None:
            found = self._character_at(mark)
            if found == "\t":
                message, hint = "a tab cannot indent YAML", "use spaces"
            else:
                message, hint = f"a text cannot begin with '{found}'", "put the text in quotes"
        elif opened is not None and mark is not None and opened.line != mark.line:
            line, column = self._place(opened)
            message += f" (what is being read began on line {line}, column {column})"
        self._note("yaml.syntax", message, mark, fix=hint)

    def _too_deep(self, mark: Any) -> None:
        self._note("yaml.too-deep", f"more than {_MAX_DEPTH} levels deep", mark, fix="flatten it")

    def _character_at(self, mark: Any) -> str:
        return self.text[mark.index : mark.index + 1]

    def _place(self, mark: Any) -> tuple[int, int]:
        """Line and column of a parser's mark, counted from 1."""
        return _place_after(self.text[: mark.index]) if self._counts_otherwise else (mark.line + 1, mark.column + 1)

    def _note(self, code: str, message: str, mark: Any = None, *, fix: str = "") -> None:
        line, column = self._place(mark) if mark is not None else (1, 1)
        where = Where(file=self.file, line=line, column=column)
        self.problems.append(Problem(code=code, message=message, where=where, fix=fix))


def _place_after(text: str) -> tuple[int, int]:
    """Line and column of what follows a text."""
    lines = LINE_BREAK.split(text)
    return len(lines), len(lines[-1]) + 1


def _refuse(file: str, code: str, message: str, line: int = 0, column: int = 0, *, fix: str = "") -> NoReturn:
    """Raise for the one problem after which nothing can be read."""
    where = Where(file=file, line=line, column=column)
    raise InvalidFile(file, (Problem(code=code, message=message, where=where, fix=fix),))
