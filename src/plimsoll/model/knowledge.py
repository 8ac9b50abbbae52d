"""What the target answers from: declared knowledge, and one source as an answer cites it."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final

import msgspec

from plimsoll.model.asked import Contact, Period, Says, Slug
from plimsoll.model.declared import Declared
from plimsoll.model.quantity import Quantity

OPEN: Final = "public"  # the access label that everybody has, and a caller who is not known, too


class OnTrouble(enum.StrEnum):
    """What happens to an answer that rests on such a source: it is said, or a person takes it."""

    REPORT = "report"
    HOLD = "hold"


class Knowledge(Declared, frozen=True, kw_only=True):
    """One body of documents that the target answers from."""

    owner: Annotated[Contact, Says("who keeps it right; any address")]
    access: Annotated[
        tuple[Slug, ...],
        Says("labels of which a caller needs one to see what is in it; public: everybody may"),
    ]
    max_age: Annotated[Period | None, Says("how old a document may be; without it, age is not looked at")] = None
    on_outdated: Annotated[OnTrouble, Says("when a document is older, or does not say how old it is")] = OnTrouble.HOLD
    on_unreachable: Annotated[OnTrouble, Says("when the target could not reach it")] = OnTrouble.HOLD
    on_conflict: Annotated[OnTrouble, Says("when two sources of one answer state different values")] = OnTrouble.HOLD


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source, as a target may cite it in `Result.sources`. A bare text is the same as a name alone.

    A target that is no Python code gives a JSON object with these keys. Further keys are kept in the record and not
    looked at.
    """

    name: str  # as the manifest declares it under `knowledge`
    document: str = ""  # which document of it
    version: str = ""
    digest: str = ""  # of the document's bytes, as its owner takes it
    updated: str = ""  # when the document was last changed (RFC 3339)
    access: str = ""  # the label that a caller needs for this document; "": those of the knowledge count
    quote: str = ""  # the words that the answer rests on
    states: dict[str, Any] = {}  # what it says, by key, so that two sources can be compared
    reachable: bool = True  # False: it was looked for and could not be reached


def max_age_s(knowledge: Knowledge) -> float | None:
    """The most that a document may be old, in seconds."""
    age: Quantity | None = knowledge.max_age
    return None if age is None else age.base
