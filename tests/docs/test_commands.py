"""Every command that a page names exists, with the options it is shown with."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.command_lines import fault
from docs.pages import all_pages, commands, named

from plimsoll.cli.parser import COMMANDS


@pytest.mark.parametrize("page", all_pages(), ids=named)
def test_every_command_that_is_named_exists(page: Path) -> None:
    wrong = [f"{named(page)}:{line}: `{text}`: {why}" for line, text in commands(page) if (why := fault(text))]

    assert wrong == []


def test_every_command_has_its_section() -> None:
    text = next(p for p in all_pages() if p.name == "command-line.md").read_text(encoding="utf-8")

    assert [name for name in COMMANDS if f"### `plimsoll {name}`" not in text] == []


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert fault("plimsoll chek")
    assert fault("plimsoll threshold forget")
    assert fault("plimsoll gate --force")
    assert not fault("plimsoll gate --attest FILE")
