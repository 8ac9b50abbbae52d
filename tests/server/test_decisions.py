"""Decisions over HTTP: a real server process, real sockets."""

from __future__ import annotations

import json
import time

import pytest
from server.a_server import new_token

DECIDE = "/v1/decisions/tell-parity"


def test_a_record_is_answered_and_its_record_can_be_read_again(server, token):
    reply = server.ask("POST", DECIDE, {"number": 7}, token=token)
    assert reply.status == 200, reply
    assert reply.data["output"] == {"parity": "odd"}
    assert reply.data["disposition"] == "answered"
    assert reply.headers["plimsoll-record"] == reply.data["record"]
    assert reply.headers["cache-control"] == "no-store"

    kept = server.ask("GET", f"/v1/decisions/{reply.data['record']}", token=token)
    assert kept.status == 200, kept
    assert kept.data["answer"]["output"] == {"parity": "odd"}
    assert kept.data["type"] == "tell-parity"


@pytest.mark.parametrize(
    ("body", "status", "rule"),
    [
        (b'{"number": "seven"}', 422, "type"),
        (b'{"number": ', 422, "json"),
        (b"", 422, "empty"),
        (b"\xff\xfe", 422, "utf-8"),
        (b'{"number": NaN}', 422, "finite"),
        (b"[" * 5000 + b"]" * 5000, 422, "nesting"),
        (b'{"number": 1, "number": 2}', 422, "duplicate-key"),
        (b'{"number": "' + b"x" * (1 << 20) + b'"}', 413, "size"),
    ],
)
def test_what_cannot_be_processed_is_quarantined_and_on_record(server, token, tiny, body, status, rule):
    reply = server.ask("POST", DECIDE, body, token=token)
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.data
    assert (problem["status"], problem["code"], problem["disposition"]) == (status, "quarantined", "quarantined")
    assert rule in {reason["rule"] for reason in problem["reasons"]}
    shown = tiny.run("ledger", "show", problem["record"], "--json")
    assert shown.data["header"]["disposition"] == "quarantined"


def test_an_undeclared_type_is_refused_and_on_record(server, token, tiny):
    reply = server.ask("POST", "/v1/decisions/tell-fortune", {"number": 7}, token=token)
    assert (reply.status, reply.data["code"], reply.data["disposition"]) == (404, "no-such-type", "refused")
    assert tiny.run("ledger", "show", reply.data["record"], "--json").data["header"]["disposition"] == "refused"


def test_many_records_come_back_line_by_line_each_as_it_ended(server, token):
    body = b'{"number": 1}\n{"number": "x"}\n\n{"number": 4}\n'
    reply = server.ask("POST", DECIDE, body, token=token, headers={"Content-Type": "application/jsonl"})
    assert reply.status == 200, reply
    lines = [json.loads(line) for line in reply.raw.splitlines()]
    assert [line["disposition"] for line in lines] == ["answered", "quarantined", "answered"]
    assert [line.get("output") for line in lines] == [{"parity": "odd"}, None, {"parity": "even"}]


def test_a_key_gives_the_recorded_answer_again_and_refuses_another_record(server, token):
    first = server.ask("POST", DECIDE, {"number": 3}, token=token, headers={"Idempotency-Key": "k-1"})
    again = server.ask("POST", DECIDE, {"number": 3}, token=token, headers={"Idempotency-Key": "k-1"})
    other = server.ask("POST", DECIDE, {"number": 4}, token=token, headers={"Idempotency-Key": "k-1"})
    assert first.data["record"] == again.data["record"]
    assert again.data["replayed"] is True
    assert (other.status, other.data["code"]) == (409, "conflict")


def test_feedback_and_outcome_are_entries_of_their_own(server, token, tiny):
    record = server.ask("POST", DECIDE, {"number": 9}, token=token, headers={"Plimsoll-Subject": "J%C3%BCrgen"}).data
    base = f"/v1/decisions/{record['record']}"
    said = server.ask("POST", f"{base}/feedback", {"judged": "wrong", "comment": "no"}, token=token)
    known = server.ask("POST", f"{base}/outcome", {"value": {"parity": "odd"}}, token=token)
    assert (said.status, known.status) == (201, 201), (said, known)
    since = server.ask("GET", base, token=token).data["since"]
    assert [(s["kind"], s["entry"]) for s in since] == [
        ("feedback", said.data["entry"]),
        ("outcome", known.data["entry"]),
    ]
    erased = tiny.run("ledger", "erase", "Jürgen", "--by", "ops@example.org", "--reason", "asked for it")
    assert erased.code == 0, erased
    assert tiny.run("ledger", "show", said.data["entry"], "--json").data["erased"] is True
    gone = server.ask("GET", base, token=token)
    assert (gone.status, gone.data["code"]) == (410, "erased")


