"""What a page shows is what happens: every command and program in the documentation is run (the tutorial apart)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from docs.pages import DOCS, blocks, named, stage
from docs.shell import copy_stage, pattern, run_page

TUTORIAL = DOCS / "tutorial.md"
RUNNABLE = [page for page in sorted(DOCS.rglob("*.md")) if any(block.runs for block in blocks(page))]
_NEEDS = re.compile(r"^<!-- needs: (.+) -->$", re.MULTILINE)


def marked(page: Path) -> object:
    """A page that goes on from the tutorial needs it to have been run, and the tutorial measures load."""
    return pytest.param(page, marks=pytest.mark.alone if stage(page) else (), id=named(page))


@pytest.mark.parametrize("page", [marked(p) for p in RUNNABLE if p != TUTORIAL])
def test_a_page_runs(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    needs = _NEEDS.search(page.read_text(encoding="utf-8"))
    missing = [name for name in (needs[1].split() if needs else []) if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{named(page)} needs {', '.join(missing)}")
    folder = tmp_path / "reader"
    folder.mkdir()
    if stage(page):
        copy_stage(request.getfixturevalue(stage(page)), folder)
    run_page(page, folder)


def test_what_a_page_shows_is_compared_line_by_line() -> None:
    shown = pattern(["a …", "…", "b"])

    assert re.fullmatch(shown, "a 1\nb\n")
    assert re.fullmatch(shown, "a 1\nx\ny\nb\n")
    assert not re.fullmatch(shown, "a 1\nb\nc\n")
    assert not re.fullmatch(shown, "b\n")
