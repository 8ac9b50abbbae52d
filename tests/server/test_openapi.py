"""The surface as its own OpenAPI document describes it: fuzzed by schemathesis, over real sockets."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from server.a_server import new_token


def test_the_document_is_valid_and_names_the_systems_own_types(server):
    document = server.ask("GET", "/openapi.json").data
    assert document["openapi"] == "3.1.0"
    post = document["paths"]["/v1/decisions/{name}"]["post"]
    assert post["parameters"][0]["schema"]["enum"] == ["tell-parity"]
    text = json.dumps(document)
    for ref in {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}:
        assert ref in document["components"]["schemas"], ref


@pytest.fixture(scope="module")
def almighty(tiny) -> str:
    return new_token(tiny, "decide", "read", "feedback", "metrics", "operate")


OPERATIONS = [
    "decide",
    "show",
    "feedback",
    "outcome",
    "complete",
    "models",
    "alive",
    "ready",
    "metrics",
    "releases",
    "rollback",
    "stop",  # the last one: every decision is held from then on
]  # not where the document itself is


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_that_is_sent_makes_it_fail(server, almighty, name, mode):
    """Never a 5xx but what is declared, and every response as the document says."""
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = {found.ok().definition.raw["operationId"]: found.ok() for found in schema.get_all_operations()}
    assert sorted(operations) == sorted(OPERATIONS)

    @settings(max_examples=20, suppress_health_check=list(HealthCheck))
    @given(case=operations[name].as_strategy(generation_mode=mode))
    def holds(case):
        response = case.call(headers={"Authorization": f"Bearer {almighty}"}, timeout=20)
        case.validate_response(
            response,
            checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance],
        )

    try:
        holds()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "an operation without parameters has no wrong ones"
