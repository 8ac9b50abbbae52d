from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InvalidFile, Problem, Where
from plimsoll.model.yaml_source import load, load_bytes


def problems_of(text: str | bytes) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        load(text, "f.yaml") if isinstance(text, str) else load_bytes(text, "f.yaml")
    return list(caught.value.problems)


def test_values_are_those_of_yaml_1_2_and_nothing_is_guessed() -> None:
    text = """
    date: 2026-11-01
    time: 2026-11-01T10:00:00Z
    answer: yes
    switch: off
    truth: true
    octal: 0o17
    hex: 0x1f
    zip: 01234
    clock: 1:30
    grouped: 1_000
    whole: 42
    below: -7
    share: 0.5
    large: 1e3
    none: null
    tilde: ~
    empty:
    quoted: "42"
    tagged: !!str 42
    """
    assert load(text, "f").data == {
        "date": "2026-11-01",
        "time": "2026-11-01T10:00:00Z",
        "answer": "yes",
        "switch": "off",
        "truth": True,
        "octal": "0o17",
        "hex": "0x1f",
        "zip": "01234",
        "clock": "1:30",
        "grouped": "1_000",
        "whole": 42,
        "below": -7,
        "share": 0.5,
        "large": 1000.0,
        "none": None,
        "tilde": None,
        "empty": None,
        "quoted": "42",
        "tagged": "42",
    }


def test_keys_are_always_text() -> None:
    assert load("1: a\nnull: b\ntrue: c\n", "f").data == {"1": "a", "null": "b", "true": "c"}


def test_places_count_characters_and_lines_from_one() -> None:
    source = load("first: é\nlist:\n  - a\n  - {x: ö, y: 2}\n", "f.yaml")
    assert source.where(("list", 1, "y")) == Where(file="f.yaml", line=4, column=15)
    assert source.where_key(("list", 1, "y")) == Where(file="f.yaml", line=4, column=12)
    assert source.where_key(("list",)) == Where(file="f.yaml", line=2, column=1)


def test_the_place_of_what_is_missing_is_that_of_what_should_hold_it() -> None:
    source = load("a:\n  b: 1\n", "f")
    assert source.where(("a", "c", "d")) == source.where(("a",))
    assert source.where_key(("a", "c")) == source.where(("a",))
    assert not source.has(("a", "c"))
    assert source.has(("a", "b"))


def test_an_alias_is_placed_where_it_is_used() -> None:
    source = load("a: &x [1, 2]\nb: *x\n", "f")
    assert source.data == {"a": [1, 2], "b": [1, 2]}
    assert source.where(("b",)).line == 2


@pytest.mark.parametrize(
    ("text", "line", "column", "code", "word"),
    [
        ("", 1, 1, "yaml.empty", "empty"),
        ("# only a comment\n", 1, 1, "yaml.empty", "empty"),
        ("---\n...\n", 1, 1, "yaml.empty", "empty"),
        ("a: 1\n---\nb: 2\n", 2, 1, "yaml.many-documents", "second document"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "yaml.duplicate-key", "line 1"),
        ("a:\n\tb: 1\n", 2, 1, "yaml.syntax", "tab"),
        ("a: [1, 2\n", 2, 1, "yaml.syntax", "line 1, column 4"),
        ("é: @x\n", 1, 4, "yaml.syntax", "begin with '@'"),
        ("a: b: c\n", 1, 5, "yaml.syntax", "mapping values"),
        ("a: 'open\n", 2, 1, "yaml.syntax", "unexpected end"),
        ("a: !!python/object:os.system x\n", 1, 4, "yaml.tag", "!!python/object:os.system"),
        ("a: !secret x\n", 1, 4, "yaml.tag", "!secret"),
        ("a: !!timestamp 2026-01-01\n", 1, 4, "yaml.tag", "timestamp"),
        ("a: !!int seven\n", 1, 4, "yaml.tag", "int"),
        ("a: *nobody\n", 1, 4, "yaml.alias", "nobody"),
        ("a: &x [*x]\n", 1, 8, "yaml.alias", "inside"),
        ("a: .inf\n", 1, 4, "yaml.number", "finite"),
        ("a: 1e999\n", 1, 4, "yaml.number", "too large"),
        ("a: " + "1" * 5000, 1, 4, "yaml.number", "5000 digits"),
        ("base: &b {x: 1}\nuse:\n  <<: *b\n", 3, 3, "yaml.merge-key", "<<"),
        ("? [a, b]\n: 1\n", 1, 3, "yaml.key", "key"),
        ("a: \x07\n", 1, 4, "yaml.encoding", "U+0007"),
        ("a: \ud800\n", 1, 4, "yaml.encoding", "U+D800"),
        (b"a: 1\nb: \xff\n", 2, 4, "yaml.encoding", "0xff"),
        ("a: 1\n".encode("utf-16"), 1, 1, "yaml.encoding", "UTF-8"),
    ],
)
def test_what_is_refused_is_named_with_its_place(
    text: str | bytes, line: int, column: int, code: str, word: str
) -> None:
    (problem,) = problems_of(text)
    assert problem.where == Where(file="f.yaml", line=line, column=column)
    assert problem.code == code
    assert word in problem.message
    assert problem.fix


