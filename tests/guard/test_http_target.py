"""A service as a target: what is sent, what is read, what is kept secret."""

from __future__ import annotations

import asyncio
import email.utils
import time

import msgspec
import numpy as np
import pytest
from certificates import self_signed
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import TargetError
from plimsoll.guard import Ask, TargetFault
from plimsoll.guard.service import fault_of_status, key_of
from plimsoll.guard.targets import load_target
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import Header, HttpService, Mapping
from plimsoll.model.manifest import Target
from plimsoll.model.template import read_template
from plimsoll.testing.upstream import Does, Upstream


@pytest.fixture
def service():
    with Upstream() as up:
        yield up


def asked(service, declared, record=None, folder=None, identity="v1", **more):
    """What the target answers; the service's ``seen`` has what it was sent."""
    target = load_target(Target(http=declared, identity=identity), folder)
    try:
        return asyncio.run(
            target.ask(Ask(record={"a": 1} if record is None else record, **{"deadline_s": 5.0, **more}))
        )
    finally:
        target.close()


def fault_of(service, declared, record=None, **more):
    with pytest.raises(TargetFault) as caught:
        asked(service, declared, record, **more)
    return caught.value


# ── what is sent ──


def test_the_record_itself_is_sent_where_nothing_else_is_said(service, tmp_path):
    asked(service, HttpService(url=service.url + "/read?v=2"), {"text": "grün", "n": [1, 2.5]}, tmp_path)
    (seen,) = service.seen
    assert (seen.method, seen.path) == ("POST", "/read?v=2")
    assert seen.headers["content-type"] == "application/json"
    assert seen.value == {"text": "grün", "n": [1, 2.5]}


def test_a_request_is_made_of_the_record_by_its_template(service, tmp_path):
    (tmp_path / "p.txt").write_text("Read {this}.", encoding="utf-8")
    template = {
        "in": {"pointer": "/scan"},
        "ask": {"from_file": "p.txt"},
        "note": {"as_text": "claim {/claim} of {/scan}"},
        "k": 5,
    }
    asked(service, HttpService(url=service.url, request=read_template(template)), {"scan": [1], "claim": "c"}, tmp_path)
    assert service.seen[0].value == {"in": [1], "ask": "Read {this}.", "note": "claim c of [1]", "k": 5}


def test_arrays_are_sent_as_lists_also_in_the_middle_of_a_text(service, tmp_path):
    declared = HttpService(url=service.url, request=read_template({"a": {"pointer": "/a"}, "t": {"as_text": "<{/a}>"}}))
    asked(service, declared, {"a": np.array([1, 2])}, tmp_path)
    assert service.seen[0].value == {"a": [1, 2], "t": "<[1,2]>"}


@pytest.mark.parametrize("record", [{"b": 1}, [], "text", None, 5])
def test_a_record_that_lacks_what_is_asked_for_is_not_sent(service, tmp_path, record):
    declared = HttpService(url=service.url, request=read_template({"pointer": "/a"}))
    target = load_target(Target(http=declared), tmp_path)
    with pytest.raises(TargetFault, match="the record has nothing at '/a'") as caught:
        asyncio.run(target.ask(Ask(record=record)))
    assert caught.value.kind == "invalid"
    assert not service.seen


@pytest.mark.parametrize("value", [float("nan"), object(), "\ud800"])
def test_a_record_without_a_json_form_is_not_sent(service, tmp_path, value):
    assert fault_of(service, HttpService(url=service.url), {"a": value}, folder=tmp_path).kind == "invalid"
    assert not service.seen


@pytest.mark.parametrize(
    ("key", "sent"),
    [("claim-7", "claim-7"), ("", None), ("a b", "sha256-"), ("a\r\nEvil: 1", "sha256-"), ("grün", "sha256-"), ("k" * 300, "sha256-")],
)  # fmt: skip
def test_the_key_of_the_decision_goes_along_in_a_form_that_http_can_carry(service, tmp_path, key, sent):
    asked(service, HttpService(url=service.url), folder=tmp_path, key=key)
    found = service.seen[0].headers.get("idempotency-key")
    assert found == sent if sent is None else found.startswith(sent)
    assert "evil" not in service.seen[0].headers


@given(one=st.text(), other=st.text())
def test_different_keys_stay_different(one, other):
    assert (key_of(one) == key_of(other)) is (one == other)


# ── secrets ──


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAIMS_TOKEN", "hunter2")
    (tmp_path / "token").write_text("hunter3\n")
    return {
        "authorization": Header(env="CLAIMS_TOKEN", prefix="Bearer "),
        "x-key": Header(file="token"),
        "x-team": Header(value="claims"),
        "user-agent": Header(value="claims/1"),
    }


def test_headers_come_from_where_they_are_named(service, tmp_path, secrets):
    asked(service, HttpService(url=service.url, headers=secrets), folder=tmp_path)
    sent = service.seen[0].headers
    assert sent["authorization"] == "Bearer hunter2"
    assert sent["x-key"] == "hunter3"
    assert (sent["x-team"], sent["user-agent"]) == ("claims", "claims/1")


