from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.contract.coerce import pointer_step
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.pointer import look_up, parse_pointer

# RFC 6901, section 5: the document and every pointer of its table.
DOCUMENT: dict[str, Any] = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
     ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8)],
)  # fmt: skip
def test_the_standards_own_examples(pointer: str, value: object) -> None:
    assert look_up(DOCUMENT, parse_pointer(pointer)) == value


@pytest.mark.parametrize(
    "pointer", ["/no", "/foo/2", "/foo/-", "/foo/01", "/foo/-1", "/foo/x", "/foo/0/0", "//x", "/foo/٣"]
)
def test_a_place_where_nothing_stands_is_said(pointer: str) -> None:
    with pytest.raises(LookupError):
        look_up(DOCUMENT, parse_pointer(pointer))


@pytest.mark.parametrize(
    ("text", "fix"),
    [("output", "/output"), ("$.a.b", "/a/b"), ("a[0].b", "/a/0/b"), ("a~b", "/a~b"), ("/a~2", "~0"), ("/a~", "~0")],
)
def test_what_is_no_pointer_is_refused_with_the_nearest_one(text: str, fix: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse_pointer(text)
    assert fix in caught.value.fix


@given(keys=st.lists(st.text()))
def test_any_key_can_be_written_and_read_back(keys: list[str]) -> None:
    assert parse_pointer("".join(f"/{pointer_step(key)}" for key in keys)) == tuple(keys)
