"""One sample against one condition: its figure, the bound that is counted against it, and what would decide it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

import msgspec

from plimsoll.gate.figures import ASKED, figure_text, gap_text, listed, plural
from plimsoll.model.board import Standing
from plimsoll.model.evidence import BoundedMean, Census, Proportion, Repeats, Sample, Window, Windows
from plimsoll.model.threshold import Condition
from plimsoll.stats import (
    betting_lower,
    betting_total,
    betting_upper,
    clopper_pearson_lower,
    clopper_pearson_upper,
    quantile_rank,
    smallest_total,
    smallest_window,
    upper_rank,
)

LEAST_REPEATS: Final = 3  # windows or repeats; the worst of fewer says next to nothing

NEVER: Final = "never at this rate"


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What one sample says about one condition. Standing is met, not met or insufficient."""

    standing: Standing
    estimate: float
    bound: float | None = None
    counts: str
    why: str
    gap: str = ""
    needed: str = ""


def weigh(condition: Condition, sample: Sample, confidence: float) -> Weighed:
    """Judge one sound sample of the condition's kind.

    The bound is always the one against the system. A figure exactly on the limit holds for ``<=`` and ``>=``, and
    does not for ``<`` and ``>``.

    Args:
        condition: with its limit.
        sample: not empty; of the kind that the metric asks for.
        confidence: one-sided, in (0, 1), of every bound.
    """
    match sample:
        case Proportion():
            return _weigh_proportion(condition, sample, confidence)
        case Windows():
            return _weigh_windows(condition, sample, confidence)
        case Repeats():
            return _weigh_repeats(condition, sample)
        case BoundedMean():
            return _weigh_mean(condition, sample, confidence)
        case Census():
            return _weigh_census(condition, sample)


def _weigh_proportion(condition: Condition, sample: Proportion, confidence: float) -> Weighed:
    upwards = condition.op.upwards
    bound = (clopper_pearson_lower if upwards else clopper_pearson_upper)(sample.hits, sample.total, confidence)
    rate = Fraction(sample.hits, sample.total)
    counts = f"{sample.hits:,} of {sample.total:,}" + (f"; {sample.basis}" if sample.basis else "")
    scaled = _scaled(float(rate), sample.scale)
    weighed = _weighed(condition, scaled, _scaled(bound, sample.scale), counts, confidence)
    if weighed.standing is not Standing.INSUFFICIENT:
        return weighed
    # Of the share. It lies in [0, 1], or figure and bound could not be on either side of it, but for a last digit.
    limit = min(max(condition.limit.base / sample.scale, 0.0), 1.0)
    total = smallest_total(rate, limit, confidence, upwards=upwards, at_least=sample.total + 1)
    if total is not None:
        needed = f"{plural(total, 'case')} decide it at this rate; {total - sample.total:,} more"
    else:
        needed = NEVER if scaled == condition.limit.base else "more than a billion cases at this rate"
    return msgspec.structs.replace(weighed, needed=needed)


def _scaled(share: float, scale: float) -> float:
    """A share multiplied; rounded to 12 digits, so that what is exactly on the line stays there.

    A scale is the product of quantities that are themselves rounded to 15.
    """
    return share if scale == 1.0 else float(f"{share * scale:.12g}")


def _weigh_mean(condition: Condition, sample: BoundedMean, confidence: float) -> Weighed:
    upwards, values = condition.op.upwards, sample.values
    bound = (betting_lower if upwards else betting_upper)(values, sample.lower, sample.upper, confidence)
    estimate = min(max(math.fsum(values) / len(values), sample.lower), sample.upper)
    weighed = _weighed(condition, estimate, bound, f"mean of {len(values):,}", confidence)
    if weighed.standing is not Standing.INSUFFICIENT:
        return weighed
    limit = condition.limit.base
    total = betting_total(values, sample.lower, sample.upper, limit, confidence, upwards=upwards)
    if total is not None:
        total = max(total, len(values) + 1)
        needed = f"about {plural(total, 'case')} decide it at this rate; {total - len(values):,} more"
    else:
        needed = NEVER if estimate == limit else "more than a million cases at this rate"
    return msgspec.structs.replace(weighed, needed=needed)