def test_a_secret_in_a_file_is_read_anew_when_it_changes_and_kept_while_it_is_away(service, tmp_path, secrets):
    target = load_target(Target(http=HttpService(url=service.url, headers=secrets)), tmp_path)

    async def main():
        await target.ask(Ask(record=1))
        (tmp_path / "new").write_text("rotated")
        (tmp_path / "new").replace(tmp_path / "token")
        await target.ask(Ask(record=1))
        (tmp_path / "token").unlink()
        await target.ask(Ask(record=1))

    asyncio.run(main())
    target.close()
    assert [seen.headers["x-key"] for seen in service.seen] == ["hunter3", "rotated", "rotated"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (Header(env="NOT_SET_ANYWHERE"), "the environment variable 'NOT_SET_ANYWHERE'"),
        (Header(file="none"), "cannot be read"),
        (Header(file="empty"), "holds no line of text"),
        (Header(file="two"), "holds no line of text"),
        (Header(file="odd"), "holds no line of text"),
        (Header(env="BROKEN"), "HTTP cannot carry"),
    ],
)
def test_a_secret_that_is_not_there_or_cannot_be_sent_is_said_at_once(service, tmp_path, monkeypatch, header, said):
    monkeypatch.setenv("BROKEN", "hunter2\nEvil: 1")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("hunter2\nhunter3\n")
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    with pytest.raises(TargetError) as caught:
        load_target(Target(http=HttpService(url=service.url, headers={"x-key": header})), tmp_path)
    assert said in caught.value.message
    assert caught.value.fix
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    "does", [Does(status=401), Does(status=500), Does(cut_at=0), Does(never=True), Does(garbage=True)]
)
def test_no_failure_says_a_secret_or_what_was_sent(service, tmp_path, secrets, does):
    def echoes(seen):
        body = msgspec.json.encode(
            {"error": {"message": f"{seen.headers['authorization']} sent {seen.body}", "code": "Bearer hunter2"}}
        )
        head = f"HTTP/1.1 {does.status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        return does if does.status == 200 else Does(raw=head + body)

    service.does = echoes
    fault = fault_of(
        service, HttpService(url=service.url, headers=secrets), {"name": "personal"}, folder=tmp_path, deadline_s=0.2
    )
    chain = [fault]
    while (chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    for why in chain:
        assert "hunter" not in repr(why)
        assert "personal" not in repr(why)


# ── what is read ──


def test_an_answer_is_read_from_where_the_manifest_says_it_stands(service, tmp_path):
    service.answer = lambda _: {
        "data": [{"amount": 12}], "score": 0.75, "from": ["p. 3", {"doc": 1}], "why": ["bold digit", 7],
        "use": {"tokens": 5, "model": "m", "cached": True, "cost": 0.01}, "in": 11, "out": 3,
    }  # fmt: skip
    places = Mapping(
        output="/data/0", confidence="/score", sources="/from", reasons="/why", usage="/use", input_tokens="/in",
        output_tokens="/out",
    )  # fmt: skip
    assert asked(service, HttpService(url=service.url, response=places), folder=tmp_path) == Result(
        {"amount": 12},
        confidence=0.75,
        sources=("p. 3", {"doc": 1}),
        reasons=("bold digit", "7"),
        usage={"tokens": 5.0, "cost": 0.01, "input_tokens": 11.0, "output_tokens": 3.0},
    )


def test_without_places_the_whole_reply_is_the_answer(service, tmp_path):
    service.answer = lambda _: [1, None]
    assert asked(service, HttpService(url=service.url), folder=tmp_path) == Result([1, None])


def test_what_may_be_left_out_of_a_reply_may_be_left_out(service, tmp_path):
    places = Mapping(output="/o", sources="/s", reasons="/r", usage="/u", input_tokens="/i")
    service.answer = lambda _: {"o": None, "r": "one text"}
    assert asked(service, HttpService(url=service.url, response=places), folder=tmp_path) == Result(
        None, reasons=("one text",)
    )


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({}, "nothing in the place of output"),
        ([], "nothing in the place of output"),
        ({"o": 1}, "nothing in the place of confidence"),
        ({"o": 1, "c": 1.5}, "no number from 0 to 1"),
        ({"o": 1, "c": "0.5"}, "no number from 0 to 1"),
        ({"o": 1, "c": True}, "no number from 0 to 1"),
        ({"o": 1, "c": 10**400}, "no number from 0 to 1"),
        ({"o": 1, "c": None, "s": {}}, "is no list"),
        ({"o": 1, "c": None, "r": 5}, "is no list"),
        ({"o": 1, "c": None, "u": []}, "is no object"),
        ({"o": 1, "c": None}, "nothing in the place of identity"),
        ({"o": 1, "c": None, "v": "v2"}, "it says it is 'v2', and is declared to be 'v1'"),
    ],
)
def test_a_reply_in_another_form_is_no_answer(service, tmp_path, reply, said):
    places = Mapping(output="/o", confidence="/c", sources="/s", reasons="/r", usage="/u", identity="/v")
    if "identity" not in said and "v2" not in said and isinstance(reply, dict):
        reply = {"v": "v1", **reply}
    elif isinstance(reply, list):
        places = msgspec.structs.replace(places, identity=None)
    service.answer = lambda _: reply
    fault = fault_of(service, HttpService(url=service.url, response=places), folder=tmp_path)
    assert fault.kind == "invalid"
    assert said in str(fault)


