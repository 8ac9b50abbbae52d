"""Asking a target again: when that is safe, after which pause, and how often in all.

Functions of values, with time and chance as arguments.

Sources: M. Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog (full jitter); B. Beyer et al.
(2016), "Site Reliability Engineering", chapter 21 (a budget of retries, so that they never multiply an outage).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

SAFE: Final = frozenset({"unavailable"})  # kinds of failure that say: what was asked had no effect

FIRST_PAUSE_S: Final = 0.05  # the pause before the first retry is at most this; it doubles from one to the next…
LONGEST_PAUSE_S: Final = 2.0  # …up to this
FLOOR_PER_S: Final = 1.0  # retries a second that the budget gives whatever the traffic, or a quiet system had none
SAVED_MOST: Final = 10.0  # retries that can be saved up: a quiet hour must not pay for a storm


class RetryRule(msgspec.Struct, frozen=True, kw_only=True):
    """When a target is asked again.

    Args:
        attempts: at most so many in one decision, the first included; at least 2.
        on: kinds of failure, of `plimsoll.guard.target.FAULTS`.
        idempotent: asking twice has the effect of asking once.
        share: retries are at most this share of first attempts, and `FLOOR_PER_S`; in [0, 1].
    """

    attempts: int
    on: frozenset[str]
    idempotent: bool = False
    share: float = 0.1

    @property
    def shares_time(self) -> bool:
        """Whether an attempt that takes too long is given up while there is time for another one."""
        return self.idempotent and "timeout" in self.on


def why_not_again(rule: RetryRule, kind: str, attempts: int) -> str:
    """Why a failed attempt is not followed by another one; "" when it may be.

    Args:
        rule: of the target.
        kind: of the failure.
        attempts: how many there were.
    """
    if kind not in rule.on:
        return "not-listed"
    if kind not in SAFE and not rule.idempotent:
        return "may-have-acted"
    return "" if attempts < rule.attempts else "attempts"


def pause_s(attempts: int, chance: float, asked_s: float | None) -> float:
    """Seconds to wait before the next attempt: exponential, with full jitter.

    Args:
        attempts: how many there were, at least 1.
        chance: drawn uniformly from [0, 1).
        asked_s: what the target asks us to wait at least; None: nothing.
    """
    most = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 10))
    return max(most * chance, asked_s or 0.0)


class RetryBudget:
    """How many retries there may be in all: a bucket of tokens. The caller keeps two threads apart.

    Within any time it gives at most ``share × first attempts + FLOOR_PER_S × seconds + SAVED_MOST``.

    Args:
        share: tokens that each first attempt brings.
        now_ns: the time, in nanoseconds of a clock that never goes back.
    """

    def __init__(self, share: float, now_ns: int) -> None:
        self._share = share
        self._tokens = SAVED_MOST
        self._at_ns = now_ns

    def first(self, now_ns: int) -> None:
        """A first attempt is made."""
        self._add(self._share, now_ns)

    def spend(self, now_ns: int) -> bool:
        """Take a token for one retry; False: there is none."""
        self._add(0.0, now_ns)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    @property
    def left(self) -> int:
        """Retries that there are tokens for."""
        return math.floor(self._tokens)

    def _add(self, tokens: float, now_ns: int) -> None:
        waited_s = max(0, now_ns - self._at_ns) / 1e9
        self._at_ns = max(self._at_ns, now_ns)
        self._tokens = min(SAVED_MOST, self._tokens + tokens + waited_s * FLOOR_PER_S)
