"""A governance page read from YAML, with every problem found in one pass."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from plimsoll.errors import InvalidFile
from plimsoll.model.asked import key_of
from plimsoll.model.governance import GOVERNANCE_FORMAT, Governance
from plimsoll.model.governance_rules import ReadPage, broken_page_rules
from plimsoll.model.manifest_reader import Reader
from plimsoll.model.yaml_source import Path, Source, load, load_bytes

_OF_MANIFESTS = "manifest."  # the reader's own codes begin with it


def read_governance(text: str, file: str) -> Governance:
    """Read and check one page.

    Args:
        text: the whole file.
        file: its name, for messages only; nothing is opened.

    Raises:
        InvalidFile: with every problem, in the order of the file: what YAML refuses, what the types refuse, and what
            the rules of a page refuse. A page with a problem governs nothing, so nothing that needs it may run.
    """
    return _read(load(text, file))


def read_governance_bytes(raw: bytes, file: str) -> Governance:
    """As `read_governance`, from the bytes of the file.

    Raises:
        InvalidFile: also when the bytes are not UTF-8.
    """
    return _read(load_bytes(raw, file))


class _Page(Reader):
    """The reader of manifests, for another root and under other codes."""

    root: ClassVar[type[msgspec.Struct]] = Governance

    def note(self, code: str, path: Path, message: str, *, fix: str = "", at_key: bool = False) -> None:
        super().note(code.replace(_OF_MANIFESTS, "governance.", 1), path, message, fix=fix, at_key=at_key)


def _read(source: Source) -> Governance:
    version = source.data.get("governance") if isinstance(source.data, dict) else None
    if type(version) is int and version > GOVERNANCE_FORMAT:
        later = source.problem(
            "governance.version",
            ("governance",),
            f"the file says version {version} of this format; this is version {GOVERNANCE_FORMAT}",
            fix="upgrade plimsoll-ai, or write the file for this version",
        )
        raise InvalidFile(source.file, (later,))
    reader = _Page(source)
    page = reader.value(key_of(Governance), source.data, ())
    problems = [*reader.problems, *broken_page_rules(ReadPage(source=source, values=reader.values))]
    if problems:
        ordered = sorted(problems, key=lambda p: (p.where.line, p.where.column) if p.where else (0, 0))
        raise InvalidFile(source.file, tuple(ordered))
    assert isinstance(page, Governance)
    return page
