"""A service as a target: a record goes out as JSON, and an answer is read from the JSON that comes back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from plimsoll.guard.intake import to_json
from plimsoll.guard.service import Service
from plimsoll.guard.target import Ask, TargetFault
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import HttpService
from plimsoll.model.pointer import Steps, look_up, parse_pointer
from plimsoll.model.template import Compiled, NotThere, compile_template


class HttpTarget:
    """A service that takes JSON by POST and gives JSON.

    Args:
        declared: what the manifest says of it.
        identity: what it must say of its version, where the manifest says at which place of the reply.
        folder: that files are relative to.
        texts: of the files that the request is made of.
        connections: open at once in one event loop, at most.
        repeatable: asking twice has the effect of asking once: what was sent on a connection that broke is sent again.

    Raises:
        TargetError: a secret is not set, or the URL or a header cannot be sent.
    """

    is_async = True

    def __init__(
        self,
        declared: HttpService,
        *,
        identity: str,
        folder: Path,
        texts: Mapping[str, str],
        connections: int,
        repeatable: bool = False,
    ) -> None:
        self.name = declared.url
        self._service = Service(
            declared.url,
            headers=declared.headers,
            folder=folder,
            authorities=folder / declared.authorities if declared.authorities else None,
            connections=connections,
            repeatable=repeatable,
        )
        self.destination = self._service.host
        self._request = None if declared.request is None else compile_template(declared.request, texts)
        self._read = ReplyReader(declared, identity)

    async def ask(self, ask: Ask) -> Result:
        """Ask the service.

        Raises:
            TargetFault: it did not answer in time, or not in the form that the manifest declares; see its kinds.
        """
        reply = await self._service.ask(body_of(self._request, ask.record), ask)
        return self._read(reply.body)

    def close(self) -> None:
        """Close every connection."""
        self._service.close()


def body_of(request: Compiled | None, record: Any) -> bytes:
    """The JSON that is sent for a record.

    Raises:
        TargetFault: "invalid": the record lacks what the request is made of, or has no JSON form.
    """
    try:
        return to_json(record if request is None else filled(request, record))
    except TypeError as why:
        raise TargetFault("invalid", f"the record cannot be sent: {why}") from why


def filled(request: Compiled, record: Any) -> Any:
    """A template filled from a record.

    Raises:
        TargetFault: "invalid": the record lacks what it is made of.
        TypeError: the record has no JSON form.
    """
    try:
        try:
            return request.fill(record)
        except TypeError:  # an array in the middle of a text: as it is recorded, it is a list
            return request.fill(msgspec.json.decode(to_json(record)))
    except NotThere as why:
        raise TargetFault("invalid", str(why)) from why


def decoded(body: bytes) -> Any:
    """The JSON of a reply.

    Raises:
        TargetFault: "invalid": it is none. What it is instead is not told, since it may repeat what was sent.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        what = "nothing" if not body else f"{len(body):,} bytes that are not JSON"
        raise TargetFault("invalid", f"the reply is {what}") from why


class ReplyReader:
    """Reads the answer out of a reply, by the pointers that the manifest declares."""

    def __init__(self, declared: HttpService, identity: str) -> None:
        places = declared.response
        self._output = parse_pointer(places.output)
        self._confidence = _steps(places.confidence)
        self._sources = _steps(places.sources)
        self._reasons = _steps(places.reasons)
        self._usage = _steps(places.usage)
        self._tokens = {
            name: steps
            for name, steps in (
                ("input_tokens", _steps(places.input_tokens)),
                ("output_tokens", _steps(places.output_tokens)),
            )
            if steps is not None
        }
        self._identity = _steps(places.identity)
        self._is = identity

    def __call__(self, body: bytes) -> Result:
        """The answer.

        Raises:
            TargetFault: "invalid": the reply is not of the form that was declared.
        """
        reply = decoded(body)
        if self._identity is not None:
            says = _at(reply, self._identity, "identity")
            if says != self._is:
                raise TargetFault("invalid", f"it says it is {str(says)[:80]!a}, and is declared to be {self._is!a}")
        return Result(
            _at(reply, self._output, "output"),
            confidence=None if self._confidence is None else confidence_of(_at(reply, self._confidence, "confidence")),
            sources=self._list(reply, self._sources, "sources"),
            reasons=tuple(str(reason) for reason in self._list(reply, self._reasons, "reasons")),
            usage=self._counts(reply),
        )

    def _list(self, reply: Any, steps: Steps | None, what: str) -> tuple[Any, ...]:
        found = _at_or_none(reply, steps)
        if found is None:
            return ()
        if isinstance(found, str):
            return (found,)
        if not isinstance(found, list):
            raise TargetFault("invalid", f"what stands in the place of {what} in the reply is no list")
        return tuple(found)

    def _counts(self, reply: Any) -> dict[str, float]:
        found = _at_or_none(reply, self._usage)
        if found is not None and not isinstance(found, dict):
            raise TargetFault("invalid", "what stands in the place of usage in the reply is no object")
        counts = {name: float(value) for name, value in (found or {}).items() if _is_number(value)}
        for name, steps in self._tokens.items():
            value = _at_or_none(reply, steps)
            if _is_number(value):
                counts[name] = float(value)
        return counts


def confidence_of(value: Any) -> float | None:
    """A confidence as a service gives it; None where it gives null.

    Raises:
        TargetFault: "invalid": it is no number in [0, 1].
    """
    if value is None:
        return None
    if not _is_number(value) or not 0.0 <= value <= 1.0:
        raise TargetFault("invalid", "its confidence is no number from 0 to 1")
    return float(value)


def _is_number(value: Any) -> bool:
    # Beyond 2^63 it is no count; beyond 2^1024 Python would not make a float of it.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 63


def _steps(pointer: str | None) -> Steps | None:
    return None if pointer is None else parse_pointer(pointer)


def _at(reply: Any, steps: Steps, what: str) -> Any:
    try:
        return look_up(reply, steps)
    except LookupError:
        raise TargetFault("invalid", f"the reply has nothing in the place of {what}") from None


def _at_or_none(reply: Any, steps: Steps | None) -> Any:
    if steps is None:
        return None
    try:
        return look_up(reply, steps)
    except LookupError:
        return None
