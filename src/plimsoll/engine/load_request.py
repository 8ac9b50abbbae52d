"""HTTP requests, built as bytes before the first one is sent, and how the service that they go to is known."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from plimsoll.engine.load_window import Outcome
from plimsoll.errors import InputError, UsageError

_OVERLOADED: Final = frozenset({429, 503})


class HttpTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP/1.1 service that takes a record by POST.

    Args:
        url: ``http://`` or ``https://``, without user name or password.
        headers: beside Host, Content-Type and Content-Length.
        connections: open at once, at most; calls beyond wait in the driver, and their wait is in their latency.
        connect_s: how long a connection may take, its TLS handshake with it.
        ca: for ``https://``, a PEM file with the certificates of the only authorities that are trusted; empty: those of
            the system's own store. That nobody is verified cannot be asked for.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    connections: int = 512
    connect_s: float = 10.0
    ca: str = ""

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise ValueError("at least one connection must be allowed")


def by_status(status: int) -> Outcome:
    """How a call ended, from the status alone: 2xx answered, 429 and 503 shed, everything else failed."""
    if 200 <= status < 300:
        return Outcome.ANSWERED
    return Outcome.SHED if status in _OVERLOADED else Outcome.FAILED


def build_requests(target: HttpTarget, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
    """The bytes of each request.

    Raises:
        UsageError: the URL or a header cannot be sent as it is, or there is no body to send.
    """
    parts = address(target.url)
    if not bodies:
        raise UsageError("there is no record to send", fix="give at least one record")
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: {target.content_type}",
        *(f"{name}: {value}" for name, value in target.headers),
    ]
    if " " in path or any(ord(c) < 32 or ord(c) > 126 for line in lines for c in line):
        raise UsageError("the URL or a header holds a character that HTTP cannot carry", fix="percent-encode it")
    head = "\r\n".join(lines).encode("ascii")
    return tuple(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body) for body in bodies)


def tls_of(target: HttpTarget) -> ssl.SSLContext | None:
    """How the service's certificate is verified: against its host name, and by whom it is signed; None: plain HTTP.

    Raises:
        UsageError: authorities are named for a plain address, where nobody would look at them; or the URL is none.
        InputError: their file cannot be read, or holds no certificate.
    """
    if address(target.url).scheme != "https":
        if target.ca:
            raise UsageError(
                f"'{target.url}' is no https URL, so the certificates in '{target.ca}' would verify nothing",
                fix="write https://, or leave the file out",
            )
        return None
    try:
        return ssl.create_default_context(cafile=target.ca or None)
    except OSError as why:  # a file that holds no certificate is an error of TLS, and so of this kind
        said = "it holds no certificate" if isinstance(why, ssl.SSLError) else why.strerror
        raise InputError(
            f"the certificates in '{target.ca}' cannot be read: {said}",
            fix="give a PEM file with the certificate of the authority that signed the service's",
        ) from why


def address(url: str) -> SplitResult:
    """The parts of a URL that we can ask.

    Raises:
        UsageError: it is no http or https URL, or it holds a user name.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises on a port that is no number
    except ValueError as why:
        raise UsageError(f"'{url}' is not a URL: {why}", fix="write it as http://host:port/path") from why
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"'{url}' is not an http or https URL", fix="write it as http://host:port/path")
    if parts.username is not None:
        raise UsageError("the URL holds a user name", fix="send credentials in a header instead")
    return parts
