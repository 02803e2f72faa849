"""Everything behind a score, read from the models of a calculation in a few set-based queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from psycopg import Connection, sql
from psycopg.rows import dict_row

from kefu.catalogue.files import Catalogue, in_force
from kefu.catalogue.models import Period
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.metrics import counted_days
from kefu.warehouse import Role, WarehouseError

Row = dict[str, Any]
PERCENTILES = (10, 25, 50, 75, 90)
FEWEST_PEERS = 5
"""With fewer people than this a distribution would tell who has what (features.md N23)."""


@dataclass(frozen=True)
class Appraisal:
    """One person's score of one period with all that led to it.

    Attributes:
        score: the row of `score`; `payment` that of `payment`, None for a plan without pay.
        components: rows of `score_component` with trust; each also has the weight and points without it.
        excluded: rows of `row_finding` that left a rating, review or day of attendance out or changed a rating.
        attendance: counted days of the period in `fct_attendance` with time missing, a late begin or an early end.
        facts: rows of `gate_effect`: verified facts that stop, lower or raise the score, and those that may.
        findings: rows of `integrity_finding` that are suspected or confirmed.
        coaching: open items of `coaching_queue`; `comments` of managers on a day of the period.
        history: sealed scores of earlier periods, oldest first.
        peers: percentiles 10 to 90 of the points by (plan, metric) over the peer group, and of the composite under
            (plan, ""); new hires are a group of their own (reliability.md 6.1); missing for fewer than five people.
        counted: by metric the first and last day that count, where they are not those of the period.
    """

    score: Row
    payment: Row | None
    components: list[Row]
    excluded: list[Row] = field(default_factory=list)
    attendance: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    coaching: list[Row] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    peers: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    counted: dict[str, tuple[date, date]] = field(default_factory=dict)


def load(reader: Connection, scope: Scope, agents: Sequence[str] | None = None) -> dict[str, Appraisal]:
    """Returns the appraisals of a calculation by personnel number, in its order; of some people or of all.

    `reader` is the connection of `kefu.payroll.reading`, which has recorded who reads them.

    Raises:
        WarehouseError: nothing is scored in that period, or one of the people is not.
    """
    tables = _Tables(reader, scope)
    scores = {row["agent_key"]: row for row in tables.rows("score", "agent_key")}
    if not scores:
        raise WarehouseError(f"nobody is scored in {scope.period_id}. Remedy: run `kefu run`, then ask again")
    if unknown := sorted(set(agents or ()) - set(scores)):
        raise WarehouseError(
            f"found {', '.join(unknown)}, expected people scored in {scope.period_id} such as {min(scores)}. "
            "Remedy: use the personnel number"
        )
    payments = {row["agent_key"]: row for row in tables.rows("payment", "agent_key")}
    components = [
        row
        for row in tables.rows("score_component", "agent_key, plan_id, nominal_weight desc, metric_id")
        if row["is_adjusted"]
    ]
    excluded = _by_agent(
        row for row in tables.rows("row_finding", "agent_key, business_date, row_key") if row["severity"] != "mark"
    )
    attendance = _by_agent(tables.attendance())
    facts = _by_agent(tables.rows("gate_effect", "agent_key, business_date, fact_key, gate_id"))
    findings = _by_agent(
        row
        for row in tables.rows("integrity_finding", "agent_key, metric_id, rule_id")
        if row["state"] in ("suspected", "confirmed")
    )
    coaching = _by_agent(tables.rows("coaching_queue", "agent_key, metric_id"))
    comments = _by_agent(tables.comments())
    history = _by_agent(
        tables.query(
            "select s.agent_key, s.period_id, s.composite, s.grade from payroll.closed_score as s"
            " join payroll.closed_period as c on s.period_id = c.period_id"
            " where c.period_mode = %(mode)s and c.period_end < %(period_start)s::date"
            " order by c.period_end, s.period_id",
            mode=next(iter(scores.values()))["period_mode"],
        )
    )
    start, end = date.fromisoformat(scope.period_start), date.fromisoformat(scope.period_end)
    counted = counted_days(reader, start, end, scope.schema("intermediate"))
    lines = _by_agent(components)
    peers = _peers(scores, components)
    return {
        agent: Appraisal(
            scores[agent],
            payments.get(agent),
            lines[agent],
            excluded[agent],
            attendance[agent],
            facts[agent],
            findings[agent],
            coaching[agent],
            comments[agent],
            history[agent],
            peers[scores[agent]["peer_group_key"]],
            counted,
        )
        for agent in (agents or scores)
    }


def scope_of(platform: Platform, period: Period) -> Scope:
    """Returns the calculation of a period that is there: that of its close while it is open, else the live line.

    Raises:
        WarehouseError: the live line stands on another period and no close of this one is open.
    """
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        open_close = connection.execute(
            "select nspname from pg_namespace where nspname ~ %s order by length(nspname) desc, nspname desc limit 1",
            [f"^calc_{period.period_id}_v[0-9]+$"],
        ).fetchone()
        if open_close:
            return platform.scope(period, str(open_close[0]))
        live = connection.execute(
            "select period_id from ops.publication order by publication_id desc limit 1"
        ).fetchone()
    if live is None or live[0] != period.period_id:
        raise WarehouseError(
            f"the models stand on {live[0] if live else 'no period yet'}, not on {period.period_id}. Remedy: run that "
            "period; `kefu reports` says where the cards of a locked one are"
        )
    return platform.scope(period)


def catalogue_of(platform: Platform, period: Period) -> Catalogue:
    """Returns the catalogue with plans, metrics and defaults as they were when the period began.

    A score is explained by what it was calculated with, also after the files have moved on.
    """
    declared, day = platform.catalogue.objects, period.start.isoformat()
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        applied = {kind: in_force(connection, kind, day) for kind in ("plan", "metric", "defaults")}
    return Catalogue(declared | {kind: declared[kind] | found for kind, found in applied.items()})


def team_targets(platform: Platform, scope: Scope) -> dict[str, list[Row]]:
    """Returns every team's targets of the period over all channels, met or not, in the order of the handbook."""
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        rows = _Tables(connection, scope).rows("target_attainment", "unit_key, metric_id, channel", "kpi")
    order = {metric_id: metric.display_order for metric_id, metric in platform.catalogue.metrics.items()}
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: order[row["metric_id"]]):
        if row["unit_kind"] == "team" and row["period_kind"] == "period" and row["channel"] == "all":
            found[row["unit_key"]].append(row)
    return found


