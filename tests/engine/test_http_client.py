"""The HTTP client against real services on loopback, good and bad, on both event loops."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import uvloop
from certificates import self_signed
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.engine.http import HttpClient, HttpFault, HttpLimits, HttpRequest
from plimsoll.errors import InputError, UsageError
from plimsoll.testing.upstream import Does, Upstream

ASK = HttpRequest(body=b'{"a": 1}')
AGAIN = HttpRequest(body=b'{"a": 1}', repeatable=True)


@pytest.fixture(params=["asyncio", "uvloop"])
def go(request):
    """Run a coroutine in a new loop of either kind."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(main):
        with asyncio.Runner(loop_factory=factory) as runner:
            found = runner.run(main)
        gc.collect()  # a connection that was left open would be said here
        return found

    return run


@contextmanager
def closing(client):
    try:
        yield client
    finally:
        client.close()


@contextmanager
def raw_service(reply):
    """A service of plain sockets: calls ``reply(connection)`` for each connection, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    reply(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def request_on(connection):
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += connection.recv(65536) or hung_up()
    head, _, body = seen.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536) or hung_up()
    return head, body


def hung_up():
    raise ConnectionError


def says(raw):
    """A raw service that says these bytes to each request and closes."""

    def reply(connection):
        request_on(connection)
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    return raw_service(reply)


async def one(url, request=ASK, within_s=2.0, **more):
    with closing(HttpClient(url, **more)) as client:
        return await client.ask(request, within_s)


def fault_of(go, url, request=ASK, within_s=2.0, **more):
    with pytest.raises(HttpFault) as caught:
        go(one(url, request, within_s, **more))
    return caught.value.kind, str(caught.value)


# ── what is asked and what comes back ──


def test_a_request_goes_out_whole_and_its_reply_comes_back_whole(go):
    with Upstream(does=Does(headers=(("X-Version", "7"),))) as service:
        request = HttpRequest(body=b'{"text": "gr\xc3\xbcn"}', headers=(("Idempotency-Key", "k1"),))
        reply = go(one(service.url + "/predict?v=1", request, headers=(("Authorization", "Bearer t"),)))
    assert (reply.status, reply.header("x-version")) == (200, "7")
    assert json.loads(reply.body) == {"output": {"text": "grün"}, "confidence": 0.9}
    (seen,) = service.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/predict?v=1", b'{"text": "gr\xc3\xbcn"}')
    assert seen.headers["authorization"] == "Bearer t"
    assert seen.headers["idempotency-key"] == "k1"
    assert seen.headers["host"] == service.url.removeprefix("http://")


def test_a_request_may_name_its_method_and_path(go):
    with Upstream() as service:
        go(one(service.url + "/base", HttpRequest(method="PUT", path="/other", body=b"1")))
    assert (service.seen[0].method, service.seen[0].path) == ("PUT", "/other")


@pytest.mark.parametrize("piece", [0, 1, 7, 100_000])
def test_a_chunked_reply_is_the_same_however_it_is_cut(go, piece):
    with Upstream(does=Does(piece=piece)) as service:
        reply = go(one(service.url, HttpRequest(body=json.dumps("x" * 500).encode())))
    assert json.loads(reply.body)["output"] == "x" * 500


def test_megabytes_go_both_ways(go):
    big = json.dumps("ü" * 2_000_000).encode()
    with Upstream() as service:
        reply = go(one(service.url, HttpRequest(body=big), within_s=20.0))
    assert json.loads(reply.body)["output"] == "ü" * 2_000_000


def test_every_status_is_a_reply_and_no_redirect_is_followed(go):
    with Upstream() as other:
        for status in (201, 302, 404, 500):
            with Upstream(does=Does(status=status, headers=(("Location", other.url),))) as service:
                assert go(one(service.url)).status == status
                assert len(service.seen) == 1
        assert not other.seen


def test_no_proxy_is_asked_whatever_the_environment_says(go, monkeypatch):
    with Upstream() as proxy, Upstream() as service:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert go(one(service.url)).status == 200
        assert not proxy.seen


def test_a_reply_without_a_length_ends_with_its_connection(go):
    with says(b"HTTP/1.0 200 OK\r\n\r\nhello") as url:
        assert go(one(url)).body == b"hello"


def test_what_comes_before_the_reply_is_passed_over(go):
    hints = b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with says(hints + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as url:
        reply = go(one(url))
    assert (reply.status, reply.body, reply.header("link")) == (200, b"ok", "")


# ── connections ──


def test_one_connection_carries_call_after_call(go):
    async def main():
        with closing(HttpClient(service.url)) as client:
            for _ in range(20):
                await client.ask(ASK, 2.0)

    with Upstream() as service:
        go(main())
        assert service.connections == 1
        assert len(service.seen) == 20


def test_each_call_on_a_connection_has_its_own_time(go):
    """A shorter one, a longer one and one that never comes, so that the time of one could be taken for another's."""

    async def main():
        found = []
        with closing(HttpClient(service.url)) as client:
            for wait_s, within_s in ((0.0, 0.1), (0.2, 1.0), (None, 0.2)):
                service.does = Does(never=True) if wait_s is None else Does(wait_s=wait_s)
                begun = time.perf_counter()
                try:
                    found.append((await client.ask(ASK, within_s)).status)
                except HttpFault as fault:
                    found.append(str(fault))
                took = time.perf_counter() - begun
        return found, took

    with Upstream() as service:
        found, took = go(main())
        assert service.connections == 1
    assert found == [200, 200, "no reply in time"]
    assert 0.2 <= took < 0.35


