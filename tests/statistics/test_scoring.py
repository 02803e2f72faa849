from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kefu.catalogue.defaults import load_defaults
from kefu.statistics.scoring import (
    Confirmed,
    Effect,
    Fact,
    Placed,
    bonus_fen,
    coefficient,
    composite,
    extra_points,
    forced_grades,
    gated,
    kept_scores,
    neutral_score,
    quota_due,
    shared_pool,
)
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


def confirmed(valid: str | None, all_rows: str | None, median: str, low: str) -> Confirmed:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Confirmed(number(valid), number(all_rows), Decimal(median), Decimal(low))


def test_a_confirmed_finding_earns_the_least_of_three() -> None:
    same = weights(frt="60", csat="40")
    scores = {"frt": Decimal(90), "csat": Decimal(95)}

    def kept(finding: Confirmed) -> Decimal:
        return kept_scores(same, same, scores, {"csat": finding}, None)["csat"]

    assert kept(confirmed("95", "80", "70", "40")) == 70
    assert kept(confirmed("95", "60", "70", "40")) == 60
    assert kept(confirmed("50", "60", "70", "40")) == 50
    # Events have no other rows. Without any valid row the lower quarter and the other metrics count.
    assert kept(confirmed("95", None, "97", "40")) == 95
    assert kept(confirmed(None, "60", "70", "40")) == 40
    assert kept(confirmed(None, "99", "98", "95")) == 90


def test_kept_weight_gives_back_what_it_would_lift() -> None:
    # Without the finding frt would carry all and earn 20; with it csat at 70 would lift the score to 40.
    found = kept_scores(
        weights(frt="60", csat="40"),
        weights(frt="100", csat="0"),
        {"frt": Decimal(20)},
        {"csat": confirmed("80", "80", "70", "70")},
        None,
    )
    assert found == {"csat": Decimal("19.9999750000")}


def test_extra_points_are_capped_and_leave_no_negative_score() -> None:
    def extra(total: str, *points: str) -> Decimal:
        return extra_points([Decimal(one) for one in points], Decimal(total), DEFAULTS.score)

    assert [extra("80", "4", "3"), extra("80", "-4", "-3"), extra("80", "4", "-3"), extra("3", "-4")] == [5, -5, 1, -3]
    assert extra("80") == 0


def test_the_most_severe_gate_wins_and_only_verified_ones_close() -> None:
    def after(*facts: Fact) -> tuple[Decimal, str | None, bool]:
        found = gated(Decimal("91.2"), facts, DEFAULTS.score)
        return found.value, found.best_grade, found.is_under_review

    cap, half = Fact(Effect.CAP, True, Decimal(80)), Fact(Effect.MULTIPLY, True, Decimal("0.5"))
    assert after() == (Decimal("91.2"), None, False)
    assert after(cap, half) == after(half, cap) == (Decimal("45.6"), None, False)
    assert after(cap, Fact(Effect.ZERO, True)) == (0, None, False)
    assert after(cap, Fact(Effect.ZERO, False)) == (80, None, True)
    assert after(Fact(Effect.HOLD, True)) == (Decimal("91.2"), None, True)
    assert after(Fact(Effect.CAP, True, grade="B"), Fact(Effect.CAP, True, grade="C")) == (Decimal("91.2"), "C", False)


def test_forced_grades_follow_seats_ties_and_intervals() -> None:
    quotas = [("A", Decimal("0.2")), ("B", Decimal("0.5")), ("D", Decimal("0.3"))]
    published = {"a": "99", "b": "99", "c": "90", "d": "89", "e": "88", "f": "87.5", "g": "80"}
    scores = {agent: Placed(Decimal(score), Decimal(score) + 1) for agent, score in published.items()}
    # 1.4, 3.5 and 2.1 seats are 1, 4 and 2; a and b tie for the first; f could have been as good as e
    assert forced_grades(scores, quotas, 7) == dict(zip("abcdefg", "AABBBBD", strict=True))
    assert forced_grades(scores, quotas, 8) is None
    equal = {agent: Placed(Decimal(80), Decimal(81)) for agent in "abcde"}
    assert set((forced_grades(equal, quotas, 5) or {}).values()) == {"A"}


def test_reviews_due_are_rounded_up() -> None:
    assert [quota_due(12, Decimal(share)) for share in ("1", "0.9", "0.75", "0.01", "0")] == [12, 11, 9, 1, 0]


def test_money_is_whole_fen() -> None:
    assert bonus_fen(100_001, Decimal("0.3"), Decimal("0.9")) == 27_000
    assert bonus_fen(100_001, Decimal("0.5"), Decimal(1)) == 50_001
    assert shared_pool({"a": 500, "b": 500, "c": 500, "d": 0}, 100) == {"a": 34, "b": 33, "c": 33, "d": 0}
    assert shared_pool({"a": 0}, 100) == {"a": 0}
