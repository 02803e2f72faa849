"""From evidence to trust: runs `kefu.statistics` over the evidence models and writes `stats.*` (DESIGN 4.8)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from kefu.catalogue.defaults import Defaults
from kefu.catalogue.files import in_force
from kefu.catalogue.models import Plan
from kefu.pipeline.context import Platform, Scope
from kefu.statistics import reliability as trust
from kefu.statistics.agreement import krippendorff_alpha
from kefu.statistics.intervals import Interval, student, wilson
from kefu.statistics.shrinkage import Prior, mean_prior, share_prior, shrunk, signal_reliability
from kefu.warehouse import Role

# Rules whose exclusions speak against the instrument itself, not against a single row (reliability.md 3.2).
_INTEGRITY_RULES = {"V3", "V4", "V5", "V8", "V10", "V11"}
Rows = list[dict[str, Any]]


def estimate(platform: Platform, scope: Scope) -> int:
    """Writes the reliability of every subjective metric of the period's plans and each agent's estimate.

    Returns:
        Number of (metric, cohort) pairs estimated. A second run replaces the same rows by the same rows.
    """
    pairs = 0
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        defaults, plans, metrics, periods = (
            in_force(connection, kind, scope.period_start) for kind in ("defaults", "plan", "metric", "period")
        )
        for table in ("cohort_reliability", "agent_estimate"):
            connection.execute(
                sql.SQL("delete from {} where calc_id = %s").format(sql.Identifier("stats", table)), [scope.calc_id]
            )
        for plan_id in periods[scope.period_id].plan_ids:
            plan = plans[plan_id]
            agents = _fetch(connection, scope.schema("intermediate"), "int_plan_agent", plan_id)
            if not agents:
                # Nobody is judged by this plan, so there is nobody to estimate.
                continue
            for entry in plan.metrics:
                kind = metrics[entry.metric_id].reliability
                if kind == "rating":
                    _write(
                        connection,
                        scope,
                        entry.metric_id,
                        agents,
                        *_ratings(connection, scope, plan_id, agents, defaults["defaults"]),
                    )
                    pairs += 1
                elif kind == "review":
                    required = (entry.quota or 0) * len(agents)
                    found = _reviews(connection, scope, plan, agents, required, defaults["defaults"])
                    _write(connection, scope, entry.metric_id, agents, *found)
                    pairs += 1
    return pairs


def _fetch(connection: Connection, schema: str, relation: str, plan_id: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("select * from {} where plan_id = %s").format(sql.Identifier(schema, relation)), [plan_id]
        )
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _ratings(
    connection: Connection, scope: Scope, plan_id: str, agents: Rows, defaults: Defaults
) -> tuple[trust.Reliability, Prior, dict[str, tuple[int, float]], Interval, dict[str, Any]]:
    schema = scope.schema("appraisal")
    rows = _fetch(connection, schema, "evidence_rating", plan_id)
    eligible = _fetch(connection, schema, "evidence_eligible", plan_id)
    valid = [row for row in rows if row["is_valid_for_score"]]
    own = {
        agent["agent_key"]: (
            sum(row["agent_key"] == agent["agent_key"] for row in valid),
            float(sum(row["agent_key"] == agent["agent_key"] and row["is_top_box"] for row in valid)),
        )
        for agent in agents
    }
    invited = [row for row in eligible if row["is_invited"]]
    answered = [row for row in invited if row["is_answered"]]
    silent = [row for row in invited if not row["is_answered"]]
    imbalance = trust.largest_imbalance(_covariates(answered), _covariates(silent))
    found = trust.reliability(
        {
            trust.Part.RESPONSE: trust.f_resp(len(answered), len(invited), defaults.rho),
            trust.Part.BIAS: trust.f_bias(imbalance[1] if imbalance else None, None, defaults.rho),
            trust.Part.AGREEMENT: trust.NOT_APPLICABLE,
            trust.Part.CLEAN: trust.f_clean(_distrusted(rows), len(rows), defaults.rho),
            trust.Part.COVERAGE: trust.NOT_APPLICABLE,
        }
    )
    counts, tops = np.array([n for n, _ in own.values()]), np.array([x for _, x in own.values()])
    prior = share_prior(tops, counts, defaults.eb)
    details = {
        "invited": len(invited),
        "answered": len(answered),
        "largest_imbalance": imbalance[0] if imbalance else None,
        "excluded": len(rows) - len(valid),
    }
    return found, prior, own, wilson(tops, counts, defaults.interval.z), details


def _covariates(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "channel": pa.array([row["channel"] for row in rows], pa.string()),
            "wait_seconds": pa.array([_float(row["wait_seconds"]) for row in rows], pa.float64()),
            "duration_seconds": pa.array([_float(row["duration_seconds"]) for row in rows], pa.float64()),
            "is_transferred": pa.array([row["is_transferred"] for row in rows], pa.bool_()),
        }
    )


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _distrusted(rows: Rows) -> int:
    return sum(row["exclusion_rule"] in _INTEGRITY_RULES for row in rows)


def _reviews(
    connection: Connection, scope: Scope, plan: Plan, agents: Rows, required: int, defaults: Defaults
) -> tuple[trust.Reliability, Prior, dict[str, tuple[int, float]], Interval, dict[str, Any]]:
    rows = _fetch(connection, scope.schema("appraisal"), "evidence_review", plan.plan_id)
    valid = [row for row in rows if row["is_valid_for_score"]]
    scores = {
        agent["agent_key"]: sorted(
            float(row["review_score"]) for row in valid if row["agent_key"] == agent["agent_key"]
        )
        for agent in agents
    }
    pairs: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        if row["exclusion_rule"] is None:
            pairs.setdefault(row["conversation_key"], []).append((row["reviewer_key"], float(row["review_score"])))
    raters = sorted({rater for scored in pairs.values() for rater, _ in scored})
    doubles = {
        contact: dict(scored) for contact, scored in sorted(pairs.items()) if len({rater for rater, _ in scored}) > 1
    }
    table = [[scored.get(rater, math.nan) for rater in raters] for scored in doubles.values()]
    alpha = krippendorff_alpha(table, "interval") if table else math.nan
    obtained = sum(len(found) for found in scores.values())
    found = trust.reliability(
        {
            trust.Part.RESPONSE: trust.NOT_APPLICABLE,
            trust.Part.BIAS: trust.NOT_APPLICABLE,
            trust.Part.AGREEMENT: trust.f_agree(alpha, len(doubles), defaults.rho),
            trust.Part.CLEAN: trust.f_clean(_distrusted(rows), len(rows), defaults.rho),
            trust.Part.COVERAGE: trust.f_cover(obtained, required, defaults.rho),
        }
    )
    values = [score for agent in scores.values() for score in agent]
    units = np.array([key for key, agent in scores.items() for _ in agent])
    prior = mean_prior(values, units, defaults.eb)
    own = {key: (len(agent), math.fsum(agent)) for key, agent in scores.items()}
    means = [math.fsum(agent) / len(agent) if agent else math.nan for agent in scores.values()]
    deviations = [float(np.std(agent, ddof=1)) if len(agent) > 1 else 0.0 for agent in scores.values()]
    interval = student(means, deviations, [len(agent) for agent in scores.values()], defaults.interval.z)
    details = {
        "double_scored": len(doubles),
        "alpha": None if math.isnan(alpha) else round(alpha, 6),
        "reviews": obtained,
        "required": required,
    }
    return found, prior, own, interval, details


def _decimal(value: float | None) -> Decimal | None:
    """Returns ten decimals, which every machine computes alike; NaN is NULL."""
    return None if value is None or math.isnan(value) else round(Decimal(value), 10)


def _write(
    connection: Connection,
    scope: Scope,
    metric_id: str,
    agents: Rows,
    found: trust.Reliability,
    prior: Prior,
    own: dict[str, tuple[int, float]],
    interval: Interval,
    details: dict[str, Any],
) -> None:
    cohort = agents[0]["cohort_key"]
    counts = [n for n, _ in own.values()]
    totals = [total for _, total in own.values()]
    connection.execute(
        "insert into stats.cohort_reliability values"
        " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            scope.calc_id, scope.period_id, metric_id, cohort, sum(counts), len(agents),
            *(found.parts[part].value for part in trust.Part), found.rho, found.binding, _decimal(prior.mean),
            _decimal(prior.strength), prior.branch,
            Jsonb(details | {"basis": {part: found.parts[part].basis for part in trust.Part}, "units": prior.units}),
        ],
    )  # fmt: skip
    estimates = shrunk(totals, counts, prior)
    signals = signal_reliability(counts, prior)
    connection.cursor().executemany(
        "insert into stats.agent_estimate values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                scope.calc_id, scope.period_id, metric_id, cohort, agent, counts[i],
                _decimal(totals[i] / counts[i]) if counts[i] else None, _decimal(float(estimates[i])),
                _decimal(float(interval.low[i])), _decimal(float(interval.high[i])), _decimal(float(signals[i])),
            )
            for i, agent in enumerate(own)
        ],
    )  # fmt: skip
