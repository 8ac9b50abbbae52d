"""JSON Pointers: a place in a JSON value, such as ``/claim/pages/0``.

Source: RFC 6901, JavaScript Object Notation (JSON) Pointer.
"""

from __future__ import annotations

import re
from typing import Any, Final

from plimsoll.model.not_understood import NotUnderstood

_ESCAPE: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)

Steps = tuple[str, ...]
"""A pointer, taken apart: keys of objects, and positions in lists as texts."""


def parse_pointer(text: str) -> Steps:
    """The steps of a pointer; none for "", which is the whole value.

    Raises:
        NotUnderstood: it is no pointer.

    >>> parse_pointer("/a~1b/0")
    ('a/b', '0')
    """
    if not text:
        return ()
    if not text.startswith("/"):
        near = text.removeprefix("$").replace("[", ".").replace("]", "").strip("./").replace(".", "/")
        raise NotUnderstood(
            f"'{text}' is not a JSON Pointer, which begins with '/'",
            fix=f"write /{near}" if near else 'write "" for the whole value',
        )
    if _ESCAPE.search(text):
        raise NotUnderstood(f"'{text}' holds a '~' that stands alone", fix="write ~0 for '~', and ~1 for '/'")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


def look_up(value: Any, steps: Steps) -> Any:
    """What stands at a place.

    Raises:
        LookupError: nothing does.

    >>> look_up({"a": [1, 2]}, ("a", "1"))
    2
    """
    for step in steps:
        if isinstance(value, dict):
            value = value[step]
        elif isinstance(value, (list, tuple)) and _INDEX.fullmatch(step):
            value = value[int(step)]
        else:
            raise LookupError(step)
    return value
