"""What was found of the source of a decision's input, and what stood in for it."""

from __future__ import annotations

import enum

import msgspec

_NONE = msgspec.Raw()


class SourceState(enum.StrEnum):
    """What can be said against a source, or against a record of it."""

    UNAVAILABLE = "unavailable"  # it gave no record
    MALFORMED = "malformed"  # its record, or more of its records than declared, break the contract
    STALE = "stale"  # its record is older than promised
    SILENT = "silent"  # nothing has come from it for longer than promised
    CONFLICTING = "conflicting"  # its record and another source's say different things of the same


class InputNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was found of the source of a decision's input, and what stood in for it.

    The value that stood in is not repeated where it is another record's: ``record`` names that one, so that erasing it
    erases the value, too.
    """

    found: tuple[SourceState, ...]
    why: tuple[str, ...]  # one sentence for each
    use: str = (
        ""  # what stood in, by its name in the contract: "lastGood", "hold", "precedence"…; "": nothing, it is flagged
    )
    failed: str = ""  # why what is declared could not stand in, so that a person has it; "" when it could
    owner: str = ""  # contact of the one who answers for what stands in
    of: str = ""  # the source whose value was used
    record: str = ""  # id of the decision whose input was used
    age_s: float | None = None  # seconds since that record came


PRECEDENCE = "precedence"  # as `use`: of two sources that conflict, the one that goes before counts


class InputRecord(InputNote, frozen=True, kw_only=True, omit_defaults=True):
    """The same as the ledger keeps it."""

    value: msgspec.Raw = _NONE  # exact JSON of a declared value that was used

    @property
    def told(self) -> InputNote:
        """What the caller gets of it."""
        return InputNote(**{name: getattr(self, name) for name in InputNote.__struct_fields__})


class SourceTrouble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a ``source.trouble`` entry: trouble with a source began or ended. With it, its owner is told."""

    source: str
    state: SourceState
    began: bool  # False: it ended
    why: str
    owner: str = ""  # who is told; "": the contract names nobody
    use: str = ""  # what stands in, by its name in the contract; "": nothing is declared
    time_ns: int  # UTC nanoseconds; the entry may be written later
    process: int = 0  # its id: each process judges the records that it sees
    lasted_s: float | None = None  # when it ended: seconds since it began
    stood_in: int = 0  # when it ended: decisions of this process for which something stood in meanwhile
    unsaid: int = 0  # times that it began and ended since the last entry, in between which nobody was told
