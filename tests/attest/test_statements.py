"""What an attestation says, to a reader that knows only the standards and to ours."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.attest.statements import decimal, digest_set
from plimsoll.errors import NoEvidence, UsageError
from plimsoll.model.board import Outcome, Standing

OURS = "urn:plimsoll:attestation:v1"
ACCURACY = "evaluation.accuracy >= 95%"


@pytest.fixture(scope="module")
def statement(world, attestation: bytes):
    return world.payload(attestation)


def test_it_is_a_verification_summary_of_the_release(statement) -> None:
    predicate = statement["predicate"]

    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert statement["subject"] == [{"name": "claims-reader", "digest": {"sha256": "4b" * 32}}]
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["PLIMSOLL_LOAD_LINE"]
    assert predicate["timeVerified"] == "2026-11-21T01:30:00Z"
    assert predicate["resourceUri"].startswith("pkg:generic/claims-reader?checksum=sha256:4b4b")
    assert predicate["policy"]["uri"]
    assert "slsaVersion" not in predicate


def test_it_names_the_key_that_signs_it_as_verifier(world, statement) -> None:
    assert statement["predicate"]["verifier"] == {
        "id": f"urn:plimsoll:gate:{world.gate.public.key_id}",
        "version": {"plimsoll": "0.1.0"},
    }


def test_the_policy_is_the_threshold(world, statement) -> None:
    assert "sha256:" + statement["predicate"]["policy"]["digest"]["sha256"] == world.threshold.digest


def test_every_input_travels_inside_and_has_its_digest(statement) -> None:
    inputs = statement["predicate"]["inputAttestations"]

    assert [i["name"] for i in inputs] == [
        "threshold",
        "test-result:stability",
        "test-result:evaluation",
        "test-result:contracts",
        "test-result:organisation",
        "test-result:accountability",
    ]
    for entry in inputs:
        content = base64.b64decode(entry["content"])
        assert entry["digest"] == {"sha256": hashlib.sha256(content).hexdigest()}


def test_each_assessment_is_a_test_result_with_its_protocol(world, statement) -> None:
    entry = statement["predicate"]["inputAttestations"][1]
    test = world.payload(base64.b64decode(entry["content"]))
    predicate = test["predicate"]

    assert test["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert test["subject"] == statement["subject"]
    assert predicate["result"] == "PASSED"
    assert predicate["passedTests"] == ["stability.latency_p99 <= 500 ms", "stability.error_rate <= 0.5%"]
    assert predicate["failedTests"] == []
    assert {"name": "protocol", "digest": {"sha256": "77" * 32}} in predicate["configuration"]


def test_every_condition_is_there_with_its_figure_bound_and_evidence(world, statement) -> None:
    judged = statement["predicate"][OURS]["conditions"]
    accuracy = next(c for c in judged if c["metric"] == "evaluation.accuracy")

    assert [c["condition"] for c in judged] == [r.condition for r in world.board.rows]
    assert accuracy == {
        "condition": ACCURACY,
        "metric": "evaluation.accuracy",
        "dimension": "technical",
        "standing": "met",
        "unit": "1",
        "limit": "0.95",
        "estimate": "0.985",
        "bound": "0.9612",
        "counts": "197 of 200",
        "window": None,
        "why": "",
        "needed": "",
        "provenance": "measured",
        "evidence": ["0190aaaa-1", "0190aaaa-2"],
        "measuredAt": "2026-11-21T00:30:00Z",
        "declared": [],
    }


def test_there_is_not_one_json_number_in_it(statement) -> None:
    """A JSON number has no agreed precision; and an extension's name holds neither '.' nor '$'."""
    found = []
    json.loads(json.dumps(statement), parse_float=found.append, parse_int=found.append)

    assert found == []
    assert not re.search(r"[.$]", OURS)


def test_what_rests_on_a_declared_service_is_valid_for_a_day(world) -> None:
    rows = list(world.board.rows)
    rows[2] = msgspec.structs.replace(rows[2], declared=("api.example.org:443",), counts_for_s=86400.0)
    said = world.payload(world.attest(world.change(rows=tuple(rows))))["predicate"]

    assert said[OURS]["validUntil"] == "2026-11-22T00:30:00Z"
    assert [c["declared"] for c in said[OURS]["conditions"]].count(["api.example.org:443"]) == 1


def test_it_is_valid_until_the_first_evidence_goes_stale(world) -> None:
    rows = (*world.board.rows[:-1], msgspec.structs.replace(world.board.rows[-1], age_s=20 * 86_400.0))
    said = world.payload(world.attest(world.change(rows=rows)))["predicate"]

    assert said["timeVerified"] == "2026-11-21T01:30:00Z"
    assert said[OURS]["validUntil"] == "2026-12-01T01:30:00Z"


@pytest.mark.parametrize(
    "change",
    [{"draft": True}, {"outcome": Outcome.NOT_READY}, {"outcome": Outcome.CANNOT_SAY}],
    ids=["draft", "not ready", "cannot say"],
)
def test_anything_but_a_ready_and_signed_board_is_failed(world, change) -> None:
    predicate = world.payload(world.attest(world.change(**change)))["predicate"]

    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])


def test_a_threshold_that_nobody_signed_is_failed(world) -> None:
    predicate = world.payload(world.attest(signed_threshold=None))["predicate"]

    assert predicate["verificationResult"] == "FAILED"
    assert predicate[OURS]["draft"] is True


def test_a_demonstration_carries_a_level_of_another_name(world) -> None:
    predicate = world.payload(world.attest(world.change(demonstration=True)))["predicate"]

    assert predicate["verifiedLevels"] == ["PLIMSOLL_LOAD_LINE_DEMONSTRATION"]
    assert predicate[OURS]["simulated"] is True


def test_an_unmet_condition_is_a_failed_test(world) -> None:
    rows = tuple(
        msgspec.structs.replace(r, standing=Standing.INSUFFICIENT) if r.condition == ACCURACY else r
        for r in world.board.rows
    )
    said = world.payload(world.attest(world.change(rows=rows, outcome=Outcome.CANNOT_SAY)))["predicate"]
    tests = [world.payload(base64.b64decode(i["content"])) for i in said["inputAttestations"][1:]]
    evaluation = next(t["predicate"] for t in tests if t["predicate"][OURS]["assessment"] == "evaluation")

    assert (evaluation["result"], evaluation["failedTests"], evaluation["passedTests"]) == ("FAILED", [ACCURACY], [])


def test_a_condition_met_without_a_date_cannot_be_attested(world) -> None:
    rows = (msgspec.structs.replace(world.board.rows[0], age_s=None), *world.board.rows[1:])

    with pytest.raises(NoEvidence):
        world.attest(world.change(rows=rows))


def test_another_threshold_than_the_boards_cannot_be_attested(world) -> None:
    other = msgspec.structs.replace(world.threshold, conditions=world.threshold.conditions[1:])

    with pytest.raises(UsageError, match="not the one"):
        world.attest(threshold=other)


def test_the_same_board_gives_the_same_bytes(world) -> None:
    assert world.attest() == world.attest()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_figure_reads_back_as_the_same_figure(figure: float) -> None:
    text = decimal(figure)

    assert text is not None
    assert float(text) == figure
    assert re.fullmatch(r"-?\d+(\.\d+)?", text)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "g" * 64, "sha512:" + "0" * 64, "SHA256:" + "0" * 64])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a digest"):
        digest_set(text)
