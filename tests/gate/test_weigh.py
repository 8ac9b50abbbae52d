from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.gate.weigh import weigh
from plimsoll.model.board import Standing
from plimsoll.model.evidence import BoundedMean, Proportion, Window, Windows
from plimsoll.model.threshold import Condition, Op
from plimsoll.stats import betting_lower, clopper_pearson_lower, clopper_pearson_upper, upper_rank

# No metric of the catalogue is a bounded mean yet; the sample's type alone decides how it is weighed.
SATISFACTION = Condition.parse("evaluation.accuracy >= 85%")


def test_a_bounded_mean_is_judged_by_its_betting_bound():
    values = (0.9, 1.0, 0.8, 0.95, 0.85)
    weighed = weigh(SATISFACTION, BoundedMean(values=values * 40, lower=0, upper=1), 0.95)
    assert weighed.standing is Standing.MET
    assert weighed.bound == betting_lower(values * 40, 0, 1, 0.95)
    assert weighed.counts == "mean of 200"


def test_a_bounded_mean_says_how_many_values_decide():
    values = (0.9, 1.0, 0.8, 0.95, 0.85)
    weighed = weigh(SATISFACTION, BoundedMean(values=values * 4, lower=0, upper=1), 0.95)
    assert weighed.standing is Standing.INSUFFICIENT
    assert weighed.needed == "about 107 cases decide it at this rate; 87 more"
    on_the_line = weigh(SATISFACTION, BoundedMean(values=(0.85, 0.85), lower=0, upper=1), 0.95)
    assert on_the_line.needed == "never at this rate"


def test_a_bounded_mean_below_the_line_is_not_met():
    weighed = weigh(SATISFACTION, BoundedMean(values=(0.8,) * 50, lower=0, upper=1), 0.95)
    assert weighed.standing is Standing.NOT_MET
    assert weighed.gap == "5 points too low"


def test_smaller_is_better_for_a_mean_too():
    burden = Condition.parse("stability.error_rate <= 20%")
    values = BoundedMean(values=(0.1, 0.0, 0.2, 0.05) * 50, lower=0, upper=1)
    assert weigh(burden, values, 0.95).standing is Standing.MET


@given(
    total=st.integers(1, 2000),
    data=st.data(),
    percent=st.integers(1, 99),
    op=st.sampled_from([Op.GE, Op.GT, Op.LE, Op.LT]),
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_a_proportion_is_met_only_if_its_exact_bound_holds(total, data, percent, op, confidence):
    hits = data.draw(st.integers(0, total))
    metric = "evaluation.accuracy" if op.upwards else "stability.error_rate"
    condition = Condition.parse(f"{metric} {op.value} {percent}%")
    weighed = weigh(condition, Proportion(hits=hits, total=total), confidence)
    bound = (clopper_pearson_lower if op.upwards else clopper_pearson_upper)(hits, total, confidence)
    right, sure = op.holds(hits / total, percent / 100), op.holds(bound, percent / 100)
    expected = Standing.NOT_MET if not right else Standing.MET if sure else Standing.INSUFFICIENT
    assert weighed.standing is expected
    assert weighed.bound == bound


@given(
    seed=st.integers(0, 10**6),
    limit_ms=st.integers(1, 3000),
    kept=st.integers(1, 299),
    strict=st.booleans(),
)
def test_windows_are_met_only_if_every_windows_order_statistic_holds(seed, limit_ms, kept, strict):
    values = np.round(np.random.default_rng(seed).gamma(2, 0.2, (3, 299)), 2).tolist()  # ties included
    groups = [sorted(window) for window in values]
    sample = Windows(windows=tuple(Window(total=299, tail=tuple(g[-kept:]), median=g[149]) for g in groups))
    condition = Condition.parse(f"stability.latency_p99 {'<' if strict else '<='} {limit_ms}ms")
    weighed = weigh(condition, sample, 0.95)
    rank = upper_rank(299, 0.99, 0.95)
    assert rank is not None
    holds = all(condition.op.holds(g[rank - 1], condition.limit.base) for g in groups)
    assert (weighed.standing is Standing.MET) is holds
    if kept >= 3:
        assert weighed.estimate == max(g[296] for g in groups)  # the 297th: ceil(0.99 * 299)
    assert weighed.bound == max(g[-1] for g in groups)


@pytest.mark.parametrize("figure", [0.0, 0.2, 1.0])
def test_every_sentence_is_a_sentence(figure):
    weighed = weigh(SATISFACTION, Proportion(hits=round(figure * 30), total=30), 0.95)
    assert weighed.why[0].isupper()
    assert weighed.why.endswith(".")
    assert not math.isnan(weighed.estimate)


class TestAScaledProportion:
    """A figure that is a fixed multiple of a share, such as the reviewers' load: the share's exact bound, multiplied."""

    HALF = Condition.parse("evaluation.review_load <= 50%")

    @given(
        total=st.integers(1, 1000),
        data=st.data(),
        percent=st.integers(0, 400),
        op=st.sampled_from(["<=", "<"]),
        scale=st.floats(0.01, 20),
        confidence=st.sampled_from([0.8, 0.95, 0.99]),
    )
    def test_its_verdict_is_that_of_the_bound_multiplied(self, total, data, percent, op, scale, confidence):
        hits = data.draw(st.integers(0, total))
        condition = Condition.parse(f"evaluation.review_load {op} {percent}%")
        weighed = weigh(condition, Proportion(hits=hits, total=total, scale=scale), confidence)
        assert weighed.estimate == pytest.approx(scale * hits / total, rel=1e-11)
        assert weighed.bound == pytest.approx(scale * clopper_pearson_upper(hits, total, confidence), rel=1e-11)
        assert weighed.bound >= weighed.estimate
        met = condition.op.holds(weighed.estimate, condition.limit.base) and condition.op.holds(
            weighed.bound, condition.limit.base
        )
        assert (weighed.standing is Standing.MET) is met

    def test_how_many_cases_decide_is_that_of_the_share(self):
        scaled = weigh(self.HALF, Proportion(hits=20, total=100, scale=2.0), 0.95)
        plain = weigh(Condition.parse("stability.error_rate <= 25%"), Proportion(hits=20, total=100), 0.95)
        assert (scaled.standing, scaled.needed) == (Standing.INSUFFICIENT, plain.needed)

    def test_on_the_line_itself_no_number_of_cases_decides(self):
        scaled = weigh(self.HALF, Proportion(hits=18, total=100, scale=2.7777777777777777), 0.95)
        assert (scaled.standing, scaled.estimate) == (Standing.INSUFFICIENT, 0.5)
        assert scaled.needed == "never at this rate"

    def test_what_it_is_made_of_stands_beside_the_counts(self):
        weighed = weigh(self.HALF, Proportion(hits=1, total=9, scale=2.0, basis="9/day at 1 h each"), 0.95)
        assert weighed.counts == "1 of 9; 9/day at 1 h each"
