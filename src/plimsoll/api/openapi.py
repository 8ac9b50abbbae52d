"""The OpenAPI 3.1 document of the HTTP surface, made from the types that it sends and takes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from plimsoll.api.decisions import Kept
from plimsoll.api.health import Readiness
from plimsoll.api.later import Recorded
from plimsoll.api.operate import Back, Done, Releases, Stop
from plimsoll.api.problem import ProblemDocument
from plimsoll.guard import Guard
from plimsoll.guard.since import Feedback, Outcome
from plimsoll.model.decision import Answer, Tier

_TYPES: Final = (
    Answer,
    Kept,
    Feedback,
    Outcome,
    Recorded,
    Releases,
    Back,
    Stop,
    Done,
    Readiness,
    ProblemDocument,
)
_RECORD: Final = {"type": "string", "pattern": "^[0-9a-f]{32}-[0-9]{1,18}$"}


def document(guard: Guard) -> bytes:
    """The document for one system, with its own decision types."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    settings = guard.settings
    types = sorted(settings.types)
    held = [name for name, kind in settings.types.items() if kind.tier is Tier.HUMAN_ONLY]
    note = f" Always held, the model is never called: {', '.join(held)}." if held else ""
    paths = {
        "/v1/decisions/{name}": {
            "post": _operation(
                "decide",
                "Take one decision, or many.",
                "The body is the record, byte for byte; as application/jsonl, many, each of which ends by itself: the "
                "response has a line for each, an answer or a problem, in their order." + note,
                parameters=[
                    _path("name", {"type": "string", "enum": types}, "The decision type."),
                    _header("Idempotency-Key", "The same key and record give the recorded answer again."),
                    _header("Plimsoll-Subject", "The person or case it is about; percent-encoded UTF-8."),
                    _header("Plimsoll-Source", "The declared source it came from; it chooses the contract."),
                    _header(
                        "Plimsoll-Offset", "Where it stood in its feed; recorded, and shown when it is quarantined."
                    ),
                    _header("Plimsoll-Unavailable", "Why the source gave no record; the body is empty then."),
                    *_FOR_WHOM,
                ],
                body={"application/json": {}, "application/jsonl": {"schema": {"type": "string"}}},
                responses={
                    "200": {
                        "description": "It is answered; or, of many, each as it ended.",
                        "content": {**_json("Answer"), "application/jsonl": {"schema": {"type": "string"}}},
                    },
                    "202": {"description": "A person decides; ask again under Location.", "content": _json("Answer")},
                    **_problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 502, 503, 504),
                },
            ),
            "get": _operation(
                "show",
                "Read a decision that was taken, and what was said of it since.",
                "",
                parameters=[_path("name", _RECORD, "The id of the decision's record."), *_FOR_WHOM],
                responses={
                    "200": {"description": "The decision.", "content": _json("Kept")},
                    **_problems(400, 401, 403, 404, 410),
                },
            ),
        },
        "/v1/decisions/{record}/feedback": {"post": _said("feedback", "Say whether an answer was right.", "Feedback")},
        "/v1/decisions/{record}/outcome": {"post": _said("outcome", "Say what turned out to be true.", "Outcome")},
        "/v1/chat/completions": {
            "post": _operation(
                "complete",
                "A chat completion in OpenAI's form; the model is system/type.",
                "The whole request is the record of a decision. A held answer is a 422 that clients do not send again. "
                "With stream, the reply is server-sent events.",
                parameters=list(_FOR_WHOM),
                body={"application/json": {"schema": _CHAT}},
                responses={
                    "200": {
                        "description": "The completion.",
                        "content": {
                            "application/json": {"schema": {"type": "object"}},
                            "text/event-stream": {"schema": {"type": "string"}},
                        },
                    },
                    **_openai_errors(400, 401, 403, 404, 408, 409, 413, 415, 422, 502, 503, 504),
                },
            )
        },
        "/v1/models": {
            "get": _operation(
                "models",
                "The decision types, as a chat client names them.",
                "",
                responses={
                    "200": {
                        "description": "The list.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_openai_errors(401, 403),
                },
            )
        },
        "/v1/releases": {
            "get": _operation(
                "releases",
                "The releases, the latest first, with what was done with each.",
                "",
                responses={"200": {"description": "The list.", "content": _json("Releases")}, **_problems(401, 403)},
            )
        },
        "/v1/releases/rollback": {
            "post": _steered("rollback", "Make a release that was live before live again.", "Back")
        },
        "/v1/stop": {"post": _steered("stop", "Leave decisions to people, of one type or of all.", "Stop")},
        "/healthz": {"get": _open("alive", "Whether this process answers.", {"type": "object"})},
        "/readyz": {
            "get": _open("ready", "Whether it can take decisions, and if not, why.", _ref("Readiness"), also="503")
        },
        "/metrics": {
            "get": _operation(
                "metrics",
                "Counts for Prometheus.",
                "",
                responses={
                    "200": {"description": "Text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                    **_problems(401, 403),
                },
            )
        },
        "/openapi.json": {"get": _open("describe", "This document.", {"type": "object"})},
    }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": f"Decisions of {settings.system}", "version": "1", "license": {"name": "Apache-2.0"}},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"token": []}],
        }
    )


def _said(name: str, summary: str, schema: str) -> dict[str, Any]:
    return _operation(
        name,
        summary,
        "It is an entry of its own that refers to the decision; nothing of the decision changes.",
        parameters=[_path("record", _RECORD, "The id of the decision's record.")],
        body=_json(schema),
        responses={
            "201": {"description": "It is recorded.", "content": _json("Recorded")},
            **_problems(400, 401, 403, 404, 408, 413, 415, 422, 503),
        },
    )


def _steered(name: str, summary: str, schema: str) -> dict[str, Any]:
    return _operation(
        name,
        summary,
        "Every guard on this ledger obeys within a second; what is in flight ends on what it began with. Who did it is "
        "the client that the token is for.",
        body=_json(schema),
        responses={
            "201": {"description": "It is recorded.", "content": _json("Done")},
            **_problems(400, 401, 403, 408, 409, 413, 415, 422, 503),
        },
    )


def _open(name: str, summary: str, schema: dict[str, Any], *, also: str = "") -> dict[str, Any]:
    response = {"description": summary, "content": {"application/json": {"schema": schema}}}
    operation = _operation(name, summary, "", responses={code: response for code in ("200", also) if code})
    return operation | {"security": []}


def _operation(
    name: str,
    summary: str,
    description: str,
    *,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if description:
        made["description"] = description
    if parameters:
        made["parameters"] = parameters
    if body:
        made["requestBody"] = {"required": True, "content": body}
    return made


def _problems(*codes: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("ProblemDocument")}}
    return {str(code): {"description": "A problem (RFC 9457).", "content": content} for code in (*codes, 431, 500)}


_CHAT: Final = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array", "items": {"type": "object"}},
        "stream": {"type": "boolean"},
    },
}


def _openai_errors(*codes: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object", "required": ["error"]}}}
    return {str(code): {"description": "An error in OpenAI's form.", "content": content} for code in (*codes, 500)}


def _path(name: str, schema: dict[str, Any], said: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": said, "schema": schema}


def _header(name: str, said: str) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": 200, "pattern": "^[!-~]+$"}
    return {"name": name, "in": "header", "required": False, "description": said, "schema": schema}


_FOR_WHOM: Final = (
    _header("Plimsoll-Principal", "The person it is asked for; needs a token with the scope act-for."),
    _header("Plimsoll-Labels", "Access labels that the person holds, by commas; the token holds them too."),
)


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(name)}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
