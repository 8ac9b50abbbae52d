"""The way of a decision from its admission to an answer: the target, then what stands in for it, in order."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from plimsoll.guard.addressee import ANSWER
from plimsoll.guard.border import EGRESS
from plimsoll.guard.call import Called
from plimsoll.guard.lane import Lane
from plimsoll.guard.outlet import Outlet, Refused
from plimsoll.guard.passage import NS, Passage, Trial
from plimsoll.guard.settings import Constant, FallbackStep, Hold, OtherTarget
from plimsoll.guard.ways import Ways
from plimsoll.model.decision import Disposition


class Path:
    """One way through the guard.

    All its steps share what the decision has left of its time. A step that asks a target is passed over when nothing
    is left; a constant and a person need none.

    Args:
        name: of the first step, such as "live".
        lane: the target that is asked first.
        fallback: what is done when it does not answer, in order.
        find: the lane of another target, by its step; None: there is none now.
        outlet: what every output passes.
        sheds_when_spent: a decision is shed when the budget of its target is spent, whatever stands in otherwise.
    """

    def __init__(
        self,
        name: str,
        lane: Lane,
        *,
        fallback: tuple[FallbackStep, ...],
        find: Callable[[OtherTarget], Lane | None],
        outlet: Outlet,
        sheds_when_spent: bool = False,
    ) -> None:
        self.name = name
        self.lane = lane
        self._fallback = fallback
        self._find = find
        self._outlet = outlet
        self._sheds_when_spent = sheds_when_spent

    def at_once(self, passage: Passage) -> bool:
        """Answer without waiting for anything, where that can be; False: the way is still to be followed."""
        called = self.lane.at_once(passage)
        if called is None:
            return False
        passage.via = self.name
        refused = None if called.why else self._outlet.refuses(passage, called.returned)
        if not called.why and refused is None:
            return True
        trial = Trial(name=self.name, started=passage.started, attempts=1, error=called.error)
        passage.trials = (trial,)
        passage.retry_after_s = called.retry_after_s
        _end(trial, called, refused)
        return False

    async def follow(self, passage: Passage, ways: Ways) -> None:
        """Go from step to step until one of them ends the passage."""
        passage.via = self.name
        if not passage.trials and await self._by_target(self.name, self.lane, passage, ways):
            return
        first = passage.trials[0]
        if passage.sink is not None and passage.sink.has_begun:
            passage.error = first.error
            passage.end(Disposition.FAILED, first.why)
            return
        passage.error = "" if first.why == "output-contract" else first.error
        if first.why == "budget" and self._sheds_when_spent and not passage.asked:
            passage.end(Disposition.SHED, first.why)
            return
        for step in self._fallback:
            if isinstance(step, Hold):
                self._hold(step, passage, first.why)
                return
            if isinstance(step, Constant):
                answered = self._by_constant(step, passage)
            else:
                answered = await self._by_other(step, passage, ways)
            if answered:
                passage.via = f"fallback:{step.name}"
                return
        if passage.asked:
            passage.end(Disposition.FAILED, first.why)
        elif first.why == EGRESS and first.admitted is not None:
            passage.end(Disposition.REFUSED, f"{EGRESS}: {first.admitted.why}")
        else:
            passage.end(Disposition.SHED, first.why)

    async def _by_target(self, name: str, lane: Lane, passage: Passage, ways: Ways) -> bool:
        trial = _begin(name, passage)
        called = await lane.ask(passage, trial, ways)
        if len(passage.trials) == 1:
            passage.retry_after_s = called.retry_after_s
        return self._answers(passage, trial, called)

    def _answers(self, passage: Passage, trial: Trial, called: Called) -> bool:
        if called.why and passage.sink is not None and passage.sink.cut:
            passage.end(Disposition.REFUSED, f"{ANSWER}: {passage.sink.cut}")  # as it would be refused as a whole
            trial.error, trial.ended = called.error, NS()
            return True
        refused = None if called.why else self._outlet.refuses(passage, called.returned, trial.admitted)
        _end(trial, called, refused)
        return not trial.why

    async def _by_other(self, step: OtherTarget, passage: Passage, ways: Ways) -> bool:
        lane = self._find(step)
        left_s = passage.left_s(NS())
        if lane is not None and (left_s is None or left_s > 0):
            return await self._by_target(step.name, lane, passage, ways)
        trial = _begin(step.name, passage)
        trial.why, trial.ended = "not-available" if lane is None else "deadline", NS()
        return False

    def _by_constant(self, step: Constant, passage: Passage) -> bool:
        # Made anew each time: what an answer holds belongs to its caller.
        output = msgspec.json.decode(msgspec.json.encode(step.output))
        return self._answers(passage, _begin(step.name, passage), Called(returned=output))

    def _hold(self, step: Hold, passage: Passage, why: str) -> None:
        trial = _begin(step.name, passage)
        passage.via = f"fallback:{step.name}"
        passage.end(Disposition.HELD, why)
        trial.ended = NS()


def _begin(name: str, passage: Passage) -> Trial:
    trial = Trial(name=name, started=NS())
    passage.trials = (*passage.trials, trial)
    return trial


def _end(trial: Trial, called: Called, refused: Refused | None) -> None:
    trial.ended = NS()
    trial.why = called.why
    if called.why and called.asked:
        trial.failed = trial.failed or (called.why,)
    if refused is not None:
        trial.why, trial.error, trial.output = refused.why, refused.error, refused.output
