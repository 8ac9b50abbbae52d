"""What a contract says of records, in plain Python: the second opinion that checks are held to. Slow and obvious."""

from __future__ import annotations

import datetime as dt
import re

from plimsoll.contract.rules import LogicalType, RuleName

R = RuleName


def same(a, b) -> bool:
    """Equal as JSON has it: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b if isinstance(a, str) or isinstance(b, str) else a == b


def is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_of(type_, value) -> bool:
    return {
        None: True,
        LogicalType.STRING: isinstance(value, str),
        LogicalType.DATE: isinstance(value, str),
        LogicalType.BOOLEAN: isinstance(value, bool),
        LogicalType.NUMBER: is_number(value),
        LogicalType.INTEGER: is_number(value) and float(value).is_integer(),
        LogicalType.OBJECT: isinstance(value, dict),
        LogicalType.MAP: isinstance(value, dict),
        LogicalType.ARRAY: isinstance(value, list),
    }[type_]


def is_date(text) -> bool:
    try:
        return bool(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)) and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def breaks(rule, value) -> bool:
    """Whether a value breaks one rule; a rule about another kind of value asks nothing of it."""
    name, limit = rule.name, rule.value
    text, number = isinstance(value, str), is_number(value)
    if name is R.ENUM:
        return not any(same(v, value) for v in limit)
    if name is R.MISSING_VALUES:
        return any(same(v, value) for v in limit)
    asked = {
        R.MIN_LENGTH: (text, lambda: len(value) < limit),
        R.MAX_LENGTH: (text, lambda: len(value) > limit),
        R.PATTERN: (text, lambda: not re.search(limit, value)),
        R.FORMAT: (text, lambda: not (is_date(value) if limit == "date" else value == "x@y.org")),
        R.MINIMUM: (number, lambda: value < limit),
        R.MAXIMUM: (number, lambda: value > limit),
        R.EXCLUSIVE_MINIMUM: (number, lambda: value <= limit),
        R.EXCLUSIVE_MAXIMUM: (number, lambda: value >= limit),
        R.MULTIPLE_OF: (number, lambda: value % limit != 0),
        R.MIN_ITEMS: (isinstance(value, list), lambda: len(value) < limit),
        R.MAX_ITEMS: (isinstance(value, list), lambda: len(value) > limit),
        R.MIN_PROPERTIES: (isinstance(value, dict), lambda: len(value) < limit),
        R.MAX_PROPERTIES: (isinstance(value, dict), lambda: len(value) > limit),
        R.UNIQUE_ITEMS: (
            isinstance(value, list),
            lambda: any(same(a, b) for i, a in enumerate(value) for b in value[:i]),
        ),
    }
    about, is_broken = asked[name]
    return about and is_broken()


def faults(field, value, path=()):
    """Path and fault of everything that a value breaks, below and including one field."""
    if value is None:
        return {(path, "missing")} if field.required else set()
    if not is_of(field.type, value):
        return {(path, "wrong-type")}
    found = {
        (path, "missing" if rule.name is R.MISSING_VALUES else "rule-broken")
        for rule in field.rules
        if rule.name is not R.REQUIRED and breaks(rule, value)
    }
    if field.type is LogicalType.DATE and not is_date(value):
        found.add((path, "rule-broken"))
    if field.type is LogicalType.OBJECT:
        found |= of_object(field, value, path)
    if field.type is LogicalType.ARRAY and field.items is not None:
        found |= {fault for i, item in enumerate(value) for fault in faults(field.items, item, (*path, str(i)))}
    if field.type is LogicalType.MAP and field.value is not None:
        found |= {fault for name, item in value.items() for fault in faults(field.value, item, (*path, name))}
    return found


def of_object(field, value, path):
    found = set()
    named = [name for rule in field.rules if rule.name is R.REQUIRED for name in rule.value]
    known = {below.name: below for below in field.fields}
    for name, below in known.items():
        if name in value:
            found |= faults(below, value[name], (*path, name))
        elif below.required:
            found.add(((*path, name), "missing"))
    found |= {((*path, name), "missing") for name in named if name not in value}
    if field.closed:
        found |= {((*path, name), "unknown-field") for name in value if name not in known and name not in named}
    return found


def pointer(path) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


def times_again(values) -> int:
    """How many values stand there again."""
    return sum(any(same(value, earlier) for earlier in values[:i]) for i, value in enumerate(values))
