"""What arrives that is no good request: raw bytes on a socket. Never a hang, never a 500, and others are not held up."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DECIDE = "/v1/decisions/tell-parity"


def _send(server, *pieces: bytes, wait_s: float = 0.0, close: bool = False) -> bytes:
    """Send these bytes; what comes back until the connection ends, or nothing has come for a while."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as sock:
        for piece in pieces:
            try:
                sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(wait_s)
        if close:
            sock.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while chunk := sock.recv(65536):
                got += chunk
                if b"content-length: 0" in got or b"}" in got[-2:]:
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return got


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS on a plain port
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/decisions/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/decisions/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /v1/decisions/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX: a\rb\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_400_and_the_end(server, raw):
    got = _send(server, raw, close=True)
    assert got.startswith(b"HTTP/1.1 400 "), got
    assert b"application/problem+json" in got
    assert b"connection: close" in got


def test_headers_that_are_too_large_or_too_many_get_a_431(server):
    large = b"GET /healthz HTTP/1.1\r\nX: " + b"x" * (40 << 10)
    many = b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 200
    assert _send(server, large).startswith(b"HTTP/1.1 431 ")
    assert _send(server, many).startswith(b"HTTP/1.1 431 ")


def test_headers_that_never_end_lose_their_connection_and_hold_up_nobody(server):
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(50)]
    try:
        for sock in slow:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        started = time.monotonic()
        while time.monotonic() - started < 11.5:
            for sock in slow:
                with contextlib.suppress(OSError):
                    sock.sendall(b"y")
            assert server.ask("GET", "/healthz").status == 200
            time.sleep(0.5)
        for sock in slow:
            got = b""
            try:
                got = sock.recv(4096)
            except ConnectionResetError:
                continue
            assert got == b"" or got.startswith(b"HTTP/1.1 408 "), got
    finally:
        for sock in slow:
            sock.close()


def test_a_header_that_is_there_twice_is_refused(server, token):
    raw = (
        f"POST {DECIDE} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        "Plimsoll-Subject: a\r\nPlimsoll-Subject: b\r\nContent-Length: 12\r\n\r\n"
    ).encode() + b'{"number":1}'
    assert _send(server, raw).startswith(b"HTTP/1.1 400 ")


def test_what_is_sent_in_a_header_cannot_become_a_header(server, token):
    reply = server.ask(
        "POST", DECIDE, {"number": 1}, token=token, headers={"Plimsoll-Subject": "a%0d%0aX-Injected: yes"}
    )
    assert reply.status == 200
    assert "x-injected" not in reply.headers


def test_a_body_that_is_cut_is_no_decision(server, token):
    raw = (
        f"POST {DECIDE} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        "Content-Length: 100\r\n\r\n"
    ).encode()
    assert not _send(server, raw + b'{"number": 1', close=True).startswith(b"HTTP/1.1 2")


def test_the_host_header_decides_nothing(server):
    for host in ("evil.example.org", "127.0.0.1:1", ""):
        raw = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        assert _send(server, raw).startswith(b"HTTP/1.1 200 ")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=st.binary(max_size=300))
def test_any_bytes_as_a_record_end_as_a_decision_on_record(server, token, record):
    reply = server.ask("POST", DECIDE, record, token=token)
    assert reply.status in {200, 422}
    assert len(reply.headers["plimsoll-record"]) > 33


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=200),
    junk=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST /v1/decisions/x HTTP/1.1\r\n"]),
)
def test_any_bytes_on_a_connection_leave_the_server_alive(server, raw, junk):
    got = _send(server, junk + raw, close=True)
    assert got == b"" or got.startswith(b"HTTP/1.1 "), got
    assert not got.startswith(b"HTTP/1.1 5"), got
