"""Tests of agents' ratings: the numbers of reliability.md 2, and what must hold whatever the numbers are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kefu.catalogue.defaults import Integrity, load_defaults
from kefu.pipeline.integrity import Evidence, Outcome, Pair, rule_of
from kefu.settings import PROJECT
from kefu.statistics.integrity import (
    above_cohort,
    benjamini_hochberg,
    binomial_tail,
    least_cases,
    mantel_haenszel,
    share_of_others,
)

LIMITS: Integrity = load_defaults(PROJECT / "config" / "defaults.yml").integrity
PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
COUNTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=30)


def evidence(**ratings: list[float]) -> Evidence:
    """Counts of ratings of one cohort; everything else is empty."""
    size = len(next(iter(ratings.values())))
    return Evidence(
        [f"CS{i:03}" for i in range(size)], np.array(["c"] * size, np.str_),
        {name: np.array(values, np.float64) for name, values in ratings.items()}, {}, {}, {}, False, {},
    )  # fmt: skip


def outcome(rule: str, **ratings: list[float]) -> Outcome:
    return rule_of(rule)(evidence(**ratings), LIMITS, rule, "csat_rate")


@pytest.mark.parametrize(("n", "least"), [(20, 8), (30, 10), (40, 12), (100, 21)])
def test_a_burst_at_a_tenth_of_the_conversations(n: int, least: int) -> None:
    found = outcome("I1", rating_count=[n] * 2, last_count=[least, least - 1], eligible_count=[100, 100],
                   eligible_last_count=[10, 10])  # fmt: skip
    assert found.within.tolist() == [True, False]
    assert found.threshold[0] * n == pytest.approx(least)
    assert (found.n >= found.least_n).all() and LIMITS.burst_n == 20


@pytest.mark.parametrize(("share", "n"), [(0.80, 31), (0.90, 66)])
def test_nothing_but_best_ratings_is_a_signal_from_enough_of_them_on(share: float, n: int) -> None:
    assert least_cases(share, LIMITS.maximum_p) == n
    assert share**n < LIMITS.maximum_p <= share ** (n - 1)
    # The others of the cohort give that share: 10,000 ratings.
    few, many, one_less = (
        outcome("I4", rating_count=[count, 10_000], maximum_count=[best, share * 10_000])
        for count, best in ((n - 1, n - 1), (n, n), (n, n - 1))
    )
    assert few.n[0] < few.least_n[0] == n
    assert many.within[0] and not one_less.within[0]


def test_one_customer_of_eight_and_five_of_twelve_ratings_are_concentrated() -> None:
    # 30 ratings each; the first customer gave 4 (13 %), then 3 (10 %, the limit), then the first five 13 (43 %).
    found = outcome(
        "I3", known_count=[30, 30, 30, 30], customer_count=[27, 28, 22, 30], top_customer_count=[4, 3, 3, 1],
        top_customers_count=[8, 7, 13, 5],
    )  # fmt: skip
    assert found.within.tolist() == [True, False, True, False]
    assert outcome("I3", known_count=[19], customer_count=[1], top_customer_count=[19], top_customers_count=[19]).n < 20


def test_contradictions_are_not_evaluated_where_nothing_can_contradict() -> None:
    assert not outcome("I5", maximum_count=[50.0, 50.0], contradicted_count=[np.nan, np.nan]).is_possible
    found = outcome("I5", maximum_count=[50.0] * 9, contradicted_count=[9.0] + [1.0] * 8)
    assert found.within.tolist() == [True] + [False] * 8 and found.p[0] < 1e-5


def test_who_is_found_is_no_measure_for_the_others() -> None:
    """Two of three share the conduct: the first makes the second look normal until it is taken out."""
    counts = evidence(rating_count=[1.0] * 3)
    counts.conduct["G3", "calls_outbound_dialed"] = np.array([400, 400, 400]), np.array([80, 55, 0])
    found = rule_of("G3")(counts, LIMITS, "G3", "calls_outbound_dialed")
    assert found.within.tolist() == [True, True, False]
    # A limit of the rule itself stands beside the comparison: four hits are too few.
    counts.conduct["G3", "calls_outbound_dialed"] = np.array([40, 400, 400]), np.array([4, 0, 0])
    assert not rule_of("G3")(counts, LIMITS, "G3", "calls_outbound_dialed").within.any()


def test_tick_boxes_need_a_fifth_and_three_standard_errors() -> None:
    counts = evidence(rating_count=[1.0] * 10)
    counts.conduct["I6", "resolution_rate"] = np.array([50] * 10), np.array([30, 9] + [8] * 8)
    assert rule_of("I6")(counts, LIMITS, "I6", "resolution_rate").within.tolist() == [True] + [False] * 9
    counts.conduct["I6", "resolution_rate"] = np.array([500] * 10), np.array([90] + [1] * 9)
    assert not rule_of("I6")(counts, LIMITS, "I6", "resolution_rate").within.any()


def test_a_small_ratio_of_many_cases_hides_no_large_one_of_few() -> None:
    counts = evidence(rating_count=[1.0])
    counts.has_offers = True
    counts.offers = {0: {"wait": [[3000, 1000, 2000, 1100]], "solved": [[60, 20, 25, 35]]}}
    assert 1 < mantel_haenszel(np.array([[3000, 1000, 2000, 1100]]))[0] < LIMITS.offer_or
    found = rule_of("I2")(counts, LIMITS, "I2", "csat_rate")
    assert found.within.tolist() == [True] and found.shown_en == ["solved: 4.20"]
    # Where nothing is beyond a limit the least probable is shown.
    counts.offers[0]["solved"] = [[6, 2, 3, 4]]
    found = rule_of("I2")(counts, LIMITS, "I2", "csat_rate")
    assert found.within.tolist() == [False] and found.shown_en == ["soon served: 1.65"]


def test_a_share_is_measured_by_the_others() -> None:
    share = share_of_others(np.array([10, 0, 5]), np.array([10, 10, 10]), np.array(["a", "a", "b"], np.str_))
    assert share[:2] == pytest.approx([0.5 / 11, 10.5 / 11])
    assert np.isnan(share[2])
    assert above_cohort(np.array([19]), np.array([100]), np.array([0.1]), 3).tolist() == [False]
    assert above_cohort(np.array([20]), np.array([100]), np.array([0.1]), 3).tolist() == [True]


def test_nobody_is_measured_by_too_few_others() -> None:
    counts = evidence(rating_count=[1.0] * 4)
    counts.conduct["G3", "x"] = np.array([400, 400, 400, 0]), np.array([80, 80, 80, 0])
    found = rule_of("G3")(counts, LIMITS, "G3", "x")
    assert found.others is not None and found.others.tolist() == [2, 2, 2, 3] and LIMITS.min_others == 3


def test_one_stratum_is_fishers_exact_test() -> None:
    table = np.array([[30, 10, 12, 28]])
    ratio, p = mantel_haenszel(table)
    exact = stats.fisher_exact(table.reshape(2, 2), alternative="greater")
    assert (ratio, p) == pytest.approx((30 * 28 / (10 * 12), exact.pvalue))


def test_strata_that_each_say_nothing_are_not_mixed_up() -> None:
    """Simpson's case: within both channels the odds are equal, and they differ only in how much is invited."""
    ratio, p = mantel_haenszel(np.array([[90, 10, 9, 1], [1, 9, 10, 90]]))
    assert ratio == pytest.approx(1) and p > 0.5
    assert mantel_haenszel(np.array([[5, 0, 0, 0]]))[1] == 1
    ratio, p = mantel_haenszel(np.array([[20, 0, 0, 20]]))
    assert np.isinf(ratio) and p < 1e-6


