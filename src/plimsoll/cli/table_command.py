"""``plimsoll contract check``: files of records held to their contract."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from plimsoll.assembly.table_checking import Asked, check_table, write_table_junit, write_table_page
from plimsoll.cli.out import Out
from plimsoll.cli.parser import add_action
from plimsoll.cli.table_out import show_history, show_table
from plimsoll.model.table_check import TableCheck


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

    checked.add_argument("--manifest", metavar="FILE", help="record the outcome in the ledger of this system")
    _add_state(checked)
    checked.add_argument("--html", metavar="FILE", type=Path, help="write an HTML page")
    checked.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit XML, as CI systems read it")


def add_history(actions: Any) -> None:
    """What `plimsoll contract history` takes."""
    past = add_action(
        actions,
        "history",
        "the checks of tables that were recorded in a ledger: rows, what was broken, how service levels were kept\n\n"
        "Exit code 0: there are some. 4: none was recorded.",
        "plimsoll contract history --manifest plimsoll.yaml --contract claims",
    )
    past.add_argument("--contract", metavar="ID", default="", help="of one contract; default: of all")
    past.add_argument("--manifest", metavar="FILE", help="the system; default: ./plimsoll.yaml")
    _add_state(past)


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", metavar="DIR", type=Path, help="folder for ledger, keys and reports; default: as the manifest says"
    )


def run_check(arguments: argparse.Namespace, out: Out) -> int:
    """Check, record where a manifest is named, and print."""
    asked = Asked(
        files=tuple(arguments.files),
        contract=arguments.contract,
        table=arguments.table,
        count_broken=arguments.rows or arguments.manifest is not None,
        split=arguments.split,
    )
    check, entry = _checked(asked, arguments)
    files: dict[str, str] = {} if entry is None else {"recorded": entry}
    for word, write in (("html", write_table_page), ("junit", write_table_junit)):
        to = getattr(arguments, word)
        if to is not None:
            write(check, to)
            files[word] = str(to)
    return show_table(out, check, files)


def _checked(asked: Asked, arguments: argparse.Namespace) -> tuple[TableCheck, str | None]:
    """The check, and its entry where there is a ledger."""
    if arguments.manifest is None:
        return check_table(asked), None
    from plimsoll.assembly.project import Project, find_manifest  # noqa: PLC0415 - a first result needs no project
    from plimsoll.assembly.table_history import digest_of, record_check  # noqa: PLC0415

    project = Project(find_manifest(arguments.manifest), state=arguments.state)
    data = digest_of(asked.files)
    check = check_table(asked)
    return check, record_check(project, check, data)


def run_history(arguments: argparse.Namespace, out: Out) -> int:
    """Print what was recorded."""
    from plimsoll.assembly.project import Project, find_manifest  # noqa: PLC0415 - as above
    from plimsoll.assembly.table_history import history  # noqa: PLC0415

    project = Project(find_manifest(arguments.manifest), state=arguments.state)
    return show_history(out, history(project, contract=arguments.contract))
