"""Correctly rounded sums, so that the order of rows never shows in a result (reliability.md 10, invariant 5)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mean(values: Floats) -> float:
    """Returns the mean of at least one value."""
    return math.fsum(values) / len(values)


def squared_deviations(values: Floats) -> float:
    """Returns the sum of squared distances from the mean of at least one value."""
    return math.fsum((values - mean(values)) ** 2)
