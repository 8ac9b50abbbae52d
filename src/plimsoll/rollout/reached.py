"""Which services were reached while a release was measured.

What answers at an address can change while the digest stays, so a service is either declared in the manifest, and the
evidence says that it rests on it, or it is uncovered as a file can be. Python reports to its audit hooks (PEP 578)
every ``socket.connect``, every datagram that is sent somewhere, and every name that is looked up for a port.

Not seen: what a child process reaches, and what compiled code reaches by itself without asking Python (gRPC, libpq,
uvloop). Such services must be declared by who knows of them.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from plimsoll.model.service import ANY_PORT, UNIX, as_address, host_and_port, service_of

LATELY: Final = 16  # names remembered, to know an address by: each may be looked up again when one is reached
LOOK_UP: Final = "socket.getaddrinfo"
EVENTS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", LOOK_UP})

# Where whatever runs on a machine writes its log lines to; nothing is read from there.
_LOGS: Final = frozenset({"/dev/log", *(f"/run/systemd/journal/{name}" for name in ("dev-log", "socket", "stdout"))})
# Between the process and its kernel: no service answers there.
_KERNEL: Final = frozenset(
    getattr(socket, name) for name in ("AF_NETLINK", "AF_ALG", "AF_PACKET") if hasattr(socket, name)
)


_BEGAN: Final = time.time()


def resolve(name: str) -> frozenset[str]:
    """The addresses that a host name has now; none when it is not known."""
    try:
        return frozenset(str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(name, None))
    except (OSError, UnicodeError):
        return frozenset()


class Reached:
    """The services that one project's target has reached, as ``host:port`` or ``unix:/path``.

    A client looks a name up and connects to an address of it. The address is then taken for the name, if the name is
    declared or was just looked up, and has that address at this moment; otherwise it is a service of its own.

    Args:
        most: distinct services that are kept; of a target that reaches more, that is said in place of the rest.
        addresses_of: looks a host name up.
    """

    def __init__(self, most: int, addresses_of: Callable[[str], frozenset[str]] = resolve) -> None:
        self._most = most
        self._addresses_of = addresses_of
        self._noted: set[str] = set()
        self._led: dict[str, str] = {}  # from an address that was reached to the service by name that had it
        self._declared: tuple[tuple[str, str], ...] = ()  # host and port of those that are declared by a name
        self._looked_up: deque[str] = deque(maxlen=LATELY)

    def expect(self, declared: Iterable[str]) -> None:
        """Say which services are declared; addresses that were reached before are compared with them, too."""
        parts = (host_and_port(text) for text in declared)
        self._declared = tuple(pair for pair in parts if pair and as_address(pair[0]) is None)
        for service in tuple(self._noted):
            self._lead(service)

    @property
    def services(self) -> frozenset[str]:
        """What was reached; where it was reached by a name, the name in place of the address."""
        return frozenset(self._led.get(service, service) for service in tuple(self._noted))

    def named(self, event: str, args: tuple[Any, ...]) -> str:
        """The service that an audit event is about; "" when it is about none, or about one that is noted already."""
        service = _asked_for(*args[:2]) if event == LOOK_UP else _connected(args[0], args[1])
        return "" if service in self._noted else service

    def look_up(self, service: str) -> None:
        """A name was looked up, by somebody who may connect to it next."""
        if service not in self._looked_up:
            self._looked_up.append(service)

    def note(self, service: str) -> None:
        """Keep a service."""
        if len(self._noted) >= self._most:
            service = f"more than {self._most:,} different ones"
        self._noted.add(service)
        self._lead(service)

    def _lead(self, service: str) -> None:
        parts = host_and_port(service) if ":" in service else None
        if parts is None or as_address(parts[0]) is None:
            return
        lately = (host_and_port(name) for name in tuple(self._looked_up))
        for host, port in (*self._declared, *(pair for pair in lately if pair and as_address(pair[0]) is None)):
            if port in {parts[1], ANY_PORT} and parts[0] in self._addresses_of(host):
                self._led[service] = service_of(host, parts[1])
                return
        self._led.pop(service, None)


def _asked_for(host: Any, port: Any) -> str:
    """The service that a name is looked up for; "" when it is for none, as where a port is chosen by the system."""
    number = _port(port)
    return service_of(_text(host), number) if host and number else ""


def _port(port: Any) -> int:
    if isinstance(port, int):
        return port
    text = _text(port or "0")
    if text.isdecimal():
        return int(text)
    try:
        return socket.getservbyname(text)
    except OSError:
        return 0


def _text(value: Any) -> str:
    return os.fsdecode(value if isinstance(value, str) else bytes(value))


def _connected(sock: Any, address: Any) -> str:
    family = sock.family
    if address is None or family in _KERNEL:
        return ""
    if family == socket.AF_UNIX:
        path = _text(address)
        if path.startswith("\0"):
            return f"{UNIX}@{path[1:]}"
        real = os.path.realpath(path)
        return "" if real in _LOGS or _is_of_multiprocessing(real) else f"{UNIX}{real}"
    if family in {socket.AF_INET, socket.AF_INET6}:
        return service_of(_text(address[0]), int(address[1]))
    return f"{socket.AddressFamily(family).name}:{address!r}"


def _is_of_multiprocessing(path: str) -> bool:
    """Whether a socket is one by which this process and its children speak: in a folder that they made for it."""
    folder = Path(path).parent
    try:
        made = folder.stat()
    except OSError:
        return False
    return folder.name.startswith("pymp-") and made.st_uid == os.getuid() and made.st_ctime >= _BEGAN
