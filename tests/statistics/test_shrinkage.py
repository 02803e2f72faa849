from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kefu.catalogue.defaults import load_defaults
from kefu.statistics.shrinkage import (
    Branch,
    Prior,
    mean_prior,
    mean_prior_of,
    opened,
    share_prior,
    shrunk,
    signal_reliability,
)

RULES = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml").eb
SMALL = RULES.model_copy(update={"min_units": 3})


def test_moments_worked_by_hand() -> None:
    # m = 0.5; S = 10 (0.5^2 + 0.5^2 + 0) = 5; rho = (5/0.25 - 2) / (30 - 3 + 1 - 10) = 1: no pseudo-rating at all
    assert share_prior([10, 0, 5], [10, 10, 10], SMALL) == Prior(0.5, 5, 3, Branch.AT_LOWER_BOUND)
    # m = 0.6; S = 20 (0.1^2 + 0.1^2 + 0) = 0.4; 0.4/0.24 - 2 = -1/3 < 0: no more spread than chance
    assert share_prior([10, 14, 12], [20, 20, 20], SMALL) == Prior(0.6, 500, 3, Branch.NO_SPREAD)
    # m = 0.6; S = 20 (0.2^2 + 0.2^2 + 0) = 1.6; rho = (1.6/0.24 - 2) / (60 - 3 + 1 - 20) = (14/3) / 38; M = 114/14 - 1
    found = share_prior([8, 16, 12], [20, 20, 20], SMALL)
    assert (found.mean, found.units, found.branch) == (0.6, 3, Branch.ESTIMATED)
    assert found.strength == pytest.approx(114 / 14 - 1)


def test_fallbacks_say_which_branch_was_used() -> None:
    assert share_prior([9] * 29, [10] * 29, RULES) == Prior(0.9, 40, 29, Branch.TOO_FEW_UNITS)
    assert share_prior([10] * 30, [10] * 30, RULES) == Prior(1.0, 40, 30, Branch.MEAN_TOO_EXTREME)
    assert share_prior([1, 0] * 15, [1] * 30, RULES) == Prior(0.5, 40, 30, Branch.NO_REPEATS)
    empty = share_prior([0, 0], [0, 0], RULES)
    assert np.isnan(empty.mean) and (empty.strength, empty.units, empty.branch) == (40, 0, Branch.TOO_FEW_UNITS)


def test_units_without_ratings_are_not_counted() -> None:
    with_empty = share_prior([8, 16, 12, 0], [20, 20, 20, 0], SMALL)
    assert with_empty == share_prior([8, 16, 12], [20, 20, 20], SMALL)


def test_more_good_ratings_than_ratings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"successes outside 0\.\.trials"):
        share_prior([5], [4], RULES)


def test_estimator_recovers_a_true_m_of_36_with_30_units_but_not_with_8() -> None:
    rng = np.random.default_rng(20260101)

    def estimates(units: int, runs: int) -> np.ndarray:
        rules = RULES.model_copy(update={"min_units": units})
        shares = rng.beta(0.9 * 36, 0.1 * 36, (runs, units))
        good = rng.binomial(80, shares)
        return np.array([share_prior(row, np.full(units, 80), rules).strength for row in good])

    low, middle, high = np.percentile(estimates(30, 2000), [10, 50, 90])
    assert 21 < low < 25 and 36 < middle < 40 and 65 < high < 77
    low, _, high = np.percentile(estimates(8, 2000), [10, 50, 90])
    assert 14 < low < 20 and high > 200


def test_mean_prior_worked_by_hand() -> None:
    values = [70, 80, 80, 90, 90, 100]
    units = np.array(["a", "a", "b", "b", "c", "c"])
    # within: 3 x 50 / 3 = 50; between units: 2 (100 + 0 + 100) / 2 = 200; per unit 2 scores: (200 - 50) / 2 = 75
    found = mean_prior(values, units, SMALL)
    assert (found.mean, found.units, found.branch) == (85, 3, Branch.AT_LOWER_BOUND)
    loose = mean_prior(values, units, SMALL.model_copy(update={"K_bounds": (0.1, 500.0)}))
    assert (loose.strength, loose.branch) == (pytest.approx(50 / 75), Branch.ESTIMATED)


def test_mean_prior_fallbacks() -> None:
    assert mean_prior([80, 90], np.array([1, 2]), RULES) == Prior(85, 6.25, 2, Branch.TOO_FEW_UNITS)
    assert mean_prior([80, 90, 70], np.array([1, 2, 3]), SMALL) == Prior(80, 6.25, 3, Branch.NO_REPEATS)
    same = mean_prior([70, 90, 70, 90, 70, 90], np.array([1, 1, 2, 2, 3, 3]), SMALL)
    assert same == Prior(80, 500, 3, Branch.NO_SPREAD)
    assert mean_prior([], np.array([]), RULES).branch is Branch.TOO_FEW_UNITS


def test_mean_prior_recovers_spread_with_unequal_counts() -> None:
    rng = np.random.default_rng(7)
    units = np.repeat(np.arange(3000), rng.integers(2, 20, 3000))
    values = 80 + rng.normal(0, 4, 3000)[units] + rng.normal(0, 10, len(units))
    assert mean_prior(values, units, RULES).strength == pytest.approx(6.25, rel=0.1)


def test_reliability_of_listening_scores_in_the_specification() -> None:
    prior = Prior(80, 6.25, 40, Branch.ESTIMATED)
    assert signal_reliability([4, 5, 12, 20], prior).round(2).tolist() == [0.39, 0.44, 0.66, 0.76]


def test_no_own_data_gives_the_cohort_mean() -> None:
    prior = Prior(0.9, 40, 30, Branch.TOO_FEW_UNITS)
    assert shrunk([0], [0], prior).tolist() == [0.9]
    assert signal_reliability([0], prior).tolist() == [0.0]


def test_earlier_periods_tell_how_much_agents_differ() -> None:
    rng = np.random.default_rng(21)
    quality = rng.normal(80, 4, 60)
    scores = [rng.normal(mean, 10, 12) for mean in quality]
    counts = [12] * 30
    now = ([float(one.sum()) for one in scores[:30]], [float(((one - one.mean()) ** 2).sum()) for one in scores[:30]])
    earlier = ([12] * 30, [float(one.sum()) for one in scores[30:]])
    found = mean_prior_of(counts, *now, RULES, earlier)
    assert (found.units, found.branch) == (60, Branch.ESTIMATED)
    assert found.strength == pytest.approx(100 / 16, rel=0.6)
    assert mean_prior_of(counts, *now, RULES).units == 30
    # Without a repeated score in the current period nothing tells the spread within an agent.
    assert mean_prior_of([1] * 30, [80.0] * 30, [0.0] * 30, RULES, earlier).branch is Branch.NO_REPEATS


def test_a_declared_opening_holds_until_enough_units_are_known() -> None:
    few = share_prior([8, 9], [10, 10], RULES)
    found = opened(few, 20, 0.9, 60)
    assert found == Prior((17 + 0.9 * 60) / 80, 60, 2, Branch.OPENING)
    nothing = opened(share_prior([], [], RULES), 0, 0.9, 60)
    assert (nothing.mean, nothing.strength) == (0.9, 60)
    known = share_prior([8, 16, 12], [20, 20, 20], SMALL)
    assert opened(known, 60, 0.9, 60) == known
