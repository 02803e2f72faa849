"""What a plan makes of measured people, checked on the worked examples of the specification (reliability.md 9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from kefu.catalogue.files import Catalogue, load_catalogue
from kefu.catalogue.plans import Plan, Pool
from kefu.plan.rescore import Fact, Measured, Outcome, Person, Rules, rescore
from kefu.settings import PROJECT

DAY = date(2026, 11, 1)
FRT, FCR, CSAT, QA, VOLUME = (
    "assignment_response_time", "fcr_repeat", "csat_rate", "qa_listening_score", "conversations_handled"
)  # fmt: skip
# A curve on which a value is its own score.
SELF = {"kind": "linear", "floor": 0, "target": 100}
SCORES = {FRT: "90", FCR: "80", CSAT: "88", QA: "84", VOLUME: "100"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(PROJECT / "config")


def plan(weights: dict[str, int], **more: Any) -> Plan:
    body = {
        "plan_id": "golden", "version": 1, "valid_from": "2026-01-01", "name": {"zh": "例", "en": "example"},
        "mode": "demo", "role": "agent", "author": "kefu", "grades": {"S": 95, "A": 85, "B": 70, "C": 60},
        "weights": {"scope": "plan"},
        "metrics": [
            {
                "metric_id": name, "weight": weight, "curve": SELF, "min_n": 1, "goal": {"zh": "例", "en": "example"},
                "is_ramped": False, **({"initial_g": 1} if name in (CSAT, QA) else {}),
            }
            for name, weight in weights.items()
        ],
        **more,
    }  # fmt: skip
    return Plan.model_validate(body)


GOLDEN = {FRT: 20, FCR: 20, CSAT: 25, QA: 20, VOLUME: 15}


def measured(score: str, factor: str = "1") -> Measured:
    value = Decimal(score)
    return Measured(n=100, raw=value, estimate=value, scored=value, score=value, factor=Decimal(factor))


def person(agent: str = "a", scores: dict[str, str] | None = None, factors: dict[str, str] | None = None) -> Person:
    trust = factors or {}
    return Person(
        agent, agent.upper(), "general", None, "cohort", "published",
        {name: measured(score, trust.get(name, "1")) for name, score in (scores or SCORES).items()},
    )  # fmt: skip


def outcome(catalogue: Catalogue, made: Plan, who: Person, in_force: Plan | None = None) -> Outcome:
    return outcomes(catalogue, made, [who], in_force)[0]


def outcomes(catalogue: Catalogue, made: Plan, people: list[Person], in_force: Plan | None = None) -> list[Outcome]:
    return rescore(people, Rules(made, in_force or made, DAY, catalogue.metrics, catalogue.defaults))


def test_golden_9_2_weights(catalogue: Catalogue) -> None:
    trust = {CSAT: "0.6333333333", QA: "0.7333333333"}
    assert outcome(catalogue, plan(GOLDEN), person(factors=trust)).composite == Decimal("88.17")
    assert outcome(catalogue, plan(GOLDEN), person()).composite == Decimal("87.80")


def test_golden_9_3_cap_leaves_weight_neutral(catalogue: Catalogue) -> None:
    made = plan({FRT: 40, VOLUME: 10, CSAT: 50})
    untrusted = {CSAT: "0"}
    people = [
        person("a", {FRT: "90", VOLUME: "60", CSAT: "50"}, untrusted),
        person("b", {FRT: "80", VOLUME: "80", CSAT: "50"}, untrusted),
        person("c", {FRT: "50", VOLUME: "75", CSAT: "50"}, untrusted),
    ]
    found = outcomes(catalogue, made, people)
    assert {one.own_data for one in found} == {75}
    # A has 60 x 0.90 + 15 x 0.60 = 63 and 25 points of weight at the cohort's middle, 80.
    assert [one.composite for one in found] == [Decimal("83.00"), Decimal("80.00"), Decimal("61.25")]


def test_golden_9_4_too_little_own_data_is_no_score(catalogue: Catalogue) -> None:
    found = outcome(catalogue, plan({FRT: 30, CSAT: 70}), person(scores={FRT: "90", CSAT: "50"}, factors={CSAT: "0"}))
    assert (found.status, found.composite, found.grade, found.own_data) == (
        "insufficient_evidence",
        None,
        None,
        Decimal(45),
    )


def test_golden_9_5_a_verified_fact_caps_the_score(catalogue: Catalogue) -> None:
    gate = {"gate_id": "g", "fact_kind": "compliance_breach", "effect": "cap", "value": "59.99",
            "name": {"zh": "违规", "en": "breach"}}  # fmt: skip
    made = plan({FRT: 50, FCR: 50}, gates=[gate])
    who = person(scores={FRT: "91.2", FCR: "91.2"})
    assert (outcome(catalogue, made, who).composite, outcome(catalogue, made, who).grade) == (Decimal("91.20"), "A")
    caught = replace(who, facts=(Fact("compliance_breach", DAY),))
    found = outcome(catalogue, made, caught)
    assert (found.composite, found.grade) == (Decimal("59.99"), "D")


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ([{"effect": "zero"}], ("0.00", "D")),
        ([{"effect": "multiply", "value": "0.8"}], ("72.96", "B")),
        ([{"effect": "cap", "grade": "C"}], ("91.20", "C")),
        ([{"effect": "cap", "grade": "C"}, {"effect": "multiply", "value": "0.5"}], ("45.60", "D")),
        ([{"effect": "cap", "value": "80"}, {"effect": "cap", "value": "70"}], ("70.00", "B")),
    ],
)
def test_the_most_severe_gate_wins(
    catalogue: Catalogue, gates: list[dict[str, str]], expected: tuple[str, str]
) -> None:
    named = [
        gate | {"gate_id": f"g{number}", "fact_kind": "fact", "name": {"zh": "否", "en": "gate"}}
        for number, gate in enumerate(gates)
    ]
    caught = replace(person(scores={FRT: "91.2", FCR: "91.2"}), facts=(Fact("fact", DAY),))
    found = outcome(catalogue, plan({FRT: 50, FCR: 50}, gates=named), caught)
    assert (str(found.composite), found.grade) == expected


def test_a_gate_spares_new_hires_where_it_says_so_and_nobody_is_stopped_for_being_slow(catalogue: Catalogue) -> None:
    gate = {"gate_id": "g", "fact_kind": "fact", "effect": "zero", "name": {"zh": "否", "en": "gate"}}
    made = plan({FRT: 50, FCR: 50}, gates=[gate])
    new = replace(person(), hired_on=date(2026, 10, 20), facts=(Fact("fact", DAY),))
    assert outcome(catalogue, made, new).composite == 0
    slow = replace(new, facts=(Fact("fact", DAY, metric_id="avg_response_time"),))
    assert outcome(catalogue, made, slow).composite == Decimal("85.00")
    sparing = plan({FRT: 50, FCR: 50}, gates=[gate | {"spares_new_hires": True}])
    assert outcome(catalogue, sparing, new).composite == Decimal("85.00")
    assert outcome(catalogue, sparing, replace(new, hired_on=date(2026, 1, 1))).composite == 0


def test_extras_are_capped(catalogue: Catalogue) -> None:
    praised = replace(person(), facts=(Fact("bonus", DAY, Decimal(4)), Fact("bonus", DAY, Decimal(3))))
    assert outcome(catalogue, plan({FRT: 50, FCR: 50}), praised).composite == Decimal("90.00")


def test_golden_9_7_piece_pay(catalogue: Catalogue) -> None:
    pay = {
        "base_fen": 0,
        "piece": {
            "metric_id": "calls_inbound_handled", "baseline": 2000, "unit_rate_fen": 40, "quality_metric_id": QA,
        },
    }  # fmt: skip
    scores = SCORES | {QA: "92", "calls_inbound_handled": "2150"}
    found = outcome(catalogue, plan(GOLDEN, pay=pay), replace(person(scores=scores), worked_share=Decimal("0.9")))
    assert (found.bonus_fen, found.piece_fen, found.amount_fen) == (0, 15_400, 15_400)
    unheard = {name: value for name, value in found.person.metrics.items() if name != QA}
    assert (
        outcome(catalogue, plan({FRT: 50, FCR: 50}, pay=pay), replace(found.person, metrics=unheard)).piece_fen
        == 14_000
    )


def test_bonus_follows_knots_presence_and_pool(catalogue: Catalogue) -> None:
    made = plan({FRT: 50, FCR: 50}, pay={"base_fen": 100_000, "coef": [[60, 0], [70, "0.6"], [85, 1], [95, "1.2"]]})
    people = [
        person("a", {FRT: "85", FCR: "85"}),
        replace(person("b", {FRT: "90", FCR: "90"}), worked_share=Decimal("0.5")),
        person("c", {FRT: "40", FCR: "40"}),
    ]
    assert [one.amount_fen for one in outcomes(catalogue, made, people)] == [100_000, 55_000, 0]
    assert made.pay is not None
    pooled = made.model_copy(update={"pay": made.pay.model_copy(update={"pool": Pool(budget_fen=100_001)})})
    found = outcomes(catalogue, pooled, people)
    assert [one.amount_fen for one in found] == [64_517, 35_484, 0]
    assert sum(one.amount_fen or 0 for one in found) == 100_001


def counting(made: Plan, direction: str) -> Plan:
    body = made.model_dump(mode="json", by_alias=True)
    curve = {"kind": "linear", "floor": 0, "target": 20} | (
        {"floor": 20, "target": 0, "direction": "lower"} if direction == "lower" else {}
    )
    volume = next(entry for entry in body["metrics"] if entry["metric_id"] == VOLUME)
    volume |= {"curve": curve, "min_n": 5}
    return Plan.model_validate(body)


def test_none_of_what_is_counted_is_zero_and_no_lack_of_data(catalogue: Catalogue) -> None:
    """Invariant 15 from the first case on: a count of 0 has the weight of its metric, and least n is for ratios."""
    before = plan({FRT: 80, VOLUME: 20})

    def score(direction: str, count: int, *, closed: bool = True, is_measured: bool = True) -> Decimal | None:
        made = counting(before, direction)
        counted = Measured(
            n=count, raw=Decimal(count), scored=Decimal(count) if closed else None, is_measured=is_measured
        )
        who = replace(person(scores={FRT: "80"}), metrics={FRT: measured("80"), VOLUME: counted})
        return outcome(catalogue, made, who, before).composite

    assert [score("higher", count) for count in (0, 1, 5, 20)] == [64, 65, 69, 84]
    assert [score("lower", count) for count in (0, 1, 5, 20)] == [84, 83, 79, 64]
    # Not measured, exempt, or no work of the team's as the close found: the weight is passed on.
    assert {score(way, 0, is_measured=False) for way in ("higher", "lower")} == {80}
    assert score("higher", 0, closed=False) == 80


def test_without_a_score_the_last_composites_pay(catalogue: Catalogue) -> None:
    made = plan({FRT: 30, CSAT: 70}, pay={"base_fen": 100_000, "coef": [[60, 0], [80, 1]]})
    nobody = person(scores={FRT: "90", CSAT: "50"}, factors={CSAT: "0"})
    assert outcome(catalogue, made, nobody).coefficient == 1
    assert outcome(catalogue, made, replace(nobody, earlier=Decimal("70.00"))).amount_fen == 50_000
    neutral = made.model_copy(update={"insufficient_evidence_fallback": "neutral_coefficient"})
    assert outcome(catalogue, neutral, replace(nobody, earlier=Decimal("70.00"))).amount_fen == 100_000


@pytest.mark.parametrize(
    ("gate", "scored", "by_mean", "neutral"),
    [
        # Coefficients of 91.20 points, of a mean of 75.00 and of nothing, straight from 0 at 60 to 1 at 80.
        (None, "1", "0.75", "1"),
        # The best C is 69.99.
        ({"effect": "cap", "grade": "C"}, "0.4995", "0.4995", "0.4995"),
        ({"effect": "cap", "value": "65"}, "0.25", "0.25", "0.25"),
        ({"effect": "multiply", "value": "0.9"}, "1", "0.375", "0.9"),
        ({"effect": "zero"}, "0", "0", "0"),
        ({"effect": "cap", "grade": "S"}, "1", "0.75", "1"),
    ],
)
def test_gates_hold_for_the_coefficient_and_for_what_stands_in_for_a_score(
    catalogue: Catalogue, gate: dict[str, str] | None, scored: str, by_mean: str, neutral: str
) -> None:
    named = {"gate_id": "g", "fact_kind": "fact", "name": {"zh": "否", "en": "gate"}}
    gates = [named | gate] if gate else []
    pay = {"base_fen": 100_000, "coef": [[60, 0], [80, 1]]}
    both = plan({FRT: 50, FCR: 50}, gates=gates, pay=pay)
    caught = replace(person(scores={FRT: "91.2", FCR: "91.2"}), facts=(Fact("fact", DAY),))
    assert outcome(catalogue, both, caught).coefficient == Decimal(scored)
    thin = plan({FRT: 30, CSAT: 70}, gates=gates, pay=pay)
    nobody = replace(person(scores={FRT: "90", CSAT: "50"}, factors={CSAT: "0"}), facts=(Fact("fact", DAY),))
    assert outcome(catalogue, thin, replace(nobody, earlier=Decimal("75.00"))).coefficient == Decimal(by_mean)
    assert outcome(catalogue, thin, nobody).coefficient == Decimal(neutral)


def test_weight_without_a_metric_is_no_score_while_nobody_says_what_it_earns(catalogue: Catalogue) -> None:
    """Unknown is not 0: somebody of two plans whose cohort has no score of its own to take the middle of."""
    moved = replace(
        person(scores={FRT: "90", CSAT: "50"}, factors={CSAT: "0"}),
        share=Decimal("0.5"), other_points=Decimal(40), other_own_data=Decimal(50),
    )  # fmt: skip
    found = outcome(catalogue, plan({FRT: 30, CSAT: 70}), moved)
    assert (found.own_data, found.status, found.composite) == (Decimal("72.5"), "insufficient_evidence", None)


def test_who_was_there_too_little_stays_without_a_score(catalogue: Catalogue) -> None:
    made = plan(GOLDEN, pay={"base_fen": 100_000})
    found = outcome(catalogue, made, replace(person(), status="too_little_time", worked_share=Decimal("0.1")))
    assert (found.status, found.composite, found.bonus_fen) == ("too_little_time", None, 0)


def test_a_metric_that_was_not_evaluated_withholds_the_score(catalogue: Catalogue) -> None:
    who = person()
    blind = replace(who, metrics={**who.metrics, CSAT: replace(who.metrics[CSAT], factor=None)})
    found = outcome(catalogue, plan(GOLDEN, pay={"base_fen": 1}), blind)
    assert (found.status, found.amount_fen) == ("withheld", None)
    assert outcome(catalogue, plan({FRT: 50, FCR: 50}), blind, plan(GOLDEN)).status == "published"


def test_a_planted_change_moves_the_right_people(catalogue: Catalogue) -> None:
    """Weight from speed to satisfaction: who is fast loses, who satisfies wins, who is even stays (docs/plans.md)."""
    pay = {"base_fen": 200_000, "coef": [[60, 0], [70, "0.6"], [85, 1], [95, "1.2"]]}
    before = plan({FRT: 40, FCR: 40, CSAT: 20}, pay=pay)
    after = plan({FRT: 20, FCR: 40, CSAT: 40}, pay=pay)
    people = [
        person("fast", {FRT: "95", FCR: "80", CSAT: "60"}),
        person("kind", {FRT: "60", FCR: "80", CSAT: "95"}),
        person("even", {FRT: "80", FCR: "80", CSAT: "80"}),
    ]
    old, new = (outcomes(catalogue, made, people, before) for made in (before, after))
    assert [one.composite for one in old] == [Decimal("82.00"), Decimal("75.00"), Decimal("80.00")]
    assert [one.composite for one in new] == [Decimal("75.00"), Decimal("82.00"), Decimal("80.00")]
    assert [one.amount_fen for one in old] == [184_000, 146_667, 173_333]
    assert [one.amount_fen for one in new] == [146_667, 184_000, 173_333]


def test_a_new_curve_scores_the_closed_value(catalogue: Catalogue) -> None:
    before = plan({FRT: 50, FCR: 50})
    body = before.model_dump(mode="json", by_alias=True)
    body["metrics"][0]["curve"] = {"kind": "linear", "floor": 80, "target": 100}
    assert outcome(catalogue, Plan.model_validate(body), person(), before).composite == Decimal("65.00")


def test_a_stint_under_another_plan_keeps_its_points(catalogue: Catalogue) -> None:
    moved = replace(person(), share=Decimal("0.6"), other_points=Decimal("36"), other_own_data=Decimal(40))
    found = outcome(catalogue, plan({FRT: 50, FCR: 50}), moved)
    assert (found.composite, found.own_data) == (Decimal("87.00"), Decimal(100))


QUOTAS = {"S": "0", "A": "0.2", "B": "0.5", "C": "0", "D": "0.3"}


def placed(scores: str, half_width: str = "0") -> list[Person]:
    """People a, b, c ... with one score each, known to within as many points either way."""
    found = []
    for name, score in zip("abcdefghij", scores.split(), strict=False):
        width = Decimal(half_width)
        own = replace(measured(score), low=Decimal(score) - width, high=Decimal(score) + width, score_range=2 * width)
        found.append(replace(person(name), metrics={FRT: own}))
    return found


def test_forced_grades_follow_seats_ties_and_intervals(catalogue: Catalogue) -> None:
    """As the warehouse gives them (reliability.md 5.4): ties get the better grade, only clear distance the lowest."""
    made = plan({FRT: 100}, forced_distribution={"quotas": QUOTAS, "min_cohort": 10})

    def grades(people: list[Person]) -> str:
        return "".join(one.grade or "-" for one in outcomes(catalogue, made, people))

    spread = "99 98 90 89 88 87 86 60 59 58"
    assert grades(placed(spread)) == "AABBBBBDDD"
    # Two points either way do not reach those above, thirty do: then nobody is clearly the last.
    assert grades(placed(spread, "2")) == "AABBBBBDDD"
    assert grades(placed(spread, "30")) == "AABBBBBBBB"
    assert grades(placed("99 98 98 89 88 87 86 60 59 58")) == "AAABBBBDDD"
    assert grades(placed("80 " * 10)) == "AAAAAAAAAA"
    # Fewer people than the plan asks for: by the score alone.
    assert grades(placed(spread)[:9]) == "SSAAAAACD"


def test_a_gate_lowers_a_forced_grade_and_money_follows_the_score(catalogue: Catalogue) -> None:
    gate = {"gate_id": "g", "fact_kind": "fact", "effect": "cap", "grade": "C", "name": {"zh": "否", "en": "gate"}}
    pay = {"base_fen": 100_000, "coef": [[60, 0], [100, 1]]}
    made = plan({FRT: 100}, gates=[gate], pay=pay, forced_distribution={"quotas": QUOTAS, "min_cohort": 10})
    people = placed("99 98 90 89 88 87 86 60 59 58")
    people[0] = replace(people[0], facts=(Fact("fact", DAY),))
    found = outcomes(catalogue, made, people)
    assert [one.grade for one in found[:3]] == ["C", "A", "B"]
    assert [one.amount_fen for one in found] == [
        one.amount_fen for one in outcomes(catalogue, plan({FRT: 100}, gates=[gate], pay=pay), people)
    ]


def test_a_cap_with_more_decimals_is_published_like_a_score_before_it_pays(catalogue: Catalogue) -> None:
    gate = {"gate_id": "g", "fact_kind": "fact", "effect": "cap", "value": "84.995", "name": {"zh": "否", "en": "gate"}}
    pay = {"base_fen": 1_000_000, "coef": [[60, 0], [85, 1]]}
    people = placed("99")
    people[0] = replace(people[0], facts=(Fact("fact", DAY),))
    [found] = outcomes(catalogue, plan({FRT: 100}, gates=[gate], pay=pay), people)
    assert (found.composite, found.coefficient) == (Decimal("85.00"), Decimal(1))


def test_the_interval_of_a_composite_is_that_of_its_metrics(catalogue: Catalogue) -> None:
    who = replace(
        person(),
        metrics={
            FRT: replace(measured("80"), score_range=Decimal(12)),
            FCR: replace(measured("70"), score_range=Decimal(16)),
        },
        share=Decimal("0.5"), other_points=Decimal(40), other_variance=Decimal(9), other_own_data=Decimal(50),
    )  # fmt: skip
    # Halves of 0.25 x 12 and 0.25 x 16 points, and 3 of the other stint: the root of 2.25 + 4 + 9.
    assert outcome(catalogue, plan({FRT: 50, FCR: 50}), who).half_width == Decimal("15.25").sqrt()
    body = plan({FRT: 50, FCR: 50}).model_dump(mode="json", by_alias=True)
    body["metrics"][0]["curve"] = {"kind": "linear", "floor": 50, "target": 100}
    known = replace(who.metrics[FRT], low=Decimal(74), high=Decimal(86))
    who = replace(who, metrics={**who.metrics, FRT: known})
    # The ends of the interval lie 24 points apart on the new curve: the root of 9 + 4 + 9.
    steeper = outcome(catalogue, Plan.model_validate(body), who, plan({FRT: 50, FCR: 50}))
    assert steeper.half_width == Decimal(22).sqrt()


def test_order_of_people_changes_nothing(catalogue: Catalogue) -> None:
    """Invariant 5."""
    made = plan({FRT: 40, VOLUME: 10, CSAT: 50}, pay={"base_fen": 777, "pool": {"budget_fen": 1000}})
    people = [
        person(name, {FRT: score, VOLUME: "70", CSAT: "50"}, {CSAT: "0"})
        for name, score in (("a", "90"), ("b", "81"), ("c", "72"))
    ]
    found = {one.person.agent_key: one for one in outcomes(catalogue, made, people)}
    again = {one.person.agent_key: one for one in outcomes(catalogue, made, people[::-1])}
    assert found == again
    assert sum(one.amount_fen or 0 for one in found.values()) == 1000
