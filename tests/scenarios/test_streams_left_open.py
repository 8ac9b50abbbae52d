"""A server that is killed in the middle of a stream: somebody is told, and its end is recorded once. Real processes."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli.tiny_system import PLIMSOLL, TinySystem, environment
from server.a_server import new_token, serving

from plimsoll.guard.left_open import ENDED, STARTED, Ended, OpenStreams, Started, end_dead, end_of, left_open
from plimsoll.ledger import Draft, Ledger
from plimsoll.testing.upstream import Does, Upstream

TARGET = """target:
  openai: {{url: "{url}", model: test-model}}
  deadline: 30 s
"""
OPENER = """
import sys
from plimsoll import Guard
sys.stdin.readline()
with Guard.open(sys.argv[1]):
    pass
"""


@pytest.fixture
def upstream():
    with Upstream(does=Does(pause_s=0.2)) as service:
        yield service


@pytest.fixture
def tiny(tmp_path, upstream) -> TinySystem:
    tiny = TinySystem(tmp_path / "parity")
    tiny.change("plimsoll.yaml", "target:\n  python: parity:predict\n", TARGET.format(url=upstream.url + "/v1"))
    tiny.change("plimsoll.yaml", "  inputs: [numbers.odcs.yaml]\n", "")
    tiny.change("plimsoll.yaml", "classification: personal", "classification: public")
    return tiny


def begin(port: int, token: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A stream whose first word has come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    words = " ".join(f"word{n}" for n in range(100))
    body = {"model": "parity/tell-parity", "messages": [{"role": "user", "content": words}], "stream": True}
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps(body),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    response = connection.getresponse()
    assert response.status == 200
    while b"word1" not in response.readline():
        pass
    return connection, response


def streams(tiny: TinySystem) -> tuple[int, dict[str, Any]]:
    ran = tiny.run("ledger", "streams", "--json")
    return ran.code, ran.data


def ends(tiny: TinySystem) -> list[str]:
    with Ledger.open(tiny.ledger, read_only=True) as ledger:
        return [msgspec.json.decode(e.body, type=Ended).by for e in ledger.find(ENDED)]


def test_a_stream_of_a_killed_server_is_told_of_and_ended_once_by_those_who_come_after(tiny):
    token = new_token(tiny, "decide", "metrics")
    with serving(tiny) as running:
        connection, response = begin(running.port, token)
        code, said = streams(tiny)
        assert code == 0, "it is under way"
        assert [s["is_dead"] for s in said["open"]] == [False]
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(10)
        response.close()
        connection.close()
    code, said = streams(tiny)
    assert code == 3
    (lost,) = said["open"]
    assert (lost["is_dead"], lost["type"]) == (True, "tell-parity")
    assert ends(tiny) == [], "to read is not to write"
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tiny.folder / "plimsoll.yaml")], stdin=subprocess.PIPE, env=environment()
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write(b"go\n")
        opener.stdin.flush()
    assert [opener.wait(60) for opener in openers] == [0, 0, 0, 0]
    for opener in openers:
        opener.stdin.close()
    assert ends(tiny) == ["death"]
    code, said = streams(tiny)
    assert (code, said["open"], [d["started"] for d in said["died"]]) == (0, [], [lost["started"]])


def test_a_stream_that_is_alive_is_ended_by_its_own_decision_though_others_come_and_go(tiny, upstream):
    upstream.does = Does(pause_s=0.03)
    token = new_token(tiny, "decide", "metrics")
    with serving(tiny) as running:
        connection, response = begin(running.port, token)
        for _ in range(2):
            opener = [sys.executable, "-c", OPENER, str(tiny.folder / "plimsoll.yaml")]
            subprocess.run(opener, input=b"go\n", check=True, env=environment())
        assert b"[DONE]" in response.read()
        connection.close()
        assert b"plimsoll_streams_left_open" in running.ask("GET", "/metrics", token=token).raw
    assert ends(tiny) == ["decision"]
    assert streams(tiny) == (0, {"open": [], "died": []})


def test_a_sibling_that_goes_on_serving_records_the_end_without_being_started_anew(tiny):
    token = new_token(tiny, "decide")
    with serving(tiny, "--state", str(tiny.ledger.parent)) as survivor:
        with serving(tiny, "--state", str(tiny.ledger.parent)) as running:
            connection, response = begin(running.port, token)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait(10)
            response.close()
            connection.close()
        until = time.monotonic() + 30
        while ends(tiny) != ["death"]:
            assert time.monotonic() < until, "nobody recorded its end"
            time.sleep(0.2)
        assert survivor.process.poll() is None


class Hosts:
    """A host that knows of nobody whether they are gone, as of another machine."""

    def me(self) -> str:
        return "here"

    def is_gone(self, owner: str) -> bool:  # noqa: ARG002 - of the interface
        return False


S = 10**9


def start(ledger: Ledger, deadline_s: float | None) -> str:
    body = msgspec.json.encode(Started(release="r", type="t", deadline_s=deadline_s))
    return ledger.append(Draft(kind=STARTED, system="s", body=body))


def test_of_a_process_on_another_machine_the_deadline_and_a_margin_are_waited_for(tmp_path: Path):
    place = tmp_path / "ledger.db"
    with Ledger.open(place, clock=lambda: 1_000 * S) as gone:
        started = start(gone, 30.0)
        forever = start(gone, None)
    with Ledger.open(place, clock=lambda: 1_000 * S) as ledger:
        assert not end_dead(ledger, "s", host=Hosts(), now_ns=1_080 * S)
        assert end_dead(ledger, "s", host=Hosts(), now_ns=1_091 * S) == (started,)
        assert [left.started for left in left_open(ledger, "s", host=Hosts(), now_ns=9_999 * S)] == [forever]
        alive = start(ledger, 1.0)  # its process still writes, so it is late and not dead
        late = {left.started: left for left in left_open(ledger, "s", host=Hosts(), now_ns=9_999 * S)}[alive]
        assert (late.is_late, late.is_dead) == (True, False)


def test_an_end_that_is_folded_before_its_beginning_ends_it_all_the_same(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.db") as first, Ledger.open(tmp_path / "ledger.db") as second:
        first.append(Draft(kind="x", body=b""))  # its stream of the ledger stands first, and is folded first
        started = start(second, 30.0)
        first.append(end_of(started, "s", Ended(by="decision")))
        assert not list(first.view(OpenStreams()).scan())


def test_the_command_needs_no_ledger(tiny):
    ran = subprocess.run(
        [PLIMSOLL, "ledger", "streams"], cwd=tiny.folder, env=environment(), capture_output=True, check=False
    )
    assert (ran.returncode, b"Every stream" in ran.stdout) == (0, True)
