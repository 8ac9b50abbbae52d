"""Every reason for which an attestation is refused; nothing that is missing passes."""

from __future__ import annotations

import base64
import hashlib
import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.attest.dsse import sign_envelope
from plimsoll.attest.line import THRESHOLD, sign_threshold
from plimsoll.attest.trust import Role
from plimsoll.errors import InvalidFile, UsageError, VerificationFailed
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.threshold import Condition

OURS = "urn:plimsoll:attestation:v1"


def refused(world, raw: bytes, code: str, says: str, **more) -> VerificationFailed:
    with pytest.raises(VerificationFailed, match=says) as caught:
        world.verify(raw, **more)
    assert caught.value.code == f"verification.{code}"
    assert caught.value.exit_code == 5
    return caught.value


def embed(entry: dict, raw: bytes) -> None:
    entry["content"] = base64.b64encode(raw).decode()
    entry["digest"] = {"sha256": hashlib.sha256(raw).hexdigest()}


def replacing(raw: bytes):
    def change(statement) -> None:
        embed(statement["predicate"]["inputAttestations"][0], raw)

    return change


# ── what passes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ready_release_passes_and_everything_is_told(world, attestation: bytes) -> None:
    verified = world.verify(attestation)

    assert verified.system == "claims-reader"
    assert verified.release == world.board.release
    assert verified.threshold == world.threshold.digest
    assert verified.set_by == world.leader
    assert verified.set_ns == world.now - 2 * world.day
    assert verified.gate == "pipeline"
    assert verified.gate_key == world.gate.public.key_id
    assert verified.valid_until_ns == world.board.time_ns - 3600 * 10**9 + 30 * world.day
    assert verified.simulated is False
    assert verified.level == "PLIMSOLL_LOAD_LINE"
    assert verified.version == "0.1.0"
    assert [c.condition for c in verified.conditions] == [r.condition for r in world.board.rows]
    assert verified.price == world.board.price
    assert len(verified.inputs) == 6


def test_the_digest_may_come_without_its_prefix(world, attestation: bytes) -> None:
    assert world.verify(attestation, subject="4b" * 32).release == world.board.release


def test_p256_keys_do_as_well(world) -> None:
    other = type(world)("ecdsa-p256")

    assert other.verify(other.attest()).system == "claims-reader"


def test_a_demonstration_passes_with_leave_and_says_what_it_is(world) -> None:
    verified = world.verify(world.attest(world.change(demonstration=True)), allow_simulated=True)

    assert verified.simulated is True
    assert verified.level == "PLIMSOLL_LOAD_LINE_DEMONSTRATION"


def test_it_reads_as_a_page_that_begins_with_its_answer(world, attestation: bytes) -> None:
    lines = world.verify(attestation).lines()
    mock = world.verify(world.attest(world.change(demonstration=True)), allow_simulated=True).lines()

    assert lines[0] == "The attestation holds: claims-reader is above its load line, 7 conditions met."
    assert "  met          evaluation.accuracy >= 95% (197 of 200)" in lines
    assert "  valid until  2026-12-21T00:30:00Z" in lines
    assert mock[0].startswith("DEMONSTRATION")


# ── the envelope ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", b"\x00\xff", b"<html>", b'{"payload":"","payloadType":"x"}'])
def test_a_file_that_is_no_attestation_is_malformed(world, raw: bytes) -> None:
    refused(world, raw, "malformed", "the attestation")


def test_no_altered_byte_of_the_file_verifies(world, attestation: bytes) -> None:
    chance = random.Random(7)
    for at in range(0, len(attestation), 3):
        altered = bytearray(attestation)
        altered[at] ^= chance.randrange(1, 256)
        with pytest.raises(VerificationFailed):
            world.verify(bytes(altered))


def test_no_shortened_file_verifies(world, attestation: bytes) -> None:
    for size in range(0, len(attestation), 97):
        with pytest.raises(VerificationFailed):
            world.verify(attestation[:size])


