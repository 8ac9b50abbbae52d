"""A governance page for tests: rulings by destination and class, in as few words as a test needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

from plimsoll.model.governance import (
    DataRules,
    Destination,
    Exceptions,
    FieldRule,
    FieldRules,
    Governance,
    GrantedException,
    QuestionOwners,
    ReviewRules,
    Ruling,
    Undeclared,
)
from plimsoll.model.governance_reader import read_governance
from plimsoll.model.manifest import Classification, Consequence, Party
from plimsoll.model.quantity import Quantity

EXAMPLE = (Path(__file__).parent.parent / "model" / "governance_example.yaml").read_text()
NOW_NS = int(dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC).timestamp()) * 10**9
DAY_NS = 86_400 * 10**9
KEY = b"sixteen bytes or more of a secret"
PERSON = Party(name="Ann", contact="ann@example.org")

C = Classification
A, N, F = Ruling.ALLOWED, Ruling.NEEDS_APPROVAL, Ruling.FORBIDDEN
PLACES = ("in-process", "here", "there")
HOSTS = {"here": "here.example.org", "there": "*.there.example.org"}


def example() -> Governance:
    return read_governance(EXAMPLE, "governance.yaml")


def page(
    rulings: Mapping[Classification, Mapping[str, Ruling]] | None = None,
    *,
    fields: Mapping[str, Mapping[Classification, FieldRule]] | None = None,
    undeclared: Undeclared = Undeclared.AS_PERSONAL,
    review: Iterable[Classification] = (),
    consequence: Iterable[Consequence] = (),
    words: Mapping[str, Classification] | None = None,
    granted: Iterable[GrantedException] = (),
) -> Governance:
    """Everything is allowed everywhere, but for what is said."""
    data = {c.value: {place: (rulings or {}).get(c, {}).get(place, A) for place in PLACES} for c in Classification}
    return Governance(
        governance=1,
        organisation="Example",
        owners=QuestionOwners(data=PERSON, review=PERSON, exceptions=PERSON),
        destinations={name: Destination(hosts=(host,)) for name, host in HOSTS.items()},
        data=DataRules(**data),
        fields={
            place: FieldRules(**{c.value: rule for c, rule in rules.items()}) for place, rules in (fields or {}).items()
        },
        undeclared=undeclared,
        review=ReviewRules(data=tuple(review), consequence=tuple(consequence)),
        words=dict(words or {}),
        exceptions=Exceptions(approvers=(PERSON.contact,), longest=Quantity.parse("90 days"), granted=tuple(granted)),
    )


def granted(
    data: Classification, to: str, approved: str = "2026-11-01", until: str = "2026-12-01", system: str = "s"
) -> GrantedException:
    return GrantedException(
        system=system,
        data=data,
        to=to,
        reason="because",
        approved_by=PERSON.contact,
        approved=dt.date.fromisoformat(approved),
        until=dt.date.fromisoformat(until),
    )
