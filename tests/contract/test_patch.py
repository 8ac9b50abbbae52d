"""JSON Patch as RFC 6902 has it: its own examples, and what holds for every patch."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.contract.patch import apply_patch, parse_patch
from plimsoll.errors import InputError

# RFC 6902, appendix A: name, document, patch, and what comes out.
EXAMPLES = [
    ("A.1", {"foo": "bar"}, b'[{"op":"add","path":"/baz","value":"qux"}]', {"baz": "qux", "foo": "bar"}),
    ("A.2", {"foo": ["bar", "baz"]}, b'[{"op":"add","path":"/foo/1","value":"qux"}]', {"foo": ["bar", "qux", "baz"]}),
    ("A.3", {"baz": "qux", "foo": "bar"}, b'[{"op":"remove","path":"/baz"}]', {"foo": "bar"}),
    ("A.4", {"foo": ["bar", "qux", "baz"]}, b'[{"op":"remove","path":"/foo/1"}]', {"foo": ["bar", "baz"]}),
    (
        "A.5",
        {"baz": "qux", "foo": "bar"},
        b'[{"op":"replace","path":"/baz","value":"boo"}]',
        {"baz": "boo", "foo": "bar"},
    ),
    (
        "A.6",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        b'[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]',
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        "A.7",
        {"foo": ["all", "grass", "cows", "eat"]},
        b'[{"op":"move","from":"/foo/1","path":"/foo/3"}]',
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        "A.8",
        {"baz": "qux", "foo": ["a", 2, "c"]},
        b'[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]',
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        "A.10",
        {"foo": "bar"},
        b'[{"op":"add","path":"/child","value":{"grandchild":{}}}]',
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    ("A.11", {"foo": "bar"}, b'[{"op":"add","path":"/baz","value":"qux","xyz":123}]', {"foo": "bar", "baz": "qux"}),
    ("A.14", {"/": 9, "~1": 10}, b'[{"op":"test","path":"/~01","value":10}]', {"/": 9, "~1": 10}),
    (
        "A.16",
        {"foo": ["bar"]},
        b'[{"op":"add","path":"/foo/-","value":["abc","def"]}]',
        {"foo": ["bar", ["abc", "def"]]},
    ),
]
REFUSED = [
    ("A.9", {"baz": "qux"}, b'[{"op":"test","path":"/baz","value":"bar"}]', "another value"),
    ("A.12", {"foo": "bar"}, b'[{"op":"add","path":"/baz/bat","value":"qux"}]', "there is no 'baz'"),
    ("A.15", {"/": 9, "~1": 10}, b'[{"op":"test","path":"/~01","value":"10"}]', "another value"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "patch", "gives"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_the_examples_of_the_rfc(document, patch, gives):
    before = copy.deepcopy(document)
    done = apply_patch(parse_patch(patch), document)
    assert (done.value, done.why) == (gives, "")
    assert document == before, "what was given is as it was"


@pytest.mark.parametrize(("document", "patch", "why"), [e[1:] for e in REFUSED], ids=[e[0] for e in REFUSED])
def test_the_examples_of_the_rfc_that_do_not_apply(document, patch, why):
    done = apply_patch(parse_patch(patch), document)
    assert done.value is None
    assert why in done.why


def test_one_operation_that_fails_undoes_all():
    document = {"a": [1, {"b": 2}]}
    patch = b'[{"op":"replace","path":"/a/1/b","value":3},{"op":"remove","path":"/a/2"}]'
    done = apply_patch(parse_patch(patch), document)
    assert done.why == "remove /a/2: there is no '2'"
    assert document == {"a": [1, {"b": 2}]}


@pytest.mark.parametrize(
    ("document", "patch", "gives"),
    [
        ({"a": 1}, b'[{"op":"replace","path":"","value":[1]}]', [1]),
        ({"a": 1}, b'[{"op":"add","path":"","value":null}]', None),
        ({"a": [1]}, b'[{"op":"add","path":"/a/1","value":2}]', {"a": [1, 2]}),
        ({"a": {"b": 1}}, b'[{"op":"copy","from":"/a","path":"/a/c"}]', {"a": {"b": 1, "c": {"b": 1}}}),
        ({"a": 1}, b'[{"op":"move","from":"/a","path":"/a"}]', {"a": 1}),
        ({"a": 1.0}, b'[{"op":"test","path":"/a","value":1}]', {"a": 1.0}),
        ({"a": {"x": 1, "y": [True, None]}}, b'[{"op":"test","path":"/a","value":{"y":[true,null],"x":1}}]', None),
        ({"": {"": 1}}, b'[{"op":"remove","path":"//"}]', {"": {}}),
    ],
)
def test_other_places(document, patch, gives):
    done = apply_patch(parse_patch(patch), document)
    assert done.why == ""
    assert done.value == (gives if gives is not None or b'"add"' in patch else document)


@pytest.mark.parametrize(
    ("document", "patch"),
    [
        ({"a": True}, b'[{"op":"test","path":"/a","value":1}]'),
        ({"a": 1}, b'[{"op":"test","path":"/a","value":true}]'),
        ({"a": [1]}, b'[{"op":"add","path":"/a/2","value":2}]'),
        ({"a": [1]}, b'[{"op":"add","path":"/a/01","value":2}]'),
        ({"a": [1]}, b'[{"op":"remove","path":"/a/-"}]'),
        ({"a": [1]}, b'[{"op":"remove","path":"/a/-1"}]'),
        ({"a": "text"}, b'[{"op":"add","path":"/a/0","value":2}]'),
        ({"a": 1}, b'[{"op":"replace","path":"/b","value":2}]'),
        ({"a": 1}, b'[{"op":"remove","path":""}]'),
        ({"a": 1}, b'[{"op":"move","from":"/b","path":"/c"}]'),
        (7, b'[{"op":"add","path":"/b","value":2}]'),
    ],
)
def test_what_does_not_apply(document, patch):
    assert apply_patch(parse_patch(patch), document).why


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (b"{", "no JSON"),
        (b"{}", "a list"),
        (b"[7]", "operation 1: an operation is an object"),
        (b'[{"op":"add","path":"/a","value":1},{"op":"swap","path":"/a"}]', "operation 2: 'op' is one of"),
        (b'[{"op":"add","path":"/a"}]', "'add' needs 'value'"),
        (b'[{"op":"move","path":"/a"}]', "'move' needs 'from'"),
        (b'[{"op":"remove"}]', "needs 'path'"),
        (b'[{"op":"remove","path":"a"}]', "not a JSON Pointer"),
        (b'[{"op":"remove","path":"/~2"}]', "stands alone"),
        (b'[{"op":"remove","path":7}]', "as text"),
        (b'[{"op":"move","from":"/a","path":"/a/b"}]', "into itself"),
        # A.13: which of two members of one name counts, nobody could say.
        (b'[{"op":"add","path":"/baz","value":"qux","op":"remove"}]', "no JSON"),
    ],
)
def test_what_is_no_patch(patch, said):
    with pytest.raises(InputError, match=said):
        parse_patch(patch, "fix.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", "~/"]), inner, max_size=3)
    ),
    max_leaves=8,
)
PLACE = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "~0~1"]), max_size=3).map(
    lambda s: "".join(f"/{x}" for x in s)
)
OPS = st.fixed_dictionaries({"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                             "path": PLACE, "from": PLACE, "value": JSON})  # fmt: skip


@given(document=JSON, operations=st.lists(OPS, max_size=4))
def test_whatever_the_patch_what_is_given_stays_and_nothing_is_raised(document, operations):

    before = copy.deepcopy(document)
    try:
        patch = parse_patch(json.dumps(operations).encode())
    except InputError:
        return
    done = apply_patch(patch, document)
    assert document == before
    if done.why:
        assert done.value is None
    else:
        assert apply_patch(patch, before) == done
