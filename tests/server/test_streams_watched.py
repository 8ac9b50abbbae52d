"""Streams under a governance page that says what callers may be told: over HTTP, from a model on a socket."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest
from cli.tiny_system import TinySystem
from server.a_server import new_token, serving

from plimsoll.testing.upstream import Does, Upstream

CARD = "4111 1111 1111 1111"
TARGET = """target:
  openai: {{url: "{url}", model: test-model}}
  deadline: 10 s
"""
PAGE = """\
governance: 1
organisation: Example
owners:
  data:       {name: Officer, contact: dpo@example.org}
  review:     {name: Head, contact: head@example.org}
  exceptions: {name: Chief, contact: cro@example.org}
destinations:
  model:     {hosts: [127.0.0.1]}
  customers: {hosts: [customers.example.org], purpose: Whoever asks on our pages.}
data:
  public:       {in-process: allowed, model: allowed, customers: allowed}
  internal:     {in-process: allowed, model: allowed, customers: allowed}
  confidential: {in-process: allowed, model: allowed, customers: forbidden}
  personal:     {in-process: allowed, model: allowed, customers: forbidden}
  special:      {in-process: allowed, model: forbidden, customers: forbidden}
exceptions: {approvers: [cro@example.org], longest: 90 days}
"""


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as service:
        yield service


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, upstream) -> TinySystem:
    tiny = TinySystem(tmp_path_factory.mktemp("watched") / "parity")
    (tiny.folder / "governance.yaml").write_text(PAGE)
    tiny.change("plimsoll.yaml", "target:\n  python: parity:predict\n", TARGET.format(url=upstream.url + "/v1"))
    tiny.change(
        "plimsoll.yaml",
        "  classification: personal\n  inputs: [numbers.odcs.yaml]\n",
        "  classification: internal\n  answers: {to: customers}\ngovernance: governance.yaml\n",
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


def says(text: str) -> dict[str, Any]:
    return {"model": "parity/tell-parity", "messages": [{"role": "user", "content": text}]}


def streamed(client: openai.OpenAI, text: str) -> tuple[str, Exception | None, list[float]]:
    told, arrived = "", []
    started = time.monotonic()
    try:
        for chunk in client.chat.completions.create(**says(text), stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                told += chunk.choices[0].delta.content
                arrived.append(time.monotonic() - started)
    except openai.APIError as error:
        return told, error, arrived
    return told, None, arrived


def newest(tiny: TinySystem) -> dict[str, Any]:
    entry = next(e for e in tiny.run("ledger", "show", "--json").data if e["kind"] == "decision")
    return tiny.run("ledger", "show", entry["id"], "--json").data


def test_a_stream_is_cut_before_a_card_number_leaves_and_the_record_says_up_to_where(client, tiny, upstream):
    upstream.does = Does(pause_s=0.02)
    told, error, _ = streamed(client, f"the number of your card is {CARD} and it is valid")
    assert error is not None
    assert told == "the number of your card "
    assert "4111" not in str(error)
    kept = newest(tiny)
    assert kept["header"]["disposition"] == "refused"
    body = kept["body"]
    assert body["why"].startswith("answer: personal data stands where the contract declares none")
    stream = body["stream"]
    assert stream["inspected_for"] == ["form", "personal"]
    assert stream["left"] == told
    assert stream["text_handed_on_bytes"] == len(told)
    assert len(told) < stream["text_inspected_bytes"] < len(f"the number of your card is {CARD} and it is valid")
    assert 0 < stream["handed_on_bytes"] < stream["inspected_bytes"]
    assert "4111" not in str(body["steps"]) + stream["cut"] + body["why"]


def test_the_same_answer_is_refused_as_a_whole(client, tiny):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(**says(f"the number of your card is {CARD}"))
    assert "4111" not in str(refused.value)
    body = newest(tiny)["body"]
    assert body["why"].startswith("answer: personal data stands where the contract declares none")
    assert body["answer_egress"]["verdict"] == "refused"
    assert body["answer_egress"]["place"] == "customers"


def test_what_may_leave_comes_as_it_is_made_to_its_last_word(client, tiny, upstream):
    words = "one two three four five six seven eight nine ten"
    upstream.does = Does(pause_s=0.1)
    told, error, arrived = streamed(client, words)
    assert (told, error) == (words, None)
    assert arrived[-1] - arrived[0] > 0.4, "the first word was held until the upstream had made the last"
    stream = newest(tiny)["body"]["stream"]
    assert stream["inspected_bytes"] == stream["handed_on_bytes"] > 0
    assert stream["text_inspected_bytes"] == stream["text_handed_on_bytes"] == len(words)
    assert "left" not in stream


def test_a_short_answer_that_is_all_kept_back_comes_whole(client):
    assert streamed(client, "no") == ("no", None, pytest.approx([0.1], abs=5))


def test_a_short_answer_that_may_not_leave_does_not_begin(client):
    told, error, _ = streamed(client, CARD)
    assert told == ""
    assert isinstance(error, openai.PermissionDeniedError)
