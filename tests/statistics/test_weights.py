from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kefu.catalogue.defaults import WeightRules, load_defaults
from kefu.statistics.weights import NullReason, Status, WeightedMetric, agent_factor, effective_weights

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml")
RULES = DEFAULTS.weights


def scope(name: str) -> WeightRules:
    return RULES.model_copy(update={"scope": name})


def objective(metric: str, weight: int, dimension: str, reason: NullReason | None = None) -> WeightedMetric:
    return WeightedMetric(metric, Decimal(weight), dimension, null_reason=reason)


def subjective(metric: str, weight: int, dimension: str, g: str = "1") -> WeightedMetric:
    return WeightedMetric(metric, Decimal(weight), dimension, is_subjective=True, g=Decimal(g))


MIXED = [
    objective("frt", 20, "speed"),
    objective("art", 20, "speed"),
    objective("fcr", 10, "quality"),
    subjective("csat", 30, "quality", "0.5"),
    subjective("qa", 20, "quality"),
]


def test_same_dimension_fills_first_then_the_plan() -> None:
    found = effective_weights(MIXED, scope("dimension_first"))
    # csat frees 15: fcr has room for 5, the other 10 go to frt and art
    assert found.weights == {"frt": 25, "art": 25, "fcr": 15, "csat": 15, "qa": 20}
    assert found.neutral == 0


def test_scope_plan_shares_in_proportion() -> None:
    found = effective_weights(MIXED, scope("plan"))
    # 15 over weights 20, 20, 10
    assert found.weights == {"frt": 26, "art": 26, "fcr": 13, "csat": 15, "qa": 20}


def test_scope_none_leaves_all_of_it_neutral() -> None:
    found = effective_weights(MIXED, scope("none"))
    assert found.weights == {"frt": 20, "art": 20, "fcr": 10, "csat": 15, "qa": 20}
    assert (found.neutral, found.own_data) == (15, 85)


def test_trusted_subjective_metrics_come_last_and_untrusted_never() -> None:
    found = effective_weights(
        [objective("frt", 20, "speed"), subjective("csat", 40, "quality", "0"), subjective("qa", 40, "quality")],
        scope("plan"),
    )
    # 40 freed: frt takes 10, qa takes 20, the rest is neutral
    assert found.weights == {"frt": 30, "csat": 0, "qa": 60}
    assert found.neutral == 10


def test_cap_stops_one_metric_and_the_next_takes_over() -> None:
    found = effective_weights(
        [
            objective("frt", 10, "speed"),
            objective("leave", 8, "speed", NullReason.EXEMPT),
            objective("volume", 82, "workload"),
        ],
        scope("dimension_first"),
    )
    # 8 freed in speed: frt has room for 5, the other 3 go on
    assert found.weights == {"frt": 15, "leave": 0, "volume": 85}


def test_na_metric_gets_and_keeps_nothing() -> None:
    for reason in set(NullReason) - {NullReason.BELOW_MIN_N}:
        found = effective_weights(
            [objective("frt", 50, "speed"), objective("gone", 50, "speed", reason)], scope("dimension_first")
        )
        assert found.weights == {"frt": 75, "gone": 0}, reason
        assert found.neutral == 25


def test_few_ratings_keep_the_weight_except_in_mode_suppress() -> None:
    metrics = [objective("frt", 80, "speed"), objective("csat", 20, "quality", NullReason.BELOW_MIN_N)]
    assert effective_weights(metrics, RULES).weights["csat"] == 20
    assert effective_weights(metrics, RULES.model_copy(update={"mode": "suppress"})).weights == {"frt": 100, "csat": 0}


def test_cohort_mean_alone_is_not_own_data() -> None:
    borrowed = WeightedMetric("csat", Decimal(45), "quality", is_subjective=True, has_own_data=False)
    found = effective_weights([objective("frt", 55, "speed"), borrowed], RULES)
    assert (found.own_data, found.status) == (55, Status.INSUFFICIENT_EVIDENCE)
    assert found.weights == {"frt": 55, "csat": 45}


def test_sixty_points_of_own_data_are_enough() -> None:
    borrowed = WeightedMetric("csat", Decimal(40), "quality", is_subjective=True, has_own_data=False)
    assert effective_weights([objective("frt", 60, "speed"), borrowed], RULES).status is Status.SCORED


def test_the_published_table_says_where_weight_goes() -> None:
    metrics = [
        objective("frt", 40, "quality"),
        subjective("csat", 20, "quality", "0"),
        subjective("qa", 10, "voice", "0.5"),
        objective("gone", 30, "workload", NullReason.NOT_APPLICABLE),
    ]
    table = {"csat": {"frt": Decimal("0.6"), "qa": Decimal("0.4")}, "gone": {"frt": Decimal(1)}}
    found = effective_weights(metrics, RULES, table)
    # 12 and 30 for frt, whose cap is 60; qa is not trusted itself and takes nothing
    assert found.weights == {"frt": 60, "csat": 0, "qa": 5, "gone": 0}
    assert found.neutral == 35


def test_mode_downweight_takes_the_smaller_trust() -> None:
    assert [agent_factor(rho, DEFAULTS.g) for rho in (None, Decimal("0.29"), Decimal("0.5"), Decimal("0.8"))] == [
        None,
        0,
        Decimal("0.5"),
        1,
    ]
    own = WeightedMetric("csat", Decimal(40), "quality", is_subjective=True, g=Decimal("0.75"), agent_g=Decimal("0.5"))
    assert effective_weights([objective("frt", 60, "speed"), own], RULES).weights == {"frt": 80, "csat": 20}
    other = WeightedMetric("csat", Decimal(40), "quality", is_subjective=True, g=Decimal("0.75"), agent_g=Decimal(1))
    assert effective_weights([objective("frt", 60, "speed"), other], RULES).weights == {"frt": 70, "csat": 30}


def test_a_confirmed_finding_keeps_the_weight_of_the_cohort() -> None:
    hidden = WeightedMetric(
        "csat",
        Decimal(45),
        "quality",
        is_subjective=True,
        g=Decimal("0.8"),
        agent_g=Decimal("0.1"),
        null_reason=NullReason.NOT_APPLICABLE,
        has_own_data=False,
        is_confirmed=True,
    )
    found = effective_weights([objective("frt", 55, "speed"), hidden], RULES)
    assert found.weights == {"frt": 64, "csat": 36}
    assert (found.own_data, found.status) == (100, Status.SCORED)


def test_nothing_measured_is_all_neutral() -> None:
    found = effective_weights([objective("frt", 100, "speed", NullReason.LONG_LEAVE)], RULES)
    assert (found.neutral, found.own_data, found.status) == (100, 0, Status.INSUFFICIENT_EVIDENCE)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([objective("frt", 99, "speed")], "weights add up to 99, expected exactly 100: frt 99"),
        ([objective("frt", 50, "speed"), objective("frt", 50, "speed")], "a metric appears twice"),
        ([objective("frt", 110, "speed"), objective("art", -10, "speed")], "art: found weight -10"),
        ([subjective("csat", 100, "quality", "1.1")], "csat: found g 1.1, expected 0 to 1"),
        (
            [WeightedMetric("frt", Decimal(100), "speed", g=Decimal("0.5"))],
            "frt: found g 0.5, expected 1; only subjective",
        ),
    ],
)
def test_wrong_plans_are_refused(metrics: list[WeightedMetric], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        effective_weights(metrics, RULES)
