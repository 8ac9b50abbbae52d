"""A check of a table as one HTML file that needs nothing else, to be read, printed, forwarded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from plimsoll.gate.report import moment
from plimsoll.gate.svg import Svg, element, picture
from plimsoll.model.table_check import Example, RuleResult, TableCheck

if TYPE_CHECKING:
    from jinja2 import Environment

_STEP: Final = 16.0
_LINE: Final = 42.0
_HEIGHT: Final = 150.0
_DEEPEST: Final = 96.0  # below the line: every row
_DECADES: Final = 6  # a share of a millionth and less is just under water
_MOST: Final = 40  # columns that the contract does not name, shown


def render_table(check: TableCheck, time_ns: int) -> str:
    """One HTML page about one check.

    Args:
        check: what was found.
        time_ns: when, nanoseconds since 1970, UTC.

    Returns:
        The whole file, UTF-8 text. The same arguments give the same text.
    """
    broken = [rule for rule in check.rules if rule.holds is False]
    return (
        _environment()
        .get_template("table.html")
        .render(
            check=check,
            time_ns=time_ns,
            verdict=_verdict(check),
            mark=_mark(check),
            broken=sorted(broken, key=lambda rule: rule.advice),
            held=[rule for rule in check.rules if rule.holds],
            most=_MOST,
        )
    )


def _verdict(check: TableCheck) -> dict[str, str]:
    failed, unread = len(check.failed), check.unread
    if check.is_refused:
        parts = [f"{failed} of {len(check.rules)} rules {'is' if failed == 1 else 'are'} broken"] if failed else []
        parts += [f"{check.broken:,} of {check.rows:,} rows break at least one"] if check.broken else []
        parts += [f"{unread:,} rows could not be read"] if unread else []
        parts += ["files could not be read"] if not parts else []
        return {"text": "broken", "css": "not-met", "sentence": "; ".join(parts).capitalize() + "."}
    if not check.rows:
        return {"text": "cannot say", "css": "insufficient", "sentence": "There is no row to tell from."}
    if not check.is_whole:
        said = "Every rule that was asked holds, and some could not be asked."
        return {"text": "cannot say", "css": "insufficient", "sentence": said}
    return {"text": "holds", "css": "met", "sentence": f"All {len(check.rules)} rules hold in {check.rows:,} rows."}


def _mark(check: TableCheck) -> Svg:
    """Rules as stems from the line: above it they hold, under water they are broken."""
    stems = [*check.rules, *check.unasked]
    width = max(8, len(stems) + 1) * _STEP
    parts = [
        element("rect", class_="water", x=0, y=_LINE, width=width, height=_HEIGHT - _LINE),
        element("line", class_="line", x1=0, x2=width, y1=_LINE, y2=_LINE),
    ]
    for at, one in enumerate(stems):
        parts += _stem(one, (at + 1) * _STEP)
    holds = sum(rule.holds is True for rule in check.rules)
    said = f"{holds} rules hold, {len(check.failed)} are broken, {len(check.unasked)} could not be asked"
    return picture(width, _HEIGHT, said, parts, class_="rules")


def _stem(one: Any, x: float) -> Iterator[Svg]:
    title = element("title", f"{one.field}: {one.rule}")
    holds = one.holds if isinstance(one, RuleResult) else None
    if holds is None:
        yield element("circle", title, class_="dot hollow dashed not-measured", cx=x, cy=_LINE, r=4)
        return
    y = _LINE - 18 if holds else _LINE + depth(one)
    css = "met" if holds else "insufficient" if one.advice else "not-met"
    yield element("line", class_="stem", x1=x, x2=x, y1=_LINE, y2=y)
    yield element("circle", title, class_=f"dot full {css}", cx=x, cy=y, r=5)
    if not holds:
        yield element("line", class_="cross", x1=x - 2.4, x2=x + 2.4, y1=y - 2.4, y2=y + 2.4)
        yield element("line", class_="cross", x1=x - 2.4, x2=x + 2.4, y1=y + 2.4, y2=y - 2.4)


def depth(rule: RuleResult) -> float:
    """How far under the line a broken rule lies: a step for each tenfold of rows; half-way without a count."""
    if not rule.failed or not rule.of:
        return _DEEPEST / 2
    decades = _DECADES + math.log10(min(1.0, rule.failed / rule.of))
    return 10 + (_DEEPEST - 10) * max(0.0, decades) / _DECADES


def _share(rule: RuleResult) -> str:
    return f"{100 * rule.failed / rule.of:.3g}%"


def _place(example: Example) -> str:
    return f"{example.file}:{example.row}" if example.row else example.file


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only a page pays

    loaders = [PackageLoader("plimsoll.assess.tables", "templates"), PackageLoader("plimsoll.gate", "templates")]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "moment": moment,
        "share": _share,
        "place": _place,
        "count": lambda number: f"{number:,}",
    }
    environment.filters.update(filters)
    return environment
