"""A table held to its contract, as a person asks for it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from plimsoll.assembly.contract_file import open_contract
from plimsoll.assess.tables.check import check_files
from plimsoll.assess.tables.junit import render_junit
from plimsoll.errors import InputError
from plimsoll.model.table_check import TableCheck


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked, and against what."""

    files: tuple[Path, ...]  # and folders
    contract: str  # a file, or package.module:Model
    table: str = ""  # the schema object; empty: the one that the contract chooses for records
    count_broken: bool = False  # also count the rows that break at least one rule
    split: Path | None = None  # a folder for good and quarantined rows


def write_table_page(check: TableCheck, to: Path) -> None:
    """Write the check as an HTML page.

    Raises:
        InputError: it cannot be written.
    """
    from plimsoll.assess.tables.page import render_table  # noqa: PLC0415 - templates and charts: only a page pays

    _write(to, render_table(check, time.time_ns()), "page")


def write_table_junit(check: TableCheck, to: Path) -> None:
    """Write the check as JUnit XML.

    Raises:
        InputError: it cannot be written.
    """
    _write(to, render_junit(check), "JUnit file")


def _write(to: Path, text: str, what: str) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as why:
        raise InputError(f"the {what} '{to}' cannot be written: {why.strerror}", fix="give another file") from why


def check_table(asked: Asked) -> TableCheck:
    """Hold files to a contract.

    Raises:
        InvalidFile: the contract has problems.
        InputError: the contract or a path cannot be read.
        MissingExtra: a file is Parquet, and what reads it is not installed.
    """
    contract = open_contract(asked.contract)
    return check_files(
        asked.files,
        contract,
        now_s=time.time(),
        table=asked.table,
        count_broken=asked.count_broken,
        split=asked.split,
    )
