"""The Plimsoll mark, drawn from a board: the line is the threshold, every condition a stem from it.

The dot is what was measured, the whisker its bound. Above the line is met, under water is not. A state never rests on
colour alone: met is a full dot, not met a crossed one, undecided a half one, stale a ring with a hand, and what was
never measured a dashed ring under water.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from plimsoll.gate.margin import HIGHEST, LOWEST, margin
from plimsoll.gate.svg import Svg, element, picture
from plimsoll.model.board import Board, Row, Standing
from plimsoll.model.threshold import Condition


class _Size(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of one way to draw it, in its own pixels."""

    step: float  # from stem to stem
    gap: float  # more, where a dimension begins
    first: float  # the first stem
    line: float  # the line's height
    rise: float  # from the line to the highest dot
    height: float
    dot: float  # radius
    disc: float  # radius of the disc; its centre is at ``disc_x``
    disc_x: float
    words: bool  # dimension names above, figures beside the dots
    numbers: bool


_WIDE: Final = _Size(
    step=84,
    gap=22,
    first=180,
    line=142,
    rise=92,
    height=286,
    dot=7,
    disc=34,
    disc_x=60,
    words=True,
    numbers=True,
)
_NARROW: Final = _Size(
    step=21, gap=0, first=84, line=96, rise=66, height=196, dot=5.5, disc=20, disc_x=32, words=False, numbers=True
)
_SMALL: Final = _Size(
    step=7, gap=0, first=34, line=14, rise=10, height=28, dot=2.4, disc=8, disc_x=12, words=False, numbers=False
)
_PAGE: Final = 1040.0  # the width that the wide one is made for; more conditions stand closer
_CLOSEST: Final = 60.0  # a figure such as "5,450 ms" needs as much
_LETTER: Final = 6.9  # width of an average letter at 12 pixels, rather too wide


def mark_svg(board: Board, *, small: bool = False, narrow: bool = False) -> Svg:
    """The mark of a board as one inline SVG picture.

    It is coloured by the classes of ``templates/tokens.css`` (``met``, ``not-met``, ``insufficient``, ``stale``,
    ``not-measured``), so it follows the page's light or dark.

    Args:
        board: the verdict.
        small: for a line in a list, without words.
        narrow: for a column of some 340 pixels.
    """
    size = _SMALL if small else _NARROW if narrow else _WIDE
    rows = board.rows
    places = _places(rows, size)
    width = max([size.disc_x * 2, *(x + max(size.step / 2, 10) for x in places[-1:])])
    if size.words and rows:
        width = max(width, places[_starts(rows)[-1]] - 12 + len(rows[-1].dimension) * _LETTER + 6)
    parts = [
        element("rect", class_="water", x=0, y=size.line, width=width, height=size.height - size.line),
        element("line", class_="line", x1=0, x2=width, y1=size.line, y2=size.line),
        element("circle", class_="disc", cx=size.disc_x, cy=size.line, r=size.disc),
        element(
            "line",
            class_="bar",
            x1=size.disc_x - size.disc * 1.45,
            x2=size.disc_x + size.disc * 1.45,
            y1=size.line,
            y2=size.line,
        ),
    ]
    if size.words:
        parts.extend(_dimensions(rows, places, size))
    for position, (row, x) in enumerate(zip(rows, places, strict=True), 1):
        parts.extend(_stem(row, x, position, size))
    kind = "mark mark-small" if small else "mark mark-narrow" if narrow else "mark mark-wide"
    return picture(width, size.height, f"{board.system}: {board.sentence}", parts, class_=kind)


def glyph_svg(standing: Standing) -> Svg:
    """The dot of a state alone, for a legend or a table."""
    css = css_class(standing)
    return element(
        "svg", *_dot(standing, 8, 8, 7, css), viewBox="0 0 16 16", class_="glyph", aria_hidden="true", width=16
    )


def css_class(standing: Standing) -> str:
    """The class that colours a state."""
    return standing.value.replace(" ", "-")


def _starts(rows: Sequence[Row]) -> list[int]:
    """Where a dimension begins."""
    return [at for at, row in enumerate(rows) if at == 0 or rows[at - 1].dimension != row.dimension]


def _places(rows: Sequence[Row], size: _Size) -> list[float]:
    """Where each stem stands, from left to right; a dimension takes at least the room of its name."""
    starts = set(_starts(rows))
    step = size.step
    if size.words and rows:
        step = min(step, max((_PAGE - size.first - size.gap * (len(starts) - 1)) / (len(rows) - 0.5), _CLOSEST))
    places: list[float] = []
    begun = 0.0
    for at, row in enumerate(rows):
        x = places[-1] + step if places else size.first
        if at in starts:
            x = max(x + size.gap, begun) if at else x
            begun = x + (len(row.dimension) * _LETTER + 28 if size.words else 0)
        places.append(x)
    return places


