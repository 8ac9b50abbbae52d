"""Whether one piece of evidence may count at all."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from plimsoll.gate.figures import listed
from plimsoll.model.evidence import SERVICE, BoundedMean, Census, Dated, Proportion, Repeats, Sample, Window, Windows
from plimsoll.model.metrics import Kind, Metric

_SAMPLE_OF: Final[dict[Kind, type]] = {
    Kind.PROPORTION: Proportion,
    Kind.QUANTILE: Windows,
    Kind.BOUNDED_MEAN: BoundedMean,
    Kind.MAXIMUM: Repeats,
    Kind.CENSUS: Census,
}
# What gives an assessment a sample of every decision type.
_SAMPLES: Final = {
    "evaluation": "Add cases of it to the golden set",
    "contracts": "Put records of it into a folder of its name in the feed",
    "stability": "Put records of it into a folder of its name in the feed",
}


class Unsound(msgspec.Struct, frozen=True, kw_only=True):
    """A piece that does not count, and why."""

    piece: Dated
    why: str  # one plain sentence
    mend: str = ""  # what to do before measuring again; empty: just measure again


def unsound(piece: Dated, metric: Metric, people: str = "") -> Unsound | None:
    """Why a piece does not count; None: it does.

    Args:
        piece: of the metric.
        metric: entry of the catalogue.
        people: digest of who is named now; a piece that depends on other people does not count. Empty: not looked at.
    """
    evidence, mend = piece.evidence, ""
    flaw = _flaw(evidence.sample, metric)
    if flaw:
        why = f"The run left no usable sample: {flaw}."
    elif people and evidence.people and evidence.people != people:
        why = "Other people are named now than when it was measured."
    elif not evidence.healthy:
        reason = evidence.why_unhealthy or "it gave no reason"
        why = f"The instrument was not in good health, so its figure says nothing of the system: {reason}."
        mend = "Give the instrument what it lacked"
    elif not evidence.binds:
        why, mend = _uncovered(evidence.uncovered)
    elif evidence.unenforced:
        why = f"It rests on contract rules that nothing enforces yet: {listed(evidence.unenforced)}."
        mend = "Write those rules in a form that is enforced"
    elif evidence.unseen:
        why = f"It says nothing of the decision type {' or '.join(evidence.unseen)}: there is no sample of it."
        mend = _SAMPLES.get(metric.assessment, "Give it a sample")
    else:
        return None
    return Unsound(piece=piece, why=why, mend=mend)


def _uncovered(names: tuple[str, ...]) -> tuple[str, str]:
    """Why something that is not covered keeps evidence from counting, and what to do."""
    services = tuple(name.removeprefix(SERVICE) for name in names if name.startswith(SERVICE))
    files = tuple(name for name in names if not name.startswith(SERVICE))
    why, mend = [], []
    if files or not services:
        why.append(f"Opened files not covered by the release: {listed(files) or 'which ones was not recorded'}.")
        mend.append("files under target.artifacts")
    if services:
        why.append(f"Reached services that the manifest does not declare: {listed(services)}.")
        mend.append("services under target.services")
    named = "them" + mend[0].removeprefix("files").removeprefix("services") if len(mend) == 1 else " and ".join(mend)
    return " ".join(why), f"Declare {named}, which makes another release"


def _flaw(sample: Sample, metric: Metric) -> str:
    """What makes a sample unusable, in words; empty: nothing does."""
    if not isinstance(sample, _SAMPLE_OF[metric.kind]):
        recorded = next(kind.value for kind, of in _SAMPLE_OF.items() if isinstance(sample, of))
        return f"{metric.name} is a {metric.kind.value}, and a {recorded} was recorded"
    match sample:
        case Proportion():
            return _flaw_of_share(sample)
        case Windows():
            return _flaw_of_windows(sample.windows)
        case Repeats():
            return _flaw_of_values(sample.values)
        case BoundedMean():
            return _flaw_of_mean(sample)
        case Census():
            return _flaw_of_census(sample)


def _flaw_of_share(sample: Proportion) -> str:
    if not (math.isfinite(sample.scale) and sample.scale > 0):
        return "what its share is multiplied by makes no sense"
    return "" if sample.total else "not one case was counted"


def _flaw_of_windows(windows: tuple[Window, ...]) -> str:
    if not any(window.total for window in windows):
        return "not one call was answered"
    for window in windows:
        if window.total < 0 or (window.total and not window.tail):
            return "a window kept none of its largest values"
        if any(math.isnan(value) for value in (*window.tail, window.median)):
            return "a figure is not a number"
    return ""


def _flaw_of_values(values: tuple[float, ...]) -> str:
    if not values:
        return "there is not one value"
    return "a figure is not a number" if any(math.isnan(value) for value in values) else ""


def _flaw_of_mean(sample: BoundedMean) -> str:
    lower, upper = sample.lower, sample.upper
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        return "its range is not declared"
    flaw = _flaw_of_values(sample.values)
    return flaw or ("" if all(lower <= value <= upper for value in sample.values) else "a value is out of range")


def _flaw_of_census(sample: Census) -> str:
    if sample.total <= 0:
        return "there was nothing to look at"
    return "its counts make no sense" if sample.count < 0 or (sample.ratio and sample.count > sample.total) else ""
