"""The day's budget of one system, shared by all guards on its ledger.

Asked before each attempt at the manifest's own target, so it may not wait: it answers from what is known here, and a
thread brings that in step with the ledger about twice a second. So a day can be overdrawn by what is under way, and by
what other processes spent within that half second. Where the ledger cannot be asked for a while, the budget counts as
spent: nobody knows what the others do.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from plimsoll.errors import PlimsollError
from plimsoll.guard.spend import Settle
from plimsoll.guard.target import Ask
from plimsoll.ledger import Ledger, Replace, Taken
from plimsoll.model.prices import Budget, Prices
from plimsoll.policy.spend import DAY_NS, Day, cost_of, day_of, is_spent

_EVERY_S: Final = 0.5
_BLIND_S: Final = 10.0  # so long a guard goes on without having seen what the others spend
_TRIES: Final = 200  # at writing where others write, too
_AT_ONCE: Final = 10  # tries without a rest between them
_REST_S: Final = 0.002
_KEPT_DAYS: Final = 7


class Purse:
    """Counts what the target costs, and says when the day's budget is spent.

    Args:
        ledger: where the sum of a day is kept, as a reservation: compare and set.
        system: whose budget it is.
        target: name of the target that costs; others, as fallbacks, are free.
        prices: what it charges.
        budget: what may be spent in a day.
        clock_ns: UTC nanoseconds since the epoch.
        monotonic: seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        system: str,
        target: str,
        prices: Prices,
        budget: Budget,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._space = f"budget:{system}"
        self._target = target
        self._prices = prices
        self._budget = budget
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._day = ""
        self._known = 0  # billionths that all guards have written down for the day
        self._mine: dict[str, int] = {}  # day -> billionths spent here and not written down yet
        self._seen_s = -_BLIND_S
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._settling = threading.Lock()
        self._ending = threading.Event()
        with contextlib.suppress(PlimsollError):  # then it counts as spent until it can be asked
            self.settle_up()
        self._thread = threading.Thread(target=self._keep, name="plimsoll-budget", daemon=True)
        self._thread.start()

    def __call__(self, ask: Ask, target: str) -> Settle | None:  # noqa: ARG002 - the shape of a `Spend`
        """Whether one more attempt may be made; see `Spend`."""
        if target != self._target:
            return _free
        if self._pid != os.getpid():  # forked off: what is owed is the parent's to write, and its thread is not here
            self._lock, self._mine, self._seen_s = threading.Lock(), {}, -_BLIND_S
            self._begin()
        day = day_of(self._clock_ns()).name
        with self._lock:
            known = self._known if day == self._day else 0
            if self._monotonic() - self._seen_s >= _BLIND_S or is_spent(self._budget, known, self._mine.get(day, 0)):
                return None
        return self._settle

    def _settle(self, usage: Mapping[str, float]) -> None:
        cost = cost_of(usage, self._prices, calls=1).nano
        day = day_of(self._clock_ns()).name
        with self._lock:
            self._mine[day] = self._mine.get(day, 0) + cost

    @property
    def spent_nano(self) -> int:
        """Billionths of the currency spent today, as far as it is known here."""
        day = day_of(self._clock_ns()).name
        with self._lock:
            return (self._known if day == self._day else 0) + self._mine.get(day, 0)

    def settle_up(self) -> None:
        """Write down what was spent here, and see what all have spent.

        Raises:
            PlimsollError: the ledger cannot be asked; what was spent stays noted here.
        """
        with self._settling:  # two at once would write down the same sum twice
            self._settle_up(day_of(self._clock_ns()))

    def _settle_up(self, today: Day) -> None:
        with self._lock:
            owed = {today.name: 0, **self._mine}
        for day, nano in owed.items():
            known = self._add(day, nano, today.ends_ns + _KEPT_DAYS * DAY_NS)
            with self._lock:
                left = self._mine.pop(day, 0) - nano
                if left:
                    self._mine[day] = left
                if day == today.name:
                    self._day, self._known = day, known
        with self._lock:
            self._seen_s = self._monotonic()

    def _add(self, day: str, nano: int, expires_ns: int) -> int:
        """The day's sum, after this was added to it."""
        for tried in range(_TRIES):
            if tried > _AT_ONCE:
                time.sleep(_REST_S)
            held = self._ledger.reservation(self._space, day)
            if held is None:
                if not nano:
                    return 0
                with contextlib.suppress(Taken):
                    self._ledger.reserve(self._space, day, str(nano).encode(), expires_ns=expires_ns)
                    return nano
                continue
            before = int(held.value)
            if not nano:
                return before
            value = str(before + nano).encode()
            with contextlib.suppress(Taken):
                op = Replace(space=self._space, key=day, fence=held.fence, value=value, expires_ns=expires_ns)
                self._ledger.transact((), (op,))
                return before + nano
        raise PlimsollError(f"the budget's sum of {day} could not be written: others write it all the time")

    def _keep(self) -> None:
        while not self._ending.wait(_EVERY_S):
            with contextlib.suppress(PlimsollError):  # after `_BLIND_S` of that, it counts as spent
                self.settle_up()

    def close(self) -> None:
        """Write down what was spent. Raises PlimsollError when that cannot be."""
        self._ending.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
        self.settle_up()


def _free(_usage: Mapping[str, float]) -> None:
    """It costs nothing."""
