"""Evaluation: how often the answers are right, overall and by segment, and what holding the rest costs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from plimsoll.assess.golden import Case, is_right
from plimsoll.assess.run import Run
from plimsoll.guard import Guard
from plimsoll.guard.intake import to_json
from plimsoll.model.canonical import canonical
from plimsoll.model.decision import Answer, Disposition, Tier
from plimsoll.model.details import EvaluationDetail, Price, Segment
from plimsoll.model.evidence import Draw, Proportion
from plimsoll.stats import clopper_pearson_lower, clopper_pearson_upper

BY_TYPE = "decision type"  # segment of a system that decides several kinds of things
AT_ONCE = 4  # calls under way: the golden set measures answers, not load; a queue would run into the deadline


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How one case ended."""

    case: Case
    disposition: Disposition
    right: bool  # answered, and as expected


def evaluate(
    run: Run,
    guard: Guard,
    cases: Sequence[Case],
    *,
    confidence: float,
    price_of: Callable[[float], Price | None],
    review_load: Callable[[int, int], Proportion | None] = lambda _cases, _total: None,
    accuracy_limit: float | None = None,
    golden: str = "",
    tick: Callable[[int], None] = lambda _: None,
) -> EvaluationDetail:
    """Take the golden set through the guard and give evidence for ``evaluation.*``.

    Args:
        run: the started run.
        guard: of the release that is measured.
        cases: each counted once.
        confidence: of the bounds drawn, one-sided, in (0, 1).
        price_of: from the held share to what it costs; None: the manifest names no reviewers.
        review_load: from the cases that were not answered, and all of them, to the share of the reviewers' time that
            this takes; None: the manifest names no reviewers.
        accuracy_limit: where the report draws its line, as a fraction of 1.
        golden: the file's name, for the report.
        tick: called with the number of cases done.
    """
    ended = asyncio.run(_take_all(guard, cases, tick))
    overall = tally("", "", ended, confidence)
    run.give(
        "evaluation.accuracy",
        Proportion(hits=overall.right, total=overall.answered),
        draw=Draw.FIXED,
        finding=f"{overall.right} of {overall.answered} answered cases were right.",
    )
    run.give(
        "evaluation.answered_share",
        Proportion(hits=overall.answered, total=overall.n),
        draw=Draw.FIXED,
        finding=f"{overall.answered} of {overall.n} cases were answered without a person; {overall.held} were held.",
    )
    load = review_load(overall.n - overall.answered, overall.n)
    if load is not None:
        run.give(
            "evaluation.review_load",
            load,
            draw=Draw.FIXED,
            finding=f"{overall.n - overall.answered} of {overall.n} cases were not answered; {load.basis}.",
        )
    detail = EvaluationDetail(
        overall=overall,
        segments=(*by_type(ended, _answerable(guard), confidence), *by_segment(ended, confidence)),
        price=price_of(overall.held / overall.n),
        golden=golden,
        confidence=confidence,
        accuracy_limit=accuracy_limit,
        note=_alike(cases),
    )
    run.draw_with(detail)
    return detail


async def _take_all(guard: Guard, cases: Sequence[Case], tick: Callable[[int], None]) -> list[Ended]:
    room = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def take(case: Case) -> Ended:
        nonlocal done
        async with room:
            answer: Answer = await guard.adecide(case.type, case.record, source=case.source)
        done += 1
        tick(done)
        answered = answer.disposition is Disposition.ANSWERED
        # As it is recorded, and as a caller over HTTP would get it: keys are texts, arrays are lists.
        right = answered and is_right(case.expected, msgspec.json.decode(to_json(answer.output)))
        return Ended(case=case, disposition=answer.disposition, right=right)

    return await asyncio.gather(*(take(case) for case in cases))


def tally(name: str, value: str, ended: Sequence[Ended], confidence: float) -> Segment:
    """Count how a slice of the golden set ended, with exact bounds of its accuracy."""
    right = sum(e.right for e in ended)
    answered = sum(e.disposition is Disposition.ANSWERED for e in ended)
    held = sum(e.disposition is Disposition.HELD for e in ended)
    return Segment(
        name=name,
        value=value,
        n=len(ended),
        right=right,
        answered=answered,
        held=held,
        other=len(ended) - answered - held,
        lower=clopper_pearson_lower(right, answered, confidence) if answered else None,
        upper=clopper_pearson_upper(right, answered, confidence) if answered else None,
    )


def _answerable(guard: Guard) -> tuple[str, ...]:
    return tuple(name for name, kind in guard.settings.types.items() if kind.tier is not Tier.HUMAN_ONLY)


def _alike(cases: Sequence[Case]) -> str:
    """How many cases have the same input as another of another type or source; those of the same are refused before."""
    inputs = Counter(canonical(msgspec.json.decode(case.record)) for case in cases)
    count = sum(n for n in inputs.values() if n > 1)
    return (
        f"{count} of {len(cases)} cases have the same input as another, of another source or type; each is counted."
        if count
        else ""
    )


def by_type(ended: Sequence[Ended], types: Sequence[str], confidence: float) -> tuple[Segment, ...]:
    """Each decision type that the AI may answer, where there are several; one without a case stands there with none."""
    if len(types) < 2:
        return ()
    return tuple(tally(BY_TYPE, name, [e for e in ended if e.case.type == name], confidence) for name in types)


def by_segment(ended: Sequence[Ended], confidence: float) -> tuple[Segment, ...]:
    """Every value of every segment field, sorted by field and value."""
    keys = sorted({(name, value) for e in ended for name, value in e.case.segment.items()})
    return tuple(
        tally(name, value, [e for e in ended if e.case.segment.get(name) == value], confidence) for name, value in keys
    )
