"""The target: the thing that answers, as the guard calls it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from plimsoll.engine.python_import import import_callable
from plimsoll.model.decision import Result
from plimsoll.model.principal import Principal


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a target: one attempt at one decision."""

    record: Any
    type: str = ""  # decision type
    subject: str | None = None  # the person or case it is about
    principal: Principal | None = None  # who asks, and with whose permissions the target looks things up
    key: str = ""  # the same for every attempt at one decision, so that a service can tell a repetition
    attempt: int = 1
    push: Callable[[Any], Awaitable[None]] | None = None  # takes the answer's pieces as they come
    deadline_s: float | None = None  # what is left of the decision's time, in seconds; None: it has no limit


class Target(Protocol):
    """What answers. Every kind of target is this to the guard; `plimsoll.testing` holds its conformance suite.

    ``ask`` gives an output or a `Result`, or an awaitable of one where ``is_async``. It may raise anything: a
    `TargetFault` says what kind of failure it was, and any other exception is told apart by its type (`kind_of`).
    """

    name: str  # how the manifest calls it, for messages
    is_async: bool
    destination: str  # where what it is asked goes to: "" stays in this process or its workers; else a host

    def ask(self, ask: Ask) -> Any:
        """Answer one question."""
        ...

    def close(self) -> None:
        """Let go of connections and processes."""
        ...


class TargetFault(Exception):
    """A target did not answer.

    Args:
        kind: one of `FAULTS`: "timeout" (its own time ran out), "unavailable" (it cannot be reached, or is
            overloaded: what was asked had no effect), "error" (it failed at it), "invalid" (it answered, and not in
            the form that was agreed), "crash" (its process ended).
        message: for the record; it names no secret.
        retry_after_s: how long the target asks us to wait.
    """

    def __init__(self, kind: str, message: str = "", *, retry_after_s: float | None = None) -> None:
        self.kind = kind
        self.retry_after_s = retry_after_s
        super().__init__(message or kind)


FAULTS: Final = ("timeout", "unavailable", "error", "invalid", "crash")


def kind_of(why: BaseException) -> str:
    """Which of `FAULTS` an exception is."""
    if isinstance(why, TargetFault):
        return why.kind
    if isinstance(why, TimeoutError):
        return "timeout"
    # Only a refused connection says that nothing was done. One that broke may have carried the question.
    return "unavailable" if isinstance(why, ConnectionRefusedError) else "error"


class PythonTarget:
    """A Python callable that takes one record and returns an output or a `Result`, in this process.

    Args:
        call: takes the record; synchronous or ``async def``.
        name: how the manifest calls it, for messages.
    """

    destination = ""

    def __init__(self, call: Callable[[Any], Any], name: str) -> None:
        self.call = call
        self.name = name
        self.is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
            getattr(call, "__call__", None)  # noqa: B004 - an instance with an async __call__ is an async target too
        )

    def ask(self, ask: Ask) -> Any:
        """Call it; whatever it raises goes through."""
        return self.call(ask.record)

    def close(self) -> None:
        """It holds nothing."""


def load_python_target(reference: str, search: Iterable[Path]) -> PythonTarget:
    """Import the callable that ``package.module:callable`` names.

    Args:
        reference: as in the manifest.
        search: folders to import from, before what is installed.

    Raises:
        TargetError: there is no such module or callable, or importing it failed; with what to do.
    """
    return PythonTarget(import_callable(reference, search), reference)


def as_result(returned: Any) -> Result:
    """What a target returned, as a `Result`.

    Raises:
        ValueError: its confidence is not a number in [0, 1], or a field is not of its type. msgspec checks types when
            it decodes and not when we construct, so a target can put anything in.
    """
    if not isinstance(returned, Result):
        return Result(returned)
    result: Result = returned
    confidence = result.confidence
    if confidence is not None and type(confidence) is not float:
        # NumPy's float64 is a float to Python and not to JSON; integers 0 and 1 are confidences too.
        try:
            result = msgspec.structs.replace(result, confidence=float(confidence))
        except (TypeError, ValueError) as why:
            raise ValueError(f"its confidence is {type(confidence).__name__}, not a number in [0, 1]") from why
    if type(result.sources) is not tuple or type(result.reasons) is not tuple:
        result = msgspec.structs.replace(
            result, sources=tuple(result.sources), reasons=tuple(str(r) for r in result.reasons)
        )
    return result
