"""Bounds and tests, one method a file, under its paper's name."""

from plimsoll.stats.beta import beta_quantile, beta_tails, regularised_beta
from plimsoll.stats.bounded_mean import betting_lower, betting_total, betting_upper
from plimsoll.stats.paired import mcnemar_exact
from plimsoll.stats.proportion import MOST_CASES, clopper_pearson_lower, clopper_pearson_upper, smallest_total
from plimsoll.stats.quantile import lower_rank, quantile_rank, smallest_window, upper_rank
from plimsoll.stats.trend import mann_kendall
from plimsoll.stats.two_streams import ODDS_RATIOS, TwoStreams

__all__ = [
    "MOST_CASES",
    "ODDS_RATIOS",
    "TwoStreams",
    "beta_quantile",
    "beta_tails",
    "betting_lower",
    "betting_total",
    "betting_upper",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "lower_rank",
    "mann_kendall",
    "mcnemar_exact",
    "quantile_rank",
    "regularised_beta",
    "smallest_total",
    "smallest_window",
    "upper_rank",
]
