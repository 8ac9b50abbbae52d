"""The pages of the documentation, taken apart: blocks, links, headings, and the commands they name.

What a fence says is done with it::

    ```console     the lines that begin with "$ " are run in bash, in the order of the page; what stands below one is
                   compared with its output, where "…" stands for any text, and a line of "…" alone for any lines.
                   A command that fails has to be followed by "$ echo $?" and its exit code
    ```python      run: as doctest where it has ">>>", else as a program
    ```text        never run

A comment on the line before a fence says more: ``<!-- file: NAME -->`` writes it to a file, ``<!-- append: NAME -->``
adds it to one. ``<!-- stage: tutorial -->`` on a page means that it goes on in the folder that the tutorial leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
RUN: Final = frozenset({"console", "python"})

_FENCE: Final = re.compile(r"^```(\w*)\s*$")
_NOTE: Final = re.compile(r"^<!-- (file|append): (\S+) -->$")
_STAGE: Final = re.compile(r"^<!-- stage: (\w+) -->$", re.MULTILINE)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"`[^`\n]+`")


class Block(NamedTuple):
    """One fenced block."""

    language: str
    text: str
    line: int  # of its fence, from 1
    write: str  # "file", "append" or ""
    name: str  # of the file

    @property
    def runs(self) -> bool:
        """Whether something is done with it."""
        return bool(self.write) or self.language in RUN


def all_pages() -> list[Path]:
    """Every page under docs/, and those at the root that users read."""
    return [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]


def named(page: Path) -> str:
    """A page's name in messages and test ids."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    opened: tuple[str, int, str, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(lines, 1):
        if opened is None:
            if (fence := _FENCE.match(line)) is not None:
                note = _NOTE.match(lines[number - 2]) if number > 1 else None
                opened = (fence[1], number, note[1] if note else "", note[2] if note else "")
                inside = []
        elif line.startswith("```"):
            language, at, write, name = opened
            yield Block(language, "\n".join(inside) + "\n", at, write, name)
            opened = None
        else:
            inside.append(line)
    assert opened is None, f"{named(page)}:{opened[1]}: this fence is never closed"


def stage(page: Path) -> str:
    """What the page goes on from: "" for an empty folder."""
    found = _STAGE.search(page.read_text(encoding="utf-8"))
    return found[1] if found else ""


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Where the links of a page lead."""
    return _LINK.findall(_CODE.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """The names that headings of a page can be linked by, as code hosts make them."""
    found: set[str] = set()
    for line in prose(page).splitlines():
        if line.startswith("#"):
            text = line.lstrip("#").strip().casefold()
            found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


def commands(page: Path) -> Iterator[tuple[int, str]]:
    """Every `plimsoll …` that a page names, in code or in a block, with its line; continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", "  ")
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = "" if inside else (line[3:].strip() or "text")
        elif inside in {"console", "text"} and re.match(r"\s*(\$ )?plimsoll ", line):
            yield number, re.sub(r"^\s*(\$ )?", "", line)
        elif not inside:
            yield from ((number, code[1:-1]) for code in _CODE.findall(line) if code.startswith("`plimsoll "))
