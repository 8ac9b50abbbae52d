"""Contracts as a person works on them: are they right, what changed between two, and a first one from records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from plimsoll.assembly.contract_file import open_contract
from plimsoll.assembly.rows import is_table, read_rows
from plimsoll.contract import (
    Unenforced,
    compare_contracts,
    infer_contract,
)
from plimsoll.contract.cells import kinds_of, number_in
from plimsoll.contract.changes import Comparison
from plimsoll.contract.rules import LogicalType
from plimsoll.errors import InputError, Problem, UsageError, Where
from plimsoll.model.manifest_values import slug_of
from plimsoll.policy.personal import scan_text

MOST_RECORDS: Final = (
    100_000  # read to infer a contract; more would not change what is inferred, and they are held at once
)
_TOLD: Final = 20  # lines that are no record and are named


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


def compare(old: str, new: str) -> Comparison:
    """Two contracts beside each other.

    Raises:
        InvalidFile: one of them has problems.
        InputError: one of them cannot be read.
    """
    return compare_contracts(open_contract(old), open_contract(new))


class Inferred(msgspec.Struct, frozen=True, kw_only=True):
    """A first contract, and what it rests on."""

    contract: str  # YAML with comments
    records: int
    skipped: int  # lines that are no record
    told: tuple[str, ...] = ()  # the first of them, each with its place and why
    more: bool = False  # there were more records than are read


def infer(names: Sequence[str], *, name: str | None = None) -> Inferred:
    """A first contract from files of records of one source.

    Args:
        names: files: JSON, JSON Lines, CSV (``.csv``, ``.tsv``), Parquet (``.parquet``).
        name: of the contract; None: from the first file's.

    Raises:
        InputError: a file cannot be read, or none holds a record.
        MissingExtra: one is Parquet, and what reads it is not installed.
    """
    records: list[Any] = []
    tables: list[dict[str, str]] = []
    told: list[str] = []
    skipped, more = 0, False
    for path in map(Path, names):
        if path.is_dir():
            raise UsageError(f"'{path}' is a folder", fix=f"name files: {path}/*.jsonl")
        into: list[Any] = tables if is_table(path) else records
        for row in read_rows(path):
            if row.why:
                skipped += 1
                told += [f"{path}:{row.line}: {row.why}"] if len(told) < _TOLD else []
            elif len(records) + len(tables) >= MOST_RECORDS:
                more = True
                break
            else:
                into.append(row.value)
    records += _typed(tables)
    if not records:
        said = f": {told[0]}" if told else ""
        raise InputError(f"there is no record in {', '.join(names)}{said}", fix="give real records")
    were = "line was" if skipped == 1 else "lines were"
    notes = [f"{skipped:,} {were} no record and left out; the first: {told[0]}"] if skipped else []
    notes += [f"There are more records than the {MOST_RECORDS:,} that were read."] if more else []
    text = infer_contract(
        records,
        name=name or slug_of(Path(names[0]).stem) or "records",
        file_note=", ".join(Path(n).name for n in names[:3]) + (", …" if len(names) > 3 else ""),
        notes=notes,
        personal=personal_kinds,
    )
    return Inferred(contract=text, records=len(records), skipped=skipped, told=tuple(told), more=more)


def personal_kinds(text: str, field: str) -> tuple[str, ...]:
    """The kinds of personal data that stand in a text of a field; never what stands there."""
    return tuple(span.kind.value for span in scan_text(text, field))


def _typed(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Rows of tables with each column as what all of its cells can be read as; an empty cell is null."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    kinds = kinds_of(columns, [[row.get(name, "") for name in columns] for row in rows])
    return [{name: _cell(kinds.get(name), cell) for name, cell in row.items()} for row in rows]


def _cell(kind: LogicalType | None, cell: str) -> Any:
    if not cell:
        return None
    if kind is LogicalType.BOOLEAN:
        return cell.casefold() == "true"
    return number_in(cell) if kind in {LogicalType.INTEGER, LogicalType.NUMBER} else cell
