"""A text that leaves in pieces: cut before anything personal leaves, wherever the pieces end, in linear time."""

from __future__ import annotations

import doctest
import itertools
import random
import time

import pytest
from benchmarks import personal as generated
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.policy import passing
from plimsoll.policy.passing import MOST_KEPT, Passing, scan_passing
from plimsoll.policy.personal import scan_text

CARD = "4111 1111 1111 1111"
BITS = [
    "4111 1111 1111 1111", "4111111111111111", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "AB 12 34 56 C",
    "AB 123456 C", "X-1234567-L", "12345678 Z", "12345678-Z", "ann@example.org", "ann.lee+x@mail.example.co.uk", "tel ",
    "phone: ", "bsn ", "111222333", "+49 (0)30 1234-567", "(555) 234-5678", "0049 171 1234567", "01.23.45.67.89",
    "RSSMRA85T10A562S", "2 55 08 14 168 025 38", "255082A16802597", "86 095 742 719", "536-90-4399", "1234.56.789",
    "2026-11-25T10:00:00", "2026-11-25", "1234567.12", "0012-11-25 10:00", "MT84MALT011000012345MTLCAST001S", "a", "1",
    " ", " ", " ", ".", ",", "-", "+", "(", ")", "@", "/", ":", "\n", "x", "Z", "é", "00", "7", "12", "1234", "word",
    "GB29", "NWBK", "no. ", "@b.co", ".org", "İ",
]  # fmt: skip
texts = st.lists(st.sampled_from(BITS), max_size=14).map("".join) | st.text("0123456789 .-+()@aZx/,", max_size=60)


def passed(pieces: list[str]) -> tuple[str, Passing]:
    watched = Passing()
    left = "".join(watched.feed(piece) for piece in pieces)
    return left + watched.end(), watched


def cut(text: str, places: list[int]) -> list[str]:
    at = sorted({0, *(place % (len(text) + 1) for place in places), len(text)})
    return [text[a:b] for a, b in itertools.pairwise(at)]


def test_the_examples_hold():
    assert doctest.testmod(passing).failed == 0


@settings(max_examples=2_000, deadline=None)
@given(texts, st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_wherever_it_is_cut_it_is_judged_as_the_whole_and_nothing_that_is_found_has_left(text, places, singly):
    pieces = list(text) if singly else cut(text, places)
    left, watched = passed(pieces)
    spans = scan_text(text)
    assert (watched.found is not None) == bool(spans)
    if spans:
        assert text.startswith(left)
        assert len(left) <= spans[0].start
    else:
        assert left == text


@settings(max_examples=300, deadline=None)
@given(st.text(" abc1@.-", min_size=600, max_size=1500), st.lists(st.integers(0, 10_000), max_size=12), texts)
def test_long_texts_too(before, places, after):
    text = before + after
    left, watched = passed(cut(text, places))
    spans = scan_text(text)
    assert (watched.found is not None) == bool(spans)
    assert left == text if not spans else len(left) <= spans[0].start


@pytest.mark.parametrize("make", list(generated.PERSONAL.values()))
def test_what_the_benchmark_writes_is_found_in_pieces_as_in_the_whole(make):
    chance = random.Random(7)
    for _ in range(60):
        text = (
            "In a long sentence before it, " + chance.choice(generated.SENTENCES).format(make(chance)) + " And after."
        )
        left, watched = passed(cut(text, [chance.randrange(200) for _ in range(9)]))
        spans = scan_text(text)
        assert (watched.found is not None) == bool(spans), text
        assert not spans or len(left) <= spans[0].start


def test_a_value_that_is_cut_in_two_shows_no_half_of_itself():
    left, watched = passed(["Your card is 4111 11", "11 1111 1111", ", thank you"])
    assert (left, watched.found) == ("Your card ", "card")


def test_ordinary_words_leave_as_they_come():
    watched = Passing()
    assert watched.feed("Hello there, ") == "Hello "
    assert watched.feed("who is") == "there, who "
    assert watched.kept == len("is")


def test_what_is_kept_back_is_bounded_whatever_comes():
    for text in (
        "a" * 5_000,
        "1 " * 2_500,
        "a@" * 2_500,
        "b." * 2_500,
        "DE89 " * 1_000,
        "x@" + "b." * 2_500,
        "+(" * 2_500,
    ):
        watched = Passing()
        for character in text:
            watched.feed(character)
            assert watched.kept <= MOST_KEPT


def test_a_date_alone_is_none_and_what_follows_can_make_it_one():
    assert scan_passing("0012-11-25 10:00") is None
    assert not scan_text("0012-11-25 10:00")


@pytest.mark.parametrize("unit", ["word ", "1024 ", "a", "7", "a@b.", "DE89 3704 ", "+49 ", "x1-"])
def test_the_time_is_linear_in_the_length_also_when_it_comes_in_single_characters(unit):
    def took(n: int) -> float:
        text = (unit * n)[:n]
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            watched = Passing()
            for character in text:
                watched.feed(character)
            best = min(best, time.process_time() - started)
        return best

    small, large = took(2_000), took(16_000)
    assert large < 8 * small * 2.5 + 0.01, f"{small:.3f} s for 2,000 characters, {large:.3f} s for 16,000"
    assert large < 16_000 * 200e-6, f"{large / 16_000 * 1e6:.0f} µs for each character"
