"""Exact rounding: half-up numbers and largest remainders (reliability.md 5.5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

INTERMEDIATE_PLACES = 10
"""Decimals kept between the curve and the composite."""

Key = TypeVar("Key", str, int)


def _decimal(units: int, places: int) -> Decimal:
    return Decimal(f"{units}E-{places}")  # unlike division and scaleb, exact at any decimal context


def half_up(value: Decimal | Fraction, places: int) -> Decimal:
    """Returns the value with `places` decimals, halves rounded away from zero as PostgreSQL's `round(numeric)` does."""
    scaled = abs(Fraction(value)) * 10**places
    units = math.floor(scaled + Fraction(1, 2))
    return _decimal(-units if value < 0 else units, places)


def from_float(value: float) -> Decimal:
    """Returns an estimate as a decimal with 10 places: the door from statistics to scoring.

    Raises:
        ValueError: the number is NaN or infinite; what could not be computed is `None`, never a number.
    """
    if not math.isfinite(value):
        raise ValueError(f"found {value}, expected a finite number; pass None where nothing was computed")
    return half_up(Decimal(repr(float(value))), INTERMEDIATE_PLACES)


def fen(amount: Decimal | Fraction) -> int:
    """Returns an amount of fen rounded half-up to whole fen, as every payroll line is."""
    return int(half_up(amount, 0))


def largest_remainder(
    values: Mapping[Key, Decimal] | Mapping[Key, Fraction], total: Decimal | int, places: int = 0
) -> dict[Key, Decimal]:
    """Returns `total` divided in proportion to `values`, in steps of `places` decimals, adding up exactly.

    Every part is cut down to a whole step; the steps left over go to the largest remainders, among equals to the
    smallest key, so the order of the mapping changes nothing. With `places=0` and a total in fen it shares out a pool.

    Raises:
        ValueError: a negative value or total, nothing to divide by, or a total finer than its steps.
    """
    weight = sum(map(Fraction, values.values()))
    steps = Fraction(total) * 10**places
    if any(value < 0 for value in values.values()) or steps < 0:
        raise ValueError(f"found a negative number in {dict(values)} or total {total}, expected none")
    if weight == 0:
        raise ValueError(f"cannot divide {total} in proportion to {dict(values)}: the values add up to zero")
    if steps.denominator != 1:
        raise ValueError(f"total {total} has more than {places} decimals; round it before dividing it")
    exact = {key: Fraction(value) * steps / weight for key, value in values.items()}
    whole = {key: math.floor(part) for key, part in exact.items()}
    by_remainder = sorted(exact, key=lambda key: (whole[key] - exact[key], key))
    for key in by_remainder[: int(steps) - sum(whole.values())]:
        whole[key] += 1
    return {key: _decimal(units, places) for key, units in whole.items()}