def _by_agent(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["agent_key"]].append(row)
    return found


def _peers(
    scores: dict[str, Row], components: Iterable[Row]
) -> dict[str | None, dict[tuple[str, str], tuple[float, ...]]]:
    """Returns by peer group percentiles of points by (plan, metric) and of composites, over people who have any."""
    group = {agent: row["peer_group_key"] for agent, row in scores.items()}
    values: dict[tuple[str | None, str, str], list[float]] = defaultdict(list)
    for agent, row in scores.items():
        if row["composite"] is not None:
            values[group[agent], row["plan_id"], ""].append(float(row["composite"]))
    for row in components:
        if row["curve_score"] is not None and row["has_own_data"]:
            values[group[row["agent_key"]], row["plan_id"], row["metric_id"]].append(float(row["curve_score"]))
    peers: dict[str | None, dict[tuple[str, str], tuple[float, ...]]] = defaultdict(dict)
    for (peer_group, *key), found in values.items():
        if len(found) >= FEWEST_PEERS:
            peers[peer_group][key[0], key[1]] = tuple(float(mark) for mark in np.percentile(found, PERCENTILES))
    return peers


class _Tables:
    """The relations of one calculation. A relation that a calculation does not have gives no rows."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self._cursor = connection.cursor(row_factory=dict_row)
        self._scope = scope

    def query(self, statement: str, **given: str) -> list[Row]:
        return self._cursor.execute(statement.encode(), self._scope.variables() | given).fetchall()

    def rows(self, relation: str, order: str, layer: str = "appraisal") -> list[Row]:
        schema = self._scope.schema(layer)
        named = sql.Identifier(schema, relation)
        found = self._cursor.execute("select to_regclass(%s) as found", [f"{schema}.{relation}"]).fetchone()
        if found is None or found["found"] is None:
            return []
        return self._cursor.execute(sql.SQL("select * from {} order by " + order).format(named)).fetchall()

    def attendance(self) -> list[Row]:
        start, end = self._scope.period_start, self._scope.period_end
        return [
            row
            for row in self.rows("fct_attendance", "agent_key, business_date", "core")
            if row["is_counted"]
            and start <= row["business_date"].isoformat() <= end
            and (row["attended_seconds"] < row["required_seconds"] or row["is_late"] or row["is_early_leave"])
        ]

    def comments(self) -> list[Row]:
        start, end = self._scope.period_start, self._scope.period_end
        return [
            row | {"agent_key": row["employee_number"]}
            for row in self.rows("stg_tabular__manager_comment", "employee_number, about_on, comment_id", "staging")
            if start <= row["about_on"].isoformat() <= end
        ]