def test_there_are_never_more_connections_than_allowed(go):
    async def main():
        with closing(HttpClient(service.url, limits=HttpLimits(connections=3))) as client:
            return await asyncio.gather(*(client.ask(ASK, 5.0) for _ in range(30)))

    with Upstream(does=Does(wait_s=0.01)) as service:
        assert {reply.status for reply in go(main())} == {200}
        assert service.connections == 3
        assert len(service.seen) == 30


def test_more_waiting_calls_than_allowed_are_turned_away_at_once(go):
    async def main():
        limits = HttpLimits(connections=1, waiting=2)
        with closing(HttpClient(service.url, limits=limits)) as client:
            return await asyncio.gather(*(client.ask(ASK, 5.0) for _ in range(5)), return_exceptions=True)

    with Upstream(does=Does(wait_s=0.05)) as service:
        ended = go(main())
    assert [type(e) is HttpFault and e.kind for e in ended] == [False, False, False, "unavailable", "unavailable"]


def test_a_call_that_waits_for_a_connection_ends_in_its_time(go):
    async def main():
        with closing(HttpClient(service.url, limits=HttpLimits(connections=1))) as client:
            first = asyncio.create_task(client.ask(ASK, 5.0))
            await asyncio.sleep(0.02)
            begun = time.perf_counter()
            with pytest.raises(HttpFault, match="no connection was free in time") as caught:
                await client.ask(ASK, 0.1)
            assert caught.value.kind == "timeout"
            assert 0.09 < time.perf_counter() - begun < 0.15
            assert (await first).status == 200
            assert (await client.ask(ASK, 5.0)).status == 200  # its place was given back

    with Upstream(does=Does(wait_s=0.3)) as service:
        go(main())


def test_a_connection_that_grew_old_is_not_used(go):
    async def main():
        with closing(HttpClient(service.url, limits=HttpLimits(idle_s=0.05))) as client:
            await client.ask(ASK, 2.0)
            await asyncio.sleep(0.1)
            await client.ask(ASK, 2.0)

    with Upstream() as service:
        go(main())
        assert service.connections == 2


def test_what_the_service_says_of_keeping_alive_is_heeded(go):
    async def main():
        with closing(HttpClient(service.url)) as client:
            for _ in range(2):
                await client.ask(ASK, 2.0)

    with Upstream(does=Does(headers=(("Keep-Alive", "timeout=1, max=100"),))) as service:
        go(main())
        assert service.connections == 2


