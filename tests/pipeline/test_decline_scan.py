"""The scan for lasting declines over a real warehouse: what it finds in planted days, and what it must not find."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import Connection

from kefu.payroll import Close
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.decline import Scanned, scan
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line

LAST = date(2026, 11, 20)
DAYS = 200
TEAM, OTHER = [f"A{number}" for number in range(8)], [f"B{number}" for number in range(8)]
TABLES = ("decline_series", "decline_day", "decline_item", "decline_issue")
Values = NDArray[np.float64]


def scope_of(platform: Platform) -> Scope:
    return platform.scope(platform.period())


def stored(platform: Platform, statement: str) -> list[Any]:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        return connection.execute(statement.encode()).fetchall()


def put(connection: Connection, metric_id: str, agents: list[str], values: Values, cases: int) -> None:
    """Replaces the days of a metric: agents x days of means, the last column on `LAST`, nobody working on Sundays."""
    connection.execute("delete from wh_kpi.metric_day where metric_id = %s and unit_kind = 'agent'", [metric_id])
    days = [LAST - timedelta(values.shape[1] - 1 - column) for column in range(values.shape[1])]
    with connection.cursor().copy("copy wh_kpi.metric_day from stdin") as copy:
        for row, agent in enumerate(agents):
            for column, day in enumerate(days):
                if day.weekday() != 6:
                    total = round(values[row, column] * cases, 6)
                    copy.write_row((metric_id, 1, "agent", agent, "voice", day, None, False, total, cases, cases))


@pytest.fixture(scope="module")
def days(line: Line, copy_of: Copy) -> Platform:
    """Two teams of eight with 200 days: a lasting drop and a bad day in the first, a drop of everybody in the second.

    Average response time only; the usual day has 40 seconds, give or take 4.
    """
    platform = copy_of(line.platform, "t_decline_scan")
    random = np.random.default_rng(20261120)
    values = 40 + 4 * random.standard_normal((16, DAYS))
    values[0, -18:] += 14  # A0 is slower from then on
    values[1, -3] += 200  # A1 has one terrible day
    values[2, -18:] -= 14  # A2 became faster
    values[8:, -18:] += 6  # all of team B are slower
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("delete from wh_intermediate.int_agent_team")
        for team, agents in (("general", TEAM), ("billing", OTHER)):
            for agent in agents:
                connection.execute(
                    "insert into wh_intermediate.int_agent_team values (%s, %s, '2020-01-01', 'infinity')",
                    [agent, team],
                )
        connection.execute("delete from wh_kpi.metric_day where unit_kind = 'agent'")
        put(connection, "avg_response_time", [*TEAM, *OTHER], values, cases=30)
    return platform


def test_few_recorded_days_are_not_enough_and_nobody_looks_fine(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_decline_scan_line")
    found = scan(platform, scope_of(platform))
    assert found.series > 50
    assert (found.evaluated, found.open_items, found.open_issues) == (0, 0, 0)
    assert stored(platform, "select distinct state from stats.decline_series") == [("not_enough_data",)]


def test_a_lasting_drop_is_confirmed_a_dip_is_not_and_a_team_is_one_issue(days: Platform) -> None:
    assert scan(days, scope_of(days)).evaluated == 16
    items = {
        agent: (side, state, grain)
        for agent, side, state, grain in stored(
            days, "select agent_key, side, state, grain from stats.decline_item where state <> 'cleared'"
        )
    }
    assert items["A0"] == ("decline", "confirmed", "day")
    assert items["A2"] == ("improvement", "improving", "day")
    # What nobody acts on may hit a healthy colleague now and then; the bad day and the whole team raise nothing more.
    assert {agent for agent, item in items.items() if item[1] != "watch"} == {"A0", "A2"}
    assert "A1" not in items
    issues = stored(
        days,
        "select team_key, state, side, alarmed_agents, alarmed_beyond_team_agents from stats.decline_issue"
        " where state = 'open'",
    )
    assert [issue[:3] for issue in issues] == [("billing", "open", "decline")]
    assert issues[0][3] >= 4, "many of them would have alarmed by their own numbers"
    assert issues[0][4] <= 2, "what the team shares is taken out of its people"
    dip = stored(days, "select min(residual) from stats.decline_day where agent_key = 'A1'")
    assert dip[0][0] < -15, "the bad day is seen, it only raises no alarm"


def test_a_second_scan_writes_the_same_rows(days: Platform) -> None:
    scope = scope_of(days)

    def everything() -> list[Any]:
        scan(days, scope)
        return [stored(days, f"select * from stats.{table} as t order by t::text") for table in TABLES]

    assert everything() == everything()


def test_an_exempt_day_is_no_day(days: Platform) -> None:
    scope = scope_of(days)
    count = "select count(*) from stats.decline_day where agent_key = 'A3'"
    scan(days, scope)
    before = stored(days, count)[0][0]
    exempt = (
        "update wh_kpi.metric_day set is_exempt = {}, numerator = numerator {} 100000 where unit_key = 'A3'"
        " and business_date = '2026-11-19'"
    )
    with days.warehouse.connect(Role.OWNER) as connection:
        connection.execute(exempt.format("true", "+").encode())
    scan(days, scope)
    assert stored(days, count)[0][0] == before - 1
    with days.warehouse.connect(Role.OWNER) as connection:
        connection.execute(exempt.format("false", "-").encode())


def test_a_close_is_never_about_declines(days: Platform) -> None:
    scope = scope_of(days)
    with pytest.raises(ValueError, match="expected the live line"):
        scan(days, Scope("calc_x", scope.data_cut, scope.as_of, scope.period_id, scope.period_start, scope.period_end))


def test_few_cases_a_day_are_looked_at_by_weeks(days: Platform) -> None:
    random = np.random.default_rng(7)
    values = 85 + 3 * random.standard_normal((8, 420))
    values[0, -49:] -= 9
    with days.warehouse.connect(Role.OWNER) as connection:
        put(connection, "qa_listening_score", TEAM, values, cases=1)
    found = scan(days, scope_of(days))
    assert isinstance(found, Scanned)
    weekly = stored(
        days,
        "select agent_key, grain, state from stats.decline_item where metric_id = 'qa_listening_score'"
        " and state <> 'cleared'",
    )
    assert weekly == [("A0", "week", "confirmed")]


def test_three_falling_closed_periods_are_a_slow_decline(closed: tuple[Platform, Close], copy_of: Copy) -> None:
    platform = copy_of(closed[0], "t_decline_scan_slow")
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("drop view payroll.closed_component")
        connection.execute("drop view payroll.closed_period cascade")
        connection.execute(
            "create table payroll.closed_period as select 'p' || n as period_id, 1 as version,"
            " '2026-01-31'::date + 30 * n as period_end, 'demo' as period_mode from generate_series(1, 4) as n"
        )
        connection.execute(
            "create table payroll.closed_component as select p.period_id, a.agent_key, 'csat_rate'::text as metric_id,"
            " 1 as metric_version, null::numeric as raw_value, case a.agent_key when 'steady' then 0.9"
            " when 'falling' then 0.95 - 0.03 * row_number() over (partition by a.agent_key order by p.period_end)"
            " else 0.95 - 0.02 * row_number() over (partition by a.agent_key order by p.period_end) end as scored_value"
            " from payroll.closed_period as p cross join (values ('falling'), ('little'), ('steady')) as a (agent_key)"
        )
        connection.execute("grant select on payroll.closed_period, payroll.closed_component to kefu_transformer")
    scan(platform, scope_of(platform))
    assert stored(platform, "select agent_key, grain, state from stats.decline_item") == [
        ("falling", "period", "slow_decline")
    ]
