"""What lets a release go live on an exception, and everything that does not."""

from __future__ import annotations

import msgspec
import pytest

from plimsoll.attest import LONGEST_DAYS, check_exception, read_exception, sign_exception
from plimsoll.attest.dsse import sign_envelope
from plimsoll.attest.exception import EXCEPTION
from plimsoll.attest.keys import generate
from plimsoll.attest.moments import to_text
from plimsoll.attest.trust import Role
from plimsoll.errors import UsageError, VerificationFailed
from plimsoll.model.canonical import canonical

RELEASE = "sha256:" + "4b" * 32
OTHER = "sha256:" + "00" * 32
CONDITIONS = ("evaluation.accuracy >= 95%", "organisation.accepted = 100%")


def sign(world, **more) -> bytes:
    more = {
        "system": "claims-reader",
        "release": RELEASE,
        "threshold": world.threshold.digest,
        "set_by": world.leader,
        "conditions": CONDITIONS,
        "reason": "the regulator's deadline is tomorrow",
        "until_ns": world.now + 7 * world.day,
        "key": world.setter,
        "now_ns": world.now,
    } | more
    return sign_exception(**more)


def check(world, raw, trust=None, **more):
    more = {
        "system": "claims-reader",
        "release": RELEASE,
        "threshold": world.threshold.digest,
        "set_by": world.leader,
        "now_ns": world.now,
    } | more
    return check_exception(raw, trust or world.trust, **more)


def refused(world, raw, code, trust=None, **more):
    with pytest.raises(VerificationFailed) as caught:
        check(world, raw, trust, **more)
    assert caught.value.code == f"verification.{code}"
    return caught.value


def test_it_holds_for_its_release_until_it_ends(world):
    held = check(world, sign(world))
    assert held.signed.conditions == CONDITIONS
    assert (held.simulated, held.key.who) == (False, world.leader)
    last = world.now + 7 * world.day - 1
    assert check(world, sign(world), now_ns=last).until_ns > last


def test_it_ends_by_itself_and_says_what_to_do(world):
    failure = refused(world, sign(world), "expired", now_ns=world.now + 7 * world.day)
    assert "evaluation.accuracy >= 95%" in failure.fix


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"release": OTHER}, "exception-release"),
        ({"system": "another"}, "exception"),
        ({"threshold": OTHER}, "exception"),
    ],
    ids=["release", "system", "line"],
)
def test_it_is_for_one_release_of_one_system_under_one_line(world, what, code):
    refused(world, sign(world), code, **what)
    refused(world, sign(world, **what), code)


def test_nobody_but_the_setter_signs_one(world):
    gate_trust = world.pin(
        (world.leader, [Role.SETTER], world.setter), ("head@example.org", [Role.SETTER, Role.OWNER], world.stranger)
    )
    by_another = sign(world, key=world.stranger)
    refused(world, by_another, "signer")  # a key that nobody pins
    refused(world, by_another, "signer", trust=gate_trust)  # a setter, and not of this line
    as_another = sign(world, key=world.stranger, set_by="head@example.org")
    refused(world, as_another, "signer", trust=gate_trust)
    refused(world, sign(world, set_by="head@example.org"), "exception-signer", trust=gate_trust)
    refused(world, sign(world, key=world.gate), "signer")
    owner_only = world.pin((world.leader, [Role.OWNER], world.setter))
    refused(world, sign(world), "exception-signer", trust=owner_only)


def test_an_altered_one_does_not_hold(world):
    raw = sign(world)
    envelope = msgspec.json.decode(raw)
    signed = read_exception(raw)
    longer = msgspec.structs.replace(signed, until=to_text(world.now + 29 * world.day))
    forged = msgspec.json.decode(sign_envelope(EXCEPTION, canonical(longer), generate()))
    forged["signatures"] = envelope["signatures"]
    refused(world, msgspec.json.encode(forged), "signature")


def test_one_that_lasts_too_long_does_not_hold_however_it_was_made(world):
    signed = msgspec.structs.replace(read_exception(sign(world)), until=to_text(world.now + 365 * world.day))
    raw = sign_envelope(EXCEPTION, canonical(signed), world.setter)
    assert "too long" in refused(world, raw, "exception").message


def test_one_from_the_future_does_not_hold(world):
    refused(world, sign(world, now_ns=world.now + world.day), "not-yet")


def test_one_for_a_demonstration_says_so(world):
    assert check(world, sign(world, simulated=True)).simulated


def test_another_statement_of_the_setter_is_no_exception(world):
    raw = sign_envelope("application/vnd.plimsoll.threshold+json", canonical(read_exception(sign(world))), world.setter)
    refused(world, raw, "payload-type")
    with pytest.raises(VerificationFailed):
        read_exception(raw)


@pytest.mark.parametrize(
    "wrong",
    [{"conditions": ()}, {"reason": "  "}, {"days": 0}, {"days": -1}, {"days": LONGEST_DAYS + 1}],
    ids=["no condition", "no reason", "over", "past", "too long"],
)
def test_one_that_makes_no_sense_is_not_signed(world, wrong):
    days = wrong.pop("days", None)
    more = wrong if days is None else {"until_ns": world.now + days * world.day}
    with pytest.raises(UsageError):
        sign(world, **more)
