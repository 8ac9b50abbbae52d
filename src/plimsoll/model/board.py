"""The threshold board: the gate's verdict as values. What prints, draws or signs it starts from here."""

from __future__ import annotations

import enum

import msgspec


class Standing(enum.StrEnum):
    """The verdict on one condition. Only ``met`` is met; a missing one is never dropped."""

    MET = "met"
    NOT_MET = "not met"  # the point estimate is on the wrong side
    INSUFFICIENT = "insufficient"  # the estimate is on the right side, its bound is not
    STALE = "stale"
    NOT_MEASURED = "not measured"


class Outcome(enum.StrEnum):
    """The verdict on the release."""

    READY = "ready"
    NOT_READY = "not ready"
    CANNOT_SAY = "cannot say yet"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One condition, judged. Figures are in the base unit of the metric."""

    condition: str
    metric: str
    op: str
    limit: str
    dimension: str
    standing: Standing
    estimate: float | None = None
    bound: float | None = None  # None: a census, or nothing measured
    estimate_text: str = "–"
    bound_text: str = "–"
    counts: str = ""  # "242 of 250", "worst of 3 windows", "census of 7"
    window_s: float | None = None  # how long the shortest load window under it lasted; None: it rests on none
    why: str = ""  # one plain sentence: what is wrong, or what it rests on
    gap: str = ""  # for not met: how far the estimate is from the limit, in words
    needed: str = ""  # for insufficient: how many cases decide it at the observed rate, or "never at this rate"
    age_s: float | None = None  # age of the oldest piece of evidence
    entries: tuple[str, ...] = ()  # ledger entries it rests on
    provenance: str = ""
    declared: tuple[str, ...] = ()  # services that it rests on, whose identity is only declared
    counts_for_s: float | None = None  # age at which its evidence is stale; None: nothing was measured
    margin: float | None = None  # estimate against the limit, 1 = on the line, above = met; for drawing only
    margin_bound: float | None = None
    next: str = ""  # what to do
    owner: str = ""  # who does it


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one release, with every figure that it rests on."""

    system: str
    release: str
    threshold: str  # digest
    people: str  # digest
    outcome: Outcome
    draft: bool  # True: nobody whose key is pinned has signed this threshold
    demonstration: bool  # True: something it rests on is simulated
    rows: tuple[Row, ...]
    time_ns: int
    simulated: tuple[str, ...] = ()  # what that is, one plain sentence each
    set_by: str = ""
    earlier: tuple[str, ...] = ()  # conditions of rows that an earlier line holds: what was loosened has not cooled off
    signed: str = ""  # ledger entry of the setter's signature
    unfinished: tuple[str, ...] = ()  # assessments that were started and never ended
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # notes that nobody may overlook: shown first, and in the attestation's notes
    price: tuple[str, ...] = ()  # what it costs to be above the line: held share, reviewers' minutes a day

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, as every page says it first."""
        counts = {s: sum(r.standing is s for r in self.rows) for s in Standing}
        words = {
            Standing.NOT_MET: ("is below the line", "are below the line"),
            Standing.INSUFFICIENT: ("needs more cases", "need more cases"),
            Standing.STALE: ("has gone stale", "have gone stale"),
            Standing.NOT_MEASURED: ("was never measured", "were never measured"),
        }
        met, total = counts[Standing.MET], len(self.rows)
        parts = [f"{met} of {total} conditions are met"]
        parts += [f"{counts[s]} {one if counts[s] == 1 else many}" for s, (one, many) in words.items() if counts[s]]
        return ", ".join(parts)
