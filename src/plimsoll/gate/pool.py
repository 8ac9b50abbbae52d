"""Evidence of many runs, brought together for one release and one metric: no second throw of the dice.

Which pieces count
    Those of this very release and this metric that are *sound*: the instrument was in good health, nothing that the
    release does not cover had a part in it, no contract rule it rests on goes unenforced, the people it depends on are
    still the ones named, and the sample is of the metric's kind and makes sense. Pieces older than the threshold's
    maximum age (than one day, where they rest on a service whose identity is only declared) are left out; only if none
    younger is left is the condition stale. A copy of a piece counts once.

What a further run adds, by `Draw`
    *Fixed*: the same cases again. Every run is judged by itself and the worst counts; n does not grow.
    *Fresh*: new independent cases. Counts add up; windows, repeats and values join, in the order of time.
    If the pieces of one protocol disagree about that, or one run left two different figures, all are taken as fixed.

Standing facts
    An organisational or governance census says how things stand (who has accepted, what the map holds), and looks at
    all of it. Nothing is drawn, so there is no luck to try again: the newest one counts, whatever its protocol.

Several protocols
    Another sample, another setting or another load is another protocol, and its runs are not added to the first
    one's. The protocol that was run last speaks for the release, because it is how the system is measured now. But a
    protocol whose figure is on the wrong side goes on counting against the release for as long as it is fresh,
    whatever a later one says: who may choose the ruler after the reading has chosen the reading. What is merely
    insufficient in an earlier protocol does not count against, or a golden set could never be enlarged. `verdict` does
    this last step, since it takes the limit to know a side.

Load windows
    The setter signs how long a window lasts at least. What was measured in shorter ones cannot carry a condition; it
    goes on counting against the release where its figure is on the wrong side, as another protocol's does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.gate.soundness import Unsound, unsound
from plimsoll.model.evidence import BoundedMean, Census, Dated, Draw, Proportion, Provenance, Repeats, Sample, Windows
from plimsoll.model.metrics import Dimension, Kind, Metric

# A clock that was set back by more than this leaves evidence dated ahead of now, which would never grow stale.
_MOST_AHEAD_S: Final = 3600.0


class Pooled(msgspec.Struct, frozen=True, kw_only=True):
    """One sample, and the pieces that it is made of, oldest first."""

    sample: Sample
    pieces: tuple[Dated, ...]


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in one way. Every sample is judged, and the worst counts."""

    protocol: str
    samples: tuple[Pooled, ...]  # one for fresh draws; one for each run of fixed ones
    pieces: tuple[Dated, ...]  # all of them, oldest first
    fixed: bool

    @property
    def provenance(self) -> Provenance:
        """The least trusted of the pieces'."""
        order = (Provenance.SIMULATED, Provenance.DECLARED, Provenance.MEASURED)
        return min((d.evidence.provenance for d in self.pieces), key=order.index)

    @property
    def declared(self) -> tuple[str, ...]:
        """The services that any of the pieces rests on."""
        return tuple(sorted({service for d in self.pieces for service in d.evidence.declared}))

    def counts_for_s(self, max_age_s: float) -> float:
        """Seconds after which the first of the pieces is stale."""
        return min(d.evidence.counts_for_s(max_age_s) for d in self.pieces)


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """All evidence for one release and one metric. Protocols stand newest first, by their last run."""

    fresh: tuple[Protocol, ...] = ()
    stale: tuple[Protocol, ...] = ()
    short: tuple[Protocol, ...] = ()  # fresh and sound, and measured in load windows shorter than asked for
    unsound: tuple[Unsound, ...] = ()  # newest first; those that would be stale as well are not worth a word


def pool(
    metric: Metric,
    release: str,
    evidence: Sequence[Dated],
    now_ns: int,
    max_age_s: float,
    people: str = "",
    load_window_s: float = 0.0,
) -> Pool:
    """Bring together what counts for one metric of one release.

    Args:
        metric: entry of the catalogue.
        release: digest; evidence of any other release is not looked at.
        evidence: of any metric and release, in any order.
        now_ns: UTC nanoseconds since the epoch.
        max_age_s: evidence older than this is stale.
        people: digest of who is named now; evidence that depends on other people does not count. Empty: not looked at.
        load_window_s: how long a load window lasts at least, for a metric that is measured in them.
    """
    fresh: list[Dated] = []
    stale: list[Dated] = []
    short: list[Dated] = []
    left_out: list[Unsound] = []
    for piece in _of(metric, release, evidence):
        flaw = unsound(piece, metric, people)
        young = -_MOST_AHEAD_S <= age_s(piece, now_ns) <= piece.evidence.counts_for_s(max_age_s)
        if flaw is not None:
            left_out += [flaw] if young else []
        elif metric.in_windows and is_shorter(piece.evidence.window_s, load_window_s):
            short += [piece] if young else []
        else:
            (fresh if young else stale).append(piece)
    newest = is_standing_fact(metric)
    return Pool(
        fresh=_protocols(fresh, newest_only=newest),
        stale=_protocols(stale, newest_only=newest),
        short=_protocols(short, newest_only=False),
        unsound=tuple(reversed(left_out)),
    )


