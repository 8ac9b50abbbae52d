"""How a server begins, shares its work, and ends: processes, signals, tokens or none, TLS."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import http.client
import json
import os
import signal
import ssl
import threading
import time
from pathlib import Path

import pytest
from cli.tiny_system import TinySystem
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from server.a_server import new_token, serving

DECIDE = "/v1/decisions/tell-parity"
SLOW = """
import time
def predict(record):
    time.sleep(record["number"] / 1000)
    return {"pid": __import__("os").getpid()}
"""


@pytest.fixture
def tiny(tmp_path) -> TinySystem:
    return TinySystem(tmp_path / "parity")


def _children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def test_what_is_in_flight_is_answered_and_recorded_before_the_end(tiny):
    tiny.write("parity.py", SLOW)
    tiny.change("plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  deadline: 20 s")
    with serving(tiny, "--open") as running, concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(running.ask, "POST", DECIDE, {"number": 700}) for _ in range(8)]
        time.sleep(0.3)
        assert running.end() == 0
        assert [reply.result().status for reply in asked] == [200] * 8
    records = {reply.result().data["record"] for reply in asked}
    listed = tiny.run("ledger", "show", "--json")
    assert records <= {entry["id"] for entry in listed.data}
    assert tiny.run("ledger", "verify", "--json").code == 0


def test_a_slow_target_without_a_deadline_holds_up_nobody_else(tiny):
    tiny.write("parity.py", SLOW)
    with serving(tiny, "--open") as running, concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(running.ask, "POST", DECIDE, {"number": 2000})
        time.sleep(0.3)
        started = time.monotonic()
        assert running.ask("GET", "/healthz").status == 200
        assert time.monotonic() - started < 1.0
        assert not slow.done()
        assert slow.result().status == 200


def test_several_processes_share_the_work_and_count_together(tiny):
    # It holds up its own process, which takes no further connection meanwhile: so the others have to.
    tiny.write("parity.py", SLOW.replace("def predict", "async def predict"))
    token = new_token(tiny, "decide", "metrics")
    with serving(tiny, "--workers", "3") as running, concurrent.futures.ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: running.ask("POST", DECIDE, {"number": 30}, token=token), range(60)))
        assert {reply.status for reply in replies} == {200}
        assert len({reply.data["output"]["pid"] for reply in replies}) > 1
        until = time.monotonic() + 10
        while True:
            text = running.ask("GET", "/metrics", token=token).raw.decode()
            counted = [line for line in text.splitlines() if line.startswith("plimsoll_decisions_total{")]
            if sum(float(line.rsplit(" ", 1)[1]) for line in counted) == 60:
                break
            assert time.monotonic() < until, text
            time.sleep(0.2)
        workers = [pid for pid in _children(running.process.pid) if _is_there(pid)]
        os.kill(workers[-1], signal.SIGKILL)  # one dies; the others go on, and another takes its place
        assert {running.ask("POST", DECIDE, {"number": 1}, token=token).status for _ in range(20)} == {200}
        assert running.end() == 0


def test_workers_end_when_the_process_that_started_them_is_killed(tiny):
    with serving(tiny, "--open", "--workers", "2") as running:
        workers = _children(running.process.pid)
        assert workers
        running.process.kill()
        running.process.wait()
        until = time.monotonic() + 15
        while any(_is_there(pid) for pid in workers):
            assert time.monotonic() < until, "a worker outlived its parent"
            time.sleep(0.1)


class TestWithoutTokens:
    def test_it_answers_requests_for_a_loopback_address_alone(self, tiny):
        with serving(tiny, "--open") as running:
            assert running.ask("POST", DECIDE, {"number": 1}).status == 200
            rebound = running.ask("POST", DECIDE, {"number": 1}, headers={"Host": "evil.example.org"})
            assert rebound.status == 421, rebound

    def test_it_is_refused_on_an_address_that_others_reach(self, tiny):
        ran = tiny.run("serve", "--open", "--host", "0.0.0.0", "--port", "0")
        assert ran.code == 2, ran
        assert "token" in ran.stderr


class TestWhatIsWrongIsSaidAtOnce:
    def test_an_address_in_use(self, tiny):
        with serving(tiny, "--open") as running:
            ran = tiny.run("serve", "--open", "--port", str(running.port))
        assert ran.code == 2, ran
        assert "--port" in ran.stderr

    def test_a_target_that_does_not_import(self, tiny):
        tiny.write("parity.py", "import nothing_of_this_name\n")
        ran = tiny.run("serve", "--port", "0", "--workers", "2")
        assert ran.code == 2, ran
        assert "nothing_of_this_name" in ran.stderr

    def test_a_broken_manifest(self, tiny):
        tiny.change("plimsoll.yaml", "tier: automatic", "tier: sometimes")
        ran = tiny.run("serve", "--port", "0")
        assert ran.code == 2, ran
        assert "plimsoll.yaml:" in ran.stderr


def test_a_store_that_cannot_be_written_is_not_ready_and_gives_no_answer(tiny):
    token = new_token(tiny, "decide")
    with serving(tiny) as running:
        assert running.ask("GET", "/readyz").status == 200
        import sqlite3  # noqa: PLC0415

        holder = sqlite3.connect(tiny.ledger, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")  # another process holds the store
        try:
            time.sleep(1.1)
            not_ready = running.ask("GET", "/readyz")
            assert (not_ready.status, not_ready.data["ready"]) == (503, False), not_ready
            assert "recorded" in not_ready.data["checks"]["ledger"]
            reply = running.ask("POST", DECIDE, {"number": 1}, token=token)
            assert (reply.status, reply.data["code"]) == (503, "store.locked"), reply
            assert int(reply.headers["retry-after"]) >= 1
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        assert running.ask("POST", DECIDE, {"number": 1}, token=token).status == 200


def test_a_stop_reaches_the_server_within_a_second(tiny):
    with serving(tiny, "--open", "--workers", "2") as running:
        assert running.ask("POST", DECIDE, {"number": 1}).status == 200
        assert tiny.run("control", "stop", "--by", "ops@example.org", "--reason", "drill").code == 0
        time.sleep(1.0)
        replies = [running.ask("POST", DECIDE, {"number": 1}) for _ in range(10)]
        assert {reply.status for reply in replies} == {202}
        assert replies[0].headers["location"].endswith(replies[0].data["record"])


def test_tls_with_a_certificate_of_ones_own(tiny):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    tiny.write("server.crt", certificate.public_bytes(pem))
    tiny.write("server.key", key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    started = threading.Event()
    started.set()
    import re  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    from cli.tiny_system import start  # noqa: PLC0415

    process = start(
        "serve", "--open", "--port", "0", "--tls-certificate", "server.crt", "--tls-key", "server.key", cwd=tiny.folder
    )
    try:
        said = process.stderr.readline().decode()
        port = int(re.search(r":(\d+),", said)[1])
        context = ssl.create_default_context(cafile=str(tiny.folder / "server.crt"))
        until = time.monotonic() + 10
        while True:
            try:
                connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
                connection.request("POST", DECIDE, json.dumps({"number": 3}), {"Content-Type": "application/json"})
                reply = connection.getresponse()
                assert json.loads(reply.read())["output"] == {"parity": "odd"}
                connection.close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < until
                time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.returncode == 0
