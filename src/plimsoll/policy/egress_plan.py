"""A contract's classes and the page's rulings on one destination, compiled to what becomes of each field.

Made once for each destination and each stretch of time between two ends of exceptions; `egress` walks it with a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from plimsoll.model.field_classes import FieldClasses
from plimsoll.model.manifest import Classification
from plimsoll.model.manifest_values import slug_of
from plimsoll.policy.rulings import Effect, Ruled

RANK: Final = {data: at for at, data in enumerate(Classification)}  # from the least close to the closest


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a value that is not taken apart."""

    path: str  # JSON Pointer; "*" for items, names in a map, and names that are not declared
    name: str  # of the nearest declared field; "" at the top
    data: Classification
    ruled: Ruled
    found: Ruled | None = None  # on personal data found in it; None: it is not looked for
    review: bool = False  # a person looks at answers to records that hold such data

    @property
    def passes(self) -> bool:
        """Whether any value goes as it is, unseen."""
        return self.ruled.effect is Effect.KEEP and self.found is None and not self.review


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a value, and of what is in it."""

    leaf: Leaf  # when it is not taken apart; where something is declared below, the strictest of all
    passes: bool
    fields: Mapping[str, Node] | None = None  # of an object
    rest: Leaf | None = None  # of names that an object does not declare
    items: Node | None = None
    key: Leaf | None = None  # of names in a map
    value: Node | None = None


class Planner:
    """Compiles the plan for one destination at one moment.

    Args:
        ruled: what the page says of each class there.
        default: class of what no contract classifies.
        words: other words for classes.
        looks: whether personal data is looked for in fields of lower classes.
        acts: whether what is found is treated as personal; else it is reported alone.
        review: classes of data whose answers a person looks at.
    """

    def __init__(
        self,
        ruled: Mapping[Classification, Ruled],
        *,
        default: Classification,
        words: Mapping[str, Classification],
        looks: bool,
        acts: bool,
        review: Iterable[Classification],
    ) -> None:
        self._ruled = ruled
        self._default = default
        self._words = words
        self._looks = looks
        self._acts = acts
        self._review = frozenset(review)

    def plan(self, classes: FieldClasses) -> Node:
        """The plan for records that are classified so."""
        return self._node(classes, "", "", None)

    def _node(self, classes: FieldClasses, path: str, name: str, floor: Classification | None) -> Node:
        data = _closer(self._class_of(classes.word), floor)
        # What stands inside something closely kept is kept as closely, whatever it says of itself.
        closed = classes.word and RANK[data] >= RANK[Classification.CONFIDENTIAL]
        below = data if closed else floor
        own = self._leaf(data, path, name)
        fields = {n: self._node(f, f"{path}/{_step(n)}", n, below) for n, f in classes.fields.items()}
        items = None if classes.items is None else self._node(classes.items, f"{path}/*", name, below)
        value = None if classes.value is None else self._node(classes.value, f"{path}/*", name, below)
        key = None
        if value is not None:
            named = data if classes.key is None else _closer(self._class_of(classes.key.word), below)
            key = self._leaf(named, f"{path}/*", name)
        rest = self._leaf(_closer(self._default, below), f"{path}/*", name) if fields else None
        parts = [n for n in (*fields.values(), items, value) if n is not None]
        leaves = [leaf for leaf in (key, rest) if leaf is not None]
        return Node(
            leaf=_strictest(own, [*(n.leaf for n in parts), *leaves]),
            passes=own.passes and all(n.passes for n in parts) and all(leaf.passes for leaf in leaves),
            fields=fields or None,
            rest=rest,
            items=items,
            key=key,
            value=value,
        )

    def _leaf(self, data: Classification, path: str, name: str) -> Leaf:
        lower = RANK[data] < RANK[Classification.PERSONAL]
        found = self._ruled[Classification.PERSONAL if self._acts else data] if self._looks and lower else None
        return Leaf(path=path, name=name, data=data, ruled=self._ruled[data], found=found, review=data in self._review)

    def _class_of(self, word: str) -> Classification:
        """What a contract's word means; the closest class for one that nobody has explained."""
        if not word:
            return self._default
        plain = slug_of(word)
        try:
            return Classification(plain)
        except ValueError:
            return self._words.get(plain, Classification.SPECIAL)


def _closer(data: Classification, floor: Classification | None) -> Classification:
    return data if floor is None or RANK[data] >= RANK[floor] else floor


def _strictest(own: Leaf, below: list[Leaf]) -> Leaf:
    """A leaf for a value that is not what the contract says it is: anything below could be in it."""
    worst = max((own, *below), key=lambda leaf: (leaf.ruled.effect, RANK[leaf.data]))
    looked = [leaf.found for leaf in (own, *below) if leaf.found is not None]
    return msgspec.structs.replace(
        worst,
        path=own.path,
        name=own.name,
        found=max(looked, key=lambda ruled: ruled.effect) if looked else None,
        review=own.review or any(leaf.review for leaf in below),
    )


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
