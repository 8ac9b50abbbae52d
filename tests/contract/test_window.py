"""Rules that compare records with each other: what is enforced where, and what a bounded window notices."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compare_contracts, compile_contract, read_contract
from plimsoll.contract.changes import Kind
from plimsoll.contract.window import Claim
from plimsoll.errors import InvalidFile
from plimsoll.model.decision import Fault

S = 10**9
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: claims
version: 1.0.0
status: active
servers: [{{server: fax, type: local, path: f, format: json}}{servers}]
schema:
- name: claim
  properties:
{fields}
customProperties:
- {{property: plimsollWindow, value: {{keys: {keys}, age: {age}}}}}
"""
ORDERED = "  - {name: at, logicalType: date, customProperties: [{property: plimsollOrder, value: rising}]}\n"
KEY = "  - {name: id, logicalType: string, primaryKey: true}\n  - {name: n, logicalType: integer}\n"


def contract(fields=KEY, *, keys=100, age="1 h", servers=""):
    return read_contract(CONTRACT.format(fields=fields, keys=keys, age=age, servers=servers), "claims.odcs.yaml")


def window(fields=KEY, *, classification="", **given):
    return compile_contract(contract(fields, **given), classification=classification).window()


def come(seen, value, at_s=0, record="r"):
    """A record that comes and is decided; the reasons why it must not."""
    found = seen.judge(value, int(at_s * S))
    if isinstance(found, Claim):
        seen.settle(found, record)
        return ()
    return found


# -- reading


def test_without_a_window_what_compares_records_is_not_enforced_and_with_one_it_is():
    fields = """
  - {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
  - {name: b, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}
  - name: c
    logicalType: string
    unique: true
    quality: [{metric: duplicateValues, mustBe: 0}, {metric: duplicateValues, mustBeLessThan: 5, unit: percent}]
  - {name: n, logicalType: integer, customProperties: [{property: plimsollOrder, value: rising}]}
"""
    whole = CONTRACT.format(fields=fields, keys=10, age="1 h", servers="")
    bare = read_contract(whole.partition("customProperties:\n- {property: plimsollWindow")[0], "c.yaml")
    names = ["primaryKey", "primaryKey", "unique", "quality.duplicateValues", "quality.duplicateValues"]
    assert [u.rule for u in bare.unenforced] == [*names, "plimsollOrder"]
    assert compile_contract(bare).window() is None
    windowed = contract(fields)
    assert [(u.rule, u.line) for u in windowed.unenforced] == [("quality.duplicateValues", 16)]
    assert [(r.compares.value, r.line) for r in compile_contract(windowed).stateful] == [
        ("primaryKey", 11),
        ("unique", 15),
        ("duplicateValues", 16),
        ("order", 17),
    ]


def test_what_is_unique_over_several_sources_is_still_said_not_to_be_enforced_and_an_order_is_of_each():
    order = "  - {name: n, logicalType: integer, customProperties: [{property: plimsollOrder, value: rising}]}\n"
    key = "  - {name: id, logicalType: string, primaryKey: true}\n"
    several = contract(key + order, servers=", {server: mail, type: local, path: m, format: json}")
    assert [(u.rule, u.why.partition(";")[0], u.of_records) for u in several.unenforced] == [
        ("primaryKey", "its window is each source's own", True)
    ]


@pytest.mark.parametrize(
    ("fields", "keys", "age", "place"),
    [
        (KEY, 0, "1 h", (14, "keys is no whole number")),
        (KEY, 1_000_001, "1 h", (14, "keys is no whole number")),
        (KEY, "many", "1 h", (14, "keys is no whole number")),
        (KEY, 10, "5%", (14, "'5%' is not a duration")),
        (KEY.replace("integer}", "string, customProperties: [{property: plimsollOrder, value: rising}]}"), 1, "1 h",
         (11, "this field is string")),
        (KEY.replace("integer}", "integer, customProperties: [{property: plimsollOrder, value: falling}]}"), 1, "1 h",
         (11, "'falling' is not a word")),
        (KEY.replace("integer}", "integer, customProperties: [{property: plimsollOrder, value: {direction: rising, per: [ix]}}]}"),
         1, "1 h", (11, "'claim.ix' is not a field")),
    ],
    ids=["no keys", "too many keys", "keys no number", "age no duration", "order of text", "no direction", "no field"],
)  # fmt: skip
def test_a_window_or_order_that_makes_no_sense_is_a_problem_at_its_line(fields, keys, age, place):
    with pytest.raises(InvalidFile) as caught:
        contract(fields, keys=keys, age=age)
    (problem,) = caught.value.problems
    assert problem.where.line == place[0]
    assert place[1] in problem.message


