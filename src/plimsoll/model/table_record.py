"""The body of a ``delivery.checked`` entry: what a check of a table came to, without anything of the data."""

from __future__ import annotations

import enum

import msgspec


class TableOutcome(enum.StrEnum):
    """What a check says as a whole."""

    HOLDS = "holds"
    BROKEN = "broken"
    CANNOT_SAY = "cannot say"


class RuleBroken(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that did not hold."""

    rule: str
    field: str
    line: int  # in the contract of that digest
    failed: int  # rows
    figure: float | None = None  # of a quality rule, in its own unit
    advice: bool = False  # it refuses nothing


class LevelMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """One service level, as it was measured: a point of its history."""

    property: str
    field: str
    seconds: float  # the age that was measured
    holds: bool


class TableRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one table."""

    contract: str  # id
    version: str
    digest: str  # of the contract
    table: str
    outcome: TableOutcome
    data: str  # digest over the digests of the files, in the order in which they were read
    files: int
    rows: int
    unread: int
    broken: int | None = None  # rows that break at least one rule; None: not counted
    rules: int = 0  # that were asked
    broken_rules: tuple[RuleBroken, ...] = ()
    levels: tuple[LevelMeasured, ...] = ()
    faults: dict[str, int] = {}  # by code, how often
    not_asked: int = 0  # rules of the contract that rows can break and that could not be asked
