from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from kefu.statistics.curves import Curve, Direction, Step, relative_scores

CURVE: TypeAdapter[Curve] = TypeAdapter(Curve)

LINEAR = {"kind": "linear", "floor": "0.70", "target": "0.90"}
SLOW = {"kind": "linear", "direction": "lower", "floor": 300, "target": 60}
STRETCH = {"kind": "stretch", "floor": "0.7", "target": "0.9", "stretch": "1.0", "cap": 120}
PIECEWISE = {"kind": "piecewise", "knots": [["0.6", 0], ["0.8", 60], ["0.9", 100], ["1", 120]]}
STEP = {
    "kind": "step",
    "bands": [
        {"low": 0, "high": "0.8", "points": 0},
        {"low": "0.8", "high": "0.9", "points": 60},
        {"low": "0.9", "high": 1, "points": 100},
    ],
}
SLOW_STEP = {
    "kind": "step",
    "direction": "lower",
    "bands": [{"high": 20, "points": 100}, {"low": 20, "high": 60, "points": 50}, {"low": 60, "points": 0}],
}
TARGET_BAND = {"kind": "target_band", "low": 240, "high": 360, "distance": 120}
DEDUCTION = {"kind": "deduction", "target": "0.95", "points": 2, "per": "0.01"}
ATTAINMENT = {"kind": "attainment", "target": 2000, "cap": 120}
SLOW_ATTAINMENT = {"kind": "attainment", "direction": "lower", "target": 60, "cap": 120}
EXAM = {"kind": "pass_zero", "threshold": 60, "points": 100}
ALL = [LINEAR, STRETCH, PIECEWISE, STEP, TARGET_BAND, DEDUCTION, ATTAINMENT, EXAM]


@pytest.mark.parametrize(
    ("curve", "value", "points"),
    [
        (LINEAR, "0.60", "0"),
        (LINEAR, "0.70", "0"),
        (LINEAR, "0.85", "75"),
        (LINEAR, "0.90", "100"),
        (LINEAR, "1", "100"),
        (SLOW, "400", "0"),
        (SLOW, "180", "50"),
        (SLOW, "60", "100"),
        (SLOW, "10", "100"),
        (STRETCH, "0.8", "50"),
        (STRETCH, "0.9", "100"),
        (STRETCH, "0.95", "110"),
        (STRETCH, "1.5", "120"),
        (PIECEWISE, "0.5", "0"),
        (PIECEWISE, "0.7", "30"),
        (PIECEWISE, "0.8", "60"),
        (PIECEWISE, "0.85", "80"),
        (PIECEWISE, "0.95", "110"),
        (PIECEWISE, "1", "120"),
        (STEP, "0", "0"),
        (STEP, "0.7999", "0"),
        (STEP, "0.8", "60"),
        (STEP, "0.9", "100"),
        (STEP, "1", "100"),
        (SLOW_STEP, "20", "100"),
        (SLOW_STEP, "20.1", "50"),
        (SLOW_STEP, "60", "50"),
        (SLOW_STEP, "999", "0"),
        (TARGET_BAND, "120", "0"),
        (TARGET_BAND, "100", "0"),
        (TARGET_BAND, "210", "75"),
        (TARGET_BAND, "240", "100"),
        (TARGET_BAND, "360", "100"),
        (TARGET_BAND, "450", "25"),
        (DEDUCTION, "0.99", "100"),
        (DEDUCTION, "0.925", "95"),
        (DEDUCTION, "0.2", "0"),
        (DEDUCTION | {"direction": "lower", "target": "0.05"}, "0.08", "94"),
        (ATTAINMENT, "0", "0"),
        (ATTAINMENT, "1500", "75"),
        (ATTAINMENT, "9000", "120"),
        (SLOW_ATTAINMENT, "120", "50"),
        (SLOW_ATTAINMENT, "55", "109.0909090909"),
        (SLOW_ATTAINMENT, "0", "120"),
        (EXAM, "60", "100"),
        (EXAM, "59.99", "0"),
        (EXAM | {"direction": "lower", "threshold": 0}, "1", "0"),
    ],
)
def test_points(curve: dict[str, Any], value: str, points: str) -> None:
    assert CURVE.validate_python(curve).score(Decimal(value)) == Decimal(points)


