"""The threshold: the measurable sentences that must be true before a release goes live."""

from __future__ import annotations

import enum
import re
from typing import Annotated, Final

import msgspec

from plimsoll.model.asked import Confidence, Duration, KnownContact, Says
from plimsoll.model.canonical import digest
from plimsoll.model.metrics import METRICS, Better, Dimension, Kind, Metric
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import Quantity, UnitKind, example_of
from plimsoll.model.words import nearest, quoted


class Op(enum.StrEnum):
    """How a figure is compared with its limit."""

    LE = "<="
    LT = "<"
    GE = ">="
    GT = ">"
    EQ = "="

    @property
    def upwards(self) -> bool:
        """Whether larger figures are on the right side."""
        return self in {Op.GE, Op.GT}

    def holds(self, figure: float, limit: float) -> bool:
        """Whether a figure is on the right side of a limit."""
        return {
            Op.LE: figure <= limit,
            Op.LT: figure < limit,
            Op.GE: figure >= limit,
            Op.GT: figure > limit,
            Op.EQ: figure == limit,
        }[self]


# Wider than what is allowed, so that a wrong metric or operator can be told apart from a sentence of another kind.
_CONDITION: Final = re.compile(r"\s*([A-Za-z][\w.-]*)\s*([<>=!≤≥]{1,3})\s*([^\s<>=!≤≥].*?)\s*", re.DOTALL)
_MEANT: Final = {"==": "=", "=<": "<=", "=>": ">=", "≤": "<=", "≥": ">=", "===": "=", "<<": "<", ">>": ">"}
_OPS: Final = frozenset(op.value for op in Op)
_ANY: Final = Quantity(0.0)

LOAD_WINDOW: Final = Quantity(5, "s")  # who asks for less is told on the board what a short window may not show