def age_s(piece: Dated, now_ns: int) -> float:
    """Seconds since a piece was recorded; negative if it is dated ahead of now."""
    return (now_ns - piece.time_ns) / 1e9


def is_shorter(window_s: float | None, asked_s: float) -> bool:
    """Whether a load window was shorter than asked for. One whose length nobody recorded was.

    >>> is_shorter(5.0, 5.0), is_shorter(0.5, 5.0), is_shorter(None, 0.1)
    (False, True, True)
    """
    return (window_s or 0.0) < asked_s * (1 - 1e-9)  # so many calls at a rate, read back, may lose the last digit


def _of(metric: Metric, release: str, evidence: Sequence[Dated]) -> list[Dated]:
    """Pieces for this metric and release, oldest first, each once."""
    mine = (d for d in evidence if d.evidence.metric == metric.name and d.evidence.release == release)
    entries: set[str] = set()
    kept: list[Dated] = []
    for piece in sorted(mine, key=lambda d: (d.time_ns, d.entry)):
        copied = any(piece.evidence == other.evidence for other in kept)
        if piece.entry not in entries and not copied:
            kept.append(piece)
        entries.add(piece.entry)
    return kept


def is_standing_fact(metric: Metric) -> bool:
    """Whether a metric says how things stand, so that its newest census counts."""
    return metric.kind is Kind.CENSUS and metric.dimension in {Dimension.ORGANISATIONAL, Dimension.GOVERNANCE}


# -- protocols --------------------------------------------------------------------------------------------------------


def _protocols(pieces: list[Dated], *, newest_only: bool) -> tuple[Protocol, ...]:
    if newest_only and pieces:
        last = pieces[-1]
        # Of two with the very same time neither is newer: both stay, and the worst counts.
        pieces = [d for d in pieces if d.time_ns == last.time_ns]
        return (_protocol(last.evidence.protocol, pieces, fixed=True),)
    groups: dict[str, list[Dated]] = {}
    for piece in pieces:
        groups.setdefault(piece.evidence.protocol, []).append(piece)
    found = [_protocol(name, group, fixed=_is_fixed(group)) for name, group in groups.items()]
    return tuple(sorted(found, key=lambda p: p.pieces[-1].time_ns, reverse=True))


def _protocol(name: str, pieces: list[Dated], *, fixed: bool) -> Protocol:
    joined = None if fixed else _join([d.evidence.sample for d in pieces])
    if joined is not None:
        samples: tuple[Pooled, ...] = (Pooled(sample=joined, pieces=tuple(pieces)),)
    else:
        samples = tuple(Pooled(sample=d.evidence.sample, pieces=(d,)) for d in pieces)
    return Protocol(protocol=name, samples=samples, pieces=tuple(pieces), fixed=joined is None)


def _is_fixed(pieces: list[Dated]) -> bool:
    runs = {d.evidence.run for d in pieces}
    return len(runs) < len(pieces) or any(d.evidence.draw is Draw.FIXED for d in pieces)


def _join(samples: list[Sample]) -> Sample | None:
    """Independent samples as one; None: they cannot be joined, for what must be declared beforehand differs."""
    match samples[0]:
        case Proportion():
            return _join_shares([s for s in samples if isinstance(s, Proportion)])
        case Windows():
            return Windows(windows=tuple(w for s in samples if isinstance(s, Windows) for w in s.windows))
        case Repeats():
            return Repeats(values=tuple(v for s in samples if isinstance(s, Repeats) for v in s.values))
        case BoundedMean():
            return _join_means([s for s in samples if isinstance(s, BoundedMean)])
        case Census():
            return _join_censuses([s for s in samples if isinstance(s, Census)])


def _join_shares(shares: list[Proportion]) -> Proportion | None:
    if len({s.scale for s in shares}) > 1:
        return None
    return Proportion(
        hits=sum(s.hits for s in shares),
        total=sum(s.total for s in shares),
        scale=shares[0].scale,
        basis=shares[-1].basis,
    )


def _join_means(means: list[BoundedMean]) -> BoundedMean | None:
    if len({(s.lower, s.upper) for s in means}) > 1:
        return None
    return BoundedMean(values=tuple(v for s in means for v in s.values), lower=means[0].lower, upper=means[0].upper)


def _join_censuses(censuses: list[Census]) -> Census | None:
    if len({s.ratio for s in censuses}) > 1:
        return None
    return Census(
        count=sum(s.count for s in censuses),
        total=sum(s.total for s in censuses),
        ratio=censuses[0].ratio,
        missing=tuple(name for s in censuses for name in s.missing),
        looked_at="; ".join(dict.fromkeys(s.looked_at for s in censuses if s.looked_at)),
    )
