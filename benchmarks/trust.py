"""Reliability of subjective metrics for thousands of agents: `fill` makes their evidence, `measure` times each step.

Called by `benchmarks/appraisal.py`; the relations are those of dbt, made directly, so that only statistics are timed.
"""

from __future__ import annotations

import time
from typing import Any

from psycopg import Connection, sql

from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.raters import profile
from kefu.pipeline.reliability import estimate
from kefu.warehouse import Role

_RELATIONS = """
    create schema {schema};
    create table {schema}.int_plan_agent (plan_id text, agent_key text, cohort_key text, worked_share numeric,
        stint_share numeric, is_last_stint boolean);
    create table {schema}.int_plan_agent_day (plan_id text, agent_key text, business_date date);
    create table {schema}.evidence_opinion (metric_id text, row_key text, contact_key text, agent_key text,
        rater_key text, form_key text, business_date date, is_in_period boolean, is_second boolean, is_valid boolean,
        exclusion_rule text, is_distrusted boolean, row_value numeric);
    create table {schema}.evidence_eligible (plan_id text, cohort_key text, conversation_key text, agent_key text,
        channel text, is_invited boolean, is_answered boolean, wait_seconds bigint, duration_seconds bigint,
        is_transferred boolean, issue_class text, is_solved boolean, is_negative boolean);
    create table {schema}.fct_conversation (conversation_key text, started_at timestamptz, business_date date);
    create table {schema}.fct_qa_item (review_key text, item_label text, mark_share numeric, is_applicable boolean);
    create table {schema}.fct_qa_review (review_key text, conversation_key text, agent_key text, team_key text,
        reviewer_key text, is_blind boolean, business_date date, exclusion_rule text);
    create table {schema}.stg_cfg__site (time_zone text);
    insert into {schema}.stg_cfg__site values ('Asia/Shanghai');
"""
# Everybody has 20 working days, customers who answer for about one in five conversations, and a handful of reviews by
# raters of two teams; every tenth contact is scored twice.
_ROWS = """
    insert into {schema}.int_plan_agent
    select %(plan_id)s, 'A' || a, %(cohort)s, 1, 1, true from generate_series(1, %(agents)s) as a;
    insert into {schema}.int_plan_agent_day
    select %(plan_id)s, 'A' || a, %(start)s::date + d
    from generate_series(1, %(agents)s) as a cross join generate_series(0, 19) as d;
    insert into {schema}.fct_conversation
    select 'chat:' || a || '.' || c,
        %(start)s::date + (c %% 20) + interval '9 hours' + (c * 7 %% 600) * interval '1 min',
        %(start)s::date + (c %% 20)
    from generate_series(1, %(agents)s) as a cross join generate_series(1, %(contacts)s) as c;
    insert into {schema}.evidence_eligible
    select %(plan_id)s, %(cohort)s, 'chat:' || a || '.' || c, 'A' || a,
        case when c %% 3 = 0 then 'voice' else 'chat' end,
        c %% 10 > 0, c %% 5 = 1, (c * 37 + a) %% 90, 60 + (c * 91 + a) %% 900, c %% 11 = 0,
        'issue' || c %% 6,
        c %% 7 > 0, c %% 13 = 0
    from generate_series(1, %(agents)s) as a cross join generate_series(1, %(contacts)s) as c;
    insert into {schema}.evidence_opinion
    select m, m || ':' || a || '.' || c, 'chat:' || a || '.' || c, 'A' || a, null, null, %(start)s::date + (c %% 20),
        true, false, c %% 41 > 0, case when c %% 41 = 0 then 'V5' end, c %% 41 = 0,
        ((a * 7919 + c * 104729) %% 100 < 75 + a %% 15)::integer
    from unnest(%(ratings)s::text[]) as m cross join generate_series(1, %(agents)s) as a
    cross join generate_series(1, %(contacts)s, 5) as c;
    insert into {schema}.evidence_opinion
    select m, m || ':' || a || '.' || r || '.' || s, 'chat:' || a || '.' || (r * 3), 'A' || a,
        'Q' || ((a / 20 + r + s) %% %(raters)s), 'v1', %(start)s::date + r, true, s = 1, s = 0, null, false,
        70 + a %% 17 + ((a / 20 + r + s) %% 5) + (a * 7919 + r * 104729) %% 9 + s * ((a + r) %% 3)
    from unnest(%(reviews)s::text[]) as m cross join generate_series(1, %(agents)s) as a
    cross join generate_series(1, 12) as r cross join generate_series(0, 1) as s
    where s = 0 or (a + r) %% 10 = 0;
    insert into {schema}.fct_qa_review
    select row_key, contact_key, agent_key, 'T' || substr(agent_key, 2)::integer / 20, rater_key, is_second,
        business_date, null
    from {schema}.evidence_opinion where metric_id = 'qa_listening_score';
    insert into {schema}.fct_qa_item
    select review_key, 'item' || i, ((length(review_key) * 31 + i * 17) %% 5) / 4.0, true
    from {schema}.fct_qa_review cross join generate_series(1, 5) as i;
"""


def fill(
    connection: Connection,
    schema: str,
    plan_id: str,
    cohort_key: str,
    period_start: str,
    ratings: list[str],
    reviews: list[str],
    agents: int,
    contacts: int = 120,
) -> None:
    """Makes the evidence of a period in a schema of its own.

    Args:
        connection: of the transformer.
        schema: name of the calculation, not there yet.
        plan_id, cohort_key: of all agents.
        period_start: first of twenty days.
        ratings, reviews: metrics made of customers' answers and of raters' scores.
        agents: how many there are; one rater for every twenty.
        contacts: conversations of each.
    """
    given: dict[str, Any] = {
        "plan_id": plan_id, "cohort": cohort_key, "start": period_start, "ratings": ratings, "reviews": reviews,
        "agents": agents, "contacts": contacts, "raters": max(4, agents // 20),
    }  # fmt: skip
    name = sql.Identifier(schema)
    connection.execute(sql.SQL(_RELATIONS).format(schema=name))
    for statement in _ROWS.strip().removesuffix(";").split(";\n"):
        connection.execute(sql.SQL(statement).format(schema=name), given)
    connection.execute("analyze")


def measure(platform: Platform, scope: Scope) -> dict[str, float]:
    """Returns the seconds of each step over evidence that is there already; the first run of a process."""
    seconds = {}
    for name, step in (("raters", profile), ("reliability", estimate)):
        start = time.perf_counter()
        step(platform, scope)
        seconds[name] = time.perf_counter() - start
    return seconds


def drop(platform: Platform, scope: Scope) -> None:
    """Removes what `fill` made and what was computed from it."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(scope.calc_id)))
        for table in ("rater_profile", "double_score_task", "agent_estimate", "cohort_reliability"):
            connection.execute(
                sql.SQL("delete from {} where calc_id = %s").format(sql.Identifier("stats", table)), [scope.calc_id]
            )
