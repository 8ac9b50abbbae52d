"""What a verification says: what is wrong, where, how that is known and how surely."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Sure(StrEnum):
    """How closely the evidence points."""

    EXACT = "named exactly"  # this entry, this row, this note
    RANGE = "within these entries"  # one of them or several; the hashes that would tell were rewritten, too
    WITNESS = "only the witness can tell"  # the file agrees with itself


class Trust(StrEnum):
    """Who speaks for a size and root: the stronger the evidence, the harder it is to forge."""

    STORE = "the store's own hashes"  # whoever can write the file can write these
    ROOT_STREAM = "the root stream"  # an entry of it that no signed checkpoint covers yet
    UNCHECKED = "a checkpoint whose signature was not checked"
    SIGNED = "a signed checkpoint"
    WITNESSED = "the witness"

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return list(Trust).index(self)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    code: str  # stable: "entry-altered", "entries-missing"…
    what: str  # a sentence
    evidence: str  # what shows it
    sure: Sure
    stream: str = ""  # id; "" when it is about the file as a whole
    first: int | None = None  # first position
    last: int | None = None  # last position, inclusive

    @property
    def entry(self) -> str | None:
        """Id of the entry, when it is about exactly one."""
        return f"{self.stream}-{self.first}" if self.first is not None and self.first == self.last else None

    @property
    def where(self) -> str:
        """The place, in words."""
        if self.first is None or self.last is None:
            return f"stream {self.stream}" if self.stream else "file"
        return self.entry or f"{self.stream}-{self.first} to -{self.last}"

    def __str__(self) -> str:
        return f"{self.where}: {self.what} ({self.sure}; shown by {self.evidence})"


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one verification."""

    path: str
    origin: str  # name of the log in its checkpoints; "" before the first
    findings: tuple[Finding, ...]
    more: int  # findings beyond those listed
    entries: int  # recomputed
    streams: int
    notes: int  # signed checkpoints in the store whose signature holds
    witnessed: int  # notes of this log that the witness keeps
    unsigned: int  # entries that no signed checkpoint covers yet
    unwitnessed: int | None  # entries that no witnessed checkpoint covers yet; None: no witness was asked
    limits: tuple[str, ...]  # what this verification could not tell, in plain words
    remarks: tuple[str, ...]  # odd, but nothing is wrong with the record

    @property
    def ok(self) -> bool:
        """Whether nothing was found. Read `limits` for what that does not cover."""
        return not self.findings

    def lines(self) -> tuple[str, ...]:
        """The report for a person, line by line."""
        count = len(self.findings) + self.more
        found = "whole" if self.ok else f"{count:,} finding{'' if count == 1 else 's'}"
        lines = [f"{self.path}: {found}; {self.entries:,} entries in {self.streams:,} streams recomputed"]
        lines += [f"  ✗ {finding}" for finding in self.findings]
        if self.more:
            lines.append(f"  ✗ and {self.more:,} more")
        lines.append(f"Signed checkpoints that count: {self.notes:,}; entries newer than the last: {self.unsigned:,}")
        if self.unwitnessed is not None:
            lines.append(f"Notes at the witness: {self.witnessed:,}; entries newer than the last: {self.unwitnessed:,}")
        lines += [f"Not told: {limit}" for limit in self.limits]
        lines += [f"Note: {remark}" for remark in self.remarks]
        return tuple(lines)
