"""Whether callers hear in time, whatever is wrong with the target: 10,000 calls over six kinds of failure.

Down, slow, erring in half of its calls, killed in their middle, accepting and never answering, and held by C code that
never lets go of the interpreter (the last and the one that is killed in worker processes, half of whose calls go so).
Each kind is asked from sixteen threads and by sixteen tasks of one loop; with retries and a breaker, and with nothing but
the deadline and the limit on calls inside, so that most calls go to the target that fails. A call is in time within the deadline of 80 ms and 50 ms more, less what the machine took meanwhile (`plimsoll.testing.faults`), with an
answer or a refusal that says why. What the ledger holds is counted against what callers were told.

    python benchmarks/faults.py [--calls 10000] [--json FILE]
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import json
import math
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from plimsoll.guard import BreakerRule, CallRules, Guard, GuardedType, GuardSettings, RetryRule
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Disposition, Tier
from plimsoll.testing.faults import CLEAR, DEADLINE_S, FAULTS, Control, Ended, from_threads, late_ms, on_a_loop

WAYS: Final = {"threads": from_threads, "loop": on_a_loop}
RULES: Final = {
    "all rules": CallRules(
        retry=RetryRule(attempts=3, on=frozenset({"unavailable", "error", "timeout"}), idempotent=True),
        breaker=BreakerRule(share=0.5, of=20, half_open_after_s=0.01),  # opens and closes many times in a run
    ),
    "deadline alone": CallRules(),
}


class Seen(NamedTuple):
    """What came of the calls under one kind of failure, in one way of asking."""

    calls: int
    in_time: int  # and clear
    stored: int  # decisions in the ledger that end as their callers were told
    answered: int
    asked: int  # of them, that reached the target
    worst_late_ms: float


def under(kind: str, way: str, rules: str, calls: int, folder: Path) -> Seen:
    """Ask a target that fails in one way, so many times.

    Args:
        kind: of `FAULTS`.
        way: of `WAYS`.
        rules: of `RULES`.
        calls: at least 1.
        folder: an empty one.
    """
    settings = GuardSettings(
        system="faults",
        release="sha256:" + "a" * 64,
        types={
            "read": GuardedType(
                name="read",
                tier=Tier.AUTOMATIC,
                accountable="head@example.org",
                review_below=None,
                next="ops@example.org",
            )
        },
        deadline_s=DEADLINE_S,
        call=RULES[rules],
    )
    path = folder / "ledger.db"
    with Control(folder) as control, Ledger.open(path) as ledger:
        target = FAULTS[kind](is_async=way == "loop")
        guard = Guard(settings, ledger=ledger, target=target, inputs={}, default_input=None, output=None)
        with contextlib.closing(target), guard:
            ended = WAYS[way](guard, calls, "read", {"claim_id": "c-1", "amount": 12.5})
        control.end()
        late = late_ms(ended, control)
    told = collections.Counter(each.answer.disposition.value for each in ended)
    with contextlib.closing(sqlite3.connect(path)) as con:
        kept = dict(con.execute("SELECT disposition, count(*) FROM entries WHERE kind='decision' GROUP BY 1"))
        [[asked]] = con.execute("SELECT count(*) FROM entries WHERE kind='decision' AND called")
    return Seen(
        calls=calls,
        in_time=sum(map(_is_clear, ended)) - len(late),
        stored=sum(min(count, kept.get(name, 0)) for name, count in told.items()),
        answered=told[Disposition.ANSWERED.value],
        asked=asked,
        worst_late_ms=max(late, default=0.0),
    )


def _is_clear(ended: Ended) -> bool:
    answer = ended.answer
    if answer.disposition is Disposition.ANSWERED:
        return answer.output is not None
    return answer.why in CLEAR and bool(answer.next)


def measure(calls: int = 10_000) -> dict[str, Any]:
    """``faulted_in_time``: the share of all calls that ended in time and clearly; ``faulted_stored``: of those on record."""
    each = math.ceil(calls / len(FAULTS) / len(WAYS) / len(RULES))
    seen: dict[str, list[Seen]] = {}
    for kind, way, rules in itertools.product(FAULTS, WAYS, RULES):
        with tempfile.TemporaryDirectory(prefix="plimsoll-faults-") as folder:
            seen.setdefault(kind, []).append(under(kind, way, rules, each, Path(folder)))
    found = [one for runs in seen.values() for one in runs]
    total = sum(one.calls for one in found)
    return {
        "faulted_in_time": sum(one.in_time for one in found) / total,
        "faulted_calls": total,
        "faulted_stored": sum(one.stored for one in found) / total,
        "faulted_worst_late_ms": max(one.worst_late_ms for one in found),
        "faulted_by_kind": {
            kind: {
                "in_time": sum(one.in_time for one in runs),
                "calls": sum(one.calls for one in runs),
                "asked": sum(one.asked for one in runs),
                "answered": sum(one.answered for one in runs),
            }
            for kind, runs in seen.items()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = measure(arguments.calls)
    for kind, of in figures["faulted_by_kind"].items():
        print(
            f"{kind:<10} {of['in_time']:>6,} of {of['calls']:,} in time and clear; "
            f"{of['asked']:,} reached the target, {of['answered']:,} were answered"
        )
    print(f"in time {figures['faulted_in_time']:.4%}, on record {figures['faulted_stored']:.4%}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
