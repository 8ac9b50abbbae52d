"""One set of rules, read in three ways: as our own representation, as the JSON Schema made of it, and in plain Python."""

from __future__ import annotations

import operator

import jsonschema_rs
import msgspec
from contract import naive
from contract.random_fields import FIELDS, NAMES, SCALARS, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract
from plimsoll.contract.delivery import Delivery
from plimsoll.contract.rules import BOUNDS, Contract, Field, LogicalType, RuleName
from plimsoll.contract.schema import DRAFT, Formats, to_schema
from plimsoll.contract.terms import Operator, Quality, Terms, Unique, WindowRule
from plimsoll.contract.window import Claim

SETS = st.dictionaries(NAMES, FIELDS, min_size=1, max_size=4)
COMPARES = {
    Operator.MUST_BE: operator.eq,
    Operator.MUST_NOT_BE: operator.ne,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
}


def record(fields, *, closed=False):
    made = tuple(msgspec.structs.replace(field, name=name) for name, field in fields.items())
    return Field(name="r", line=1, column=1, type=LogicalType.OBJECT, required=True, fields=made, closed=closed)


def contract(field, **terms):
    return Contract(
        id="c", name="c", version="", digest="", file="c", objects=(field,), record=field, terms=Terms(**terms)
    )


def near(rule):
    """Values on both sides of a rule, and on it."""
    if rule.name in BOUNDS or rule.name is RuleName.MULTIPLE_OF:
        return st.sampled_from([rule.value - 1, rule.value, rule.value + 1, float(rule.value), rule.value + 0.5])
    if rule.name in {RuleName.ENUM, RuleName.MISSING_VALUES}:
        return st.sampled_from(rule.value)
    if rule.name in {RuleName.MIN_LENGTH, RuleName.MAX_LENGTH}:
        return st.integers(max(0, rule.value - 1), rule.value + 1).map(lambda n: "abab"[:n])
    if rule.name in {RuleName.MIN_ITEMS, RuleName.MAX_ITEMS, RuleName.UNIQUE_ITEMS}:
        return st.lists(st.sampled_from([1, 1.0, 2, True]), max_size=5)
    return st.sampled_from(["a", "ba", "b", "x@y.org", "2026-01-01", "2026-02-30"])


def values_of(field):
    """Values that a field's rules are about."""
    about = [VALUES, *(near(rule) for rule in field.rules)]
    if field.type is LogicalType.OBJECT:
        about += [records_of(field)] * 3
    elif field.type is LogicalType.ARRAY and field.items is not None:
        about += [st.lists(values_of(field.items), max_size=3)] * 3
    elif field.type is LogicalType.MAP and field.value is not None:
        about += [st.dictionaries(NAMES, values_of(field.value), max_size=3)] * 3
    return st.one_of(about)


def records_of(field):
    """Objects with most of their fields, and now and then with others."""
    own = st.fixed_dictionaries({}, optional={below.name: values_of(below) for below in field.fields})
    return own | own | own | st.builds(lambda a, b: {**a, **b}, st.dictionaries(NAMES, SCALARS, max_size=2), own)


@given(SETS, st.booleans(), st.data())
@settings(deadline=None, max_examples=150)
def test_the_check_the_schema_and_plain_python_say_the_same_of_every_record(fields, closed, data):
    field = record(fields, closed=closed)
    records = data.draw(st.lists(records_of(field), min_size=4, max_size=8))
    formats = Formats()
    schema = {"$schema": DRAFT, **to_schema(field, formats)}
    plain = jsonschema_rs.validator_for(schema, formats=formats.callables, validate_formats=True)
    checker = compile_contract(contract(field))
    for value in records:
        expected = naive.faults(field, value)
        reasons = checker.check(value).reasons
        assert bool(reasons) is bool(expected), (schema, value)
        assert plain.is_valid(value) is not bool(expected), (schema, value)
        assert {(r.path, r.fault.value) for r in reasons} == {(naive.pointer(p), fault) for p, fault in expected}


COLUMN = st.lists(SCALARS, max_size=12)


@given(COLUMN, st.sampled_from(list(COMPARES)), st.integers(0, 12), st.booleans(),
       st.sampled_from(["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"]))  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_a_rule_over_all_records_comes_to_what_plain_counting_comes_to(column, word, limit, percent, metric):
    arguments = {"missingValues": [None, "", 1], "validValues": ["a", "ab", 1, 2, True]}
    rule = Quality(
        object="r", field="r.a", kind="library", metric=metric, operator=word, limit=limit * 10 if percent else limit,
        percent=percent, arguments=arguments, line=1, column=1,
    )  # fmt: skip
    field = record({"a": Field(name="a", line=1, column=1)})
    delivery = Delivery(compile_contract(contract(field, qualities=(rule,))))
    for value in column:
        delivery.add({"a": value})
    held = next(f.holds for f in delivery.verdict().findings if f.rule.startswith("quality."))

    there = [value for value in column if value is not None]
    count = {
        "nullValues": len(column) - len(there),
        "missingValues": sum(any(naive.same(m, value) for m in arguments["missingValues"]) for value in column),
        "invalidValues": sum(not any(naive.same(v, value) for v in arguments["validValues"]) for value in there),
        "duplicateValues": naive.times_again(there),
        "rowCount": len(column),
    }[metric]
    figure = 100 * count / len(column) if percent and column else count
    assert held is COMPARES[word](figure, rule.limit)


@given(st.lists(st.tuples(SCALARS, SCALARS), max_size=12), st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_key_stands_there_again_in_a_window_exactly_when_it_does_in_the_whole_delivery_and_in_plain_python(
    rows, both
):
    names = ("r.a", "r.b") if both else ("r.a",)
    unique = Unique(object="r", fields=names, primary=True, line=1, column=1)
    field = record({name: Field(name=name, line=1, column=1) for name in ("a", "b")})
    made = contract(field, unique=(unique,), window=WindowRule(keys=100, age_s=3600, line=1))
    checker = compile_contract(made)
    delivery, window, again = Delivery(checker), checker.window(), 0
    for now, (a, b) in enumerate(rows):
        value = {"a": a, "b": b}
        delivery.add(value)
        again += not isinstance(window.judge(value, now), Claim)
    keys = [[a, b] if both else [a] for a, b in rows]
    expected = naive.times_again([key for key in keys if None not in key])
    (finding,) = (f for f in delivery.verdict().findings if f.rule == "primaryKey")
    assert again == expected
    assert finding.holds is (expected == 0)
