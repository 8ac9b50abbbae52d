"""``plimsoll contract check``: files of records held to their contract."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from plimsoll.assembly.table_checking import Asked, check_table, write_table_junit, write_table_page
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.table_out import show_table


def add_check(actions: Any) -> None:
    """What `plimsoll contract check` takes."""
    checked = add_action(
        actions,
        "check",
        "files of records, held to their contract: every rule, with the rows that break it\n\n"
        "Parquet (with the extra 'tables') by one query for all rules, as it lies; JSON Lines, JSON and CSV line by\n"
        "line, plain or gzip. A line that is no record is a finding with its place, and the others are read on.\n"
        "Values of classified fields are shown nowhere. A rule that cannot be enforced is listed with its line.\n\n"
        "Exit code 0: every rule holds. 3: one is broken, or something could not be read. 4: one could not be asked,\n"
        "or there is no row. 2: the contract has problems, or a path is not there.",
        "plimsoll contract check feed/2026-11/ --contract contracts/claims.odcs.yaml --junit claims.xml",
    )
    checked.add_argument("files", metavar="FILE", nargs="+", type=Path, help="files, or folders of files")
    checked.add_argument("--contract", metavar="FILE", required=True, help="the contract of the data")
    checked.add_argument("--table", metavar="NAME", default="", help="schema object; default: the one of records")
    checked.add_argument(
        "--rows", action="store_true", help="also count the rows that break at least one rule, by a second look"
    )
    checked.add_argument(
        "--split", metavar="DIR", type=Path,
        help="write good rows, and quarantined rows with their reasons, as Parquet; the folder must be empty or new",
    )  # fmt: skip

    checked.add_argument("--html", metavar="FILE", type=Path, help="write an HTML page")
    checked.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit XML, as CI systems read it")


def run_check(arguments: argparse.Namespace, out: Out) -> int:
    """Check, and print."""
    asked = Asked(
        files=tuple(arguments.files),
        contract=arguments.contract,
        table=arguments.table,
        count_broken=arguments.rows,
        split=arguments.split,
    )
    check = check_table(asked)
    files: dict[str, str] = {}
    for word, write in (("html", write_table_page), ("junit", write_table_junit)):
        to = getattr(arguments, word)
        if to is not None:
            write(check, to)
            files[word] = str(to)
    return show_table(out, check, files)
