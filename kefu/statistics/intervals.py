"""Intervals of shares and means, vectorised over agents (reliability.md 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kefu.statistics.sums import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Intervals in the unit of the estimate; NaN where the sample is too small to have one."""

    centre: Floats
    half_width: Floats
    low: Floats
    high: Floats


def wilson(successes: ArrayLike, trials: ArrayLike, z: float) -> Interval:
    """Returns the Wilson score interval of each share, inside [0, 1]; NaN without trials.

    Raises:
        ValueError: a count is negative or successes exceed trials.
    """
    x, n = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(trials, dtype=float))
    wrong = ~((x >= 0) & (x <= n))
    if wrong.any():
        raise ValueError(
            f"found {x[wrong].flat[0]:g} successes of {n[wrong].flat[0]:g} trials, expected 0 <= successes <= trials; "
            "count both from the same rows"
        )
    n = np.where(n > 0, n, np.nan)
    share = x / n
    scale = 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / scale
    half_width = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / scale
    return Interval(centre, half_width, np.maximum(centre - half_width, 0), np.minimum(centre + half_width, 1))


def student(means: ArrayLike, deviations: ArrayLike, counts: ArrayLike, z: float) -> Interval:
    """Returns Student's interval of each mean with the coverage that `z` has for a normal; NaN below two values.

    `deviations` are the sample standard deviations (n - 1) in the unit of the means.

    Raises:
        ValueError: a standard deviation is negative.
    """
    centre, deviation, n = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (means, deviations, counts)))
    if (deviation < 0).any():
        raise ValueError(f"found standard deviation {deviation[deviation < 0].flat[0]:g}, expected 0 or more")
    n = np.where(n >= 2, n, np.nan)
    half_width = special.stdtrit(n - 1, special.ndtr(z)) * deviation / np.sqrt(n)
    return Interval(centre, half_width, centre - half_width, centre + half_width)
