"""HTTP requests, built as bytes before the first one is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from plimsoll.engine.load_window import Outcome
from plimsoll.errors import UsageError

_OVERLOADED: Final = frozenset({429, 503})


class HttpTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP/1.1 service that takes a record by POST.

    Args:
        url: ``http://`` or ``https://``, without user name or password.
        headers: beside Host, Content-Type and Content-Length.
        connections: open at once, at most; calls beyond wait in the driver, and their wait is in their latency.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    connections: int = 512

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
