"""Calculations made by hand: a close without the minute that a build takes, with scores a test decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from kefu.payroll import calculate, close, cut, step
from kefu.payroll.close import CHECKER
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.ingest import prepare
from kefu.settings import Settings
from kefu.warehouse import Role, Warehouse
from tests.e2e.support import by_url, configuration

GATES = [
    "agents_mapped", "critical_checks", "effective_weights_sum_to_100", "pause_reasons_mapped", "plan_approved",
    "quarantine_settled", "reconciliation", "reliability_evaluated", "sources_fresh", "weights_sum_to_100",
]  # fmt: skip


@dataclass
class Agent:
    """What a calculation says about one agent."""

    agent_key: str
    composite: Decimal | None
    grade: str | None = None
    amount_fen: int | None = 0
    team_key: str = "team_a"
    held_fen: int = 0


@dataclass
class Calculation:
    """The results a test decides; `backwards` turns the order in which rows are inserted around."""

    agents: list[Agent]
    failed_gates: list[str] = field(default_factory=list)
    backwards: bool = False
    g_next: Decimal = Decimal(1)

    def __call__(self, platform: Platform, scope: Scope, run_id: str, say: Callable[[str], None]) -> None:
        """Stands where the pipeline's own calculation stands."""
        schema = scope.calc_id
        agents = self.agents[::-1] if self.backwards else self.agents
        with platform.warehouse.connect(Role.TRANSFORMER) as connection:
            for statement in TABLES:
                connection.execute(statement.format(schema=schema).encode())
            for gate in GATES:
                connection.execute(
                    f"insert into {schema}.close_gate values (%s, %s, %s, %s)".encode(),
                    [gate, gate not in self.failed_gates, "未通过", f"{gate} is not settled"],
                )
            for agent in agents:
                _insert(connection, schema, scope, agent)
            connection.execute(
                f"insert into {schema}.metric_reliability values (%s, 'demo', 1, 'csat_rate', 'demo_v1/agent',"
                " 'reliable', 120, 1, 1, 1, 1, 1, 1, 'f_resp', 1, 1, %s, 1, false, '可信', 'trusted')".encode(),
                [scope.period_id, self.g_next],
            )
            for statement in DISPUTABLE:
                connection.execute(statement.format(schema=schema).encode())
            connection.execute("delete from stats.agent_estimate where calc_id = %s", [schema])
            for agent in agents:
                connection.execute(
                    "insert into stats.agent_estimate (calc_id, period_id, metric_id, cohort_key, agent_key, n, total)"
                    " values (%s, %s, 'csat_rate', 'demo_v1/agent', %s, 40, 36)",
                    [schema, scope.period_id, agent.agent_key],
                )
        say("appraisal: fabricated")


TABLES = [
    "create table {schema}.close_gate (gate text, is_passed boolean, detail_zh text, detail_en text)",
    "create table {schema}.score (period_id text, agent_key text, agent_name text, team_key text, plan_id text,"
    " plan_version integer, cohort_key text, composite numeric, composite_before_gates numeric,"
    " composite_unadjusted numeric, interval_low numeric, interval_high numeric, grade text, status text,"
    " own_data_weight numeric, worked_share numeric, gates_zh text, gates_en text, period_mode text)",
    "create table {schema}.payment (period_id text, agent_key text, coefficient numeric, worked_share numeric,"
    " base_fen bigint, bonus_fen bigint, piece_fen bigint, adjustment_fen bigint, held_fen bigint, pool_share numeric,"
    " amount_fen bigint, needs_decision boolean, check_min_wage boolean, reason_zh text, reason_en text)",
    "create table {schema}.score_component (period_id text, plan_id text, plan_version integer, cohort_key text,"
    " agent_key text, metric_id text, metric_version integer, is_adjusted boolean, nominal_weight numeric,"
    " weight_factor numeric, effective_weight numeric, raw_value numeric, n bigint, scored_value numeric,"
    " curve_score numeric, points numeric, reason_zh text, reason_en text)",
    "create table {schema}.metric_reliability (period_id text, plan_id text, plan_version integer, metric_id text,"
    " cohort_key text, state text, n bigint, f_resp numeric, f_bias numeric, f_agree numeric, f_clean numeric,"
    " f_cover numeric, rho numeric, binding_component text, g_current numeric, g_announced numeric, g_next numeric,"
    " weight_factor numeric, is_overridden boolean, reason_zh text, reason_en text)",
]

# The review is CS3001's of CS1001. Of the period are the first days of November, of each kind one row; the others are
# of October. The rating chat:8 was shared, chat:9 spoke of the product and chat:10 was a recommendation.
DISPUTABLE = [
    "create table {schema}.fct_qa_review as select * from (values ('sheets:R1', 'CS1001', 'CS3001', date '2026-11-04'),"
    " ('sheets:R0', 'CS1001', 'CS3001', '2026-10-30'))"
    " as rows (review_key, agent_key, reviewer_key, business_date)",
    "create table {schema}.fct_rating as select * from (values ('chat:7', 'CS1001', 'csat', date '2026-11-04'),"
    " ('chat:8', 'CS1002', 'csat', '2026-11-04'), ('chat:9', 'CS1001', 'csat', '2026-11-16'),"
    " ('chat:10', 'CS1001', 'nps', '2026-11-04'), ('chat:6', 'CS1001', 'csat', '2026-11-17'))"
    " as rows (rating_key, served_agent_key, instrument_kind, business_date)",
    "create table {schema}.fct_rating_credit as select * from (values ('chat:7', 'CS1001'), ('chat:8', 'CS1002'),"
    " ('chat:8', 'CS1001'), ('chat:9', null)) as rows (rating_key, agent_key)",
    "create table {schema}.fct_attendance as select * from (values"
    " ('CS1001:2026-11-05', 'CS1001', date '2026-11-05'), ('CS1001:2026-11-01', 'CS1001', '2026-11-01'))"
    " as rows (attendance_key, agent_key, business_date)",
    "create table {schema}.fct_verified_fact as select * from (values"
    " ('sheets:F1', 'CS1001', 'unapproved_absence', 'CS3001', 'CS3002', date '2026-11-05'),"
    " ('sheets:F2', 'CS1001', 'unapproved_absence', 'CS3001', 'CS3002', '2026-11-06'),"
    " ('sheets:F3', 'CS1001', 'late_report', 'CS3001', 'CS3002', '2026-11-06'),"
    " ('sheets:F4', 'CS1001', 'malus', 'CS3001', null, '2026-11-06'),"
    " ('sheets:F0', 'CS1001', 'unapproved_absence', 'CS3001', 'CS3002', '2026-10-31'))"
    " as rows (fact_key, agent_key, fact_kind, reporter_key, verifier_key, business_date)",
]


