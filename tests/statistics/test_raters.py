"""Effects of raters against planted truth, and the plan of double scoring (reliability.md 3.3)."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu.catalogue.defaults import load_defaults
from kefu.statistics.agreement import gwet_ac1, interval_alpha, krippendorff_alpha
from kefu.statistics.raters import (
    Review,
    double_scoring,
    drift,
    halo,
    heaping,
    is_connected,
    sample_chance,
    severity,
    spread_ratio,
    top_shares,
)

RULES = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml").rater


def reviews(seed: int, raters: int = 8, agents: int = 60, n: int = 900) -> tuple[Any, Any, Any, dict[str, float]]:
    rng = np.random.default_rng(seed)
    who = np.array([f"Q{i}" for i in rng.integers(0, raters, n)])
    whom = np.array([f"CS{i}" for i in rng.integers(0, agents, n)])
    quality = {f"CS{i}": value for i, value in enumerate(rng.normal(80, 5, agents))}
    bias = {f"Q{i}": 9.0 if i == 0 else -8.0 if i == 1 else 0.0 for i in range(raters)}
    points = np.array([quality[a] + bias[r] for a, r in zip(whom, who, strict=True)]) + rng.normal(0, 6, n)
    return who, whom, points, bias


def test_severity_is_told_apart_from_the_quality_of_the_team() -> None:
    who, whom, points, bias = reviews(1)
    found = severity(who, whom, np.full(len(who), "v1"), points)
    mean = sum(bias[rater] * n for rater, n in zip(found.raters, found.n, strict=True)) / found.n.sum()
    expected = [bias[rater] - mean for rater in found.raters]
    assert found.effect == pytest.approx(expected, abs=2.0)
    assert found.is_connected.all()
    assert (abs(found.t_value[:2]) > RULES.t).all()
    assert (abs((found.effect - expected) / found.error) < 4).all()


def test_a_form_that_gives_more_is_not_the_rater_who_uses_it() -> None:
    who, whom, points, _ = reviews(2, raters=4)
    forms = np.where((who == "Q2") & (np.arange(len(who)) % 10 > 0), "v2", "v1")
    plain = severity(who, whom, np.full(len(who), "v1"), points + 10 * (forms == "v2"))
    told = severity(who, whom, forms, points + 10 * (forms == "v2"))
    assert plain.effect[2] - told.effect[2] > 4


def test_raters_of_separate_teams_cannot_be_compared() -> None:
    who = np.array(["Q1", "Q1", "Q2", "Q2", "Q3", "Q3"])
    whom = np.array(["A", "B", "A", "B", "C", "D"])
    assert not is_connected(who, whom)
    assert is_connected(who[:4], whom[:4])
    assert is_connected(np.array([]), np.array([]))
    found = severity(who, whom, np.full(6, ""), [80, 82, 90, 92, 70, 60])
    assert found.is_connected.tolist() == [True, True, False]
    assert found.effect[:2] == pytest.approx([-5, 5])
    assert math.isnan(found.effect[2])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_5_permuting_reviews_changes_no_effect(seed: int, random: Any) -> None:
    who, whom, points, _ = reviews(seed, raters=4, agents=12, n=80)
    order = list(range(80))
    random.shuffle(order)
    forms = np.full(80, "v1")
    one, other = severity(who, whom, forms, points), severity(who[order], whom[order], forms, points[order])
    assert one.effect.tolist() == other.effect.tolist()
    assert one.error.tolist() == other.error.tolist()
    alpha = interval_alpha(whom, points, 1.96, seed)
    assert alpha == interval_alpha(whom[order], points[order], 1.96, seed)


def test_a_narrow_rater_is_seen_and_chance_is_not() -> None:
    rng = np.random.default_rng(5)
    who = np.repeat(["Q1", "Q2", "Q3"], 40)
    points = np.concatenate([rng.normal(80, 3, 40), rng.normal(80, 10, 40), rng.normal(80, 10, 40)])
    ratio, chance = spread_ratio(who, points)
    assert ratio[0] < RULES.sd_ratio and chance[0] < RULES.sd_p
    assert (ratio[1:] > RULES.sd_ratio).all() and (chance[1:] > RULES.sd_p).all()
    alone = spread_ratio(np.array(["Q1", "Q1"]), [80, 90])
    assert math.isnan(alone[0][0]) and math.isnan(alone[1][0])


def test_shares_at_the_top_and_of_round_numbers() -> None:
    who = np.array(["Q1"] * 4 + ["Q2"] * 4)
    own, pool, error = top_shares(who, [95, 99, 100, 94, 80, 95, 70, 60], RULES.top)
    assert own.tolist() == [0.75, 0.25]
    assert pool.tolist() == [0.25, 0.75]
    assert error == pytest.approx([math.sqrt(0.1875 / 4)] * 2)
    assert heaping(who, [95, 90, 92.5, 91, 80, 85, 70, 60]).tolist() == [0.5, 1.0]


def test_one_impression_for_all_items_is_a_halo() -> None:
    rng = np.random.default_rng(8)
    impression = rng.choice([0.25, 0.5, 0.75, 1.0], 40)
    haloed = np.column_stack([impression] * 5)
    free = rng.choice([0.25, 0.5, 0.75, 1.0], (40, 5))
    assert halo(haloed, 20, 3).correlation == pytest.approx(1)
    assert halo(haloed, 20, 3).identical_share == 1
    assert abs(halo(free, 20, 3).correlation) < 0.2
    assert math.isnan(halo(free[:19], 20, 3).correlation)
    assert math.isnan(halo(np.full((40, 5), np.nan), 20, 3).identical_share)


def test_drift_is_a_moving_average_with_its_own_limit() -> None:
    steady = drift([0.5, -0.5] * 6, 4.0, RULES)
    drifted = drift([0.0] * 4 + [8.0] * 8, 4.0, RULES)
    assert abs(steady.average) < steady.limit
    assert drifted.average == pytest.approx(8 * (1 - 0.8**8))
    assert drifted.average > drifted.limit
    assert drifted.limit == pytest.approx(2 * 4 * math.sqrt(0.2 / 1.8 * (1 - 0.8**24)))
    assert math.isnan(drift([9.0] * 4, 4.0, RULES).limit)


def test_an_unlike_sample_is_told_from_chance() -> None:
    expected = {"mon": 20.0, "tue": 20.0, "wed": 20.0, "sat": 1.0}
    assert sample_chance({"mon": 22, "tue": 19, "wed": 19, "sat": 1}, expected) > 0.5
    assert sample_chance({"mon": 55, "tue": 3, "wed": 3}, expected) < RULES.sample_p
    assert math.isnan(sample_chance({"mon": 5}, {"mon": 5.0}))


def test_alpha_from_single_ratings_is_alpha_of_the_table() -> None:
    rng = np.random.default_rng(4)
    table = np.round(rng.normal(80, 6, (50, 1)) + rng.normal(0, 4, (50, 4)))
    table[rng.random((50, 4)) < 0.3] = np.nan
    units, values = np.nonzero(~np.isnan(table))[0], table[~np.isnan(table)]
    found = interval_alpha(units, values, 1.96, 7)
    assert found.value == pytest.approx(krippendorff_alpha(table, "interval"), abs=1e-12)
    assert found.low < found.value < found.high
    assert found == interval_alpha(units, values, 1.96, 7)
    assert found.low != interval_alpha(units, values, 1.96, 8).low


def test_fixture_of_the_specification_from_single_ratings() -> None:
    first, second = [92, 85, 78, 95, 70, 88], [90, 88, 70, 96, 74, 80]
    found = interval_alpha([*range(6), *range(6)], [*first, *second], 1.96, 1)
    assert found.value == pytest.approx(0.8462, abs=5e-5)
    assert found.units == 6


def test_alpha_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(11)
    truth, inside = 36 / (36 + 16), 0
    for draw in range(150):
        table = rng.normal(0, 6, (60, 1)) + rng.normal(0, 4, (60, 2))
        found = interval_alpha(np.repeat(np.arange(60), 2), table.ravel(), 1.96, draw, draws=200)
        inside += found.low <= truth <= found.high
    assert 0.88 < inside / 150 <= 0.99


def test_rare_failures_do_not_collapse_ac1() -> None:
    # 100 contacts, 2 failed by both, 2 by one of two: observed agreement 0.98, alpha is far lower.
    values = [1, 1, 1, 1, 1, 0, 1, 0] + [0, 0] * 96
    units = np.repeat(np.arange(100), 2)
    share = 6 / 200
    assert gwet_ac1(units, values) == pytest.approx((0.98 - 2 * share * (1 - share)) / (1 - 2 * share * (1 - share)))
    assert gwet_ac1(units, values) > 0.97
    assert interval_alpha(units, values, 1.96, 1).value < 0.70
    assert math.isnan(gwet_ac1([1, 2], [1, 0]))


# --- who scores what again --------------------------------------------------------------------------------------------

MONTH = [Review(f"r{i}", f"CS{i % 20}", f"team{i % 4}", f"Q{i % 4}") for i in range(240)]


def test_the_plan_reaches_the_share_and_every_agent() -> None:
    tasks = double_scoring(MONTH, {}, 0, "p", RULES)
    per_agent = Counter(task.review.agent for task in tasks)
    assert len(tasks) >= 0.10 * len(MONTH)
    assert set(per_agent.values()) == {2}
    assert len(per_agent) == 20
    assert all(task.second_rater != task.review.rater for task in tasks)
    # Rater i of this world reviews team i only.
    assert all(task.second_rater[1:] != task.review.team[4:] for task in tasks)
    load = Counter(task.second_rater for task in tasks)
    assert max(load.values()) - min(load.values()) <= 2


def test_what_is_scored_twice_already_counts() -> None:
    done = {f"CS{i}": 2 for i in range(20)}
    assert double_scoring(MONTH, done, 40, "p", RULES) == []
    tasks = double_scoring(MONTH, done, 0, "p", RULES)
    assert {task.reason for task in tasks} == {"share"}
    assert len(tasks) == 24


def test_the_draw_is_chance_that_anybody_can_repeat() -> None:
    first = double_scoring(MONTH, {}, 0, "p1", RULES)
    assert first == double_scoring(list(reversed(MONTH)), {}, 0, "p1", RULES)
    assert {t.review.review_key for t in first} != {
        t.review.review_key for t in double_scoring(MONTH, {}, 0, "p2", RULES)
    }


def test_a_lone_rater_scores_nothing_again() -> None:
    assert double_scoring([Review("r1", "CS1", "team1", "Q1")], {}, 0, "p", RULES) == []
