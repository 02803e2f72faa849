"""The worked examples of reliability.md 9, by their numbers; every expected number was worked by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kefu.catalogue.defaults import Defaults, load_defaults
from kefu.statistics.reliability import (
    NOT_APPLICABLE,
    Part,
    f_agree,
    f_resp,
    g_of,
    reliability,
)
from kefu.statistics.rounding import half_up, largest_remainder
from kefu.statistics.scoring import Effect, Fact, composite, gated, grade, piece_pay_fen
from kefu.statistics.shrinkage import Branch, Prior, shrunk, signal_reliability
from kefu.statistics.weights import NullReason, Status, WeightedMetric, effective_weights

DEFAULTS: Defaults = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml")
PLAN_SCOPE = DEFAULTS.weights.model_copy(update={"scope": "plan"})
ALL_WELL = dict.fromkeys(Part, NOT_APPLICABLE)


def places(values: dict[str, Decimal], digits: int = 4) -> dict[str, Decimal]:
    return {name: half_up(value, digits) for name, value in values.items()}


def test_fixture_9_1_shrinkage() -> None:
    prior = Prior(mean=0.90, strength=36, units=40, branch=Branch.ESTIMATED)
    good, all_ratings = [9, 10, 5, 30, 118], [10, 10, 6, 40, 120]
    assert shrunk(good, all_ratings, prior).round(4).tolist() == [0.9, 0.9217, 0.8905, 0.8211, 0.9641]
    assert signal_reliability(all_ratings, prior).round(3).tolist() == [0.217, 0.217, 0.143, 0.526, 0.769]


def test_fixture_9_2_weights() -> None:
    csat = reliability({**ALL_WELL, Part.RESPONSE: f_resp(270, 3000, DEFAULTS.rho)})
    qa = reliability({**ALL_WELL, Part.AGREEMENT: f_agree(0.72, 40, DEFAULTS.rho)})
    assert (csat.rho, csat.binding) == (Decimal("0.6333333333"), Part.RESPONSE)
    assert (qa.rho, qa.binding) == (Decimal("0.7333333333"), Part.AGREEMENT)
    assert csat.rho is not None and qa.rho is not None

    def plan(csat_g: Decimal, qa_g: Decimal) -> list[WeightedMetric]:
        return [
            WeightedMetric("frt", Decimal(20), "speed"),
            WeightedMetric("fcr", Decimal(20), "quality"),
            WeightedMetric("csat", Decimal(25), "quality", is_subjective=True, g=csat_g),
            WeightedMetric("qa", Decimal(20), "quality", is_subjective=True, g=qa_g),
            WeightedMetric("volume", Decimal(15), "workload"),
        ]

    found = effective_weights(plan(g_of(csat.rho, DEFAULTS.g), g_of(qa.rho, DEFAULTS.g)), PLAN_SCOPE)
    assert places(dict(found.weights)) == {
        "frt": Decimal("25.2727"),
        "fcr": Decimal("25.2727"),
        "csat": Decimal("15.8333"),
        "qa": Decimal("14.6667"),
        "volume": Decimal("18.9545"),
    }
    assert found.neutral == 0
    assert sum(found.weights.values()) == 100

    scores = {"frt": 90, "fcr": 80, "csat": 88, "qa": 84, "volume": 100}
    points = {name: Decimal(score) for name, score in scores.items()}
    adjusted = composite(found, points, None, DEFAULTS.score)
    unadjusted = composite(effective_weights(plan(Decimal(1), Decimal(1)), PLAN_SCOPE), points, None, DEFAULTS.score)
    assert adjusted.published(DEFAULTS.score) == Decimal("88.17")
    assert unadjusted.published(DEFAULTS.score) == Decimal("87.80")


def test_fixture_9_3_cap() -> None:
    found = effective_weights(
        [
            WeightedMetric("a", Decimal(40), "speed"),
            WeightedMetric("b", Decimal(10), "speed"),
            WeightedMetric("s", Decimal(50), "quality", is_subjective=True, g=Decimal(0)),
        ],
        PLAN_SCOPE,
    )
    assert found.weights == {"a": 60, "b": 15, "s": 0}
    assert (found.neutral, found.own_data, found.status) == (25, 75, Status.SCORED)


def test_fixture_9_4_insufficient() -> None:
    found = effective_weights(
        [
            WeightedMetric("objective", Decimal(30), "speed"),
            WeightedMetric("subjective", Decimal(70), "quality", is_subjective=True, g=Decimal(0)),
        ],
        PLAN_SCOPE,
    )
    assert (found.weights["objective"], found.neutral, found.own_data) == (45, 55, 45)
    assert found.status is Status.INSUFFICIENT_EVIDENCE


def test_fixture_9_5_gate() -> None:
    score = Decimal("91.2")
    closed = gated(score, [Fact(Effect.CAP, is_verified=True, value=Decimal("59.99"))], DEFAULTS.score)
    assert (closed.value, grade(closed.value, DEFAULTS.score), closed.is_under_review) == (Decimal("59.99"), "D", False)
    waiting = gated(score, [Fact(Effect.CAP, is_verified=False, value=Decimal("59.99"))], DEFAULTS.score)
    assert (waiting.value, grade(waiting.value, DEFAULTS.score), waiting.is_under_review) == (score, "A", True)


def test_fixture_9_6_exam() -> None:
    def plan(reason: NullReason | None) -> list[WeightedMetric]:
        return [
            WeightedMetric("exam", Decimal(20), "quality", null_reason=reason),
            WeightedMetric("volume", Decimal(80), "workload"),
        ]

    # A make-up that was declined is no reason: the exam counts, with 0 points.
    missed = effective_weights(plan(None), DEFAULTS.weights)
    assert missed.weights == {"exam": 20, "volume": 80}
    scores = {"exam": Decimal(0), "volume": Decimal(100)}
    assert composite(missed, scores, None, DEFAULTS.score).value == 80
    away = effective_weights(plan(NullReason.LONG_LEAVE), DEFAULTS.weights)
    assert away.weights == {"exam": 0, "volume": 100}
    assert composite(away, scores, None, DEFAULTS.score).value == 100


def test_fixture_9_7_piece() -> None:
    def pay(handled: int, listening: int) -> int:
        return piece_pay_fen(handled, Decimal(2000), Decimal("0.9"), Decimal(40), Decimal(listening), DEFAULTS.piece)

    assert pay(2150, 92) == 15_400
    assert [pay(2150, listening) for listening in (90, 89, 80, 70, 69, 0)] == [
        15_400,
        14_000,
        14_000,
        11_200,
        7_000,
        7_000,
    ]
    assert pay(1800, 92) == pay(1500, 92) == 0


@pytest.mark.parametrize(
    ("stored", "published", "expected"),
    [
        ("84.995", "85.00", "A"),
        ("84.994999", "84.99", "B"),
        ("95", "95.00", "S"),
        ("94.994", "94.99", "A"),
        ("70", "70.00", "B"),
        ("60", "60.00", "C"),
        ("59.99", "59.99", "D"),
    ],
)
def test_fixture_9_9_rounding(stored: str, published: str, expected: str) -> None:
    shown = half_up(Decimal(stored), DEFAULTS.score.publish_dp)
    assert str(shown) == published
    assert grade(shown, DEFAULTS.score) == expected


def test_fixture_9_9_weights_shown_add_up() -> None:
    third = Decimal(100) / 3
    assert list(largest_remainder({"a": third, "b": third, "c": third}, 100, 2).values()) == [
        Decimal("33.34"),
        Decimal("33.33"),
        Decimal("33.33"),
    ]
