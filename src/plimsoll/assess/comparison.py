"""Two targets side by side on the same golden set: who is right where, what it takes, and what the difference shows."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from plimsoll.assess.golden import Case, is_right
from plimsoll.guard import Guard
from plimsoll.ledger import Ledger
from plimsoll.model.decision import DecisionRecord, Disposition
from plimsoll.stats import clopper_pearson_lower, clopper_pearson_upper, mcnemar_exact

AT_ONCE = 4  # cases under way; each is given to both targets, so that what changes meanwhile changes for both
MOST_NAMED = 20  # differing cases that are named; more would not be looked at

Cost = Callable[[Mapping[str, float]], float | None]
"""From a decision's usage to its cost; None where it is not known."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One target on the golden set.

    ``right`` counts outputs of the target, also where a person would have looked at them first; bounds are two-sided.
    """

    name: str
    n: int
    right: int
    lower: float
    upper: float
    answered: int
    held: int
    failed: int  # the target gave no output, or none that its contract takes
    median_ms: float | None  # in the target; None: it was never asked
    usage: dict[str, float]  # by name, on the average over the decisions that had it
    cost: float | None  # on the average over the decisions whose cost is known; None: of none it is
    priced: int  # decisions whose cost is known


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides, and the cases on which they differ."""

    first: Side
    second: Side
    both: int  # cases that both got right
    first_only: int
    second_only: int
    neither: int
    p_value: float  # McNemar's exact test, two-sided
    lower: float | None  # of the differing cases, the share that the second gets right; None: they differ on none
    upper: float | None
    confidence: float
    differing: tuple[str, ...]  # ids of differing cases, at most `MOST_NAMED`
    finding: str


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    record: DecisionRecord
    right: bool


def compare(
    ledger: Ledger,
    first: tuple[str, Guard],
    second: tuple[str, Guard],
    cases: Sequence[Case],
    *,
    confidence: float,
    cost_of: Cost = lambda _: None,
    tick: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Give every case to both targets, and put what they made of it side by side.

    Args:
        ledger: where both guards record.
        first: a name, and the guard of the target.
        second: the same of the other.
        cases: at least one; each is counted once.
        confidence: of the bounds, two-sided, in (0, 1).
        cost_of: what a decision's usage costs.
        tick: called with the number of cases done.
    """
    pairs = asyncio.run(_ask_both(ledger, first[1], second[1], cases, tick))
    sides = [
        _side(name, [pair[at] for pair in pairs], confidence, cost_of) for at, (name, _) in enumerate((first, second))
    ]
    outcomes = [(one.right, other.right) for one, other in pairs]
    first_only, second_only = outcomes.count((True, False)), outcomes.count((False, True))
    differing, each = first_only + second_only, (1.0 + confidence) / 2.0
    lower = clopper_pearson_lower(second_only, differing, each) if differing else None
    upper = clopper_pearson_upper(second_only, differing, each) if differing else None
    return Comparison(
        first=sides[0],
        second=sides[1],
        both=outcomes.count((True, True)),
        first_only=first_only,
        second_only=second_only,
        neither=outcomes.count((False, False)),
        p_value=mcnemar_exact(first_only, second_only),
        lower=lower,
        upper=upper,
        confidence=confidence,
        differing=tuple(case.id for case, (a, b) in zip(cases, outcomes, strict=True) if a is not b)[:MOST_NAMED],
        finding=_finding(first_only, second_only, lower, upper),
    )


async def _ask_both(
    ledger: Ledger, first: Guard, second: Guard, cases: Sequence[Case], tick: Callable[[int], None]
) -> list[tuple[_Ended, _Ended]]:
    room = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def take(guard: Guard, case: Case) -> _Ended:
        answer = await guard.adecide(case.type, case.record, source=case.source)
        entry = ledger.get(answer.record)
        assert entry is not None, "an answer is given when its record is durable"
        record = msgspec.json.decode(ledger.body(entry), type=DecisionRecord)
        # What stood in for the target is not the target's.
        own = record.output_json is not None and not record.via.startswith("fallback:") and not record.output_broken
        return _Ended(
            record=record, right=own and is_right(case.expected, msgspec.json.decode(record.output_json or b""))
        )

    async def take_both(case: Case) -> tuple[_Ended, _Ended]:
        nonlocal done
        async with room:
            ended = await take(first, case), await take(second, case)
        done += 1
        tick(done)
        return ended

    return await asyncio.gather(*(take_both(case) for case in cases))


def _side(name: str, ended: Sequence[_Ended], confidence: float, cost_of: Cost) -> Side:
    records = [each.record for each in ended]
    right, n, each = sum(e.right for e in ended), len(ended), (1.0 + confidence) / 2.0
    times = [record.target_us / 1000.0 for record in records if record.target_us]
    costs = [cost for record in records if record.usage and (cost := cost_of(record.usage)) is not None]
    names = sorted({name for record in records for name in record.usage})
    return Side(
        name=name,
        n=n,
        right=right,
        lower=clopper_pearson_lower(right, n, each),
        upper=clopper_pearson_upper(right, n, each),
        answered=sum(record.disposition is Disposition.ANSWERED for record in records),
        held=sum(record.disposition is Disposition.HELD for record in records),
        failed=sum(record.output_json is None or bool(record.output_broken) for record in records),
        median_ms=statistics.median(times) if times else None,
        usage={key: statistics.fmean(r.usage[key] for r in records if key in r.usage) for key in names},
        cost=statistics.fmean(costs) if costs else None,
        priced=len(costs),
    )


def _finding(first_only: int, second_only: int, lower: float | None, upper: float | None) -> str:
    """One plain sentence: which is better, or that none can be told."""
    differing = first_only + second_only
    if lower is None or upper is None:
        return "Both are right and wrong on the same cases: nothing tells them apart."
    counted = f"they differ on {differing} case{'s' if differing > 1 else ''}, and the second is right on {second_only}"
    if lower > 0.5:
        return f"The second is better: {counted} of them."
    if upper < 0.5:
        return f"The first is better: {counted} of them."
    return f"No difference is shown: {counted} of them, which equally good ones could do."
