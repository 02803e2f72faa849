from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from kefu.statistics.agreement import icc_2_1, krippendorff_alpha

NAN = math.nan
FIRST = [92, 85, 78, 95, 70, 88]
SECOND = [90, 88, 70, 96, 74, 80]
# Krippendorff's own example of four observers and twelve units; he publishes 0.815 (ordinal) and 0.849 (interval).
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T
# Shrout and Fleiss 1979, table 2: four judges, six targets; ICC(2,1) is 0.29 with limits 0.02 and 0.76.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_fixture_of_the_specification() -> None:
    table = np.column_stack([FIRST, SECOND])
    assert krippendorff_alpha(table, "interval") == pytest.approx(0.8462, abs=5e-5)
    assert icc_2_1(table, 1.96).value == pytest.approx(0.8575, abs=5e-5)


def test_two_raters_without_gaps_by_the_short_formula() -> None:
    observed = np.mean([(a - b) ** 2 for a, b in zip(FIRST, SECOND, strict=True)])
    expected = np.mean([(a - b) ** 2 for a, b in permutations(FIRST + SECOND, 2)])
    table = np.column_stack([FIRST, SECOND])
    assert krippendorff_alpha(table, "interval") == pytest.approx(1 - observed / expected, abs=1e-12)


def test_published_example_with_gaps() -> None:
    assert krippendorff_alpha(OBSERVERS, "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(OBSERVERS, "interval") == pytest.approx(0.849, abs=5e-4)


def test_ordinal_reads_only_the_order() -> None:
    stretched = np.exp(OBSERVERS)
    assert krippendorff_alpha(stretched, "ordinal") == krippendorff_alpha(OBSERVERS, "ordinal")
    assert krippendorff_alpha(stretched, "interval") != pytest.approx(krippendorff_alpha(OBSERVERS, "interval"))


def test_alpha_ends() -> None:
    assert krippendorff_alpha([[1, 1], [5, 5], [3, 3]], "interval") == 1
    assert krippendorff_alpha([[1, 5], [5, 1]], "interval") < 0


def test_alpha_is_unknown_without_variation_or_pairs() -> None:
    assert math.isnan(krippendorff_alpha([[5, 5], [5, 5]], "interval"))
    assert math.isnan(krippendorff_alpha([[5, NAN], [NAN, 3]], "ordinal"))


def test_published_icc_with_its_interval() -> None:
    found = icc_2_1(JUDGES, 1.96)
    assert (found.value, found.low, found.high) == pytest.approx((0.29, 0.019, 0.761), abs=5e-4)
    assert found.units == 6


def test_icc_leaves_incomplete_units_out_and_says_so() -> None:
    gappy = np.vstack([JUDGES, [5, NAN, 5, 5]])
    assert icc_2_1(gappy, 1.96) == icc_2_1(JUDGES, 1.96)


def test_icc_limits_hold_the_true_value_as_often_as_promised() -> None:
    rng = np.random.default_rng(3)
    truth = 16 / (16 + 4 + 9)
    inside = 0
    for _ in range(400):
        table = rng.normal(0, 4, (30, 1)) + rng.normal(0, 2, (1, 6)) + rng.normal(0, 3, (30, 6))
        found = icc_2_1(table, 1.96)
        inside += found.low <= truth <= found.high
    assert 0.91 < inside / 400 < 0.99


def test_icc_ends() -> None:
    assert icc_2_1([[1, 1], [2, 2], [3, 3]], 1.96).low == 1
    for table in ([[1, 2]], [[1], [2]], [[5, 5], [5, 5]], [[1, 2], [1, 2]]):
        assert math.isnan(icc_2_1(table, 1.96).low)
