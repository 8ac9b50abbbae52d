"""Random fields with rules, and random records for them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from plimsoll.contract.rules import Field, LogicalType, Rule, RuleName

NAMES = st.sampled_from(["a", "b", "c d", "e.f", "g/h", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-4, 12)
    | st.sampled_from([0.5, 1.0, -2.5, "", "a", "ab", "abc", "2026-01-01", "x@y.org"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=10
)
SMALL = st.integers(0, 4)


def rule(name, value):
    return Rule(name=name, value=value, line=1, column=1)


def rules_of(*options):
    return st.lists(
        st.one_of(*[values.map(lambda v, n=name: rule(n, v)) for name, values in options]),
        max_size=3,
        unique_by=lambda r: r.name,
    ).map(tuple)


R = RuleName
TEXT_RULES = rules_of((R.MIN_LENGTH, SMALL), (R.MAX_LENGTH, SMALL), (R.PATTERN, st.sampled_from(["^a", "b$"])),
                      (R.ENUM, st.just(("a", "ab"))), (R.MISSING_VALUES, st.just(("", "abc"))), (R.FORMAT, st.sampled_from(["date", "email"])))  # fmt: skip
NUMBER_RULES = rules_of(*[(n, st.integers(-3, 8)) for n in (R.MINIMUM, R.MAXIMUM, R.EXCLUSIVE_MINIMUM, R.EXCLUSIVE_MAXIMUM)],
                        (R.ENUM, st.just((1, 2, 5))), (R.MULTIPLE_OF, st.sampled_from([1, 2])))  # fmt: skip


def leaf(type_, rules):
    return st.builds(
        lambda r, need: Field(name="", line=1, column=1, type=type_, required=need, rules=r), rules, st.booleans()
    )


def named_fields(inner):
    def build(fields, required, closed, rules):
        made = tuple(msgspec.structs.replace(f, name=n) for n, f in fields.items())
        return Field(
            name="",
            line=1,
            column=1,
            type=LogicalType.OBJECT,
            required=required,
            fields=made,
            closed=closed and bool(made),
            rules=rules,
        )

    counts = rules_of((R.MIN_PROPERTIES, SMALL), (R.MAX_PROPERTIES, SMALL), (R.REQUIRED, st.just(("a",))))
    objects = st.builds(build, st.dictionaries(NAMES, inner, max_size=3), st.booleans(), st.booleans(), counts)
    lists = st.builds(
        lambda items, need, r: Field(name="", line=1, column=1, type=LogicalType.ARRAY, required=need, items=items, rules=r),
        inner, st.booleans(), rules_of((R.MIN_ITEMS, SMALL), (R.MAX_ITEMS, SMALL), (R.UNIQUE_ITEMS, st.just(True))),
    )  # fmt: skip
    maps = st.builds(
        lambda value, need: Field(name="", line=1, column=1, type=LogicalType.MAP, required=need, value=value),
        inner,
        st.booleans(),
    )
    return objects | lists | maps


FIELDS = st.recursive(
    leaf(LogicalType.STRING, TEXT_RULES)
    | leaf(LogicalType.INTEGER, NUMBER_RULES)
    | leaf(LogicalType.NUMBER, NUMBER_RULES)
    | leaf(LogicalType.BOOLEAN, st.just(()))
    | leaf(LogicalType.DATE, st.just(()))
    | leaf(None, st.just(())),
    named_fields,
    max_leaves=8,
)
