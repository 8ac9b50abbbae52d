"""The report's small pictures: latency and errors of a load stage, intervals, shares.

Bars begin at zero. Latency stands on a logarithmic scale, the same for all stages, because what matters spans from a
millisecond to many seconds; it is drawn as dots, which claim no length. The side of a limit that is not met lies under
water, as on the mark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from plimsoll.gate.figures import duration_text, figure_text
from plimsoll.gate.svg import Svg, element, picture
from plimsoll.model.details import LoadStage, LoadWindow, Segment
from plimsoll.model.quantity import Quantity

_WIDTH: Final = 300.0
_LEFT: Final = 50.0  # room for the axis labels
_RIGHT: Final = 8.0
_SHORTEST_S: Final = 1e-4  # a logarithm has no zero; nothing here is measured finer than a tenth of a millisecond
_PERCENT: Final = Quantity(50.0, "%")


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """One scale for all stages, so that they can be compared."""

    low_s: float
    high_s: float
    top_rate: float


def scale_of(stages: Sequence[LoadStage], latency_limit_s: float | None, error_limit: float | None) -> Scale:
    """Whole decades around every latency and the limit; rates from zero to a round figure above all."""
    windows = [w for stage in stages for w in stage.windows]
    times = [t for w in windows for t in (w.p50_s, w.p99_s, w.p99_bound_s) if t is not None and math.isfinite(t)]
    times += [] if latency_limit_s is None else [latency_limit_s]
    low = math.floor(math.log10(max(min(times, default=0.01), _SHORTEST_S)))
    high = math.ceil(math.log10(max(max(times, default=0.1), _SHORTEST_S) * 1.0001))
    worst = max((w.error_rate for w in windows), default=0.0)
    top = max(worst * 1.1, (error_limit or 0.0) * 2, 0.01)
    return Scale(low_s=10.0**low, high_s=10.0 ** max(high, low + 1), top_rate=min(top, 1.0))


def latency_svg(stage: LoadStage, scale: Scale, limit_s: float | None) -> Svg:
    """The median and the 99th percentile of each window of one stage, against the limit."""
    top, bottom = 12.0, 150.0

    def y(seconds: float) -> float:
        span = math.log10(scale.high_s / scale.low_s)
        share = math.log10(min(max(seconds, scale.low_s), scale.high_s) / scale.low_s) / span
        return bottom - share * (bottom - top)

    decades = [scale.low_s * 10**power for power in range(round(math.log10(scale.high_s / scale.low_s)) + 1)]
    parts = list(
        _axis([(y(decade), duration_text(decade)) for decade in decades], None if limit_s is None else y(limit_s))
    )
    if limit_s is not None:
        parts = [*_limit(y(limit_s), top, duration_text(limit_s)), *parts]
    parts.append(element("text", "window", class_="axis", x=_LEFT - 6, y=bottom + 19))
    worst = max(stage.windows, key=lambda w: w.p99_s, default=None)
    for x, index, window in _across(stage.windows):
        parts += [*_window(window, x, y, limit_s), element("text", str(index), class_="n", x=x, y=bottom + 19)]
        if window is worst:
            above = y(window.p99_s if window.p99_bound_s is None else max(window.p99_s, window.p99_bound_s)) - 8
            parts.append(element("text", duration_text(window.p99_s), class_="n value", x=x, y=above))
    said = "no window came back" if worst is None else f"the worst 99th percentile is {duration_text(worst.p99_s)}"
    return picture(_WIDTH, bottom + 25, f"{stage.multiple:g} times the peak: {said}", parts, class_="chart")


def rates_svg(stage: LoadStage, scale: Scale, limit: float | None) -> Svg:
    """Errors of each window of one stage as bars, what was shed of them hatched."""
    top, bottom = 12.0, 66.0

    def y(rate: float) -> float:
        return bottom - min(rate / scale.top_rate, 1.0) * (bottom - top)

    ends = [(y(rate), percent(rate, 2)) for rate in (0.0, scale.top_rate)]
    parts = list(_axis(ends, None if limit is None else y(limit)))
    if limit is not None:
        parts = [*_limit(y(limit), top, percent(limit)), *parts]
    wide = min(26.0, (_WIDTH - _LEFT - _RIGHT) / max(len(stage.windows), 1) * 0.5)
    for x, _, window in _across(stage.windows):
        css = "" if limit is None else "met" if window.error_rate <= limit else "not-met"
        rest = max(window.error_rate - window.shed_rate, 0.0)
        for low, high, kind in ((0.0, rest, "fill"), (rest, window.error_rate, "fill shed")):
            if high > low:
                parts.append(
                    element(
                        "rect", class_=f"{kind} {css}", x=x - wide / 2, y=y(high), width=wide, height=y(low) - y(high)
                    )
                )
        parts.append(element("text", percent(window.error_rate, 2), class_="n value", x=x, y=y(window.error_rate) - 4))
    worst = max((w.error_rate for w in stage.windows), default=0.0)
    text = f"{stage.multiple:g} times the peak: at worst {percent(worst)} failed, were shed or late"
    return picture(_WIDTH, bottom + 8, text, parts, class_="chart")


def interval_svg(segment: Segment, low: float, limit: float | None) -> Svg:
    """The accuracy of one segment with its interval, on a scale from ``low`` to 1."""
    width, middle = 220.0, 9.0

    def x(rate: float) -> float:
        return 6 + (min(max(rate, low), 1.0) - low) / (1 - low) * (width - 12)

    parts: list[Svg] = []
    if limit is not None:
        parts += [
            element("rect", class_="water", x=0, y=0, width=x(limit), height=18),
            element("line", class_="line", x1=x(limit), x2=x(limit), y1=0, y2=18),
        ]
    if segment.answered:
        css = "not-met" if surely_below(segment, limit) else "plain"
        rate = segment.right / segment.answered
        if segment.lower is not None and segment.upper is not None:
            parts.append(
                element("line", class_=f"range {css}", x1=x(segment.lower), x2=x(segment.upper), y1=middle, y2=middle)
            )
            for end in (segment.lower, segment.upper):
                parts.append(
                    element("line", class_=f"whisker {css}", x1=x(end), x2=x(end), y1=middle - 4, y2=middle + 4)
                )
        parts.append(element("circle", class_=f"dot full {css}", cx=x(rate), cy=middle, r=4.5))
        label = f"{percent(rate)} of {segment.answered} answered were right"
    else:
        label = "nothing was answered"
    return picture(width, 18, label, parts, class_="strip")


def surely_below(segment: Segment, limit: float | None) -> bool:
    """Whether even the upper bound of a segment is below the limit, so that it is not mere chance."""
    return limit is not None and segment.upper is not None and segment.upper < limit


def shares_svg(parts: Sequence[tuple[str, float]], label: str, limit: float | None) -> Svg:
    """Shares of a whole side by side, from zero; each with the class that draws it."""
    width, height = 260.0, 18.0
    drawn: list[Svg] = [element("rect", class_="trough", x=0, y=3, width=width, height=12)]
    start = 0.0
    for css, share in parts:
        if share > 0:
            drawn.append(element("rect", class_=f"fill {css}", x=start * width, y=3, width=share * width, height=12))
            start += share
    if limit is not None:
        drawn.append(element("line", class_="line", x1=limit * width, x2=limit * width, y1=0, y2=height))
    return picture(width, height, label, drawn, class_="strip")


def percent(rate: float, digits: int = 0) -> str:
    """A share in per cent, with so many digits as it takes to say nothing untrue; shorter for an axis.

    >>> percent(0.9998), percent(0.5), percent(0.0213, 2)
    ('99.98%', '50%', '2.1%')
    """
    return f"{float(f'{rate * 100:.{digits}g}'):g}%" if digits else figure_text(_PERCENT, rate)


def _axis(ticks: Sequence[tuple[float, str]], limit: float | None) -> Iterator[Svg]:
    """Grid lines with their labels; a label that would run into the limit's is left out."""
    for y, text in ticks:
        yield element("line", class_="grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)
        if limit is None or abs(y - limit) > 11:
            yield element("text", text, class_="axis", x=_LEFT - 6, y=y + 4)


def _limit(y: float, top: float, text: str) -> Iterator[Svg]:
    """The limit as a line that is named on the axis, what lies beyond it under water."""
    yield element("rect", class_="water", x=_LEFT, y=top - 6, width=_WIDTH - _LEFT - _RIGHT, height=max(y - top + 6, 0))
    yield element("line", class_="line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)
    yield element("text", text, class_="axis limit", x=_LEFT - 6, y=y + 4)


def _across(windows: Sequence[LoadWindow]) -> Iterator[tuple[float, int, LoadWindow]]:
    """The windows with their places from left to right."""
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(windows), 1)
    for index, window in enumerate(windows):
        yield _LEFT + step * (index + 0.5), index + 1, window


def _window(window: LoadWindow, x: float, y: Callable[[float], float], limit_s: float | None) -> Iterator[Svg]:
    css = "plain"
    if limit_s is not None:
        bound = window.p99_s if window.p99_bound_s is None else window.p99_bound_s
        css = "not-met" if window.p99_s > limit_s else "met" if bound <= limit_s else "insufficient"
    yield element("line", class_="stem", x1=x, x2=x, y1=y(window.p50_s), y2=y(window.p99_s))
    if window.p99_bound_s is not None:
        end = y(window.p99_bound_s)
        yield element("line", class_=f"range {css}", x1=x, x2=x, y1=y(window.p99_s), y2=end)
        yield element("line", class_=f"whisker {css}", x1=x - 5, x2=x + 5, y1=end, y2=end)
    yield element("circle", class_="dot hollow plain", cx=x, cy=y(window.p50_s), r=3.5)
    kind = "hollow" if css == "insufficient" else "full"
    yield element("circle", class_=f"dot {kind} {css}", cx=x, cy=y(window.p99_s), r=5)
    if css == "not-met":
        for sign in (1, -1):
            middle = y(window.p99_s)
            yield element("line", class_="cross", x1=x - 2, x2=x + 2, y1=middle - sign * 2, y2=middle + sign * 2)
