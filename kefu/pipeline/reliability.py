"""From evidence to trust: runs `kefu.statistics` over the evidence models and writes `stats.*` (DESIGN 4.8)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from kefu.catalogue.defaults import Defaults
from kefu.catalogue.files import in_force
from kefu.catalogue.models import Metric, Period
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.transform import build, drop_schema, end_run, start_run
from kefu.statistics import reliability as trust
from kefu.statistics.agreement import gwet_ac1, icc_2_1, interval_alpha
from kefu.statistics.cohorts import Cohort, cohorts, lasting_key, seed_of
from kefu.statistics.intervals import Interval, student, wilson
from kefu.statistics.raters import is_connected
from kefu.statistics.response import Cells, largest_imbalance, rake
from kefu.statistics.shrinkage import (
    Prior,
    mean_prior_of,
    opened,
    share_prior,
    shrunk,
    signal_reliability,
)
from kefu.statistics.sums import Floats
from kefu.warehouse import Role

HISTORY = "history"
"""The calculation under which periods before the first close are remembered (`backfill`)."""

# The opinions of a plan's agents; of who changed plans those of the days that count for this one.
_OF_PLAN = """
    from {schema}.evidence_opinion as o
    inner join {intermediate}.int_plan_agent as a on a.agent_key = o.agent_key and a.plan_id = %(plan_id)s
    left join {intermediate}.int_plan_agent_day as d
        on d.agent_key = o.agent_key and d.business_date = o.business_date
    where coalesce(d.plan_id = a.plan_id, a.is_last_stint) and o.metric_id = any(%(metric_ids)s)
"""
_AGENTS = """
    select a.agent_key, a.cohort_key, a.worked_share * a.stint_share as hours_share
    from {intermediate}.int_plan_agent as a where a.plan_id = %(plan_id)s order by a.agent_key collate "C"
"""
_MOMENTS = (
    """
    select o.metric_id, o.agent_key, count(o.row_value) filter (where o.is_valid) as n,
        sum(o.row_value) filter (where o.is_valid) as total,
        sum(o.row_value * o.row_value) filter (where o.is_valid)
        - sum(o.row_value) filter (where o.is_valid) * sum(o.row_value) filter (where o.is_valid)
        / nullif(count(o.row_value) filter (where o.is_valid), 0) as deviation,
        count(*) as seen, count(*) filter (where o.is_distrusted) as distrusted,
        count(*) filter (where not o.is_valid and not o.is_second) as excluded
"""
    + _OF_PLAN
    + " and o.is_in_period group by o.metric_id, o.agent_key"
)
_BY_RATER = (
    """
    select o.metric_id, o.agent_key, o.rater_key, count(o.row_value) filter (where o.is_valid and o.is_in_period) as n
"""
    + _OF_PLAN
    + """
    and o.rater_key is not null and o.exclusion_rule is null and o.row_value is not null
    group by o.metric_id, o.agent_key, o.rater_key
"""
)
_DOUBLES = (
    """
    select scored.metric_id, scored.agent_key, scored.contact_key, scored.is_second, scored.row_value from (
        select distinct on (o.metric_id, o.contact_key, o.rater_key)
            o.metric_id, o.agent_key, o.contact_key, o.rater_key, o.is_second, o.row_value
"""
    + _OF_PLAN
    + """
        and o.rater_key is not null and o.exclusion_rule is null and o.row_value is not null
        order by o.metric_id, o.contact_key, o.rater_key, o.business_date desc, o.row_key collate "C" desc
    ) as scored
    inner join (
        select metric_id, contact_key from {schema}.evidence_opinion
        where rater_key is not null and exclusion_rule is null and row_value is not null
        group by metric_id, contact_key having count(distinct rater_key) > 1
    ) as doubles on scored.metric_id = doubles.metric_id and scored.contact_key = doubles.contact_key
    order by scored.metric_id, scored.contact_key collate "C", scored.is_second, scored.rater_key collate "C"
