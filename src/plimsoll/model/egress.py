"""What was decided about one record on its way to a target: what the ledger may keep of it, and never a value."""

from __future__ import annotations

import enum

import msgspec


class EgressVerdict(enum.StrEnum):
    """Whether a record may go to where the target is."""

    ALLOWED = "allowed"
    NEEDS_PERSON = "needs-person"  # it may go, and a person looks at the answer before it leaves
    REFUSED = "refused"  # nothing of it goes


class FoundUndeclared(msgspec.Struct, frozen=True):
    """Personal data where the contract declares none."""

    field: str  # as in `EgressNote.fields`
    kind: str  # "email", "iban"…


class EgressNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision of the governance page on one record.

    Fields are JSON Pointers in which ``*`` stands for any item of a list, any name in a map, and any name that the
    contract does not declare: a name that nobody declared can be somebody's.
    """

    verdict: EgressVerdict
    place: str  # the destination, as the page names it; "in-process", "unknown"
    rule: str = ""  # the line of the page that decided, such as "data.personal.us-provider: forbidden"
    why: str = ""  # in a sentence
    fields: tuple[str, ...] = ()  # what the rule is about
    redacted: tuple[str, ...] = ()
    pseudonymised: tuple[str, ...] = ()
    undeclared: tuple[FoundUndeclared, ...] = ()
    exceptions: tuple[str, ...] = ()  # in force for this system and destination: "personal until 2027-01-29"
