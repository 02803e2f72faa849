"""The weights and the no-benefit rule of the warehouse give the numbers of `kefu.statistics`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import jinja2
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from kefu.catalogue.defaults import WeightRules, load_defaults
from kefu.settings import PROJECT, Settings
from kefu.statistics.rounding import largest_remainder
from kefu.statistics.scoring import Confirmed, composite, kept_scores, neutral_score
from kefu.statistics.weights import EffectiveWeights, NullReason, WeightedMetric, effective_weights
from kefu.warehouse import Role, Warehouse

DEFAULTS = load_defaults(PROJECT / "config" / "defaults.yml")
# Both round to ten decimals; which metric takes the last digit differs, so that a product with a score may by 1e-8.
LAST_DIGITS = Decimal("1e-9")
OF_PRODUCTS = Decimal("1e-6")
generated = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

scores = st.decimals(0, 120, places=2)
trust = st.one_of(st.just(Decimal(1)), st.just(Decimal(0)), st.decimals("0.3", "0.8", places=4))


@dataclass(frozen=True)
class Case:
    """One metric of one agent. `rows` is whether its score rests on rows of the agent's own."""

    metric: WeightedMetric
    kind: str
    score: Decimal | None
    rows: bool
    finding: Confirmed | None

    def weighted(self, variant: str) -> WeightedMetric:
        """The metric as one of the three weighings of the warehouse sees it."""
        if variant == "unadjusted":
            return replace(self.metric, g=Decimal(1), agent_g=None, is_confirmed=self.finding is not None)
        return replace(self.metric, is_confirmed=variant == "adjusted" and self.finding is not None)


@dataclass(frozen=True)
class Cohort:
    """People of one plan: the cases of each by metric."""

    rules: WeightRules
    table: Mapping[str, Mapping[str, Decimal]] | None
    agents: Mapping[str, Mapping[str, Case]] = field(default_factory=dict)

    def weights(self, agent: str, variant: str) -> EffectiveWeights:
        """What the reference says of one agent."""
        metrics = [case.weighted(variant) for case in self.agents[agent].values()]
        return effective_weights(metrics, self.rules, self.table)

    def suspects(self) -> list[str]:
        """Who has a confirmed finding."""
        return [name for name, cases in self.agents.items() if any(case.finding for case in cases.values())]


@st.composite
def cohorts(draw: st.DrawFn) -> Cohort:
    """A plan of any scope, and people with gaps, little trust and confirmed findings."""
    raw = draw(st.lists(st.integers(5, 40), min_size=2, max_size=8))
    plan = largest_remainder({f"m{number}": Decimal(part) for number, part in enumerate(raw)}, 100, 2)
    kinds = {name: draw(st.sampled_from(["objective", "subjective", "mixed"])) for name in plan}
    dimensions = {name: draw(st.sampled_from(["speed", "quality", "workload"])) for name in plan}
    cohort_g = {name: draw(trust) if kinds[name] == "subjective" else Decimal(1) for name in plan}
    scope = draw(st.sampled_from(["dimension_first", "plan", "none", "table"]))
    table = None
    if scope == "table":
        table = {}
        for source in draw(st.sets(st.sampled_from(sorted(plan)), min_size=1)):
            others = st.sampled_from([name for name in sorted(plan) if name != source])
            shares = st.decimals("0.1", "0.5", places=1)
            table[source] = {to: draw(shares) for to in sorted(draw(st.sets(others, max_size=2)))}
    said = {
        "scope": scope, "cap": draw(st.sampled_from([Decimal(1), Decimal("1.25"), Decimal("1.5"), Decimal(3)])),
        "min_own_data": draw(st.sampled_from([40, 60])),
    }  # fmt: skip

    def case(name: str) -> Case:
        is_subjective = kinds[name] == "subjective"
        is_na = draw(st.sampled_from([False, False, False, True]))
        has_rows = not is_na and (not is_subjective or draw(st.booleans()))
        finding = None
        if draw(st.sampled_from([False, False, False, True])):
            low, middle = sorted((draw(scores), draw(scores)))
            every = draw(scores) if is_subjective else None
            finding = Confirmed(None, every, middle, low)
        metric = WeightedMetric(
            name, plan[name], dimensions[name], kinds[name] != "objective", cohort_g[name],
            NullReason.NOT_APPLICABLE if is_na else None, has_rows,
            draw(st.one_of(st.none(), trust)) if is_subjective else None,
        )  # fmt: skip
        score = None if is_na else draw(scores)
        if finding is not None and has_rows:
            finding = replace(finding, valid=score)
        return Case(metric, kinds[name], score, has_rows, finding)

    people = [f"a{number}" for number in range(draw(st.integers(1, 5)))]
    agents = {person: {name: case(name) for name in plan} for person in people}
    return Cohort(DEFAULTS.weights.model_copy(update=said), table, agents)


