"""Tests of whether an agent's ratings and numbers came about as those of the cohort (reliability.md 2).

Every test is one-sided towards the suspicious end. Arrays are by agent; NaN is what could not be computed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def binomial_tail(hits: Counts, cases: Counts, share: Floats) -> Floats:
    """Returns the probability of at least `hits` among `cases` when each is one with the given share.

    Raises:
        ValueError: hits do not lie between 0 and cases.
    """
    if np.any((hits < 0) | (hits > cases)):
        raise ValueError("found hits outside 0 to cases; count both from the same rows")
    return np.asarray(stats.binom.sf(hits - 1, cases, np.clip(share, 0.0, 1.0)), np.float64)


def share_of_others(
    hits: Counts, cases: Counts, cohorts: npt.NDArray[np.str_], left_out: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """Returns the pooled share of each agent's cohort without the agent: who is tested is no part of the measure.

    Half a hit in one case is added, so that a cohort without any hit does not make the first one impossible. NaN where
    the others have no case. Who is `left_out` is part of nobody's measure.
    """
    counted = np.ones(len(hits), np.bool_) if left_out is None else ~left_out
    _, place = np.unique(cohorts, return_inverse=True)
    all_hits = np.bincount(place, hits * counted)[place] - hits * counted
    all_cases = np.bincount(place, cases * counted)[place] - cases * counted
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(all_cases > 0, (all_hits + 0.5) / (all_cases + 1), np.nan)


def others_with_cases(cases: Counts, cohorts: npt.NDArray[np.str_]) -> Counts:
    """Returns how many others of each agent's cohort have a case: without some there is nobody to compare with."""
    _, place = np.unique(cohorts, return_inverse=True)
    has_cases = cases > 0
    return np.asarray(np.bincount(place, has_cases)[place] - has_cases, np.int64)


def above_cohort(hits: Counts, cases: Counts, share: Floats, standard_errors: float) -> npt.NDArray[np.bool_]:
    """Returns whether the agent's share lies more than so many standard errors above the cohort's."""
    with np.errstate(invalid="ignore", divide="ignore"):
        limit = share + standard_errors * np.sqrt(share * (1 - share) / cases)
        return np.asarray(hits / cases > limit)


def least_cases(share: float, alpha: float, most: int = 10_000) -> int:
    """Returns the least n at which n hits of n are less probable than alpha; `most` when none is.

    At the share of best ratings 0.80 and alpha 0.001 it is 31, at 0.90 it is 66 (rule I4).
    """
    if share <= 0:
        return 1
    if share >= 1:
        return most
    least = max(1, int(np.floor(np.log(alpha) / np.log(share))))
    while share**least >= alpha:
        least += 1
    return min(least, most)


def mantel_haenszel(tables: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Returns the common odds ratio over strata and the one-sided probability of it being that large.

    Args:
        tables: one row per stratum: favourable invited, favourable left out, unfavourable invited, unfavourable left
            out.

    Returns:
        (odds ratio, p). The ratio is infinite when nobody unfavourable was invited while favourable ones were; NaN and
        p 1 when no stratum has both groups. The probability is that of the exact conditional distribution for one
        stratum, and of the sum of the strata's hypergeometric variables, by convolution, for several.
    """
    tables = tables[(tables[:, :2].sum(1) > 0) & (tables[:, 2:].sum(1) > 0)]
    if not len(tables):
        return float("nan"), 1.0
    a, b, c, d = (tables[:, column].astype(np.float64) for column in range(4))
    total = a + b + c + d
    above, below = float((a * d / total).sum()), float((b * c / total).sum())
    ratio = above / below if below > 0 else (float("inf") if above > 0 else float("nan"))
    # Under equal odds each stratum's count is hypergeometric; their sum is what the ratio orders by.
    distribution, least = np.ones(1), 0
    for one, two, three, four in tables.tolist():
        low = max(0, (one + three) - (three + four))
        values = np.arange(low, min(one + two, one + three) + 1)
        masses = stats.hypergeom.pmf(values, one + two + three + four, one + two, one + three)
        distribution, least = np.convolve(distribution, masses), least + low
    seen = int(tables[:, 0].sum()) - least
    return ratio, float(min(1.0, distribution[seen:].sum()))


def benjamini_hochberg(p: Floats) -> Floats:
    """Returns the adjusted q of each p: the least false discovery rate at which it is flagged. NaN stays NaN."""
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not len(known):
        return q
    order = known[np.argsort(p[known], kind="stable")]
    raised = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1])
    return q
