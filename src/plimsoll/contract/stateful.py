"""Rules that compare records with each other as they arrive: which of a contract's can be kept, and how far back."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

import msgspec

from plimsoll.contract.places import Place, place_of
from plimsoll.contract.rules import Contract, Field, Unenforced
from plimsoll.contract.terms import Direction, Operator, Quality, Terms

_BETWEEN: Final = "its window is each source's own; the sources of this contract are not compared with each other"


class Compares(enum.StrEnum):
    """What a rule compares; the value is what reasons are named by."""

    KEY = "primaryKey"  # no two records have the same
    UNIQUE = "unique"  # no two values are the same
    DUPLICATE = "duplicateValues"  # the same, as a quality rule
    ORDER = "order"  # values follow each other


_WRITTEN: Final = {  # as the list of what is not enforced names them
    Compares.KEY: "primaryKey",
    Compares.UNIQUE: "unique",
    Compares.DUPLICATE: "quality.duplicateValues",
    Compares.ORDER: "plimsollOrder",
}


class StatefulRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, and the places it is about."""

    compares: Compares
    places: tuple[Place, ...]  # of the key; of an order those that what follows each other is alike in
    value: Place | None = None  # what has an order
    direction: Direction = Direction.NOT_FALLING
    fields: tuple[str, ...]  # dotted, that say so in the contract
    line: int
    column: int = 0  # of a quality rule


def stateful_rules(contract: Contract) -> tuple[StatefulRule, ...]:
    """The rules of the record that a window can keep, in the order of the file; none without a declared window."""
    record = contract.record
    if record is None or contract.terms.window is None:
        return ()
    return tuple(sorted(_rules(contract.terms, record), key=lambda rule: rule.line))


def _rules(terms: Terms, record: Field) -> Iterator[StatefulRule]:
    for unique in (u for u in terms.unique if u.object == record.name):
        places = tuple(place_of(name, record) for name in unique.fields)
        if _are_alike(places):
            compares = Compares.KEY if unique.primary else Compares.UNIQUE
            yield StatefulRule(compares=compares, places=places, fields=unique.fields, line=unique.line)
    for quality in (q for q in terms.qualities if q.object == record.name and _tolerates_none(q)):
        named = quality.arguments.get("properties")
        names = [f"{record.name}.{n}" for n in named] if isinstance(named, list) else [quality.field]
        places = tuple(place_of(name, record) for name in names)
        if all(place.is_one and place.steps for place in places):
            fields = (quality.field,)
            yield StatefulRule(
                compares=Compares.DUPLICATE, places=places, fields=fields, line=quality.line, column=quality.column
            )
    for order in (o for o in terms.orders if o.object == record.name):
        value, per = place_of(order.field, record), tuple(place_of(name, record) for name in order.per)
        if value.is_one and all(place.is_one for place in per):
            yield StatefulRule(
                compares=Compares.ORDER,
                places=per,
                value=value,
                direction=order.direction,
                fields=(order.field,),
                line=order.line,
            )


def _are_alike(places: tuple[Place, ...]) -> bool:
    """Whether a key can be taken of one record: of several fields, each has one value."""
    return all(place.steps for place in places) and (len(places) == 1 or all(place.is_one for place in places))


def _tolerates_none(rule: Quality) -> bool:
    none = rule.limit == 0 and rule.operator in {Operator.MUST_BE, Operator.AT_MOST}
    return rule.metric == "duplicateValues" and none and not rule.advice


def left_by_windows(
    left: tuple[Unenforced, ...], record: Field | None, terms: Terms, *, several: bool
) -> tuple[Unenforced, ...]:
    """What is still not enforced where a window is declared.

    Args:
        left: all that one record cannot tell.
        record: what records are checked against.
        terms: of the contract.
        several: it names several sources. Each has a window of its own, so that what the rule says of all of them
            together is still not kept, and is said to be so.
    """
    if record is None or terms.window is None:
        return left
    # A key stands at each of its fields; of several quality rules at one field the place tells which it is.
    kept = {
        (_WRITTEN[rule.compares], field, *_place(rule)): rule for rule in _rules(terms, record) for field in rule.fields
    }
    found: list[Unenforced] = []
    for each in left:
        rule = kept.get(
            (each.rule, each.field, *(_place(each) if each.rule == _WRITTEN[Compares.DUPLICATE] else (0, 0)))
        )
        if rule is None:
            found.append(each)
        elif several and rule.compares is not Compares.ORDER:  # that is about each source by itself
            found.append(msgspec.structs.replace(each, why=_BETWEEN))
    return tuple(found)


def _place(of: StatefulRule | Unenforced) -> tuple[int, int]:
    is_quality = isinstance(of, Unenforced) or of.compares is Compares.DUPLICATE
    return (of.line, of.column) if is_quality else (0, 0)
