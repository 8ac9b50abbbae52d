"""How a manifest says that its targets are called, as the guard takes it."""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll.guard import BreakerRule, CallRules, Constant, FallbackStep, Hold, OtherTarget, RetryRule
from plimsoll.model.manifest import Breaker, FallbackGroup, FallbackWord, Retry, Target


def call_rules(target: Target) -> CallRules:
    """The rules of one target."""
    return CallRules(
        concurrency=target.concurrency,
        queue=target.queue,
        retry=None if target.retry is None else _retry(target.retry, idempotent=target.idempotent),
        breaker=None if target.breaker is None else _breaker(target.breaker),
    )


def fallback_steps(target: Target) -> tuple[FallbackStep, ...]:
    """What stands in for a target, in order."""
    rules, names = call_rules(target), iter(standby_names(target))
    return tuple(_step(step, rules, names) for step in target.fallback)


def standby_names(target: Target) -> tuple[str, ...]:
    """The names of the other targets of its fallback chain, in their order: "target", "target-2" and so on."""
    return tuple(f"target-{at}" if at > 1 else "target" for at in range(1, len(target.standbys) + 1))


def _step(step: FallbackWord | FallbackGroup, rules: CallRules, names: Iterator[str]) -> FallbackStep:
    if step is FallbackWord.HOLD:
        return Hold()
    if isinstance(step, FallbackWord):
        return OtherTarget(name=step.value, rules=rules)  # it was that target once
    if step.target is not None:
        return OtherTarget(name=next(names), rules=call_rules(step.target))
    return Constant(output=step.constant)


def _retry(retry: Retry, *, idempotent: bool) -> RetryRule:
    return RetryRule(
        attempts=retry.attempts,
        on=frozenset(kind.value for kind in retry.on),
        idempotent=idempotent,
        share=retry.budget.base,
    )


def _breaker(breaker: Breaker) -> BreakerRule:
    return BreakerRule(
        share=breaker.open_after.share.base,
        of=breaker.open_after.of,
        half_open_after_s=breaker.half_open_after.base,
    )