def test_every_duplicate_and_every_tag_is_named_in_one_pass() -> None:
    found = problems_of("a: 1\na: 2\nb: !x 1\nc: {d: 1, d: 2}\n")
    assert [(p.code, p.where.line if p.where else 0) for p in found] == [
        ("yaml.duplicate-key", 2),
        ("yaml.tag", 3),
        ("yaml.duplicate-key", 4),
    ]


def test_a_billion_laughs_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    (problem,) = problems_of("\n".join(lines))
    assert problem.code == "yaml.alias"
    assert problem.where is not None
    assert problem.where.line == 4


@pytest.mark.parametrize("opened", ["[", "{a: ", "- "])
def test_a_nesting_bomb_is_refused_and_takes_nothing_down(opened: str) -> None:
    """Whoever gets there first, our own bound or one of the parser that reads ahead, the answer is the same."""
    (problem,) = problems_of(opened * 200_000)
    assert (problem.code, problem.message, problem.fix) == ("yaml.too-deep", "more than 64 levels deep", "flatten it")


def test_a_file_of_megabytes_is_refused_unread() -> None:
    (problem,) = problems_of(b"a: " + b"x" * (5 * 1024 * 1024))
    assert problem.code == "yaml.too-large"
    (problem,) = problems_of("a: " + "x" * (5 * 1024 * 1024))
    assert problem.code == "yaml.too-large"


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert load_bytes(b"\xef\xbb\xbfa: 1", "f").data == {"a": 1}
    assert load("\ufeffa: 1", "f").data == {"a": 1}


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"), max_size=12)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(path, value)] + [leaf for at, each in inner for leaf in _leaves(each, (*path, at))]


@given(value=_JSON.filter(lambda v: v is not None))
def test_json_reads_as_itself_and_every_place_holds_its_value(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    text = text.replace("\x85", "\\u0085").replace("\x7f", "\\u007f").replace("\ufffe", "x").replace("\uffff", "x")
    value = json.loads(text)
    source = load(text, "f")
    assert source.data == value
    for path, leaf in _leaves(value):
        where = source.where(path)
        assert where.line == 1
        assert json.JSONDecoder().raw_decode(text, where.column - 1)[0] == leaf


@given(text=st.text(max_size=200))
def test_any_text_gives_values_or_named_problems(text: str) -> None:
    with contextlib.suppress(InvalidFile):
        load(text, "f")


@given(text=st.text("&*a[]{}:,-!|>'\"#% \n\t1.", max_size=60))
def test_any_punctuation_gives_values_or_named_problems(text: str) -> None:
    with contextlib.suppress(InvalidFile):
        load(text, "f")


@given(raw=st.binary(max_size=100))
def test_any_bytes_give_values_or_named_problems(raw: bytes) -> None:
    with contextlib.suppress(InvalidFile):
        load_bytes(raw, "f")


def test_places_are_those_that_an_editor_shows_whatever_else_yaml_ends_a_line_at() -> None:
    source = load("a: 'one\u2028two\x85three'\nb: 1\nc: [x, \u2029'y']\nd: 2\n", "f")

    assert str(source.where(("b",))) == "f:2:4"
    assert str(source.where(("d",))) == "f:4:4"
    with pytest.raises(InvalidFile) as refused:
        load("a: 'one\u2028two'\nb: @\n", "f")
    assert str(refused.value.problems[0].where) == "f:2:4"
    assert "'@'" in refused.value.problems[0].message
