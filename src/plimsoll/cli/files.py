"""Reading and writing the files that a command is given."""

from __future__ import annotations

import os
from pathlib import Path

from plimsoll.attest import Trust, read_trust
from plimsoll.errors import InputError


def read_bytes(path: Path, what: str) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as why:
        raise InputError(f"the {what} '{path}' cannot be read: {why.strerror}", fix="mend the path") from why


def read_trust_file(path: Path | None) -> Trust | None:
    """The trusted keys named by an option or by ``PLIMSOLL_TRUST``; None when neither is given.

    Raises:
        InvalidFile: the file has problems.
        InputError: it cannot be read, or is not UTF-8.
    """
    named = path or (Path(found) if (found := os.environ.get("PLIMSOLL_TRUST")) else None)
    if named is None:
        return None
    try:
        text = read_bytes(named, "trust file").decode("utf-8")
    except UnicodeDecodeError as why:
        raise InputError(f"the trust file '{named}' is not UTF-8", fix="save it as UTF-8") from why
    return read_trust(text, str(named))


def write_bytes(path: Path, raw: bytes, what: str) -> None:
    """Write a file.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_bytes(raw)
    except OSError as why:
        raise InputError(f"the {what} '{path}' cannot be written: {why.strerror}", fix="give another file") from why
