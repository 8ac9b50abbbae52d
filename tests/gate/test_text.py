from __future__ import annotations

import io
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from plimsoll.gate import board_text, make_board, rich_styler
from plimsoll.gate.text import GLYPHS
from plimsoll.model.board import Board, Standing
from plimsoll.model.evidence import Census, Draw, Proportion, Provenance

CONDITIONS = (
    "stability.load >= 3x",
    "stability.latency_p99 <= 500ms",
    "evaluation.accuracy >= 95%",
    "evaluation.answered_share >= 60%",
    "stability.recovery_time <= 10s",
    "contracts.valid_rate >= 95%",
    "contracts.lost_records = 0",
    "organisation.accepted = 100%",
    "accountability.complete = 100%",
)


def everything(bench, **more) -> Board:
    """A board with every standing on it."""
    slow = bench.windows(bench.window(300, *[5.6] * 4), bench.window(300), bench.window(320))
    evidence = [
        bench.evidence("stability.load", bench.perfect("stability.load")),
        bench.evidence("stability.latency_p99", slow, draw=Draw.FRESH),
        bench.evidence("evaluation.accuracy", Proportion(hits=242, total=250)),
        bench.evidence("evaluation.answered_share", Proportion(hits=180, total=250), age_days=41),
        bench.evidence("contracts.valid_rate", Proportion(hits=1, total=1), unenforced=("a.yaml:14 x",)),
        bench.evidence("contracts.lost_records", Census(count=0, total=3000, ratio=False)),
        bench.evidence(
            "organisation.accepted", Census(count=4, total=5, ratio=True, missing=("ops@example.org",)),
            provenance=Provenance.SIMULATED,
        ),
    ]  # fmt: skip
    return make_board(
        system="claims-reader", release=bench.release, threshold=bench.threshold(*CONDITIONS), people="sha256:1",
        rows=bench.rows(CONDITIONS, evidence), time_ns=bench.now,
        **{"owners": {"technical": "doc-ai@example.org", "data": "claims-ops@example.org"}, **more},
    )  # fmt: skip


def test_the_first_line_is_the_verdict_in_one_sentence(bench):
    board = everything(bench)
    first = board_text(board, width=200).splitlines()[0]
    assert first == f"NOT READY: {board.sentence}."
    assert "2 of 9 conditions are met, 2 are below the line" in first


def test_at_80_columns_figures_stand_beside_their_conditions(bench):
    lines = board_text(everything(bench), width=80).splitlines()
    rows = [line for line in lines if re.match(r"  [●✕◐◷○] ", line)]
    assert len(rows) == len(CONDITIONS)
    assert len({line.index(word) for line, word in zip(rows, ["met", "not met", "insuff", "stale"], strict=False)}) == 1
    assert rows[0].split() == ["●", "stability.load", ">=", "3x", "met", "100x"]
    assert rows[2].split() == ["◐", "evaluation.accuracy", ">=", "95%", "insufficient", "96.8%", "≥", "94.3%"]


def test_at_40_columns_they_stand_under_them(bench):
    lines = board_text(everything(bench), width=40).splitlines()
    at = lines.index("  ◐ evaluation.accuracy >= 95%")
    assert lines[at + 1] == "    insufficient · 96.8% · ≥ 94.3%"


