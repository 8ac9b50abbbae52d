"""A table held to its contract, as a person asks for it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from plimsoll.assembly.contract_file import open_contract
from plimsoll.assess.tables.check import check_files
from plimsoll.model.table_check import TableCheck


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked, and against what."""

    files: tuple[Path, ...]  # and folders
    contract: str  # a file, or package.module:Model
    table: str = ""  # the schema object; empty: the one that the contract chooses for records
    count_broken: bool = False  # also count the rows that break at least one rule
    split: Path | None = None  # a folder for good and quarantined rows


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
