"""Bounds and tests, one method a file, under its paper's name."""

from plimsoll.stats.beta import beta_quantile, beta_tails, regularised_beta
from plimsoll.stats.bounded_mean import betting_lower, betting_total, betting_upper
from plimsoll.stats.burstiness import burstiness
from plimsoll.stats.chi_square import evenness_tails, gamma_tails
from plimsoll.stats.paired import mcnemar_exact
from plimsoll.stats.proportion import MOST_CASES, clopper_pearson_lower, clopper_pearson_upper, smallest_total
from plimsoll.stats.quantile import lower_rank, quantile_rank, smallest_window, upper_rank
from plimsoll.stats.trend import mann_kendall
from plimsoll.stats.two_samples import Distance, kolmogorov_distance, share_difference, total_variation
from plimsoll.stats.two_streams import ODDS_RATIOS, TwoStreams

__all__ = [
    "MOST_CASES",
    "ODDS_RATIOS",
    "Distance",
    "TwoStreams",
    "beta_quantile",
    "beta_tails",
    "betting_lower",
    "betting_total",
    "betting_upper",
    "burstiness",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "evenness_tails",
    "gamma_tails",
    "kolmogorov_distance",
    "lower_rank",
    "mann_kendall",
    "mcnemar_exact",
    "quantile_rank",
    "regularised_beta",
    "share_difference",
    "smallest_total",
    "smallest_window",
    "total_variation",
    "upper_rank",
]