@pytest.mark.parametrize("request_", [ASK, AGAIN])
def test_a_connection_that_the_service_closed_while_the_loop_was_held_up_is_not_used(go, request_):
    """The one moment at which a client writes into a dead connection; a look at it costs a microsecond."""

    async def main():
        with closing(HttpClient(service.url)) as client:
            await client.ask(request_, 2.0)
            time.sleep(0.7)  # noqa: ASYNC251 - the loop is to be held up
            return await client.ask(request_, 2.0)

    with Upstream(idle_s=0.2) as service:
        assert go(main()).status == 200
        assert len(service.seen) == 2


def dies_on_second(connection):
    """Answers one request on a connection, and closes it when the second has come in."""
    request_on(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    dies_on_second.seen += 1
    request_on(connection)
    dies_on_second.seen += 1


def test_a_repeatable_request_is_sent_again_when_a_used_connection_closed_before_the_reply(go):
    async def main(url):
        with closing(HttpClient(url)) as client:
            await client.ask(AGAIN, 2.0)
            return await client.ask(AGAIN, 2.0)

    dies_on_second.seen = 0
    with raw_service(dies_on_second) as url:
        assert go(main(url)).body == b"ok"
    assert dies_on_second.seen == 3


def test_a_request_that_may_not_be_repeated_is_sent_once_and_has_failed(go):
    async def main(url):
        with closing(HttpClient(url)) as client:
            await client.ask(ASK, 2.0)
            with pytest.raises(HttpFault, match="lost before the reply") as caught:
                await client.ask(ASK, 2.0)
            return caught.value.kind

    dies_on_second.seen = 0
    with raw_service(dies_on_second) as url:
        assert go(main(url)) == "error"
    assert dies_on_second.seen == 2


def test_a_repeatable_request_is_not_sent_again_on_a_connection_that_was_new(go):
    with Upstream(does=Does(cut_at=0)) as service:
        assert fault_of(go, service.url, AGAIN) == ("error", "connection lost before the reply")
        assert len(service.seen) == 1


def test_a_reply_nobody_asked_for_is_never_taken_for_the_next_ones(go):
    def reply(connection):
        while True:
            request_on(connection)
            replies.append(1)
            said = b"first" if len(replies) == 1 else b"later"
            twice = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!" if len(replies) == 1 else b""
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + said + twice)

    async def main(url):
        with closing(HttpClient(url)) as client:
            one = await client.ask(ASK, 2.0)
            await asyncio.sleep(0.05)
            return one.body, (await client.ask(ASK, 2.0)).body

    replies: list[int] = []
    with raw_service(reply) as url:
        assert go(main(url)) == (b"first", b"later")


# ── faults ──


def test_nobody_there_is_unavailable(go):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    assert fault_of(go, url) == ("unavailable", "connection refused")


def test_a_host_that_nobody_knows_is_unavailable(go):
    assert fault_of(go, "http://no-such-host.invalid/", within_s=10.0)[0] == "unavailable"


