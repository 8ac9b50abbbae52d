"""The load driver over TLS: a real service with a certificate made here, good or bad in one way; nobody unverified."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine.certificates import Certificate, make_certificate

from plimsoll.engine.load import Settings, drive
from plimsoll.engine.load_http import HttpLink
from plimsoll.engine.load_request import HttpTarget, tls_of
from plimsoll.engine.load_schedule import Schedule
from plimsoll.engine.load_window import Outcome, WindowResult, quantile
from plimsoll.errors import InputError, TargetError, UsageError

RECORD = b'{"amount": 1}'


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("good"), "localhost", "127.0.0.1")


async def offer(url: str, ca: Path | str, schedule: Schedule, timeout_s: float = 2.0, **more: float) -> WindowResult:
    link = HttpLink(HttpTarget(url=url, ca=str(ca), **more), [RECORD])
    await link.open()
    try:
        return await drive(link, schedule, Settings(timeout_s=timeout_s))
    finally:
        await link.close()


def calls(rate: float, count: int) -> Schedule:
    return Schedule(rate=rate, count=count)


def test_a_good_service_answers_all_at_the_rate_that_was_asked_for(serve, run, good):
    window = run(offer(serve("ok", certificate=good.service), good.authority, calls(500, 200)))
    assert window.count(Outcome.ANSWERED) == window.offered == 200
    assert window.errors == {}
    assert window.sending_s == pytest.approx(199 / 500, abs=0.1)


def test_it_is_known_by_its_host_name_as_well_as_by_its_address(serve, run, good):
    url = serve("ok", certificate=good.service).replace("127.0.0.1", "localhost")
    assert run(offer(url, good.authority, calls(200, 20))).count(Outcome.ANSWERED) == 20


@pytest.mark.alone
def test_a_stall_is_reported_in_full(serve, run, good):
    """Over the connections there are: two hundred handshakes after the stall would be a load of their own."""
    url = serve("stall", 0.5, 0.4, certificate=good.service)
    window = run(offer(url, good.authority, calls(500, 1000), connections=8))
    truth = 0.4 * (0.2 - 0.01) / 0.2  # delays are uniform on 0 to 0.4 s for a fifth of the calls
    assert quantile(window.latencies(), 0.99) == pytest.approx(truth, rel=0.05)
    assert window.healthy, window.unhealthy


@pytest.mark.parametrize(
    ("kind", "error"),
    [("hang-up", "connection lost before the reply"), ("garbage", "reply is not HTTP/1.1")],
)
def test_a_broken_reply_is_a_failure_with_its_kind(serve, run, good, kind, error):
    window = run(offer(serve(kind, certificate=good.service), good.authority, calls(200, 40)))
    assert (window.count(Outcome.FAILED), window.errors) == (40, {error: 40})


def test_connections_that_the_service_closes_are_made_anew(serve, run, good):
    window = run(offer(serve("one-each", certificate=good.service), good.authority, calls(100, 40)))
    assert window.count(Outcome.ANSWERED) == 40


# ── who is not verified is not asked ──


@pytest.mark.parametrize(
    ("names", "days", "trusted", "why"),
    [
        (("127.0.0.1",), (-1, 1), False, "unable to get local issuer certificate"),  # the system's store knows it not
        (("127.0.0.1",), (-3, -2), True, "certificate has expired"),
        (("127.0.0.1",), (2, 3), True, "certificate is not yet valid"),
        (("elsewhere.example",), (-1, 1), True, "IP address mismatch"),
    ],
)
def test_a_certificate_that_cannot_be_trusted_is_said_and_nothing_is_sent(
    serve, run, tmp_path, names, days, trusted, why
):
    made = make_certificate(tmp_path, *names, days=days)
    url = serve("ok", certificate=made.service)
    with pytest.raises(TargetError, match=f"cannot be trusted: {why}") as caught:
        run(offer(url, made.authority if trusted else "", calls(100, 10)))
    assert "--ca FILE" in caught.value.fix


def test_an_authority_of_another_service_vouches_for_nothing(serve, run, good, tmp_path):
    other = make_certificate(tmp_path / "other", "127.0.0.1")
    with pytest.raises(TargetError, match="cannot be trusted"):
        run(offer(serve("ok", certificate=good.service), other.authority, calls(100, 10)))


def test_only_the_named_authorities_are_trusted_and_not_the_systems_as_well(good):
    context = tls_of(HttpTarget(url="https://127.0.0.1/", ca=str(good.authority)))
    assert context is not None
    assert len(context.get_ca_certs()) == 1


def test_there_is_no_way_to_ask_for_no_verification(good):
    for ca in ("", str(good.authority)):
        context = tls_of(HttpTarget(url="https://127.0.0.1/", ca=ca))
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


# ── services that do not speak TLS, files that hold no certificate ──


@pytest.fixture
def plain() -> Iterator[Callable[[bytes], str]]:
    """A service without TLS that says the same to everybody who connects, or nothing; gives its https URL."""
    held: list[socket.socket] = []
    doors: list[socket.socket] = []

    def accept(door: socket.socket, says: bytes) -> None:
        with contextlib.suppress(OSError):
            while True:
                held.append(door.accept()[0])
                if says:
                    held[-1].sendall(says)

    def start(says: bytes) -> str:
        door = socket.create_server(("127.0.0.1", 0))
        doors.append(door)
        threading.Thread(target=accept, args=(door, says), daemon=True).start()
        return f"https://127.0.0.1:{door.getsockname()[1]}/"

    yield start
    for each in (*doors, *held):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def test_a_plain_service_behind_an_https_address_fails_with_its_kind(plain, run, good):
    window = run(offer(plain(b"HTTP/1.1 400 Bad Request\r\n\r\n"), good.authority, calls(100, 10)))
    assert window.count(Outcome.FAILED) == 10
    assert list(window.errors) == ["TLS: WRONG_VERSION_NUMBER"]


def test_a_service_that_never_ends_its_handshake_does_not_hang_the_driver(plain, run, good):
    begun = time.perf_counter()
    window = run(offer(plain(b""), good.authority, calls(100, 10), timeout_s=1.0, connect_s=0.3))
    assert time.perf_counter() - begun < 5
    assert window.count(Outcome.ANSWERED) == 0
    assert set(window.errors) <= {"no connection in time", "no reply in time"}


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), ("", "no certificate"), ("hello", "no certificate")]
)
def test_a_file_that_holds_no_certificate_is_said(tmp_path, content, says):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=says):
        HttpLink(HttpTarget(url="https://127.0.0.1/", ca=str(file)), [RECORD])


def test_an_authority_for_a_plain_address_is_refused(good):
    with pytest.raises(UsageError, match="would verify nothing"):
        HttpLink(HttpTarget(url="http://127.0.0.1/", ca=str(good.authority)), [RECORD])