def test_a_key_that_nobody_pinned(world) -> None:
    refused(world, world.attest(key=world.stranger), "signer", "nobody who is pinned")


def test_a_key_that_is_pinned_for_something_else(world) -> None:
    """The setter's key sets the line; it does not judge."""
    refused(world, world.attest(key=world.setter), "signer", "nobody who is pinned")


def test_no_gate_key_pinned_at_all(world, attestation: bytes) -> None:
    trust = world.pin((world.leader, [Role.SETTER], world.setter))

    refused(world, attestation, "signer", "pins no gate key", trust=trust)


def test_a_gate_key_whose_time_is_over(world, attestation: bytes) -> None:
    trust = world.pin(("pipeline", [Role.GATE], world.gate), until="2026-11-20")

    refused(world, attestation, "signer", "pins no gate key at this time", trust=trust)


def test_an_envelope_of_something_else(world, attestation: bytes) -> None:
    raw = world.resign(attestation, len, kind="application/json")

    refused(world, raw, "payload-type", "holds 'application/json'")


def test_a_payload_that_is_no_statement(world) -> None:
    for content in (b"", b"[]", b"{}", b'{"_type": 1}', b'{"_type":"a","_type":"b"}'):
        refused(world, sign_envelope("application/vnd.in-toto+json", content, world.gate), "malformed", "attestation")