SCORED = {
    "period_id": "text", "plan_id": "text", "plan_version": "int", "cohort_key": "text", "agent_key": "text",
    "stint_share": "numeric", "metric_id": "text", "metric_version": "int", "dimension": "text", "metric_type": "text",
    "plan_weight": "numeric", "nominal_weight": "numeric", "weight_factor": "numeric", "cohort_factor": "numeric",
    "na_reason": "text", "is_kept": "boolean", "n": "bigint", "min_n": "int", "estimate_mode": "text",
    "raw_value": "numeric", "shrunk_value": "numeric", "scored_value": "numeric", "interval_low": "numeric",
    "interval_high": "numeric", "curve_id": "text", "curve_score": "numeric", "curve_score_low": "numeric",
    "curve_score_high": "numeric", "all_rows_score": "numeric", "cohort_median_score": "numeric",
    "cohort_low_score": "numeric", "finding": "text", "finding_zh": "text", "finding_en": "text",
    "reliability_zh": "text", "reliability_en": "text", "is_missed_exam": "boolean", "target_share": "numeric",
    "ramp_share": "numeric",
}  # fmt: skip
PLAN = {
    "plan_id": "text", "weights_scope": "text", "weights_cap": "numeric", "substitutions": "jsonb",
    "min_own_data": "numeric",
}  # fmt: skip
# What a weight and a score need nothing of.
EMPTY = {
    "stg_cfg__metric": {"metric_id": "text", "name_zh": "text", "name_en": "text"},
    "int_plan_agent": {
        "period_id": "text", "plan_id": "text", "plan_version": "int", "cohort_key": "text", "agent_key": "text",
        "stint_share": "numeric", "is_last_stint": "boolean",
    },
    "gate_effect": {
        "agent_key": "text", "fact_key": "text", "effect": "text", "points": "numeric", "state": "text",
        "business_date": "date", "reason_zh": "text", "reason_en": "text",
    },
}  # fmt: skip


def model(name: str) -> str:
    """The SQL of a model, which reads the relations that stand before it."""
    text = (PROJECT / "dbt_project/models/appraisal" / f"{name}.sql").read_text("utf-8")
    given = {"ref": lambda relation: relation, "current_config": lambda kind: f"select body from {kind}"}
    return jinja2.Environment(autoescape=False).from_string(text).render(given).replace("%", "%%")


def relation(name: str, columns: Mapping[str, str]) -> str:
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"{name} as (select * from jsonb_to_recordset(%({name})s) as given ({listed}))"


GIVEN = [relation("scored_metric", SCORED), relation("stg_cfg__plan", PLAN), relation("defaults", {"body": "jsonb"})]
GIVEN += [relation(name, columns) for name, columns in EMPTY.items()]
WEIGHTS = f"with {', '.join(GIVEN[:2])}, found as ({model('effective_weight')}) select * from found"
COMPONENTS = (
    f"with {', '.join(GIVEN)}, effective_weight as ({model('effective_weight')}),"
    f" found as ({model('score_component')}) select * from found"
)


def rows_of(cohort: Cohort) -> list[dict[str, Any]]:
    found = []
    for agent, cases in cohort.agents.items():
        for name, case in cases.items():
            metric, finding = case.metric, case.finding
            row = {
                "period_id": "p", "plan_id": "plan", "plan_version": 1, "cohort_key": "c", "agent_key": agent,
                "stint_share": 1, "metric_id": name, "dimension": metric.dimension, "metric_type": case.kind,
                "plan_weight": metric.weight, "nominal_weight": metric.weight, "weight_factor": metric.factor,
                "cohort_factor": metric.g, "na_reason": metric.null_reason, "is_kept": finding is not None,
                "n": 9 if case.rows else 0, "curve_score": case.score,
                "finding": None if finding is None else "confirmed",
                "all_rows_score": finding and finding.all_rows,
                "cohort_median_score": finding and finding.cohort_median,
                "cohort_low_score": finding and finding.cohort_low,
            }  # fmt: skip
            found.append({key: str(value) if isinstance(value, Decimal) else value for key, value in row.items()})
    return found