@given(COUNTS)
def test_tails_are_probabilities_that_fall_with_the_hits(counts: list[tuple[int, int]]) -> None:
    hits, more = np.array(counts).T
    p = binomial_tail(hits, hits + more, np.full(len(hits), 0.3))
    assert ((p >= 0) & (p <= 1)).all()
    assert (binomial_tail(hits + 1, hits + more + 1, np.full(len(hits), 0.3)) <= p + 1e-12).all()


def test_more_hits_than_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="count both from the same rows"):
        binomial_tail(np.array([3]), np.array([2]), np.array([0.5]))


@given(PROBABILITIES)
def test_corrected_probabilities_keep_their_order(values: list[float]) -> None:
    p = np.array(values)
    q = benjamini_hochberg(p)
    assert q == pytest.approx(stats.false_discovery_control(p, method="bh"))
    assert (q >= p - 1e-12).all() and (q <= 1).all()
    assert all(one <= other + 1e-12 for one, other in pairwise(q[np.argsort(p, kind="stable")]))
    # Who was not tested does not count.
    assert benjamini_hochberg(np.append(p, np.nan))[:-1] == pytest.approx(q)


@given(COUNTS)
def test_the_order_of_agents_changes_nothing(counts: list[tuple[int, int]]) -> None:
    hits, more = np.array(counts).T
    order = np.random.default_rng(len(counts)).permutation(len(counts))
    both = [evidence(rating_count=[1.0] * len(counts)) for _ in range(2)]
    both[0].conduct["G1", "x"] = hits + more, hits
    both[1].conduct["G1", "x"] = (hits + more)[order], hits[order]
    one, other = (rule_of("G1")(counts_, LIMITS, "G1", "x") for counts_ in both)
    assert one.p[order] == pytest.approx(other.p, nan_ok=True)
    assert one.within[order].tolist() == other.within.tolist()
    assert benjamini_hochberg(one.p)[order] == pytest.approx(benjamini_hochberg(other.p), nan_ok=True)


# --- pairs ------------------------------------------------------------------------------------------------------------


def reciprocity(liked: int) -> float:
    """p of two who exchange high marks in 3 of 4 months; both get `liked` of 20 from others."""
    people = evidence(rating_count=[0.0] * 12)
    pairs = {i: [Pair((i + step) % 12, 0, 4, 0, 0) for step in range(1, 6)] for i in range(12)}
    pairs[0] = [Pair(1, 3, 4, 3, 3), *(Pair(i, 0, 5, 0, liked // 4) for i in range(2, 6))]
    pairs[1] = [Pair(0, 3, 4, 3, 3), *(Pair(i, 0, 5, 0, liked // 4) for i in range(2, 6))]
    people.pairs = {"peer_rating": pairs}
    return float(rule_of("I7")(people, LIMITS, "I7", "peer_rating").p[0])


def test_i7_who_is_liked_by_everybody_is_no_pair() -> None:
    assert reciprocity(0) < 0.01
    assert reciprocity(16) > 0.1


def test_i7_a_partner_outside_the_plans_is_like_everybody() -> None:
    people = evidence(rating_count=[0.0] * 3)
    people.pairs = {"peer_rating": {0: [Pair(None, 3, 3, 3, 3), Pair(1, 0, 3, 0, 0)], 1: [Pair(0, 0, 3, 0, 0)]}}
    found = rule_of("I7")(people, LIMITS, "I7", "peer_rating")
    assert found.observed[0] == 3
    assert 0 < found.expected[0] < 1
    assert np.isnan(found.p[2])
