"""Two versions of a field and all below it: what each rule's change does to who sends and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from plimsoll.contract.changes import Change, Kind
from plimsoll.contract.dates import ISO_DATE, iso_time, iso_timestamp, moment
from plimsoll.contract.rules import Field, LogicalType, Rule, RuleName
from plimsoll.model.words import distance

_LOW: Final = {
    RuleName.MINIMUM,
    RuleName.EXCLUSIVE_MINIMUM,
    RuleName.MIN_LENGTH,
    RuleName.MIN_ITEMS,
    RuleName.MIN_PROPERTIES,
}
_HIGH: Final = {
    RuleName.MAXIMUM,
    RuleName.EXCLUSIVE_MAXIMUM,
    RuleName.MAX_LENGTH,
    RuleName.MAX_ITEMS,
    RuleName.MAX_PROPERTIES,
}
_SETS: Final = {RuleName.ENUM, RuleName.MISSING_VALUES, RuleName.REQUIRED}
_FORMS: Final = (ISO_DATE, iso_timestamp(offset=None), iso_time(offset=None))
_LISTED: Final = 8  # values that a sentence names
# Of these pairs the first holds every value of the second.
_WIDER: Final = frozenset(
    {
        (LogicalType.NUMBER, LogicalType.INTEGER),
        (LogicalType.STRING, LogicalType.DATE),
        (LogicalType.STRING, LogicalType.TIMESTAMP),
        (LogicalType.STRING, LogicalType.TIME),
        (LogicalType.ARRAY, LogicalType.VECTOR),
    }
)


def compare_fields(old: Field, new: Field, name: str) -> list[Change]:
    """Every change of a field and of what stands below it.

    Args:
        old: as it is in force.
        new: as it is to be.
        name: dotted, as the old contract names it.
    """
    return list(_Pair(old, new, name).changes())


class _Pair:
    """One field in both versions."""

    def __init__(self, old: Field, new: Field, name: str) -> None:
        self._old, self._new, self._name = old, new, name

    def changes(self) -> Iterator[Change]:
        yield from self._type()
        yield from self._presence()
        yield from self._words()
        yield from self._rules()
        yield from self._fields()
        yield from self._parts()

    def _change(
        self,
        kind: Kind,
        said: str,
        *,
        sources: bool = False,
        consumers: bool = False,
        rules: Sequence[Rule | None] = (),
    ) -> Change:
        before, after = [*rules, None, None][:2] if rules else (None, None)
        return Change(
            kind=kind,
            field=self._name,
            said=said,
            breaks_sources=sources,
            breaks_consumers=consumers,
            old_line=before.line if before is not None else self._old.line,
            new_line=after.line if after is not None else self._new.line,
        )

    # -- what it is

    def _type(self) -> Iterator[Change]:
        a, b = self._old.type, self._new.type
        if a is b:
            return
        # A type that says less lets more through: sources are not touched, and consumers may get what they never got.
        wider = b is None or (a is not None and (b, a) in _WIDER)
        narrower = a is None or (b is not None and (a, b) in _WIDER)
        said = f"it was {a or 'of any type'} and is {b or 'of any type'}"
        yield self._change(Kind.TYPE, said, sources=not wider, consumers=not narrower)

    def _presence(self) -> Iterator[Change]:
        a, b = self._old, self._new
        if a.required and not b.required:
            left = "missing" if not b.nullable else "missing, or null"
            yield self._change(Kind.OPTIONAL, f"it was required and may be {left}", consumers=True)
        elif b.required and not a.required:
            yield self._change(Kind.REQUIRED, "it may be missing no longer, and is not null", sources=True)
        elif a.nullable and not b.nullable:
            yield self._change(Kind.NARROWED, "it may be null no longer", sources=True)
        elif b.nullable and not a.nullable:
            yield self._change(Kind.WIDENED, "it may be null", consumers=True)

    def _words(self) -> Iterator[Change]:
        a, b = self._old, self._new
        if a.unit != b.unit:
            said = f"it was in {a.unit or 'no declared unit'} and is in {b.unit or 'no declared unit'}"
            yield self._change(Kind.UNIT, said, sources=bool(a.unit and b.unit), consumers=bool(a.unit))
        if a.classification != b.classification:
            said = f"its classification was {a.classification or 'not given'} and is {b.classification or 'not given'}"
            yield self._change(Kind.CLASSIFICATION, said)
        if a.closed and not b.closed and (a.fields or b.fields):
            yield self._change(Kind.OPENED, "fields that it does not name are let through", consumers=True)
        elif b.closed and not a.closed:
            yield self._change(Kind.CLOSED, "fields that it does not name are refused", sources=True)
        if a.coercions != b.coercions:
            said = f"coercions were {', '.join(a.coercions) or 'none'} and are {', '.join(b.coercions) or 'none'}"
            kept = b.coercions[: len(a.coercions)] == a.coercions
            yield self._change(Kind.READING, said, sources=not kept)
        gone = [alias for alias in a.aliases if alias not in b.aliases and alias != b.name]
        if gone:
            yield self._change(Kind.READING, f"the former name {', '.join(gone)} is read no longer", sources=True)

    # -- its rules

    def _rules(self) -> Iterator[Change]:
        a, b = self._by_name(self._old), self._by_name(self._new)
        for name in RuleName:
            if name in a.keys() | b.keys() and name is not RuleName.NOT_NULL:
                yield from self._rule(name, a.get(name, ()), b.get(name, ()))

    @staticmethod
    def _by_name(field: Field) -> dict[RuleName, tuple[Rule, ...]]:
        found: dict[RuleName, tuple[Rule, ...]] = {}
        for rule in field.rules:
            found[rule.name] = (*found.get(rule.name, ()), rule)
        return found

    def _rule(self, name: RuleName, old: tuple[Rule, ...], new: tuple[Rule, ...]) -> Iterator[Change]:
        a, b = [r.value for r in old], [r.value for r in new]
        rules = (old[0] if old else None, new[0] if new else None)
        if name in _SETS:
            yield from self._set(name, a, b, rules)
        elif not old:
            yield self._change(Kind.NARROWED, f"{name} {_shown(b[0])} is new", sources=True, rules=rules)
        elif not new:
            yield self._change(Kind.WIDENED, f"{name} {_shown(a[0])} is gone", consumers=True, rules=rules)
        elif a != b:
            yield self._moved(name, a, b, rules)

    def _moved(self, name: RuleName, a: list[Any], b: list[Any], rules: Sequence[Rule | None]) -> Change:
        said = f"{name} was {_shown(a[0])} and is {_shown(b[0])}"
        order = _order(name, a, b)
        if order is None:
            return self._change(Kind.REWRITTEN, said, sources=True, consumers=True, rules=rules)
        if order == 0:
            return self._change(Kind.REWRITTEN, said, rules=rules)
        kind = Kind.NARROWED if order > 0 else Kind.WIDENED
        return self._change(kind, said, sources=order > 0, consumers=order < 0, rules=rules)

    def _set(self, name: RuleName, a: list[Any], b: list[Any], rules: Sequence[Rule | None]) -> Iterator[Change]:
        """Lists of values: those that are allowed, those that are not, names that must be there."""
        if name is RuleName.ENUM and not a:
            yield self._change(Kind.NARROWED, f"only {_listed(_common(b))} are allowed now", sources=True, rules=rules)
            return
        if name is RuleName.ENUM and not b:
            said = f"any value is allowed, not only {_listed(_common(a))}"
            yield self._change(Kind.WIDENED, said, consumers=True, rules=rules)
            return
        before = _common(a) if name is RuleName.ENUM else _all(a)
        after = _common(b) if name is RuleName.ENUM else _all(b)
        gone = [v for v in before if not _holds(after, v)]
        come = [v for v in after if not _holds(before, v)]
        if name is RuleName.ENUM:
            kinds = (
                (gone, Kind.ENUM_REMOVED, "no longer allowed", True),
                (come, Kind.ENUM_ADDED, "allowed too", False),
            )
        else:  # the more there are, the less is let through
            what = "stand for a missing value" if name is RuleName.MISSING_VALUES else "must be there"
            kinds = ((come, Kind.NARROWED, f"{what} now", True), (gone, Kind.WIDENED, f"{what} no longer", False))
        for values, kind, words, narrows in kinds:
            if values:
                verb = "is" if len(values) == 1 and name is RuleName.ENUM else "are" if name is RuleName.ENUM else ""
                said = " ".join(filter(None, (_listed(values), verb, words)))
                yield self._change(kind, said, sources=narrows, consumers=not narrows, rules=rules)

    # -- what is in it

    def _fields(self) -> Iterator[Change]:
        old = {f.name: f for f in self._old.fields}
        new = {f.name: f for f in self._new.fields}
        gone = {n: f for n, f in old.items() if n not in new}
        come = {n: f for n, f in new.items() if n not in old}
        for former, now, declared in _renamed(gone, come):
            a, b = gone.pop(former), come.pop(now)
            how = "is called" if declared else "is gone, and is probably what is called now"
            said = f"'{former}' {how} '{now}'"
            yield _named(Kind.FIELD_RENAMED, self._below(former), said, a, b, sources=not declared, consumers=True)
            yield from compare_fields(a, b, self._below(former))
        for name, field in gone.items():
            yield _named(
                Kind.FIELD_REMOVED, self._below(name), f"'{name}' is gone", field, None,
                sources=self._new.closed, consumers=True,
            )  # fmt: skip
        for name, field in come.items():
            said = f"'{name}' is new" + (", and required" if field.required else "")
            open_before = not self._old.closed
            # Where other fields were let through, one of this name could hold anything.
            sources = field.required or (open_before and _asks_anything(field))
            yield _named(Kind.FIELD_ADDED, self._below(name), said, None, field, sources=sources)
        for name, field in old.items():
            if name in new:
                yield from compare_fields(field, new[name], self._below(name))

    def _below(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name

    def _parts(self) -> Iterator[Change]:
        pairs: tuple[tuple[str, Callable[[Field], Field | None]], ...] = (
            ("[]", lambda f: f.items),
            (".key", lambda f: f.key),
            (".value", lambda f: f.value),
        )
        for step, part in pairs:
            a, b = part(self._old), part(self._new)
            if a is not None or b is not None:
                anything = Field(name="", line=0, column=0)
                yield from compare_fields(a or anything, b or anything, f"{self._name}{step}")


def _named(
    kind: Kind,
    name: str,
    said: str,
    a: Field | None,
    b: Field | None,
    *,
    sources: bool = False,
    consumers: bool = False,
) -> Change:
    return Change(
        kind=kind,
        field=name,
        said=said,
        breaks_sources=sources,
        breaks_consumers=consumers,
        old_line=a.line if a is not None else 0,
        new_line=b.line if b is not None else 0,
    )


def _asks_anything(field: Field) -> bool:
    """Whether a field that is there can break a rule."""
    return field.type is not None or bool(field.rules)


def _renamed(gone: dict[str, Field], come: dict[str, Field]) -> list[tuple[str, str, bool]]:
    """Pairs of a former and a present name, and whether the new contract declares it."""
    found = [(alias, name, True) for name, field in come.items() for alias in field.aliases if alias in gone]
    taken = {name for former, now, _ in found for name in (former, now)}
    for former, old in gone.items():
        near = [
            name
            for name, field in come.items()
            if {name, former}.isdisjoint(taken) and field.type is old.type and _alike(former, name)
        ]
        if len(near) == 1:
            found.append((former, near[0], False))
            taken |= {former, near[0]}
    return found


def _alike(a: str, b: str) -> bool:
    """Whether one name could have been made from the other: claimId, claim_id, ClaimID."""
    plain_a, plain_b = ("".join(c for c in n.casefold() if c.isalnum()) for n in (a, b))
    if not plain_a or not plain_b:
        return False
    return plain_a == plain_b or (min(len(plain_a), len(plain_b)) > 3 and distance(plain_a, plain_b) <= 2)


# -- values


def _order(name: RuleName, a: list[Any], b: list[Any]) -> int | None:
    """1: the new rule lets less through; -1: more; 0: the same; None: it cannot be told."""
    if len(a) > 1 or len(b) > 1:
        return None
    if name is RuleName.MULTIPLE_OF:
        if b[0] % a[0] == 0:
            return 0 if a[0] == b[0] else 1
        return -1 if a[0] % b[0] == 0 else None
    if name not in _LOW | _HIGH:
        return None
    before, after = _place(a[0]), _place(b[0])
    if before is None or after is None:
        return None
    moved = (after > before) - (after < before)
    return moved if name in _LOW else -moved


def _place(value: Any) -> float | None:
    if isinstance(value, int | float):
        return value
    at = next((m for form in _FORMS if (m := moment(form, value)) is not None), None)
    return at.timestamp() if at is not None else None


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, bool) is isinstance(b, bool) and bool(a == b)


def _holds(values: Sequence[Any], value: Any) -> bool:
    return any(_same(v, value) for v in values)


def _common(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """Values that every list has."""
    return [v for v in lists[0] if all(_holds(other, v) for other in lists[1:])] if lists else []


def _all(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """Values that any list has, each once."""
    found: list[Any] = []
    for value in (v for values in lists for v in values):
        if not _holds(found, value):
            found.append(value)
    return found


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(_shown(v) for v in values[:_LISTED])
    return shown + (f" and {len(values) - _LISTED} more" if len(values) > _LISTED else "") if values else "no value"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:59]}…'"
    return str(value).lower() if isinstance(value, bool) else str(value)
