"""A canary beside the live release: what is counted, and what is said of it."""

from __future__ import annotations

import random

from plimsoll.guard.canary import Block, Comparison, Side

LIVE, CANARY = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def block(live: Side, canary: Side) -> Block:
    return Block(canary=CANARY, live=LIVE, of_live=live, of_canary=canary)


def test_one_that_fails_is_called_worse_with_its_figures():
    seen = Comparison()
    for _ in range(20):
        seen = seen.after(block(Side(decided=19), Side(decided=1, failed=1)))
    assert seen.why_worse(0.05) == "not answered: 20 of 20 by the canary, 0 of 380 by the live release"


def test_one_that_is_slow_or_overturned_is_called_worse_too():
    slow, overturned = Comparison(), Comparison()
    for _ in range(40):
        slow = slow.after(block(Side(decided=9, timed=9, slow=1), Side(decided=3, timed=3, slow=3)))
        overturned = overturned.after(block(Side(reviewed=5), Side(reviewed=2, overturned=2)))
    assert slow.why_worse(0.05).startswith("slower than nine in ten live ones: 120 of 120")
    assert overturned.why_worse(0.05).startswith("overturned by a person: 80 of 80")


def test_one_that_does_as_well_stays():
    chance, stopped = random.Random(3), 0
    for _ in range(100):
        seen = Comparison()
        for _ in range(100):
            sides = []
            for decided in (19, 1):
                failed = sum(chance.random() < 0.02 for _ in range(decided))
                slow = sum(chance.random() < 0.1 for _ in range(decided))
                sides.append(Side(decided=decided, failed=failed, timed=decided, slow=slow))
            seen = seen.after(block(*sides))
            if seen.why_worse(0.05):
                stopped += 1
                break
    assert stopped <= 9, "5% of a hundred are five; ten or more would happen in fewer than three of a hundred runs"


def test_what_was_seen_is_told_even_while_nothing_is_decided():
    lines = Comparison().after(block(Side(decided=3), Side(decided=1))).lines()
    assert lines[0] == "not answered: 0 of 1 by the canary, 0 of 3 by the live release"
    assert len(lines) == 3