def of_sql(owner: psycopg.Connection, statement: str, cohort: Cohort) -> list[dict[str, Any]]:
    rules = cohort.rules
    table = [
        {"metric_id": source, "to": [{"metric_id": to, "share": str(share)} for to, share in receivers.items()]}
        for source, receivers in (cohort.table or {}).items()
    ]
    plan = {
        "plan_id": "plan", "weights_scope": rules.scope, "weights_cap": str(rules.cap), "substitutions": table,
        "min_own_data": str(rules.min_own_data),
    }  # fmt: skip
    given = {"scored_metric": rows_of(cohort), "stg_cfg__plan": [plan]}
    given["defaults"] = [{"body": {"score": {"bonus_malus": 5, "store_dp": 6}}}]
    parameters = {name: Jsonb(rows) for name, rows in (given | {name: [] for name in EMPTY}).items()}
    return owner.cursor(row_factory=dict_row).execute(statement.encode(), parameters).fetchall()


@pytest.fixture(scope="module")
def owner(settings: Settings) -> Iterator[psycopg.Connection]:
    with Warehouse(settings, "postgres").connect(Role.OWNER) as connection:
        yield connection


@generated
@given(cohorts())
def test_sql_and_python_give_the_same_weights(owner: psycopg.Connection, cohort: Cohort) -> None:
    found: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in of_sql(owner, WEIGHTS, cohort):
        found.setdefault((row["agent_key"], row["weight_variant"]), {})[row["metric_id"]] = row["effective_weight"]
    variants = {agent: ["adjusted", "unadjusted"] for agent in cohort.agents}
    for agent in cohort.suspects():
        variants[agent].append("unflagged")
    assert found.keys() == {(agent, variant) for agent, listed in variants.items() for variant in listed}
    for (agent, variant), weights in found.items():
        expected = cohort.weights(agent, variant)
        assert weights.keys() == expected.weights.keys()
        for name, weight in weights.items():
            assert abs(weight - expected.weights[name]) <= LAST_DIGITS, (agent, variant, name)
        assert abs(100 - sum(weights.values()) - expected.neutral) <= LAST_DIGITS


@generated
@given(cohorts())
def test_sql_and_python_let_no_finding_be_a_benefit(owner: psycopg.Connection, cohort: Cohort) -> None:
    """Invariant 7 beside the reference: what a finding leaves, and never more than without it."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in of_sql(owner, COMPONENTS, cohort):
        if row["is_adjusted"]:
            found.setdefault(row["agent_key"], {})[row["metric_id"]] = row

    def scores_of(agent: str) -> dict[str, Decimal]:
        return {name: case.score for name, case in cohort.agents[agent].items() if case.score is not None}

    unflagged = {agent: cohort.weights(agent, "unflagged") for agent in cohort.agents}
    neutral = neutral_score((unflagged[agent], scores_of(agent)) for agent in cohort.agents)
    for lines in found.values():
        if "neutral" in lines:
            earned = lines["neutral"]["curve_score"]
            assert (earned is None) is (neutral is None)
            assert neutral is None or abs(earned - neutral) <= LAST_DIGITS
    for agent in cohort.suspects():
        findings = {name: case.finding for name, case in cohort.agents[agent].items() if case.finding is not None}
        weights, own = cohort.weights(agent, "adjusted"), scores_of(agent)
        expected = kept_scores(weights, unflagged[agent], own, findings, neutral)
        for name, score in expected.items():
            given = found[agent][name]
            assert abs(given["effective_weight"] * given["curve_score"] - weights.weights[name] * score) <= OF_PRODUCTS
            assert given["has_own_data"]
        without = composite(unflagged[agent], own, neutral or Decimal(0), DEFAULTS.score)
        assert sum(line["points"] for line in found[agent].values()) <= without.value + OF_PRODUCTS
