"""Patterns of hosts: one host, everything below a domain, or a network; and which of several names a host best.

A host is compared as the network does: without regard to case, without the dot at its end, without a port. Names are
ASCII; a name in another script is written in its ``xn--`` form, since two scripts can show one name.

Source: RFC 1123, section 2.1 (host names); RFC 4632 (networks); RFC 5891 (the ``xn--`` form).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgspec

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.words import quoted

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST: Final = 253  # characters of a name (RFC 1035, section 2.3.4)
_PORT: Final = re.compile(r":[0-9]{1,5}$")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HostPattern(msgspec.Struct, frozen=True, kw_only=True):
    """What a page may write for a group of hosts.

    >>> HostPattern.parse("*.example.com").rank("api.eu.example.com") > 0
    True
    >>> HostPattern.parse("10.0.0.0/8").rank("10.1.2.3") > HostPattern.parse("10.0.0.0/8").rank("11.1.2.3")
    True
    """

    text: str  # as compared
    below: str = ""  # ".example.com", for everything below that domain
    network: Network | None = None

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        """Read a pattern.

        Raises:
            NotUnderstood: it is none, or it would name every host.
        """
        plain = text.strip().casefold().removesuffix(".")
        if _SCHEME.match(plain) or ("/" in plain and not _is_network(plain)):
            host = _SCHEME.sub("", plain).partition("/")[0]
            raise _no_host(text, f"write {host} alone" if host else "write the host alone")
        if plain.startswith("*."):
            _check_name(plain[2:], text)
            return cls(text=plain, below=plain[1:])
        network = _network(plain, text)
        if network is not None:
            return cls(text=str(network), network=network)
        _check_name(plain, text)
        return cls(text=plain)

    def rank(self, host: str, address: Address | None = None) -> int:
        """How closely this names a host; 0 when it does not. A longer pattern names it more closely.

        Args:
            host: as `plain_host` gives it.
            address: the same as an address, when it is one; None: it is looked at here.
        """
        if self.network is not None:
            given = address or address_of(host)
            if given is None or given.version != self.network.version or given not in self.network:
                return 0
            return 1 + self.network.prefixlen
        if self.below:
            return len(self.below) if host.endswith(self.below) and len(host) > len(self.below) else 0
        return 1000 if host == self.text else 0


def plain_host(text: str) -> str:
    """A host as it is compared: lower case, no dot at its end, no port, no brackets; "" when it is none.

    >>> plain_host("API.Example.com:443"), plain_host("[2001:DB8::1]:8443"), plain_host("a/b"), plain_host("bücher.de")
    ('api.example.com', '2001:db8::1', '', '')
    """
    host = text.strip().casefold()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = _PORT.sub("", host)
    host = host.removesuffix(".")
    address = address_of(host)
    if address is not None:
        return str(address)
    return host if len(host) <= _LONGEST and _NAME.fullmatch(host) else ""


def address_of(host: str) -> Address | None:
    """A host as an address, when it is one in its usual form."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_network(plain: str) -> bool:
    return address_of(plain.partition("/")[0]) is not None


def _network(plain: str, text: str) -> Network | None:
    """A network, or one address as a network of one; None when it is neither."""
    if not _is_network(plain):
        return None
    try:
        network = ipaddress.ip_network(plain)
    except ValueError as why:
        near = ipaddress.ip_network(plain, strict=False) if "host bits" in str(why) else None
        raise _no_host(text, f"write {near}" if near else "write a network such as 10.0.0.0/8") from why
    if network.prefixlen == 0:
        raise _every_host(text)
    return network


def _check_name(plain: str, text: str) -> None:
    if plain in {"*", ""}:
        raise _every_host(text)
    if not plain.isascii():
        raise _no_host(text, "write the name in its xn-- form: two scripts can show one name")
    if len(plain) > _LONGEST or _NAME.fullmatch(plain) is None:
        bare = _PORT.sub("", plain)
        fix = f"write {bare} alone; every port of a host is meant" if bare != plain else "write a host"
        raise _no_host(text, fix)


def _every_host(text: str) -> NotUnderstood:
    return NotUnderstood(
        f"{quoted(text)} would name every host there is",
        fix="name the hosts; one that is not named is the destination unknown",
        code="governance.host",
    )


def _no_host(text: str, fix: str) -> NotUnderstood:
    return NotUnderstood(
        f"{quoted(text)} is no host; allowed are a host, '*.' and a domain, or a network such as 10.0.0.0/8",
        fix=fix,
        code="governance.host",
    )
