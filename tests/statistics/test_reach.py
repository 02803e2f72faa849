"""What would have to be reached: the answer earns the points, and one step less does not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kefu.statistics.curves import Curve
from kefu.statistics.reach import best_value, least_value

CURVES = {
    "linear": {"kind": "linear", "floor": "0.60", "target": "0.90"},
    "linear, lower": {"kind": "linear", "direction": "lower", "floor": "90", "target": "30"},
    "stretch": {"kind": "stretch", "floor": "0.6", "target": "0.9", "stretch": "1.0", "cap": "120"},
    "piecewise": {"kind": "piecewise", "knots": [["0.6", 0], ["0.8", 60], ["0.9", 100], ["1.0", 120]]},
    "piecewise, lower": {"kind": "piecewise", "direction": "lower", "knots": [["240", 0], ["90", 60], ["45", 100]]},
    "step": {
        "kind": "step",
        "bands": [{"high": "60", "points": 0}, {"low": "60", "high": "80", "points": 70}, {"low": "80", "points": 100}],
    },
    "step, lower": {
        "kind": "step",
        "direction": "lower",
        "bands": [{"high": "20", "points": 100}, {"low": "20", "high": "40", "points": 60}, {"low": "40", "points": 0}],
    },
    "target band": {"kind": "target_band", "low": "240", "high": "360", "distance": "120"},
    "deduction": {"kind": "deduction", "target": "0.9", "points": "2", "per": "0.01"},
    "attainment": {"kind": "attainment", "target": "500", "cap": "120"},
    "attainment, lower": {"kind": "attainment", "direction": "lower", "target": "300", "cap": "120"},
    "pass or zero": {"kind": "pass_zero", "threshold": "60", "points": "100"},
}
ADAPTER: TypeAdapter[Curve] = TypeAdapter(Curve)


@pytest.mark.parametrize("name", CURVES)
@given(value=st.decimals(0, 700, places=2), points=st.decimals(1, 120, places=1))
def test_the_least_value_earns_the_points_and_one_step_less_does_not(
    name: str, value: Decimal, points: Decimal
) -> None:
    curve = ADAPTER.validate_python(CURVES[name])
    found = least_value(curve, value, points, decimals=3)
    if found is None:
        assert curve.score(best_value(curve, value)) < points
        return
    assert curve.score(found) >= points
    if found == value:
        return
    step = Decimal("0.001") if found > value else Decimal("-0.001")
    if abs(found - value) > abs(step):
        assert curve.score(found - step) < points


def test_a_value_that_cannot_be_reached_is_none() -> None:
    curve = ADAPTER.validate_python(CURVES["linear"])
    assert least_value(curve, Decimal("0.7"), Decimal(101), 3) is None
    assert least_value(curve, Decimal("0.7"), Decimal(60), 3) == Decimal("0.780")
