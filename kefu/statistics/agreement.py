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
class Alpha:
    """Krippendorff's alpha with its bootstrap interval over `units` contacts; NaN where it cannot be told."""

    value: float
    low: float
    high: float
    units: int


def interval_alpha(units: ArrayLike, values: ArrayLike, z: float, seed: int, draws: int = 500) -> Alpha:
    """Returns alpha for interval data from single ratings, `units` naming the contact of each, with its interval.

    It is the value of `krippendorff_alpha(..., "interval")`, worked out from sums of squares, so that thousands of
    contacts and hundreds of raters need no table. The interval has the coverage that `z` has for a normal; its contacts
    are drawn anew `draws` times from the seed.
    """
    names, code = np.unique(np.asarray(units), return_inverse=True)
    x = np.asarray(values, dtype=float)
    # Sorted, so that the order of rows shows in no digit.
    order = np.lexsort((x, code))
    code, x = code[order], x[order]
    raters = np.bincount(code, minlength=len(names)).astype(float)
    kept = raters[code] >= 2
    code, x = code[kept], x[kept]
    if len(x) == 0:
        return Alpha(math.nan, math.nan, math.nan, 0)
    present, code = np.unique(code, return_inverse=True)
    x = x - np.median(x)
    m = np.bincount(code).astype(float)
    total, square = np.bincount(code, weights=x), np.bincount(code, weights=x * x)
    within = np.bincount(code, weights=(x - (total / m)[code]) ** 2) * m / (m - 1)

    def alpha(times: Floats) -> Floats:
        n = times @ m
        spread = times @ square - (times @ total) ** 2 / n
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 1e-9 * n, 1 - (n - 1) * (times @ within) / (n * spread), np.nan)

    value = float(alpha(np.ones((1, len(present))))[0])
    if math.isnan(value):
        return Alpha(math.nan, math.nan, math.nan, len(present))
    rng = np.random.default_rng(seed)
    drawn = alpha(rng.multinomial(len(present), np.full(len(present), 1 / len(present)), size=draws).astype(float))
    drawn = drawn[~np.isnan(drawn)]
    if len(present) < 2 or len(drawn) == 0:
        return Alpha(value, math.nan, math.nan, len(present))
    low, high = np.quantile(drawn, [special.ndtr(-z), special.ndtr(z)])
    return Alpha(value, float(low), float(high), len(present))


def gwet_ac1(units: ArrayLike, values: ArrayLike) -> float:
    """Returns Gwet's AC1 of yes/no ratings (1 and 0), `units` naming the contact of each; NaN without a pair.

    Unlike kappa and alpha it stays high when raters agree that nearly nothing fails.
    """
    names, code = np.unique(np.asarray(units), return_inverse=True)
    x = np.asarray(values, dtype=float)
    m = np.bincount(code, minlength=len(names)).astype(float)
    yes = np.bincount(code, weights=x, minlength=len(names))
    yes, m = yes[m >= 2], m[m >= 2]
    if len(m) == 0:
        return math.nan
    agreed = math.fsum((yes * (yes - 1) + (m - yes) * (m - yes - 1)) / (m * (m - 1))) / len(m)
    share = math.fsum(yes / m) / len(m)
    by_chance = 2 * share * (1 - share)
    return (agreed - by_chance) / (1 - by_chance)


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