# ── the statement ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_kind_of_statement(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"))
    refused(world, raw, "predicate-type", "states 'https://slsa.dev/provenance/v1'")
    raw = world.resign(attestation, lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"))
    refused(world, raw, "predicate-type", "not an in-toto Statement v1")


def test_another_release(world, attestation: bytes) -> None:
    error = refused(world, attestation, "subject", "about another release", subject="sha256:" + "00" * 32)

    assert "sha256:4b4b4b4b" in str(error)
    assert "plimsoll check" in error.fix


def test_no_subject_at_all(world, attestation: bytes) -> None:
    for subject in ([], [{"name": "claims-reader"}], [{"name": "claims-reader", "digest": {"sha1": "4b" * 20}}]):
        raw = world.resign(attestation, lambda s, subject=subject: s.update(subject=subject))
        refused(world, raw, "subject", "about no release")


def test_a_subject_by_another_name(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["subject"][0].update(name="other"))

    refused(world, raw, "subject", "name of the system")


def test_a_digest_that_is_none_is_the_callers_mistake(world, attestation: bytes) -> None:
    with pytest.raises(UsageError):
        world.verify(attestation, subject="latest")


def test_another_verifier_than_the_signer(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"]["verifier"].update(id="urn:plimsoll:gate:sha256:00"))

    refused(world, raw, "verifier", "who did not sign it")


@pytest.mark.parametrize(
    "name",
    ["verifier", "timeVerified", "policy", "inputAttestations", "verificationResult", "verifiedLevels", OURS],
)
def test_a_missing_field_never_passes(world, attestation: bytes, name: str) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"].pop(name))

    refused(world, raw, "malformed", f"missing required field `{name}`")


@pytest.mark.parametrize("name", ["conditions", "draft", "simulated", "validUntil", "outcome", "setBy", "system"])
def test_a_missing_field_of_ours_never_passes(world, attestation: bytes, name: str) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"][OURS].pop(name))

    refused(world, raw, "malformed", f"missing required field `{name}`")


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft(world) -> None:
    refused(world, world.attest(world.change(draft=True)), "draft", "DRAFT")
    refused(world, world.attest(signed_threshold=None), "draft", "DRAFT")


def test_a_release_below_the_line_with_its_reasons(world) -> None:
    rows = (
        msgspec.structs.replace(world.board.rows[0], standing=Standing.NOT_MET, estimate=0.8, bound=0.9),
        msgspec.structs.replace(world.board.rows[1], standing=Standing.NOT_MEASURED, estimate=None, bound=None),
        *world.board.rows[2:],
    )
    raw = world.attest(world.change(outcome=Outcome.NOT_READY, rows=rows))

    error = refused(world, raw, "result", "FAILED: stability.latency_p99 <= 500 ms is not met")
    assert "stability.error_rate <= 0.5% is not measured" in str(error)


def test_a_result_that_contradicts_itself(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"][OURS].update(outcome="not ready"))
    refused(world, raw, "result", "the outcome is 'not ready'")
    raw = world.resign(attestation, lambda s: s["predicate"].update(verificationResult="FAILED"))
    refused(world, raw, "result", "FAILED")
    raw = world.resign(attestation, lambda s: s["predicate"].update(verificationResult="WARNED"))
    refused(world, raw, "result", "WARNED")


@pytest.mark.parametrize("levels", [[], ["SLSA_BUILD_LEVEL_3"], ["FAILED"], ["PLIMSOLL_LOAD_LINE", "FAILED"]])
def test_passed_without_the_load_lines_level(world, attestation: bytes, levels) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"].update(verifiedLevels=levels))

    refused(world, raw, "level", "PLIMSOLL_LOAD_LINE belongs")


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_evidence_that_has_gone_stale(world, attestation: bytes) -> None:
    verified = world.verify(attestation)

    world.verify(attestation, now_ns=verified.valid_until_ns - 1)
    refused(world, attestation, "expired", "gone stale", now_ns=verified.valid_until_ns)


def test_a_verdict_from_the_future(world, attestation: bytes) -> None:
    """A few minutes between two clocks are forgiven; an hour is not."""
    world.verify(attestation, now_ns=world.board.time_ns - 200 * 10**9)
    refused(world, attestation, "not-yet", "still to come", now_ns=world.board.time_ns - 3600 * 10**9)


def test_a_clock_that_was_never_set(world, attestation: bytes) -> None:
    refused(world, attestation, "clock", "clock is not set", now_ns=0)


def test_a_validity_of_more_than_a_day_on_a_declared_service(world) -> None:
    """The gate itself signed it, and a verifier still does not believe it."""
    rows = list(world.board.rows)
    rows[2] = msgspec.structs.replace(rows[2], declared=("api.example.org:443",), counts_for_s=86400.0)
    raw = world.attest(world.change(rows=tuple(rows)))

    assert world.verify(raw).valid_until_ns == rows_measured(world) + world.day
    longer = world.resign(raw, lambda s: s["predicate"][OURS].update(validUntil="2026-11-22T00:30:02Z"))
    refused(world, longer, "conditions", "valid for longer than the evidence of evaluation.accuracy")


def rows_measured(world) -> int:
    return world.board.time_ns - 3600 * 10**9


def test_a_validity_longer_than_its_evidence(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"][OURS].update(validUntil="2030-01-01T00:00:00Z"))

    refused(world, raw, "conditions", "valid for longer than the evidence")


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-21", "2026-13-01T00:00:00Z", "2026-11-21T02:30:00+00:00"])
def test_a_moment_that_is_none(world, attestation: bytes, text: str) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"].update(timeVerified=text))

    refused(world, raw, "malformed", "a moment that is none")


# ── the threshold ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_setters_signature_is_missing(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"]["inputAttestations"].pop(0))
    refused(world, raw, "threshold-missing", "is missing")
    raw = world.resign(
        attestation,
        lambda s: s["predicate"]["inputAttestations"].append(s["predicate"]["inputAttestations"][0]),
    )
    refused(world, raw, "threshold-missing", "2 times")


def test_the_threshold_is_signed_by_a_stranger(world) -> None:
    refused(world, world.attest(signed_threshold=world.sign(world.stranger)), "signer", "threshold's signature")


def test_the_threshold_is_signed_by_another_setter_than_it_names(world, attestation: bytes) -> None:
    """A second person who may set thresholds elsewhere does not set this one."""
    trust = world.pin(
        (world.leader, [Role.SETTER], world.setter),
        ("other@example.org", [Role.SETTER], world.stranger),
        ("pipeline", [Role.GATE], world.gate),
    )
    raw = world.attest(signed_threshold=world.sign(world.stranger))

    refused(world, raw, "threshold-signer", "is signed by other@example.org", trust=trust)


def test_no_setter_is_pinned(world, attestation: bytes) -> None:
    trust = world.pin(("pipeline", [Role.GATE], world.gate))

    refused(world, attestation, "threshold-signer", "pins no key that may set a threshold", trust=trust)


def test_the_policy_is_not_what_was_signed(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"]["policy"]["digest"].update(sha256="00" * 32))
    refused(world, raw, "threshold", "conditions were changed after the signature")
    raw = world.resign(attestation, lambda s: s["predicate"]["policy"].update(digest={}))
    refused(world, raw, "threshold", "names no threshold")


def test_a_threshold_of_another_system(world) -> None:
    refused(world, world.attest(signed_threshold=world.sign(system="other")), "threshold-system", "that of 'other'")


def test_the_signed_words_do_not_have_the_signed_digest(world, attestation: bytes) -> None:
    words = world.payload(world.signed)
    words["conditions"][0] = "stability.latency_p99 <= 900 ms"
    forged = sign_envelope(THRESHOLD, json.dumps(words).encode(), world.setter)

    refused(world, world.resign(attestation, replacing(forged)), "threshold", "do not have the digest")


def test_a_threshold_signed_before_load_windows_had_a_length(world, attestation: bytes) -> None:
    words = world.payload(world.signed)
    del words["loadWindow"]
    old = sign_envelope(THRESHOLD, json.dumps(words).encode(), world.setter)
    error = refused(world, world.resign(attestation, replacing(old)), "threshold", "says nothing of how long")

    assert "signs it anew: `plimsoll threshold sign`" in error.fix


@pytest.mark.parametrize("length", ["0 s", "-5 s", "5x", "5", "soon"])
def test_a_signed_load_window_that_is_no_length_of_time(world, attestation: bytes, length: str) -> None:
    words = world.payload(world.signed)
    words["loadWindow"] = length
    forged = sign_envelope(THRESHOLD, json.dumps(words).encode(), world.setter)

    refused(world, world.resign(attestation, replacing(forged)), "threshold", "cannot be read")


def test_signed_words_that_cannot_be_read(world, attestation: bytes) -> None:
    words = world.payload(world.signed)
    words["conditions"][0] = "stability.unheard_of <= 900 ms"
    forged = sign_envelope(THRESHOLD, json.dumps(words).encode(), world.setter)
    refused(world, world.resign(attestation, replacing(forged)), "threshold", "cannot be read")
    words["extra"] = 1
    forged = sign_envelope(THRESHOLD, json.dumps(words).encode(), world.setter)
    refused(world, world.resign(attestation, replacing(forged)), "malformed", "unknown field")


def test_an_altered_signature_of_the_setter(world, attestation: bytes) -> None:
    altered = bytearray(world.signed)
    altered[len(altered) // 2] ^= 1
    raw = world.resign(attestation, replacing(bytes(altered)))

    with pytest.raises(VerificationFailed, match="threshold's signature"):
        world.verify(raw)


@pytest.mark.parametrize(("days", "code"), [(0.02, "threshold"), (3, "not-yet")])
def test_a_threshold_signed_after_the_verdict(world, attestation: bytes, days: float, code: str) -> None:
    at = world.board.time_ns + int(days * world.day)
    signed = sign_threshold(world.threshold, system="claims-reader", key=world.setter, now_ns=at)

    refused(world, world.resign(attestation, replacing(signed)), code, "after the verdict|still to come")


def test_another_setter_in_the_summary_than_in_the_signature(world, attestation: bytes) -> None:
    raw = world.resign(attestation, lambda s: s["predicate"][OURS].update(setBy="other@example.org"))

    refused(world, raw, "threshold", "names other@example.org")


# ── the conditions ───────────────────────────────────────────────────────────────────────────────────────────────────


def first(statement) -> dict:
    condition: dict = statement["predicate"][OURS]["conditions"][0]
    return condition


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s["predicate"][OURS]["conditions"].pop(), "not those that were signed"),
        (lambda s: s["predicate"][OURS]["conditions"].append(first(s)), "not those that were signed"),
        (lambda s: first(s).update(condition="stability.latency_p99 <= 900 ms"), "not those that were signed"),
        (lambda s: first(s).update(standing="insufficient"), "under a verdict of PASSED"),
        (lambda s: first(s).update(limit="0.9"), "another limit"),
        (lambda s: first(s).update(unit="x"), "another limit"),
        (lambda s: first(s).update(estimate="0.51"), "on the wrong side"),
        (lambda s: first(s).update(bound="0.51"), "on the wrong side"),
        (lambda s: first(s).update(bound="low"), "not a number"),
        (lambda s: first(s).update(bound="nan"), "not finite"),
        (lambda s: first(s).update(estimate="-inf"), "not finite"),
        (lambda s: first(s).update(estimate=None, bound=None), "rests on nothing"),
        (lambda s: first(s).update(evidence=[]), "rests on nothing"),
        (lambda s: first(s).update(window="4.99"), "in load windows of 4.99 s; 5 s was signed"),
        (lambda s: first(s).update(window=None), "in load windows of 0 s"),
        (lambda s: first(s).pop("window"), "in load windows of 0 s"),
        (lambda s: first(s).update(window="long"), "not a number"),
    ],
)
def test_figures_that_do_not_bear_out_the_verdict(world, attestation: bytes, change, says: str) -> None:
    refused(world, world.resign(attestation, change), "conditions", says)


# ── the inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def inputs(statement) -> list[dict]:
    entries: list[dict] = statement["predicate"]["inputAttestations"]
    return entries


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: inputs(s)[1]["digest"].update(sha256="00" * 32), "is not what its digest says"),
        (lambda s: inputs(s)[1].update(digest={}), "is not what its digest says"),
        (lambda s: inputs(s)[1].update(digest={"md5": "0" * 32}), "is not what its digest says"),
        (lambda s: inputs(s)[1].pop("content"), "is not in the file"),
        (lambda s: inputs(s)[1].update(mediaType="text/plain"), "not known here"),
        (lambda s: inputs(s).pop(), "do not show the same figures"),
        (lambda s: inputs(s).append(inputs(s)[1]), "do not show the same figures"),
    ],
)
def test_inputs_that_are_not_what_they_should_be(world, attestation: bytes, change, says: str) -> None:
    refused(world, world.resign(attestation, change), "input", says)


