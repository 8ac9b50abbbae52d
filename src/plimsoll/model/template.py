"""Templates of JSON: what a service is sent, made from a record.

A template is JSON as it will be sent, in which an object of one of these forms stands for something else:

======================================= ======================================================================
``{pointer: /claim/text}``              the record's value at that place, whatever it is
``{pointer: /note, else: ""}``          the same, or another value where the record has nothing there
``{as_text: "Claim: {/claim/text}"}``   a text with values of the record in it; ``{}`` is the whole record, ``{{`` a
                                        brace. Texts are put in as they are, everything else as JSON
``{from_file: prompts/system.txt}``     the text of a file, relative to the manifest; part of the release
``{literal: {pointer: x}}``             the value as it stands, whatever its keys
======================================= ======================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.pointer import Steps, look_up, parse_pointer

_DIRECTIVES: Final = frozenset({"pointer", "as_text", "from_file", "literal"})
_PLACE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NOTHING: Final = object()


class Template(msgspec.Struct, frozen=True):
    """A template as it was written.

    Args:
        json: its JSON, with sorted keys: equal templates are equal, and have one digest.
    """

    json: str

    @property
    def value(self) -> Any:
        """As it was written."""
        return msgspec.json.decode(self.json)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it takes texts from, each once."""
        return tuple(dict.fromkeys(_files(self.value)))


class NotThere(LookupError):
    """A record has nothing at a place that a template takes a value from.

    Args:
        pointer: the place.
    """

    def __init__(self, pointer: str) -> None:
        self.pointer = pointer
        super().__init__(f"the record has nothing at '{pointer}'")


def read_template(data: Any) -> Template:
    """A template from JSON-like data.

    Raises:
        NotUnderstood: a directive in it is not written as it should be.
    """
    for path, wrong in template_problems(data):
        place = ".".join(str(step) for step in path)
        raise NotUnderstood(f"{place}: {wrong.message}" if place else wrong.message, fix=wrong.fix, code=wrong.code)
    return Template(msgspec.json.encode(data, order="sorted").decode())


def template_problems(
    data: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], NotUnderstood]]:
    """Every directive in it that is not written as it should be, with its path."""
    if isinstance(data, list):
        for at, item in enumerate(data):
            yield from template_problems(item, (*path, at))
        return
    if not isinstance(data, dict):
        return
    name = _directive(data)
    if not name:
        for key, item in data.items():
            yield from template_problems(item, (*path, key))
        return
    wrong = _directive_problem(name, data)
    if wrong is not None:
        yield path, wrong


def _directive(data: dict[str, Any]) -> str:
    """The directive that an object is; "" when it is sent as an object."""
    return min(_DIRECTIVES & data.keys(), default="")


def _directive_problem(name: str, data: dict[str, Any]) -> NotUnderstood | None:
    more = sorted(data.keys() - {name} - ({"else"} if name == "pointer" else set()))
    if more:
        return NotUnderstood(
            f"'{name}' stands beside '{more[0]}'; an object with '{name}' holds nothing else",
            fix="write {literal: {…}} around an object that is to be sent as it stands",
        )
    given = data[name]
    if name == "literal":
        return None
    if not isinstance(given, str):
        return NotUnderstood(f"'{name}' asks for a text", fix=f"write {{{name}: …}} with a text")
    try:
        if name == "pointer":
            parse_pointer(given)
        elif name == "as_text":
            _pieces(given)
        elif not given.strip():
            return NotUnderstood("'from_file' asks for a path", fix="write {from_file: prompts/system.txt}")
    except NotUnderstood as wrong:
        return wrong
    return None


def compile_template(template: Template, texts: Mapping[str, str]) -> Compiled:
    """A template, ready to be filled.

    Args:
        template: as read.
        texts: the text of each of its files.
    """
    return Compiled(_compiled(template.value, texts))


class Compiled:
    """A template that is filled from one record after the other."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def fill(self, record: Any) -> Any:
        """What is sent for a record. Parts that the record gives are the record's own, not copies.

        Raises:
            NotThere: the record lacks what the template takes from it.
            TypeError: a value that is to stand in a text has no JSON form.
        """
        return _filled(self._root, record)


class _Pointer(msgspec.Struct, frozen=True):
    pointer: str
    steps: Steps
    otherwise: Any


class _Literal(msgspec.Struct, frozen=True):
    value: Any


class _Text(msgspec.Struct, frozen=True):
    pieces: tuple[str | _Pointer, ...]


def _compiled(data: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(data, list):
        return [_compiled(item, texts) for item in data]
    if not isinstance(data, dict):
        return data
    match _directive(data):
        case "pointer":
            node: Any = _Pointer(data["pointer"], parse_pointer(data["pointer"]), data.get("else", _NOTHING))
        case "as_text":
            node = _Text(_pieces(data["as_text"]))
        case "from_file":
            node = texts[data["from_file"]]
        case "literal":
            node = _Literal(data["literal"])
        case _:
            node = {key: _compiled(item, texts) for key, item in data.items()}
    return node


def _filled(node: Any, record: Any) -> Any:
    if isinstance(node, dict):
        return {key: _filled(item, record) for key, item in node.items()}
    if isinstance(node, list):
        return [_filled(item, record) for item in node]
    if isinstance(node, _Pointer):
        return _value(node, record)
    if isinstance(node, _Literal):
        return node.value
    if isinstance(node, _Text):
        return "".join(p if isinstance(p, str) else _as_text(_value(p, record)) for p in node.pieces)
    return node


def _value(place: _Pointer, record: Any) -> Any:
    try:
        return look_up(record, place.steps)
    except LookupError:
        if place.otherwise is _NOTHING:
            raise NotThere(place.pointer) from None
        return place.otherwise


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _pieces(text: str) -> tuple[str | _Pointer, ...]:
    pieces: list[str | _Pointer] = []
    at = 0
    for found in _PLACE.finditer(text):
        pieces.append(text[at : found.start()])
        at = found.end()
        if found[0] in {"{{", "}}"}:
            pieces.append(found[0][0])
        elif found[1] is None:
            raise NotUnderstood(
                f"a '{found[0]}' stands alone in the text", fix="write {{ or }} for a brace, {/pointer} for a value"
            )
        else:
            pieces.append(_Pointer(found[1], parse_pointer(found[1]), _NOTHING))
    pieces.append(text[at:])
    return tuple(piece for piece in pieces if piece != "")


def _files(data: Any) -> Iterator[str]:
    if isinstance(data, list):
        for item in data:
            yield from _files(item)
    elif isinstance(data, dict):
        name = _directive(data)
        if name == "from_file":
            yield data["from_file"]
        elif not name:
            for item in data.values():
                yield from _files(item)
