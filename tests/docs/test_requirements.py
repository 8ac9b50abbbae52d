"""The table of requirements is whole, and what it names exists."""

from __future__ import annotations

import ast
import re

import pytest
from docs.command_lines import fault
from docs.pages import DOCS, ROOT

PAGE = (DOCS / "reference" / "requirements.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)


def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_number_stands_there_once() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 132))


@pytest.mark.parametrize(("number", "what", "shown"), ROWS, ids=[row[0] for row in ROWS])
def test_what_shows_a_requirement_exists(number: str, what: str, shown: str) -> None:
    assert what.endswith(".")
    if shown == "not yet":
        return
    if shown.startswith("partly: "):
        assert "; not yet: " in shown, f"{number} is partly met and does not say what is missing"
    named = re.findall(r"`([^`]+)`", shown)
    assert named or shown.startswith("partly: "), f"{number} is called met, and nothing shows it"
    for name in named:
        if name.startswith("plimsoll "):
            assert not fault(name), f"{number}: {fault(name)}"
        elif "/" in name:
            path, _, function = name.partition("::")
            assert (ROOT / path).exists(), f"{number} names {path}, which is not there"
            assert not function or function in _functions(path), f"{number} names {name}; there is no such test"


def test_the_counts_are_those_of_the_table() -> None:
    partly = sum(shown.startswith("partly: ") for _, _, shown in ROWS)
    later = sum(shown == "not yet" for _, _, shown in ROWS)

    assert f"Met: {len(ROWS) - partly - later}. Partly: {partly}. Not yet: {later}." in PAGE
