"""Two targets on the same cases: what the cases on which they differ show."""

from __future__ import annotations

from plimsoll.stats.beta import regularised_beta


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """How often two equally good targets would differ at least so unevenly.

    Cases on which both are right, or both wrong, say nothing of which is better. Of the others, each is as likely to be
    one's as the other's where both are equally good, so the smaller count is binomial with probability 1/2.

    Args:
        first_only: cases that the first got right and the second wrong, at least 0.
        second_only: the reverse.

    Returns:
        The two-sided p-value, in (0, 1]; 1 where they differ on no case.

    Raises:
        ValueError: a count is negative.

    Source: Q. McNemar (1947), "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12(2), 153-157; in its exact form, the two-sided binomial test of the differing pairs.

    >>> round(mcnemar_exact(2, 10), 4)
    0.0386
    """
    if first_only < 0 or second_only < 0:
        raise ValueError(f"counts are {first_only} and {second_only}; neither may be negative")
    differing, fewer = first_only + second_only, min(first_only, second_only)
    if differing == 2 * fewer:
        return 1.0
    # P(X <= k) of a binomial with n trials is I_{1/2}(n - k, k + 1), DLMF 8.17.5.
    return min(1.0, 2.0 * regularised_beta(0.5, differing - fewer, fewer + 1))
