"""What a manifest may say of its target."""

from __future__ import annotations

import pytest

from plimsoll.errors import InvalidFile, Problem
from plimsoll.model.endpoint import Certainty, Form, files_of
from plimsoll.model.manifest import Manifest
from plimsoll.model.manifest_reader import read_manifest

PYTHON = "  python: claims_reader.model:predict\n  artifacts: [claims_reader/weights.npz]\n"

HTTP = """\
  identity: reader 2.1
  idempotent: true
  http:
    url: https://models.example.org/read?v=2
    headers:
      authorization: {env: CLAIMS_TOKEN, prefix: "Bearer "}
      x-key: {file: /run/secrets/key}
      x-team: {value: claims}
    request: {inputs: {pointer: /scan}, note: {as_text: "for {/claim}"}, prompt: {from_file: prompts/read.txt}}
    response: {output: /answer, confidence: /score, usage: /usage, identity: /version}
    authorities: certs/own.pem
"""

CHAT = """\
  identity: gpt-4o-2024-08-06
  openai:
    url: http://127.0.0.1:8000/v1
    model: gpt-4o
    key: {env: OPENAI_API_KEY}
    messages:
      - {role: system, content: {from_file: prompts/system.txt}}
      - {role: user, content: {as_text: "{/claim}"}}
    settings: {temperature: 0, tools: {literal: []}}
    schema: contracts/answer.schema.json
    confidence: joint
"""

ONNX = """\
  onnx:
    model: model.onnx
    inputs: [{name: X, pointer: /features, dtype: float32, shape: [1, 1, -1]}]
    labels: [cat, dog]
    softmax: true
"""


@pytest.fixture
def with_target(example: str):
    start = example.index("target:\n") + len("target:\n")
    end = example.index("  deadline:")

    def read(target: str) -> Manifest:
        return read_manifest(example[:start] + target + example[end:], "f")

    return read


@pytest.fixture
def problems(with_target):
    def of(target: str) -> list[Problem]:
        with pytest.raises(InvalidFile) as caught:
            with_target(target)
        return list(caught.value.problems)

    return of


def test_a_service_is_read_whole(with_target) -> None:
    target = with_target(HTTP).target
    assert target.is_remote
    assert target.http.headers["authorization"].prefix == "Bearer "
    assert target.http.response.identity == "/version"
    assert target.http.request.files == ("prompts/read.txt",)
    assert files_of(target.http) == ("prompts/read.txt", "certs/own.pem")


def test_a_chat_endpoint_is_read_whole(with_target) -> None:
    target = with_target(CHAT).target
    assert target.openai.confidence is Certainty.JOINT
    assert target.openai.output is None
    assert target.openai.settings.value == {"temperature": 0, "tools": {"literal": []}}
    assert files_of(target.openai) == ("prompts/system.txt", "contracts/answer.schema.json")


def test_a_model_file_is_read_whole(with_target) -> None:
    target = with_target(ONNX).target
    assert target.onnx.inputs[0].shape == (1, 1, -1)
    assert not target.is_remote
    assert files_of(target.onnx) == ("model.onnx",)


def test_workers_are_read(with_target) -> None:
    assert with_target(PYTHON + "  workers: 4\n  worker_memory_mib: 2048\n").target.workers == 4


