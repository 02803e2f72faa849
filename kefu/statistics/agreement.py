"""Agreement of raters who scored the same contacts (reliability.md 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kefu.statistics.sums import Floats, mean


def _squared_distances(levels: Floats, frequency: Floats, scale: Literal["interval", "ordinal"]) -> Floats:
    if scale == "interval":
        return (levels[:, None] - levels[None, :]) ** 2
    # Ordinal: how many values lie between two levels, each level itself counted half.
    position = np.cumsum(frequency) - frequency / 2
    return (position[:, None] - position[None, :]) ** 2


def krippendorff_alpha(ratings: ArrayLike, scale: Literal["interval", "ordinal"]) -> float:
    """Returns Krippendorff's alpha of a table units x raters; NaN marks a rating that was not given.

    1 is perfect agreement, 0 what chance gives. NaN when no unit has two ratings or all ratings are the same: without
    variation agreement cannot be told from a rubber stamp.
    """
    table = np.asarray(ratings, dtype=float)
    table = table[(~np.isnan(table)).sum(axis=1) >= 2]
    if table.size == 0:
        return math.nan
    levels = np.unique(table[~np.isnan(table)])
    per_unit = (table[:, :, None] == levels).sum(axis=1)
    # Equal units are merged and sorted, so the order of units and raters shows in no digit.
    patterns, repeats = np.unique(per_unit, axis=0, return_counts=True)
    weighted = patterns * (repeats / (patterns.sum(axis=1) - 1))[:, None]
    coincidences = patterns.T @ weighted - np.diag(weighted.sum(axis=0))
    frequency = coincidences.sum(axis=1)
    distances = _squared_distances(levels, frequency, scale)
    observed = (coincidences * distances).sum()
    expected = (np.outer(frequency, frequency) * distances).sum() / (frequency.sum() - 1)
    return float(1 - observed / expected) if expected > 0 else math.nan


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """ICC(2,1) with its interval; gates use `low`. `units` have a score of every rater, the others were left out."""

    value: float
    low: float
    high: float
    units: int


def icc_2_1(ratings: ArrayLike, z: float) -> IntraclassCorrelation:
    """Returns the absolute agreement of single ratings by random raters (McGraw and Wong, case 2, A,1).

    `ratings` is units x raters, NaN marks a gap; the interval has the coverage that `z` has for a normal. All numbers
    are NaN with fewer than two complete units or raters, or when the units' means are all the same.
    """
    table = np.asarray(ratings, dtype=float)
    table = table[~np.isnan(table).any(axis=1)]
    n, k = table.shape
    if n < 2 or k < 2:
        return IntraclassCorrelation(math.nan, math.nan, math.nan, n)
    of_unit = np.array([mean(row) for row in table])
    of_rater = np.array([mean(column) for column in table.T])
    grand = mean(table.ravel())
    rows = k * math.fsum((of_unit - grand) ** 2) / (n - 1)
    columns = n * math.fsum((of_rater - grand) ** 2) / (k - 1)
    error = math.fsum(((table - of_unit[:, None]) - (of_rater - grand)).ravel() ** 2) / ((n - 1) * (k - 1))
    if rows == 0:
        return IntraclassCorrelation(math.nan, math.nan, math.nan, n)
    value = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    if columns == 0 and error == 0:
        return IntraclassCorrelation(1.0, 1.0, 1.0, n)
    a = k * value / (n * (1 - value))
    b = 1 + a * (n - 1)
    freedom = (a * columns + b * error) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    upper_tail = special.ndtr(z)
    spread = k * columns + (k * n - k - n) * error
    f_low = special.fdtri(n - 1, freedom, upper_tail)
    f_high = special.fdtri(freedom, n - 1, upper_tail)
    low = n * (rows - f_low * error) / (f_low * spread + n * rows)
    high = n * (f_high * rows - error) / (spread + n * f_high * rows)
    return IntraclassCorrelation(float(value), float(low), float(high), n)
