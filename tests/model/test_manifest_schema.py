from __future__ import annotations

from importlib import resources
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from plimsoll.model.asked import keys_of
from plimsoll.model.manifest import Manifest
from plimsoll.model.manifest_schema import SHIPPED, manifest_schema, schema_text
from plimsoll.model.manifest_writer import starting_manifest
from plimsoll.model.metrics import METRICS
from plimsoll.model.yaml_source import load

SCHEMA = manifest_schema()


def faults(text: str) -> list[jsonschema_rs.ValidationError]:
    return list(jsonschema_rs.Draft7Validator(SCHEMA).iter_errors(load(text, "f").data))


def groups(schema: Any) -> list[dict[str, Any]]:
    return [schema, *schema["definitions"].values()]


def test_the_shipped_file_is_what_the_types_give() -> None:
    shipped = resources.files("plimsoll.model").joinpath(SHIPPED).read_text()
    assert shipped == schema_text(), "run `python -m plimsoll.model.manifest_schema` and put it there"


def test_it_is_a_draft_07_schema() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema_rs.meta.validate(SCHEMA)
    assert b"$defs" not in msgspec.json.encode(SCHEMA)
    assert b"prefixItems" not in msgspec.json.encode(SCHEMA)


def test_it_takes_what_the_reader_takes(example: str) -> None:
    assert faults(example) == []
    assert faults(starting_manifest("app:predict", "feed", "contracts/input.odcs.yaml", "app")) == []


def test_it_finds_the_faults_of_shape(thirty_faults: str) -> None:
    found = {"/".join(map(str, fault.instance_path)) for fault in faults(thirty_faults)}
    assert {"plimsoll", "system", "target/deadline", "target/concurrency", "load/peak", "durability"} <= found
    assert {f"threshold/conditions/{at}" for at in (0, 1, 2, 3, 7, 8)} <= found
    assert "threshold/conditions/5" not in found


def test_every_key_says_what_it_is_for() -> None:
    assert set(SCHEMA["properties"]) == set(keys_of(Manifest))
    for group in groups(SCHEMA):
        assert group["description"]
        for name, key in group.get("properties", {}).items():
            assert key["description"], name


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_is_offered_as_an_example_that_holds(metric: str) -> None:
    condition = SCHEMA["definitions"]["Condition"]
    (sentence,) = (e for e in condition["examples"] if e.split()[0] == metric)
    assert jsonschema_rs.Draft7Validator(condition).is_valid(sentence)


def test_every_example_is_taken_by_its_own_schema() -> None:
    for definition in SCHEMA["definitions"].values():
        for example in definition.get("examples", []):
            assert jsonschema_rs.Draft7Validator(definition).is_valid(example), example
