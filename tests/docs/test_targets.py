"""Every target that a page shows is one that the reader takes."""

from __future__ import annotations

import pytest
from docs.pages import DOCS, Block, all_pages, blocks, named

from plimsoll.guard.chat import Piece
from plimsoll.guard.target import FAULTS
from plimsoll.model.endpoint import Certainty, Form
from plimsoll.model.manifest_reader import read_manifest

EXAMPLE = next(b.text for b in blocks(DOCS / "reference" / "manifest.md") if b.text.startswith("plimsoll: 1"))
TARGETS = (DOCS / "reference" / "targets.md").read_text(encoding="utf-8")


def _shown() -> list[tuple[str, Block]]:
    return [(named(page), b) for page in all_pages() for b in blocks(page) if b.text.startswith("target:\n")]


@pytest.mark.parametrize(("page", "block"), _shown(), ids=lambda v: v if isinstance(v, str) else str(v.line))
def test_every_target_that_is_shown_is_read_without_a_problem(page: str, block: Block) -> None:
    start, end = EXAMPLE.index("target:\n"), EXAMPLE.index("decisions:\n")

    read_manifest(EXAMPLE[:start] + block.text + EXAMPLE[end:], page)


def test_each_kind_is_shown() -> None:
    shown = "".join(block.text for _, block in _shown())

    assert all(f"\n  {kind}:" in shown for kind in ("python", "http", "openai", "onnx", "workers", "identity"))


def test_every_word_has_its_row() -> None:
    for word in (*FAULTS, *Certainty, *Form):
        assert f"| `{word}` |" in TARGETS


def test_what_a_piece_holds_is_said() -> None:
    assert {"text", "tool_calls", "finish", "usage", "raw"} <= set(Piece.__struct_fields__)
