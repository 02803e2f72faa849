from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kefu.statistics.intervals import student, wilson

Z = 1.96


def test_wilson_half_widths_of_the_specification() -> None:
    n = np.array([10, 20, 30, 50, 100, 200])
    assert wilson(0.9 * n, n, Z).half_width.round(3).tolist() == [0.193, 0.137, 0.111, 0.085, 0.06, 0.042]
    n = np.arange(1, 300)
    half_width = wilson(0.9 * n, n, Z).half_width
    assert n[half_width <= 0.10][0] == 37
    assert n[half_width <= 0.05][0] == 141


def test_wilson_limits_solve_the_score_equation() -> None:
    for x, n in [(0, 5), (1, 7), (9, 10), (10, 10), (83, 120)]:
        found = wilson(x, n, Z)
        share = x / n
        for limit in (float(found.low), float(found.high)):
            assert (share - limit) ** 2 == pytest.approx(Z**2 * limit * (1 - limit) / n, abs=1e-12)


def test_wilson_agrees_with_scipy() -> None:
    theirs = stats.binomtest(83, 120).proportion_ci(0.95, method="wilson")
    ours = wilson(83, 120, float(stats.norm.ppf(0.975)))
    assert (float(ours.low), float(ours.high)) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_trials_have_no_interval() -> None:
    found = wilson([0, 3], [0, 4], Z)
    assert np.isnan(found.half_width).tolist() == [True, False]
    assert np.isnan(found.low).tolist() == [True, False]


@pytest.mark.parametrize(("x", "n"), [(5, 4), (-1, 4)])
def test_impossible_counts_are_refused(x: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"found {x} successes of {n} trials"):
        wilson([1, x], [2, n], Z)


def test_student_half_widths_of_the_specification() -> None:
    found = student(80, 10, [4, 5, 12, 20], Z)
    assert found.half_width.round(1).tolist() == [15.9, 12.4, 6.4, 4.7]
    assert found.high[0] - found.low[0] == pytest.approx(2 * 15.912, abs=2e-3)


def test_one_value_has_no_student_interval() -> None:
    assert np.isnan(student([80, 80], [0, 10], [1, 2], Z).half_width).tolist() == [True, False]


def test_negative_deviation_is_refused() -> None:
    with pytest.raises(ValueError, match="found standard deviation -1"):
        student([80], [-1], [5], Z)
