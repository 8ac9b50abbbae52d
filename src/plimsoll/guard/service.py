"""Asking a service over HTTP for a target: its secrets, its faults by kind, and what a repetition is known by."""

from __future__ import annotations

import email.utils
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.engine.http import Headers, HttpClient, HttpFault, HttpLimits, HttpReply, HttpRequest, HttpStream
from plimsoll.errors import InputError, TargetError, UsageError
from plimsoll.guard.target import Ask, TargetFault
from plimsoll.model.endpoint import Header

_PLAIN_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_OWN: Final[Headers] = (
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", "plimsoll-ai"),
)
_MOST_WAIT_S: Final = 86_400.0  # of a Retry-After; beyond a day it is a mistake, and would be recorded as a figure
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Service:
    """One service, asked by POST with JSON.

    Args:
        url: where it is asked.
        headers: by name, as the manifest declares them.
        folder: that files of secrets are relative to.
        authorities: a PEM file in place of the system's certificate authorities.
        connections: open at once, at most.
        repeatable: asking twice does no more than asking once.

    Raises:
        TargetError: a secret is not set or cannot be read, or the URL or a header cannot be sent.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, Header],
        folder: Path,
        authorities: Path | None,
        connections: int,
        repeatable: bool,
    ) -> None:
        fixed: list[tuple[str, str]] = [(name, value) for name, value in _OWN if name not in headers]
        self._files: list[_SecretFile] = []
        for name, header in headers.items():
            if header.file:
                self._files.append(_SecretFile(name, folder / header.file, header.prefix))
            else:
                fixed.append((name, header.prefix + (header.value or _from_environment(name, header.env))))
        self._repeatable = repeatable
        try:
            self._client = HttpClient(
                url,
                headers=tuple(fixed),
                limits=HttpLimits(connections=connections),
                authorities=authorities,
            )
        except UsageError as why:
            raise TargetError(f"the target cannot be asked: {why.message}", fix=why.fix) from why
        except InputError as why:
            raise TargetError(why.message, fix=why.fix) from why
        self.host = self._client.host

    async def ask(self, body: bytes, ask: Ask) -> HttpReply:
        """Send a body, and give the reply if its status is one of success.

        Raises:
            TargetFault: anything else; by its kind.
        """
        try:
            reply = await self._client.ask(self._request(body, ask), ask.deadline_s)
        except HttpFault as why:
            raise TargetFault(why.kind, str(why)) from why
        except UsageError as why:
            raise TargetFault("invalid", why.message) from why
        if not 200 <= reply.status < 300:
            raise fault_of_status(reply.status, reply.headers, reply.body)
        return reply

    @asynccontextmanager
    async def stream(self, body: bytes, ask: Ask) -> AsyncIterator[HttpStream]:
        """Send a body, and give the reply as it comes if its status is one of success.

        Raises:
            TargetFault: anything else; by its kind; also from the block, where the rest does not come.
        """
        try:
            async with self._client.stream(self._request(body, ask), ask.deadline_s) as stream:
                if not 200 <= stream.status < 300:
                    raise fault_of_status(stream.status, stream.headers, await stream.read_all())
                yield stream
        except HttpFault as why:
            raise TargetFault(why.kind, str(why)) from why
        except UsageError as why:
            raise TargetFault("invalid", why.message) from why

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _request(self, body: bytes, ask: Ask) -> HttpRequest:
        headers = tuple((secret.name, secret.read()) for secret in self._files)
        if ask.key:
            headers = (*headers, ("idempotency-key", key_of(ask.key)))
        return HttpRequest(body=body, headers=headers, repeatable=self._repeatable)


def key_of(key: str) -> str:
    """A key as it can stand in a header: itself, or its SHA-256 where HTTP could not carry it."""
    return key if _PLAIN_KEY.fullmatch(key) else f"sha256-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"


def fault_of_status(status: int, headers: Headers, body: bytes, *, now_s: float | None = None) -> TargetFault:
    """What a status other than success means.

    429 and 503 are "unavailable", 408 and 504 "timeout", other 5xx "error", and all else "invalid": a redirect is not
    followed, and a request that was refused as it is would be refused again.

    Args:
        status: not from 200 to 299.
        headers: names in lower case; Retry-After is read where it may be waited for.
        body: of it, only a code in OpenAI's form is told: whatever else it says may repeat what was sent.
        now_s: the time, for a Retry-After that names a moment and a reply without a date; None: now.
    """
    said = f"status {status}{_code_of(body)}"
    if status in {429, 503}:
        wait = _retry_after(dict(reversed(headers)), time.time() if now_s is None else now_s)
        return TargetFault("unavailable", said, retry_after_s=wait)
    if status in {408, 504}:
        return TargetFault("timeout", said)
    if status >= 500:
        return TargetFault("error", said)
    if 300 <= status < 400:
        said += ": redirects are not followed; name the address it answers at"
    elif status in {401, 403}:
        said += ": it refuses the credentials"
    return TargetFault("invalid", said)


def _code_of(body: bytes) -> str:
    try:
        told = msgspec.json.decode(body, type=_Told).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    code = told.code if isinstance(told.code, str) else told.type
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""


class _Error(msgspec.Struct, frozen=True):
    code: str | int | None = None
    type: str | None = None


class _Told(msgspec.Struct, frozen=True):
    error: _Error


def _retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3): a number of them, or a moment."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdecimal():
        return min(float(given), _MOST_WAIT_S)
    moment = _moment(given)
    if moment is None:
        return None
    # By the service's own clock where it says the time, so that ours need not agree with it.
    return max(0.0, min(moment - (_moment(headers.get("date", "")) or now_s), _MOST_WAIT_S))


def _moment(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _from_environment(name: str, variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise TargetError(
            f"the environment variable '{variable}', which the header '{name}' is made of, is not set",
            fix=f"set {variable} where the system runs",
        )
    return value


class _SecretFile:
    """A header whose value stands in a file, which may be written anew at any time."""

    def __init__(self, name: str, path: Path, prefix: str) -> None:
        self.name = name
        self._path = path
        self._prefix = prefix
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""
        try:
            self._load()
        except OSError as why:
            raise TargetError(
                f"the file '{path}', which the header '{name}' is made of, cannot be read: {why.strerror}",
                fix="put the secret there, readable by who runs the system",
            ) from why
        except ValueError as why:
            raise TargetError(
                f"the file '{path}', which the header '{name}' is made of, holds no line of text",
                fix="write the secret there, alone",
            ) from why

    def read(self) -> str:
        """The value as the file has it now; the last one while it is being written anew."""
        try:
            self._load()
        except (OSError, ValueError):
            return self._value
        return self._value

    def _load(self) -> None:
        found = self._path.stat()
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        text = self._path.read_text(encoding="ascii").strip()
        if not text or len(text.splitlines()) > 1:
            raise ValueError("no secret")
        self._stamp, self._value = stamp, self._prefix + text
