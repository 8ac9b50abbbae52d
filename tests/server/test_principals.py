"""Who asks over HTTP: the client that holds the token, or the person it asks for; and who is shown what. Real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli.tiny_system import TinySystem
from server.a_server import Reply, Running, new_token, serving

DECIDE = "/v1/decisions/tell-parity"
CITING = '''\
"""Whether a whole number is even, by the handbook."""

from plimsoll import Result


def predict(record):
    return Result({"parity": "even"}, sources=({"name": "handbook", "document": "12"},))
'''


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinySystem:
    tiny = TinySystem(tmp_path_factory.mktemp("principals") / "parity")
    tiny.write("parity.py", CITING)
    tiny.change("plimsoll.yaml", "load:", "knowledge:\n  handbook: {owner: Head, access: [claims]}\nload:")
    return tiny


@pytest.fixture(scope="module")
def tokens(tiny) -> dict[str, str]:
    return {
        "claims": new_token(tiny, "decide", "read", label="claims"),
        "none": new_token(tiny, "decide", "read"),
        "desk": new_token(tiny, "decide", "read", "act-for", label="claims"),
    }


@pytest.fixture(scope="module")
def server(tiny, tokens) -> Running:
    with serving(tiny) as running:
        yield running


def ask(server: Running, token: str, **headers: str) -> Reply:
    sent = {f"Plimsoll-{name.capitalize()}": value for name, value in headers.items() if name != "key"}
    if "key" in headers:
        sent["Idempotency-Key"] = headers["key"]
    return server.ask("POST", DECIDE, {"number": 2}, token=token, headers=sent)


def recorded(tiny: TinySystem, record: str) -> Any:
    return tiny.run("ledger", "show", record, "--json").data["body"]


def test_a_client_asks_with_the_labels_of_its_token_and_is_on_record(server, tiny, tokens):
    reply = ask(server, tokens["claims"])
    assert (reply.status, reply.data["output"]) == (200, {"parity": "even"})
    assert recorded(tiny, reply.data["record"])["principal"] == "token:a test"
    refused = ask(server, tokens["none"])
    assert (refused.status, refused.data["disposition"]) == (403, "refused")
    assert "parity" not in refused.raw.decode().replace("tell-parity", "")


def test_a_token_that_may_asks_for_a_person_with_the_labels_that_it_names(server, tiny, tokens):
    reply = ask(server, tokens["desk"], principal="ann", labels="claims")
    assert (reply.status, recorded(tiny, reply.data["record"])["principal"]) == (200, "ann")
    without = ask(server, tokens["desk"], principal="bob")
    assert (without.status, without.data["disposition"]) == (403, "refused")
    assert recorded(tiny, without.data["record"])["principal"] == "bob"
    percent = ask(server, tokens["desk"], principal="J%C3%BCrgen", labels="claims")
    assert recorded(tiny, percent.data["record"])["principal"] == "Jürgen"


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("claims", {"principal": "ann"}, 403),  # not ignored: whoever sends it believes that it counts
        ("claims", {"labels": "claims"}, 403),
        ("claims", {"principal": ""}, 403),
        ("desk", {"principal": "ann", "labels": "claims, hr"}, 403),  # a label that the token has not
        ("desk", {"principal": "ann", "labels": "public"}, 403),
        ("desk", {"principal": "", "labels": "claims"}, 400),  # an application that does not know its user
        ("desk", {"principal": ""}, 400),
        ("desk", {"labels": "claims"}, 400),
        ("desk", {"principal": "token:a test", "labels": "claims"}, 400),
    ],
)
def test_a_header_that_does_not_count_is_refused_and_widens_nothing(server, tokens, token, headers, status):
    reply = ask(server, tokens[token], **headers)
    assert reply.status == status
    assert "disposition" not in reply.data, "nothing was decided"
    chat = {"model": "parity/tell-parity", "messages": [{"role": "user", "content": "x"}]}
    sent = {f"Plimsoll-{name.capitalize()}": value for name, value in headers.items()}
    reply = server.ask("POST", "/v1/chat/completions", chat, token=tokens[token], headers=sent)
    assert (reply.status, "error" in json.loads(reply.raw)) == (status, True)


def test_a_decision_is_shown_to_those_who_may_see_it(server, tokens):
    record = ask(server, tokens["desk"], principal="ann", labels="claims").data["record"]

    def read(token: str, **headers: str) -> int:
        sent = {f"Plimsoll-{name.capitalize()}": value for name, value in headers.items()}
        return server.ask("GET", f"/v1/decisions/{record}", token=tokens[token], headers=sent).status

    assert read("desk", principal="ann", labels="claims") == 200
    assert read("desk", principal="ann") == 404, "she has lost the label since"
    assert read("desk", principal="bob", labels="claims") == 404, "it was taken for another person"
    assert read("claims") == 200
    assert read("none") == 404, "what it rests on is closed to this client"


def test_an_idempotent_replay_shows_nobody_the_answer_of_another(server, tokens):
    first = ask(server, tokens["desk"], principal="ann", labels="claims", key="k1")
    again = ask(server, tokens["desk"], principal="ann", labels="claims", key="k1")
    assert (again.data["record"], again.data["replayed"]) == (first.data["record"], True)
    for headers in ({"principal": "bob", "labels": "claims"}, {"principal": "ann"}):
        reply = ask(server, tokens["desk"], key="k1", **headers)
        assert (reply.status, "parity" in json.dumps(reply.data.get("output"))) == (409, False)
    assert ask(server, tokens["none"], key="k1").status == 409


def test_the_command_line_says_who_asks(tiny):
    (tiny.folder / "one.jsonl").write_text('{"number": 2}\n')
    seen = tiny.run("decide", "tell-parity", "one.jsonl", "--principal", "ann", "--label", "claims")
    assert [answer["disposition"] for answer in seen.lines] == ["answered"]
    unseen = tiny.run("decide", "tell-parity", "one.jsonl", "--principal", "ann")
    assert [answer["disposition"] for answer in unseen.lines] == ["refused"]
    assert tiny.run("decide", "tell-parity", "one.jsonl", "--label", "claims").code == 2