def _dimensions(rows: Sequence[Row], places: Sequence[float], size: _Size) -> Iterator[Svg]:
    """Names of the dimensions above their stems, with a hair between them."""
    for at in _starts(rows):
        yield element("text", rows[at].dimension, class_="word", x=places[at] - 12, y=14)
        if at:
            hair = places[at] - 24
            yield element("line", class_="hair", x1=hair, x2=hair, y1=4, y2=size.height)


def _stem(row: Row, x: float, position: int, size: _Size) -> Iterator[Svg]:
    css = css_class(row.standing)
    estimate, bound = heights(row)
    parts: list[Svg] = [element("title", f"{row.condition}: {row.standing.value}. {row.why}".strip())]
    if estimate is None:
        y = size.line + size.rise * 0.72
        parts += [
            element("line", class_=f"stem dashed {css}", x1=x, x2=x, y1=size.line, y2=y - size.dot),
            *_dot(row.standing, x, y, size.dot, css),
        ]
    else:
        y = _height(estimate, size)
        inner = y if bound is None else _height(bound, size)
        parts.append(element("line", class_="stem", x1=x, x2=x, y1=size.line, y2=inner))
        if bound is not None:
            half = size.dot
            parts += [
                element("line", class_=f"range {css}", x1=x, x2=x, y1=inner, y2=y),
                element("line", class_=f"whisker {css}", x1=x - half, x2=x + half, y1=inner, y2=inner),
            ]
        parts += _dot(row.standing, x, y, size.dot, css)
        if size.words:
            outward = -1 if y <= size.line else 1
            far = min(y, inner) if outward < 0 else max(y, inner)
            parts.append(_label(row.estimate_text, x, far + outward * (size.dot + 6) + (4 if outward > 0 else 0)))
    if size.numbers:
        parts.append(element("text", str(position), class_="n", x=x, y=size.height - 6))
    yield element("g", *parts)


def heights(row: Row) -> tuple[float | None, float | None]:
    """Where the figure and its bound float: 1 is the line. None: there is none.

    A stale row has figures and no margin of its own, for they count no longer; they are drawn where they were.
    """
    if row.margin is not None:
        return row.margin, row.margin_bound
    if row.standing is not Standing.STALE or row.estimate is None:
        return None, None
    condition = Condition.parse(row.condition)
    return margin(condition, row.estimate), None if row.bound is None else margin(condition, row.bound)


def _height(floats: float, size: _Size) -> float:
    # Exactly on the line a dot could be taken for met or not met; met begins just above it, not met just below.
    share = (min(max(floats, LOWEST), HIGHEST) - 1) / (HIGHEST - 1)
    nudge = size.dot + 1 if floats >= 1 else -(size.dot + 1)
    return size.line - nudge - share * (size.rise - size.dot)


def _label(text: str, x: float, y: float) -> Svg:
    return element("text", text, class_="figure", x=x, y=y)


def _dot(standing: Standing, x: float, y: float, r: float, css: str) -> Iterator[Svg]:
    match standing:
        case Standing.MET:
            yield element("circle", class_=f"dot full {css}", cx=x, cy=y, r=r)
        case Standing.NOT_MET:
            arm = r * 0.45
            yield element("circle", class_=f"dot full {css}", cx=x, cy=y, r=r)
            for sign in (1, -1):
                yield element("line", class_="cross", x1=x - arm, x2=x + arm, y1=y - sign * arm, y2=y + sign * arm)
        case Standing.INSUFFICIENT:
            yield element("circle", class_=f"dot hollow {css}", cx=x, cy=y, r=r - 0.5)
            half = f"M {x:.2f} {y - r + 0.5:.2f} A {r - 0.5:.2f} {r - 0.5:.2f} 0 0 0 {x:.2f} {y + r - 0.5:.2f} Z"
            yield element("path", class_=f"half {css}", d=half)
        case Standing.STALE:
            yield element("circle", class_=f"dot hollow {css}", cx=x, cy=y, r=r - 0.5)
            hands = f"M {x:.2f} {y - r * 0.6:.2f} V {y:.2f} H {x + r * 0.55:.2f}"
            yield element("path", class_=f"hand {css}", d=hands)
        case Standing.NOT_MEASURED:
            yield element("circle", class_=f"dot hollow dashed {css}", cx=x, cy=y, r=r - 0.5)
