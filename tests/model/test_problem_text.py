from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InvalidFile, Problem, Where
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.problem_text import format_problems


def problem(line: int = 0, column: int = 0, fix: str = "do that", message: str = "this is wrong") -> Problem:
    return Problem(code="c", message=message, where=Where(file="f.yaml", line=line, column=column), fix=fix)


def caret_under(text: str) -> str:
    """The character above the caret, by columns, all of them one wide."""
    rows = text.split("\n")
    return rows[1][rows[2].index("^")]


def test_place_message_line_caret_and_fix_are_shown() -> None:
    assert format_problems([problem(2, 4)], "a: 1\nb: 2\n") == (
        "f.yaml:2:4: this is wrong\n  2 | b: 2\n    |    ^\n    fix: do that"
    )


def test_without_the_text_there_is_no_line() -> None:
    assert format_problems([problem(2, 4)]) == "f.yaml:2:4: this is wrong\n    fix: do that"
    assert format_problems([problem(9, 4)], "a: 1\n") == "f.yaml:9:4: this is wrong\n    fix: do that"


def test_a_problem_of_the_file_as_a_whole_or_of_none_has_no_line() -> None:
    assert format_problems([problem()], "a: 1\n") == "f.yaml: this is wrong\n    fix: do that"
    assert format_problems([Problem(code="c", message="wrong")], "a: 1\n") == "wrong"


def test_several_problems_stand_apart_in_their_order() -> None:
    assert format_problems([problem(fix=""), problem(fix="")]) == "f.yaml: this is wrong\n\nf.yaml: this is wrong"


def test_the_caret_stands_under_what_is_meant_in_a_long_line() -> None:
    shown = format_problems([problem(1, 501)], "x" * 500 + "!" + "y" * 500)
    assert caret_under(shown) == "!"
    assert max(map(len, shown.split("\n"))) < 120


def test_the_caret_counts_wide_and_combining_characters_as_a_terminal_does() -> None:
    rows = format_problems([problem(1, 3)], "日本!").split("\n")
    assert rows[2] == "    |     ^"
    rows = format_problems([problem(1, 3)], "e\u0301!").split("\n")
    assert rows[2] == "    |  ^"


def test_a_line_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in format_problems([problem(1, 1)], "\x1b[2Jx")


@given(line=st.text(max_size=300), column=st.integers(0, 400))
def test_any_line_and_any_column_can_be_shown(line: str, column: int) -> None:
    shown = format_problems([problem(1, column)], line)
    assert "fix: do that" in shown


def test_all_faults_of_a_file_read_as_one_text(thirty_faults: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_manifest(thirty_faults, "plimsoll.yaml")
    problems = caught.value.problems
    shown = format_problems(problems, thirty_faults)
    assert shown.count("plimsoll.yaml:") == len(problems)
    assert shown.count(" | ") >= 2 * len(problems)
    assert "  10 |   single:     head-of-claim@example.org\n     |               ^\n" in shown


@pytest.mark.parametrize("code", ["manifest.secret", "manifest.variable"])
def test_a_line_that_may_hold_a_secret_is_not_shown(code):
    where = Where(file="plimsoll.yaml", line=1, column=15)
    found = Problem(code=code, message="no", where=where, fix="mend it")
    assert format_problems([found], "environment: [KEY=sesame]") == "plimsoll.yaml:1:15: no\n    fix: mend it"
