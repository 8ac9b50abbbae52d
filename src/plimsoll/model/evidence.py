"""Evidence: one measurement with where it comes from."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

SERVICE: Final = "service:"  # before a service among what is not covered; a file stands as its path

DECLARED_MOST_S: Final = 86_400.0
"""Seconds for which evidence counts that rests on a service whose identity is only declared, unless the threshold's
maximum age is shorter. Nothing tells when another model answers at an address; what was measured there is soon old."""


class Provenance(enum.StrEnum):
    """How much a piece of evidence may be trusted."""

    MEASURED = "measured"
    DECLARED = "declared elsewhere"  # imported from another tool
    SIMULATED = "simulated"  # keys made on the spot, or scripted persons: for demonstration only


class Proportion(msgspec.Struct, frozen=True, kw_only=True, tag="proportion"):
    """So many of so many independent cases; with a scale, a figure that is a fixed multiple of that share.

    A bound of the share, multiplied by the scale, is the exact bound of the figure.
    """

    hits: int  # 0 <= hits <= total; what is counted is in the metric's meaning
    total: int
    scale: float = 1.0  # above 0; the figure is scale x hits / total. Declared, never measured
    basis: str = ""  # what the scale is made of, in words; "" where there is none

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.total:
            raise ValueError(f"{self.hits} of {self.total} is not a proportion")


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One window of a load test: its size, and the largest values, from which any upper quantile is judged."""

    total: int  # samples in the window
    tail: tuple[float, ...]  # the largest values, ascending, in the metric's base unit; the last is the maximum
    median: float

    def __post_init__(self) -> None:
        if len(self.tail) > self.total:
            raise ValueError("a window's tail is longer than the window")


class Windows(msgspec.Struct, frozen=True, kw_only=True, tag="windows"):
    """Independent windows of dependent samples; the worst one counts."""

    windows: tuple[Window, ...]


class Repeats(msgspec.Struct, frozen=True, kw_only=True, tag="repeats"):
    """One figure for each repeat, in the metric's base unit; the worst one counts."""

    values: tuple[float, ...]


class BoundedMean(msgspec.Struct, frozen=True, kw_only=True, tag="bounded-mean"):
    """Values within a range that was declared beforehand."""

    values: tuple[float, ...]
    lower: float
    upper: float


class Census(msgspec.Struct, frozen=True, kw_only=True, tag="census"):
    """Every case was looked at; ``looked_at`` says which cases those were, where that is not plain from the metric."""

    count: int
    total: int
    ratio: bool  # True: the figure is count / total; False: the figure is the count itself
    missing: tuple[str, ...] = ()  # the cases that keep it from being complete, in words
    looked_at: str = ""  # "all 3 decision types, and 200 of 3,250 decisions, drawn uniformly at random"; "": every case


Sample = Proportion | Windows | Repeats | BoundedMean | Census


class Draw(enum.StrEnum):
    """What a second run of the same protocol adds."""

    FIXED = "fixed"  # the same cases again: they add nothing, and the worst run counts
    FRESH = "fresh"  # new independent samples: runs are added up


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an ``evidence`` entry."""

    metric: str
    release: str
    run: str  # id of the ``assessment.started`` entry
    protocol: str  # digest of how it was measured: assessment, settings, sample; never of the result
    sample: Sample
    draw: Draw
    provenance: Provenance = Provenance.MEASURED
    finding: str = ""  # one plain sentence
    healthy: bool = True  # False: the instrument was out of breath, so the figure says nothing of the system
    why_unhealthy: str = ""
    binds: bool = True  # False: something that the release does not cover had a part in it
    uncovered: tuple[str, ...] = ()  # files that were opened, services that were reached, and are not covered
    declared: tuple[str, ...] = ()  # services that it rests on, "host:port"; who answers there is only declared
    unenforced: tuple[str, ...] = ()  # "file:line rule": contract rules this figure rests on that nothing enforces yet
    artifact: str = ""  # digest of the raw results
    people: str = ""  # people digest, for evidence that depends on who is named
    threshold: str = ""  # threshold digest at the start of the run
    window_s: float | None = None  # how long the shortest load window under it lasted; None: it rests on none
    unseen: tuple[str, ...] = ()  # decision types that the AI may answer and that nothing was measured of

    def counts_for_s(self, max_age_s: float) -> float:
        """Seconds after which it is stale, under a threshold's maximum age."""
        return min(max_age_s, DECLARED_MOST_S) if self.declared else max_age_s


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence with what the ledger knows of it."""

    evidence: Evidence
    entry: str  # id of the ledger entry
    time_ns: int  # UTC nanoseconds since the epoch


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an ``assessment.started`` entry, written before anything is measured."""

    assessment: str
    release: str
    protocol: str
    threshold: str
    note: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an ``assessment.ended`` entry. A start without one shows on the board as unfinished."""

    run: str
    detail: msgspec.Raw = msgspec.Raw(b"{}")  # what the report draws
    problem: str = ""  # why it could not be finished
