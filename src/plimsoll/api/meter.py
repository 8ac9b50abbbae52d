"""Counts of one process, and of all worker processes of a server together, for Prometheus.

Counting is on the path of every call, so it is a few dictionary additions. Each process writes what it counted to a
file of its own every second; whichever is asked adds them up. Files of processes that have ended stay, since a counter
never falls while a server runs.
"""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from plimsoll.model.decision import Answer

# Seconds. Log-spaced, five to a decade, from half a millisecond to half a minute.
BOUNDS: Final = (
    0.0005, 0.001, 0.0015, 0.0025, 0.004, 0.006, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.15, 0.25, 0.4, 0.6,
    1.0, 1.5, 2.5, 4.0, 6.0, 10.0, 15.0, 30.0,
)  # fmt: skip
UNDECLARED: Final = "undeclared"  # a type that somebody made up gets no series of its own: they could make up millions


class Counts(msgspec.Struct, kw_only=True):
    """What one process counted. Keys are labels joined by a tab."""

    decisions: dict[str, int] = {}  # type, disposition, via
    requests: dict[str, int] = {}  # path, status
    seconds: dict[str, list[int]] = {}  # path -> counts of BOUNDS and beyond
    sums: dict[str, float] = {}  # path -> seconds in all
    used: dict[str, float] = {}  # release, type, what -> how much

    def add(self, other: Counts) -> None:
        """Add what another process counted."""
        for mine, theirs in ((self.decisions, other.decisions), (self.requests, other.requests)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
        for path, bins in other.seconds.items():
            have = self.seconds.get(path)
            self.seconds[path] = list(bins) if have is None else [a + b for a, b in zip(have, bins, strict=True)]
        for path, total in other.sums.items():
            self.sums[path] = self.sums.get(path, 0.0) + total
        for key, amount in other.used.items():
            self.used[key] = self.used.get(key, 0.0) + amount


class Meter:
    """The counts of this process.

    Args:
        types: the declared decision types.
        folder: where the processes of one server leave their counts; None: this one alone counts.
        gauges: name and value of what is measured when it is asked for: calls under way, breakers that are open.
        used: what decisions used and cost so far, by release, type and name, joined by tabs.
    """

    def __init__(
        self,
        types: Iterable[str],
        *,
        folder: Path | None = None,
        gauges: Callable[[], Iterable[tuple[str, str, float]]] | None = None,
        used: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self._used = used
        self.counts = Counts()
        self._types = frozenset(types)
        self._file = None if folder is None else folder / f"{os.getpid()}.counts.json"
        self._gauges = gauges

    def decision(self, type_: str, answer: Answer) -> None:
        """Count a decision."""
        known = type_ if type_ in self._types else UNDECLARED
        key = f"{known}\t{answer.disposition.value}\t{answer.via}"
        self.counts.decisions[key] = self.counts.decisions.get(key, 0) + 1

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request, by the pattern of its path and the status of its response (0: none was sent)."""
        counts = self.counts
        key = f"{path}\t{status}"
        counts.requests[key] = counts.requests.get(key, 0) + 1
        bins = counts.seconds.get(path)
        if bins is None:
            bins = counts.seconds[path] = [0] * (len(BOUNDS) + 1)
        bins[bisect.bisect_left(BOUNDS, seconds)] += 1
        counts.sums[path] = counts.sums.get(path, 0.0) + seconds

    def publish(self) -> None:
        """Leave this process's counts where the others find them; whole, or as they were."""
        if self._file is not None:
            draft = self._file.with_suffix(".draft")
            draft.write_bytes(msgspec.json.encode(self._own()))
            draft.replace(self._file)

    def exposition(self) -> bytes:
        """Prometheus text format, of all processes together."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self._all(), tuple(self._gauges()) if self._gauges is not None else ()))
        return generate_latest(registry)

    def _own(self) -> Counts:
        if self._used is not None:
            self.counts.used = dict(self._used())
        return self.counts

    def _all(self) -> Counts:
        whole = Counts()
        whole.add(msgspec.json.decode(msgspec.json.encode(self._own()), type=Counts))
        for file in () if self._file is None else self._file.parent.glob("*.counts.json"):
            if file != self._file:
                with contextlib.suppress(OSError, msgspec.DecodeError):  # replaced just now; the next look sees it
                    whole.add(msgspec.json.decode(file.read_bytes(), type=Counts))
        return whole


class _Collector(Collector):
    def __init__(self, counts: Counts, gauges: tuple[tuple[str, str, float], ...]) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        decisions = CounterMetricFamily(
            "plimsoll_decisions", "Decisions recorded, by how they ended.", labels=("type", "disposition", "via")
        )
        for key, count in sorted(self._counts.decisions.items()):
            decisions.add_metric(key.split("\t"), count)
        yield decisions
        requests = CounterMetricFamily("plimsoll_requests", "HTTP requests.", labels=("path", "status"))
        for key, count in sorted(self._counts.requests.items()):
            requests.add_metric(key.split("\t"), count)
        yield requests
        seconds = HistogramMetricFamily(
            "plimsoll_request_seconds", "From the headers of a request to the end of its response.", labels=("path",)
        )
        for path, bins in sorted(self._counts.seconds.items()):
            seconds.add_metric((path,), buckets=_cumulative(bins), sum_value=self._counts.sums.get(path, 0.0))
        yield seconds
        yield from _used(self._counts.used)
        families: dict[str, GaugeMetricFamily] = {}
        for name, label, value in self._gauges:
            family = families.setdefault(
                name, GaugeMetricFamily(name, "Of the process that was asked.", labels=("of",))
            )
            family.add_metric((label,), value)
        yield from families.values()


def _used(counts: Mapping[str, float]) -> Iterator[Metric]:
    """What decisions used and cost, by the release that took them."""
    by = ("release", "type")
    taken = CounterMetricFamily("plimsoll_release_decisions", "Decisions, by the release that took them.", labels=by)
    answered = CounterMetricFamily("plimsoll_release_answered", "Those that were answered.", labels=by)
    tokens = CounterMetricFamily("plimsoll_tokens", "Tokens, as the target reports them.", labels=(*by, "kind"))
    cost = CounterMetricFamily("plimsoll_cost", "What they cost by the manifest's prices.", labels=(*by, "currency"))
    for key, count in sorted(counts.items()):
        release, type_, name = key.split("\t")
        if name.startswith("cost "):
            cost.add_metric((release, type_, name.removeprefix("cost ")), count)
        elif name.endswith("_tokens"):
            tokens.add_metric((release, type_, name.removesuffix("_tokens")), count)
        else:
            (taken if name == "decisions" else answered).add_metric((release, type_), count)
    return iter((taken, answered, tokens, cost))


def _cumulative(bins: list[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*(f"{b:g}" for b in BOUNDS), "+Inf"), bins, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
