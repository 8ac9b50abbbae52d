"""The metric catalogue: what can be measured, and what each figure means.

A condition of a threshold may only name a metric of this catalogue. Its readiness dimension, its unit, its direction
and what counts as evidence for it are fixed here and cannot be chosen in a manifest.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Final

import msgspec

from plimsoll.model.quantity import UnitKind


class Dimension(enum.StrEnum):
    """The four readiness dimensions; a threshold needs a condition in each."""

    TECHNICAL = "technical"
    DATA = "data"
    ORGANISATIONAL = "organisational"
    GOVERNANCE = "governance"


class Kind(enum.StrEnum):
    """What a metric is, and so which bound is counted against it."""

    PROPORTION = "proportion"  # exact Clopper-Pearson bound
    QUANTILE = "quantile"  # order-statistic bound, the worst of at least three independent windows
    BOUNDED_MEAN = "bounded-mean"  # declared range, betting bound
    MAXIMUM = "maximum"  # the worst of at least three repeats
    CENSUS = "census"  # every case was looked at: exact, and the only kind that may use "="


class Better(enum.StrEnum):
    """The direction in which a metric improves."""

    HIGHER = "higher"
    LOWER = "lower"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    name: str
    unit: UnitKind
    dimension: Dimension
    better: Better
    kind: Kind
    meaning: str  # one plain sentence
    denominator: str  # of what; what counts and what does not
    assessment: str  # which assessment measures it
    measurable: bool = True  # False: in the catalogue, but this version has no assessment for it yet
    quantile: float | None = None  # for Kind.QUANTILE
    in_windows: bool = False  # measured in load windows, whose length the threshold sets
    beyond_all: bool = False  # a ratio that can be above 100%: of what there is, not of what there was

    @property
    def command(self) -> str:
        """What measures it."""
        return "plimsoll rollout drill" if self.assessment == "rollout" else f"plimsoll assess {self.assessment}"


def _catalogue(*metrics: Metric) -> MappingProxyType[str, Metric]:
    return MappingProxyType({m.name: m for m in metrics})


METRICS: Final = _catalogue(
    Metric(
        name="stability.load",
        unit=UnitKind.MULTIPLE,
        dimension=Dimension.TECHNICAL,
        better=Better.HIGHER,
        kind=Kind.MAXIMUM,
        meaning="The highest multiple of the declared peak that was held.",
        denominator="held: nothing shed, no backlog that grows through the window, the other stability conditions met "
        "at that stage, and a healthy driver; worst of at least three windows",
        assessment="stability",
        in_windows=True,
    ),
    Metric(
        name="stability.latency_p50",
        unit=UnitKind.DURATION,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.QUANTILE,
        quantile=0.5,
        meaning="Half of the calls at the highest stage were answered within this time.",
        denominator="all calls that were not shed, timed from when they were due",
        assessment="stability",
        in_windows=True,
    ),
    Metric(
        name="stability.latency_p99",
        unit=UnitKind.DURATION,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.QUANTILE,
        quantile=0.99,
        meaning="99 of 100 calls at the highest stage were answered within this time.",
        denominator="all calls that were not shed, timed from when they were due",
        assessment="stability",
        in_windows=True,
    ),
    Metric(
        name="stability.error_rate",
        unit=UnitKind.RATIO,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.PROPORTION,
        meaning="The share of calls at the highest stage that failed, were shed, or came too late.",
        denominator="(failed + shed + late) / offered",
        assessment="stability",
        in_windows=True,
    ),
    Metric(
        name="stability.shed_rate",
        unit=UnitKind.RATIO,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.PROPORTION,
        meaning="The share of calls at the highest stage that were turned away for want of room.",
        denominator="shed / offered",
        assessment="stability",
        in_windows=True,
    ),
    Metric(
        name="stability.degradation",
        unit=UnitKind.MULTIPLE,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.MAXIMUM,
        meaning="How many times slower the 99th percentile is at the highest stage than at the declared peak.",
        denominator="p99 at the highest stage / p99 at 1x, the worst pair of at least three windows",
        assessment="stability",
        in_windows=True,
    ),
    Metric(
        name="stability.recovery_time",
        unit=UnitKind.DURATION,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.MAXIMUM,
        meaning="The time from the removal of a fault to behaviour as before it.",
        denominator="worst of at least three repeats of each injected fault",
        assessment="stability",
        measurable=False,
    ),
    Metric(
        name="stability.signal_recall",
        unit=UnitKind.RATIO,
        dimension=Dimension.TECHNICAL,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of injected faults for which the right alert fired and named the right cause.",
        denominator="injected faults",
        assessment="stability",
        measurable=False,
    ),
    Metric(
        name="evaluation.accuracy",
        unit=UnitKind.RATIO,
        dimension=Dimension.TECHNICAL,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of answered decisions that were right.",
        denominator="answered decisions of the golden set; held ones are counted by evaluation.answered_share",
        assessment="evaluation",
    ),
    Metric(
        name="evaluation.answered_share",
        unit=UnitKind.RATIO,
        dimension=Dimension.TECHNICAL,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of cases that the system answered without a person.",
        denominator="cases of the golden set",
        assessment="evaluation",
    ),
    Metric(
        name="evaluation.review_load",
        unit=UnitKind.RATIO,
        beyond_all=True,
        # Not organisational, though it is about people: a figure must not stand in for what they say themselves.
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.PROPORTION,
        meaning="The share of the reviewers' time of an ordinary day that the cases not answered take.",
        denominator="cases of the golden set that were not answered / all of its cases, multiplied by load.expected x "
        "review.per_item / review.capacity as the manifest declares them now; its bound is that share's, multiplied "
        "alike",
        assessment="evaluation",
    ),
    Metric(
        name="rollout.drilled",
        unit=UnitKind.RATIO,
        dimension=Dimension.TECHNICAL,
        better=Better.HIGHER,
        kind=Kind.CENSUS,
        meaning="The share of practised rollbacks of this release that every process followed, that cost no call, and "
        "after which the answers were those of before.",
        denominator="the rollbacks practised under traffic, each in several processes at once",
        assessment="rollout",
    ),
    Metric(
        name="rollout.rollback_time",
        unit=UnitKind.DURATION,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.MAXIMUM,
        meaning="The time from the order to roll back until the last process answered by what was gone back to.",
        denominator="the slowest process of each rollback, by what its decisions say of their release; worst of at "
        "least three rollbacks; of a process that never followed, the time that was waited for it",
        assessment="rollout",
    ),
    Metric(
        name="rollout.failed_calls",
        unit=UnitKind.COUNT,
        dimension=Dimension.TECHNICAL,
        better=Better.LOWER,
        kind=Kind.CENSUS,
        meaning="Calls that failed, were shed, refused or held back because of a rollback.",
        denominator="every call that was under way at a rollback or began after it, while traffic went on; one that "
        "ended in a way in which calls to that release ended before does not count",
        assessment="rollout",
    ),
    Metric(
        name="contracts.valid_rate",
        unit=UnitKind.RATIO,
        dimension=Dimension.DATA,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of records of the feed that kept their contract.",
        denominator="records offered by all sources; records mended by a declared coercion count as valid",
        assessment="contracts",
    ),
    Metric(
        name="contracts.lost_records",
        unit=UnitKind.COUNT,
        dimension=Dimension.DATA,
        better=Better.LOWER,
        kind=Kind.CENSUS,
        meaning="Records that were offered and cannot be found again in the ledger.",
        denominator="every record offered is looked up",
        assessment="contracts",
    ),
    Metric(
        name="contracts.owned",
        unit=UnitKind.RATIO,
        dimension=Dimension.DATA,
        better=Better.HIGHER,
        kind=Kind.CENSUS,
        meaning="The share of sources and consumers whose owner has a working contact.",
        denominator="every source of the input contracts and every consumer of the output contract; a contact works "
        "when it is one of the manifest's owners or their members, filled in and not gone",
        assessment="contracts",
    ),
    Metric(
        name="contracts.on_time_rate",
        unit=UnitKind.RATIO,
        dimension=Dimension.DATA,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of records in earnest that came neither too old nor after too long a silence.",
        denominator="the latest 10,000 decisions of this release on records of sources that promise an age or a pace; "
        "none of an assessment",
        assessment="contracts",
    ),
    Metric(
        name="contracts.fallback_exercised",
        unit=UnitKind.RATIO,
        dimension=Dimension.DATA,
        better=Better.HIGHER,
        kind=Kind.CENSUS,
        meaning="The share of declared fallbacks that took over when their source was cut, and let go again.",
        denominator="every trouble for which a source declares a fallback, each cut three times, and one more for each "
        "source that declares none; not measured while any of them could not be exercised",
        assessment="contracts",
    ),
    Metric(
        name="contracts.recovery_time",
        unit=UnitKind.DURATION,
        dimension=Dimension.DATA,
        better=Better.LOWER,
        kind=Kind.MAXIMUM,
        meaning="The time from the first record after a source was cut until one was decided as before.",
        denominator="the slowest fallback of each round, worst of three rounds, records sent one after the other; not "
        "measured while any fallback could not be exercised or did not let go",
        assessment="contracts",
    ),
    Metric(
        name="contracts.consumers_served",
        unit=UnitKind.RATIO,
        dimension=Dimension.DATA,
        better=Better.HIGHER,
        kind=Kind.CENSUS,
        meaning="The share of consumers that get their format in time, and no unexpected value that misleads them.",
        denominator="every consumer that the output contract declares; not measured while any could not be exercised",
        assessment="contracts",
    ),
    Metric(
        name="organisation.accepted",
        unit=UnitKind.RATIO,
        dimension=Dimension.ORGANISATIONAL,
        better=Better.HIGHER,
        kind=Kind.CENSUS,
        meaning="The share of named owners and operators who accepted this release with their own key.",
        denominator="every person or team named as business, technical, operations owner, leader or operator",
        assessment="organisation",
    ),
    Metric(
        name="handoff.passed",
        unit=UnitKind.RATIO,
        dimension=Dimension.ORGANISATIONAL,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of handoff drills in which people who did not build the system found and mended the fault.",
        denominator="drills taken",
        assessment="handoff",
        measurable=False,
    ),
    Metric(
        name="review.catch_rate",
        unit=UnitKind.RATIO,
        dimension=Dimension.ORGANISATIONAL,
        better=Better.HIGHER,
        kind=Kind.PROPORTION,
        meaning="The share of seeded wrong answers that the reviewers caught.",
        denominator="seeded wrong answers shown",
        assessment="review",
        measurable=False,
    ),
    Metric(
        name="accountability.complete",
        unit=UnitKind.RATIO,
        dimension=Dimension.GOVERNANCE,
        better=Better.HIGHER,
        kind=Kind.CENSUS,
        meaning="Every decision type has its entry in the accountability map, and every decision looked at can be "
        "reconstructed from the ledger alone.",
        denominator="all decision types in the map + the decisions looked at: all of the release, or where there are "
        "more than 200, 200 drawn uniformly at random by a seed that the release fixes, and those that an earlier run "
        "could not reconstruct; the board says how many of how many, and the bound for all of them",
        assessment="accountability",
    ),
)
