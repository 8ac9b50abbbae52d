"""A wire between ledger and server that can be cut: before something has reached the server, or before its answer has
come back."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_NUMBER = b"K\x00\x00\x00\x0c"  # the message in which a server tells the number of its process
_READY = (b"Z\x00\x00\x00\x05I", b"Z\x00\x00\x00\x05T", b"Z\x00\x00\x00\x05E")  # …and that it has done all it was asked


class CuttingProxy:
    """Passes bytes between clients and a server on this machine.

    Attributes:
        cut_at: when a client sends these bytes, its wire is cut…
        lets_through: …after the server has had them and has answered; else before.
        goes_down_then: and nobody gets in any more.
        is_down: nobody gets in.
        is_pool: says another process number than the server, as a pool of connections does.
        cuts: how often a wire was cut at `cut_at`.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self.cut_at = b""
        self.lets_through = False
        self.goes_down_then = False
        self.is_down = False
        self.is_pool = False
        self.cuts = 0
        self._muted: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (end for pair in self._cut for end in pair):
            end.close()

    def address(self, database: str) -> str:
        """The same database, through here."""
        return database.replace(f":{self._server}/", f":{self.port}/")

    def cut(self) -> None:
        """Cut every wire."""
        while self._pairs:
            pair = self._pairs.pop()
            # Closed at the end only: a thread that is about to read would else read from whatever has its number then.
            self._cut.append(pair)
            _hang_up(*pair)

    def _start(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._server))
            self._pairs.append((client, server))
            self._start(self._pass_requests, client, server)
            self._start(self._pass_answers, server, client)

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                if self.cut_at and self.cut_at in data:
                    self.cut_at = b""
                    if not self.lets_through:
                        self._is_cut()
                        break
                    self._muted = server  # from here on, nothing comes back to this client
                server.sendall(data)
        _hang_up(client, server)

    def _pass_answers(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if server is self._muted:
                    if data.endswith(_READY):
                        self._is_cut()
                        break
                    continue
                if self.is_pool and _NUMBER in data:
                    at = data.index(_NUMBER) + len(_NUMBER)
                    data = data[:at] + (1).to_bytes(4, "big") + data[at + 4 :]
                client.sendall(data)
        _hang_up(client, server)

    def _is_cut(self) -> None:
        self.is_down = self.goes_down_then
        self.cuts += 1


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
