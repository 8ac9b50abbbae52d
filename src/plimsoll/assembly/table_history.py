"""Checks of tables in the ledger: each is an entry, and together they are the history of a source and its promises."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assess.run import body_of
from plimsoll.assess.tables.files import find_files
from plimsoll.errors import InputError
from plimsoll.ledger import Draft
from plimsoll.model.canonical import canonical
from plimsoll.model.table_check import RuleResult, TableCheck
from plimsoll.model.table_record import LevelMeasured, RuleBroken, TableOutcome, TableRecorded

CHECKED: Final = "delivery.checked"  # kind of the entry; its body is `TableRecorded`
_LEVELS: Final = "slaProperties."
_MOST_BROKEN: Final = 200  # rules that an entry lists; a contract with more broken ones is another contract


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One check that was recorded."""

    entry: str
    time_ns: int
    check: TableRecorded


def digest_of(given: Sequence[Path]) -> str:
    """A digest of what is checked: over the digests of all files, in the order in which they are read.

    Raises:
        InputError: a file cannot be read.
    """
    files = find_files(given)
    whole = hashlib.sha256()
    for path in (*files.parquet, *files.text):
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as why:
            raise InputError(f"'{path}' cannot be read: {why.strerror}", fix="mend its rights") from why
    return f"sha256:{whole.hexdigest()}"


def record_check(project: Project, check: TableCheck, data: str) -> str:
    """Record a check in the ledger of a system, and give the entry.

    It satisfies no condition: what was checked is a delivery, and no release. It stands there for who asks how a source
    kept its promises.

    Args:
        project: the system.
        check: what was found.
        data: the digest of what was checked, as it was before.

    Raises:
        StoreError: it could not be recorded.
    """
    body = canonical(recorded(check, data))
    with project.open_ledger() as ledger:
        return ledger.append(Draft(kind=CHECKED, system=project.manifest.system, body=body))


def recorded(check: TableCheck, data: str) -> TableRecorded:
    """What of a check goes into the ledger: counts, rules and digests, and no value."""
    outcome = TableOutcome.HOLDS if check.is_whole else TableOutcome.CANNOT_SAY
    broken = [r for r in check.rules if r.holds is False]
    faults: Counter[str] = Counter()
    for fault in check.faults:
        faults[fault.code] += fault.count
    return TableRecorded(
        contract=check.contract,
        version=check.version,
        digest=check.digest,
        table=check.table,
        outcome=TableOutcome.BROKEN if check.is_refused else outcome,
        data=data,
        files=check.files,
        rows=check.rows,
        unread=check.unread,
        broken=check.broken,
        rules=sum(r.holds is not None for r in check.rules),
        broken_rules=tuple(map(_broken, broken[:_MOST_BROKEN])),
        levels=tuple(_level(r) for r in check.rules if r.rule.startswith(_LEVELS) and r.figure is not None),
        faults=dict(faults),
        not_asked=sum(left.of_rows for left in check.unasked),
    )


def history(project: Project, *, contract: str = "") -> tuple[Past, ...]:
    """The checks that were recorded, the oldest first.

    Args:
        project: the system.
        contract: id of one contract; empty: of all.

    Raises:
        StoreError: the ledger cannot be read. VerificationFailed: an entry is not what it was.
    """
    if not project.store.exists():
        return ()
    with project.open_ledger(read_only=True) as ledger:
        found = ledger.find(CHECKED, system=project.manifest.system, oldest_first=True)
        past = [Past(entry=e.id, time_ns=e.time_ns, check=body_of(ledger, e, TableRecorded)) for e in found]
    return tuple(one for one in past if contract in {"", one.check.contract})


def _broken(rule: RuleResult) -> RuleBroken:
    return RuleBroken(
        rule=rule.rule, field=rule.field, line=rule.line, failed=rule.failed, figure=rule.figure, advice=rule.advice
    )


def _level(rule: RuleResult) -> LevelMeasured:
    assert rule.figure is not None, "only what was measured is a point of the history"
    name = rule.rule.removeprefix(_LEVELS)
    return LevelMeasured(property=name, field=rule.field, seconds=rule.figure, holds=rule.holds is True)
