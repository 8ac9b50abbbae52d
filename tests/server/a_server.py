"""A server as its own process, and a client of plain sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from cli.tiny_system import PLIMSOLL, TinySystem, environment

_LISTENS = re.compile(r"listens on (https?)://(?:\[::1\]|127\.0\.0\.1):(\d+)")


class Running:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = "", headers: dict[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            got = connection.getresponse()
            return Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Reply:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], raw: bytes) -> None:
        self.status = status
        self.headers = headers
        self.raw = raw

    @property
    def data(self) -> Any:
        return json.loads(self.raw)

    def __repr__(self) -> str:
        return f"{self.status} {self.headers} {self.raw[:500]!r}"


@contextlib.contextmanager
def serving(tiny: TinySystem, *options: str) -> Iterator[Running]:
    """The real command on a free port; ended, and killed if it does not end."""
    process = subprocess.Popen(
        [PLIMSOLL, "serve", "--port", "0", *options],
        cwd=tiny.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = b""
        while not (found := _LISTENS.search(said.decode())):
            line = process.stderr.readline()
            assert line, f"it ended with {process.wait()}: {said.decode()}"
            said += line
        running = Running(process, int(found[2]))
        _wait_until_ready(running)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _wait_until_ready(running: Running) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if running.ask("GET", "/healthz").status == 200:
                return
        time.sleep(0.02)
    raise AssertionError("it listens and does not answer")


def new_token(tiny: TinySystem, *scopes: str, **options: Any) -> str:
    """A token of these scopes."""
    more = [part for scope in scopes for part in ("--scope", scope)]
    more += [part for name, value in options.items() for part in (f"--{name}", value)]
    made = tiny.run("token", "new", "a test", "--by", "ops@example.org", *more)
    assert made.code == 0, made
    return made.stdout.strip()
