"""Contracts as a person works on them: are they right, and what changed from one to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.contract import Contract, Unenforced, compare_contracts, contract_of_model, read_contract_bytes
from plimsoll.contract.changes import Comparison
from plimsoll.engine.python_import import import_callable
from plimsoll.errors import InputError, Problem, TargetError, UsageError, Where

_MODEL: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class Linted(msgspec.Struct, frozen=True, kw_only=True):
    """One contract that was looked at."""

    file: str
    ok: bool
    standard: str = ""  # odcs, json-schema, pydantic; "": it could not be told
    api_version: str = ""
    id: str = ""
    version: str = ""
    digest: str = ""
    records: str = ""  # the schema object that records are checked against
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    unenforced: tuple[Unenforced, ...] = ()


def lint(names: Sequence[str]) -> tuple[Linted, ...]:
    """Look at every contract; one that cannot be read does not end the others.

    Args:
        names: files, or ``package.module:Model`` for a Pydantic model.
    """
    return tuple(_linted(name) for name in names)


def _linted(name: str) -> Linted:
    try:
        contract = open_contract(name)
    except InputError as error:
        placed = tuple(
            p if p.where is not None else msgspec.structs.replace(p, where=Where(file=name)) for p in error.problems
        )
        return Linted(file=name, ok=False, problems=placed)
    return Linted(
        file=name,
        ok=True,
        standard=contract.standard,
        api_version=contract.api_version,
        id=contract.id,
        version=contract.version,
        digest=contract.digest,
        records=contract.record.name if contract.record is not None else "",
        warnings=contract.warnings,
        unenforced=contract.unenforced,
    )


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


def compare(old: str, new: str) -> Comparison:
    """Two contracts beside each other.

    Raises:
        InvalidFile: one of them has problems.
        InputError: one of them cannot be read.
    """
    return compare_contracts(open_contract(old), open_contract(new))
