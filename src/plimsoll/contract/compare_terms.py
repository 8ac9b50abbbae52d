"""What two versions of a contract promise beyond single records: keys, quality, service levels, servers, people."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from plimsoll.contract.changes import Change, Kind
from plimsoll.contract.rules import Contract
from plimsoll.contract.terms import Direction, Operator, Quality, ServiceLevel, Terms

_T = TypeVar("_T")
# Measured service levels of which consumers like less; of the others they like more.
_LESS: Final = frozenset(
    {"latency", "freshness", "frequency", "errorRate", "timeToDetect", "timeToNotify", "timeToRepair"}
)
_DELAYS: Final = frozenset({"latency", "freshness"})
_LOWER: Final = {Operator.LESS, Operator.AT_MOST}
_UPPER: Final = {Operator.GREATER, Operator.AT_LEAST}


def compare_terms(old: Contract, new: Contract) -> list[Change]:
    """Every change of what is not about single records."""
    a, b = old.terms, new.terms
    return [
        *_keys(a, b),
        *_orders(a, b),
        *_windows(a, b),
        *_references(a, b),
        *_qualities(a, b),
        *_levels(a, b),
        *_tolerances(a, b),
        *_servers(a, b),
        *_people(a, b),
    ]


def _pairs(old: Sequence[_T], new: Sequence[_T], key: Any) -> Iterator[tuple[_T | None, _T | None]]:
    """Entries of both lists with equal keys: of one key the first of each, then the second of each."""
    before, after = _grouped(old, key), _grouped(new, key)
    for word in dict.fromkeys((*before, *after)):
        a, b = before.get(word, []), after.get(word, [])
        for i in range(max(len(a), len(b))):
            yield (a[i] if i < len(a) else None), (b[i] if i < len(b) else None)


def _grouped(items: Sequence[_T], key: Any) -> Mapping[Hashable, list[_T]]:
    found: dict[Hashable, list[_T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _change(
    kind: Kind, field: str, said: str, x: Any, y: Any, *, sources: bool = False, consumers: bool = False
) -> Change:
    """One change, with the lines of what stands in the old contract and in the new one."""
    return Change(
        kind=kind,
        field=field,
        said=said,
        breaks_sources=sources,
        breaks_consumers=consumers,
        old_line=x.line if x is not None else 0,
        new_line=y.line if y is not None else 0,
    )


def _keys(a: Terms, b: Terms) -> Iterator[Change]:
    for x, y in _pairs(a.unique, b.unique, lambda u: (u.fields, u.primary)):
        one = x or y
        if one is not None and (x is None or y is None):
            what = "primary key" if one.primary else "unique"
            said = f"{', '.join(one.fields)}: {what}" + (" is new" if x is None else " is gone")
            yield _change(Kind.KEY, one.fields[0], said, x, y, sources=x is None, consumers=y is None)


def _orders(a: Terms, b: Terms) -> Iterator[Change]:
    for x, y in _pairs(a.orders, b.orders, lambda o: (o.field, o.per)):
        one = x or y
        if one is not None and (x is None or y is None):
            said = f"{one.field}: the order '{one.direction}'" + (" is new" if x is None else " is gone")
            yield _change(Kind.ORDER, one.field, said, x, y, sources=x is None, consumers=y is None)
        elif x is not None and y is not None and x.direction is not y.direction:
            rises = y.direction is Direction.RISING  # the narrower of the two
            said = f"{x.field}: the order was '{x.direction}' and is '{y.direction}'"
            yield _change(Kind.ORDER, x.field, said, x, y, sources=rises, consumers=not rises)


def _windows(a: Terms, b: Terms) -> Iterator[Change]:
    x, y = a.window, b.window
    if x is None and y is not None:
        said = "records are compared with each other as they arrive"
        yield _change(Kind.WINDOW, "", said, x, y, sources=True)
    elif y is None and x is not None:
        said = "records are compared with each other no longer"
        yield _change(Kind.WINDOW, "", said, x, y, consumers=True)
    elif x is not None and y is not None and (x.keys, x.age_s) != (y.keys, y.age_s):
        said = (
            f"records were compared over {x.keys:,} keys and {x.age_s:g} s, and are over {y.keys:,} and {y.age_s:g} s"
        )
        sources, consumers = y.keys > x.keys or y.age_s > x.age_s, y.keys < x.keys or y.age_s < x.age_s
        yield _change(Kind.WINDOW, "", said, x, y, sources=sources, consumers=consumers)


def _references(a: Terms, b: Terms) -> Iterator[Change]:
    for x, y in _pairs(a.references, b.references, lambda r: (r.fields, r.to)):
        one = x or y
        if one is not None and (x is None or y is None):
            said = f"{', '.join(one.fields)} → {', '.join(one.to)}" + (" is new" if x is None else " is gone")
            yield _change(Kind.REFERENCE, one.fields[0], said, x, y, sources=x is None, consumers=y is None)


def _qualities(a: Terms, b: Terms) -> Iterator[Change]:
    for x, y in _pairs(a.qualities, b.qualities, lambda q: (q.field, q.kind, q.metric)):
        if x is not None and y is not None:
            yield from _quality(x, y)
        elif x is not None and not x.advice:
            yield _change(Kind.QUALITY, x.field, f"{_rule(x)} is gone", x, y, consumers=True)
        elif y is not None and not y.advice:
            yield _change(Kind.QUALITY, y.field, f"{_rule(y)} is new", x, y, sources=True)


def _quality(x: Quality, y: Quality) -> Iterator[Change]:
    if x.percent != y.percent:
        said = f"{_rule(x)} was of {'percent' if x.percent else 'rows'} and is of {'percent' if y.percent else 'rows'}"
        yield _change(Kind.UNIT, x.field, said, x, y, sources=True, consumers=True)
        return
    if x.advice != y.advice:
        said = f"the severity of {_rule(x)} was {x.severity} and is {y.severity}"
        yield _change(Kind.QUALITY, x.field, said, x, y, sources=x.advice, consumers=y.advice)
    alike = (x.operator, x.limit, x.arguments, x.query) == (y.operator, y.limit, y.arguments, y.query)
    if alike or (x.advice and y.advice):
        return
    tighter = looser = True
    if (x.operator, x.arguments, x.query) == (y.operator, y.arguments, y.query) and x.operator in _LOWER | _UPPER:
        falls = y.limit < x.limit
        tighter = falls if x.operator in _LOWER else not falls
        looser = not tighter
    said = f"{_rule(x)} was {x.operator or ''} {_limit(x)} and is {y.operator or ''} {_limit(y)}"
    said = said if (x.operator, x.limit) != (y.operator, y.limit) else f"what {_rule(x)} looks at changed"
    yield _change(Kind.QUALITY, x.field, said, x, y, sources=tighter, consumers=looser)


def _rule(rule: Quality) -> str:
    return f"the quality rule {rule.metric or rule.kind}"


def _limit(rule: Quality) -> str:
    return " to ".join(str(n) for n in rule.limit) if isinstance(rule.limit, tuple) else str(rule.limit)


def _levels(a: Terms, b: Terms) -> Iterator[Change]:
    for x, y in _pairs(a.levels, b.levels, lambda s: (s.property, s.driver)):
        if x is not None and y is not None:
            yield from _level(x, y)
        elif x is not None:
            yield _change(Kind.LEVEL, "", f"{_promise(x)} is promised no longer", x, y, consumers=True)
        elif y is not None:
            yield _change(Kind.LEVEL, "", f"{_promise(y)} is promised now", x, y, sources=True)


def _level(x: ServiceLevel, y: ServiceLevel) -> Iterator[Change]:
    if (x.value, x.unit) != (y.value, y.unit):
        yield _amount(x, y)
    if x.fields != y.fields:
        was, now = ", ".join(x.fields) or "the whole", ", ".join(y.fields) or "the whole"
        said = f"{x.property} was about {was} and is about {now}"
        yield _change(Kind.LEVEL, "", said, x, y, sources=True, consumers=True)


def _amount(x: ServiceLevel, y: ServiceLevel) -> Change:
    said = f"{_promise(x)} became {y.value} {y.unit}".rstrip()
    before, after = (x.seconds, y.seconds) if x.seconds is not None else (x.ratio, y.ratio)
    if before is None or after is None:
        kind = Kind.UNIT if x.unit != y.unit else Kind.LEVEL
        return _change(kind, "", said, x, y, sources=True, consumers=True)
    if before == after:
        return _change(Kind.UNIT, "", f"{said}, which is the same", x, y)
    worse = (after > before) is (x.property in _LESS)
    return _change(Kind.LEVEL, "", said, x, y, sources=not worse, consumers=worse)


def _promise(level: ServiceLevel) -> str:
    return f"{level.property} {level.value} {level.unit}".rstrip()


def _tolerances(a: Terms, b: Terms) -> Iterator[Change]:
    """Promised delays that a consumer does not bear, though it bore the one before."""
    was = max((level.seconds for level in a.levels if level.property in _DELAYS and level.seconds), default=0.0)
    late = [level for level in b.levels if level.property in _DELAYS and level.seconds]
    for consumer in b.consumers:
        for level in late:
            if level.seconds is not None and was <= consumer.latency_s < level.seconds:
                said = f"{_promise(level)} is more than the {consumer.latency_s:g} s that '{consumer.id}' bears"
                change = _change(Kind.LEVEL, "", said, None, level, consumers=True)
                yield msgspec.structs.replace(change, consumer=consumer.id)


def _servers(a: Terms, b: Terms) -> Iterator[Change]:
    for x, y in _pairs(a.servers, b.servers, lambda s: s.name):
        if x is not None and y is None:
            said = f"the source '{x.name}' is covered no longer"
            yield _change(Kind.SERVER, "", said, x, y, sources=True, consumers=True)
        elif y is not None and x is None:
            yield _change(Kind.SERVER, "", f"the source '{y.name}' is new", x, y)
        elif x is not None and y is not None and (x.type, x.settings) != (y.type, y.settings):
            keys = [k for k in dict.fromkeys((*x.settings, *y.settings)) if x.settings.get(k) != y.settings.get(k)]
            what = ", ".join((*(["type"] if x.type != y.type else []), *keys))
            said = f"where the source '{x.name}' is changed: {what}"
            yield _change(Kind.SERVER, "", said, x, y, consumers=True)


def _people(a: Terms, b: Terms) -> Iterator[Change]:
    """Who stands around the data: named, and it breaks nobody."""
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("the team", [(m.username, m.role) for m in a.members], [(m.username, m.role) for m in b.members]),
        ("the roles", [(r.role, r.access) for r in a.roles], [(r.role, r.access) for r in b.roles]),
        ("support", [(c.channel, c.url) for c in a.support], [(c.channel, c.url) for c in b.support]),
        ("who may change the source", sorted(a.modifiers), sorted(b.modifiers)),
        ("its lineage", _of(a.lineage), _of(b.lineage)),
        ("the consumers", _of(a.consumers), _of(b.consumers)),
        ("the fallback", _of(a.fallback), _of(b.fallback)),
        ("its precedence", _of(a.precedence), _of(b.precedence)),
    )  # fmt: skip
    for what, before, after in pairs:
        if before != after:
            yield Change(kind=Kind.PEOPLE, field="", said=f"{what} changed")


def _of(structs: Any) -> Any:
    return _plain(msgspec.to_builtins(structs))


def _plain(value: Any) -> Any:
    """Values without their places."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in {"line", "column"}}
    return [_plain(v) for v in value] if isinstance(value, list) else value
