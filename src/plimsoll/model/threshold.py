"""The threshold: the measurable sentences that must be true before a release goes live."""

from __future__ import annotations

import enum
import re
from typing import Final

import msgspec

from plimsoll.model.canonical import digest
from plimsoll.model.metrics import METRICS, Better, Dimension, Kind, Metric
from plimsoll.model.quantity import Quantity


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


_CONDITION: Final = re.compile(r"\s*([a-z][a-z0-9_.]*)\s*(<=|>=|<|>|=)\s*(\S.*?)\s*")


class Condition(msgspec.Struct, frozen=True):
    """One measurable sentence, such as ``stability.error_rate <= 0.5%``."""

    metric: str
    op: Op
    limit: Quantity

    def __post_init__(self) -> None:
        metric = METRICS.get(self.metric)
        if metric is None:
            raise ValueError(f"'{self.metric}' is not a metric of the catalogue")
        if self.limit.kind is not metric.unit:
            raise ValueError(f"{self.metric} is a {metric.unit.value}; '{self.limit}' is a {self.limit.kind.value}")
        if self.op is Op.EQ:
            if metric.kind is not Kind.CENSUS:
                raise ValueError(f"'=' is for a census alone; {self.metric} is a {metric.kind.value}: use <= or >=")
        elif self.op.upwards is not (metric.better is Better.HIGHER):
            better = metric.better.value
            raise ValueError(f"{self.metric} is better when {better}; '{self.op.value}' points the other way")

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read ``<metric> <op> <quantity>``.

        Raises:
            ValueError: the sentence is not of that form, names no metric of the catalogue, or compares unlike things.
        """
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not a condition; write <metric> <op> <quantity>, with op one of <= < >= > =")
        return cls(match[1], Op(match[2]), Quantity.parse(match[3]))

    @property
    def entry(self) -> Metric:
        """The metric's entry in the catalogue."""
        return METRICS[self.metric]

    @property
    def dimension(self) -> Dimension:
        """The readiness dimension, fixed by the catalogue."""
        return self.entry.dimension

    def __str__(self) -> str:
        return f"{self.metric} {self.op.value} {self.limit}"


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The conditions, who set them, and how strictly evidence is judged."""

    set_by: str
    conditions: tuple[Condition, ...]
    consulted: tuple[str, ...] = ()
    cooling_off: Quantity = Quantity(7, "days")  # a loosened condition counts only after this
    confidence: Quantity = Quantity(95, "%")  # one-sided, of every bound
    max_age: Quantity = Quantity(30, "days")  # evidence older than this is stale

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence.base < 1:
            raise ValueError(f"confidence is {self.confidence}; it must be at least 50% and below 100%")

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
                "conditions": [str(c) for c in self.conditions],
                "cooling_off": str(self.cooling_off),
                "confidence": str(self.confidence),
                "max_age": str(self.max_age),
            }
        )
