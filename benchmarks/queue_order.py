"""Who should get a place that comes free: a simulation in virtual time, for the order that `plimsoll.guard.room` keeps.

    python benchmarks/queue_order.py [--calls 40000]

Calls arrive at random at a multiple of what the places can serve, and each is waited for until its deadline. Orders:
``oldest`` (first come, first served), ``newest``, and ``ours``: the oldest where the time that is left to it suffices for
nine of ten calls, else the newest. Printed is the share of all calls that is answered in time, comes late, is turned away.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
from collections import deque
from collections.abc import Callable

PLACES, QUEUE, DEADLINE_S = 16, 64, 0.3
LONGER, SHORTER = math.exp(0.1 * 0.9), math.exp(-0.1 * 0.1)  # those of `plimsoll.guard.room`
Draw = Callable[[random.Random], float]
SERVICE: dict[str, Draw] = {
    "80 to 120 ms": lambda chance: chance.uniform(0.08, 0.12),
    "exponential, 100 ms": lambda chance: chance.expovariate(10),
    "lognormal, 98 ms": lambda chance: chance.lognormvariate(-2.6, 0.75),
    "0 to 600 ms": lambda chance: chance.uniform(0, 0.6),
    "20 ms, one in five 500": lambda chance: 0.02 if chance.random() < 0.8 else 0.5,
}


class Simulation:
    """One order under one load; a call that is late keeps its place until it ends, as a thread does."""

    def __init__(self, order: str, draw: Draw) -> None:
        self.order, self.draw = order, draw
        self.chance = random.Random(1)
        self.free, self.usual_s = PLACES, 0.0
        self.waiting: deque[float] = deque()  # times of arrival
        self.inside: list[tuple[float, float]] = []  # (end, how long it took)
        self.in_time = self.late = self.shed = 0

    def run(self, load: float, calls: int) -> tuple[float, float, float]:
        mean = sum(self.draw(self.chance) for _ in range(4000)) / 4000
        now = 0.0
        for _ in range(calls):
            now += self.chance.expovariate(load * PLACES / mean)
            while self.inside and self.inside[0][0] <= now:
                self._leave(*heapq.heappop(self.inside))
            self._give_up(now)
            if self.free:
                self.free -= 1
                self._begin(now, now)
            elif len(self.waiting) >= QUEUE:
                self.shed += 1
            else:
                self.waiting.append(now)
        return self.in_time / calls, self.late / calls, self.shed / calls

    def _begin(self, now: float, came: float) -> None:
        takes = self.draw(self.chance)
        in_time = now + takes <= came + DEADLINE_S
        self.in_time, self.late = self.in_time + in_time, self.late + (not in_time)
        heapq.heappush(self.inside, (now + takes, takes))

    def _leave(self, now: float, took: float) -> None:
        usual_s = self.usual_s or took
        self.usual_s = usual_s * (LONGER if took > usual_s else SHORTER)
        self._give_up(now)
        if not self.waiting:
            self.free += 1
            return
        oldest = self.waiting[0] + DEADLINE_S - now >= self.usual_s
        first = self.order == "oldest" or (self.order == "ours" and oldest)
        self._begin(now, self.waiting.popleft() if first else self.waiting.pop())

    def _give_up(self, now: float) -> None:
        while self.waiting and self.waiting[0] + DEADLINE_S < now:
            self.waiting.popleft()
            self.shed += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40_000)
    calls = parser.parse_args().calls
    print(f"{PLACES} places, a queue of {QUEUE}, a deadline of {DEADLINE_S * 1000:g} ms; in time / late / turned away")
    print(f"{'a call takes':24s}{'load':>6s}" + "".join(f"{order:>22s}" for order in ("oldest", "newest", "ours")))
    for name, draw in SERVICE.items():
        for load in (0.9, 1.2, 2.0, 3.0):
            shares = [Simulation(order, draw).run(load, calls) for order in ("oldest", "newest", "ours")]
            cells = "".join(f"{' / '.join(f'{100 * share:3.0f}' for share in each):>20s} %" for each in shares)
            print(f"{name:24s}{load:5g}x{cells}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
