"""What a verdict rests on beside files: environment variables, services, and that neither can be left unsaid."""

from __future__ import annotations

import contextlib
import socketserver
import threading

import pytest
from cli.tiny_system import TinySystem

SECRET = "correct-horse-battery-staple-4711"
ASKS = """\
import os
import socket

PORT = {port}


def predict(record):
    with socket.create_connection(("127.0.0.1", PORT), timeout=5) as asking:
        asking.sendall(b"%d\\n" % record["number"])
        return {{"parity": asking.makefile().readline().strip()}}
"""
READS = """\
import os


def predict(record):
    return {"parity": "odd" if record["number"] % 2 else os.environ.get("WORD", "even")}
"""


class Parity(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self):
        with contextlib.suppress(OSError):
            number = int(self.rfile.readline())
            self.wfile.write(b"odd\n" if number % 2 else b"even\n")


class Service(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture
def port():
    with Service(("127.0.0.1", 0), Parity) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def declare(tiny: TinySystem, *keys: str) -> None:
    lines = "".join(f"\n  {key}" for key in keys)
    tiny.change("plimsoll.yaml", "python: parity:predict", f"python: parity:predict{lines}")


def rows(ran):
    return {row["metric"]: row for row in ran.data["board"]["rows"]}


def check(tiny, *names, **more):
    only = [part for name in names for part in ("--only", name)]
    ran = tiny.run("check", *only, "--json", **more)
    return ran, rows(ran)


def test_a_service_that_nobody_declared_keeps_every_figure_from_counting(tiny, port):
    tiny.write("parity.py", ASKS.format(port=port))
    _, found = check(tiny, "evaluation", "contracts")
    for metric in ("evaluation.accuracy", "contracts.valid_rate"):
        assert found[metric]["standing"] == "not measured"
        assert found[metric]["why"] == f"Reached services that the manifest does not declare: 127.0.0.1:{port}."
        assert "Declare them under target.services" in found[metric]["next"]


def test_a_declared_service_is_measured_and_the_board_says_what_it_rests_on(tiny, port):
    tiny.write("parity.py", ASKS.format(port=port))
    declare(tiny, f"services: [127.0.0.1:{port}]")
    _, found = check(tiny, "evaluation", "contracts", "accountability")
    accuracy = found["evaluation.accuracy"]
    assert accuracy["standing"] == "met"
    assert accuracy["declared"] == [f"127.0.0.1:{port}"]
    assert accuracy["counts_for_s"] == 86400
    assert found["accountability.complete"]["declared"] == []  # what people did rests on no service
    said = " ".join(tiny.run("gate").stdout.split())
    assert f"Rests on 127.0.0.1:{port}, whose identity is only declared; it counts for 24 h." in said
    reports = list((tiny.folder / ".plimsoll" / "reports").glob("*.html"))
    assert any(f"Rests on 127.0.0.1:{port}, whose identity is only declared" in r.read_text() for r in reports)


def test_another_value_of_a_declared_variable_is_another_release(tiny):
    tiny.write("parity.py", READS)
    declare(tiny, "environment: [WORD, API_KEY]")
    env = {"WORD": "even", "API_KEY": SECRET}
    first, found = check(tiny, "evaluation", env=env)
    assert found["evaluation.accuracy"]["standing"] == "met"

    same = tiny.run("gate", "--json", env=env)
    assert same.data["board"]["release"] == first.data["board"]["release"]
    for other in ({"WORD": "Even", "API_KEY": SECRET}, {"WORD": "even"}, {"WORD": "", "API_KEY": SECRET}):
        ran = tiny.run("gate", "--json", env=other)
        assert ran.data["board"]["release"] != first.data["board"]["release"]
        assert rows(ran)["evaluation.accuracy"]["standing"] == "not measured"


def test_the_value_of_a_variable_is_nowhere_in_what_we_write(tiny):
    """Ledger, log of SQLite, report, witness, envelope, board: the name and a digest, never the value."""
    tiny.write("parity.py", READS)
    declare(tiny, "environment: [API_KEY]")
    env = {"API_KEY": SECRET}
    ran, _ = check(tiny, "evaluation", "contracts", env=env)
    shown = tiny.run("gate", env=env).stdout + tiny.run("ledger", "show", env=env).stdout + ran.stdout + ran.stderr
    tiny.change("plimsoll.yaml", "tier: automatic", "teir: automatic")
    shown += repr(tiny.run("check", "--debug", env=env))
    assert SECRET not in shown
    written = [path for path in (tiny.folder / ".plimsoll").rglob("*") if path.is_file()]
    assert {"ledger.db", "witness.txt"} <= {path.name for path in written}
    assert any(path.suffix == ".html" for path in written)
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path


def test_a_target_that_sets_a_declared_variable_itself_is_found_out(tiny):
    tiny.write("parity.py", READS.replace("    return", "    os.environ['WORD'] = 'even'\n    return"))
    declare(tiny, "environment: [WORD]")
    _, found = check(tiny, "evaluation")
    assert found["evaluation.accuracy"]["standing"] == "not measured"
    assert "variable:WORD (changed while it was measured)" in found["evaluation.accuracy"]["why"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("environment: [$HOME]", "write the variable's name alone"),
        ("environment: [API_KEY=sesame]", "write the variable's name alone"),
        ("environment: [a b]", "write the variable's name alone"),
        ("environment: HOME", "write [HOME]"),
        ("services: ['https://api.example.org/v1']", "did you mean 'api.example.org:443'?"),
        ("services: [localhost]", "write host:port"),
        ("services: [a:1, a:1]", "stands twice"),
    ],
)
def test_what_names_neither_is_refused_with_what_was_meant(tiny, key, said):
    declare(tiny, key)
    ran = tiny.run("check")
    assert ran.code == 2, ran
    assert said in ran.stderr
    assert "sesame" not in ran.stdout + ran.stderr, "it may be a secret"
