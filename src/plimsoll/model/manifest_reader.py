"""A manifest read from YAML, with every problem found in one pass."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final, get_args, get_origin

import msgspec

from plimsoll.errors import InvalidFile, Problem
from plimsoll.model.asked import Asked, Key, Text, WordOrGroup, key_of, keys_of
from plimsoll.model.manifest import FORMAT, Manifest
from plimsoll.model.manifest_call_rules import broken_call_rules
from plimsoll.model.manifest_rules import Read, broken_rules
from plimsoll.model.manifest_values import (
    check_slug,
    read_condition,
    read_day,
    read_flag,
    read_quantity,
    read_share_of,
    read_text,
    read_whole,
    read_word,
    wrong_type,
)
from plimsoll.model.money import Money, read_amount, read_money
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import Quantity
from plimsoll.model.share_of import ShareOf
from plimsoll.model.template import Template, read_template, template_problems
from plimsoll.model.threshold import Condition
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path, Source, load, load_bytes

# Keys that a later version will know. A guess at a nearest word would send the reader the wrong way.
PLANNED: Final[Mapping[tuple[str, str], str]] = {
    ("DecisionType", "risk"): "remove it, and set review_below to a confidence in %",
    ("DecisionType", "audit_sample"): "remove it",
    ("Manifest", "value"): "remove it",
    ("Manifest", "sources"): "remove it; declare each source by its contract under data.inputs",
}

# Keys that stood elsewhere once: two that said nearly the same are one, of the target that they are about.
MOVED: Final[Mapping[tuple[str, str], str]] = {
    (
        "Retry",
        "idempotent",
    ): "write it beside retry, under the target: `target.idempotent` is for retries and connections",
    ("HttpService", "idempotent"): "write it beside http, under the target: `target.idempotent` is for both",
}

_SINGLE: Final = frozenset({Quantity, Condition, ShareOf, Money})  # structs that are written as one value
_GROUP_NAMES: Final = {
    "Manifest": "the manifest",
    "Governance": "the governance page",
    "HealthPage": "the health page",
    "DecisionType": "a decision type",
    "ReviewCapacity": "review",
}


def read_manifest(text: str, file: str) -> Manifest:
    """Read and check one manifest.

    Args:
        text: the whole file.
        file: its name, for messages only; nothing is opened, and paths in it are not looked up.

    Raises:
        InvalidFile: with every problem, in the order of the file: what YAML refuses, what the types refuse, names
            that lead nowhere, and what the rules of a manifest refuse.
    """
    return _read(load(text, file))


def read_manifest_bytes(raw: bytes, file: str) -> Manifest:
    """As `read_manifest`, from the bytes of the file.

    Raises:
        InvalidFile: also when the bytes are not UTF-8.
    """
    return _read(load_bytes(raw, file))


def _read(source: Source) -> Manifest:
    version = source.data.get("plimsoll") if isinstance(source.data, dict) else None
    if isinstance(version, int) and version > FORMAT:
        later = source.problem(
            "manifest.version",
            ("plimsoll",),
            f"the file says version {version} of this format; this is version {FORMAT}",
            fix="upgrade plimsoll-ai, or write the file for this version",
        )
        raise InvalidFile(source.file, (later,))
    reader = Reader(source)
    manifest = reader.value(key_of(Manifest), source.data, ())
    read = Read(source=source, values=reader.values, names=tuple(reader.names))
    problems = [*reader.problems, *broken_rules(read), *broken_call_rules(read)]
    if problems:
        ordered = sorted(problems, key=lambda p: (p.where.line, p.where.column) if p.where else (0, 0))
        raise InvalidFile(source.file, tuple(ordered))
    assert isinstance(manifest, Manifest)
    return manifest


class Broken(enum.Enum):
    """In place of a value that could not be read; its problem is noted."""

    VALUE = enum.auto()


BROKEN: Final = Broken.VALUE


class Reader:
    """Walks types and values side by side, and notes what does not fit."""

    root: ClassVar[type[msgspec.Struct]] = Manifest  # what the whole file is

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.values: dict[Path, Any] = {}  # everything that could be read, by its path
        self.names: list[Path] = []  # where somebody is named who must stand under `owners`

    def value(self, key: Key, data: Any, path: Path) -> Any:
        """The typed value, or BROKEN with its problems noted."""
        if data is None:
            optional = "" if key.required else ", or remove the key"
            self.note(
                "manifest.empty", path, f"{_named(path)} is empty", fix=f"write {key.says or 'a value'}{optional}"
            )
            return BROKEN
        value = self._of_type(key, data, path)
        if value is not BROKEN:
            self.values[path] = value
            if key.asked.text is Text.KNOWN:
                self.names.append(path)
        return value

    def _of_type(self, key: Key, data: Any, path: Path) -> Any:
        origin = get_origin(key.type)
        if origin is not None:
            return (self._list if origin is tuple else self._named_groups)(key, data, path)
        if key.type is Template:
            return self._template(data, path)
        if isinstance(key.type, WordOrGroup):
            return self._word_or_group(key.type, data, path)
        if key.type not in _SINGLE and issubclass(key.type, msgspec.Struct):
            return self._group(key.type, data, path)
        try:
            return _leaf(key.type, key.asked, data)
        except NotUnderstood as why:
            code = why.code or ("manifest.condition" if key.type is Condition else "manifest.quantity")
            self.note(code, path, f"{_named(path)}: {why.message}", fix=why.fix)
            return BROKEN

    def _template(self, data: Any, path: Path) -> Any:
        problems = tuple(template_problems(data))
        for deeper, why in problems:
            at = (*path, *deeper)
            self.note("manifest.template", at, f"{_named(at)}: {why.message}", fix=why.fix)
        return BROKEN if problems else read_template(data)

    def _word_or_group(self, either: WordOrGroup, data: Any, path: Path) -> Any:
        if isinstance(data, dict):
            return self._group(either.group, data, path)
        try:
            return read_word(data, either.words)
        except NotUnderstood as why:
            fix = why.fix
            if isinstance(data, str) and data in keys_of(either.group):
                fix = f"write {{{data}: …}}, with what it is"
            self.note(why.code or "manifest.word", path, f"{_named(path)}: {why.message}", fix=fix)
            return BROKEN

    def _list(self, key: Key, data: Any, path: Path) -> Any:
        if not isinstance(data, list):
            fix = f"write [{data}]" if isinstance(data, str) and data.strip() else "write a list: [first, second]"
            self.refuse(wrong_type(data, "a list", fix), path)
            return BROKEN
        item = key_of(get_args(key.type)[0])
        if not data and key.required and item.type is not Condition:  # the rules say which conditions are missing
            self.note("manifest.empty", path, f"{_named(path)} is an empty list", fix=f"write {key.says}")
            return BROKEN
        values = [self.value(item, each, (*path, at)) for at, each in enumerate(data)]
        if item.type not in {Condition, int}:  # of conditions, the rules say more; a shape may be [1, 1]
            self._repeated(values, path)
        return BROKEN if any(v is BROKEN for v in values) else tuple(values)

    def _repeated(self, values: list[Any], path: Path) -> None:
        for at, value in enumerate(values):
            if value is not BROKEN and value in values[:at]:
                said = quoted(str(value)) if isinstance(value, str) else "the same"
                self.note("manifest.repeated", (*path, at), f"{said} stands twice", fix="remove one")

    def _named_groups(self, key: Key, data: Any, path: Path) -> Any:
        if not isinstance(data, dict):
            self.refuse(wrong_type(data, "a group of names", f"write one key for each of {key.says}"), path)
            return BROKEN
        if not data:
            self.note("manifest.empty", path, f"{_named(path)} is empty", fix="name at least one")
            return BROKEN
        kind = key_of(get_args(key.type)[1])
        values = {}
        for name, each in data.items():
            try:
                check_slug(name)
            except NotUnderstood as why:
                self.refuse(why, (*path, name), at_key=True)
            values[name] = self.value(kind, each, (*path, name))
        return BROKEN if any(v is BROKEN for v in values.values()) else values

    def _group(self, group: type[msgspec.Struct], data: Any, path: Path) -> Any:
        keys = keys_of(group)
        if not isinstance(data, dict):
            wanted = f"a group of keys ({', '.join(keys)})"
            self.refuse(wrong_type(data, wanted, f"write the keys below it, such as {next(iter(keys))}: …"), path)
            return BROKEN
        unknown = [name for name in data if name not in keys]
        meant = {self._unknown_key(group, keys, name, (*path, name)) for name in unknown}
        values = {}
        for name, key in keys.items():
            if name in data:
                values[name] = self.value(key, data[name], (*path, name))
            elif key.required:
                values[name] = BROKEN
                if name not in meant:  # one fault, one problem
                    self._missing_key(key, path)
        if unknown or any(v is BROKEN for v in values.values()):
            return BROKEN
        return group(**values)

    def _unknown_key(self, group: type[msgspec.Struct], keys: Mapping[str, Key], name: str, path: Path) -> str | None:
        """Note a key that is not known, and give the known one that it stands in place of."""
        moved = MOVED.get((group.__name__, name))
        if moved is not None:
            said = f"{quoted(name)} is no key of {'.'.join(map(str, path[:-1]))} any more"
            self.note("manifest.unknown-key", path, said, fix=moved, at_key=True)
            return None
        planned = PLANNED.get((group.__name__, name))
        if planned is not None:
            said = f"{_named(path)} is planned, not in this version"
            self.note("manifest.planned", path, said, fix=planned, at_key=True)
            return None
        near = nearest(name, keys)
        elsewhere = [place for place, known in _groups(self.root, "") if name in known and place != _place(path[:-1])]
        if near is None and elsewhere:
            fix = f"it belongs under {elsewhere[0] or 'no group: move it to the left margin'}"
        else:
            fix = f"did you mean '{near}'?" if near else "remove it"
        of = _GROUP_NAMES.get(group.__name__) or ".".join(map(str, path[:-1]))
        said = f"{quoted(name)} is not a key of {of}; allowed are {', '.join(keys)}"
        self.note("manifest.unknown-key", path, said, fix=fix, at_key=True)
        return near

    def _missing_key(self, key: Key, path: Path) -> None:
        of = _named(path) if path else _GROUP_NAMES[self.root.__name__]
        words = isinstance(key.type, type) and issubclass(key.type, enum.StrEnum)
        what = " or ".join(word.value for word in key.type) if words else key.says
        fix = f"add '{key.name}': {what}"
        self.note("manifest.missing-key", path, f"{of} has no '{key.name}'", fix=fix, at_key=True)

    def refuse(self, why: NotUnderstood, path: Path, *, at_key: bool = False) -> None:
        """Note what was not understood, under the name of its key."""
        self.note(why.code, path, f"{_named(path)}: {why.message}" if path else why.message, fix=why.fix, at_key=at_key)

    def note(self, code: str, path: Path, message: str, *, fix: str = "", at_key: bool = False) -> None:
        """Note a problem at a value, or at its key."""
        self.problems.append(self.source.problem(code, path, message, fix=fix, at_key=at_key))


def _leaf(type_: Any, asked: Asked, data: Any) -> Any:
    """A value that is neither list nor group."""
    if type_ in _READ:
        return _READ[type_](data, asked)
    return read_word(data, type_) if issubclass(type_, enum.StrEnum) else read_text(data, asked)


_READ: Final[Mapping[Any, Callable[[Any, Asked], Any]]] = {
    Quantity: read_quantity,
    Condition: lambda data, _: read_condition(data),
    ShareOf: lambda data, _: read_share_of(data),
    Money: lambda data, _: read_money(data),
    Decimal: lambda data, _: read_amount(data),
    dt.date: lambda data, _: read_day(data),
    bool: lambda data, _: read_flag(data),
    int: read_whole,
    Any: lambda data, _: data,
}


def _named(path: Path) -> str:
    """A key as messages name it, such as 'owners.business'; items of a list are counted from 1."""
    if not path:
        return "the file"
    keys = quoted(".".join(str(p) for p in path if isinstance(p, str)))
    return f"{keys} item {path[-1] + 1}" if isinstance(path[-1], int) else keys


def _place(path: Path) -> str:
    """A group's place with the names that people choose left out: "decisions.*"."""
    return ".".join("*" if at == 1 and path[0] == "decisions" else str(p) for at, p in enumerate(path))


def _groups(group: type[msgspec.Struct], place: str) -> Iterator[tuple[str, Mapping[str, Key]]]:
    keys = keys_of(group)
    yield place, keys
    for name, key in keys.items():
        inner = get_args(key.type)[1] if get_origin(key.type) is dict else key.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and inner not in _SINGLE:
            deeper = f"{place}.{name}".strip(".")
            yield from _groups(inner, deeper if inner is key.type else f"{deeper}.*")