def test_an_input_that_is_not_base64(world, attestation: bytes) -> None:
    refused(world, world.resign(attestation, lambda s: inputs(s)[1].update(content="%")), "malformed", "not base64")


def altered_test(world, change):
    def alter(statement) -> None:
        entry = inputs(statement)[1]
        embed(entry, world.resign(base64.b64decode(entry["content"]), change))

    return alter


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda t: t["predicate"].update(result="FAILED"), "input", "is not PASSED"),
        (lambda t: t["predicate"].update(failedTests=["x"]), "input", "is not PASSED"),
        (lambda t: t["predicate"]["passedTests"].pop(), "input", "shows no figures of"),
        (lambda t: t["predicate"][OURS]["conditions"][0].update(estimate="0.1"), "input", "the same figures"),
        (lambda t: t["predicate"].update(configuration=[]), "input", "judged by another threshold"),
        (lambda t: t["subject"][0]["digest"].update(sha256="00" * 32), "subject", "about another release"),
        (lambda t: t.update(predicateType="https://example.com/x"), "predicate-type", "states 'https://example.com/x'"),
    ],
)
def test_a_test_result_that_does_not_bear_it_out(world, attestation: bytes, change, code: str, says: str) -> None:
    refused(world, world.resign(attestation, altered_test(world, change)), code, says)


