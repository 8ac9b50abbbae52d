"""What a manifest may not say of how targets are called, although each of its values is well-formed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from plimsoll.errors import Problem
from plimsoll.model.manifest import FailureKind, FallbackWord
from plimsoll.model.manifest_rules import Read
from plimsoll.model.yaml_source import Path

_OF_THE_DECISION: Final = ("deadline", "fallback")  # keys that a target within a fallback chain cannot have


def broken_call_rules(read: Read) -> Iterator[Problem]:
    """Every problem of the targets and of the fallback chain that takes more than one value to see."""
    for rule in _RULES:
        yield from rule(read)


def _targets(read: Read) -> Iterator[Path]:
    """Where targets are declared: the one that answers, and those that stand in for it."""
    yield ("target",)
    for at, step in enumerate(_steps(read)):
        if isinstance(step, dict) and "target" in step:
            yield ("target", "fallback", at, "target")


def _steps(read: Read) -> list[Any]:
    """The fallback chain as written; empty when there is none, or it is no list."""
    data = read.source.data
    target = data.get("target") if isinstance(data, dict) else None
    steps = target.get("fallback") if isinstance(target, dict) else None
    return steps if isinstance(steps, list) else []


def _what_may_have_acted_is_asked_again_only_if_that_does_no_harm(read: Read) -> Iterator[Problem]:
    """A retry that never happens would look like a safeguard, and one that books a thing twice is none."""
    for place in _targets(read):
        retry: Path = (*place, "retry")
        kinds = [(path[-1], kind) for path, kind in read.values.items() if path[:-1] == (*retry, "on")]
        if read.source.has((*place, "idempotent")) and read.get(*place, "idempotent") is not False:
            continue
        for at, kind in kinds:
            if kind is FailureKind.UNAVAILABLE:
                continue
            yield read.source.problem(
                "manifest.retry",
                (*retry, "on", at),
                f"after '{kind.value}' the target may have acted, and nothing says that asking twice does no harm",
                fix=f"write idempotent: true beside retry where that is so, or remove {kind.value}",
            )


def _a_step_is_one_thing(read: Read) -> Iterator[Problem]:
    """A group with two keys, or none, leaves open what is meant."""
    for at, step in enumerate(_steps(read)):
        if isinstance(step, dict) and set(step) in ({"target", "constant"}, set()):
            yield read.source.problem(
                "manifest.fallback",
                ("target", "fallback", at),
                "this step is no single thing",
                fix="write {target: …} or {constant: …}, each as a step of its own",
            )


def _what_always_answers_stands_last(read: Read) -> Iterator[Problem]:
    """A step behind one that always ends the chain is never reached."""
    ends = ""
    for at, step in enumerate(_steps(read)):
        holds = step == FallbackWord.HOLD.value
        if ends and not (holds and ends == "constant"):  # a person takes it where an output contract refuses a constant
            yield read.source.problem(
                "manifest.fallback",
                ("target", "fallback", at),
                f"this step is never reached: '{ends}' stands before it, and always ends the chain",
                fix=f"move '{ends}' behind it, or remove one of the two",
            )
        if holds:
            ends = "hold"
        elif isinstance(step, dict) and "constant" in step:
            ends = ends or "constant"


def _one_deadline_holds_for_the_whole_chain(read: Read) -> Iterator[Problem]:
    """A fallback with a deadline of its own would make the caller wait longer than was promised."""
    for place in _targets(read):
        if len(place) == 1:
            continue
        for key in _OF_THE_DECISION:
            if not read.source.has((*place, key)):
                continue
            whole = "the deadline" if key == "deadline" else "the fallback chain"
            yield read.source.problem(
                "manifest.fallback",
                (*place, key),
                f"'{key}' does not belong to a step: {whole} is that of the whole decision",
                fix=f"remove it; 'target.{key}' is the one that counts",
                at_key=True,
            )


_RULES: Final[tuple[Callable[[Read], Iterator[Problem]], ...]] = (
    _what_may_have_acted_is_asked_again_only_if_that_does_no_harm,
    _a_step_is_one_thing,
    _what_always_answers_stands_last,
    _one_deadline_holds_for_the_whole_chain,
)
