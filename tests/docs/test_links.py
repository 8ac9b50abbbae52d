"""No link of the documentation leads nowhere, and no page is without one that leads to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.pages import DOCS, ROOT, all_pages, anchors, blocks, links, named


def _target(page: Path, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", all_pages(), ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        target, anchor = _target(page, link)
        assert target.exists(), f"{named(page)} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{named(page)} links to {link}; the page has no such heading"


def test_every_page_is_linked_from_another() -> None:
    linked = {_target(page, link)[0] for page in all_pages() for link in links(page) if "://" not in link}
    folders = {place for place in linked if place.is_dir()}

    alone = [named(p) for p in DOCS.rglob("*.md") if p not in linked and p.parent not in folders]

    assert alone == []


@pytest.mark.parametrize("page", all_pages(), ids=named)
def test_every_fence_is_closed_and_says_what_it_holds(page: Path) -> None:
    known = {"text", "console", "python", "sql", "yaml", "json"}

    assert {block.language for block in blocks(page)} <= known


def test_the_readme_begins_with_the_two_commands() -> None:
    first = next(blocks(ROOT / "README.md"))

    assert [line.split("#")[0].strip() for line in first.text.splitlines()] == ["$ make demo", "$ make test"]