@pytest.mark.parametrize("width", [24, 32, 40, 60, 72, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(bench, width):
    board = everything(bench, unfinished=("stability " + "x" * 90,), notes=("a note " * 30,), price=("8% held",))
    assert max(map(len, board_text(board, width=width).splitlines())) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_everything_on_the_board_is_in_the_text(bench, width):
    board = everything(bench, unfinished=("stability, started 14:00",), notes=("A note.",), price=("8% are held.",))
    text = re.sub(r"\s+", " ", board_text(board, width=width))
    for row in board.rows:
        parts = [row.condition, row.standing.value, GLYPHS[row.standing], row.counts, row.next]
        parts += [] if row.standing is Standing.NOT_MEASURED else [row.estimate_text]
        for part in (*parts, row.why, row.owner, row.gap, row.needed):
            assert part.lower() in text.lower()
    for part in ("stability, started 14:00", "A note.", "8% are held.", "simulated", "41 days old", "1 day"):
        assert part in text


def test_commands_are_not_broken_so_that_they_can_be_copied(bench):
    for width in (50, 60, 72, 80):
        lines = board_text(everything(bench), width=width).splitlines()
        assert all(line.count("`") % 2 == 0 for line in lines)


def test_a_draft_and_a_demonstration_say_so(bench):
    text = board_text(everything(bench))
    assert "DRAFT: nobody whose key is pinned has signed this threshold." in text
    assert "DEMONSTRATION: evidence that it rests on is simulated." in text
    older = msgspec.structs.replace(everything(bench), simulated=())  # as an earlier version wrote it down
    assert "DEMONSTRATION: something that it rests on is simulated." in board_text(older)
    calm = make_board(
        system="s", release=bench.release, threshold=bench.threshold("stability.load >= 3x"), people="p",
        rows=bench.rows(["stability.load >= 3x"], [bench.evidence("stability.load", bench.perfect("stability.load"))]),
        time_ns=bench.now, signed="e", pinned=True,
    )  # fmt: skip
    assert board_text(calm).startswith("READY: 1 of 1 conditions are met.\n")
    assert "DRAFT" not in board_text(calm)
    assert "DEMONSTRATION" not in board_text(calm)


def test_a_ready_demonstration_is_not_called_ready_without_more(bench):
    conditions = ["stability.load >= 3x"]
    evidence = bench.evidence("stability.load", bench.perfect("stability.load"), provenance=Provenance.SIMULATED)

    def first(**more):
        return board_text(make_board(
            system="s", release=bench.release, threshold=bench.threshold(*conditions), people="p",
            rows=bench.rows(conditions, [evidence]), time_ns=bench.now, **more,
        )).splitlines()[0]  # fmt: skip

    assert first(signed="e", pinned=True) == "READY AS A DEMONSTRATION: 1 of 1 conditions are met."
    assert first() == "READY AS A DRAFT AND A DEMONSTRATION: 1 of 1 conditions are met."


# -- colour -------------------------------------------------------------------------------------------------------------

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def test_there_is_no_colour_unless_one_is_given(bench):
    assert "\x1b" not in board_text(everything(bench))


@pytest.mark.parametrize("width", [40, 80])
def test_colour_changes_no_character_of_the_text(bench, width):
    board = everything(bench)
    styler = rich_styler(
        Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=20, no_color=False)
    )
    coloured = board_text(board, width=width, style=styler)
    assert "\x1b[" in coloured
    assert ESCAPE.sub("", coloured) == board_text(board, width=width)


def test_a_console_without_colour_gives_plain_text(bench):
    board = everything(bench)
    styler = rich_styler(Console(file=io.StringIO(), force_terminal=False))
    assert board_text(board, style=styler) == board_text(board)


def test_a_row_that_rests_on_a_declared_service_says_so(bench):
    name = "stability.load"
    piece = bench.evidence(name, bench.perfect(name), declared=("a:1", "b:2"), age_days=0.1)
    board = make_board(
        system="s", release=bench.release, threshold=bench.threshold("stability.load >= 3x"), people="p",
        rows=bench.rows(["stability.load >= 3x"], [piece]), time_ns=bench.now,
    )  # fmt: skip
    said = " ".join(board_text(board).split())
    assert "Rests on a:1, b:2, whose identities are only declared; it counts for 24 h." in said


@given(name=st.text(max_size=40))
def test_evidence_cannot_steer_the_terminal(bench, name):
    piece = bench.evidence("stability.load", bench.perfect("stability.load"), binds=False, uncovered=(name,))
    board = make_board(
        system="s\x1b]0;x\x07", release=bench.release, threshold=bench.threshold("stability.load >= 3x"), people="p",
        rows=bench.rows(["stability.load >= 3x"], [piece]), time_ns=bench.now, notes=(name,),
    )  # fmt: skip
    text = board_text(board)
    assert all(c.isprintable() or c == "\n" for c in text)
