"""Both manifests and their contracts: what they share to the byte, and what the contracts make of the feed."""

from pathlib import Path

import pytest
import yaml

from plimsoll.contract import compile_contract, parse_record, read_contract
from plimsoll.model.decision import Tier
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.stats import clopper_pearson_lower

EXAMPLE = Path(__file__).parents[2] / "examples" / "claims_reader"
CONTRACTS = sorted((EXAMPLE / "contracts").glob("*.odcs.yaml"))


def manifest(name):
    return read_manifest((EXAMPLE / name).read_text(), name)


def block(name, key):
    """The lines of one top-level key, as they stand in the file."""
    lines = (EXAMPLE / name).read_text().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
    end = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith(" ")), len(lines))
    return "".join(lines[start:end])


def checkers(name):
    contracts = [read_contract((EXAMPLE / path).read_text(), path) for path in manifest(name).data.inputs]
    compiled = [(contract, compile_contract(contract)) for contract in contracts]
    by_source = {source: checker for contract, checker in compiled for source in contract.sources}
    return by_source, compiled[0][1]


def replay(name):
    """By source: how many records came, kept their contract as they are, and kept it after a declared coercion."""
    by_source, first = checkers(name)
    found = {}
    for file in sorted((EXAMPLE / "feed").glob("*.jsonl")):
        checker = by_source.get(file.stem, first)
        offered = valid = coerced = 0
        for line in file.read_bytes().splitlines():
            offered += 1
            parsed = parse_record(line, max_bytes=1 << 20, max_depth=64)
            if parsed.reasons:
                continue
            checked = checker.check(parsed.value)
            if not checked.reasons:
                coerced += bool(checked.coerced)
                valid += not checked.coerced
        found[file.stem] = (offered, valid, coerced)
    return found


@pytest.mark.parametrize("key", ["threshold", "load", "samples", "owners", "may", "system", "purpose"])
def test_both_manifests_share_to_the_byte(key):
    assert block("pilot.yaml", key) == block("plimsoll.yaml", key)


def test_both_manifests_share_function_weights_and_feed():
    pilot, mended = manifest("pilot.yaml"), manifest("plimsoll.yaml")
    assert pilot.threshold == mended.threshold
    assert pilot.threshold.digest == mended.threshold.digest
    assert pilot.target.python == mended.target.python == "claims_reader.model:predict"
    assert pilot.target.artifacts == mended.target.artifacts == ("claims_reader/weights.npz",)
    assert pilot.samples == mended.samples
    assert pilot.load == mended.load


def test_the_pilot_is_as_hopeful_as_pilots_are():
    pilot = manifest("pilot.yaml")
    assert pilot.decisions["read-amount"].tier is Tier.AUTOMATIC
    assert pilot.target.deadline is None
    assert pilot.target.fallback == ()
    assert pilot.demonstration is None


def test_the_mended_system_has_a_person_a_deadline_and_a_contract_for_every_source():
    mended = manifest("plimsoll.yaml")
    assert mended.decisions["read-amount"].tier is Tier.REVIEWED
    assert mended.decisions["read-amount"].review_below.base == 0.92
    assert mended.target.deadline.base == 0.15
    by_source, _ = checkers("plimsoll.yaml")
    assert set(by_source) == {file.stem for file in (EXAMPLE / "feed").glob("*.jsonl")}


def test_a_threshold_with_only_metrics_that_are_measured():
    threshold = manifest("plimsoll.yaml").threshold
    assert not threshold.missing_dimensions
    assert all(condition.entry.measurable for condition in threshold.conditions)


def test_everybody_who_must_accept_is_played():
    mended = manifest("plimsoll.yaml")
    owners = mended.owners
    needed = {p.contact for p in (owners.business, owners.technical, owners.operations, owners.leader)}
    assert needed | set(owners.operations.members) == set(mended.demonstration.persons)


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda f: f.name)
def test_every_rule_of_every_contract_is_enforced(file):
    assert read_contract(file.read_text(), file.name).unenforced == ()


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda f: f.name)
def test_every_property_is_documented(file):
    def undocumented(properties):
        for field in properties:
            if not field.get("description"):
                yield field.get("name", "items")
            yield from undocumented(field.get("properties", ()))
            if "items" in field:
                yield from undocumented([field["items"]])

    document = yaml.safe_load(file.read_text())
    assert document["apiVersion"] == "v3.1.0"
    assert list(undocumented(document["schema"])) == []


def test_every_contract_is_used():
    used = {
        path
        for name in ("pilot.yaml", "plimsoll.yaml")
        for path in manifest(name).data.inputs + manifest(name).data.outputs
    }
    assert used == {f"contracts/{file.name}" for file in CONTRACTS}


def test_the_pilots_contract_refuses_a_third_of_the_feed():
    found = replay("pilot.yaml")
    kept = sum(valid + coerced for _, valid, coerced in found.values())
    assert sum(offered for offered, _, _ in found.values()) == 3000
    assert kept == 2080
    assert found["archive-host"] == (220, 0, 0)
    assert found["mobile-app"] == (320, 320, 0)


def test_the_mended_contracts_keep_the_feed_above_the_bar():
    found = replay("plimsoll.yaml")
    kept = sum(valid + coerced for _, valid, coerced in found.values())
    assert kept == 2900
    assert clopper_pearson_lower(kept, 3000) > 0.955
    assert found["archive-host"] == (220, 0, 220)
    assert found["branch-fax"] == (200, 0, 200)
    assert found["reinsurer-exchange"] == (190, 0, 190)
    assert found["partner-clinics"] == (230, 115, 115)
    assert found["garage-network"] == (240, 120, 120)
    assert found["mobile-app"] == (320, 245, 0)
    assert found["broker-portal"] == (300, 291, 0)


def test_a_bad_scan_is_quarantined_for_its_declared_quality():
    by_source, _ = checkers("plimsoll.yaml")
    lines = (EXAMPLE / "feed" / "mobile-app.jsonl").read_bytes().splitlines()
    reasons = [
        by_source["mobile-app"].check(parse_record(line, max_bytes=1 << 20, max_depth=64).value).reasons
        for line in lines
    ]
    paths = {reason.path for broken in reasons for reason in broken}
    assert paths == {"/scan/skew_degrees", "/scan/contrast"}


def test_records_that_are_sent_again_keep_the_contract():
    assert manifest("plimsoll.yaml").demonstration.resent == "resent.jsonl"
    by_source, _ = checkers("plimsoll.yaml")
    for line in (EXAMPLE / "resent.jsonl").read_bytes().splitlines():
        value = parse_record(line, max_bytes=1 << 20, max_depth=64).value
        assert by_source["broker-portal"].check(value).reasons == ()


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        ({"amount": 4711, "digits": [4, 7, 1, 1]}, True),
        ({"amount": 47, "digits": [0, 4, 7]}, False),
        ({"amount": 4711, "digits": [4, 7, 1, 11]}, False),
        ({"amount": 471100, "digits": [4, 7, 1, 1, 0, 0]}, False),
    ],
)
def test_only_an_amount_that_a_form_can_carry_is_passed_on(output, kept):
    path = manifest("plimsoll.yaml").data.outputs[0]
    checker = compile_contract(read_contract((EXAMPLE / path).read_text(), path))
    assert (checker.check(output).reasons == ()) is kept
