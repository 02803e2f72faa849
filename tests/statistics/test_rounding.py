from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from kefu.statistics.rounding import fen, from_float, half_up, largest_remainder


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("2.5", 0, "3"),
        ("3.5", 0, "4"),
        ("-2.5", 0, "-3"),
        ("84.995", 2, "85.00"),
        ("1.005", 2, "1.01"),
        ("0.004999", 2, "0.00"),
        ("7", 2, "7.00"),
    ],
)
def test_halves_go_away_from_zero(value: str, places: int, expected: str) -> None:
    assert str(half_up(Decimal(value), places)) == expected


def test_rounding_does_not_depend_on_the_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        assert str(half_up(Fraction(200, 3), 10)) == "66.6666666667"


def test_fen() -> None:
    assert [fen(Decimal(text)) for text in ("0.5", "15399.5", "15399.49")] == [1, 15400, 15399]


def test_a_float_passes_as_it_prints() -> None:
    assert from_float(0.1 + 0.2) == Decimal("0.3000000000")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nothing_computed_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="expected a finite number; pass None"):
        from_float(value)


def test_pool_of_fen_is_shared_out_completely() -> None:
    # 1000 fen over 1 : 1 : 4 are 166 2/3, 166 2/3 and 666 2/3: two fen are left for the first keys
    parts = {"CS1003": Decimal(4), "CS1002": Decimal(1), "CS1001": Decimal(1)}
    assert largest_remainder(parts, 1000) == {"CS1001": 167, "CS1002": 167, "CS1003": 666}


def test_largest_remainder_goes_first() -> None:
    assert largest_remainder({"a": Decimal("10.4"), "b": Decimal("20.5"), "c": Decimal("69.1")}, 100) == {
        "a": 10,
        "b": 21,
        "c": 69,
    }


@pytest.mark.parametrize(
    ("values", "total", "message"),
    [
        ({"a": Decimal(-1), "b": Decimal(2)}, 10, "negative number"),
        ({"a": Decimal(1)}, -10, "negative number"),
        ({"a": Decimal(0)}, 10, "add up to zero"),
        ({"a": Decimal(1)}, Decimal("0.5"), "more than 0 decimals"),
    ],
)
def test_what_cannot_be_divided_is_refused(values: dict[str, Decimal], total: Decimal, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        largest_remainder(values, total)