@pytest.mark.parametrize("target", [HTTP, CHAT, ONNX])
def test_unplugging_one_target_and_plugging_in_another_changes_the_target_alone(with_target, target) -> None:
    one, other = with_target(PYTHON), with_target(target)
    assert {k for k in one.release_part if one.release_part[k] != other.release_part[k]} == {"target"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HTTP, HTTP.replace("v=2", "v=3")),
        (HTTP, HTTP.replace("reader 2.1", "reader 2.2")),
        (HTTP, HTTP.replace("for {/claim}", "about {/claim}")),
        (HTTP, HTTP.replace("/score", "/p")),
        (HTTP, HTTP.replace("CLAIMS_TOKEN", "OTHER_TOKEN")),
        (CHAT, CHAT.replace("temperature: 0", "temperature: 1")),
        (CHAT, CHAT.replace("model: gpt-4o", "model: gpt-4.1")),
        (ONNX, ONNX.replace("softmax: true", "softmax: false")),
        (PYTHON, PYTHON + "  workers: 2\n"),
    ],
)
def test_whatever_changes_how_it_answers_changes_what_belongs_to_the_release(with_target, one, other) -> None:
    assert with_target(one).release_part != with_target(other).release_part


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("", "manifest.missing-key", "'target' has no 'python', 'http', 'openai' or 'onnx'"),
        (PYTHON + ONNX, "manifest.target", "it is one thing"),
        (ONNX + "  workers: 2\n", "manifest.target", "'workers' has no effect on a target under 'onnx'"),
        (HTTP + "  path: [src]\n", "manifest.target", "'path' has no effect on a target under 'http'"),
        (PYTHON + "  identity: mine\n", "manifest.target", "'identity' has no effect on a target under 'python'"),
        (PYTHON + "  worker_memory_mib: 512\n", "manifest.target", "no effect without 'workers'"),
        (PYTHON + "  workers: 0\n", "manifest.range", "out of range"),
        (HTTP.replace("  identity: reader 2.1\n", ""), "manifest.identity", "nothing says which version"),
        (HTTP.replace("{value: claims}", "{}"), "manifest.secret", "names nothing"),
        (HTTP.replace("{value: claims}", "{value: claims, env: TEAM}"), "manifest.secret", "names env and value"),
        (HTTP.replace("{file: /run/secrets/key}", "{value: hunter2}"), "manifest.secret", "stands in the manifest"),
        (HTTP.replace("env: CLAIMS_TOKEN", "value: hunter2"), "manifest.secret", "stands in the manifest"),
        (HTTP.replace("CLAIMS_TOKEN", "sk-hunter2!"), "manifest.variable", "not the name of an environment variable"),
        (HTTP.replace("https://models", "https://me:hunter2@models"), "manifest.url", "holds a user name"),
        (HTTP.replace("https://models", "ftp://models"), "manifest.url", "is not an http or https URL"),
        (HTTP.replace("output: /answer", "output: answer"), "manifest.pointer", "not a JSON Pointer"),
        (HTTP.replace("pointer: /scan", "pointer: scan"), "manifest.template", "not a JSON Pointer"),
        (HTTP.replace("for {/claim}", "for {/claim"), "manifest.template", "stands alone"),
        (HTTP.replace("x-team", "X-Team"), "manifest.name", "short name"),
        (CHAT.replace("temperature: 0", "model: other"), "manifest.target", "it has a key of its own"),
        (CHAT.replace("temperature: 0", "stream: true"), "manifest.target", "'stream' is not left to settings"),
        (CHAT.replace("temperature: 0", "n: 2"), "manifest.target", "one answer to one question"),
        (CHAT.replace("temperature: 0", "response_format: {type: json_object}"), "manifest.target", "the schema asks for a format itself"),
        (CHAT.replace("confidence: joint", "confidence: joint\n    confidence_at: /sure"), "manifest.target", "two confidences"),
        (CHAT.replace("confidence: joint", "confidence_at: /sure\n    output: text"), "manifest.target", "a place in a json answer"),
        (CHAT.replace("confidence: joint", "confidence: both"), "manifest.word", "joint, mean, least"),
        (CHAT.replace("{env: OPENAI_API_KEY}", "{}"), "manifest.secret", "env or file"),
        (CHAT.replace("settings: {temperature: 0, tools: {literal: []}}", "settings: [1]"), "manifest.template", "not a group of keys"),
        (ONNX.replace("shape: [1, 1, -1]", "shape: [1, -2]"), "manifest.range", "out of range"),
    ],
)  # fmt: skip
def test_one_fault_is_one_problem_with_its_place_and_what_to_do(problems, target, code, said) -> None:
    (problem,) = problems(target)
    assert problem.code == code
    assert said in problem.message
    assert problem.fix
    assert problem.where.line > 1


def test_no_message_repeats_what_may_be_a_secret(problems) -> None:
    for target in (
        HTTP.replace("{file: /run/secrets/key}", "{value: hunter2}"),
        HTTP.replace("https://models", "https://me:hunter2@models"),
        HTTP.replace("CLAIMS_TOKEN", "hunter2!"),
    ):
        assert "hunter2" not in str(problems(target)[0])


def test_messages_must_be_a_list(problems) -> None:
    (problem,) = problems(CHAT[: CHAT.index("    messages:")] + "    messages: {role: user}\n")
    assert "not a list of messages" in problem.message


def test_what_of_the_reply_is_the_answer_can_be_said(with_target) -> None:
    assert (
        with_target(CHAT.replace("schema: contracts/answer.schema.json", "output: json")).target.openai.output
        is Form.JSON
    )