"""
)
# A source without a single answer of this kind does not ask for it.
_CELLS = """
    with answers as (
        select contact_key, avg(row_value) filter (where is_valid) as answer
        from {schema}.evidence_opinion where metric_id = %(metric_id)s and is_in_period group by contact_key
    ),
    asked as (select split_part(contact_key, ':', 1) as source_id from answers group by split_part(contact_key, ':', 1))
    select e.cohort_key, coalesce(e.is_invited, false) as is_invited, answers.answer is not null as is_answered,
        e.channel, e.issue_class as issue, e.is_solved::text as solved, e.is_negative::text as negative,
        e.is_transferred::text as transferred,
        width_bucket(e.wait_seconds::numeric, array[10, 30, 60, 180]::numeric[])::text as wait,
        width_bucket(e.duration_seconds::numeric, array[120, 300, 600, 1800]::numeric[])::text as duration,
        count(*) as size, coalesce(sum(answers.answer), 0) as total,
        count(e.wait_seconds) as waits, coalesce(sum(e.wait_seconds), 0) as wait_seconds,
        coalesce(sum(e.wait_seconds::numeric ^ 2), 0) as wait_squares,
        count(e.duration_seconds) as durations, coalesce(sum(e.duration_seconds), 0) as duration_seconds,
        coalesce(sum(e.duration_seconds::numeric ^ 2), 0) as duration_squares
    from {schema}.evidence_eligible as e
    inner join asked on split_part(e.conversation_key, ':', 1) = asked.source_id
    left join answers on e.conversation_key = answers.contact_key
    where e.plan_id = %(plan_id)s
    group by e.cohort_key, 2, 3, e.channel, e.issue_class, e.is_solved, e.is_negative, e.is_transferred, 9, 10
    order by e.cohort_key collate "C", 2, 3, e.channel, e.issue_class, e.is_solved, e.is_negative, e.is_transferred,
        9, 10
"""
_OFFERS = """
    select agent_key, count(*) as eligible, count(*) filter (where is_invited) as invited
    from {schema}.evidence_eligible where plan_id = %(plan_id)s group by agent_key
"""
_EARLIER = """
    with recent as (
        select period_id, period_end from payroll.closed_period where period_mode = %(mode)s
        union all
        select object_id, max((body ->> 'end')::date) from cfg.object_version
        where kind = 'period' and body ->> 'mode' = %(mode)s
            and object_id not in (select period_id from payroll.closed_period)
            and object_id in (select period_id from stats.agent_estimate where calc_id = %(history)s)
        group by object_id
    ),
    latest as (
        select period_id from recent where period_end < %(start)s::date order by period_end desc limit %(periods)s
    )
    select metric_id, cohort_key, n, total from payroll.closed_estimate
    where period_id in (select period_id from latest)
        and n > 0 and total is not null and metric_id = any(%(metric_ids)s)
    union all
    select metric_id, cohort_key, n, total from stats.agent_estimate
    where calc_id = %(history)s and period_id in (select period_id from latest)
        and period_id not in (select period_id from payroll.closed_period)
        and n > 0 and total is not null and metric_id = any(%(metric_ids)s)
"""
_ADJUSTMENTS = """
    select metric_id, rater_key, adjustment from stats.rater_profile where calc_id = %(calc_id)s and adjustment <> 0
