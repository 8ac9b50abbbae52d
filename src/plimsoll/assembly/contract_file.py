"""A contract, from wherever it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from plimsoll.contract import Contract, contract_of_model, read_contract_bytes
from plimsoll.engine.python_import import import_callable
from plimsoll.errors import InputError, TargetError, UsageError

_MODEL: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def open_contract(name: str) -> Contract:
    """A contract from a file, or from a Pydantic model by ``package.module:Model``.

    Raises:
        InvalidFile: it has problems.
        InputError: the file cannot be read, or the model not be imported.
    """
    path = Path(name)
    if _MODEL.fullmatch(name) and not path.exists():
        try:
            return contract_of_model(import_callable(name, [Path.cwd()]), file=name)
        except TargetError as why:
            raise InputError(why.message, fix="name a model that can be imported from here") from why
    if path.is_dir():
        raise UsageError(f"'{name}' is a folder", fix=f"name files: {name}/*.odcs.yaml")
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as why:  # ValueError: a NUL in the name
        said = why.strerror if isinstance(why, OSError) else str(why)
        raise InputError(f"the contract '{name}' cannot be read: {said}", fix="mend the path") from why
    return read_contract_bytes(raw, name)
