"""Empirical-Bayes shrinkage of agent estimates towards their cohort (reliability.md 3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kefu.catalogue.defaults import EmpiricalBayes
from kefu.statistics.sums import Floats, squared_deviations


class Branch(StrEnum):
    """How the strength of a prior was found."""

    ESTIMATED = "estimated"
    AT_LOWER_BOUND = "at_lower_bound"
    AT_UPPER_BOUND = "at_upper_bound"
    NO_SPREAD = "no_spread"  # agents differ no more than chance: full strength
    TOO_FEW_UNITS = "too_few_units"
    MEAN_TOO_EXTREME = "mean_too_extreme"
    NO_REPEATS = "no_repeats"  # one score per unit tells nothing about the spread within
    OPENING = "opening"  # declared before there is enough history


@dataclass(frozen=True, slots=True)
class Prior:
    """What the cohort says before an agent's own data: a mean worth `strength` observations.

    `strength` is M of shares and K of means; `mean` is NaN when the cohort has no observation at all.
    """

    mean: float
    strength: float
    units: int
    branch: Branch


def _bounded(mean: float, strength: float, units: int, bounds: tuple[float, float]) -> Prior:
    low, high = bounds
    if strength < low:
        return Prior(mean, low, units, Branch.AT_LOWER_BOUND)
    if strength > high:
        return Prior(mean, high, units, Branch.AT_UPPER_BOUND)
    return Prior(mean, strength, units, Branch.ESTIMATED)


def share_prior(successes: ArrayLike, trials: ArrayLike, rules: EmpiricalBayes) -> Prior:
    """Returns the beta-binomial prior of a share from the cohort's agent-periods.

    Units without trials say nothing and are not counted.

    Raises:
        ValueError: a count is negative or successes exceed trials.
    """
    x, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    if ((x < 0) | (x > n)).any():
        raise ValueError("found a unit with successes outside 0..trials; count both from the same rows")
    x, n = x[n > 0], n[n > 0]
    units = len(n)
    if units == 0:
        return Prior(math.nan, rules.M_fallback, 0, Branch.TOO_FEW_UNITS)
    total = math.fsum(n)
    m = math.fsum(x) / total
    if units < rules.min_units:
        return Prior(m, rules.M_fallback, units, Branch.TOO_FEW_UNITS)
    low, high = rules.mean_range
    if not low <= m <= high:
        return Prior(m, rules.M_fallback, units, Branch.MEAN_TOO_EXTREME)
    spread = math.fsum(n * (x / n - m) ** 2)
    repeats = total - units + 1 - math.fsum(n**2) / total
    if repeats <= 0:
        return Prior(m, rules.M_fallback, units, Branch.NO_REPEATS)
    rho = (spread / (m * (1 - m)) - (units - 1)) / repeats
    if rho <= 0:
        return Prior(m, rules.M_bounds[1], units, Branch.NO_SPREAD)
    return _bounded(m, 1 / rho - 1, units, rules.M_bounds)


def mean_prior(values: ArrayLike, units: NDArray[np.generic], rules: EmpiricalBayes) -> Prior:
    """Returns the normal prior of a mean from single scores, `units` naming the agent-period of each.

    The cohort mean is the mean of all scores, as the cohort share is that of all ratings.
    """
    scores = np.asarray(values, dtype=float)
    names, index = np.unique(units, return_inverse=True)
    groups = [np.sort(scores[index == position]) for position in range(len(names))]
    return mean_prior_of(
        [len(group) for group in groups],
        [math.fsum(group) for group in groups],
        [squared_deviations(group) for group in groups],
        rules,
    )


def mean_prior_of(
    counts: ArrayLike,
    totals: ArrayLike,
    deviations: ArrayLike,
    rules: EmpiricalBayes,
    earlier: tuple[ArrayLike, ArrayLike] = ((), ()),
) -> Prior:
    """Returns the normal prior of a mean from agent-periods: how many scores each has and their sums.

    `deviations` are sums of squared distances from the unit's own mean. Of `earlier` periods counts and totals are kept
    only: they tell how much agents differ, not how much single scores of one agent do.
    """
    n, total, within = (np.asarray(part, dtype=float) for part in (counts, totals, deviations))
    known = n > 0
    n, total, within = n[known], total[known], within[known]
    freedom = math.fsum(n) - len(n)
    earlier_n, earlier_total = (np.asarray(part, dtype=float) for part in earlier)
    n, total = np.concatenate([n, earlier_n[earlier_n > 0]]), np.concatenate([total, earlier_total[earlier_n > 0]])
    k, size = len(n), math.fsum(n)
    if k == 0:
        return Prior(math.nan, rules.K_fallback, 0, Branch.TOO_FEW_UNITS)
    mu = math.fsum(total) / size
    if k < max(rules.min_units, 2):
        return Prior(mu, rules.K_fallback, k, Branch.TOO_FEW_UNITS)
    if freedom <= 0:
        return Prior(mu, rules.K_fallback, k, Branch.NO_REPEATS)
    of_scores = math.fsum(within) / freedom
    of_means = math.fsum(n * (total / n - mu) ** 2) / (k - 1)
    typical_size = (size - math.fsum(n**2) / size) / (k - 1)
    between = (of_means - of_scores) / typical_size
    if between <= 0:
        return Prior(mu, rules.K_bounds[1], k, Branch.NO_SPREAD)
    return _bounded(mu, of_scores / between, k, rules.K_bounds)


def opened(prior: Prior, observations: float, mean: float, strength: float) -> Prior:
    """Returns the prior of the first weeks: as long as too few units are known, a declared one takes part.

    The declared mean counts like `strength` more observations beside the `observations` there are.
    """
    if prior.branch is not Branch.TOO_FEW_UNITS:
        return prior
    known = 0.0 if math.isnan(prior.mean) else prior.mean * observations
    return Prior((known + mean * strength) / (observations + strength), strength, prior.units, Branch.OPENING)


def shrunk(totals: ArrayLike, counts: ArrayLike, prior: Prior) -> Floats:
    """Returns each agent's estimate drawn to the cohort; without own data it is the cohort mean.

    `totals` are successes of shares or sums of scores, `counts` the trials or scores they are made of.
    """
    return (np.asarray(totals, dtype=float) + prior.mean * prior.strength) / (
        np.asarray(counts, dtype=float) + prior.strength
    )


def signal_reliability(counts: ArrayLike, prior: Prior) -> Floats:
    """Returns R, the share of an agent's variance that is between agents, not chance; 0.70 is the usual bar."""
    n = np.asarray(counts, dtype=float)
    return n / (n + prior.strength)