@pytest.mark.parametrize(
    ("does", "fault"),
    [
        (Does(never=True), ("timeout", "no reply in time")),
        (Does(wait_s=5.0), ("timeout", "no reply in time")),
        (Does(piece=1, pause_s=0.2), ("timeout", "no reply in time")),
        (Does(cut_at=0), ("error", "connection lost before the reply")),
        (Does(cut_at=20), ("error", "connection lost in mid-reply")),
        (Does(cut_at=90), ("error", "connection lost in mid-reply")),
        (Does(garbage=True), ("invalid", "reply is not HTTP/1.1")),
        (Does(headers=(("Content-Encoding", "gzip"),)), ("invalid", "the reply is compressed, which was not asked for")),
        (Does(headers=(("X-Big", "x" * 70_000),)), ("invalid", "the head of the reply has more than 65,536 bytes")),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_by_kind_and_in_time(go, does, fault):
    with Upstream(does=does) as service:
        begun = time.perf_counter()
        assert fault_of(go, service.url, within_s=0.3) == fault
        assert time.perf_counter() - begun < 0.45
        assert len(service.seen) == 1


def test_a_service_that_accepts_and_never_reads_ends_in_time(go):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        begun = time.perf_counter()
        big = HttpRequest(body=b"x" * 20_000_000)
        assert fault_of(go, url, big, within_s=0.2) == ("timeout", "no reply in time")
        assert time.perf_counter() - begun < 0.5


ENDLESS = {
    "head": b"X-Header: 1234567890\r\n" * 1000,
    "chunk extensions": b"1;" + b"x" * 10_000 + b"\r\na\r\n",
    "body": b"10000\r\n" + b"x" * 65536 + b"\r\n",
    "trailers": b"X-Trailer: 1234567890\r\n" * 1000,
}


@pytest.mark.parametrize("part", list(ENDLESS))
def test_a_reply_without_an_end_is_cut_off_by_its_size(go, part):
    def reply(connection):
        request_on(connection)
        start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(start + {"head": b"", "trailers": b"\r\n0\r\n"}.get(part, b"\r\n"))
        while True:
            connection.sendall(ENDLESS[part])

    with raw_service(reply) as url:
        kind, said = fault_of(go, url, within_s=30.0, limits=HttpLimits(body_bytes=1 << 20))
    assert kind == "invalid"
    assert "more than" in said or "no end" in said


def test_a_body_that_is_announced_too_large_is_not_read(go):
    with says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n") as url:
        assert fault_of(go, url) == ("invalid", "the reply has more than 16,777,216 bytes")


@settings(max_examples=60)
@given(data=st.binary(max_size=300))
def test_whatever_bytes_come_the_call_ends_in_a_reply_or_a_fault(data):
    async def main():
        try:
            return (await one(url, within_s=2.0)).status
        except HttpFault as fault:
            return fault.kind

    with says(b"HTTP/1.1 200 OK\r\n" + data) as url:
        assert asyncio.run(main()) in {200, "invalid", "error"}


def test_a_reply_may_be_split_anywhere(go):
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    def reply(connection):
        for at in range(1, len(raw)):
            request_on(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(raw[:at])
            time.sleep(0.001)
            connection.sendall(raw[at:])

    async def main(url):
        with closing(HttpClient(url)) as client:
            return {(await client.ask(ASK, 2.0)).body for _ in range(1, len(raw))}

    with raw_service(reply) as url:
        assert go(main(url)) == {b"abcde"}


# ── TLS ──


def test_a_certificate_is_verified(go, tmp_path):
    tls, pem = self_signed(tmp_path)
    with Upstream(tls=tls) as service:
        assert go(one(service.url, authorities=pem)).status == 200
        kind, said = fault_of(go, service.url)
        assert kind == "unavailable"
        assert "CERTIFICATE_VERIFY_FAILED" in said
        assert len(service.seen) == 1


def test_a_certificate_for_another_host_is_refused(go, tmp_path):
    tls, pem = self_signed(tmp_path, "127.0.0.9")
    with Upstream(tls=tls) as service:
        assert fault_of(go, service.url, authorities=pem)[0] == "unavailable"


def test_a_plain_service_behind_https_is_unavailable(go):
    with Upstream() as service:
        assert fault_of(go, service.url.replace("http:", "https:"))[0] == "unavailable"


def test_authorities_that_cannot_be_read_are_said_at_once(tmp_path):
    (tmp_path / "bad.pem").write_text("nothing")
    for name in ("bad.pem", "none.pem"):
        with pytest.raises(InputError, match="certificate authorities"):
            HttpClient("https://127.0.0.1/", authorities=tmp_path / name)


# ── what cannot be sent ──


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "a\r\nEvil: 1"), ("X", "a\nb"), ("X", "caf\u00e9"), ("X\r\nEvil", "1"), ("", "1"), ("X Y", "1"),
     ("Content-Length", "3"), ("transfer-encoding", "chunked"), ("Host", "evil"), ("Connection", "close"), ("X", "a\0b")],
)  # fmt: skip
def test_a_header_that_could_become_another_is_refused_and_its_value_not_repeated(name, value):
    with pytest.raises(UsageError) as caught:
        HttpClient("http://127.0.0.1/", headers=((name, value),))
    assert "Evil: 1" not in str(caught.value)
    with pytest.raises(UsageError):
        asyncio.run(one("http://127.0.0.1:1/", HttpRequest(headers=((name, value),))))


