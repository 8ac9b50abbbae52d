"""Sources over HTTP: a caller says that one gave nothing; what stood in, and who is in trouble, can be seen."""

from __future__ import annotations

import pytest
from cli.tiny_system import CONTRACT, TinySystem
from server.a_server import new_token, serving

DECIDE = "/v1/decisions/tell-parity"
FALLBACK = """\
customProperties:
  - property: plimsollFallback
    value: {owner: ops@example.org, onUnavailable: {use: lastGood, maxAge: 1 h}, onMalformed: hold}
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    tiny = TinySystem(tmp_path_factory.mktemp("sources") / "parity")
    tiny.write("numbers.odcs.yaml", CONTRACT + FALLBACK)
    return tiny


def test_a_caller_says_that_a_source_gave_nothing_and_what_is_declared_stands_in(tiny):
    token = new_token(tiny, "decide", "metrics")
    gone = {"Plimsoll-Source": "counter", "Plimsoll-Unavailable": "timed%20out"}
    with serving(tiny) as server:
        held = server.ask("POST", DECIDE, b"", token=token, headers=gone)
        assert (held.status, held.data["why"]) == (202, "source-unavailable"), held
        good = server.ask("POST", DECIDE, {"number": 7}, token=token, headers={"Plimsoll-Source": "counter"})
        assert good.status == 200, good
        reply = server.ask("POST", DECIDE, b"", token=token, headers=gone)
        assert (reply.status, reply.data["output"]) == (200, {"parity": "odd"}), reply
        assert reply.data["input_note"]["record"] == good.data["record"]
        assert reply.data["input_note"]["why"] == ["timed out"]
        ready = server.ask("GET", "/readyz")
        assert (ready.status, ready.data["notes"]["sources"]) == (200, "'counter' is unavailable")
        metrics = server.ask("GET", "/metrics", token=token).raw.decode()
        assert 'plimsoll_source_trouble{of="counter: unavailable"} 1.0' in metrics
        assert 'plimsoll_source_trouble{of="counter: silent"} 0.0' in metrics
        assert 'plimsoll_source_stood_in{of="counter"} 2.0' in metrics
        both = server.ask("POST", DECIDE, {"number": 7}, token=token, headers=gone)
        assert (both.status, both.data["code"]) == (400, "request.unavailable")
        elsewhere = server.ask("POST", DECIDE, b"", token=token, headers={"Plimsoll-Unavailable": "x"})
        assert (elsewhere.status, elsewhere.data["code"]) == (503, "shed"), elsewhere