@pytest.mark.parametrize(
    ("old", "new", "said", "breaks"),
    [
        ({}, {"keys": 200}, "100 keys and 3600 s, and are over 200 and 3600 s", (True, False)),
        ({}, {"age": "1 min"}, "100 keys and 3600 s, and are over 100 and 60 s", (False, True)),
        ({}, {"keys": 50, "age": "2 h"}, "are over 50 and 7200 s", (True, True)),
        ({}, {"fields": KEY + ORDERED}, "claim.at: the order 'rising' is new", (True, False)),
        ({"fields": KEY + ORDERED}, {}, "claim.at: the order 'rising' is gone", (False, True)),
        ({"fields": KEY + ORDERED}, {"fields": KEY + ORDERED.replace("rising", "notFalling")},
         "the order was 'rising' and is 'notFalling'", (False, True)),
    ],
)  # fmt: skip
def test_a_comparison_names_how_records_are_compared_and_whom_a_change_breaks(old, new, said, breaks):
    found = compare_contracts(contract(**old), contract(**new)).changes
    (change,) = (c for c in found if c.kind in {Kind.WINDOW, Kind.ORDER})
    assert said in change.said
    assert (change.breaks_sources, change.breaks_consumers) == breaks


# -- keys


def test_a_record_under_a_key_that_was_decided_is_a_duplicate_and_says_of_which_and_whether_it_says_the_same():
    seen = window()
    assert come(seen, {"id": "a", "n": 1}, record="ledger-7") == ()
    same, other = come(seen, {"id": "a", "n": 1}), come(seen, {"id": "a", "n": 2})
    assert [(r.fault, r.path, r.rule) for r in same] == [(Fault.DUPLICATE, "/id", "primaryKey")]
    assert same[0].expected == "a key that none of the last 100 had within 1 h"
    assert same[0].found == "ledger-7 has it, and says the same"
    assert other[0].found == "ledger-7 has it, and says otherwise"
    assert come(seen, {"id": "b", "n": 1}) == ()


def test_a_unique_value_is_a_broken_rule_and_items_of_a_list_are_compared_one_by_one():
    fields = """
  - {name: id, logicalType: string, unique: true}
  - name: parts
    logicalType: array
    items: {logicalType: object, properties: [{name: n, logicalType: integer, unique: true}]}
"""
    seen = window(fields)
    assert come(seen, {"id": "a", "parts": [{"n": 1}, {"n": 2}]}) == ()
    assert [(r.fault, r.path, r.rule) for r in come(seen, {"id": "a", "parts": [{"n": 2}]})] == [
        (Fault.RULE_BROKEN, "/id", "unique"),
        (Fault.RULE_BROKEN, "/parts", "unique"),
    ]
    (within,) = come(seen, {"id": "b", "parts": [{"n": 7}, {"n": 7}]})
    assert within.found == "this record itself has it"
    assert come(seen, {"id": "b", "parts": [{"n": 7}]}) == ()  # what was refused has taken nothing


def test_what_is_null_or_not_there_has_no_key_and_one_and_one_point_nought_are_one_value():
    seen = window("  - {name: id, logicalType: number, unique: true}\n  - {name: n, logicalType: integer}\n")
    assert [come(seen, v) for v in ({"id": None}, {}, {"id": None}, {"n": 1})] == [()] * 4
    assert come(seen, {"id": 1}) == ()
    assert come(seen, {"id": 1.0}) != ()


def test_a_record_that_was_not_decided_may_come_again_and_one_that_is_under_way_may_not():
    seen = window()
    claim = seen.judge({"id": "a"}, 0)
    (under_way,) = come(seen, {"id": "a"})
    assert under_way.found.startswith("a record that is still under way has it")
    seen.withdraw(claim)
    assert come(seen, {"id": "a"}) == ()


def test_a_key_that_was_decided_elsewhere_while_it_was_under_way_stays_taken_and_is_told():
    seen = window()
    mine, failed = seen.judge({"id": "a"}, 0), seen.judge({"id": "b"}, 0)
    for name in "ab":
        assert seen.remember(seen.marks({"id": name}), f"theirs-{name}", 1) == ""
    assert seen.settle(mine, "mine") == "theirs-a"
    seen.withdraw(failed)
    assert come(seen, {"id": "b"})[0].found.startswith("theirs-b has it")
    own = seen.judge({"id": "c"}, 2)
    seen.remember(seen.marks({"id": "c"}), "own", 2)  # read back from the ledger before it is known to be written
    assert seen.settle(own, "own") == ""
    assert seen.remember(seen.marks({"id": "a"}), "theirs-a", 3) == "mine"


