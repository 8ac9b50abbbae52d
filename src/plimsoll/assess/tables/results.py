"""Figures compared with what the contract says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plimsoll.contract.terms import Quality, ServiceLevel
from plimsoll.gate.figures import duration_text
from plimsoll.model.table_check import RuleResult


def quality_result(quality: Quality, figure: float, *, rows: int, failed: int = 0) -> RuleResult:
    """A quality rule, compared with its limit.

    Args:
        quality: with an operator.
        figure: what was measured, in the rule's own unit.
        rows: of the table.
        failed: rows that were counted, where rows were.
    """
    assert quality.operator is not None, "what compares with nothing is not measured"
    unit = "%" if quality.percent else ""
    return RuleResult(
        rule=f"quality.{quality.metric or quality.kind}",
        field=quality.field,
        line=quality.line,
        column=quality.column,
        expected=f"{quality.operator} {_limit(quality.limit)}{unit}",
        holds=quality.operator.holds(figure, quality.limit),
        failed=failed,
        of=rows,
        figure=figure,
        severity=quality.severity,
        advice=quality.advice,
        said=f"it is {figure:.12g}{unit}",
    )


def counted_result(quality: Quality, count: int, rows: int) -> RuleResult:
    """A metric of the standard's library, counted over all rows."""
    figure = 100 * count / rows if quality.percent and rows else count
    return quality_result(quality, figure, rows=rows, failed=0 if quality.metric == "rowCount" else count)


def level_result(level: ServiceLevel, moments: Sequence[float], now_s: float, *, newest: bool) -> RuleResult:
    """The age of the newest row (freshness) or of the oldest (retention), compared with what was promised.

    Args:
        level: with ``seconds``.
        moments: seconds since 1970, of each part of the table.
        now_s: the same, of now.
        newest: False: the oldest counts.
    """
    assert level.seconds is not None, "a duration that is not understood is not measured"
    age = now_s - (max(moments) if newest else min(moments)) if moments else None
    which = "newest" if newest else "oldest"
    said = "no row has a value" if age is None else f"the {which} row is {_age(age)}"
    return RuleResult(
        rule=f"slaProperties.{level.property}",
        field=", ".join(level.fields),
        line=level.line,
        column=level.column,
        expected=f"at most {duration_text(level.seconds)} old",
        holds=None if age is None else age <= level.seconds,
        figure=age,
        said=said,
    )


def _age(seconds: float) -> str:
    return f"{duration_text(seconds)} old" if seconds >= 0 else f"{duration_text(-seconds)} ahead of this clock"


def _limit(limit: Any) -> str:
    return " and ".join(map(str, limit)) if isinstance(limit, list | tuple) else str(limit)