def test_a_test_result_signed_by_somebody_else(world, attestation: bytes) -> None:
    def alter(statement) -> None:
        entry = inputs(statement)[1]
        content = json.loads(base64.b64decode(entry["content"]))
        payload = base64.b64decode(content["payload"])
        embed(entry, sign_envelope(content["payloadType"], payload, world.stranger))

    refused(world, world.resign(attestation, alter), "signer", "nobody who is pinned")


# ── demonstrations ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_demonstration_without_leave(world) -> None:
    refused(world, world.attest(world.change(demonstration=True)), "simulated", "DEMONSTRATION")


def test_a_gate_or_setter_that_is_pinned_as_simulated(world, attestation: bytes) -> None:
    gate, setter = ("pipeline", [Role.GATE], world.gate), (world.leader, [Role.SETTER], world.setter)
    real = world.trust.keys
    for entry in (gate, setter):
        [mock] = world.pin(entry, simulated=True).keys
        trust = msgspec.structs.replace(world.trust, keys=(mock, *(k for k in real if k.key != mock.key)))
        refused(world, attestation, "simulated", "DEMONSTRATION", trust=trust)
        assert world.verify(attestation, trust=trust, allow_simulated=True).simulated


def test_a_setter_played_by_a_script(world) -> None:
    raw = world.attest(signed_threshold=world.sign(simulated=True))

    refused(world, raw, "simulated", "DEMONSTRATION")


