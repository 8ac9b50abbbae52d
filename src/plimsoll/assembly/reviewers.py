"""What held cases ask of the reviewers named in the manifest, against the time they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from plimsoll.assembly.project import Project
from plimsoll.model.details import Price
from plimsoll.model.evidence import Dated, Proportion
from plimsoll.stats import clopper_pearson_lower

LOAD: Final = "evaluation.review_load"


def price(project: Project, held_share: float) -> Price | None:
    """What a held share costs the reviewers named in the manifest; None: it names none."""
    review, load = project.manifest.review, project.manifest.load
    if review is None:
        return None
    per_day = load.expected.base * 86400
    minutes = review.per_item.base / 60
    return Price(
        held_share=held_share,
        expected_per_day=per_day,
        minutes_per_item=minutes,
        minutes_per_day=held_share * per_day * minutes,
        capacity_minutes_per_day=review.capacity.base / 60,
    )


def review_load(project: Project, cases: int, total: int) -> Proportion | None:
    """The share of the reviewers' time of an ordinary day that cases not answered take; None: nobody is named.

    Args:
        project: its manifest declares how many decisions are expected, what one costs, and what time there is.
        cases: of the golden set, not answered.
        total: of the golden set, all.
    """
    whole = price(project, 1.0)
    if whole is None or not whole.capacity_minutes_per_day:
        return None
    review, load = project.manifest.review, project.manifest.load
    assert review is not None, "there is a price"
    return Proportion(
        hits=cases,
        total=total,
        scale=whole.minutes_per_day / whole.capacity_minutes_per_day,
        basis=f"{load.expected} at {review.per_item} each, of {review.capacity} a day",
    )


def overload(project: Project, dated: Sequence[Dated]) -> tuple[str, ...]:
    """That the reviewers may not be able to take what is not answered; said whether or not a condition rests on it."""
    manifest, release = project.manifest, project.release.digest
    rests = any(c.metric == LOAD for c in manifest.threshold.conditions)
    if manifest.review is None:
        return (f"{LOAD} cannot be measured: the manifest names no review.per_item and no review.capacity.",) * rests
    found = [d for d in dated if d.evidence.metric == "evaluation.answered_share" and d.evidence.release == release]
    sample = max(found, key=lambda d: d.time_ns).evidence.sample if found else None
    if not isinstance(sample, Proportion) or not sample.total:
        return ()
    most = 1 - clopper_pearson_lower(sample.hits, sample.total, manifest.threshold.confidence.base)
    now, worst = price(project, 1 - sample.hits / sample.total), price(project, most)
    if now is None or worst is None or worst.minutes_per_day <= (capacity := now.capacity_minutes_per_day or 0.0):
        return ()
    sure = "cannot" if now.minutes_per_day > capacity else "may not"
    return (
        f"the reviewers {sure} keep up: what is not answered takes {now.minutes_per_day:,.0f} of their minutes a day "
        f"(at most {worst.minutes_per_day:,.0f}), and there are {capacity:,.0f}."
        + ("" if rests else f" No condition of the threshold rests on it; {LOAD} <= 100% would."),
    )
