"""JSON Patch: a fix for many records, as a list of operations that either all apply or change nothing.

Source: RFC 6902, JavaScript Object Notation (JSON) Patch; places are JSON Pointers (RFC 6901).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from plimsoll.contract.parse import parse_record
from plimsoll.errors import InputError
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.pointer import Steps, parse_pointer

MOST: Final = 1000  # operations in one patch; each is made for each of what may be a million records

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)  # no leading zeros (RFC 6901, 4)
_NOTHING: Final = object()
_FORMS: Final = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from", "remove": ""}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a patch."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: Steps
    source: Steps = ()  # of move and copy
    value: Any = None  # of add, replace and test
    said: str  # how a message calls it


class Patched(msgspec.Struct, frozen=True):
    """What became of one value."""

    value: Any = None  # a new one; what was given is as it was, and may be shared with it in parts
    why: str = ""  # why the patch does not apply; then there is no value


class _DoesNotApply(Exception):
    """Names a place, and never what stands there."""


def parse_patch(raw: bytes, file: str = "the patch") -> tuple[Operation, ...]:
    """Read a patch.

    Args:
        raw: a JSON list of operations. Members that the RFC does not know are ignored.
        file: its name, for messages.

    Raises:
        InputError: it is none; with the operation.

    >>> parse_patch(b'[{"op": "remove", "path": "/a~1b"}]')[0].path
    ('a/b',)
    """
    parsed = parse_record(raw)
    if parsed.reasons:
        first = parsed.reasons[0]
        raise InputError(f"{file} is no JSON: expected {first.expected}, found {first.found}", fix="mend it")
    if not isinstance(parsed.value, list) or len(parsed.value) > MOST:
        raise InputError(
            f"{file} is no JSON Patch, which is a list of at most {MOST:,} operations",
            fix='write [{"op": "replace", "path": "/field", "value": …}]',
        )
    return tuple(_operation(given, f"{file}, operation {at}") for at, given in enumerate(parsed.value, 1))


def _operation(given: Any, where: str) -> Operation:
    if not isinstance(given, dict):
        raise InputError(f"{where}: an operation is an object", fix='write {"op": …, "path": …}')
    name = given.get("op")
    if name not in _FORMS:
        raise InputError(f"{where}: 'op' is one of {', '.join(_FORMS)}", fix="mend it")
    needs = [member for member in ("path", _FORMS[name]) if member and member not in given]
    if needs:
        raise InputError(f"{where}: '{name}' needs '{needs[0]}'", fix="add it")
    path, source = _pointer(given["path"], where), _pointer(given.get("from", ""), where)
    if name == "move" and path[: len(source)] == source and path != source:
        raise InputError(f"{where}: a value cannot be moved into itself", fix="move it elsewhere (RFC 6902, 4.4)")
    said = f"{name} {given['path']}" if given["path"] else f"{name} of the whole record"
    return Operation(op=name, path=path, source=source, value=given.get("value"), said=said)


def _pointer(given: Any, where: str) -> Steps:
    if not isinstance(given, str):
        raise InputError(f"{where}: a place is a JSON Pointer, as text", fix='write it like "/items/0/amount"')
    try:
        return parse_pointer(given)
    except NotUnderstood as why:
        raise InputError(f"{where}: {why.message}", fix=why.fix) from why


def apply_patch(patch: tuple[Operation, ...], value: Any) -> Patched:
    """Make all operations, or none. Never raises, and never changes what it is given.

    Args:
        patch: as `parse_patch` reads it.
        value: as JSON reads it.

    >>> apply_patch(parse_patch(b'[{"op": "replace", "path": "/a", "value": 2}]'), {"a": 1}).value
    {'a': 2}
    """
    try:
        for operation in patch:
            value = _apply(operation, value)
    except _DoesNotApply as why:
        return Patched(why=f"{operation.said}: {why}")
    return Patched(value)


def _apply(operation: Operation, value: Any) -> Any:
    path, new = operation.path, operation.value
    match operation.op:
        case "add":
            value = _added(value, path, new)
        case "remove":
            value = _changed(value, path, _remove)
        case "replace":
            value = _changed(value, path, lambda box, step: _put(box, step, new), whole=new)
        case "copy":
            value = _added(value, path, _at(value, operation.source))
        case "move" if path != operation.source:
            there = _at(value, operation.source)
            value = _added(_changed(value, operation.source, _remove), path, there)
        case "move":
            _at(value, path)
        case "test" if not _same(_at(value, path), new):
            raise _DoesNotApply("another value is there")
        case "test":
            pass
    return value


def _at(value: Any, path: Steps) -> Any:
    for step in path:
        value = value[_place(value, step)]
    return value


def _added(value: Any, path: Steps, new: Any) -> Any:
    return _changed(value, path, lambda box, step: _insert(box, step, new), whole=new)


def _changed(value: Any, path: Steps, change: Callable[[Any, str], None], *, whole: Any = _NOTHING) -> Any:
    """The value with a change at a place: what lies on the way is copied, all else is shared."""
    if not path:
        if whole is _NOTHING:
            raise _DoesNotApply("the whole record cannot be removed")
        return whole
    step, rest = path[0], path[1:]
    if not isinstance(value, (dict, list)):
        raise _DoesNotApply(f"there is no object or list to look up '{step}' in")
    box = value.copy()
    if rest:
        place = _place(box, step)
        box[place] = _changed(box[place], rest, change)
    else:
        change(box, step)
    return box


def _place(box: Any, step: str) -> Any:
    """The key or position that a step names, which must be there."""
    if isinstance(box, dict) and step in box:
        return step
    if isinstance(box, list) and _INDEX.fullmatch(step) and int(step) < len(box):
        return int(step)
    raise _DoesNotApply(f"there is no '{step}'")


def _remove(box: Any, step: str) -> None:
    del box[_place(box, step)]


def _put(box: Any, step: str, value: Any) -> None:
    box[_place(box, step)] = value


def _insert(box: Any, step: str, value: Any) -> None:
    if isinstance(box, dict):
        box[step] = value
    elif step == "-":
        box.append(value)
    elif _INDEX.fullmatch(step) and int(step) <= len(box):
        box.insert(int(step), value)
    else:
        raise _DoesNotApply(f"'{step}' is no position in the list")


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON values (RFC 6902, 4.6): numbers by value, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(item, other[name]) for name, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
