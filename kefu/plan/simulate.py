"""Trying out a plan on closed periods: who wins, who loses, what it costs, and whether it treats groups alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from psycopg import Connection
from scipy.stats import kendalltau, t

from kefu.catalogue.defaults import Defaults
from kefu.catalogue.files import in_force
from kefu.catalogue.models import Metric, Period
from kefu.catalogue.plans import Plan
from kefu.payroll.login import Reader, fetch, reading, rows_on
from kefu.pipeline.context import Platform
from kefu.plan.rescore import Fact, Measured, Outcome, Person, Rules, rescore
from kefu.statistics.curves import Direction
from kefu.statistics.rounding import fen, half_up, largest_remainder
from kefu.statistics.shrinkage import Prior, share_prior, shrunk
from kefu.warehouse import WarehouseError

Row = dict[str, Any]

_PERIODS = """
    select c.period_id, c.period_start, c.period_end, c.period_mode
    from payroll.close as c
    join payroll.closed_period as p on c.period_id = p.period_id and c.version = p.version
    order by c.period_end desc, c.period_id
"""
_SCORES = "select * from payroll.closed_score where period_id = %(period_id)s order by agent_key"
_COMPONENTS = """
    select
        agent_key, plan_id, metric_id, nominal_weight, weight_factor, effective_weight, raw_value, n, scored_value,
        curve_score, points,
        coalesce((details ->> 'stint_share')::numeric, 1) as stint_share,
        (details ->> 'shrunk_value')::numeric as shrunk_value,
        (details ->> 'interval_low')::numeric as interval_low,
        (details ->> 'interval_high')::numeric as interval_high,
        (details ->> 'curve_score_range')::numeric as score_range,
        details ->> 'na_reason' as na_reason,
        details ->> 'finding' as finding,
        (details ->> 'has_own_data')::boolean as has_own_data
    from payroll.closed_component
    where period_id = %(period_id)s
"""
# The last three composites that were locked before, as a close takes them.
_EARLIER = """
    select agent_key, round(avg(composite), 2) as mean_composite
    from (
        select
            scored.agent_key,
            scored.composite,
            row_number() over (partition by scored.agent_key order by periods.period_end desc) as recency
        from payroll.closed_score as scored
        join payroll.closed_period as periods on scored.period_id = periods.period_id
        where scored.composite is not null and periods.period_mode = %(mode)s and periods.period_end < %(start)s
    ) as closed
    where recency <= 3
    group by agent_key
"""
# A period that is no longer calculated has its values by month; they hold when it is one.
_VALUES = """
    select distinct on (unit_key, metric_id)
        unit_key, metric_id, value, numerator, denominator, n, interval_low, interval_high, null_reason
    from pub_kpi.metric_value
    where
        unit_kind = 'agent' and channel = 'all' and metric_id = any(%(metric_ids)s)
        and (
            (period_kind = 'period' and period_id = %(period_id)s)
            or (period_kind = 'month' and period_start = %(start)s and period_end = %(end)s)
        )
    order by unit_key, metric_id, period_kind desc
"""
_FACTS = """
    select agent_key, fact_kind, business_date, points, metric_id from wh_core.fct_verified_fact
    where is_verified and business_date between %(start)s and %(end)s
"""
_PEOPLE = """
    with shifts as (
        select
            agent_key,
            avg((extract(hour from shift_start at time zone %(zone)s) between 6 and 17)::int) as day_share
        from wh_intermediate.int_shift
        where shift_date between %(start)s and %(end)s
        group by agent_key
    ),
    people as (
        select distinct on (employee_number) employee_number, hire_date
        from wh_staging.stg_tabular__employee
        order by employee_number, source_id
    )
    select
        coalesce(people.employee_number, shifts.agent_key) as agent_key,
        people.hire_date,
        extract(year from age(%(start)s::date, people.hire_date)) * 12
        + extract(month from age(%(start)s::date, people.hire_date)) as months,
        shifts.day_share
    from people
    full join shifts on people.employee_number = shifts.agent_key
"""


class CannotSimulate(WarehouseError):
    """A plan cannot be tried out; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Change:
    """One person under both plans. `before` is what was closed, money by the plan in force."""

    before: Outcome
    after: Outcome

    @property
    def person(self) -> Person:
        """Who it is."""
        return self.before.person

    @property
    def points(self) -> Decimal | None:
        """Published points won (or lost); None when one of the two has none."""
        if self.before.composite is None or self.after.composite is None:
            return None
        return self.after.composite - self.before.composite

    @property
    def fen(self) -> int | None:
        """Money won (or lost); None when one of the plans pays nothing or nothing was due."""
        if self.before.amount_fen is None or self.after.amount_fen is None:
            return None
        return self.after.amount_fen - self.before.amount_fen


