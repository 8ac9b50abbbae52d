from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.template import NotThere, compile_template, read_template, template_problems

RECORD = {"claim": {"text": "hail", "pages": [1, 2]}, "note": None}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def filled(data: Any, record: Any = RECORD, **texts: str) -> Any:
    return compile_template(read_template(data), texts).fill(record)


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ({"pointer": "/claim/text"}, "hail"),
        ({"pointer": ""}, RECORD),
        ({"inputs": {"pointer": "/claim/pages"}, "top": 5}, {"inputs": [1, 2], "top": 5}),
        ([{"pointer": "/claim/pages/1"}, "x"], [2, "x"]),
        ({"pointer": "/none", "else": {"a": 1}}, {"a": 1}),
        ({"pointer": "/note", "else": "x"}, None),
        ({"as_text": "Claim: {/claim/text}, pages {/claim/pages}."}, "Claim: hail, pages [1,2]."),
        ({"as_text": "{}"}, '{"claim":{"text":"hail","pages":[1,2]},"note":null}'),
        ({"as_text": "{{}} {{/claim}} {/claim/text}"}, "{} {/claim} hail"),
        ({"as_text": "plain"}, "plain"),
        ({"literal": {"pointer": "/claim", "more": 1}}, {"pointer": "/claim", "more": 1}),
        ({"literal": {"as_text": "{"}}, {"as_text": "{"}),
        ({"text": "as {it} is"}, {"text": "as {it} is"}),
        ({"text": {"pointer": "/claim/text"}}, {"text": "hail"}),
        ({"type": "text", "text": "as it {stands}"}, {"type": "text", "text": "as it {stands}"}),
        ({"type": "text", "text": {"as_text": "about {/claim/text}"}}, {"type": "text", "text": "about hail"}),
        ({"type": "file", "file": {"file_id": "f"}}, {"type": "file", "file": {"file_id": "f"}}),
        ({}, {}),
        (5, 5),
    ],
)
def test_a_template_is_filled_from_a_record(template: Any, sent: Any) -> None:
    assert filled(template) == sent


def test_a_file_gives_its_text() -> None:
    template = read_template(
        [{"role": "system", "content": {"from_file": "p.txt"}}, {"x": [{"from_file": "p.txt"}, {"from_file": "q"}]}]
    )
    assert template.files == ("p.txt", "q")
    texts = {"p.txt": "Be {brief}.", "q": "?"}
    assert compile_template(template, texts).fill({}) == [
        {"role": "system", "content": "Be {brief}."},
        {"x": ["Be {brief}.", "?"]},
    ]


def test_what_is_put_into_a_text_is_never_read_as_a_template_again() -> None:
    assert filled({"as_text": "{/a}"}, {"a": "{/secret} {{"}) == "{/secret} {{"


def test_a_file_inside_a_literal_is_none() -> None:
    assert read_template({"literal": {"from_file": "p.txt"}}).files == ()


@pytest.mark.parametrize("template", [{"pointer": "/claim/none"}, {"as_text": "x {/claim/none} y"}])
def test_what_the_record_lacks_is_named_by_its_place(template: Any) -> None:
    with pytest.raises(NotThere, match="the record has nothing at '/claim/none'"):
        filled(template)


@pytest.mark.parametrize(
    ("template", "path", "said"),
    [
        ({"pointer": "claim"}, (), "not a JSON Pointer"),
        ({"a": [{"pointer": 5}]}, ("a", 0), "asks for a text"),
        ({"a": {"pointer": "/x", "els": 1}}, ("a",), "stands beside 'els'"),
        ({"as_text": "{/x"}, (), "'{' stands alone"),
        ({"as_text": "x}"}, (), "'}' stands alone"),
        ({"as_text": "{x}"}, (), "not a JSON Pointer"),
        ({"as_text": 5}, (), "asks for a text"),
        ({"from_file": {"id": 1}}, (), "asks for a text"),
        ({"from_file": " "}, (), "asks for a path"),
        ({"as_text": "x", "type": "text"}, (), "stands beside 'type'"),
    ],
)
def test_what_is_not_well_written_is_said_with_its_place(template: Any, path: tuple[str | int, ...], said: str) -> None:
    ((at, problem),) = template_problems(template)
    assert at == path
    assert said in problem.message
    assert problem.fix
    with pytest.raises(NotUnderstood):
        read_template(template)


@given(value=JSON, record=JSON)
def test_a_literal_is_sent_as_it_stands(value: Any, record: Any) -> None:
    assert filled({"literal": value}, record) == value


@given(value=JSON)
def test_any_json_is_a_template_or_a_problem_and_filling_it_never_fails_otherwise(value: Any) -> None:
    if not list(template_problems(value)):
        with contextlib.suppress(NotThere):
            compile_template(read_template(value), dict.fromkeys(read_template(value).files, "")).fill(RECORD)


@given(text=st.text(), value=st.text())
def test_braces_can_be_written_and_values_are_put_in_whole(text: str, value: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert filled({"as_text": escaped + "{/v}" + escaped}, {"v": value}) == text + value + text


def test_equal_templates_are_equal_however_they_were_written() -> None:
    assert read_template({"a": 1, "b": {"c": 2, "d": 3}}) == read_template({"b": {"d": 3, "c": 2}, "a": 1})