@pytest.mark.parametrize(
    "url", ["ftp://h/", "http:///x", "http://u:p@h/", "http://h:port/", "http://h/a b", "http://h\r\nx/"]
)
def test_a_url_that_cannot_be_asked_is_refused(url):
    with pytest.raises(UsageError):
        HttpClient(url)


# ── streams ──


def test_a_stream_gives_each_piece_when_it_comes(go):
    async def main(url):
        with closing(HttpClient(url)) as client:
            async with client.stream(ASK, 5.0) as stream:
                came = []
                while data := await stream.read():
                    came.append((data, time.perf_counter()))
                return stream.status, came

    with Upstream(does=Does(piece=20, pause_s=0.1)) as service:
        status, came = go(main(service.url))
    assert status == 200
    assert b"".join(data for data, _ in came) == b'{"output":{"a":1},"confidence":0.9}'
    assert len(came) == 2
    assert came[1][1] - came[0][1] > 0.08


def test_a_stream_that_was_read_to_its_end_gives_its_connection_back(go):
    async def main(url):
        with closing(HttpClient(url)) as client:
            for _ in range(3):
                async with client.stream(ASK, 5.0) as stream:
                    await stream.read_all()
            await client.ask(ASK, 5.0)

    with Upstream(does=Does(piece=3)) as service:
        go(main(service.url))
        assert service.connections == 1


def test_a_stream_that_is_left_early_closes_its_connection(go):
    async def main(service):
        with closing(HttpClient(service.url, limits=HttpLimits(connections=1))) as client:
            async with client.stream(ASK, 5.0) as stream:
                await stream.read()
            with pytest.raises(KeyError):
                async with client.stream(ASK, 5.0) as stream:
                    raise KeyError
            await until(lambda: not service.open)
            service.does = Does()
            assert (await client.ask(ASK, 5.0)).status == 200

    with Upstream(does=Does(piece=1, pause_s=0.2)) as service:
        go(main(service))


