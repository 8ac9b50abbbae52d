"""Threshold x evidence -> verdict."""

from plimsoll.gate.board import exit_code, make_board
from plimsoll.gate.report import render_report
from plimsoll.gate.text import Styler, board_text, plain, rich_styler
from plimsoll.gate.verdict import judge

__all__ = ["Styler", "board_text", "exit_code", "judge", "make_board", "plain", "render_report", "rich_styler"]
