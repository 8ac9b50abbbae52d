"""A small HTTP/1.1 service that behaves badly in one chosen way; a process of its own, so that it disturbs no driver.

``load_server.py KIND [VALUE…]``: prints its port, then serves until its standard input is closed. With ``CERTIFICATE``
in its environment, a PEM file with a key, it serves over TLS.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time

import uvloop

REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
BODY = b'{"disposition":"answered"}'
OK = REPLY % (len(BODY), BODY)


class Service(asyncio.Protocol):
    """One connection; the behaviour is shared by all."""

    seen = 0
    started = 0.0
    stalled = False

    def __init__(self, kind: str, values: list[float]) -> None:
        self.kind, self.values = kind, values
        self.rest = b""
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head = self.rest[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.rest) < end + 4 + length:
                return
            body = self.rest[end + 4 : end + 4 + length]
            self.rest = self.rest[end + 4 + length :]
            Service.seen += 1
            Service.started = Service.started or time.monotonic()
            self.body = body
            getattr(self, self.kind.replace("-", "_"))()

    def say(self, raw: bytes) -> None:
        self.transport.write(raw)

    def ok(self) -> None:
        self.say(OK)

    def echo(self) -> None:
        self.say(REPLY % (len(self.body), self.body))

    def stall(self) -> None:
        """Stands still once, for the second value, after the first has passed."""
        if not Service.stalled and time.monotonic() - Service.started >= self.values[0]:
            Service.stalled = True
            time.sleep(self.values[1])
        self.say(OK)

    def slow(self) -> None:
        """Every reply takes so long; any number at once."""
        asyncio.get_running_loop().call_later(self.values[0], self.say, OK)

    def serial(self) -> None:
        """Every reply takes so long; one at a time."""
        time.sleep(self.values[0])
        self.say(OK)

    def status(self) -> None:
        self.say(b"HTTP/1.1 %d Nope\r\nContent-Length: 0\r\n\r\n" % self.values[0])

    def never(self) -> None:
        pass

    def first_never(self) -> None:
        """The first so many calls get no reply."""
        if Service.seen > self.values[0]:
            self.say(OK)

    def cut(self) -> None:
        """Closes in the middle of the reply."""
        self.say(OK[:-5])
        self.transport.close()

    def hang_up(self) -> None:
        self.transport.close()

    def garbage(self) -> None:
        self.say(b"\x16\x03\x01 this is not HTTP\r\n\r\n")

    def one_each(self) -> None:
        """A reply whose body ends with the connection, as HTTP/1.0 has it."""
        self.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
        self.transport.close()

    def early_hint(self) -> None:
        self.say(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)

    def twice(self) -> None:
        """A second reply that nobody asked for."""
        self.say(OK + OK)


async def main(kind: str, values: list[float]) -> None:
    loop = asyncio.get_running_loop()
    tls = None
    if "CERTIFICATE" in os.environ:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.environ["CERTIFICATE"])
    server = await loop.create_server(lambda: Service(kind, values), "127.0.0.1", 0, backlog=2048, ssl=tls)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], [float(v) for v in sys.argv[2:]]))
