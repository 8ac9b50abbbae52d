"""Whose keys count: the organisation's trust.yaml, or a demonstration's cast."""

from __future__ import annotations

from pathlib import Path

from plimsoll.assembly.demonstration import Cast
from plimsoll.attest import Trust, read_trust
from plimsoll.errors import InputError


def trust_of(file: Path | None, cast: Cast | None) -> Trust:
    """The keys to believe.

    A trust file speaks alone: where there is one, scripted persons count only if it pins them. Without any, a
    demonstration believes its own cast, marked simulated, and any other system believes nobody.

    Raises:
        InvalidFile: the file has problems.
        InputError: it cannot be read.
    """
    if file is not None:
        try:
            text = file.read_bytes().decode("utf-8")
        except OSError as why:
            raise InputError(f"the trust file '{file}' cannot be read: {why.strerror}", fix="mend --trust") from why
        except UnicodeDecodeError as why:
            raise InputError(f"the trust file '{file}' is not UTF-8", fix="save it as UTF-8") from why
        return read_trust(text, str(file))
    return Trust() if cast is None else cast.trust
