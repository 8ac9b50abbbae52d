"""The golden set as a file, and what counts as right."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.assess.golden import is_right, read_golden
from plimsoll.errors import InvalidFile

ONE = ("tell",)


def line(n=1, **more):
    return json.dumps({"input": {"n": n}, "expected": 2} | more).encode()


def problems(raw, types=ONE):
    with pytest.raises(InvalidFile) as caught:
        read_golden(raw, "golden.jsonl", types)
    return [(str(p.where), p.code) for p in caught.value.problems]


class TestReading:
    def test_a_case_is_taken_as_it_stands_byte_for_byte(self):
        (case,) = read_golden(b'{"input": {"n":  1.50},"expected":2}', "g", ONE)
        assert case.record == b'{"n":  1.50}'
        assert (case.type, case.id) == ("tell", "line 1")

    def test_every_problem_is_named_with_file_and_line_in_one_pass(self):
        raw = b"\n".join(
            [
                line(id="a"),
                b'{"input": {"n": 1}, "expec',
                line(2, id="b", type="guess"),
                b"",
                line(3, id="a"),
                b'{"input": {}, "expected": 1, "segmnt": {}}',
                b"\xff\xfe",
                b"[" * 100_000,
                b'{"expected": 1}',
                line(4, id="c"),
                line(1, id="d"),
            ]
        )
        assert problems(raw) == [
            ("golden.jsonl:2", "golden.line"),
            ("golden.jsonl:3", "golden.type"),
            ("golden.jsonl:5", "golden.duplicate"),
            ("golden.jsonl:6", "golden.line"),
            ("golden.jsonl:7", "golden.line"),
            ("golden.jsonl:8", "golden.line"),
            ("golden.jsonl:9", "golden.line"),
            ("golden.jsonl:11", "golden.duplicate"),
        ]

    @pytest.mark.parametrize("first", [{}, {"id": "a"}])
    @pytest.mark.parametrize("second", [{}, {"id": "b"}, {"id": "b", "segment": {"hour": "9"}}])
    def test_the_same_input_twice_is_no_second_case_whatever_it_is_called(self, first, second):
        """Otherwise one right answer under a hundred names would narrow every bound."""
        raw = line(**first) + b"\n" + line(**second)
        assert problems(raw) == [("golden.jsonl:2", "golden.duplicate")]

    def test_both_places_of_an_input_that_stands_twice_are_named(self):
        with pytest.raises(InvalidFile, match=r"golden\.jsonl:3: .* stand in golden\.jsonl:1 too"):
            read_golden(line(id="a") + b"\n" + line(2, id="b") + b"\n" + line(id="c"), "golden.jsonl", ONE)

    def test_two_answers_to_one_question_are_said_to_be_so(self):
        with pytest.raises(InvalidFile, match="expects another answer there"):
            read_golden(line(id="a") + b"\n" + line(id="b", expected=3), "golden.jsonl", ONE)

    def test_spaces_and_the_order_of_fields_make_no_other_case(self):
        one = b'{"input": {"a": 1, "b": [1.5]}, "expected": 1, "id": "x"}'
        two = b'{"id": "y", "input": { "b":[1.50],"a":1 }, "expected": 1}'
        assert problems(one + b"\n" + two) == [("golden.jsonl:2", "golden.duplicate")]

    def test_the_same_input_of_two_types_is_two_cases(self):
        raw = line(type="tell") + b"\n" + line(type="guess")
        assert len(read_golden(raw, "g", ("tell", "guess"))) == 2

    def test_the_same_input_from_two_sources_is_two_cases(self):
        assert len(read_golden(line(source="a") + b"\n" + line(source="b"), "g", ONE)) == 2

    @pytest.mark.parametrize("raw", [b"", b"\n \n", b"\r\n"])
    def test_a_set_without_a_case_is_refused(self, raw):
        assert problems(raw) == [("golden.jsonl", "golden.empty")]

    def test_with_several_types_each_case_says_its_own(self):
        assert problems(line(), ("tell", "guess")) == [("golden.jsonl:1", "golden.type")]
        assert read_golden(line(type="guess"), "g", ("tell", "guess"))[0].type == "guess"

    def test_a_type_that_only_people_decide_cannot_be_evaluated(self):
        assert problems(line(type="deny")) == [("golden.jsonl:1", "golden.type")]

    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
    def test_lines_may_end_as_on_any_system(self, end):
        raw = end.join([line(1), b"", line(2), b"{"])
        assert problems(raw) == [("golden.jsonl:4", "golden.line")]

    @pytest.mark.parametrize("expected", [{}, {"a": {}}, {"a": {}, "b": {"c": {}}}])
    def test_a_case_that_any_answer_would_meet_is_none(self, expected):
        assert problems(line(expected=expected)) == [("golden.jsonl:1", "golden.line")]

    @pytest.mark.parametrize("expected", [None, [], 0, "", {"a": None}, {"a": {}, "b": 1}])
    def test_nothing_can_be_the_right_answer(self, expected):
        assert read_golden(line(expected=expected), "g", ONE)

    @given(raw=st.binary(max_size=200))
    def test_any_bytes_are_cases_or_problems_and_never_an_accident(self, raw):
        problems_ = ()
        try:
            assert read_golden(raw, "g", ONE)
        except InvalidFile as invalid:
            problems_ = invalid.problems
        assert all(p.where is not None and p.fix for p in problems_)


class TestRight:
    @pytest.mark.parametrize(
        ("expected", "output", "right"),
        [
            (1, 1, True),
            (1, 1.0, True),  # JSON has one kind of number
            (0.5, 0.5, True),
            (1, True, False),
            (True, 1, False),
            (False, 0, False),
            (True, True, True),
            ("1", 1, False),
            (None, None, True),
            (None, False, False),
            (None, 0, False),
            ([1, 2], [1, 2], True),
            ([1, 2], (1, 2), True),
            ([1, 2], [2, 1], False),
            ([1, 2], [1, 2, 3], False),
            ([], [], True),
            ([], {}, False),
            ([1, True], [1, 1], False),
            ("ab", ["a", "b"], False),
            (["a", "b"], "ab", False),
            ({"a": 1}, {"a": 1, "b": 2}, True),  # of an object the expected fields count
            ({"a": 1, "b": 2}, {"a": 1}, False),
            ({"a": None}, {}, False),
            ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
            ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
            ({"a": [{"b": 1}]}, {"a": [{"c": 2}]}, False),
            ({}, {"a": 1}, True),
            ({}, [], False),
            (2**63, 2**63, True),
            (2**53, float(2**53 + 2), False),
        ],
    )
    def test_an_output_is_right_as_json_has_it(self, expected, output, right):
        assert is_right(expected, output) is right

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=8,
    )

    @given(value=values, more=st.dictionaries(st.text(min_size=3, max_size=4), values, max_size=2))
    def test_everything_is_right_for_itself_and_with_fields_beside(self, value, more):
        assert is_right(value, value)
        if isinstance(value, dict):
            assert is_right(value, more | value)

    @given(value=values)
    def test_another_kind_of_value_is_wrong(self, value):
        assert not is_right(value, object())
        assert not is_right({"a": value}, value) or isinstance(value, dict)