def test_simulated_evidence_that_claims_to_be_in_earnest(world) -> None:
    rows = (msgspec.structs.replace(world.board.rows[0], provenance="simulated"), *world.board.rows[1:])
    raw = world.attest(world.change(rows=rows))

    for leave in (False, True):
        refused(world, raw, "level", "says that nothing is simulated", allow_simulated=leave)


# ── whatever the threshold ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_tightened_threshold_needs_a_new_signature(world) -> None:
    tighter = msgspec.structs.replace(
        world.threshold, conditions=(*world.threshold.conditions[1:], Condition.parse("stability.latency_p99 <= 0.4 s"))
    )
    rows = (
        *world.board.rows[1:],
        msgspec.structs.replace(world.board.rows[0], condition="stability.latency_p99 <= 0.4 s", limit="0.4 s"),
    )
    board = world.change(threshold=tighter.digest, rows=rows)

    refused(world, world.attest(board, threshold=tighter), "threshold", "changed after the signature")
    signed = sign_threshold(tighter, system="claims-reader", key=world.setter, now_ns=world.now - world.day)
    assert world.verify(world.attest(board, threshold=tighter, signed_threshold=signed)).threshold == tighter.digest


def test_a_trust_file_that_is_broken_trusts_nobody(world) -> None:
    with pytest.raises(InvalidFile):
        world.pin(("pipeline", [Role.SETTER], world.gate), until="soon")


# ── anything at all ──────────────────────────────────────────────────────────────────────────────────────────────────

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@settings(max_examples=300)
@given(st.data())
def test_whatever_a_gate_signs_instead_is_refused_or_says_the_same(world, attestation: bytes, data) -> None:
    """Also with a good signature no value of the wrong kind or place gets through, or breaks the verifier."""
    statement = world.payload(attestation)
    path = data.draw(st.sampled_from([place for place in sorted(places(statement), key=repr) if place]))
    value = data.draw(VALUES)

    def change(changed) -> None:
        for key in path[:-1]:
            changed = changed[key]
        changed[path[-1]] = value

    try:
        verified = world.verify(world.resign(attestation, change))
    except VerificationFailed:
        return
    same = world.verify(attestation)
    for field in ("system", "release", "threshold", "set_by", "gate_key", "simulated", "level"):
        assert getattr(verified, field) == getattr(same, field)
    assert [c.condition for c in verified.conditions] == [c.condition for c in same.conditions]
