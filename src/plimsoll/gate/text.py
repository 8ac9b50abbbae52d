"""The board as plain text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from plimsoll.gate.figures import age_text, declared_text
from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.evidence import Provenance
from plimsoll.model.threshold import Op

if TYPE_CHECKING:
    from rich.console import Console

GLYPHS: Final = {
    Standing.MET: "●",
    Standing.NOT_MET: "✕",
    Standing.INSUFFICIENT: "◐",
    Standing.STALE: "◷",
    Standing.NOT_MEASURED: "○",
}

# The roles that text is styled by: the values of Outcome and Standing, and these three.
STRONG: Final = "strong"
QUIET: Final = "quiet"
WARNING: Final = "warning"

_RICH: Final = {
    Outcome.READY.value: "bold green",
    Outcome.NOT_READY.value: "bold red",
    Outcome.CANNOT_SAY.value: "bold yellow",
    Standing.MET.value: "green",
    Standing.NOT_MET.value: "red",
    Standing.INSUFFICIENT.value: "yellow",
    Standing.STALE.value: "yellow",
    Standing.NOT_MEASURED.value: "yellow",
    STRONG: "bold",
    QUIET: "dim",
    WARNING: "bold yellow",
}
_COMMAND: Final = re.compile("`[^`]*`")  # stays on one line, so that it can be copied
_UNBROKEN: Final = "\N{NO-BREAK SPACE}"
_NARROWEST: Final = 24  # a column that could hold no word would say nothing at all


class Styler(Protocol):
    """Dresses a piece of text for its role. It may add marks that take no room, and must keep the text as it is."""

    def __call__(self, text: str, role: str, /) -> str:
        """The text with whatever shows its role."""


def plain(text: str, _role: str, /) -> str:
    """No colour at all: the words and the glyphs say everything."""
    return text


def rich_styler(console: Console) -> Styler:
    """A styler that colours as far as a rich console does: not for a file, a pipe or NO_COLOR."""

    def style(text: str, role: str, /) -> str:
        with console.capture() as captured:
            console.print(
                text, style=_RICH.get(role), end="", markup=False, highlight=False, emoji=False, soft_wrap=True
            )
        return captured.get()

    return style


def board_text(board: Board, *, width: int = 80, style: Styler = plain) -> str:
    """The board as text, the verdict in one sentence first.

    Args:
        board: the verdict.
        width: columns there are. Figures stand beside their conditions where there is room, and under them where not.
        style: dresses text by its role; `plain` leaves it alone.

    Returns:
        Lines, none wider than `width` (but at least 24), without a newline at the end. Characters that would steer
        the terminal are replaced: evidence may carry file names that somebody else chose.
    """
    page = _Page(max(width, _NARROWEST), style)
    lines = [*_head(board, page)]
    columns = _columns(board.rows)
    for dimension in dict.fromkeys(row.dimension for row in board.rows):
        lines += ["", style(dimension, STRONG)]
        for row in board.rows:
            if row.dimension == dimension:
                lines += _beside(row, columns, page) if sum(columns) + 12 <= page.width else _under(row, page)
                lines += _details(row, page)
    parts = (("what it costs", board.price), ("notes", board.notes), ("started and never ended", board.unfinished))
    for title, sentences in parts:
        if sentences:
            lines += ["", style(title, STRONG)]
            lines += [line for sentence in sentences for line in page.paragraph(sentence, "", indent=4, first="  · ")]
    return "\n".join(lines)


class _Page:
    """How wide the page is, and how text is dressed on it."""

    def __init__(self, width: int, style: Styler) -> None:
        self.width = width
        self.style = style

    def paragraph(self, text: str, role: str, *, indent: int = 0, first: str | None = None) -> list[str]:
        """Text within the width; a word that is too long for a line (a digest, an address) is broken."""
        kept = _COMMAND.sub(lambda found: found[0].replace(" ", _UNBROKEN), _harmless(text))
        lines = [
            line.replace(_UNBROKEN, " ") for line in textwrap.wrap(kept, self.width - indent, break_on_hyphens=False)
        ]
        starts = [" " * indent if first is None else first] + [" " * indent] * len(lines)
        return [start + (self.style(line, role) if role else line) for start, line in zip(starts, lines, strict=False)]


def _head(board: Board, page: _Page) -> Iterator[str]:
    verdict = board.outcome.value.upper()
    if board.outcome is Outcome.READY:
        as_what = [word for word, so in (("DRAFT", board.draft), ("DEMONSTRATION", board.demonstration)) if so]
        verdict += "".join(f" AS A {word}" for word in as_what[:1]) + "".join(f" AND A {word}" for word in as_what[1:])
    yield from page.paragraph(f"{verdict}: {board.sentence}.", board.outcome.value)
    moment = datetime.fromtimestamp(board.time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield from page.paragraph(f"{board.system} · release {_short(board.release)} · {moment}", QUIET)
    yield from page.paragraph(f"threshold {_short(board.threshold)} · set by {board.set_by or 'nobody'}", QUIET)
    if board.draft:
        yield from page.paragraph("DRAFT: nobody whose key is pinned has signed this threshold.", WARNING)
    for sentence in board.warnings:
        yield from page.paragraph(f"WARNING: {sentence}", WARNING)
    simulated = board.simulated or (("something that it rests on is simulated",) if board.demonstration else ())
    for sentence in simulated:
        yield from page.paragraph(f"DEMONSTRATION: {sentence}.", WARNING)


def _columns(rows: tuple[Row, ...]) -> tuple[int, ...]:
    """How wide condition, standing, figure and bound have to be."""
    cells = [(row.condition, row.standing.value, row.estimate_text, _bound(row)) for row in rows]
    return tuple(max((len(line[at]) for line in cells), default=0) for at in range(4))


def _beside(row: Row, columns: tuple[int, ...], page: _Page) -> list[str]:
    condition, word = row.condition, row.standing.value
    cells = (
        "  " + page.style(GLYPHS[row.standing], word) + " ",
        condition + " " * (columns[0] - len(condition)),
        page.style(word, word) + " " * (columns[1] - len(word)),
        row.estimate_text.rjust(columns[2]),
        _bound(row).rjust(columns[3]),
    )
    return [(cells[0] + "  ".join(cells[1:])).rstrip()]


def _under(row: Row, page: _Page) -> list[str]:
    word = row.standing.value
    start = "  " + page.style(GLYPHS[row.standing], word) + " "
    figures = " · ".join(part for part in (word, row.estimate_text, _bound(row)) if part not in {"", "–"})
    return [*page.paragraph(row.condition, "", indent=4, first=start), *page.paragraph(figures, word, indent=4)]


def _details(row: Row, page: _Page) -> Iterator[str]:
    facts = [row.counts, "" if row.age_s is None else age_text(row.age_s)]
    facts += ["" if row.provenance in {"", Provenance.MEASURED.value} else row.provenance]
    met = row.standing is Standing.MET
    yield from page.paragraph(" · ".join(filter(None, [*facts, row.why if met else ""])), QUIET, indent=4)
    if row.declared:
        yield from page.paragraph(declared_text(row), QUIET, indent=4)
    if not met:
        distance = row.gap or row.needed
        said = f"{distance[0].upper()}{distance[1:]}. {row.why}" if distance else row.why
        yield from page.paragraph(said, "", indent=4)
    if row.next:
        yield from page.paragraph(f"{row.next} ({row.owner})" if row.owner else row.next, "", indent=6, first="    → ")


def _bound(row: Row) -> str:
    """The bound with its sign; nothing where it would repeat the figure."""
    if row.bound is None or row.bound_text == row.estimate_text:
        return ""
    return f"{'≥' if row.op in {Op.GE.value, Op.GT.value} else '≤'} {row.bound_text}"


def _short(digest: str) -> str:
    """A digest as far as a person compares it."""
    name, _, value = digest.rpartition(":")
    return f"{name}:{value[:12]}" if name and len(value) > 12 else digest


def _harmless(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
