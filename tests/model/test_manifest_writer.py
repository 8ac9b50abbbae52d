from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InvalidFile
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.manifest_values import slug_of
from plimsoll.model.manifest_writer import placeholders, starting_manifest, unfilled

START = starting_manifest("app.model:predict", "feed", "contracts/input.odcs.yaml", "claims-reader")


def test_the_starting_manifest_loads_and_holds_what_it_was_given() -> None:
    manifest = read_manifest(START, "plimsoll.yaml")
    assert manifest.system == "claims-reader"
    assert manifest.target.python == "app.model:predict"
    assert manifest.samples.feed == "feed"
    assert manifest.data.inputs == ("contracts/input.odcs.yaml",)
    assert list(manifest.decisions) == ["predict"]
    assert manifest.threshold.missing_dimensions == ()
    assert all(c.entry.measurable for c in manifest.threshold.conditions)


def test_it_loads_without_a_sample_and_without_a_contract() -> None:
    manifest = read_manifest(starting_manifest("app:predict", None, None, "app"), "plimsoll.yaml")
    assert (manifest.samples.feed, manifest.data.inputs) == (None, ())


def test_it_is_one_page_and_says_what_each_choice_is() -> None:
    lines = START.splitlines()
    assert len(lines) <= 66
    assert max(map(len, lines)) <= 112
    assert "automatic | reviewed | human-only" in START
    assert "none | operational | financial | legal | health | customer" in START


def test_nobody_it_names_is_taken_for_a_person() -> None:
    manifest = read_manifest(START, "plimsoll.yaml")
    owners = manifest.owners
    named = {owners.business.contact, owners.technical.contact, owners.operations.contact, owners.leader.contact}
    left = placeholders(manifest)
    assert named <= set(left)
    assert {manifest.decisions["predict"].accountable, manifest.decisions["predict"].appeal} <= set(left)
    assert len(left) == len(set(left))
    assert {"purpose", "owners.business.name", "owners.leader.contact", "threshold.set_by"} <= set(unfilled(manifest))


def test_a_contact_whose_party_has_no_name_yet_is_still_a_placeholder() -> None:
    text = START.replace("leader@fill-in.invalid", "coo@example.org")
    assert "coo@example.org" in placeholders(read_manifest(text, "f"))


def test_a_filled_in_manifest_has_nothing_left(example: str) -> None:
    assert placeholders(read_manifest(example, "f")) == ()
    assert unfilled(read_manifest(example, "f")) == ()
    text = START.replace("fill-in.invalid", "example.org").replace("Fill in:", "The one who")
    assert placeholders(read_manifest(text, "f")) == ()


def test_filling_in_one_place_only_is_noticed() -> None:
    with pytest.raises(InvalidFile) as caught:
        read_manifest(START.replace("contact: leader@fill-in.invalid", "contact: coo@example.org"), "f")
    assert {p.code for p in caught.value.problems} == {"manifest.unknown-contact"}


@given(
    sample=st.none() | st.text(st.characters(categories=("L", "N", "P", "Zs", "S")), min_size=1, max_size=30),
    contract=st.none()
    | st.sampled_from(["1.5", "null", "yes", "true", "a: b", "#x", "'q'", '"', "~", "- a", "*a", "é.yaml", "a b"]),
    system=st.sampled_from(["a", "null", "true", "42", "1e5", "claims-reader", "0x1f"]),
    target=st.sampled_from(["app:predict", "a.b.c:Model.run", "straße:größe", "m:_", "m:__call__"]),
)
def test_whatever_it_is_given_it_loads_with_exactly_that(
    sample: str | None, contract: str | None, system: str, target: str
) -> None:
    sample = sample if sample and sample.strip() else None
    manifest = read_manifest(starting_manifest(target, sample, contract, system), "f")
    assert manifest.samples.feed == (sample.strip() if sample else None)
    assert manifest.data.inputs == ((contract,) if contract else ())
    assert (manifest.system, manifest.target.python) == (system, target)


@given(text=st.text(max_size=200))
def test_a_short_name_is_one_or_nothing(text: str) -> None:
    name = slug_of(text)
    assert name == "" or slug_of(name) == name
    assert len(name) <= 63


@pytest.mark.parametrize(
    "target", ["https://models.example.org/read", "openai:gpt-4o", "openai:m@http://127.0.0.1:8000/v1"]
)
def test_a_service_is_one_page_too_and_what_is_left_to_say_is_named(target: str) -> None:
    text = starting_manifest(target, "feed", "contracts/input.odcs.yaml", "claims-reader")
    manifest = read_manifest(text, "f")
    assert len(text.splitlines()) <= 72
    assert max(map(len, text.splitlines())) <= 120
    assert ("target.identity" in unfilled(manifest)) is (manifest.target.http is not None)


@given(
    url=st.sampled_from(
        ["https://h/x?a=1&b=2", "http://h:1/p", "https://h/ü", "http://h/a,b", "http://h/{x}", "https://h/:x"]
    ),
    model=st.sampled_from(["gpt-4o", "true", "1.5", "a/b:c", "a,b", "a{x}", "'q'", "é"]),
)
def test_whatever_service_it_is_given_it_loads_with_exactly_that(url: str, model: str) -> None:
    http = read_manifest(starting_manifest(url, None, None, "a"), "f").target.http
    chat = read_manifest(starting_manifest(f"openai:{model}@{url}", None, None, "a"), "f").target.openai
    assert http is not None
    assert chat is not None
    assert (http.url, chat.url, chat.model) == (url, url, model)
