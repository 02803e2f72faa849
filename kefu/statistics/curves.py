"""Curves from a metric's value to points, in exact decimals (reliability.md 5.1).

A curve is declared in a plan (`kind: linear`, …) in the metric's own unit. For a metric where less is better its
numbers run downwards and it says `direction: lower`. Scores have 10 decimals, halves rounded away from zero.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kefu.statistics.rounding import INTERMEDIATE_PLACES, from_float, half_up

Points = Annotated[Decimal, Field(ge=0)]
Cap = Annotated[Decimal, Field(ge=100)]
Amount = Annotated[Decimal, Field(gt=0)]
Knot = tuple[Decimal, Decimal]


class Direction(StrEnum):
    """Which way a metric is better."""

    HIGHER = "higher"
    LOWER = "lower"


def interpolate(knots: Sequence[Knot], x: Decimal) -> Fraction:
    """Returns the height above `x` of straight lines through the knots, level beyond the outer ones.

    The knots are ordered by x, upwards or downwards.
    """
    ordered = sorted(knots)
    if x <= ordered[0][0]:
        return Fraction(ordered[0][1])
    for (left, low), (right, high) in pairwise(ordered):
        if x <= right:
            rise = (Fraction(high) - Fraction(low)) / (Fraction(right) - Fraction(left))
            return Fraction(low) + rise * (Fraction(x) - Fraction(left))
    return Fraction(ordered[-1][1])


def _require_number(x: Decimal) -> None:
    if not isinstance(x, Decimal) or not x.is_finite():
        raise ValueError(
            f"found {x!r}, expected a finite Decimal; a metric without a value is N/A and its weight is redistributed"
        )


def _require_way(values: Sequence[Decimal], direction: Direction, what: str) -> None:
    """Raises ValueError unless the values run strictly in the direction."""
    for before, after in pairwise(values):
        if before == after or (before < after) != (direction is Direction.HIGHER):
            way = "rise" if direction is Direction.HIGHER else "fall"
            raise ValueError(
                f"{what}: {after} follows {before}, but with `direction: {direction}` the values must {way} "
                "from worst to best; correct the values or the direction"
            )


class _Curve(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def _points(self, x: Decimal) -> Fraction | Decimal: ...

    def score(self, x: Decimal) -> Decimal:
        """Returns the points of a metric value.

        Raises:
            ValueError: the value is missing, not finite or outside what the curve covers.
        """
        _require_number(x)
        return half_up(self._points(x), INTERMEDIATE_PLACES)


class _Directed(_Curve, ABC):
    direction: Direction = Direction.HIGHER


class Linear(_Directed):
    """0 points at the floor or worse, 100 at the target or better, a straight line between."""

    kind: Literal["linear"] = "linear"
    floor: Decimal
    target: Decimal

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _require_way((self.floor, self.target), self.direction, "floor and target")
        return self

    def _points(self, x: Decimal) -> Fraction:
        return interpolate(((self.floor, Decimal(0)), (self.target, Decimal(100))), x)


class Stretch(_Directed):
    """As linear up to the target, then straight on to `cap` points at the stretch value."""

    kind: Literal["stretch"] = "stretch"
    floor: Decimal
    target: Decimal
    stretch: Decimal
    cap: Cap

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _require_way((self.floor, self.target, self.stretch), self.direction, "floor, target and stretch")
        return self

    def _points(self, x: Decimal) -> Fraction:
        return interpolate(((self.floor, Decimal(0)), (self.target, Decimal(100)), (self.stretch, self.cap)), x)


class Piecewise(_Directed):
    """Straight lines through knots (value, points), from worst to best."""

    kind: Literal["piecewise"] = "piecewise"
    knots: tuple[tuple[Decimal, Points], ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _require_way([value for value, _ in self.knots], self.direction, "values of the knots")
        _require_way([points for _, points in self.knots], Direction.HIGHER, "points of the knots")
        return self

    def _points(self, x: Decimal) -> Fraction:
        return interpolate(self.knots, x)


class Band(BaseModel):
    """Values from `low` to `high` earn `points`; a missing limit means no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: Decimal | None = None
    high: Decimal | None = None
    points: Points


