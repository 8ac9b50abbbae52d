"""A service at an address can be driven, and says nothing of a release that does not cover it."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from engine.certificates import make_certificate

from plimsoll.assembly.checking import check
from plimsoll.assembly.project import Project
from plimsoll.errors import TargetError
from plimsoll.model.board import Standing

MANIFEST = """\
plimsoll: 1
system: parity
purpose: Say whether a number is even.
owners:
  business: {name: Head of Numbers, contact: head@example.org}
  technical: {name: Builders, contact: builders@example.org}
  operations: {name: Operators, contact: ops@example.org}
  leader: {name: Chief, contact: chief@example.org}
  single: head@example.org
target: {python: parity:decide}
decisions:
  parity: {tier: automatic, consequence: operational, recoverable: true, accountable: head@example.org}
data: {classification: internal}
load: {peak: 600/s, expected: 3000/day}
samples: {feed: feed}
threshold:
  set_by: chief@example.org
  load_window: 300 ms
  conditions:
    - stability.latency_p99 <= 5 s
    - contracts.lost_records = 0
    - organisation.accepted = 100%
    - accountability.complete = 100%
"""


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self):
        type(self).asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"even": True}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the test's own output is enough."""


class TlsServer(ThreadingHTTPServer):
    """Each connection shakes hands in its own thread, so that a client which hangs up there disturbs no other."""

    tls: ssl.SSLContext

    def finish_request(self, request, client_address):
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            self.tls.wrap_socket(request, server_side=True) as secured,
        ):
            super().finish_request(secured, client_address)


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "parity.py").write_text("def decide(n):\n    return n % 2 == 0\n", encoding="utf-8")
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "numbers.jsonl").write_text("1\n2\n3\n", encoding="utf-8")
    (tmp_path / "plimsoll.yaml").write_text(MANIFEST, encoding="utf-8")
    return Project(tmp_path / "plimsoll.yaml")


def test_a_service_at_an_address_is_measured_and_its_evidence_does_not_bind(project: Project) -> None:
    Answers.asked = 0
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answers)) as at:
        service = f"http://{at}"
        checked = check(project, only=("stability",), url=service)
    row = next(r for r in checked.board.rows if r.metric == "stability.latency_p99")
    assert Answers.asked > 9 * 300
    assert row.standing is Standing.NOT_MEASURED
    assert service in row.why
    assert checked.report is not None
    assert "HTTP target" in checked.report.read_text(encoding="utf-8")


def test_a_service_over_tls_is_measured_where_its_authority_is_trusted_and_not_asked_where_not(
    project: Project, tmp_path: Path
) -> None:
    made = make_certificate(tmp_path / "tls", "127.0.0.1")
    server = TlsServer(("127.0.0.1", 0), Answers)
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(made.service)
    Answers.asked = 0
    with serving(server) as at:
        with pytest.raises(TargetError, match="cannot be trusted: unable to get local issuer certificate"):
            check(project, only=("stability",), url=f"https://{at}", write=False)
        assert Answers.asked == 0
        checked = check(project, only=("stability",), url=f"https://{at}", ca=made.authority)
    assert Answers.asked > 9 * 300
    assert checked.report is not None
    page = checked.report.read_text(encoding="utf-8")
    assert f"HTTP target https://{at}" in page
    assert "3 windows of 500" in page  # 300 calls at 600 a second; the threshold asks for less
    row = next(r for r in checked.board.rows if r.metric == "stability.latency_p99")
    assert f"https://{at}" in row.why
