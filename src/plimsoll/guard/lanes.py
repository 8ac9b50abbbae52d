"""The lanes to a guard's targets: to its own, and to those of its fallback chain as they are needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping

from plimsoll.guard.border import Border
from plimsoll.guard.health import TargetHealth
from plimsoll.guard.lane import Lane
from plimsoll.guard.outlet import Outlet
from plimsoll.guard.path import Path
from plimsoll.guard.settings import CallRules, GuardSettings, OtherTarget
from plimsoll.guard.spend import Spend
from plimsoll.guard.target import Target
from plimsoll.model.breaker import BreakerChange


class Lanes:
    """Makes the ways to targets and keeps them; its arguments are as of `Guard`.

    Args:
        settings: how targets are called, and what stands in for them.
        outlet: what every output passes.
        others: the targets of the fallback chain, by the names of their steps.
        changed: is told each change of a breaker.
        chance: draws uniformly from [0, 1).
        spend: asked before each attempt; None: calls cost nothing that is counted.
        border: rules on what a target may be told of a record; None: it is told all of it.
    """

    def __init__(
        self,
        settings: GuardSettings,
        outlet: Outlet,
        others: Mapping[str, Target],
        *,
        changed: Callable[[BreakerChange], None],
        chance: Callable[[], float],
        spend: Spend | None,
        border: Border | None,
    ) -> None:
        self.others = others  # looked up whenever one is needed, so that it may change
        self._settings = settings
        self._outlet = outlet
        self._changed = changed
        self._chance = chance
        self._spend = spend
        self._border = border
        self._lanes: list[Lane] = []  # the manifest's target first
        self._standing: dict[str, Lane] = {}  # those of the fallback chain that were needed already
        self._finding = threading.Lock()

    def path_to(self, target: Target) -> Path:
        """The way to a target, and from there through the declared fallback chain."""
        return Path(
            "live",
            self._lane_to(target, self._settings.call),
            fallback=self._settings.fallback,
            find=self._find,
            outlet=self._outlet,
            sheds_when_spent=self._settings.sheds_when_spent,
        )

    def health(self) -> tuple[TargetHealth, ...]:
        """How each target stands in this process."""
        return tuple(lane.health() for lane in self._lanes)

    def begin_anew(self) -> None:
        """After a fork: the parent's threads and calls are not here."""
        self._finding = threading.Lock()
        for lane in self._lanes:
            lane.begin_anew()

    def close(self, *, with_targets: bool) -> None:
        """Let go of threads and, if they are ours, close the targets, each of them whatever becomes of the others."""
        with contextlib.ExitStack() as steps:  # the last one first
            for lane in self._lanes:  # after the targets: their connections close on the lanes' own loop
                steps.callback(lane.close)
            if with_targets:
                targets = [lane.target for lane in self._lanes] + list(self.others.values())
                for target in {id(target): target for target in targets}.values():
                    steps.callback(target.close)

    def _lane_to(self, target: Target, rules: CallRules) -> Lane:
        lane = Lane(target, rules, changed=self._changed, chance=self._chance, spend=self._spend, border=self._border)
        self._lanes.append(lane)
        return lane

    def _find(self, step: OtherTarget) -> Lane | None:
        """The lane of a step of the fallback chain, made when its target is needed first, or is another one now."""
        target = self.others.get(step.name)
        if target is None:
            return None
        with self._finding:
            lane = self._standing.get(step.name)
            if lane is None or lane.target is not target:
                if lane is not None:  # whoever put another target there closes this one; what is in it may end
                    self._lanes.remove(lane)
                    lane.close()
                lane = self._standing[step.name] = self._lane_to(target, step.rules)
            return lane