def _insert(connection: psycopg.Connection, schema: str, scope: Scope, agent: Agent) -> None:
    status = "insufficient_evidence" if agent.composite is None else "published"
    connection.execute(
        f"insert into {schema}.score values (%s, %s, '姓名', %s, 'demo', 1, 'demo_v1/agent', %s, %s, %s, %s, %s, %s,"
        " %s, 100, 1, null, null, 'demo')".encode(),
        [scope.period_id, agent.agent_key, agent.team_key, *[agent.composite] * 5, agent.grade, status],
    )
    connection.execute(
        f"insert into {schema}.payment values (%s, %s, 1.0, 1, 100000, %s, 0, 0, %s, 1, %s, %s, false, '按系数',"
        " 'as scored')".encode(),
        [
            scope.period_id, agent.agent_key,
            None if agent.amount_fen is None else agent.amount_fen + agent.held_fen,
            agent.held_fen, agent.amount_fen, agent.composite is None,
        ],
    )  # fmt: skip
    for is_adjusted in (True, False):
        connection.execute(
            f"insert into {schema}.score_component values (%s, 'demo', 1, 'demo_v1/agent', %s, 'csat_rate', 1, %s, 100,"
            " 1, 100, 0.9, 40, 0.9, %s, %s, '可信', 'trusted')".encode(),
            [scope.period_id, agent.agent_key, is_adjusted, agent.composite, agent.composite or 0],
        )


def installation(settings: Settings, database: str, folder: Path, periods: Sequence[dict[str, Any]] = ()) -> Platform:
    """Returns a migrated, configured warehouse without data; `periods` are changes to the delivered period."""
    config = configuration(folder)
    [delivered] = yaml.safe_load((config / "periods.yml").read_text(encoding="utf-8"))
    declared = [delivered | changes for changes in periods] or [delivered]
    (config / "periods.yml").write_text(json.dumps(declared, default=str), encoding="utf-8")
    Warehouse(settings, database).ensure_running()
    platform = Platform(by_url(settings, database, folder).model_copy(update={"kefu_config_dir": config}))
    prepare(platform)
    return platform


@contextmanager
def calculating(monkeypatch: pytest.MonkeyPatch, calculation: Calculation) -> Iterator[None]:
    """Lets every close in the block calculate what the test decided; there is nothing to make cards of."""
    with monkeypatch.context() as patch:
        patch.setattr(close.run, "calculate", calculation)
        patch.setattr(close, "hand_out", lambda platform, period_id, who: platform.settings.kefu_data_dir)
        yield


def query(platform: Platform, statement: str, role: Role = Role.OWNER) -> list[tuple[Any, ...]]:
    """Returns the rows of a statement."""
    with platform.warehouse.connect(role) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def set_clock(platform: Platform, instant: str | None) -> None:
    """Lets the close believe another instant, as only the owner of the warehouse can; None: the real one."""
    expression = f"timestamptz '{instant}'" if instant else "clock_timestamp()"
    query(
        platform,
        "create or replace function payroll.clock() returns timestamptz language sql volatile"
        f" set search_path = pg_catalog, pg_temp as $$ select {expression} $$",
    )


DISPUTED_PERIOD = "2026_11_real"
DISPUTING = [Agent("CS1001", Decimal("84.96"), "B", 120_000), Agent("CS1002", Decimal("91.20"), "A", 150_050)]


def open_to_disputes(
    settings: Settings, database: str, folder: Path, by_owner: Sequence[str] = (), by_transformer: Sequence[str] = ()
) -> Platform:
    """A real period whose dispute window runs from Wednesday 25 November to the end of 2 December."""
    platform = installation(
        settings, database, folder,
        [{"period_id": DISPUTED_PERIOD, "mode": "real", "end": "2026-11-16", "plan_ids": ["balanced_im"]}],
    )  # fmt: skip
    approval = (
        "insert into cfg.plan_approval select object_id, version, content_hash, 'kefu_plan_approver',"
        " '2026-10-30T08:00:00Z' from cfg.object_version where kind = 'plan' and object_id = 'balanced_im'"
    )
    for statement in (approval, *by_owner):
        query(platform, statement)
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("create schema if not exists wh_core")
        for statement in DISPUTABLE:
            connection.execute(statement.format(schema="wh_core").encode())
        for statement in by_transformer:
            connection.execute(statement.encode())
    set_clock(platform, "2026-11-25T08:00:00Z")
    with pytest.MonkeyPatch.context() as patch, calculating(patch, Calculation(DISPUTING)):
        cut(platform, DISPUTED_PERIOD)
        calculate(platform, DISPUTED_PERIOD)
        step(platform, DISPUTED_PERIOD, "review", CHECKER)
        step(platform, DISPUTED_PERIOD, "publish", CHECKER)
    return platform
