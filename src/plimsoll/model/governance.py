"""The organisation's one page on AI: what one ``governance.yaml`` declares, as frozen values.

It answers three questions, each with an owner: may this data go there, does this use need a person, who approves an
exception and for how long. The fields here are the keys of the file. Rules that need more than one of them are in
``governance_rules``; what follows from the page for one record is in ``policy.egress``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from plimsoll.model.asked import Asked, Contact, Day, Host, Name, Period, Says, Sentence, Slug
from plimsoll.model.canonical import digest
from plimsoll.model.declared import Declared
from plimsoll.model.manifest import Classification, Consequence, Party

GOVERNANCE_FORMAT: Final = 1  # the version of this format, as the key `governance` says it
IN_PROCESS: Final = "in-process"  # where data is that no target carries out of this machine's own processes
UNKNOWN: Final = "unknown"  # every host that the page does not name; nothing may go there


class Ruling(enum.StrEnum):
    """What may happen to values of a class at a destination. What needs approval goes while an exception lasts."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs-approval"
    FORBIDDEN = "forbidden"


class FieldRule(enum.StrEnum):
    """What becomes of a field on its way out; redacted and pseudonymised values stay here."""

    KEEP = "keep"
    PSEUDONYMISE = "pseudonymise"
    REDACT = "redact"


class Undeclared(enum.StrEnum):
    """What happens to personal data found where the contract declares none."""

    REPORT = "report"
    AS_PERSONAL = "treat-as-personal"


class QuestionOwners(Declared, frozen=True, kw_only=True):
    """Who answers for each of the three questions."""

    data: Annotated[Party, Says("answers for: may this data go to that destination?")]
    review: Annotated[Party, Says("answers for: does this use need a person?")]
    exceptions: Annotated[Party, Says("answers for: who approves an exception, and for how long?")]


class Destination(Declared, frozen=True, kw_only=True):
    """A group of hosts that are ruled alike."""

    hosts: Annotated[tuple[Host, ...], Says("hosts, each as a name, '*.' and a domain for all below it, or a network")]
    purpose: Annotated[Sentence, Says("what it is, and under which terms")] = ""


class DataRules(Declared, frozen=True, kw_only=True):
    """Each class of data, and the ruling on it at each destination."""

    public: Annotated[dict[Slug, Ruling], Says("a ruling for each destination")]
    internal: Annotated[dict[Slug, Ruling], Says("a ruling for each destination")]
    confidential: Annotated[dict[Slug, Ruling], Says("a ruling for each destination")]
    personal: Annotated[dict[Slug, Ruling], Says("a ruling for each destination")]
    special: Annotated[dict[Slug, Ruling], Says("a ruling for each destination")]

    def of(self, data: Classification) -> dict[Slug, Ruling]:
        """The rulings on one class."""
        found: dict[str, Ruling] = getattr(self, data.value)
        return found


class FieldRules(Declared, frozen=True, kw_only=True):
    """What becomes of fields of each class on their way to one destination."""

    public: Annotated[FieldRule, Says("fields of this class")] = FieldRule.KEEP
    internal: Annotated[FieldRule, Says("fields of this class")] = FieldRule.KEEP
    confidential: Annotated[FieldRule, Says("fields of this class")] = FieldRule.KEEP
    personal: Annotated[FieldRule, Says("fields of this class")] = FieldRule.KEEP
    special: Annotated[FieldRule, Says("fields of this class")] = FieldRule.KEEP

    def of(self, data: Classification) -> FieldRule:
        """The rule for one class."""
        found: FieldRule = getattr(self, data.value)
        return found


class ReviewRules(Declared, frozen=True, kw_only=True):
    """When a person must look at an answer before it leaves, whatever the decision type's tier."""

    data: Annotated[tuple[Classification, ...], Says("classes of data in the record")] = ()
    consequence: Annotated[tuple[Consequence, ...], Says("consequences of a wrong decision")] = ()


class GrantedException(Declared, frozen=True, kw_only=True):
    """One approval: data of this class may go to this destination, for this system, until then."""

    system: Annotated[Slug, Says("the system it is for, as its manifest names it")]
    data: Annotated[Classification, Says("the class of data")]
    to: Annotated[Slug, Says("the destination")]
    reason: Annotated[Sentence, Says("why")]
    approved_by: Annotated[Contact, Says("who approved it; one of exceptions.approvers")]
    approved: Annotated[Day, Says("the first day on which it counts, UTC, such as 2026-11-25")]
    until: Annotated[Day, Says("the last day on which it counts, UTC, such as 2027-01-31")]


class Exceptions(Declared, frozen=True, kw_only=True):
    """Who may approve what needs approval, for how long, and what is approved."""

    approvers: Annotated[tuple[Contact, ...], Says("contacts of those who may approve")]
    longest: Annotated[Period, Says("how long an exception may last at most, such as 90 days")]
    granted: Annotated[tuple[GrantedException, ...], Says("the exceptions, those that have ended too")] = ()


class Governance(Declared, frozen=True, kw_only=True):
    """One organisation's page."""

    governance: Annotated[int, Asked(least=GOVERNANCE_FORMAT), Says("version of this format: 1")]
    organisation: Annotated[Name, Says("whose page it is")]
    owners: Annotated[QuestionOwners, Says("who answers for each of the three questions")]
    destinations: Annotated[
        dict[Slug, Destination], Says("groups of hosts that data can go to, by name; in-process is always one")
    ]
    data: Annotated[DataRules, Says("each class of data, and the ruling on it at each destination")]
    exceptions: Annotated[Exceptions, Says("who may approve what needs approval, for how long, and what is approved")]
    fields: Annotated[
        dict[Slug, FieldRules], Says("destinations at which fields are pseudonymised or redacted, by name")
    ] = msgspec.field(default_factory=dict)
    review: Annotated[ReviewRules, Says("when a person must look at an answer before it leaves")] = ReviewRules()
    undeclared: Annotated[
        Undeclared, Says("what happens to personal data that is found where the contract declares none")
    ] = Undeclared.AS_PERSONAL
    words: Annotated[
        dict[Slug, Classification],
        Says("other words that contracts use, and the class each means; a word that is not known means special"),
    ] = msgspec.field(default_factory=dict)

    @property
    def places(self) -> tuple[str, ...]:
        """Every destination that is ruled on: in-process first, then those of the page in its order."""
        return (IN_PROCESS, *self.destinations)

    def exceptions_of(self, system: str) -> Iterator[GrantedException]:
        """What was approved for one system, ended or not."""
        return (g for g in self.exceptions.granted if g.system == system)

    def digest_for(self, system: str) -> str:
        """Digest over what of the page decides how one system runs.

        Not over who answers for a question or approved an exception, nor over other systems' exceptions: a mended
        address, and what concerns somebody else, make no new release.
        """
        return digest(
            {
                "destinations": {name: sorted(place.hosts) for name, place in self.destinations.items()},
                "data": self.data,
                "fields": self.fields,
                "review": self.review,
                "undeclared": self.undeclared,
                "words": self.words,
                "exceptions": sorted(
                    (g.data.value, g.to, g.approved.isoformat(), g.until.isoformat())
                    for g in self.exceptions_of(system)
                ),
            }
        )