class Condition(msgspec.Struct, frozen=True):
    """One measurable sentence, such as ``stability.error_rate <= 0.5%``."""

    metric: str
    op: Op
    limit: Quantity

    def __post_init__(self) -> None:
        metric = METRICS.get(self.metric)
        if metric is None:
            near = nearest(self.metric, METRICS)
            raise NotUnderstood(
                f"{quoted(self.metric)} is not a metric of the catalogue",
                fix=f"did you mean '{near}'?" if near else f"the catalogue has {', '.join(METRICS)}",
            )
        if self.limit.kind is not metric.unit:
            raise NotUnderstood(
                f"{self.metric} is a {metric.unit.value}; '{self.limit}' is a {self.limit.kind.value}",
                fix=f"write a {metric.unit.value}, such as {example_of(metric.unit)}",
            )
        right = "<=" if metric.better is Better.LOWER else ">="
        if self.op is Op.EQ:
            if metric.kind is not Kind.CENSUS:
                raise NotUnderstood(
                    f"'=' is for a census alone; {self.metric} is a {metric.kind.value}",
                    fix=f"write {self.metric} {right} {self.limit}",
                )
        elif self.op.upwards is not (metric.better is Better.HIGHER):
            raise NotUnderstood(
                f"{self.metric} is better when {metric.better.value}; '{self.op.value}' points the other way",
                fix=f"write {self.metric} {right} {self.limit}",
            )

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read ``<metric> <op> <quantity>``.

        Raises:
            NotUnderstood: (a ValueError) the sentence is not of that form, names no metric of the catalogue, or
                compares unlike things.

        >>> str(Condition.parse("stability.error_rate<=0.5 %"))
        'stability.error_rate <= 0.5%'
        """
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise NotUnderstood(
                f"{quoted(text)} is not a condition",
                fix="write <metric> <op> <quantity>, with op one of <= < >= > =, such as stability.load >= 3x",
            )
        metric, op, limit = match.groups()
        if op not in _OPS:
            raise NotUnderstood(
                f"'{op}' is not one of <= < >= > =", fix=f"did you mean '{_MEANT[op]}'?" if op in _MEANT else ""
            )
        if metric not in METRICS:
            return cls(metric, Op(op), _ANY)  # raises: it is the first thing to mend, whatever the limit
        try:
            quantity = Quantity.parse(limit)
        except NotUnderstood as why:
            unit = METRICS[metric].unit
            fix = why.fix or f"write a {unit.value}, such as {metric} {op} {example_of(unit)}"
            raise NotUnderstood(why.message, fix=fix) from why
        return cls(metric, Op(op), quantity)

    @property
    def entry(self) -> Metric:
        """The metric's entry in the catalogue."""
        return METRICS[self.metric]

    @property
    def dimension(self) -> Dimension:
        """The readiness dimension, fixed by the catalogue."""
        return self.entry.dimension

    def implies(self, other: Condition) -> bool:
        """Whether every figure that meets this condition meets the other one, too: whether it is at least as strict.

        >>> Condition.parse("evaluation.accuracy >= 96%").implies(Condition.parse("evaluation.accuracy >= 95%"))
        True
        >>> Condition.parse("organisation.accepted >= 90%").implies(Condition.parse("organisation.accepted = 100%"))
        False
        """
        if self.metric != other.metric:
            return False
        mine, theirs, limit = self._at_the_end, other._at_the_end, other.limit.base
        if mine is Op.EQ:
            return theirs.holds(self.limit.base, limit)
        if theirs is Op.EQ:
            return False
        if self.limit.base == limit:
            return mine is theirs or mine in {Op.LT, Op.GT}
        return self.limit.base > limit if mine.upwards else self.limit.base < limit

    @property
    def _at_the_end(self) -> Op:
        """The operator; ``= 100%`` and ``= 0``, beyond which no figure lies, are ``>=`` and ``<=``."""
        if self.op is not Op.EQ:
            return self.op
        metric, limit = self.entry, self.limit.base
        if metric.better is Better.LOWER:
            return Op.LE if limit <= 0 else Op.EQ
        return Op.GE if metric.unit is UnitKind.RATIO and not metric.beyond_all and limit >= 1 else Op.EQ

    def __str__(self) -> str:
        return f"{self.metric} {self.op.value} {self.limit}"


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The conditions, who set them, and how strictly evidence is judged."""

    set_by: Annotated[KnownContact, Says("the leader who sets it; counts only with this person's signature")]
    conditions: Annotated[tuple[Condition, ...], Says("measurable sentences, in each of the four dimensions")]
    consulted: Annotated[tuple[KnownContact, ...], Says("who was asked before it was set")] = ()
    cooling_off: Annotated[
        Duration, Says("a loosened condition counts only this long after a witness holds the setter's signed change")
    ] = Quantity(7, "days")
    confidence: Annotated[Confidence, Says("one-sided, of every bound")] = Quantity(95, "%")
    max_age: Annotated[Duration, Says("evidence older than this is stale")] = Quantity(30, "days")
    load_window: Annotated[
        Duration, Says("each window of a load test lasts at least so long; a longer one shows what builds up slowly")
    ] = LOAD_WINDOW

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence.base < 1:
            raise ValueError(f"confidence is {self.confidence}; it must be at least 50% and below 100%")
        if self.load_window.kind is not UnitKind.DURATION or not self.load_window.base > 0:
            raise ValueError(f"load_window is {self.load_window}; it must be a duration above 0, such as {LOAD_WINDOW}")

    @property
    def missing_dimensions(self) -> tuple[Dimension, ...]:
        """Readiness dimensions without a condition; a threshold with any is refused."""
        have = {c.dimension for c in self.conditions}
        return tuple(d for d in Dimension if d not in have)

    @property
    def digest(self) -> str:
        """What the setter signs: the conditions and how they are judged."""
        return digest(
            {
                "set_by": self.set_by,
                "conditions": sorted(str(c) for c in self.conditions),  # the order of a list says nothing
                "cooling_off": str(self.cooling_off),
                "confidence": str(self.confidence),
                "max_age": str(self.max_age),
                "load_window": str(self.load_window),
            }
        )
