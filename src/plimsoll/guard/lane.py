"""One target with all that stands before it: its breaker, its room, its budgets, its retries."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from plimsoll.engine.python_import import said
from plimsoll.guard.border import EGRESS, Border
from plimsoll.guard.breaker import Breaker, Outcome, after, let_through, wait_s
from plimsoll.guard.call import Called, Caller
from plimsoll.guard.health import TargetHealth
from plimsoll.guard.passage import NS, Passage, Trial
from plimsoll.guard.retry import RetryBudget, pause_s, why_not_again
from plimsoll.guard.room import Room
from plimsoll.guard.settings import CallRules
from plimsoll.guard.spend import Settle, Spend
from plimsoll.guard.target import Ask, Target
from plimsoll.guard.ways import Ways
from plimsoll.model.breaker import BreakerChange, BreakerState
from plimsoll.model.decision import Result
from plimsoll.model.egress import EgressVerdict
from plimsoll.policy import Admitted

_COUNTED: Final = frozenset({"timeout", "unavailable", "error", "crash"})  # kinds of failure that open a breaker


class Lane:
    """Asks one target, as often as its rules allow, within the time that a decision has left.

    Args:
        target: what answers.
        rules: how it is called.
        changed: is told each change of the breaker, from whatever thread or loop brought it about.
        chance: draws uniformly from [0, 1).
        spend: asked before each attempt; None: calls cost nothing that is counted.
        border: rules on what the target may be told of a record; None: it is told all of it.
    """

    def __init__(
        self,
        target: Target,
        rules: CallRules,
        *,
        changed: Callable[[BreakerChange], None],
        chance: Callable[[], float],
        spend: Spend | None = None,
        border: Border | None = None,
    ) -> None:
        self.target = target
        self.rules = rules
        self._changed = changed
        self._chance = chance
        self._spend = spend
        self._border = border if border is not None and border.concerns(target.destination) else None
        stands_between = (rules.retry, rules.breaker, spend, self._border)
        self._is_bare = not target.is_async and all(each is None for each in stands_between)
        self.begin_anew()

    def begin_anew(self) -> None:
        """As it was made: also after a fork, where the parent's threads and calls are not."""
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._why = ""  # of the latest change
        retry = self.rules.retry
        self._budget = None if retry is None else RetryBudget(retry.share, NS())
        self.room = Room(self.rules.concurrency, self.rules.most_waiting)
        self._caller = Caller(self.target, self.room)

    def close(self) -> None:
        """Let go of threads; the target is closed by who opened it."""
        self._caller.close()

    def health(self) -> TargetHealth:
        """How it stands now."""
        with self._lock:
            breaker, why, budget = self._breaker, self._why, self._budget
        rule = self.rules.breaker
        return TargetHealth(
            target=self.target.name,
            breaker=None if rule is None else breaker.state,
            why=why,
            retry_after_s=0.0 if rule is None else wait_s(breaker, rule, NS()),
            inside=self.room.inside,
            concurrency=self.room.places,
            waiting=self.room.waiting,
            queue=self.room.queue,
            retries_left=None if budget is None else budget.left,
        )

    # -- attempts

    def at_once(self, passage: Passage) -> Called | None:
        """Ask right here, where nothing stands before the target but its room, and nobody has to be waited for.

        None: that cannot be, and nothing was done. It is `ask` on the shortest way, which most decisions take.
        """
        if not self._is_bare or passage.until is not None or not self.room.take_free():
            return None
        passage.asked = 1
        key = _key(passage) if passage.key else ""
        called = self._caller.here(
            Ask(record=passage.value, type=passage.type, subject=passage.subject, principal=passage.principal, key=key)
        )
        passage.target_ns = called.ns
        return called

    async def ask(self, passage: Passage, trial: Trial, ways: Ways) -> Called:
        """Ask until there is an answer, or a reason to stop; ``trial`` is told what came of each attempt.

        What the governance page keeps back is not asked at all, or goes redacted, or under pseudonyms.
        """
        if self._border is not None:
            trial.admitted = self._border.admit(passage, self.target.destination)
            if trial.admitted.verdict is EgressVerdict.REFUSED:
                return Called(why=EGRESS, asked=False)
        rule = self.rules.retry
        if rule is None or self._budget is None:
            return await self._attempt(passage, trial, ways, passage.key and self._key(passage), 1)
        with self._lock:
            self._budget.first(NS())
        key = self._key(passage)
        share = rule.attempts if rule.shares_time else 1
        called = await self._attempt(passage, trial, ways, key, share)
        while called.kind:
            pause = pause_s(trial.attempts, self._chance(), called.retry_after_s)
            if passage.sink is not None and (passage.sink.has_begun or passage.sink.cut):
                trial.no_retry = "stream-begun"  # part of an answer has left, or what it is may not leave
                break
            trial.no_retry = why_not_again(rule, called.kind, trial.attempts) or self._why_not_now(passage, pause)
            if trial.no_retry:
                break
            paused = NS()
            await ways.pause(pause)
            passage.waited_ns += NS() - paused
            again = await self._attempt(passage, trial, ways, key, max(1, share - trial.attempts))
            if not again.asked:  # what it came to before says more
                trial.no_retry = again.why
                break
            called = again
        return called

    def _why_not_now(self, passage: Passage, pause: float) -> str:
        left_s = passage.left_s(NS())
        if left_s is not None and pause >= left_s:
            return "deadline"
        with self._lock:
            assert self._budget is not None, "there is one wherever there are retries"
            return "" if self._budget.spend(NS()) else "retry-budget"

    async def _attempt(self, passage: Passage, trial: Trial, ways: Ways, key: str, share: int) -> Called:
        """One attempt: past the breaker, into the room, past the money, to the target.

        Args:
            passage: the decision.
            trial: is told that the target was asked, and what came of it.
            ways: how to wait.
            key: the same for every attempt at this decision.
            share: the attempt gets one of so many equal parts of the time that is left.
        """
        if self.rules.breaker is not None and (cut := self._cut()) is not None:
            return cut
        if not self.room.take_free():
            came = NS()
            has_place = await ways.take(self.room, passage.until)
            passage.waited_ns += NS() - came
            if not has_place:
                return Called(why="no-room", asked=False, retry_after_s=self.room.wait_s())
        ticket = self._admit(passage, trial, key, share)
        if isinstance(ticket, Called):
            self.room.leave()
            return ticket
        called: Called | None = None
        trial.attempts += 1
        passage.asked += 1
        try:
            called = await ways.call(self._caller, ticket.ask, ticket.limit_s)
        finally:
            called = self._over(passage, trial, ticket, called)
        return called

    def _admit(self, passage: Passage, trial: Trial, key: str, share: int) -> _Ticket | Called:
        """What stands between a place and the target; a place that is not used is left by who took it."""
        left_s = passage.left_s(NS())
        if left_s is not None and left_s <= 0:
            return Called(why="deadline", asked=False)
        turn = 0
        if self.rules.breaker is not None:
            turn = self._let_through()
            if turn < 0:  # it opened while we waited
                return self._cut() or _open(0.0)
        limit_s = None if left_s is None else left_s / share
        admitted = trial.admitted
        ask = Ask(
            record=passage.value if admitted is None else admitted.outgoing,
            type=passage.type,
            subject=passage.subject,
            principal=passage.principal,
            key=key,
            attempt=trial.attempts + 1,
            deadline_s=limit_s,
            push=None if passage.sink is None or _must_be_whole(admitted) else passage.sink.for_attempt(),
        )
        settle: Settle | None = None
        if self._spend is not None:
            try:
                settle = self._spend(ask, self.target.name)
            except Exception as why:  # noqa: BLE001 - a budget that cannot be read is spent: it fails closed
                trial.error = said(why)
            if settle is None:
                self._count(turn, Outcome.NEITHER, "")
                return Called(why="budget", asked=False)
        return _Ticket(ask, limit_s, turn, settle, shares=share > 1)

    def _over(self, passage: Passage, trial: Trial, ticket: _Ticket, called: Called | None) -> Called:
        """An attempt is over, however it ended; None: who asked was interrupted."""
        if called is None:
            outcome, called = Outcome.NEITHER, _INTERRUPTED
        elif not called.asked:
            outcome = Outcome.NEITHER
            trial.attempts -= 1
            passage.asked -= 1
        else:
            if called.why == "deadline" and ticket.shares:
                called = msgspec.structs.replace(called, why="target-timeout")
            outcome = Outcome.FAILED if called.kind in _COUNTED else Outcome.GOOD
            if called.why == "deadline" and passage.hurried:
                outcome = Outcome.NEITHER  # one caller's impatience is no failure of the target
        passage.target_ns += called.ns
        if called.why and called.asked:
            trial.failed = (*trial.failed, called.why)
            trial.error = called.error
        if self.rules.breaker is not None:
            self._count(ticket.turn, outcome, called.why)
        if ticket.settle is not None:
            try:
                ticket.settle(_usage(called.returned))
            except Exception as why:  # noqa: BLE001 - the answer is there, and its record says what went wrong
                trial.error = trial.error or said(why)
        return called

    def _key(self, passage: Passage) -> str:
        """The key as the target is told it; where records are ruled on, as a digest: a key can name somebody."""
        key = _key(passage)
        if self._border is None or not passage.key:
            return key
        return f"sha256-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"

    # -- the breaker

    def _cut(self) -> Called | None:
        """Why no call is made now; None: one may be."""
        rule = self.rules.breaker
        assert rule is not None, "asked only where there is one"
        now = NS()
        breaker = self._breaker
        return None if let_through(breaker, rule, now)[1] else _open(wait_s(breaker, rule, now))

    def _let_through(self) -> int:
        """The turn in which a call is let through; -1: it is not."""
        rule = self.rules.breaker
        assert rule is not None, "asked only where there is one"
        with self._lock:
            breaker, may = let_through(self._breaker, rule, NS())
            self._become(breaker, f"{rule.half_open_after_s:g} s have passed: a call finds out whether it is back")
            return breaker.turn if may else -1

    def _count(self, turn: int, outcome: Outcome, why: str) -> None:
        rule = self.rules.breaker
        if rule is None:
            return
        with self._lock:
            before = self._breaker
            breaker = after(before, rule, turn, outcome, NS())
            if breaker is before:
                return
            if breaker.state is BreakerState.CLOSED:
                self._become(breaker, f"it answered {rule.probes} of {rule.probes} calls")
            elif before.state is BreakerState.HALF_OPEN:
                self._become(breaker, f"it still fails: {why}")
            else:
                self._become(breaker, f"{rule.failures} of the last {rule.of} calls failed, the latest with {why}")

    def _become(self, breaker: Breaker, why: str) -> None:
        """The lock is held, so that changes are told in their order."""
        before, self._breaker = self._breaker, breaker
        if breaker.state is before.state:
            return
        self._why = why
        change = BreakerChange(
            target=self.target.name,
            before=before.state,
            after=breaker.state,
            why=why,
            time_ns=time.time_ns(),
            process=os.getpid(),
            number=breaker.turn,
        )
        self._changed(change)


class _Ticket(msgspec.Struct, frozen=True):
    """What one attempt goes with."""

    ask: Ask
    limit_s: float | None  # how long it is waited for
    turn: int  # of the breaker
    settle: Settle | None
    shares: bool  # there is time for another attempt behind its limit


_INTERRUPTED: Final = Called(why="interrupted")


def _open(wait: float) -> Called:
    return Called(why="breaker-open", asked=False, retry_after_s=round(wait, 3))


def _key(passage: Passage) -> str:
    """What tells a service that two attempts are at one decision."""
    return f"{passage.type}:{passage.key}" if passage.key else secrets.token_hex(16)


def _must_be_whole(admitted: Admitted | None) -> bool:
    """Whether an answer cannot leave in pieces: something in it is to be turned back, or a person looks at it first."""
    return admitted is not None and (bool(admitted.pseudonyms) or admitted.verdict is EgressVerdict.NEEDS_PERSON)


def _usage(returned: object) -> Mapping[str, float]:
    """What a target says that it used."""
    return returned.usage if isinstance(returned, Result) and isinstance(returned.usage, dict) else {}
