"""What a person's acceptance covers, and what leaves it untouched."""

from __future__ import annotations

import json

import pytest

from plimsoll.attest.acceptance import ACCEPTANCE, check_acceptance, sign_acceptance
from plimsoll.attest.dsse import sign_envelope
from plimsoll.attest.keys import generate
from plimsoll.attest.trust import Role
from plimsoll.errors import UsageError, VerificationFailed

WHO = "head-of-claims@example.org"
OPS = "operator-1@example.org"
RELEASE = "sha256:" + "4b" * 32
PEOPLE = "sha256:" + "11" * 32
OWNER_KEY, OPS_KEY, BOTH_KEY = generate(), generate(), generate("ecdsa-p256")


@pytest.fixture(scope="module")
def trust(world):
    return world.pin(
        (WHO, [Role.OWNER], OWNER_KEY),
        (OPS, [Role.OPERATOR], OPS_KEY),
        ("both@example.org", [Role.OWNER, Role.OPERATOR], BOTH_KEY),
    )


def accept(world, **more) -> bytes:
    more = {
        "system": "claims-reader",
        "release": RELEASE,
        "contact": WHO,
        "roles": ["business"],
        "people": PEOPLE,
        "key": OWNER_KEY,
        "now_ns": world.now,
    } | more
    return sign_acceptance(**more)


def check(world, trust, raw: bytes, **more):
    more = {
        "system": "claims-reader",
        "release": RELEASE,
        "contact": WHO,
        "roles": ["business"],
        "now_ns": world.now,
    } | more
    return check_acceptance(raw, trust, **more)


def test_an_acceptance_holds_for_its_release_and_roles(world, trust) -> None:
    accepted = check(world, trust, accept(world, roles=["leader", "business"]))

    assert accepted.accepted.roles == ("business", "leader")
    assert accepted.accepted_ns == world.now
    assert accepted.key.who == WHO
    assert not accepted.simulated


def test_an_operator_names_the_record_that_was_replayed(world, trust) -> None:
    raw = accept(world, contact=OPS, roles=["operator"], key=OPS_KEY, refs=["0190aaaa-7"])

    assert check(world, trust, raw, contact=OPS, roles=["operator"]).accepted.refs == ("0190aaaa-7",)


def test_somebody_elses_address_being_mended_voids_nothing(world, trust) -> None:
    """The people digest is on record and decides nothing."""
    assert check(world, trust, accept(world, people="sha256:" + "22" * 32)).accepted.people == "sha256:" + "22" * 32


def test_a_person_with_two_kinds_of_role_needs_a_key_for_both(world, trust) -> None:
    both = {"contact": "both@example.org", "roles": ["operations", "operator"]}
    check(world, trust, accept(world, key=BOTH_KEY, **both), **both)

    with pytest.raises(VerificationFailed, match="as operator and owner"):
        check(world, trust, accept(world, roles=["operator", "business"]), roles=["operator", "business"])


@pytest.mark.parametrize(
    ("signed", "asked", "code", "says"),
    [
        ({"release": "sha256:" + "00" * 32}, {}, "acceptance-release", "accepted anew"),
        ({"system": "other"}, {}, "acceptance", "for the system 'other'"),
        ({"contact": OPS}, {}, "acceptance", "speaks for operator-1"),
        ({}, {"roles": ["business", "leader"]}, "acceptance-roles", "does not cover the role leader"),
        ({"key": OPS_KEY}, {}, "signer", "nobody who is pinned"),
        ({}, {"contact": "nobody@example.org"}, "acceptance-signer", "pins no key of nobody@example.org"),
        ({}, {"roles": ["operator"]}, "acceptance-signer", "as operator"),
    ],
)
def test_what_it_does_not_cover_is_said(world, trust, signed, asked, code: str, says: str) -> None:
    with pytest.raises(VerificationFailed) as caught:
        check(world, trust, accept(world, **signed), **asked)

    assert caught.value.code == f"verification.{code}"
    assert says in f"{caught.value.message} {caught.value.fix}"


def test_it_cannot_be_signed_in_the_future(world, trust) -> None:
    with pytest.raises(VerificationFailed, match="still to come"):
        check(world, trust, accept(world, now_ns=world.now + world.day))


def test_a_scripted_person_is_simulated(world, trust) -> None:
    assert check(world, trust, accept(world, simulated=True)).simulated
    mock = world.pin((WHO, [Role.OWNER], OWNER_KEY), simulated=True)
    assert check(world, mock, accept(world)).simulated


def test_a_key_whose_time_is_over_accepts_nothing(world) -> None:
    trust = world.pin((WHO, [Role.OWNER], OWNER_KEY), until="2026-11-20")

    with pytest.raises(VerificationFailed, match="at this time"):
        check(world, trust, accept(world))


def test_nobody_accepts_in_no_role(world) -> None:
    with pytest.raises(UsageError, match="no role"):
        accept(world, roles=[])


def test_a_field_that_nobody_knows_is_refused(world, trust) -> None:
    words = world.payload(accept(world)) | {"extra": True}

    with pytest.raises(VerificationFailed, match="unknown field"):
        check(world, trust, sign_envelope(ACCEPTANCE, json.dumps(words).encode(), OWNER_KEY))