class Step(_Directed):
    """Bands in rising order of value that touch without gap or overlap.

    A shared limit belongs to the better band, so a target that is reached counts as reached; the outer limits are
    included.
    """

    kind: Literal["step"] = "step"
    bands: tuple[Band, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for band in self.bands:
            if band.low is not None and band.high is not None and band.low >= band.high:
                raise ValueError(f"band [{band.low}, {band.high}] is empty; its low must be smaller than its high")
        for before, after in pairwise(self.bands):
            if before.high is None or after.low is None:
                raise ValueError("only the first band may go without a low and only the last without a high")
            if before.high != after.low:
                fault = "a gap" if before.high < after.low else "an overlap"
                raise ValueError(
                    f"{fault} between the band up to {before.high} and the band from {after.low}; make the limits equal"
                )
        by_value = [band.points for band in self.bands]
        _require_way(by_value if self.direction is Direction.HIGHER else by_value[::-1], Direction.HIGHER, "points")
        return self

    def _band(self, x: Decimal) -> int:
        first, last = self.bands[0].low, self.bands[-1].high
        if (first is not None and x < first) or (last is not None and x > last):
            raise ValueError(f"value {x} lies outside the bands {first} to {last}; widen the outer band")
        limits = [band.high for band in self.bands[:-1] if band.high is not None]
        if self.direction is Direction.HIGHER:
            return sum(x >= limit for limit in limits)
        return sum(x > limit for limit in limits)

    def _points(self, x: Decimal) -> Decimal:
        return self.bands[self._band(x)].points

    def distance_to_next(self, x: Decimal) -> Decimal | None:
        """Returns how far the value is from the next better band, in its own unit; None in the best band."""
        _require_number(x)
        band = self.bands[self._band(x)]
        if self.direction is Direction.HIGHER:
            return band.high - x if band is not self.bands[-1] and band.high is not None else None
        return x - band.low if band is not self.bands[0] and band.low is not None else None


class TargetBand(_Curve):
    """100 points inside [low, high], falling straight to 0 at `distance` outside of it."""

    kind: Literal["target_band"] = "target_band"
    low: Decimal
    high: Decimal
    distance: Amount

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}; exchange them")
        return self

    def _points(self, x: Decimal) -> Fraction:
        outside = max(Fraction(self.low) - Fraction(x), Fraction(x) - Fraction(self.high), Fraction(0))
        return max(Fraction(0), 100 * (1 - outside / Fraction(self.distance)))


class Deduction(_Directed):
    """100 points less `points` for every `per` that the value misses the target by, not below 0."""

    kind: Literal["deduction"] = "deduction"
    target: Decimal
    points: Amount
    per: Amount

    def _points(self, x: Decimal) -> Fraction:
        missing = Fraction(self.target) - Fraction(x)
        shortfall = max(Fraction(0), missing if self.direction is Direction.HIGHER else -missing)
        return max(Fraction(0), 100 - Fraction(self.points) * shortfall / Fraction(self.per))


class Attainment(_Directed):
    """Percent of the target reached, up to `cap`; where less is better, percent of the value that the target is."""

    kind: Literal["attainment"] = "attainment"
    target: Amount
    cap: Cap

    def _points(self, x: Decimal) -> Fraction:
        if x < 0:
            raise ValueError(f"found {x}, expected 0 or more; attainment is for volumes")
        if self.direction is Direction.HIGHER:
            reached = 100 * Fraction(x) / Fraction(self.target)
        elif x == 0:
            return Fraction(self.cap)
        else:
            reached = 100 * Fraction(self.target) / Fraction(x)
        return min(Fraction(self.cap), reached)


class PassZero(_Directed):
    """`points` when the value reaches the threshold, else 0."""

    kind: Literal["pass_zero"] = "pass_zero"
    threshold: Decimal
    points: Points

    def _points(self, x: Decimal) -> Decimal:
        passed = x >= self.threshold if self.direction is Direction.HIGHER else x <= self.threshold
        return self.points if passed else Decimal(0)


Curve = Annotated[
    Linear | Stretch | Piecewise | Step | TargetBand | Deduction | Attainment | PassZero, Field(discriminator="kind")
]
"""Any curve that scores one agent's value by itself; the type of a plan's field."""


def relative_scores(values: Sequence[Decimal], direction: Direction, min_cohort: int) -> list[Decimal]:
    """Returns 70 + 10 z of every agent of a cohort, inside 0 to 100, in the order of the values.

    z is the normal quantile of (mid-rank - 0.5) / cohort size, so equal values share one score and an outlier counts no
    more than its rank. The values should be shrunk first.

    Raises:
        ValueError: the cohort is smaller than `min_cohort` or a value is missing.
    """
    if len(values) < min_cohort:
        raise ValueError(f"found {len(values)} agents, expected at least {min_cohort}; use another curve")
    for value in values:
        _require_number(value)
    score_of: dict[Decimal, Decimal] = {}
    worse = 0
    for value, ties in sorted(Counter(values).items(), reverse=direction is Direction.LOWER):
        z = from_float(NormalDist().inv_cdf((worse + ties / 2) / len(values)))
        score_of[value] = min(Decimal(100), max(Decimal(0), 70 + 10 * z))
        worse += ties
    return [score_of[value] for value in values]


COUNTED_UP_TO = 50
"""Ratings up to which a bad one costs a point; with more, percents count (reliability.md 3.2, mode `jd_count`)."""


def counted_score(good: int, n: int, target: Decimal) -> Decimal:
    """Returns 100 points less one for each bad rating, or for more than 50 ratings less two per percent below target.

    `target` is a share from 0 to 1. The result lies between 0 and 100.

    Raises:
        ValueError: there is no rating, or more are good than there are.
    """
    if not 0 <= good <= n or n == 0:
        raise ValueError(f"found {good} good of {n} ratings, expected at least one rating and no more good ones")
    if n <= COUNTED_UP_TO:
        return half_up(Decimal(100 - (n - good)), INTERMEDIATE_PLACES)
    missing = max(Fraction(0), Fraction(target) - Fraction(good, n))
    return half_up(max(Fraction(0), 100 - 200 * missing), INTERMEDIATE_PLACES)