def _weigh_repeats(condition: Condition, sample: Repeats) -> Weighed:
    values = sample.values
    worst = min(values) if condition.op.upwards else max(values)
    enough = len(values) >= LEAST_REPEATS
    counts = f"worst of {plural(len(values), 'repeat')}"
    if not condition.op.holds(worst, condition.limit.base):
        return _not_met(condition, worst, worst if enough else None, counts)
    if not enough:
        return Weighed(
            standing=Standing.INSUFFICIENT,
            estimate=worst,
            counts=counts,
            why=f"The worst of at least {LEAST_REPEATS} repeats counts, and there {_are(len(values))}.",
            needed=f"{LEAST_REPEATS} repeats decide it; {LEAST_REPEATS - len(values)} more",
        )
    why = f"None of {len(values)} repeats was on the wrong side."
    return Weighed(standing=Standing.MET, estimate=worst, bound=worst, counts=counts, why=why)


def _weigh_census(condition: Condition, sample: Census) -> Weighed:
    figure = sample.count / sample.total if sample.ratio else float(sample.count)
    # "census" is for what was looked at as a whole; a sample among the cases must not hide behind the word.
    counts = f"{sample.total:,} looked at" if sample.looked_at else f"census of {sample.total:,}"
    if condition.op.holds(figure, condition.limit.base):
        why = f"Looked at: {sample.looked_at}." if sample.looked_at else "Every case was looked at."
        return Weighed(standing=Standing.MET, estimate=figure, counts=counts, why=why)
    weighed = _not_met(condition, figure, None, counts)
    gone = sample.total - sample.count
    if sample.ratio and gone:
        names = f": {listed(sample.missing)}" if sample.missing else ""
        why = f"{sample.count:,} of {sample.total:,}; missing {'is' if gone == 1 else 'are'}{names or f' {gone:,}'}."
        return msgspec.structs.replace(weighed, gap=f"{gone:,} of {sample.total:,} missing", why=why)
    if sample.missing:
        return msgspec.structs.replace(weighed, why=f"{weighed.why} Among them: {listed(sample.missing)}.")
    return weighed


# -- windows: order statistics, the worst window counts ---------------------------------------------------------------


def _weigh_windows(condition: Condition, sample: Windows, confidence: float) -> Weighed:
    """The worst of at least three windows that are large enough.

    A window that is too small for a bound cannot help, and its largest value still speaks against the system; one in
    which nothing was answered leaves the condition undecided.
    """
    q = condition.entry.quantile
    assert q is not None, "a quantile of the catalogue says which"
    windows = sample.windows
    least = smallest_window(q, confidence)
    large = [w for w in windows if w.total >= least]
    answered = [w for w in windows if w.total]
    counts = _window_counts(windows)
    estimate = max(_at_rank(w, quantile_rank(w.total, q), q) for w in answered)
    decided = len(large) >= LEAST_REPEATS and len(answered) == len(windows)
    bound = max(_window_bound(w, q, confidence) for w in windows) if decided else None
    if decided or not condition.op.holds(estimate, condition.limit.base):
        weighed = _weighed(condition, estimate, bound, counts, confidence, where=" in the worst window")
        if weighed.standing is not Standing.INSUFFICIENT:
            return weighed
        return msgspec.structs.replace(weighed, needed=_larger_windows(condition, windows, q, confidence))
    why = _undecided(windows, large)
    more = max(1, LEAST_REPEATS - len(large))
    needed = f"{LEAST_REPEATS} windows of at least {plural(least, 'call')} decide it; {more} more"
    return Weighed(standing=Standing.INSUFFICIENT, estimate=estimate, counts=counts, why=why, needed=needed)