def test_no_reason_shows_a_value_that_is_classified():
    fields = "  - {name: n, logicalType: integer, unique: true%s, customProperties: [{property: plimsollOrder, value: rising}]}\n"
    for seen in (window(fields % ", classification: personal"), window(fields % "", classification="personal")):
        come(seen, {"n": 4711})
        reasons = come(seen, {"n": 4711})
        assert len(reasons) == 2
        assert "4711" not in repr(reasons)
    open_ = window(fields % "")
    come(open_, {"n": 4711})
    assert come(open_, {"n": 4711})[1].found == "4711"


# -- order


def test_an_order_is_kept_per_key_and_what_was_not_decided_does_not_count():
    fields = """
  - {name: account, logicalType: string}
  - name: at
    logicalType: timestamp
    customProperties: [{property: plimsollOrder, value: {direction: notFalling, per: [account]}}]
"""
    seen = window(fields)
    assert come(seen, {"account": "a", "at": "2026-01-02T10:00:00Z"}, record="r1") == ()
    assert come(seen, {"account": "b", "at": "2026-01-01T10:00:00Z"}) == ()
    assert come(seen, {"account": "a", "at": "2026-01-02T12:00:00+02:00"}) == ()  # the same moment
    (late,) = come(seen, {"account": "a", "at": "2026-01-02T09:59:59Z"})
    assert (late.fault, late.path, late.rule) == (Fault.OUT_OF_ORDER, "/at", "order")
    assert late.expected == "a value at or above that of r"
    failed = seen.judge({"account": "a", "at": "2027-01-01T00:00:00Z"}, 0)
    seen.withdraw(failed)
    assert come(seen, {"account": "a", "at": "2026-06-01T00:00:00Z"}) == ()


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_under_way_that_both_come_to_nothing_neither_holds_the_order_up(first):
    seen = window("  - {name: n, logicalType: integer, customProperties: [{property: plimsollOrder, value: rising}]}\n")
    assert come(seen, {"n": 1}) == ()
    claims = [seen.judge({"n": 50}, 0), seen.judge({"n": 60}, 0)]
    seen.withdraw(claims[first])
    seen.withdraw(claims[1 - first])
    assert come(seen, {"n": 2}) == ()
    (late,) = come(seen, {"n": 1})
    assert late.expected == "a value above that of r"


def test_rising_values_are_each_above_the_one_before():
    seen = window("  - {name: n, logicalType: integer, customProperties: [{property: plimsollOrder, value: rising}]}\n")
    assert [bool(come(seen, {"n": n})) for n in (1, 2, 2, 1, 3, None, 2.5)] == [
        False,
        False,
        True,
        True,
        False,
        False,
        True,
    ]


# -- how far back


def test_a_key_is_forgotten_when_it_is_too_old_or_too_many_came_after_and_only_the_latter_is_counted():
    seen = window(keys=2, age="10 s")
    for i, name in enumerate("abc"):
        assert come(seen, {"id": name}, at_s=i) == ()
    assert seen.forgotten == 1
    assert come(seen, {"id": "a"}, at_s=3) == ()  # pushed out by two others, though it was 3 s old
    assert come(seen, {"id": "c"}, at_s=4) != ()
    assert seen.forgotten == 2
    assert come(seen, {"id": "c"}, at_s=12) == ()  # as old as the window is
    assert seen.forgotten == 2


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 8)), max_size=60),
    st.integers(1, 5),
    st.integers(1, 20),
)
@settings(deadline=None)
def test_a_window_says_what_a_plain_list_of_the_last_keys_says(records, keys, age):
    seen, plain, now = window(keys=keys, age=f"{age} s"), [], 0
    for name, step in records:
        now += step
        plain = [(n, at) for n, at in plain if at > now - age][-keys:]
        is_known = any(n == name for n, _ in plain)
        assert bool(come(seen, {"id": name}, at_s=now)) is is_known
        if not is_known:
            plain.append((name, now))
        assert seen.held <= keys


def test_memory_is_bounded_whatever_the_data():
    seen = window(keys=1000, age="365 days")
    for i in range(1000):
        come(seen, {"id": f"{i}" * 50})
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(1000, 6000):
        come(seen, {"id": f"{i}" * 50})
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert seen.held == 1000
    assert seen.forgotten == 5000
    assert grown < 600 * 1000  # the thousand that it holds were made since; what it let go of is gone
