"""Who answered and who did not: imbalance and raking over cells of equal conversations (reliability.md 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kefu.statistics.sums import Floats

_MOST_ROUNDS = 500
_CLOSE_ENOUGH = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Conversations that customers could have rated, counted in cells in which everything known of them is equal.

    Every array has one entry per cell. `levels` holds the level of each text covariate, None where it is unknown;
    `bands` the range each numeric covariate lies in, `numbers` its count, sum and sum of squares. `total` is the sum of
    the valid answers.
    """

    levels: Mapping[str, NDArray[np.object_]]
    bands: Mapping[str, NDArray[np.object_]]
    numbers: Mapping[str, tuple[Floats, Floats, Floats]]
    is_invited: NDArray[np.bool_]
    is_answered: NDArray[np.bool_]
    count: Floats
    total: Floats

    @property
    def invited(self) -> int:
        """How many were invited."""
        return int(self.count[self.is_invited].sum())

    @property
    def answered(self) -> int:
        """How many of the invited gave a valid answer."""
        return int(self.count[self.is_invited & self.is_answered].sum())


def largest_imbalance(cells: Cells) -> tuple[str, float] | None:
    """Returns the covariate in which responders differ most from silent invitees, and by how many standard deviations.

    Numbers are compared by their means, text level by level (the name is then `covariate=level`); the scale is the root
    of the mean of both variances, infinite imbalance meaning two groups without any spread that differ. What is unknown
    is left out. None when no covariate has two values on both sides.
    """
    sides = (cells.is_invited & cells.is_answered, cells.is_invited & ~cells.is_answered)
    found: list[tuple[float, str]] = []
    for name, (count, total, square) in cells.numbers.items():
        moments = [(count[side].sum(), total[side].sum(), square[side].sum()) for side in sides]
        if all(n >= 2 for n, _, _ in moments):
            found.append((_standardised_difference(*moments), name))
    for name, levels in cells.levels.items():
        known = np.array([level is not None for level in levels], dtype=bool)
        sizes = [cells.count[side & known].sum() for side in sides]
        if not all(n >= 2 for n in sizes):
            continue
        for level in sorted({str(level) for level in levels[known]}):
            here = known & (levels.astype(str) == level)
            hits = [cells.count[side & here].sum() for side in sides]
            difference = _standardised_difference(*((n, hit, hit) for n, hit in zip(sizes, hits, strict=True)))
            found.append((difference, f"{name}={level}"))
    if not found:
        return None
    largest, name = min(found, key=lambda pair: (-pair[0], pair[1]))
    return name, largest


def _standardised_difference(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    means, variances = [], []
    for n, total, square in (one, other):
        means.append(total / n)
        variances.append(max(0.0, (square - total * total / n) / (n - 1)))
    difference, variance = abs(means[0] - means[1]), sum(variances) / 2
    if variance <= 1e-12 * max(1.0, *(mean * mean for mean in means)):
        return 0.0 if difference <= 1e-9 * max(1.0, *map(abs, means)) else math.inf
    return difference / math.sqrt(variance)


@dataclass(frozen=True, slots=True)
class Raked:
    """Mean of the answers as given and as if all eligible conversations had answered alike.

    `raked` is NaN when there are no answers or the weights did not settle. `covered` is the share of the eligible
    conversations whose every level has at least one answer; the others nobody speaks for.
    """

    raw: float
    raked: float
    covered: float


def rake(cells: Cells) -> Raked:
    """Returns the mean after weighting the answers until every covariate is mixed as among the eligible (raking).

    Levels without any answer are left out of their covariate's mix, an unknown level is one of its own.
    """
    answers = np.where(cells.is_answered, cells.count, 0.0)
    size = answers.sum()
    if size == 0:
        return Raked(math.nan, math.nan, 0.0)
    raw = float(cells.total[cells.is_answered].sum() / size)
    covered = np.ones(len(answers), dtype=bool)
    margins: list[tuple[NDArray[np.intp], Floats]] = []
    for levels in (*cells.levels.values(), *cells.bands.values()):
        _, codes = np.unique(levels.astype(str), return_inverse=True)
        present = np.bincount(codes, weights=answers) > 0
        covered &= present[codes]
        wanted: Floats = np.where(present, np.bincount(codes, weights=cells.count), 0.0)
        margins.append((codes, wanted / wanted.sum() * size))
    weights = answers.copy()
    for _ in range(_MOST_ROUNDS):
        before = weights.copy()
        for codes, wanted in margins:
            held = np.bincount(codes, weights=weights, minlength=len(wanted))
            weights = weights * np.divide(wanted, held, out=np.zeros_like(wanted), where=held > 0)[codes]
        if np.abs(weights - before).max() <= _CLOSE_ENOUGH * size:
            break
    else:
        return Raked(raw, math.nan, float(cells.count[covered].sum() / cells.count.sum()))
    mean_of_cell = np.divide(cells.total, cells.count, out=np.zeros_like(cells.total), where=answers > 0)
    raked = float((weights * mean_of_cell).sum() / weights.sum())
    return Raked(raw, raked, float(cells.count[covered].sum() / cells.count.sum()))