def test_a_reply_that_says_the_declared_version_is_an_answer_without_a_confidence_where_it_is_null(service, tmp_path):
    service.answer = lambda _: {"o": 1, "c": None, "v": "v1", "u": {"n": 10**400}}
    places = Mapping(output="/o", confidence="/c", identity="/v", usage="/u")
    assert asked(service, HttpService(url=service.url, response=places), folder=tmp_path) == Result(1)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b'"\xff"'])
def test_what_is_not_json_is_no_answer_and_not_repeated(service, tmp_path, raw):
    service.does = Does(raw=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(raw), raw))
    fault = fault_of(service, HttpService(url=service.url), folder=tmp_path)
    assert fault.kind == "invalid"
    assert "<html>" not in str(fault)


# ── faults by status ──

DATE = email.utils.formatdate(1_000_000, usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (429, (("retry-after", "7"),), "unavailable", 7.0),
        (503, (("retry-after", email.utils.formatdate(1_000_030, usegmt=True)), ("date", DATE)), "unavailable", 30.0),
        (503, (("retry-after", email.utils.formatdate(1_000_030, usegmt=True)),), "unavailable", 20.0),
        (503, (("retry-after", email.utils.formatdate(900_000, usegmt=True)),), "unavailable", 0.0),
        (503, (("retry-after", "9" * 30),), "unavailable", 86_400.0),
        (503, (("retry-after", "soon"),), "unavailable", None),
        (503, (("retry-after", "-5"),), "unavailable", None),
        (503, (("retry-after", "٣"),), "unavailable", None),
        (503, (), "unavailable", None),
        (429, (("retry-after", "1"), ("retry-after", "2")), "unavailable", 1.0),
        (408, (), "timeout", None),
        (504, (("retry-after", "7"),), "timeout", None),
        (500, (("retry-after", "7"),), "error", None),
        (599, (), "error", None),
        (302, (), "invalid", None),
        (401, (), "invalid", None),
        (404, (), "invalid", None),
        (422, (), "invalid", None),
    ],
)
def test_a_status_is_a_kind_of_failure(status, headers, kind, wait):
    fault = fault_of_status(status, headers, b"", now_s=1_000_010.0)
    assert (fault.kind, fault.retry_after_s) == (kind, wait)
    assert f"status {status}" in str(fault)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"code": "rate_limit_exceeded", "type": "requests"}}', "status 429 (rate_limit_exceeded)"),
        (b'{"error": {"code": null, "type": "insufficient_quota"}}', "status 429 (insufficient_quota)"),
        (b'{"error": {"code": "key sk-123"}}', "status 429"),
        (b'{"error": {"code": 5}}', "status 429"),
        (b'{"error": "text"}', "status 429"),
        (b"\xff", "status 429"),
        (b"[" * 100_000, "status 429"),
    ],
)
def test_of_what_a_failing_service_says_only_a_code_is_told(body, said):
    assert str(fault_of_status(429, (), body)) == said


def test_a_service_that_comes_back_is_asked_again(service, tmp_path):
    target = load_target(Target(http=HttpService(url=service.url)), tmp_path)

    async def main():
        kinds = []
        await target.ask(Ask(record=1, deadline_s=2.0))
        with service.down():
            await asyncio.sleep(0.05)
            for _ in range(3):
                try:
                    await target.ask(Ask(record=1, deadline_s=2.0))
                except TargetFault as why:
                    kinds.append(why.kind)
        return kinds, (await target.ask(Ask(record=1, deadline_s=2.0))).output

    kinds, output = asyncio.run(main())
    target.close()
    assert kinds == ["unavailable"] * 3
    assert output == {"output": 1, "confidence": 0.9}


def test_authorities_of_ones_own_are_trusted(tmp_path):
    tls, pem = self_signed(tmp_path)
    with Upstream(tls=tls) as service:
        declared = HttpService(url=service.url, authorities=pem.name)
        assert asked(service, declared, folder=tmp_path).output["confidence"] == 0.9
        assert fault_of(service, HttpService(url=service.url), folder=tmp_path).kind == "unavailable"


def test_nothing_is_left_to_the_clock_of_this_machine():
    """A Retry-After that names a moment is read by the service's own Date, so that a wrong clock here does no harm."""
    later = email.utils.formatdate(time.time() + 10_000_060, usegmt=True)
    said = email.utils.formatdate(time.time() + 10_000_000, usegmt=True)
    assert fault_of_status(503, (("retry-after", later), ("date", said)), b"").retry_after_s == 60.0
