"""Evidence made by hand, and the board judged from it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from plimsoll.gate import judge
from plimsoll.model.board import Row
from plimsoll.model.evidence import (
    BoundedMean,
    Census,
    Dated,
    Draw,
    Evidence,
    Proportion,
    Provenance,
    Repeats,
    Sample,
    Window,
    Windows,
)
from plimsoll.model.metrics import METRICS, Better, Kind
from plimsoll.model.quantity import UnitKind
from plimsoll.model.threshold import Condition, Threshold

RELEASE = "sha256:" + "ab" * 32
NOW = 1_800_000_000 * 10**9
DAY = 86_400 * 10**9


class Bench:
    """Makes evidence and judges it; every piece has a run and an entry of its own unless told otherwise."""

    release = RELEASE
    now = NOW

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def evidence(
        self,
        metric: str,
        sample: Sample,
        *,
        draw: Draw = Draw.FIXED,
        protocol: str = "p1",
        age_days: float = 1.0,
        release: str = RELEASE,
        run: str = "",
        entry: str = "",
        **more: object,
    ) -> Dated:
        number = next(self._numbers)
        if METRICS[metric].in_windows:
            more.setdefault("window_s", 5.0)
        evidence = Evidence(
            metric=metric, release=release, run=run or f"run-{number:06}", protocol=protocol, sample=sample, draw=draw,
            **more,
        )  # fmt: skip
        return Dated(evidence=evidence, entry=entry or f"entry-{number:06}", time_ns=NOW - round(age_days * DAY))

    def threshold(self, *conditions: str, **more: object) -> Threshold:
        return Threshold(
            set_by="leader@example.org", conditions=tuple(Condition.parse(text) for text in conditions), **more
        )

    def row(self, condition: str, *evidence: Dated, people: str = "", **more: object) -> Row:
        rows = judge(self.threshold(condition, **more), RELEASE, evidence, NOW, people=people)
        assert len(rows) == 1
        return rows[0]

    def rows(self, conditions: Sequence[str], evidence: Sequence[Dated]) -> tuple[Row, ...]:
        return judge(self.threshold(*conditions), RELEASE, evidence, NOW)

    def window(self, total: int, *largest: float, rest: float = 0.05, kept: int = 30) -> Window:
        """A window in which all values are `rest` but for the largest."""
        tail = (rest,) * (min(kept, total) - len(largest)) + tuple(sorted(largest))
        return Window(total=total, tail=tail, median=rest)

    def windows(self, *windows: Window) -> Windows:
        return Windows(windows=windows)

    def perfect(self, metric: str) -> Sample:
        """The best sample there can be of a metric's kind."""
        entry = METRICS[metric]
        higher = entry.better is Better.HIGHER
        match entry.kind:
            case Kind.PROPORTION:
                return Proportion(hits=1000 if higher else 0, total=1000)
            case Kind.QUANTILE:
                return Windows(windows=(self.window(1000, rest=0.001),) * 3)
            case Kind.BOUNDED_MEAN:
                return BoundedMean(values=(1.0 if higher else 0.0,) * 1000, lower=0, upper=1)
            case Kind.MAXIMUM:
                return Repeats(values=(100.0 if higher else 0.001,) * 3)
            case Kind.CENSUS:
                ratio = entry.unit is UnitKind.RATIO
                return Census(count=7 if ratio else 0, total=7, ratio=ratio)

    def awful(self, metric: str) -> Sample:
        """The worst sample there can be of a metric's kind."""
        entry = METRICS[metric]
        higher = entry.better is Better.HIGHER
        match entry.kind:
            case Kind.PROPORTION:
                return Proportion(hits=0 if higher else 1000, total=1000)
            case Kind.QUANTILE:
                return Windows(windows=(self.window(1000, rest=1e6),) * 3)
            case Kind.BOUNDED_MEAN:
                return BoundedMean(values=(0.0 if higher else 1.0,) * 1000, lower=0, upper=1)
            case Kind.MAXIMUM:
                return Repeats(values=(0.0 if higher else 1e6,) * 3)
            case Kind.CENSUS:
                ratio = entry.unit is UnitKind.RATIO
                return Census(count=0 if ratio else 7, total=7, ratio=ratio)

    def condition(self, metric: str) -> str:
        """A condition that the perfect sample meets and the awful one does not."""
        entry = METRICS[metric]
        op = ">=" if entry.better is Better.HIGHER else "<="
        limit = {
            UnitKind.RATIO: "50%",
            UnitKind.DURATION: "10s",
            UnitKind.RATE: "10/s",
            UnitKind.MULTIPLE: "3x",
            UnitKind.COUNT: "0",
        }[entry.unit]
        return f"{metric} {op} {limit}"

    def all_met(self) -> tuple[list[str], list[Dated]]:
        """A condition and good evidence for every metric of the catalogue."""
        return [self.condition(name) for name in METRICS], [
            self.evidence(name, self.perfect(name), provenance=Provenance.MEASURED) for name in METRICS
        ]


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()
