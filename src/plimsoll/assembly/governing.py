"""The organisation's governance page, read from its file, and what commands ask of it."""

from __future__ import annotations

from pathlib import Path

from plimsoll.assembly.project import read_file
from plimsoll.errors import InputError
from plimsoll.model.governance import Governance
from plimsoll.model.governance_reader import read_governance_bytes


def find_governance(given: str | None) -> Path:
    """The page that a command means: a file, a folder holding ``governance.yaml``, or the current folder's.

    Raises:
        InputError: there is none.
    """
    place = Path(given or ".")
    file = place / "governance.yaml" if place.is_dir() else place
    if not file.is_file():
        raise InputError(
            f"there is no governance page '{file}'",
            fix="name one; the reference of the governance page begins with an example to copy",
        )
    return file


def open_governance(given: str | None) -> Governance:
    """Read a page.

    Raises:
        InputError: there is none, or it cannot be read.
        InvalidFile: it has problems; all of them.
    """
    file = find_governance(given)
    return read_governance_bytes(read_file(file, "governance page"), str(file))
