from __future__ import annotations

import pytest

from plimsoll.model.metrics import METRICS, Dimension, Kind, Metric
from plimsoll.model.quantity import UnitKind

EVERY = pytest.mark.parametrize("metric", METRICS.values(), ids=lambda m: m.name)


@EVERY
def test_an_entry_says_what_it_means_and_of_what(metric: Metric) -> None:
    assert METRICS[metric.name] is metric
    assert metric.meaning.endswith(".")
    assert metric.denominator
    assert metric.assessment
    assert metric.name.count(".") == 1
    assert metric.name == metric.name.lower()


@EVERY
def test_an_entry_has_what_its_bound_needs(metric: Metric) -> None:
    assert (metric.quantile is not None) == (metric.kind is Kind.QUANTILE)
    if metric.quantile is not None:
        assert 0 < metric.quantile < 1
    if metric.kind is Kind.PROPORTION:
        assert metric.unit is UnitKind.RATIO


@pytest.mark.parametrize("dimension", list(Dimension))
def test_every_dimension_can_be_measured_by_this_version(dimension: Dimension) -> None:
    assert any(m.measurable for m in METRICS.values() if m.dimension is dimension)


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        METRICS["evaluation.accuracy"] = METRICS["stability.load"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        METRICS["evaluation.accuracy"].kind = Kind.CENSUS  # type: ignore[misc]