def test_feedback_that_is_malformed_or_about_nothing_is_refused(server, token):
    record = server.ask("POST", DECIDE, {"number": 9}, token=token).data["record"]
    base = f"/v1/decisions/{record}"
    assert server.ask("POST", f"{base}/feedback", {"judged": "perhaps"}, token=token).status == 422
    assert server.ask("POST", f"{base}/feedback", {"judged": "right", "more": 1}, token=token).status == 422
    assert server.ask("POST", f"{base}/feedback", b"{", token=token).status == 400
    nothing = f"/v1/decisions/{'0' * 32}-0/feedback"
    assert server.ask("POST", nothing, {"judged": "right"}, token=token).status == 404
    token_entry = server.ask("GET", f"/v1/decisions/{record[:32]}-99999", token=token)
    assert token_entry.status == 404


class TestTokens:
    def test_without_one_nothing_is_decided(self, server):
        reply = server.ask("POST", DECIDE, {"number": 7})
        assert (reply.status, reply.data["code"]) == (401, "no-access")
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert server.ask("GET", "/metrics").status == 401
        assert server.ask("GET", f"/v1/decisions/{'0' * 32}-0").status == 401

    @pytest.mark.parametrize("presented", ["nonsense", "plim_", "plim_0000_0000", "Bearer", ""])
    def test_an_unknown_one_is_refused(self, server, presented):
        assert server.ask("GET", "/metrics", token=presented).status == 401

    def test_a_token_with_a_wrong_secret_is_refused(self, server, token):
        assert server.ask("GET", "/metrics", token=token[:-1] + ("0" if token[-1] != "0" else "1")).status == 401

    def test_it_reaches_as_far_as_its_scopes_and_types(self, server, tiny):
        only_reads = new_token(tiny, "read")
        _until(lambda: server.ask("GET", f"/v1/decisions/{'0' * 32}-0", token=only_reads).status == 404)
        refused = server.ask("POST", DECIDE, {"number": 1}, token=only_reads)
        assert (refused.status, refused.data["code"]) == (403, "no-access")

    def test_a_revoked_one_is_refused_within_a_second(self, server, tiny):
        mine = new_token(tiny, "decide")
        _until(lambda: server.ask("POST", DECIDE, {"number": 1}, token=mine).status == 200)
        id_ = mine.split("_")[1]
        started = time.monotonic()
        assert tiny.run("token", "revoke", id_, "--by", "ops@example.org", "--reason", "lost").code == 0
        revoked = time.monotonic()
        _until(lambda: server.ask("POST", DECIDE, {"number": 1}, token=mine).status == 401)
        assert time.monotonic() - revoked < 1.0 + (revoked - started)
        listed = {t["id"]: t["revoked"] for t in tiny.run("token", "list", "--json").data}
        assert listed[id_] is True

    def test_an_expired_one_is_refused(self, server, tiny):
        mine = new_token(tiny, "decide", expires="2 s")
        _until(lambda: server.ask("POST", DECIDE, {"number": 1}, token=mine).status == 200)
        _until(lambda: server.ask("POST", DECIDE, {"number": 1}, token=mine).status == 401)

    def test_the_ledger_keeps_no_secret(self, token, tiny):
        secret = token.split("_")[2].encode()
        for file in tiny.ledger.parent.iterdir():
            if file.is_file():
                assert secret not in file.read_bytes(), file


def test_metrics_count_what_was_decided(server, token):
    before = _decided(server, token)
    server.ask("POST", DECIDE, {"number": 1}, token=token)
    server.ask("POST", "/v1/decisions/made-up", {"number": 1}, token=token)
    after = _decided(server, token)
    assert after["answered"] == before["answered"] + 1
    text = server.ask("GET", "/metrics", token=token).raw.decode()
    assert 'type="undeclared",via="live"' in text.replace('disposition="refused",', "")
    assert "made-up" not in text


def test_readiness_says_what_holds(server):
    reply = server.ask("GET", "/readyz")
    assert reply.status == 200
    assert reply.data == {"ready": True, "checks": {"ledger": "", "control": "", "releases": ""}}


def test_what_is_not_there_is_a_problem_document(server, token):
    for method, path, status in [
        ("GET", "/nothing", 404),
        ("PUT", DECIDE, 405),
        ("DELETE", "/healthz", 405),
    ]:
        reply = server.ask(method, path, token=token)
        assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), reply
    assert server.ask("PUT", DECIDE, token=token).headers["allow"] == "POST, GET"
    media = server.ask("POST", DECIDE, b"x", token=token, headers={"Content-Type": "text/plain"})
    assert media.status == 415


def _decided(server, token) -> dict[str, float]:
    text = server.ask("GET", "/metrics", token=token).raw.decode()
    counts: dict[str, float] = {"answered": 0.0}
    for line in text.splitlines():
        if line.startswith("plimsoll_decisions_total") and 'type="tell-parity"' in line:
            disposition = line.split('disposition="')[1].split('"')[0]
            counts[disposition] = counts.get(disposition, 0.0) + float(line.rsplit(" ", 1)[1])
    return counts


def _until(holds) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until, "it did not come true within ten seconds"
        time.sleep(0.03)
