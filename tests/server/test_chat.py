"""The official OpenAI client against our endpoint: it changes its base URL and its model, and nothing else."""

from __future__ import annotations

import json
import time

import openai
import pytest
from cli.tiny_system import TinySystem
from server.a_server import new_token, serving

from plimsoll.testing.upstream import Does, Upstream

TARGET = """target:
  openai: {{url: "{url}", model: test-model}}
  deadline: 10 s
"""
MESSAGES = [{"role": "user", "content": "one two three four five six"}]


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as service:
        yield service


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, upstream) -> TinySystem:
    tiny = TinySystem(tmp_path_factory.mktemp("chat") / "parity")
    tiny.change("plimsoll.yaml", "target:\n  python: parity:predict\n", TARGET.format(url=upstream.url + "/v1"))
    tiny.change("plimsoll.yaml", "  inputs: [numbers.odcs.yaml]\n", "")
    tiny.change("plimsoll.yaml", "classification: personal", "classification: public")  # what may leave without a page
    tiny.change("plimsoll.yaml", "load:", "review: {per_item: 30 s, capacity: 4 h}\nload:")
    tiny.change(
        "plimsoll.yaml",
        "decisions:\n",
        "decisions:\n  careful: {tier: reviewed, accountable: head@example.org}\n"
        "  told: {tier: reviewed, accountable: head@example.org, held_message: A colleague will answer you.}\n"
        "  people: {tier: human-only, accountable: head@example.org}\n",
    )
    return tiny


@pytest.fixture(scope="module")
def server(tiny):
    token = new_token(tiny, "decide", "read")
    with serving(tiny) as running:
        running.token = token
        yield running


@pytest.fixture
def client(server, upstream):
    upstream.does = Does()
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=server.token, max_retries=0) as made:
        yield made


def record_of(tiny, record: str):
    return tiny.run("ledger", "show", record, "--json").data


def test_a_whole_reply(client, tiny, upstream):
    reply = client.chat.completions.with_raw_response.create(model="parity/tell-parity", messages=MESSAGES)
    completion = reply.parse()
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens > 0
    kept = record_of(tiny, reply.headers["plimsoll-record"])
    assert kept["header"]["disposition"] == "answered"
    assert kept["body"]["input"]["messages"] == MESSAGES
    assert upstream.seen[-1].value["model"] == "test-model"


def test_a_stream_comes_as_it_is_made_and_the_record_says_what_was_inspected(client, tiny, upstream):
    whole = client.chat.completions.create(model="parity/tell-parity", messages=MESSAGES).choices[0].message.content
    upstream.does = Does(pause_s=0.15)
    started = time.monotonic()
    arrived, text, finish = [], "", None
    for chunk in client.chat.completions.create(model="parity/tell-parity", messages=MESSAGES, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            arrived.append(time.monotonic() - started)
            text += chunk.choices[0].delta.content
        if chunk.choices:
            finish = chunk.choices[0].finish_reason or finish
    assert (text, finish) == (whole, "stop")
    assert arrived[-1] - arrived[0] > 0.25, "the first token was held until the upstream had made the last"
    newest = [e for e in tiny.run("ledger", "show", "--json").data if e["kind"] in {"decision", "stream.started"}]
    decision = record_of(tiny, newest[0]["id"])
    stream = decision["body"]["stream"]
    assert stream["inspected_bytes"] == stream["handed_on_bytes"] > 0
    assert stream["started"] == newest[1]["id"]
    assert newest[1]["time"] < newest[0]["time"]
    assert decision["body"]["output"]["content"] == whole


def test_a_stream_that_breaks_ends_in_an_error_and_not_as_if_it_were_done(client, tiny, upstream):
    upstream.does = Does(cut_at=900, pause_s=0.02)
    with pytest.raises(openai.APIError):
        for _ in client.chat.completions.create(model="parity/tell-parity", messages=MESSAGES, stream=True):
            pass
    newest = next(e for e in tiny.run("ledger", "show", "--json").data if e["kind"] == "decision")
    assert newest["disposition"] == "failed"


class TestHeld:
    def test_it_is_an_error_that_clients_do_not_send_again(self, client, server):
        patient = client.with_options(max_retries=3)
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            patient.chat.completions.create(model="parity/careful", messages=MESSAGES)
        error = caught.value.body
        assert (error["type"], error["code"]) == ("held_for_review", "held_for_review")
        assert server.ask("GET", error["status_url"], token=server.token).data["answer"]["disposition"] == "held"

    def test_or_the_declared_message(self, client):
        choice = client.chat.completions.create(model="parity/told", messages=MESSAGES).choices[0]
        assert (choice.message.content, choice.finish_reason) == ("A colleague will answer you.", "content_filter")

    def test_a_reviewed_type_gives_no_pieces(self, client):
        with pytest.raises(openai.UnprocessableEntityError):
            client.chat.completions.create(model="parity/careful", messages=MESSAGES, stream=True)

    def test_human_only_work_reaches_no_model(self, client, upstream):
        before = len(upstream.seen)
        with pytest.raises(openai.UnprocessableEntityError):
            client.chat.completions.create(model="parity/people", messages=MESSAGES)
        assert len(upstream.seen) == before


def test_errors_have_the_shape_that_the_client_knows(client, server, tiny):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="parity/fortune", messages=MESSAGES)
    assert record_of(tiny, unknown.value.body["record"])["header"]["disposition"] == "refused"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="nonsense").chat.completions.create(model="parity/careful", messages=MESSAGES)
    reply = server.ask("POST", "/v1/chat/completions", b"{", token=server.token)
    assert reply.status == 400
    assert json.loads(reply.raw)["error"]["code"] == "request.json"


def test_an_upstream_that_fails_is_a_server_error(client, upstream):
    upstream.does = Does(status=500)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="parity/tell-parity", messages=MESSAGES)
    assert caught.value.status_code == 502


def test_the_models_are_the_decision_types(client):
    assert {model.id for model in client.models.list()} == {
        "parity/tell-parity", "parity/careful", "parity/told", "parity/people",
    }  # fmt: skip
