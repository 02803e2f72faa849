"""The pure invariants of reliability.md 10 (1 to 5, 7, 11, 13, 15) and those of money, over generated cases."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kefu.catalogue.defaults import WeightRules, load_defaults
from kefu.statistics.agreement import icc_2_1, krippendorff_alpha
from kefu.statistics.curves import Curve
from kefu.statistics.intervals import wilson
from kefu.statistics.reliability import State, g_of, weight_factor
from kefu.statistics.rounding import from_float, half_up, largest_remainder
from kefu.statistics.scoring import Confirmed, bonus_fen, composite, kept_scores, shared_pool
from kefu.statistics.shrinkage import Branch, Prior, mean_prior, share_prior, shrunk, signal_reliability
from kefu.statistics.weights import NullReason, WeightedMetric, effective_weights, shown_weights

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml")
HUNDRED = Decimal(100)
EPSILON = 1e-8

generated = settings(max_examples=50, deadline=None, derandomize=True)
seldom = settings(generated, max_examples=8)

shares = st.decimals(0, 1, places=6)
scopes = st.sampled_from(["dimension_first", "plan", "none"])


@st.composite
def rules(draw: st.DrawFn) -> WeightRules:
    cap = draw(st.decimals(1, 3, places=2))
    mode = draw(st.sampled_from(["shrink", "downweight", "suppress", "jd_count"]))
    return DEFAULTS.weights.model_copy(update={"scope": draw(scopes), "cap": cap, "mode": mode})


@st.composite
def plans(draw: st.DrawFn) -> list[WeightedMetric]:
    raw = draw(st.lists(st.integers(1, 40), min_size=1, max_size=8))
    weights = largest_remainder({str(number): Decimal(part) for number, part in enumerate(raw)}, HUNDRED, 2)
    metrics = []
    for name, weight in weights.items():
        is_subjective = draw(st.booleans())
        metrics.append(
            WeightedMetric(
                metric=name,
                weight=weight,
                dimension=draw(st.sampled_from(["speed", "quality", "workload"])),
                is_subjective=is_subjective,
                g=draw(st.one_of(st.just(Decimal(1)), shares)) if is_subjective else Decimal(1),
                null_reason=draw(st.one_of(st.none(), st.none(), st.sampled_from(list(NullReason)))),
                agent_g=draw(st.one_of(st.none(), shares)) if is_subjective else None,
            )
        )
    return metrics


def poured_by_bisection(plan: list[WeightedMetric], rule: WeightRules) -> dict[str, float]:
    """The same weights by another road: raise a common level until all freed weight is placed or no room is left."""
    na = {
        one.metric
        for one in plan
        if one.null_reason and (one.null_reason != NullReason.BELOW_MIN_N or rule.mode == "suppress")
    }
    held = {one.metric: 0.0 if one.metric in na else float(one.weight * one.factor) for one in plan}
    weight = {one.metric: float(one.weight) for one in plan}
    cap = float(rule.cap)

    def fill(names: list[str], freed: float) -> None:
        room = sum(max(0.0, cap * weight[name] - held[name]) for name in names)
        if freed <= 0 or room <= 0:
            return
        freed, low, high = min(freed, room), 0.0, cap
        start = dict(held)
        for _ in range(80):
            level = (low + high) / 2
            for name in names:
                held[name] = max(start[name], min(cap * weight[name], start[name] + level * weight[name]))
            low, high = (low, level) if sum(held[name] - start[name] for name in names) > freed else (level, high)

    objective = [one for one in plan if one.metric not in na and not one.is_subjective]
    trusted = [one.metric for one in plan if one.metric not in na and one.is_subjective and one.factor == 1]
    if rule.scope == "dimension_first":
        for dimension in ("speed", "quality", "workload"):
            inside = [one.metric for one in plan if one.dimension == dimension]
            freed = sum(weight[name] - held[name] for name in inside)
            fill([one.metric for one in objective if one.dimension == dimension], freed)
    if rule.scope != "none":
        fill([one.metric for one in objective], 100 - sum(held.values()))
        fill(trusted, 100 - sum(held.values()))
    return held


@generated
@given(plans(), rules())
def test_1_weights_and_neutral_block_are_exactly_100(plan: list[WeightedMetric], rule: WeightRules) -> None:
    found = effective_weights(plan, rule)
    assert sum(found.weights.values()) + found.neutral == HUNDRED
    assert found.neutral >= 0
    for metric in plan:
        assert 0 <= found.weights[metric.metric] <= rule.cap * metric.weight + Decimal("1e-10")


@generated
@given(plans(), rules())
def test_1_weights_agree_with_another_algorithm(plan: list[WeightedMetric], rule: WeightRules) -> None:
    expected = poured_by_bisection(plan, rule)
    found = effective_weights(plan, rule)
    for name, weight in found.weights.items():
        assert float(weight) == pytest.approx(expected[name], abs=EPSILON)


@generated
@given(plans(), scopes)
def test_2_full_trust_changes_nothing(plan: list[WeightedMetric], scope: str) -> None:
    trusted = [replace(metric, g=Decimal(1), agent_g=None, null_reason=None) for metric in plan]
    found = effective_weights(trusted, DEFAULTS.weights.model_copy(update={"scope": scope}))
    assert found.weights == {metric.metric: metric.weight for metric in plan}
    assert found.neutral == 0


@generated
@given(st.integers(1, 60), st.data(), st.integers(2, 9), st.floats(5, 500), st.floats(0.02, 0.98))
def test_3_more_ratings_at_the_same_rate_never_hurt(
    n: int, data: st.DataObject, times: int, strength: float, mean: float
) -> None:
    x = data.draw(st.integers(0, n))
    prior = Prior(mean, strength, 30, Branch.ESTIMATED)
    before, after = signal_reliability([n, n * times], prior)
    assert after >= before
    narrow, wide = wilson([x * times, x], [n * times, n], 1.96).half_width
    assert narrow <= wide


@generated
@given(plans(), rules(), shares, shares, st.data())
def test_4_lower_reliability_never_raises_the_weight(
    plan: list[WeightedMetric], rule: WeightRules, one: Decimal, other: Decimal, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(plan) - 1))

    def weight_at(rho: Decimal) -> Decimal:
        metric = replace(plan[position], is_subjective=True, g=g_of(rho, DEFAULTS.g), agent_g=None)
        return effective_weights([*plan[:position], metric, *plan[position + 1 :]], rule).weights[metric.metric]

    low, high = sorted((one, other))
    assert weight_at(low) <= weight_at(high)


@generated
@given(shares, shares, st.lists(st.one_of(st.none(), shares), max_size=4), shares)
def test_4_lower_reliability_never_raises_the_factor(
    one: Decimal, other: Decimal, earlier: list[Decimal | None], announced: Decimal
) -> None:
    def current(rho: Decimal) -> Decimal:
        found = weight_factor(State.WEAK, rho, announced=announced, earlier_rhos=earlier, rules=DEFAULTS.g).current
        assert found is not None
        return found

    low, high = sorted((one, other))
    assert current(low) <= current(high)
    assert current(low) <= g_of(low, DEFAULTS.g)


@generated
@given(plans(), rules(), st.randoms(use_true_random=False))
def test_5_order_of_metrics_shows_nowhere(plan: list[WeightedMetric], rule: WeightRules, random: object) -> None:
    shuffled = list(plan)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert effective_weights(shuffled, rule) == effective_weights(plan, rule)


@seldom
@given(st.integers(0, 2**32 - 1))
def test_5_order_of_rows_shows_in_no_digit_of_an_estimate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 60, 40)
    x = rng.binomial(n, 0.87)
    order = rng.permutation(40)
    assert share_prior(x, n, DEFAULTS.eb) == share_prior(x[order], n[order], DEFAULTS.eb)

    values, units = rng.normal(80, 9, 200), rng.integers(0, 35, 200)
    order = rng.permutation(200)
    assert mean_prior(values, units, DEFAULTS.eb) == mean_prior(values[order], units[order], DEFAULTS.eb)

    table = rng.normal(80, 9, (25, 1)) + rng.normal(0, 4, (25, 3))
    shuffled = table[rng.permutation(25)][:, rng.permutation(3)]
    assert icc_2_1(table, 1.96) == icc_2_1(shuffled, 1.96)
    table[rng.random(table.shape) < 0.2] = math.nan
    shuffled = table[rng.permutation(25)][:, rng.permutation(3)]
    assert krippendorff_alpha(table, "interval") == krippendorff_alpha(shuffled, "interval")


points = st.decimals(0, 120, places=10)


@generated
@given(plans(), rules(), st.data())
def test_1_weights_by_a_published_table_are_exactly_100(
    plan: list[WeightedMetric], rule: WeightRules, data: st.DataObject
) -> None:
    names = [metric.metric for metric in plan]
    table = {
        name: dict.fromkeys(data.draw(st.sets(st.sampled_from(names), max_size=2)) - {name}, Decimal("0.5"))
        for name in names
    }
    found = effective_weights(plan, rule, table)
    assert sum(found.weights.values()) + found.neutral == HUNDRED
    assert found.neutral >= 0
    for metric in plan:
        assert 0 <= found.weights[metric.metric] <= rule.cap * metric.weight + Decimal("1e-10")
        if metric.is_na(rule) or (metric.is_subjective and metric.factor < 1):
            assert found.weights[metric.metric] <= metric.weight * metric.factor + Decimal("1e-10")


@generated
@given(plans(), rules())
def test_1_weights_as_shown_are_exactly_100(plan: list[WeightedMetric], rule: WeightRules) -> None:
    found = effective_weights(plan, rule)
    shown = shown_weights(found)
    assert sum(shown.values()) == HUNDRED
    assert all(abs(shown[name] - weight) < Decimal("0.01") for name, weight in found.weights.items())


@generated
@given(plans(), rules(), points, st.data())
def test_7_a_confirmed_finding_never_raises_the_composite(
    plan: list[WeightedMetric], rule: WeightRules, neutral: Decimal, data: st.DataObject
) -> None:
    """Whatever the finding keeps: valid rows or none, opinions or events, an N/A metric or one the agent shed."""
    flagged = data.draw(st.sets(st.sampled_from([metric.metric for metric in plan]), min_size=1))
    scores = {metric.metric: data.draw(points) for metric in plan}
    valid = {metric.metric: metric.null_reason is None and metric.has_own_data for metric in plan}
    confirmed = {}
    for name in flagged:
        low, middle = sorted((data.draw(points), data.draw(points)))
        confirmed[name] = Confirmed(
            valid=scores[name] if valid[name] else None,
            all_rows=data.draw(st.one_of(st.none(), points)),
            cohort_median=middle,
            cohort_low=low,
        )
    unflagged = effective_weights(plan, rule)
    adjusted = effective_weights([replace(one, is_confirmed=one.metric in flagged) for one in plan], rule)
    kept = kept_scores(adjusted, unflagged, scores, confirmed, neutral)
    with_finding = composite(adjusted, scores | kept, neutral, DEFAULTS.score)
    without = composite(unflagged, scores, neutral, DEFAULTS.score)
    assert with_finding.value <= without.value
    # No finding leads out of a score: what it keeps counts as own data.
    assert adjusted.own_data >= unflagged.own_data - Decimal("1e-9") or rule.scope == "none"
    if all(adjusted.weights[name] == unflagged.weights[name] for name in flagged):
        assert all(
            kept[name] <= min(found.cohort_median, found.valid or HUNDRED * 2) for name, found in confirmed.items()
        )


@generated
@given(plans(), rules(), st.data())
def test_11_lines_add_up_to_the_composite(plan: list[WeightedMetric], rule: WeightRules, data: st.DataObject) -> None:
    weights = effective_weights(plan, rule)
    scores = {metric.metric: data.draw(points) for metric in plan}
    found = composite(weights, scores, Decimal(70), DEFAULTS.score)
    assert sum(found.lines.values()) == found.value
    assert found.value == half_up(found.value, 6)
    exact = sum(weights.weights[name] * score for name, score in scores.items()) + weights.neutral * 70
    assert abs(found.value - exact / 100) <= Decimal("0.0000005") * len(found.lines) + Decimal("1e-15")


@generated
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20), st.floats(5, 500))
def test_13_shares_stay_between_0_and_1(agents: list[tuple[int, int]], strength: float) -> None:
    x, n = np.array([(min(pair), max(pair)) for pair in agents]).T
    prior = Prior(0.9, strength, 30, Branch.ESTIMATED)
    interval = wilson(x, n, 1.96)
    for found in (shrunk(x, n, prior), signal_reliability(n, prior)):
        assert ((found >= 0) & (found <= 1)).all()
    with_data = n > 0
    assert (interval.low[with_data] >= 0).all() and (interval.high[with_data] <= 1).all()


MONOTONE: list[dict[str, object]] = [
    {"kind": "linear", "floor": "0.7", "target": "0.9"},
    {"kind": "linear", "direction": "lower", "floor": "0.9", "target": "0.3"},
    {"kind": "stretch", "floor": "0.7", "target": "0.9", "stretch": "0.97", "cap": 120},
    {"kind": "piecewise", "knots": [["0.6", 0], ["0.8", 60], ["0.9", 100], ["1", 120]]},
    {"kind": "step", "bands": [{"high": "0.5", "points": 10}, {"low": "0.5", "points": 100}]},
    {"kind": "step", "direction": "lower", "bands": [{"high": "0.5", "points": 100}, {"low": "0.5", "points": 10}]},
    {"kind": "deduction", "target": "0.9", "points": 2, "per": "0.01"},
    {"kind": "deduction", "direction": "lower", "target": "0.1", "points": 2, "per": "0.01"},
    {"kind": "attainment", "target": "0.9", "cap": 120},
    {"kind": "attainment", "direction": "lower", "target": "0.4", "cap": 120},
    {"kind": "pass_zero", "threshold": "0.6", "points": 100},
]


@generated
@given(st.integers(1, 200), st.data(), st.sampled_from(MONOTONE), plans(), rules())
def test_15_better_raw_values_never_lower_the_composite(
    n: int, data: st.DataObject, curve: dict[str, object], plan: list[WeightedMetric], rule: WeightRules
) -> None:
    counts = sorted((data.draw(st.integers(0, n)), data.draw(st.integers(0, n))))
    worse, better = counts if curve.get("direction") != "lower" else counts[::-1]
    prior = Prior(0.6, 40, 30, Branch.TOO_FEW_UNITS)
    scoring: Curve = TypeAdapter(Curve).validate_python(curve)
    weights = effective_weights(plan, rule)

    def total(count: int) -> Decimal:
        value = from_float(float(shrunk([count], [n], prior)[0]))
        scores = {metric.metric: scoring.score(value) for metric in plan}
        return composite(weights, scores, Decimal(70), DEFAULTS.score).value

    assert total(better) >= total(worse)


@generated
@given(
    st.dictionaries(st.text("abc123", min_size=1, max_size=4), st.integers(0, 10**7), min_size=1, max_size=40),
    st.integers(0, 10**9),
    st.randoms(use_true_random=False),
)
def test_money_a_pool_is_shared_out_to_the_fen(lines: dict[str, int], budget: int, random: object) -> None:
    shared = shared_pool(lines, budget)
    assert sum(shared.values()) == (budget if any(lines.values()) else 0)
    total = sum(lines.values())
    for key, amount in lines.items():
        assert shared[key] >= 0
        assert abs(shared[key] * total - budget * amount) < max(total, 1)
    order = list(lines)
    random.shuffle(order)  # type: ignore[attr-defined]
    assert shared_pool({key: lines[key] for key in order}, budget) == shared


@generated
@given(st.integers(0, 10**7), st.decimals(0, "1.5", places=10), shares)
def test_money_a_line_is_rounded_once_half_up(base: int, coefficient: Decimal, worked: Decimal) -> None:
    exact = base * coefficient * worked
    found = bonus_fen(base, coefficient, worked)
    assert isinstance(found, int)
    assert -Decimal("0.5") < found - exact <= Decimal("0.5")
