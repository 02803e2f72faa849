from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kefu.catalogue.defaults import load_defaults
from kefu.statistics.scoring import coefficient, composite, neutral_score
from kefu.statistics.weights import EffectiveWeights, Status

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml")


def weights(neutral: str = "0", status: Status = Status.SCORED, **of: str) -> EffectiveWeights:
    found = {metric: Decimal(weight) for metric, weight in of.items()}
    return EffectiveWeights(found, Decimal(neutral), sum(found.values(), Decimal(0)), status)


def test_lines_are_rounded_and_their_sum_is_the_composite() -> None:
    found = composite(
        weights(frt="33.3333333333", fcr="33.3333333333", qa="33.3333333334"),
        {"frt": Decimal("77.7777777777"), "fcr": Decimal("0.0000049999"), "qa": Decimal(100)},
        None,
        DEFAULTS.score,
    )
    assert found.lines == {
        "frt": Decimal("25.925926"),
        "fcr": Decimal("0.000002"),
        "qa": Decimal("33.333333"),
        "(neutral)": Decimal(0),
    }
    assert str(found.value) == "59.259261"


def test_neutral_block_carries_the_cohort_median() -> None:
    found = composite(weights("25", frt="75"), {"frt": Decimal(80)}, Decimal(70), DEFAULTS.score)
    assert found.value == Decimal("77.5")


def test_metric_with_weight_needs_a_score() -> None:
    with pytest.raises(ValueError, match="fcr: carries weight 50 and has no score"):
        composite(weights(frt="50", fcr="50"), {"frt": Decimal(80)}, None, DEFAULTS.score)
    with pytest.raises(ValueError, match=r"\(neutral\): carries weight 25"):
        composite(weights("25", frt="75"), {"frt": Decimal(80)}, None, DEFAULTS.score)


def test_metric_without_weight_needs_none() -> None:
    found = composite(weights(frt="100", fcr="0"), {"frt": Decimal(80)}, None, DEFAULTS.score)
    assert found.value == 80


def test_neutral_score_is_the_median_of_measured_composites() -> None:
    cohort = [
        (weights("25", frt="75", fcr="0"), {"frt": Decimal(60)}),  # 60 on what was measured
        (weights(frt="50", fcr="50"), {"frt": Decimal(80), "fcr": Decimal(100)}),  # 90
        (weights("10", frt="45", fcr="45"), {"frt": Decimal(70), "fcr": Decimal(80)}),  # 75
        (weights("60", Status.INSUFFICIENT_EVIDENCE, frt="40"), {"frt": Decimal(0)}),
    ]
    assert neutral_score(cohort) == 75
    assert neutral_score(cohort[:2]) == 75
    assert neutral_score(cohort[3:]) is None


def test_coefficient_between_knots() -> None:
    found = [coefficient(Decimal(score), DEFAULTS.coef) for score in ("0", "60", "65", "70", "80", "85", "90", "99")]
    assert found == [
        0,
        0,
        Decimal("0.3"),
        Decimal("0.6"),
        Decimal("0.8666666667"),
        1,
        Decimal("1.1"),
        Decimal("1.2"),
    ]