def test_a_reader_that_is_slow_holds_the_service_back(go):
    """Otherwise one slow caller fills our memory with another's megabytes."""
    sent = [0]

    def reply(connection):
        request_on(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n")
        for _ in range(600):
            connection.sendall(b"x" * 100_000)
            sent[0] += 100_000

    async def main(url):
        with closing(HttpClient(url, limits=HttpLimits(body_bytes=1 << 30))) as client:
            async with client.stream(ASK, 30.0) as stream:
                await asyncio.sleep(0.5)
                held = sent[0]
                return held, len(await stream.read_all())

    with raw_service(reply) as url:
        held, whole = go(main(url))
    assert whole == 60_000_000
    assert held < 20_000_000  # what the kernel's buffers take


@pytest.mark.parametrize(
    ("does", "kind"),
    [(Does(piece=5, pause_s=1.0), "timeout"), (Does(piece=5, cut_at=100), "error"), (Does(never=True), "timeout")],
)
def test_a_stream_that_breaks_gives_what_came_and_then_says_so(go, does, kind):
    async def main(url):
        came = b""
        with closing(HttpClient(url)) as client:
            begun = time.perf_counter()
            try:
                async with client.stream(ASK, 0.3) as stream:
                    while data := await stream.read():
                        came += data
            except HttpFault as fault:
                return came, fault.kind, time.perf_counter() - begun

    with Upstream(does=does) as service:
        came, found, took = go(main(service.url))
    assert found == kind
    assert b'{"output":{"a":1},"confidence":0.9}'.startswith(came)
    assert bool(came) is not does.never
    assert took < 0.45


def test_the_time_of_a_stream_counts_for_a_reader_who_always_has_something_to_read(go):
    async def main(url):
        with closing(HttpClient(url)) as client:
            async with client.stream(ASK, 0.2) as stream:
                for _ in range(20):
                    await stream.read()
                    await asyncio.sleep(0.06)

    with (
        Upstream(does=Does(piece=1, pause_s=0.05)) as service,
        pytest.raises(HttpFault, match="mid-reply"),
    ):
        go(main(service.url))


def test_a_stream_is_asked_again_as_a_call_is(go):
    async def main(url):
        with closing(HttpClient(url)) as client:
            await client.ask(AGAIN, 2.0)
            async with client.stream(AGAIN, 2.0) as stream:
                assert await stream.read_all() == b"ok"
            with pytest.raises(HttpFault):
                async with client.stream(ASK, 2.0) as stream:
                    pass

    dies_on_second.seen = 0
    with raw_service(dies_on_second) as url:
        go(main(url))


# ── callers who leave, and the end ──


async def until(claim):
    for _ in range(500):
        if claim():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become so")


def test_a_caller_who_is_cancelled_leaves_no_connection_in_use(go):
    async def main(service):
        with closing(HttpClient(service.url, limits=HttpLimits(connections=1))) as client:
            for moment in (0, 0.001, 0.05):
                task = asyncio.create_task(client.ask(ASK, 5.0))
                await asyncio.sleep(moment)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            waiting = [asyncio.create_task(client.ask(ASK, 5.0)) for _ in range(3)]
            await asyncio.sleep(0.05)
            waiting[0].cancel()
            waiting[1].cancel()
            service.does = Does()
            assert (await waiting[2]).status == 200
            assert (await client.ask(ASK, 5.0)).status == 200
            await until(lambda: len(service.open) == 1)

    with Upstream(does=Does(never=True)) as service:
        go(main(service))


def test_after_close_there_is_no_connection_and_no_call(go):
    async def main(service):
        client = HttpClient(service.url)
        await asyncio.gather(*(client.ask(ASK, 2.0) for _ in range(4)))
        service.does = Does(never=True)
        hanging = asyncio.create_task(client.ask(ASK, 5.0))
        await asyncio.sleep(0.05)
        client.close()
        client.close()
        with pytest.raises(HttpFault, match="closed"):
            await hanging
        with pytest.raises(HttpFault, match="closed"):
            await client.ask(ASK, 2.0)
        await until(lambda: not service.open)

    with Upstream() as service:
        go(main(service))


def test_the_end_of_a_loop_closes_its_connections(go):
    async def main():
        return (await client.ask(ASK, 2.0)).status

    with Upstream() as service, closing(HttpClient(service.url)) as client:
        for _ in range(3):
            assert go(main()) == 200
        asyncio.run(until(lambda: not service.open))
        assert service.connections == 3


def test_loops_in_several_threads_share_one_client_and_it_is_closed_from_another(go):
    def work():
        try:
            go(main())
        except BaseException as why:  # noqa: BLE001
            wrong.append(why)

    async def main():
        for _ in range(50):
            await client.ask(ASK, 5.0)
        ready.wait(10)
        await until(lambda: not service.open)

    wrong: list[BaseException] = []
    ready = threading.Barrier(4)
    with Upstream() as service:
        client = HttpClient(service.url)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        ready.wait(10)
        client.close()
        for thread in threads:
            thread.join(20)
        assert not wrong
        assert service.connections == 3
        assert len(service.seen) == 150


def test_a_fork_gets_connections_of_its_own():
    async def ask():
        return (await client.ask(ASK, 5.0)).status

    with Upstream() as service, closing(HttpClient(service.url)) as client:
        with asyncio.Runner() as runner:
            assert runner.run(ask()) == 200
            child = os.fork()
            if child == 0:
                status = asyncio.run(ask())
                client.close()
                os._exit(0 if status == 200 else 1)
            _, code = os.waitpid(child, 0)
            assert code == 0
            assert runner.run(ask()) == 200
        numbers = [seen.connection for seen in service.seen]
        assert numbers[0] == numbers[2] != numbers[1]
