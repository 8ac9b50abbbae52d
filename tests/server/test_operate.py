"""Releases over HTTP: seen, gone back from, and everything left to people, by a token that may."""

from __future__ import annotations

import time

import msgspec
import pytest
from cli.tiny_system import TinySystem
from server.a_server import new_token, serving

from plimsoll.ledger import Draft, Ledger
from plimsoll.model.control import Action, Control

DECIDE = "/v1/decisions/tell-parity"
TARGET = 'def predict(record):\n    return {{"version": {version}}}\n'


def _kept(tiny: TinySystem, version: int) -> str:
    tiny.write("parity.py", TARGET.format(version=version))
    ran = tiny.run("rollout", "build", "--by", "builder@example.org")
    assert ran.code == 0, ran
    return ran.stdout.strip()


def _promote(tiny: TinySystem, release: str) -> None:
    """As the command writes it; no attestation is looked at here."""
    control = Control(action=Action.PROMOTE, by="ops@example.org", reason="test", release=release)
    with Ledger.open(tiny.ledger) as ledger:
        ledger.append(Draft(kind="control", system="parity", body=msgspec.json.encode(control)))


@pytest.fixture(scope="module")
def rolling(tmp_path_factory):
    """A system of two releases, the second of which is live."""
    tiny = TinySystem(tmp_path_factory.mktemp("rolling") / "parity")
    first, second = _kept(tiny, 1), _kept(tiny, 2)
    _promote(tiny, first)
    _promote(tiny, second)
    return tiny, first, second


def test_going_back_is_one_request_and_every_process_obeys_within_a_second(rolling):
    tiny, first, second = rolling
    operator, caller = new_token(tiny, "operate", "read"), new_token(tiny, "decide")
    with serving(tiny, "--workers", "2") as server:
        _until(lambda: server.ask("GET", "/readyz").status == 200)
        assert {server.ask("POST", DECIDE, {"number": n}, token=caller).data["release"] for n in range(10)} == {second}
        shown = server.ask("GET", "/v1/releases", token=operator).data
        assert shown["live"] == second
        assert {line["release"]: line["state"] for line in shown["releases"]} == {second: "live", first: "previous"}

        reply = server.ask("POST", "/v1/releases/rollback", {"reason": "ten times too high"}, token=operator)
        assert (reply.status, reply.data["release"]) == (201, first), reply
        time.sleep(1)
        assert {server.ask("POST", DECIDE, {"number": n}, token=caller).data["release"] for n in range(20)} == {first}

        shown = server.ask("GET", "/v1/releases", token=operator).data
        assert shown["live"] == first
        last = max((step for line in shown["releases"] for step in line["steps"]), key=lambda step: step["time"])
        assert (last["action"], last["reason"]) == ("rollback", "ten times too high")
        assert last["by"] == "token a test", "who did it is the client that the token is for"

        again = server.ask("POST", "/v1/releases/rollback", {"reason": "once more"}, token=operator)
        assert again.status == 409, again
        assert "nothing to go back to" in again.data["detail"]


def test_a_stop_leaves_every_decision_to_people(rolling):
    tiny, _, _ = rolling
    operator, caller = new_token(tiny, "operate"), new_token(tiny, "decide")
    with serving(tiny) as server:
        _until(lambda: server.ask("GET", "/readyz").status == 200)
        wrong = server.ask("POST", "/v1/stop", {"reason": "why", "type": "nobody-knows"}, token=operator)
        assert wrong.status == 422, wrong
        stopped = server.ask("POST", "/v1/stop", {"reason": "blank pages"}, token=operator)
        assert stopped.status == 201, stopped
        time.sleep(1)
        assert server.ask("POST", DECIDE, {"number": 1}, token=caller).data["disposition"] == "held"


@pytest.fixture(scope="module")
def tokens(tiny) -> dict[str, str]:
    """Of an operator, of somebody who is none, and of an operator of one decision type alone."""
    return {
        "operator": new_token(tiny, "operate"),
        "caller": new_token(tiny, "decide", "read", "feedback", "metrics"),
        "of one type": new_token(tiny, "operate", type="tell-parity"),
    }


@pytest.fixture(scope="module")
def steered(tiny, tokens):
    with serving(tiny) as running:
        yield running


@pytest.mark.parametrize("path", ["/v1/releases/rollback", "/v1/stop"])
def test_who_may_not_steer_does_not(steered, tokens, path):
    assert steered.ask("POST", path, {"reason": "why"}).status == 401
    for who in ("caller", "of one type"):
        assert steered.ask("POST", path, {"reason": "why"}, token=tokens[who]).status == 403, who


@pytest.mark.parametrize("path", ["/v1/releases/rollback", "/v1/stop"])
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": 1}, {"reason": "x", "force": True}])
def test_what_is_asked_for_must_be_whole(steered, tokens, path, body):
    reply = steered.ask("POST", path, body, token=tokens["operator"])
    assert (reply.status, reply.data["code"]) == (422, "request.fields"), reply


def _until(holds, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it does not come to hold"
        time.sleep(0.05)
