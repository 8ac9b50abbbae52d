"""HTTP/1.1 requests as bytes, and the addresses they go to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from plimsoll.errors import UsageError

Headers = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they are sent."""

# RFC 9110, 5.6.2. A name or value with a line break in it would be a second header, or a second request.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_FRAMING: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"})


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
    if any(ord(c) < 32 for c in url):  # Python drops line breaks from a URL without a word
        raise UsageError("the URL holds a line break or another control character", fix="write it on one line")
    if parts.username is not None:
        raise UsageError("the URL holds a user name", fix="send credentials in a header instead")
    return parts


def path_and_query(parts: SplitResult) -> str:
    """What of a URL stands in the first line of a request."""
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"


def start_of(method: str, path: str, host: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A request up to its length and body: the first line, Host, and these headers; ends with a line break.

    Args:
        method: such as ``POST``.
        path: with its query, percent-encoded.
        host: with its port where that is not the scheme's own.
        headers: beside Host and what says how long the body is. ``Content-Type`` and all others are sent as given.

    Raises:
        UsageError: something in it cannot be sent as it is. The message names a header and never its value, which may
            be a secret.
    """
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if " " in path or any(not _VALUE.fullmatch(line) for line in lines):
        raise UsageError("the URL or a header holds a character that HTTP cannot carry", fix="percent-encode it")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise UsageError(f"{name[:128]!a} is not the name of a header that can be set", fix="remove it")
        if not _VALUE.fullmatch(value):
            raise UsageError(
                f"the header '{name}' holds a character that HTTP cannot carry",
                fix="write printable ASCII on one line; a token read from a file must not end in a second line",
            )
        lines.append(f"{name}: {value}")
    return "\r\n".join(lines).encode("ascii") + b"\r\n"
