"""Organisation: each named owner and operator accepted this release with their own key."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence

import msgspec

from plimsoll.assess.run import Run, body_of
from plimsoll.attest import Acceptance, Trust, check_acceptance
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Entry, Ledger
from plimsoll.model.attestation import Accepted, Envelope
from plimsoll.model.details import OrganisationDetail, PersonDetail
from plimsoll.model.evidence import Census, Draw, Provenance
from plimsoll.model.manifest import Manifest

ACCEPTED = "accepted"  # kind of the entry; its body is the signed envelope
OPERATOR = "operator"


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who must accept, and as what."""

    contact: str
    name: str
    roles: tuple[str, ...]


class _Replayed(msgspec.Struct):
    record: str
    by: str
    became: str = ""


def named_people(manifest: Manifest) -> tuple[Named, ...]:
    """Every owner, and every member of operations as an operator; a contact with several roles once.

    Where operations names no members, its own contact is the operator: somebody must have tried.
    """
    owners = manifest.owners
    parties = {
        "business": owners.business,
        "technical": owners.technical,
        "operations": owners.operations,
        "leader": owners.leader,
    }
    roles: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for role, party in parties.items():
        roles.setdefault(party.contact, []).append(role)
        names[party.contact] = party.name
    for member in owners.operations.members or (owners.operations.contact,):
        roles.setdefault(member, []).append(OPERATOR)
    return tuple(
        Named(contact=contact, name=names.get(contact, ""), roles=tuple(found)) for contact, found in roles.items()
    )


def assess_organisation(
    run: Run,
    ledger: Ledger,
    manifest: Manifest,
    trust: Trust,
    *,
    now_ns: int,
    placeholders: Collection[str],
) -> OrganisationDetail:
    """Look up each named person's acceptance of this release, verify it, and give evidence.

    Args:
        run: the started run.
        ledger: where acceptances and replays are recorded.
        manifest: who is named.
        trust: whose keys count.
        now_ns: UTC nanoseconds since the epoch.
        placeholders: contacts that nobody has filled in yet; they cannot accept.
    """
    people = who_accepts(ledger, manifest, trust, release=run.about.release, now_ns=now_ns, placeholders=placeholders)
    accepted = census_of(people)
    run.give(
        "organisation.accepted",
        accepted,
        draw=Draw.FRESH,
        provenance=provenance_of(people),
        finding=f"{accepted.count} of {accepted.total} named owners and operators accepted this release.",
    )
    detail = OrganisationDetail(people=people)
    run.draw_with(detail)
    return detail


def who_accepts(
    ledger: Ledger, manifest: Manifest, trust: Trust, *, release: str, now_ns: int, placeholders: Collection[str]
) -> tuple[PersonDetail, ...]:
    """Each named person with the acceptance that holds now, by the signatures in the ledger and the trust given.

    Args:
        ledger: where acceptances and replays are recorded.
        manifest: who is named.
        trust: whose keys count.
        release: digest of what must be accepted.
        now_ns: UTC nanoseconds since the epoch.
        placeholders: contacts that nobody has filled in yet; they cannot accept.
    """
    entries = list(ledger.find(ACCEPTED, system=manifest.system))  # the newest first, of all streams
    return tuple(
        _person(who, entries, ledger, trust, release, manifest.system, now_ns, placeholders)
        for who in named_people(manifest)
    )


def census_of(people: Sequence[PersonDetail]) -> Census:
    """How many of all named people have accepted, and why the others do not count."""
    return Census(
        count=sum(p.accepted_at_ns is not None for p in people),
        total=len(people),
        ratio=True,
        missing=tuple(f"{p.contact}: {p.why}" for p in people if p.accepted_at_ns is None),
    )


def provenance_of(people: Sequence[PersonDetail]) -> Provenance:
    """Simulated as soon as one acceptance that counts is."""
    simulated = any(p.simulated for p in people if p.accepted_at_ns is not None)
    return Provenance.SIMULATED if simulated else Provenance.MEASURED


def _person(
    who: Named,
    entries: Sequence[Entry],
    ledger: Ledger,
    trust: Trust,
    release: str,
    system: str,
    now_ns: int,
    placeholders: Collection[str],
) -> PersonDetail:
    """The newest acceptance of a person that holds; else why none does."""
    why = ""
    if who.contact in placeholders:
        return PersonDetail(contact=who.contact, name=who.name, roles=who.roles, why="is still the placeholder")
    for entry in entries:
        raw = ledger.body(entry)
        if (accepted := accepted_in(raw)) is None or accepted.contact != who.contact:
            continue
        try:
            acceptance = check_acceptance(
                raw,
                trust,
                system=system,
                release=release,
                contact=who.contact,
                roles=who.roles,
                now_ns=now_ns,
            )
        except VerificationFailed as failure:
            why = why or failure.message  # the newest is what that person has to mend
            continue
        replayed = _replay_of(who, acceptance, ledger, system)
        if OPERATOR in who.roles and not replayed:
            why = why or "accepted without having found and replayed a quarantined record"
            continue
        return PersonDetail(
            contact=who.contact,
            name=who.name,
            roles=who.roles,
            accepted_at_ns=acceptance.accepted_ns,
            simulated=acceptance.simulated,
            replayed=replayed,
        )
    return PersonDetail(contact=who.contact, name=who.name, roles=who.roles, why=why or "has not accepted")


def accepted_in(raw: bytes) -> Accepted | None:
    """What an envelope says, whether or not its signature holds; None when it is none. Only to find one's own."""
    try:
        payload = base64.b64decode(msgspec.json.decode(raw, type=Envelope).payload, validate=True)
        return msgspec.json.decode(payload, type=Accepted)
    except (msgspec.DecodeError, ValueError):
        return None


def _replay_of(who: Named, acceptance: Acceptance, ledger: Ledger, system: str) -> str:
    """The quarantined record that an operator replayed, as the ledger has it; "" when there is none."""
    for ref in acceptance.accepted.refs:
        entry = ledger.get(ref)
        if entry is None or entry.kind != "quarantine.replayed" or entry.system != system:
            continue
        try:
            replayed = body_of(ledger, entry, _Replayed)
        except VerificationFailed:  # altered: it shows nothing of what that person did
            continue
        was, became = ledger.get(replayed.record), ledger.get(replayed.became)
        quarantined = was is not None and was.header is not None and was.header.disposition == "quarantined"
        if replayed.by == who.contact and quarantined and became is not None and replayed.record in became.refs:
            return replayed.record
    return ""
