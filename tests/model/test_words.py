from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.unanswered import is_unanswered
from plimsoll.model.words import distance, nearest, quoted

WORD = st.text("abcdef", max_size=7)


def reference(a: str, b: str) -> int:
    """The recursive definition of the optimal string alignment distance."""
    if not a or not b:
        return len(a) + len(b)
    best = min(reference(a[:-1], b) + 1, reference(a, b[:-1]) + 1, reference(a[:-1], b[:-1]) + (a[-1] != b[-1]))
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
        best = min(best, reference(a[:-2], b[:-2]) + 1)
    return best


@given(a=st.text("abc", max_size=5), b=st.text("abc", max_size=5))
def test_the_distance_is_that_of_its_definition(a: str, b: str) -> None:
    assert distance(a, b) == reference(a, b)


@given(a=WORD, b=WORD)
def test_the_distance_is_symmetric_and_zero_only_between_equals(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)


@given(allowed=st.lists(WORD, min_size=1, max_size=6))
def test_an_allowed_word_is_nearest_to_itself(allowed: list[str]) -> None:
    assert nearest(allowed[-1], allowed) == allowed[-1]


@pytest.mark.parametrize(
    ("word", "allowed", "meant"),
    [
        ("tire", ["tier", "accountable"], "tier"),
        ("Reviewed", ["automatic", "reviewed"], "reviewed"),
        ("human_only", ["human-only"], "human-only"),
        ("review-bellow", ["review_below"], "review_below"),
        ("lost_records", ["contracts.valid_rate", "contracts.lost_records"], "contracts.lost_records"),
        ("head-of-claims", ["head-of-claims@example.org"], "head-of-claims@example.org"),
        ("latency_99", ["stability.latency_p50", "stability.latency_p99"], "stability.latency_p99"),
        ("s", ["x"], None),
        ("weather", ["automatic", "reviewed"], None),
        ("", ["tier"], None),
        ("tier", [], None),
        ("a" * 100_000, ["b" * 100_000], None),
    ],
)
def test_the_nearest_word_is_the_one_that_was_meant(word: str, allowed: list[str], meant: str | None) -> None:
    assert nearest(word, allowed) == meant


def test_a_found_text_is_shown_without_what_a_terminal_would_obey() -> None:
    assert quoted("a\x1b]0;owned\x07\n") == r"'a\x1b]0;owned\x07\n'"
    assert len(quoted("x" * 10_000)) < 70
    assert quoted("ümläut") == "'ümläut'"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "TBD", "tbd.", "Tbc", "TBA", "tbd - ask Ann", "later", "Later...", "n/a", "N/A", "NA", "todo", "TODO: ask",
        "to do", "?", "???", "-", "—", "…", ".", "xxx", "XX", "to be defined", "To be decided", "to be confirmed soon",
        "to be completely defined", "none", "unknown", "pending", "nobody", "someone", "<owner>", "[name]", "{{ owner }}",
        "placeholder", "change_me", "not yet", "we'll decide later", "We'll handle that when we get there", "fixme",
    ],
)  # fmt: skip
def test_an_answer_that_puts_off_is_none(text: str) -> None:
    assert is_unanswered(text)


@pytest.mark.parametrize(
    "text",
    [
        "Ann", "Na Li", "Nan Goldin", "Todo Akira", "todo@example.org", "tbc@example.org", "TBS News desk", "Xi", "Max",
        "Later Life Team", "To be used by claims staff to read amounts.", "Open Banking team", "Read forms now, not later ones.",
        "0", "0%", "300ms", "+49 30 1234567", "#claims", "@claims", "https://example.org/x", "none@example.org", "李娜",
    ],
)  # fmt: skip
def test_a_real_answer_is_one(text: str) -> None:
    assert not is_unanswered(text)