def _undecided(windows: tuple[Window, ...], large: list[Window]) -> str:
    """Why windows give no bound at all."""
    empty = sum(not window.total for window in windows)
    if empty:
        return f"In {plural(empty, 'window')} nothing was answered, so nothing can be said of it."
    if len(windows) < LEAST_REPEATS:
        return f"The worst of at least {LEAST_REPEATS} independent windows counts, and there {_are(len(windows))}."
    return f"Of {len(windows)} windows {len(large)} are large enough for a bound; {LEAST_REPEATS} have to be."


def _window_bound(window: Window, q: float, confidence: float) -> float:
    rank = upper_rank(window.total, q, confidence)
    return _at_rank(window, window.total if rank is None else rank, q, upper=True)


def _at_rank(window: Window, rank: int, q: float, *, upper: bool = False) -> float:
    """The value of this rank, from below; where the tail does not reach down to it, one that is surely not smaller."""
    from_above = window.total - rank
    tail = sorted(window.tail)
    if from_above < len(tail):
        return tail[-1 - from_above]
    return window.median if q == 0.5 and not upper else tail[0]


def _larger_windows(condition: Condition, windows: tuple[Window, ...], q: float, confidence: float) -> str:
    """What would bring the bound to the right side: larger windows, or more of each window kept."""
    limit, least, totals = condition.limit.base, smallest_window(q, confidence), [smallest_window(q, confidence)]
    for window in windows:
        over = sum(not condition.op.holds(value, limit) for value in window.tail)
        if window.total < least:
            continue
        if over == len(window.tail) < window.total:
            rank = upper_rank(window.total, q, confidence) or window.total
            return f"each window's {window.total - rank + 1:,} largest values must be kept; {len(window.tail):,} were"
        # The bound of the quantile is within the limit exactly when the bound of the share beyond the limit is
        # within 1 - q: the same binomial tail read the other way round.
        share = Fraction(over, window.total)
        total = smallest_total(share, 1 - q, confidence, upwards=False, at_least=window.total)
        if total is None:
            return NEVER
        if total > window.total:
            totals.append(total)
    smallest = min(window.total for window in windows)
    return f"windows of {plural(max(totals), 'call')} decide it at this rate; the smallest has {smallest:,}"


def _window_counts(windows: tuple[Window, ...]) -> str:
    sizes = sorted(w.total for w in windows)
    size = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
    return f"worst of {plural(len(windows), 'window')} of {size}"


# -- what they share --------------------------------------------------------------------------------------------------


def _weighed(
    condition: Condition, estimate: float, bound: float | None, counts: str, confidence: float, where: str = ""
) -> Weighed:
    holds, limit = condition.op.holds, condition.limit
    if not holds(estimate, limit.base):
        return _not_met(condition, estimate, bound, counts)
    assert bound is not None, "without a bound nothing is met"
    sure = f"With {confidence * 100:.4g}% confidence it"
    text, upwards = figure_text(limit, bound), condition.op.upwards
    if holds(bound, limit.base):
        why = f"{sure} is {'at least' if upwards else 'at most'} {text}{where}."
        return Weighed(standing=Standing.MET, estimate=estimate, bound=bound, counts=counts, why=why)
    why = f"{sure} may still be as {'low' if upwards else 'high'} as {text}{where}."
    return Weighed(standing=Standing.INSUFFICIENT, estimate=estimate, bound=bound, counts=counts, why=why)


def _not_met(condition: Condition, estimate: float, bound: float | None, counts: str) -> Weighed:
    text, limit = figure_text(condition.limit, estimate), condition.limit
    return Weighed(
        standing=Standing.NOT_MET,
        estimate=estimate,
        bound=bound,
        counts=counts,
        why=f"It is {text}; {ASKED[condition.op]} {limit} is asked for.",
        gap=gap_text(condition, estimate),
    )


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count:,}"