def test_every_curve_is_tried_here() -> None:
    declared = {get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(Curve)[0])}
    assert declared == {curve["kind"] for curve in ALL}
    assert len(declared) == 8


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), None, 0.5])
def test_only_finite_decimals_enter_a_curve(value: Any) -> None:
    refused = 0
    for curve in ALL:
        with pytest.raises(ValueError, match="expected a finite Decimal"):
            CURVE.validate_python(curve).score(value)
        refused += 1
    assert refused == 8


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (LINEAR | {"direction": "lower"}, "floor and target: 0.90 follows 0.70, but with `direction: lower`"),
        (LINEAR | {"target": "0.70"}, "0.70 follows 0.70"),
        (STRETCH | {"stretch": "0.85"}, "floor, target and stretch: 0.85 follows 0.9"),
        (STRETCH | {"cap": 90}, "greater than or equal to 100"),
        (PIECEWISE | {"knots": [[0, 0]]}, "at least 2 items"),
        (PIECEWISE | {"knots": [[0, 0], [0, 50]]}, "values of the knots: 0 follows 0"),
        (PIECEWISE | {"knots": [[0, 50], [1, 50]]}, "points of the knots: 50 follows 50"),
        (STEP | {"bands": [{"high": 1, "points": 0}, {"low": 2, "points": 9}]}, "a gap between the band up to 1"),
        (STEP | {"bands": [{"high": 2, "points": 0}, {"low": 1, "points": 9}]}, "an overlap between the band up to 2"),
        (STEP | {"bands": [{"high": 1, "points": 9}, {"low": 1, "points": 0}]}, "points: 0 follows 9"),
        (STEP | {"bands": [{"points": 0}, {"low": 1, "points": 9}]}, "only the first band may go without a low"),
        (STEP | {"bands": [{"low": 1, "high": 1, "points": 0}]}, r"band \[1, 1\] is empty"),
        (TARGET_BAND | {"low": 400}, "low 400 is above high 360"),
        (TARGET_BAND | {"distance": 0}, "greater than 0"),
        (TARGET_BAND | {"direction": "lower"}, "Extra inputs are not permitted"),
        (ATTAINMENT | {"target": 0}, "greater than 0"),
        (DEDUCTION | {"per": "NaN"}, "finite number"),
        ({"kind": "parabola"}, "does not match any of the expected tags"),
    ],
)
def test_wrong_curves_are_refused(curve: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CURVE.validate_python(curve)


def test_distance_to_the_next_band() -> None:
    step, slow = CURVE.validate_python(STEP), CURVE.validate_python(SLOW_STEP)
    assert isinstance(step, Step) and isinstance(slow, Step)
    assert step.distance_to_next(Decimal("0.75")) == Decimal("0.05")
    assert step.distance_to_next(Decimal("0.8")) == Decimal("0.1")
    assert step.distance_to_next(Decimal("0.95")) is None
    assert slow.distance_to_next(Decimal("75")) == 15
    assert slow.distance_to_next(Decimal("20")) is None


def test_value_outside_bounded_bands_is_refused() -> None:
    for value in ("-0.01", "1.01"):
        with pytest.raises(ValueError, match=f"value {value} lies outside the bands 0 to 1"):
            CURVE.validate_python(STEP).score(Decimal(value))


def test_negative_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="attainment is for volumes"):
        CURVE.validate_python(ATTAINMENT).score(Decimal(-1))


def test_relative_scores_share_ties_and_bound_outliers() -> None:
    values = [Decimal(number) for number in (10, 20, 20, 30, 1_000_000)]
    # mid-ranks 1, 2.5, 2.5, 4, 5 of 5: quantiles of 0.1, 0.4, 0.4, 0.7, 0.9
    expected = [57.184484, 67.466529, 67.466529, 75.244005, 82.815516]
    found = relative_scores(values, Direction.HIGHER, 5)
    assert [float(score) for score in found] == pytest.approx(expected, abs=1e-6)
    assert relative_scores(values, Direction.LOWER, 5)[0] == found[-1]
    assert relative_scores([Decimal(7)] * 15, Direction.HIGHER, 15) == [70] * 15


def test_relative_scores_need_a_cohort() -> None:
    with pytest.raises(ValueError, match="found 14 agents, expected at least 15"):
        relative_scores([Decimal(1)] * 14, Direction.HIGHER, 15)