@dataclass(frozen=True, slots=True)
class GroupEffect:
    """How much more a group wins than everybody else, in points, with a 95 % interval; NaN where too few are known."""

    kind: str
    group: str
    people: int
    mean_points: float
    difference: float
    low: float
    high: float

    @property
    def is_unlike(self) -> bool:
        """Whether the interval leaves out no difference."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Simulation:
    """One closed period under the proposed plan.

    Attributes:
        replaced: the plan that was in force.
        mismatched: people whose closed composite the plan in force does not give again; empty unless data moved.
        unmeasured: metrics of the plan without a stored value in this period; they count as N/A.
        tau: rank correlation of the composites (Kendall's tau-b); NaN with fewer than two people.
    """

    period_id: str
    replaced: Plan
    proposed: Plan
    changes: tuple[Change, ...]
    mismatched: tuple[str, ...]
    unmeasured: tuple[str, ...]
    tau: float
    groups: tuple[GroupEffect, ...]

    @property
    def regraded(self) -> int:
        """Number of people whose grade changes, those who gain or lose one included."""
        return sum(change.before.grade != change.after.grade for change in self.changes)

    def cost(self, team: str | None = None) -> tuple[int, int]:
        """Returns what a team, or everybody, costs in fen before and after."""
        chosen = [change for change in self.changes if team in (None, change.person.team_key)]
        return (
            sum(change.before.amount_fen or 0 for change in chosen),
            sum(change.after.amount_fen or 0 for change in chosen),
        )

    def by_goal(self, *, proposed: bool = True) -> dict[str, int]:
        """Returns bonus money in fen by strategic goal, each person's in proportion to the points it was made of.

        Points of weight without a metric, and bonuses without a score, are under `none`.
        """
        plan = self.proposed if proposed else self.replaced
        goals = {entry.metric_id: entry.strategic_goal or "none" for entry in plan.metrics}
        found: dict[str, int] = {}
        for change in self.changes:
            outcome = change.after if proposed else change.before
            points: dict[str, Decimal] = {}
            for name, line in outcome.lines.items():
                goal = goals.get(name, "none")
                points[goal] = points.get(goal, Decimal(0)) + line
            if not any(points.values()):
                points = {"none": Decimal(1)}
            for goal, part in largest_remainder(points, outcome.bonus_fen or 0).items():
                found[goal] = found.get(goal, 0) + int(part)
        return found

    @property
    def teams(self) -> list[str]:
        """Teams in the period."""
        return sorted({change.person.team_key for change in self.changes})


def simulate(
    platform: Platform, who: Reader, plan: Plan, periods: int = 1, instead_of: str | None = None
) -> list[Simulation]:
    """Returns what a plan would have made of the latest closed periods, the newest first.

    Args:
        platform: installation whose closed periods are read; nothing but the access log is written.
        who: who reads them, and what for.
        plan: a valid plan, from a file or as applied.
        periods: how many closed periods at most.
        instead_of: id of the plan that is replaced; the plan of the same id, else the only one of the period.

    Raises:
        CannotSimulate: nothing is closed, or it is not clear which plan is replaced.
    """
    found = fetch(platform, _PERIODS)[:periods]
    if not found:
        raise CannotSimulate("no period is closed. Remedy: close one with `kefu period close`")
    done = []
    for row in found:
        with reading(platform, who, "payroll.closed_score", row["period_id"]) as reader:
            reader.execute("set transaction isolation level repeatable read read only")
            done.append(_simulate(platform, reader, plan, row, instead_of))
    return done


def _simulate(platform: Platform, reader: Connection, plan: Plan, period: Row, instead_of: str | None) -> Simulation:
    first = period["period_start"].isoformat()
    metrics: dict[str, Metric] = platform.catalogue.metrics | in_force(reader, "metric", first)
    defaults: Defaults = in_force(reader, "defaults", first)["defaults"]
    declared: Period = in_force(reader, "period", first)[period["period_id"]]
    plans: dict[str, Plan] = in_force(reader, "plan", first)
    replaced = plans[_replaced(plan, declared, instead_of)]
    given = {
        "period_id": period["period_id"], "mode": period["period_mode"], "start": period["period_start"],
        "end": period["period_end"],
    }  # fmt: skip
    hired = rows_on(reader, _PEOPLE, given | {"zone": platform.catalogue.site.time_zone})
    known = {row["agent_key"]: row for row in hired}
    people, unmeasured = _people(reader, replaced, plan, given, known, metrics, defaults)
    old = Rules(replaced, replaced, period["period_start"], metrics, defaults)
    new = Rules(plan, replaced, period["period_start"], metrics, defaults)
    try:
        again, proposed = rescore(people, old), rescore(people, new)
    except ValueError as error:
        raise CannotSimulate(f"plan {plan.plan_id}: {error}") from error
    changes = tuple(Change(_as_closed(one), after) for one, after in zip(again, proposed, strict=True))
    return Simulation(
        period["period_id"], replaced, plan, changes,
        tuple(one.person.agent_key for one in again if one.composite != one.person.closed_composite),
        unmeasured, _tau(changes),
        tuple(_groups(known, changes)),
    )  # fmt: skip


def _replaced(plan: Plan, period: Period, instead_of: str | None) -> str:
    wanted = instead_of or (plan.plan_id if plan.plan_id in period.plan_ids else None)
    if wanted is None and len(period.plan_ids) == 1:
        wanted = period.plan_ids[0]
    if wanted not in period.plan_ids:
        raise CannotSimulate(
            f"period {period.period_id} was closed with {', '.join(period.plan_ids)} and it is not clear which of them "
            f"{plan.plan_id} replaces. Remedy: say it with --instead-of"
        )
    return wanted


def _people(
    reader: Connection, replaced: Plan, plan: Plan, given: Row, known: dict[str, Row], metrics: dict[str, Metric],
    defaults: Defaults,
) -> tuple[list[Person], tuple[str, ...]]:  # fmt: skip
    """Returns everybody who was scored by the replaced plan, and the metrics without any stored value."""
    components: dict[str, dict[str, Row]] = {}
    others: dict[str, list[Row]] = {}
    for row in rows_on(reader, _COMPONENTS, given):
        if row["plan_id"] == replaced.plan_id:
            components.setdefault(row["agent_key"], {})[row["metric_id"]] = row
        else:
            others.setdefault(row["agent_key"], []).append(row)
    earlier = {row["agent_key"]: row["mean_composite"] for row in rows_on(reader, _EARLIER, given)}
    needed = {entry.metric_id for one in (replaced, plan) for entry in one.metrics}
    for one in (replaced, plan):
        if one.pay and one.pay.piece:
            needed |= {one.pay.piece.metric_id, one.pay.piece.quality_metric_id}
    scores = [row for row in rows_on(reader, _SCORES, given) if row["agent_key"] in components]
    teams = {
        row["agent_key"]: _weight_team(replaced, given["start"], components[row["agent_key"]], row["team_key"])
        for row in scores
    }
    rising = {
        entry.metric_id
        for entry in plan.metrics
        if metrics[entry.metric_id].is_count and getattr(entry.curve, "direction", None) is not Direction.LOWER
    }
    stored = _stored(reader, sorted(needed), metrics, defaults, given, teams, rising)
    facts: dict[str, list[Fact]] = {}
    if _exists(reader, "wh_core.fct_verified_fact"):
        for row in rows_on(reader, _FACTS, given):
            sign = {"bonus": 1, "malus": -1}.get(row["fact_kind"], 0)
            points = sign * (row["points"] or Decimal(0))
            fact = Fact(row["fact_kind"], row["business_date"], points, row["metric_id"])
            facts.setdefault(row["agent_key"], []).append(fact)
    found = []
    for row in scores:
        agent = row["agent_key"]
        # Who ended the period under another plan is judged and paid by that one.
        if row["plan_id"] != replaced.plan_id:
            continue
        own = {name: _measured(part) for name, part in components[agent].items() if name in metrics}
        values = {name: stored[agent, name] for name in needed if name not in own and (agent, name) in stored}
        hired = known.get(agent, {})
        share = next(iter(components[agent].values()))["stint_share"]
        base = replaced.pay.base_fen if replaced.pay else 0
        found.append(
            Person(
                agent_key=agent,
                agent_name=row["agent_name"] or agent,
                team_key=row["team_key"] or "",
                weight_team=teams[agent],
                cohort_key=row["cohort_key"] or "",
                status=row["status"],
                metrics=own | values,
                share=share,
                other_points=sum((part["points"] for part in others.get(agent, ())), Decimal(0)),
                other_variance=sum((_own_variance(part) for part in others.get(agent, ())), Decimal(0)),
                other_own_data=sum((_own_weight(part) for part in others.get(agent, ())), Decimal(0)),
                other_base_fen=0 if share == 1 else (row["base_fen"] or 0) - fen(base * share),
                worked_share=Decimal(1) if row["worked_share"] is None else row["worked_share"],
                hired_on=hired.get("hire_date"),
                ramp_months=None if hired.get("months") is None else max(0, int(hired["months"])),
                facts=tuple(facts.get(agent, ())),
                earlier=earlier.get(agent),
                adjustment_fen=row["adjustment_fen"] or 0,
                closed_composite=row["composite"],
                closed_grade=row["grade"],
                closed_amount_fen=_due(row),
            )
        )
    measured = {
        name
        for person in found
        for name, value in person.metrics.items()
        if value.is_measured and (value.n or metrics[name].is_count)
    }
    return found, tuple(entry.metric_id for entry in plan.metrics if entry.metric_id not in measured)


def _exists(connection: Connection, table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", [table]).fetchone()
    return bool(row and row[0])


def _weight_team(plan: Plan, day: date, components: dict[str, Row], team: str | None) -> str | None:
    """Returns the team whose weights were closed: the one of the most hours, which is not always the last one."""
    closed = {name: row["nominal_weight"] for name, row in components.items() if row["nominal_weight"]}
    for name in (team, None, *(overlay.team_id for overlay in plan.overlays)):
        if plan.weights_on(day, name) == closed:
            return name
    return team


def _own_weight(row: Row) -> Decimal:
    return Decimal(row["effective_weight"] * row["stint_share"]) if row["has_own_data"] else Decimal(0)


def _own_variance(row: Row) -> Decimal:
    return Decimal(row["effective_weight"] * row["stint_share"] * (row["score_range"] or 0) / 200) ** 2


def _due(row: Row) -> int | None:
    """Returns what was due, also where a part of it is held."""
    if row["amount_fen"] is None:
        return None
    return sum(row[line] or 0 for line in ("bonus_fen", "piece_fen", "adjustment_fen"))


def _measured(row: Row) -> Measured:
    return Measured(
        n=row["n"],
        raw=row["raw_value"],
        estimate=row["scored_value"] if row["shrunk_value"] is None else row["shrunk_value"],
        scored=row["scored_value"],
        score=row["curve_score"],
        factor=row["weight_factor"],
        low=row["interval_low"],
        high=row["interval_high"],
        score_range=row["score_range"],
        is_measured=row["na_reason"] not in ("not_measured", "exempt", "long_leave"),
        is_kept=row["finding"] == "confirmed" and row["curve_score"] is not None,
    )


def _stored(
    connection: Connection, metric_ids: Sequence[str], metrics: dict[str, Metric], defaults: Defaults, given: Row,
    teams: Mapping[str, str | None], rising: Collection[str],
) -> dict[tuple[str, str], Measured]:  # fmt: skip
    """Returns stored values of metrics the replaced plan did not score, subjective ones drawn to the mean of all.

    A `rising` count that nobody of the agent's team has is no work of theirs, as in a close.
    """
    found: dict[tuple[str, str], Measured] = {}
    rows = [
        row
        for row in rows_on(connection, _VALUES, given | {"metric_ids": list(metric_ids)})
        if row["unit_key"] in teams
    ]
    done = {(teams[row["unit_key"]], row["metric_id"]) for row in rows if row["n"]}
    for name in metric_ids:
        own = [row | {"raw": _raw(row, metrics[name])} for row in rows if row["metric_id"] == name]
        estimates = _estimates(own, defaults) if metrics[name].metric_type == "subjective" else [None] * len(own)
        for row, estimate in zip(own, estimates, strict=True):
            found[row["unit_key"], name] = Measured(
                n=row["n"],
                raw=row["raw"],
                estimate=estimate,
                low=row["interval_low"],
                high=row["interval_high"],
                is_measured=row["null_reason"] not in ("not_measured", "source_missing", "exempt")
                and (name not in rising or (teams[row["unit_key"]], name) in done),
            )
    return found


def _raw(row: Row, metric: Metric) -> Decimal | None:
    """Returns the value also where it is not published for having too few cases, since a plan may ask for fewer."""
    if metric.kind == "ratio" and row["numerator"] is not None and row["denominator"]:
        return Decimal(row["numerator"]) / Decimal(row["denominator"]) * metric.scale
    found: Decimal | None = row["numerator"] if metric.kind == "sum" else row["value"]
    return found


def _estimates(rows: Sequence[Row], defaults: Defaults) -> list[Decimal | None]:
    """Returns each agent's value drawn to the mean of all; what single rows would tell is not stored with a close."""
    counts = np.array([float(row["n"] or 0) for row in rows])
    totals = np.array([float((row["raw"] or 0) * (row["n"] or 0)) for row in rows])
    if not counts.sum():
        return [None] * len(rows)
    is_share = bool((totals <= counts).all())
    prior = share_prior(totals, counts, defaults.eb) if is_share else None
    if prior is None:
        mean = float(totals.sum() / counts.sum())
        prior = Prior(mean, defaults.eb.K_fallback, len(rows), share_prior([], [], defaults.eb).branch)
    return [half_up(Decimal(repr(float(value))), 10) for value in shrunk(totals, counts, prior)]


def _as_closed(outcome: Outcome) -> Outcome:
    """Returns the outcome with what was closed in place of what is calculated here."""
    person = outcome.person
    return replace(
        outcome, composite=person.closed_composite, grade=person.closed_grade, status=person.status,
        amount_fen=outcome.amount_fen if person.closed_amount_fen is None else person.closed_amount_fen,
    )  # fmt: skip


def _tau(changes: Iterable[Change]) -> float:
    both = [
        (float(change.before.composite), float(change.after.composite))
        for change in changes
        if change.before.composite is not None and change.after.composite is not None
    ]
    if len(both) < 2:
        return float("nan")
    return float(kendalltau([before for before, _ in both], [after for _, after in both]).statistic)


def _groups(known: dict[str, Row], changes: Sequence[Change]) -> Iterator[GroupEffect]:
    def tenure(agent: str) -> str | None:
        months = known.get(agent, {}).get("months")
        if months is None:
            return None
        return "under_3_months" if months < 3 else "3_to_12_months" if months < 12 else "over_12_months"

    def shift(agent: str) -> str | None:
        share = known.get(agent, {}).get("day_share")
        return None if share is None else "day_shift" if share >= Decimal("0.5") else "night_shift"

    for kind, group_of in (("shift", shift), ("tenure", tenure)):
        points: dict[str, list[float]] = {}
        for change in changes:
            group = group_of(change.person.agent_key)
            if group is not None and change.points is not None:
                points.setdefault(group, []).append(float(change.points))
        for group, own in sorted(points.items()):
            others = [value for name, values in points.items() if name != group for value in values]
            yield _effect(kind, group, own, others)


def _effect(kind: str, group: str, own: Sequence[float], others: Sequence[float]) -> GroupEffect:
    """Returns the difference of two means with Welch's interval."""
    mean = float(np.mean(own))
    nan = float("nan")
    if len(own) < 2 or len(others) < 2:
        return GroupEffect(kind, group, len(own), mean, nan, nan, nan)
    spread = [float(np.var(part, ddof=1)) / len(part) for part in (own, others)]
    difference = mean - float(np.mean(others))
    error = sum(spread) ** 0.5
    if error == 0:
        return GroupEffect(kind, group, len(own), mean, difference, difference, difference)
    freedom = sum(spread) ** 2 / (spread[0] ** 2 / (len(own) - 1) + spread[1] ** 2 / (len(others) - 1))
    half = float(t.ppf(0.975, freedom)) * error
    return GroupEffect(kind, group, len(own), mean, difference, difference - half, difference + half)


HEADINGS = (
    "period_id", "agent_key", "agent_name", "team_key", "status_before", "status_after", "composite_before",
    "composite_after", "composite_change", "grade_before", "grade_after", "amount_before_fen", "amount_after_fen",
    "amount_change_fen",
)  # fmt: skip


def as_csv(simulations: Iterable[Simulation]) -> str:
    """Returns one line per period and agent; what there is not is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    for simulation in simulations:
        for change in simulation.changes:
            before, after, person = change.before, change.after, change.person
            writer.writerow(
                "" if cell is None else cell
                for cell in (
                    simulation.period_id, person.agent_key, person.agent_name, person.team_key, before.status,
                    after.status, before.composite, after.composite, change.points, before.grade, after.grade,
                    before.amount_fen, after.amount_fen, change.fen,
                )
            )  # fmt: skip
    return text.getvalue()
