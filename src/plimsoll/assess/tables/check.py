"""A delivery of files held to its contract, whatever they are written in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plimsoll.assess.tables.files import Files, find_files
from plimsoll.assess.tables.marks import Marks
from plimsoll.assess.tables.parquet import ParquetCheck
from plimsoll.assess.tables.split import prepare, split_parts
from plimsoll.assess.tables.tally import Tally
from plimsoll.assess.tables.text import TextCheck
from plimsoll.assess.tables.text_split import Sorter
from plimsoll.contract.rules import Contract, Field, Unenforced
from plimsoll.engine.duckdb import Database
from plimsoll.errors import UsageError
from plimsoll.model.table_check import Split, TableCheck, Unasked


def check_files(
    given: Sequence[Path],
    contract: Contract,
    *,
    now_s: float,
    table: str = "",
    count_broken: bool = False,
    split: Path | None = None,
) -> TableCheck:
    """Hold files to one schema object of a contract.

    Args:
        given: files and folders.
        contract: as read.
        now_s: seconds since 1970, UTC, that the ages of rows are counted to.
        table: the schema object that a row is; empty: the one that the contract chooses for records.
        count_broken: also count the rows that break at least one rule, which takes a second look.
        split: a folder that is not there yet, or empty: good and quarantined rows are written to it.

    Raises:
        UsageError: the contract has no such schema object, or none at all.
        InputError: a path cannot be read.
        MissingExtra: a file is Parquet, and what reads it is not installed.
    """
    record = record_of(contract, table)
    files = find_files(given)
    tally = Tally()
    written: Split | None = None
    if split is not None:
        prepare(split)
    if files.parquet:
        for other in files.text:
            tally.hear("mixed", "the file is no Parquet file, and others are; check it by itself", str(other))
        with Database() as database:
            marks = Marks(database) if count_broken or split is not None else None
            parquet = ParquetCheck(database, contract, record, tally, marks, now_s=now_s)
            parquet.run(files.parquet, files.partitions)
            broken = parquet.broken_rows() if marks is not None else None
            if split is not None and marks is not None:
                written = split_parts(database, marks, parquet.parts, split)
        look: ParquetCheck | TextCheck = parquet
    else:
        look, written = _check_text(files, contract, record, tally, now_s=now_s, split=split)
        broken = look.broken_rows()
    if files.left_out:
        tally.hear("left-out", "links to folders, and what is no plain file, are left out", "", count=files.left_out)
    left = sorted(look.unenforced.values(), key=lambda u: (u.line, u.column))
    return TableCheck(
        contract=contract.id,
        version=contract.version,
        digest=contract.digest,
        contract_file=contract.file,
        table=record.name,
        files=files.count,
        rows=tally.rows,
        unread=tally.unread,
        broken=broken,
        rules=tally.rules(),
        faults=tally.faults(),
        unasked=tuple(unasked(one) for one in left),
        undeclared=tuple(sorted(look.undeclared)),
        renamed=tuple(look.renamed),
        split=written,
    )


def _check_text(
    files: Files, contract: Contract, record: Field, tally: Tally, *, now_s: float, split: Path | None
) -> tuple[TextCheck, Split | None]:
    if split is None:
        look = TextCheck(contract, record, tally, now_s=now_s)
        look.run(files.text, files.partitions)
        return look, None
    with Database() as database, Sorter(record) as sorter:
        look = TextCheck(contract, record, tally, sorter, now_s=now_s)
        look.run(files.text, files.partitions)
        return look, sorter.finish(database, split)


def record_of(contract: Contract, table: str) -> Field:
    """The schema object that rows are held to.

    Raises:
        UsageError: there is none of that name, or none at all.
    """
    if not table:
        if contract.record is None:
            raise UsageError(f"contract '{contract.id}' has no schema object", fix="describe the table under 'schema:'")
        return contract.record
    named = next((o for o in contract.objects if o.name == table), None)
    if named is None:
        known = ", ".join(o.name for o in contract.objects) or "none"
        raise UsageError(f"contract '{contract.id}' has no schema object '{table}'; it has {known}")
    return named


def unasked(left: Unenforced) -> Unasked:
    """A rule that went unasked, as a check lists it; prose is for people, and no verdict waits for it."""
    prose = left.rule == "quality.text"
    return Unasked(
        rule=left.rule, field=left.field, line=left.line, column=left.column, why=left.why,
        of_rows=left.of_records and not prose,
    )  # fmt: skip
