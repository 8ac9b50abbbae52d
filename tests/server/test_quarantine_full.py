"""A server whose quarantine is full sends broken records back, and says so to whoever watches it."""

from __future__ import annotations

import time

from cli.tiny_system import TinySystem
from server.a_server import new_token, serving

DECIDE = "/v1/decisions/tell-parity"


def test_broken_records_are_sent_back_and_the_operator_is_told(tmp_path):
    tiny = TinySystem(tmp_path / "parity")
    manifest = tiny.folder / "plimsoll.yaml"
    manifest.write_text(manifest.read_text() + "quarantine: {most_records: 2}\n")
    token, watcher = new_token(tiny, "decide"), new_token(tiny, "metrics")
    with serving(tiny) as server:
        assert "quarantine" not in server.ask("GET", "/readyz").data.get("notes", {})
        until = time.monotonic() + 10
        headers = {"Plimsoll-Offset": "counter.jsonl:7"}
        while (reply := server.ask("POST", DECIDE, {"number": "x"}, token=token, headers=headers)).status == 422:
            assert time.monotonic() < until
        assert (reply.status, reply.data["disposition"], reply.headers["retry-after"]) == (503, "shed", "60")
        assert reply.data["reasons"][0]["path"] == "/number"
        shown = tiny.run("ledger", "show", reply.data["record"], "--json").data
        assert shown["header"]["disposition"] == "shed"
        assert (shown["body"]["offset"], shown["body"]["turned_away"]["size"]) == ("counter.jsonl:7", 15)
        assert server.ask("POST", DECIDE, {"number": 2}, token=token).status == 200, "what is sound is answered"
        ready = server.ask("GET", "/readyz")
        assert (ready.status, "broken records are shed" in ready.data["notes"]["quarantine"]) == (200, True)
        metrics = server.ask("GET", "/metrics", token=watcher).raw.decode()
        assert 'plimsoll_quarantine_full{of="parity"} 1.0' in metrics