"""
_ESTIMATE_COLUMNS = (
    "calc_id", "period_id", "metric_id", "cohort_key", "agent_key", "n", "raw_value", "shrunk_value", "interval_low",
    "interval_high", "own_signal", "total", "half_width", "f_prec", "f_offer", "rho_agent", "rater_adjustment",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """The answer of a query, column by column."""

    values: dict[str, NDArray[np.object_]]

    def __getitem__(self, name: str) -> NDArray[np.object_]:
        return self.values[name]

    def where(self, mask: NDArray[np.bool_]) -> _Columns:
        return _Columns({name: column[mask] for name, column in self.values.items()})

    def floats(self, name: str) -> Floats:
        """The column as floats, NULL as 0."""
        return np.array([0.0 if value is None else float(value) for value in self.values[name]], dtype=float)


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """Everything read for the subjective metrics of one plan; arrays of agents are in the order of `agents`."""

    agents: list[str]
    cohort_keys: list[str]
    hours_share: Floats
    moments: _Columns
    by_rater: _Columns
    doubles: _Columns
    cells: dict[str, _Columns]
    offers: _Columns
    earlier: _Columns
    adjustments: dict[tuple[str, str], float]


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """The valid rows of each agent: how many, their sum, squared distances from their mean; and rows of all kinds."""

    n: Floats
    total: Floats
    deviation: Floats
    seen: Floats
    distrusted: Floats
    excluded: Floats
    adjustment: Floats


def estimate(platform: Platform, scope: Scope) -> int:
    """Writes the reliability of every subjective metric of the period's plans and each agent's estimate.

    Returns:
        Number of (metric, cohort) pairs estimated. A second run replaces the same rows by the same rows.
    """
    pairs = 0
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found, plans, metrics, periods = (
            in_force(connection, kind, scope.period_start) for kind in ("defaults", "plan", "metric", "period")
        )
        defaults: Defaults = found["defaults"]
        for table in ("cohort_reliability", "agent_estimate"):
            connection.execute(
                sql.SQL("delete from {} where calc_id = %s").format(sql.Identifier("stats", table)), [scope.calc_id]
            )
        period: Period = periods[scope.period_id]
        for plan_id in period.plan_ids:
            quotas = {
                entry.metric_id: entry.quota or 0
                for entry in plans[plan_id].metrics
                if metrics[entry.metric_id].has_evidence
            }
            inputs = _read(connection, scope, period.mode, plan_id, {name: metrics[name] for name in quotas}, defaults)
            if not inputs.agents:
                # Nobody is judged by this plan, so there is nobody to estimate.
                continue
            for metric_id, quota in quotas.items():
                pairs += _estimate(connection, scope, metrics[metric_id], quota, inputs, defaults)
    return pairs


def backfill(platform: Platform, period_id: str, run_id: str) -> int:
    """Estimates a period before the first close, so that shrinkage can learn from it; returns agents' estimates kept.

    Nothing is scored, paid or closed. A second run replaces the same rows by the same rows.
    """
    scope = platform.scope(platform.period(period_id), f"calc_{period_id}_history")
    start_run(platform, run_id, "backfill", {"period_id": period_id})
    try:
        for layer in ("core", "kpi"):
            build(platform, scope, layer, run_id)
        estimate(platform, scope)
        kept = _remember(platform, scope)
        drop_schema(platform, scope)
    except BaseException:
        end_run(platform, run_id, "failed")
        raise
    end_run(platform, run_id, "succeeded")
    return kept


def _remember(platform: Platform, scope: Scope) -> int:
    """Keeps the counts and totals of a calculation as history, drops its estimates, and returns how many are kept."""
    given = {"history": HISTORY, "period_id": scope.period_id, "calc_id": scope.calc_id}
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "delete from stats.agent_estimate where calc_id = %(history)s and period_id = %(period_id)s", given
        )
        kept = connection.execute(
            "insert into stats.agent_estimate (calc_id, period_id, metric_id, cohort_key, agent_key, n, total)"
            " select %(history)s, period_id, metric_id, cohort_key, agent_key, n, total from stats.agent_estimate"
            " where calc_id = %(calc_id)s",
            given,
        ).rowcount
        connection.execute("delete from stats.agent_estimate where calc_id = %(calc_id)s", given)
        connection.execute("delete from stats.cohort_reliability where calc_id = %(calc_id)s", given)
    return kept


def _read(
    connection: Connection, scope: Scope, mode: str, plan_id: str, metrics: dict[str, Metric], defaults: Defaults
) -> _Inputs:
    given: dict[str, Any] = {
        "plan_id": plan_id,
        "metric_ids": sorted(metrics),
        "history": HISTORY,
        "mode": mode,
        "start": scope.period_start,
        "periods": defaults.eb.lookback_periods,
        "calc_id": scope.calc_id,
    }

    def fetch(query: str, **more: Any) -> _Columns:
        schemas = {
            "schema": sql.Identifier(scope.schema("appraisal")),
            "intermediate": sql.Identifier(scope.schema("intermediate")),
        }
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(query).format(**schemas), given | more)
            names = [column.name for column in cursor.description or ()]
            rows = cursor.fetchall()
        columns = np.empty((len(names), len(rows)), dtype=object)
        for position, column in enumerate(zip(*rows, strict=True) if rows else ()):
            columns[position] = column
        return _Columns(dict(zip(names, columns, strict=True)))

    agents = fetch(_AGENTS)
    rated = [name for name, metric in metrics.items() if metric.reliability == "rating"]
    adjustments = fetch(_ADJUSTMENTS)
    return _Inputs(
        agents=list(agents["agent_key"]),
        cohort_keys=list(agents["cohort_key"]),
        hours_share=agents.floats("hours_share"),
        moments=fetch(_MOMENTS),
        by_rater=fetch(_BY_RATER),
        doubles=fetch(_DOUBLES),
        cells={name: fetch(_CELLS, metric_id=name) for name in rated},
        offers=fetch(_OFFERS),
        earlier=fetch(_EARLIER),
        adjustments={
            (metric_id, rater): float(points)
            for metric_id, rater, points in zip(
                adjustments["metric_id"], adjustments["rater_key"], adjustments["adjustment"], strict=True
            )
        },
    )


def _spread(inputs: _Inputs, rows: _Columns, *names: str) -> list[Floats]:
    """Returns columns of rows by agent as arrays over all agents, 0 where an agent has no row."""
    place = {agent: index for index, agent in enumerate(inputs.agents)}
    at = np.array([place[agent] for agent in rows["agent_key"]], dtype=np.intp)
    spread = []
    for name in names:
        column = np.zeros(len(inputs.agents))
        column[at] = rows.floats(name)
        spread.append(column)
    return spread


def _own(inputs: _Inputs, metric_id: str) -> _Own:
    rows = inputs.moments.where(inputs.moments["metric_id"] == metric_id)
    n, total, deviation, seen, distrusted, excluded = _spread(
        inputs, rows, "n", "total", "deviation", "seen", "distrusted", "excluded"
    )
    adjustment = np.zeros(len(inputs.agents))
    place = {agent: index for index, agent in enumerate(inputs.agents)}
    given = inputs.by_rater.where(inputs.by_rater["metric_id"] == metric_id)
    for agent, rater, count in zip(given["agent_key"], given["rater_key"], given["n"], strict=True):
        if points := inputs.adjustments.get((metric_id, rater)):
            adjustment[place[agent]] -= points * count
    return _Own(n, total, np.maximum(deviation, 0), seen, distrusted, excluded, adjustment)


def _estimate(
    connection: Connection, scope: Scope, metric: Metric, quota: int, inputs: _Inputs, defaults: Defaults
) -> int:
    """Writes one metric for all cohorts of a plan; returns how many cohorts there are."""
    own = _own(inputs, metric.metric_id)
    total = own.total + own.adjustment
    interval = _interval(metric, own, total, defaults)
    if metric.reliability == "rating":
        eligible, invited = _spread(inputs, inputs.offers, "eligible", "invited")
        offered = trust.f_offer(invited, eligible, defaults.rho)
    else:
        offered = np.full(len(inputs.agents), np.nan)
    if metric.unit == "share":
        precise = trust.precision_of_share(interval.half_width, defaults.rho)
    else:
        precise = trust.precision_of_score(interval.half_width * float(metric.points_per_unit), defaults.rho)
    required = np.ceil(np.round(quota * inputs.hours_share, 6))
    groups = cohorts(inputs.cohort_keys, defaults.cohort.min_agents)
    for cohort in groups:
        found, details = _reliability(metric, cohort, own, required, inputs, scope, defaults)
        details["basis"] = {part: found.parts[part].basis for part in trust.Part}
        prior = _prior(metric, cohort, own, total, inputs, defaults)
        counts = own.n[cohort.basis]
        connection.execute(
            "insert into stats.cohort_reliability (calc_id, period_id, metric_id, cohort_key, n, agents, f_resp,"
            " f_bias, f_agree, f_clean, f_cover, rho, binding_component, cohort_mean, prior_strength, prior_basis,"
            " details, borrowed_from) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                scope.calc_id, scope.period_id, metric.metric_id, cohort.key, int(counts.sum()), len(cohort.basis),
                *(found.parts[part].value for part in trust.Part), found.rho, found.binding, _text(prior.mean),
                _text(prior.strength), prior.branch,
                Jsonb(details | {"units": prior.units}),
                cohort.borrowed_from,
            ],
        )  # fmt: skip
        one = cohort.members
        estimates = shrunk(total[one], own.n[one], prior)
        signals = signal_reliability(own.n[one], prior)
        with np.errstate(invalid="ignore", divide="ignore"):
            raw, moved = own.total[one] / own.n[one], own.adjustment[one] / own.n[one]
        trusted = np.fmin(precise[one], offered[one])
        rows = zip(
            (inputs.agents[index] for index in one), own.n[one].astype(int).tolist(), *map(_texts, (raw, estimates)),
            *(_texts(part[one]) for part in (interval.low, interval.high)), _texts(signals), _texts(own.total[one]),
            *(_texts(part) for part in (interval.half_width[one], precise[one], offered[one], trusted, moved)),
            strict=True,
        )  # fmt: skip
        _copy(connection, ((scope.calc_id, scope.period_id, metric.metric_id, cohort.key, *row) for row in rows))
    return len(groups)


def _interval(metric: Metric, own: _Own, total: Floats, defaults: Defaults) -> Interval:
    if metric.unit == "share":
        return wilson(np.clip(total, 0, own.n), own.n, defaults.interval.z)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / own.n
        spread = np.where(own.n > 1, np.sqrt(own.deviation / (own.n - 1)), 0.0)
    return student(mean, spread, own.n, defaults.interval.z)


def _prior(metric: Metric, cohort: Cohort, own: _Own, total: Floats, inputs: _Inputs, defaults: Defaults) -> Prior:
    basis = lasting_key(cohort.basis_key)
    keys = [lasting_key(key) for key in inputs.earlier["cohort_key"]]
    kept = np.array(
        [
            name == metric.metric_id and (key == basis or key.startswith(basis + "/"))
            for name, key in zip(inputs.earlier["metric_id"], keys, strict=True)
        ],
        dtype=bool,
    )
    past = inputs.earlier.where(kept)
    n, totals = own.n[cohort.basis], total[cohort.basis]
    if metric.unit == "share":
        prior = share_prior(
            np.concatenate([np.clip(totals, 0, n), past.floats("total")]),
            np.concatenate([n, past.floats("n")]),
            defaults.eb,
        )
    else:
        earlier = (past.floats("n"), past.floats("total"))
        prior = mean_prior_of(n, totals, own.deviation[cohort.basis], defaults.eb, earlier)
    if metric.opening is None:
        return prior
    observed = float(n.sum() + past.floats("n").sum())
    return opened(prior, observed, float(metric.opening.value), float(metric.opening.strength))


def _reliability(
    metric: Metric,
    cohort: Cohort,
    own: _Own,
    required: Floats,
    inputs: _Inputs,
    scope: Scope,
    defaults: Defaults,
) -> tuple[trust.Reliability, dict[str, Any]]:
    basis, rules = cohort.basis, defaults.rho
    parts = dict.fromkeys(trust.Part, trust.NOT_APPLICABLE)
    distrusted, seen = int(own.distrusted[basis].sum()), int(own.seen[basis].sum())
    parts[trust.Part.CLEAN] = trust.f_clean(distrusted, seen, rules)
    details: dict[str, Any] = {
        "rows": seen,
        "distrusted": distrusted,
        "excluded": int(own.excluded[basis].sum()),
    }
    if metric.reliability == "rating":
        cells = _cells(inputs.cells[metric.metric_id], cohort.basis_key)
        imbalance, raked = largest_imbalance(cells), rake(cells)
        shift = (raked.raked - raked.raw) * float(metric.points_per_unit)
        parts[trust.Part.RESPONSE] = trust.f_resp(cells.answered, cells.invited, rules)
        parts[trust.Part.BIAS] = trust.f_bias(
            imbalance[1] if imbalance else None, None if math.isnan(shift) else shift, rules
        )
        details |= {
            "eligible": int(cells.count.sum()),
            "invited": cells.invited,
            "answered": cells.answered,
            "largest_imbalance": imbalance[0] if imbalance else None,
            "smd": _number(imbalance[1]) if imbalance else None,
            "raw_mean": _number(raked.raw),
            "raked_mean": _number(raked.raked),
            "raked_shift_points": _number(shift),
            "spoken_for": _number(raked.covered),
        }
    else:
        agreed = _agreement(metric, cohort, inputs, scope, defaults)
        parts[trust.Part.AGREEMENT] = agreed[0]
        details |= agreed[1]
        # What one agent has above the quota does not stand for what another lacks.
        asked, obtained = int(required[basis].sum()), int(np.minimum(own.n, required)[basis].sum())
        parts[trust.Part.COVERAGE] = trust.f_cover(obtained, asked, rules)
        details |= {"required": asked, "obtained": obtained}
    return trust.reliability(parts), details


def _agreement(
    metric: Metric, cohort: Cohort, inputs: _Inputs, scope: Scope, defaults: Defaults
) -> tuple[trust.PartValue, dict[str, Any]]:
    """The agreement of those who score; yes and no by AC1, because alpha collapses when failures are rare."""
    names = {inputs.agents[index] for index in cohort.basis}
    mine = np.array([agent in names for agent in inputs.doubles["agent_key"]], dtype=bool)
    doubles = inputs.doubles.where(mine & (inputs.doubles["metric_id"] == metric.metric_id))
    contacts, values = doubles["contact_key"].astype(str), doubles.floats("row_value")
    seed = seed_of(metric.metric_id, cohort.basis_key, scope.period_id)
    alpha = interval_alpha(contacts, values, defaults.interval.z, seed)
    icc = icc_2_1(_first_and_second(contacts, values), defaults.interval.z)
    details: dict[str, Any] = {
        "double_scored": alpha.units,
        "alpha": _number(alpha.value),
        "alpha_low": _number(alpha.low),
        "alpha_high": _number(alpha.high),
        "icc": _number(icc.value),
        "icc_low": _number(icc.low),
        "icc_high": _number(icc.high),
    }
    value = alpha.value
    if metric.unit == "share":
        value = gwet_ac1(contacts, values)
        details["ac1"] = _number(value)
    part = trust.f_agree(value, alpha.units, defaults.rho)
    edges = inputs.by_rater
    edges = edges.where(
        np.array([agent in names for agent in edges["agent_key"]], dtype=bool)
        & (edges["metric_id"] == metric.metric_id)
    )
    details["is_connected"] = is_connected(edges["rater_key"].astype(str), edges["agent_key"].astype(str))
    if not details["is_connected"]:
        # One rater for one team: how strict the rater is cannot be told from how good the team is.
        part = trust.at_most(part, defaults.rho.unverified)
    return part, details


def _first_and_second(contacts: NDArray[np.str_], values: Floats) -> Floats:
    """The first two scores of each contact side by side; rows are sorted by contact, first scores before blind ones."""
    if len(contacts) == 0:
        return np.empty((0, 2))
    _, start, size = np.unique(contacts, return_index=True, return_counts=True)
    start = start[size >= 2]
    return np.column_stack([values[start], values[start + 1]])


def _cells(rows: _Columns, basis_key: str) -> Cells:
    kept = rows.where(
        np.array([key == basis_key or key.startswith(basis_key + "/") for key in rows["cohort_key"]], dtype=bool)
    )
    return Cells(
        levels={name: kept[name] for name in ("channel", "issue", "solved", "negative", "transferred")},
        bands={name: kept[name] for name in ("wait", "duration")},
        numbers={
            "wait_seconds": (kept.floats("waits"), kept.floats("wait_seconds"), kept.floats("wait_squares")),
            "duration_seconds": (
                kept.floats("durations"), kept.floats("duration_seconds"), kept.floats("duration_squares"),
            ),
        },
        is_invited=kept["is_invited"].astype(bool),
        is_answered=kept["is_answered"].astype(bool),
        count=kept.floats("size"),
        total=kept.floats("total"),
    )  # fmt: skip


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _text(value: float) -> str | None:
    """Returns ten decimals, which every machine computes alike; NaN is NULL."""
    return f"{value:.10f}" if math.isfinite(value) else None


def _texts(values: Floats) -> list[str | None]:
    return [_text(value) for value in values.tolist()]


def _copy(connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, _ESTIMATE_COLUMNS))
    statement = sql.SQL("copy stats.agent_estimate ({}) from stdin").format(columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
