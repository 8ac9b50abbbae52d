"""What a table was found to be, held to its contract: every rule with its figure, and what could not be asked."""

from __future__ import annotations

import msgspec

SHOWN = 3  # examples of one finding


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One row that breaks a rule."""

    file: str
    row: int  # of text its line, else which row of the file it is; both from 1
    found: str = ""  # what is there; of what is classified the kind alone


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the contract, over all rows."""

    rule: str  # required, type, pattern, unique, presence, quality.rowCount, …
    field: str  # dotted, from the schema object on
    line: int  # in the contract
    column: int = 0
    expected: str = ""  # in words
    holds: bool | None  # None: it could not be measured, and `said` is why
    failed: int = 0  # rows that break it
    of: int = 0  # of how many
    figure: float | None = None  # what a quality rule measured, in its own unit
    severity: str = "error"
    advice: bool = False  # its severity says that it reports and refuses nothing
    said: str = ""
    examples: tuple[Example, ...] = ()


class FileFault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with files or their lines, whatever the contract says."""

    code: str
    said: str
    count: int = 1
    where: tuple[str, ...] = ()  # the first places: file, or file:line
    lost: bool = True  # rows could not be read; False: they could, and somebody should know


class Unasked(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of the contract that this check cannot enforce."""

    rule: str
    field: str
    line: int
    column: int
    why: str
    of_rows: bool = True  # rows can break it, so no verdict is whole without it


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows of a check were written to."""

    good: int  # rows that break nothing
    quarantined: int  # rows that break something, each with its reasons
    files: tuple[str, ...]


class TableCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of a table, held to its contract."""

    contract: str  # id
    version: str
    digest: str
    contract_file: str
    table: str  # the schema object
    files: int
    rows: int  # with those that could not be read
    unread: int = 0  # lines and rows that are no record at all
    broken: int | None = None  # rows that break at least one rule, with the unread; None: not counted
    rules: tuple[RuleResult, ...] = ()  # in the order of the contract
    faults: tuple[FileFault, ...] = ()
    unasked: tuple[Unasked, ...] = ()
    undeclared: tuple[str, ...] = ()  # columns that the contract does not name
    renamed: tuple[str, ...] = ()  # columns under a former name, in words
    split: Split | None = None  # None: no rows were written

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """The rules that rows break, and that refuse something."""
        return tuple(r for r in self.rules if r.holds is False and not r.advice)

    @property
    def is_refused(self) -> bool:
        """Whether something is wrong: a rule is broken, or rows could not be read."""
        return bool(self.failed) or self.unread > 0 or any(f.lost for f in self.faults)

    @property
    def is_whole(self) -> bool:
        """Whether all was asked: there are rows, and no rule that rows can break went unasked."""
        return (
            self.rows > 0 and all(r.holds is not None for r in self.rules) and not any(u.of_rows for u in self.unasked)
        )
