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


def test_without_a_score_the_last_composites_pay(catalogue: Catalogue) -> None:
    made = plan({FRT: 30, CSAT: 70}, pay={"base_fen": 100_000, "coef": [[60, 0], [80, 1]]})
    nobody = person(scores={FRT: "90", CSAT: "50"}, factors={CSAT: "0"})
    assert outcome(catalogue, made, nobody).coefficient == 1
    assert outcome(catalogue, made, replace(nobody, earlier=Decimal("70.00"))).amount_fen == 50_000
    neutral = made.model_copy(update={"insufficient_evidence_fallback": "neutral_coefficient"})
    assert outcome(catalogue, neutral, replace(nobody, earlier=Decimal("70.00"))).amount_fen == 100_000


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
