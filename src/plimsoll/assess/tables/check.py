"""A delivery of files held to its contract, whatever they are written in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from plimsoll.assess.tables.files import Files, find_files
from plimsoll.assess.tables.marks import Marks
from plimsoll.assess.tables.parquet import ParquetCheck
from plimsoll.assess.tables.split import prepare, split_parts
from plimsoll.assess.tables.tally import Tally
from plimsoll.assess.tables.text import TextCheck
from plimsoll.assess.tables.text_split import Sorter
from plimsoll.contract.rules import Contract, Field, Unenforced
from plimsoll.engine.duckdb import Database, QueryFailed, parquet
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
    if split is not None:
        prepare(split)
    job = _Job(contract=contract, record=record, files=files, now_s=now_s, count_broken=count_broken, split=split)
    look, tally, broken, written = _check_parquet(job) if files.parquet else _check_text(job)
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


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done."""

    contract: Contract
    record: Field
    files: Files
    now_s: float
    count_broken: bool
    split: Path | None


_Done = tuple[ParquetCheck | TextCheck, Tally, int | None, Split | None]


def _check_parquet(job: _Job) -> _Done:
    """A file that is damaged where its footer does not tell is found by a second look, and left out."""
    try:
        return _check_readable(job, job.files.parquet, {})
    except QueryFailed:
        damaged = _damaged(job.files.parquet)
        if not damaged:
            raise
        return _check_readable(job, [path for path in job.files.parquet if path not in damaged], damaged)


def _check_readable(job: _Job, paths: Sequence[Path], damaged: dict[Path, str]) -> _Done:
    tally = Tally()
    for path, why in damaged.items():
        tally.hear("damaged", f"cannot be read as Parquet: {why}", str(path))
    for other in job.files.text:
        tally.hear("mixed", "the file is no Parquet file, and others are; check it by itself", str(other))
    with Database() as database:
        marks = Marks(database) if job.count_broken or job.split is not None else None
        look = ParquetCheck(database, job.contract, job.record, tally, marks, now_s=job.now_s)
        look.run(paths, job.files.partitions)
        if marks is None:
            return look, tally, None, None
        written = None if job.split is None else split_parts(database, marks, look.parts, job.split)
        return look, tally, look.broken_rows(), written


def _damaged(paths: Sequence[Path]) -> dict[Path, str]:
    """Files that cannot be read to their end, every value of them, and why."""
    found: dict[Path, str] = {}
    with Database() as database:
        for path in paths:
            try:
                database.row(f"SELECT bit_xor(hash(t)) FROM {parquet([path])} t")
            except QueryFailed as why:
                found[path] = why.message
    return found


def _check_text(job: _Job) -> _Done:
    tally = Tally()
    if job.split is None:
        look = TextCheck(job.contract, job.record, tally, now_s=job.now_s)
        look.run(job.files.text, job.files.partitions)
        return look, tally, look.broken_rows(), None
    with Database() as database, Sorter(job.record) as sorter:
        look = TextCheck(job.contract, job.record, tally, sorter, now_s=job.now_s)
        look.run(job.files.text, job.files.partitions)
        return look, tally, look.broken_rows(), sorter.finish(database, job.split)


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
