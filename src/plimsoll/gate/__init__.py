"""Threshold x evidence -> verdict."""

from plimsoll.gate.board import exit_code, make_board
from plimsoll.gate.change_control import (
    SETTINGS,
    Change,
    InForce,
    Line,
    Loosened,
    compare,
    effects,
    in_force,
    judge_in_force,
    moment,
    say_loosened,
)
from plimsoll.gate.report import render_report
from plimsoll.gate.text import Styler, board_text, plain, rich_styler
from plimsoll.gate.verdict import judge

__all__ = [
    "SETTINGS",
    "Change",
    "InForce",
    "Line",
    "Loosened",
    "Styler",
    "board_text",
    "compare",
    "effects",
    "exit_code",
    "in_force",
    "judge",
    "judge_in_force",
    "make_board",
    "moment",
    "plain",
    "render_report",
    "rich_styler",
    "say_loosened",
]
