"""The least change of one metric that earns a number of points: what an agent would have to reach."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from kefu.statistics.curves import (
    Attainment,
    Curve,
    Deduction,
    Direction,
    Linear,
    PassZero,
    Piecewise,
    Step,
    Stretch,
    TargetBand,
)

_HALVINGS = 80


def best_value(curve: Curve, value: Decimal) -> Decimal:
    """Returns a value that earns the most points of a curve, the nearest one for a target band."""
    match curve:
        case Linear() | Deduction():
            return curve.target
        case Stretch():
            return curve.stretch
        case Piecewise():
            return curve.knots[-1][0]
        case Step():
            if curve.direction is Direction.HIGHER:
                return curve.bands[-1].low if curve.bands[-1].low is not None else value
            return curve.bands[0].high if curve.bands[0].high is not None else value
        case TargetBand():
            return min(max(value, curve.low), curve.high)
        case Attainment():
            share = curve.cap / 100
            return curve.target * share if curve.direction is Direction.HIGHER else curve.target / share
        case PassZero():
            return curve.threshold


def least_value(curve: Curve, value: Decimal, points: Decimal, decimals: int) -> Decimal | None:
    """Returns the value nearest to `value` that earns at least `points`, on a grid of `decimals`.

    None when even the best value earns less; `value` itself when it earns enough.
    """
    best = best_value(curve, value)
    if curve.score(value) >= points:
        return value
    if curve.score(best) < points:
        return None
    short, enough = value, best
    for _ in range(_HALVINGS):
        middle = (short + enough) / 2
        if curve.score(middle) >= points:
            enough = middle
        else:
            short = middle
    # Halving comes near a limit without meeting it, and a curve may end between two points of the grid.
    grid = Decimal(1).scaleb(-decimals)
    for rounding in (ROUND_FLOOR, ROUND_CEILING) if best > value else (ROUND_CEILING, ROUND_FLOOR):
        on_grid = enough.quantize(grid, rounding)
        if curve.score(on_grid) >= points:
            return on_grid
    return best
