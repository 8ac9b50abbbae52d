"""HTTP requests, built as bytes before the first one is sent, and how the service that they go to is known."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.engine.http_request import address, path_and_query, start_of
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
    headers = (("Content-Type", target.content_type), *target.headers)
    start = start_of("POST", path_and_query(parts), parts.netloc, headers)
    return tuple(b"%bContent-Length: %d\r\n\r\n%b" % (start, len(body), body) for body in bodies)


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
