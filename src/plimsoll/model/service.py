"""The services that a target reaches, as the manifest names them: ``host:port``, ``[::1]:port``, ``unix:/path``.

Two writings of one address are one: letters of a host name count for nothing, and an IPv6 address has a short form.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.words import quoted

ANY_PORT: Final = "*"  # a service that takes another port each time it starts, such as one that the target starts
UNIX: Final = "unix:"
MOST_PORT: Final = 65535

_WRITTEN: Final = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]*?#]+):(?P<port>[0-9]{1,5}|\*)")
_URL: Final = re.compile(r"(?P<scheme>[a-z]+)://(?:[^/@\s]*@)?(?P<host>\[[^\]\s]+\]|[^:/\s]+)(?::(?P<port>[0-9]+))?")
_USUAL: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443", "grpc": "443", "postgresql": "5432"}


def service_of(host: str, port: int | str) -> str:
    """How a service is written: ``host:port``, an IPv6 address in brackets.

    >>> service_of("API.Example.org.", 443), service_of("0:0:0:0:0:0:0:1", 80), service_of("", 80)
    ('api.example.org:443', '[::1]:80', '0.0.0.0:80')
    """
    name = host.strip("[]").partition("%")[0].rstrip(".").lower() or "0.0.0.0"  # noqa: S104 - compared, never bound
    address = as_address(name)
    if address is not None:
        name = f"[{address}]" if address.version == 6 else str(address)
    elif not name.isascii():
        with contextlib.suppress(UnicodeError):  # then it is no name that anybody can look up: it stays as written
            name = name.encode("idna").decode()
    return f"{name}:{port}"


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as; None: it is a name. An IPv4 address within an IPv6 one is that one."""
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def check_service(text: str) -> None:
    """Refuse what names no service.

    Raises:
        NotUnderstood: with the service that was probably meant.
    """
    if text.startswith(UNIX) and text[len(UNIX) :].startswith(("/", "@")):
        return
    written = None if text.startswith(UNIX) else _WRITTEN.fullmatch(text)
    if written and (written["port"] == ANY_PORT or 1 <= int(written["port"]) <= MOST_PORT):
        return
    near = _nearest(text)
    raise NotUnderstood(
        f"{quoted(text)} does not name a service",
        fix=f"did you mean '{near}'?" if near else "write host:port, [IPv6 address]:port or unix:/path",
        code="manifest.service",
    )


def _nearest(text: str) -> str:
    if (url := _URL.match(text)) is not None:
        port = url["port"] or _USUAL.get(url["scheme"], "")
        return f"{url['host']}:{port}" if port else ""
    if text.startswith("/"):
        return f"{UNIX}{text}"
    return f"{text}:443" if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", text) else ""


def undeclared(reached: Iterable[str], declared: Iterable[str]) -> tuple[str, ...]:
    """The services among those reached that none of the declared ones stands for, sorted.

    Args:
        reached: as `service_of` writes them, or ``unix:/path``.
        declared: as the manifest writes them.

    >>> undeclared(["api.example.org:443", "127.0.0.1:9", "127.0.0.1:10"], ["API.example.org:443", "127.0.0.1:*"])
    ()
    """
    exact = {_canonical(text) for text in declared}
    hosts = {text.removesuffix(f":{ANY_PORT}") for text in exact if text.endswith(f":{ANY_PORT}")}
    return tuple(sorted({s for s in reached if s not in exact and _host_of(s) not in hosts}))


def _host_of(service: str) -> str:
    return "" if service.startswith(UNIX) else service.rpartition(":")[0]


def host_and_port(text: str) -> tuple[str, str] | None:
    """Host (an IPv6 address without its brackets) and port of a service, in one form; None: it is a Unix socket."""
    if text.startswith(UNIX):
        return None
    host, _, port = _canonical(text).rpartition(":")
    return host.strip("[]"), port


def _canonical(text: str) -> str:
    if text.startswith(UNIX):
        return text
    host, _, port = text.rpartition(":")
    return service_of(host, port.lstrip("0") or port)
