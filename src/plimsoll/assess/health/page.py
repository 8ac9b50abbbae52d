"""The health check as one HTML file that needs nothing else, to be read, printed, forwarded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from plimsoll.assess.health.compare import DIFFERENT
from plimsoll.assess.health.signs import SIGNS
from plimsoll.gate.mark import glyph_svg
from plimsoll.gate.report import coded, moment
from plimsoll.gate.svg import Svg, element, picture
from plimsoll.model.board import Standing
from plimsoll.model.health import Answer, Apart, Difference, HealthCheck, Points, Reason, Sign
from plimsoll.model.health import Standing as Stands

if TYPE_CHECKING:
    from jinja2 import Environment

_LOOKS: Final = {Answer.YES: Standing.MET, Answer.NO: Standing.NOT_MET, Answer.UNCLEAR: Standing.INSUFFICIENT}
_CSS: Final = {Answer.YES: "met", Answer.NO: "not-met", Answer.UNCLEAR: "insufficient"}
_SIDES: Final = {Points.LIVE: "met", Points.PREPARED: "not-met", Points.NEITHER: "not-measured"}
_APART: Final = {Apart.ALIKE: "met", Apart.DIFFERENT: "not-met", Apart.UNCLEAR: "insufficient"}
_STANDS: Final = {
    Stands.AGREED: Answer.YES, Stands.REFUSED: Answer.NO, Stands.UNSIGNED: Answer.UNCLEAR, Stands.VOID: Answer.UNCLEAR,
}  # fmt: skip
_STEP: Final = 44.0
_RISE: Final = 30.0  # of one weight
_LINE: Final = 74.0
_HEIGHT: Final = 164.0
_MOST_FIELDS: Final = 60  # of a source, shown


def render_health(check: HealthCheck) -> str:
    """One HTML page about one health check.

    Returns:
        The whole file, UTF-8 text. The same argument gives the same text.
    """
    return (
        _environment()
        .get_template("health.html")
        .render(
            check=check,
            verdict=_verdict(check),
            questions=[(q, sorted(q.reasons, key=_order)) for q in check.questions],
            steps=steps_of(check),
            sources=[(s, s.signs, _marks(s.signs)) for s in (*check.sources, *check.live)],
            differences=[(d, _strip(d)) for d in check.differences],
            most_fields=_MOST_FIELDS,
            limit=DIFFERENT,
        )
    )


def steps_of(check: HealthCheck) -> tuple[Reason, ...]:
    """What is to be done, the worst first; what is done with one action stands once."""
    found: dict[str, Reason] = {}
    for question in sorted(check.questions, key=lambda q: q.answer is not Answer.NO):
        for reason in sorted(question.reasons, key=_order):
            if reason.fix and reason.answer is not Answer.YES:
                found.setdefault(reason.fix, reason)
    return tuple(found.values())


def _order(reason: Reason) -> int:
    return {Answer.NO: 0, Answer.UNCLEAR: 1, Answer.YES: 2}[reason.answer]


def _verdict(check: HealthCheck) -> dict[str, str]:
    if check.go:
        return {"text": "go", "css": "insufficient" if check.demonstration else "met"}
    return {"text": "no-go", "css": "not-met" if check.no else "insufficient"}


def _marks(signs: Sequence[Sign]) -> Svg:
    """The signs of one source as stems from a line: a running system's above it, a prepared sample's under water."""
    width = max(2, len(signs)) * _STEP + 130
    parts = [
        element("rect", class_="water", x=0, y=_LINE, width=width, height=_HEIGHT - _LINE),
        element("line", class_="line", x1=0, x2=width, y1=_LINE, y2=_LINE),
        element("text", "as live records are", class_="word", x=0, y=12),
        element("text", "as prepared ones are", class_="word", x=0, y=_HEIGHT - 24),
    ]
    for at, one in enumerate(signs):
        parts += _stem(one, 150 + at * _STEP, at + 1)
    said = f"{sum(s.points is Points.LIVE for s in signs)} signs of live records, "
    said += f"{sum(s.points is Points.PREPARED for s in signs)} of prepared ones"
    return picture(width, _HEIGHT, said, parts, class_="signs")


def _stem(one: Sign, x: float, number: int) -> Iterator[Svg]:
    side = {Points.LIVE: -1, Points.PREPARED: 1, Points.NEITHER: 0}[one.points]
    y = _LINE + side * _RISE * max(one.weight, 1)
    css = _SIDES[one.points]
    if side:
        yield element("line", class_="stem", x1=x, x2=x, y1=_LINE, y2=y)
    dot = "dot full" if side else "dot hollow"
    yield element(
        "circle", element("title", f"{SIGNS[one.name].title}: {one.figure}"), class_=f"{dot} {css}", cx=x, cy=y, r=6
    )
    if one.points is Points.PREPARED:
        yield element("line", class_="cross", x1=x - 2.6, x2=x + 2.6, y1=y - 2.6, y2=y + 2.6)
        yield element("line", class_="cross", x1=x - 2.6, x2=x + 2.6, y1=y + 2.6, y2=y - 2.6)
    yield element("text", str(number), class_="n", x=x, y=_HEIGHT - 6)


def _strip(d: Difference) -> Svg:
    """A distance with its interval, on a line from 0 to 1, and the limit from which on it is a difference."""
    css = _APART[d.apart]
    x = [10 + 200 * value for value in (d.lower, d.seen, d.upper, DIFFERENT)]
    parts = [
        element("line", class_="grid", x1=10, x2=210, y1=9, y2=9),
        element("line", class_="line", x1=x[3], x2=x[3], y1=1, y2=17),
        element("line", class_=f"range {css}", x1=x[0], x2=x[2], y1=9, y2=9),
        element("circle", class_=f"dot full {css}", cx=x[1], cy=9, r=4.5),
    ]
    return picture(220, 18, f"{d.seen:.2f}, between {d.lower:.2f} and {d.upper:.2f}", parts, class_="strip")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only a page pays

    loaders = [PackageLoader("plimsoll.assess.health", "templates"), PackageLoader("plimsoll.gate", "templates")]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "coded": coded,
        "moment": moment,
        "looks": lambda answer: glyph_svg(_LOOKS[answer]),
        "css": lambda answer: _CSS[answer],
        "side": lambda points: _SIDES[points],
        "apart": lambda apart: _APART[apart],
        "stands": lambda standing: _STANDS[standing],
        "title": lambda name: SIGNS[name].title,
        "source": lambda name: SIGNS[name].source,
        "count": lambda number: f"{number:,}",
    }
    environment.filters.update(filters)
    return environment
