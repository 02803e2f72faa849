"""Reliability of a period over evidence made directly: parts, borrowing, history, adjustment, and who may decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from benchmarks.trust import fill
from kefu.catalogue.files import apply
from kefu.cli import app
from kefu.payroll.login import CloseRefused, connect
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.ingest import shipped
from kefu.pipeline.raters import profile
from kefu.pipeline.reliability import estimate
from kefu.pipeline.trust import approve_waiver
from kefu.settings import Settings
from kefu.warehouse import Role, Warehouse, WarehouseError

COHORT = "demo_v1/agent"


@pytest.fixture(scope="module")
def platform(settings: Settings, warehouse: Warehouse) -> Platform:
    found = Platform(settings, warehouse.database)
    apply(warehouse, found.catalogue, shipped())
    return found


@pytest.fixture
def made(platform: Platform) -> Iterator[Callable[..., Scope]]:
    """Makes evidence, lets a test change it, estimates, and returns the calculation."""
    count = 0

    def make(*changes: str, agents: int = 40) -> Scope:
        nonlocal count
        count += 1
        scope = replace(platform.scope(platform.period()), calc_id=f"calc_trust_{count}")
        with platform.warehouse.connect(Role.TRANSFORMER) as connection:
            connection.execute(f"drop schema if exists {scope.calc_id} cascade".encode())
            fill(
                connection, scope.calc_id, "demo", COHORT, scope.period_start, ["csat_rate"], ["qa_listening_score"],
                agents, contacts=60,
            )  # fmt: skip
            for change in changes:
                connection.execute(change.format(s=scope.calc_id).encode())
        profile(platform, scope)
        estimate(platform, scope)
        return scope

    yield make
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        for number in range(1, count + 1):
            connection.execute(f"drop schema calc_trust_{number} cascade".encode())


def rows(platform: Platform, statement: str, scope: Scope) -> list[tuple[Any, ...]]:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        return connection.execute(statement.encode(), {"calc": scope.calc_id}).fetchall()


def parts(platform: Platform, scope: Scope, metric: str) -> dict[str, dict[str, Any]]:
    found = rows(
        platform,
        "select cohort_key, to_jsonb(r) from stats.cohort_reliability as r"
        f" where calc_id = %(calc)s and metric_id = '{metric}'",
        scope,
    )
    return dict(found)


def test_the_parts_follow_the_evidence(platform: Platform, made: Callable[..., Scope]) -> None:
    found = parts(platform, made(), "csat_rate")[COHORT]
    # 12 of 60 contacts of everybody are asked and answer, one of them is excluded; 54 are invited.
    assert found["details"]["invited"] == 54 * 40
    assert found["details"]["answered"] == 11 * 40
    assert found["f_resp"] == 1
    assert found["f_clean"] == pytest.approx(1 - 2 / 12)
    assert found["n"] == 11 * 40
    assert (found["f_agree"], found["f_cover"], found["borrowed_from"]) == (1, 1, None)
    assert found["rho"] == min(found[part] for part in ("f_resp", "f_bias", "f_clean"))


def test_agreement_and_coverage_of_reviews(platform: Platform, made: Callable[..., Scope]) -> None:
    scope = made()
    found = parts(platform, scope, "qa_listening_score")[COHORT]
    doubles = rows(
        platform,
        f"select count(*) from {scope.calc_id}.evidence_opinion where is_second",
        scope,
    )[0][0]
    assert found["details"]["double_scored"] == doubles
    assert found["details"]["required"] == found["details"]["obtained"] == 7 * 40
    assert found["f_cover"] == 1
    assert found["details"]["alpha_low"] <= found["details"]["alpha"] <= found["details"]["alpha_high"]


def test_half_the_hours_ask_for_half_the_reviews(platform: Platform, made: Callable[..., Scope]) -> None:
    scope = made("update {s}.int_plan_agent set worked_share = 0.5")
    assert parts(platform, scope, "qa_listening_score")[COHORT]["details"]["required"] == 4 * 40


def test_reviews_of_one_agent_do_not_stand_for_those_of_another(platform: Platform, made: Callable[..., Scope]) -> None:
    scope = made(
        "update {s}.evidence_opinion set agent_key = 'A1'"
        " where metric_id = 'qa_listening_score' and agent_key in ('A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7', 'A8',"
        " 'A9', 'A10', 'A11', 'A12')"
    )
    found = parts(platform, scope, "qa_listening_score")[COHORT]
    # 29 of 40 agents have their 7 reviews, A1 those of 12 agents.
    assert (found["details"]["obtained"], found["details"]["required"]) == (29 * 7, 40 * 7)
    assert found["f_cover"] == pytest.approx(29 / 40 / 0.8)


def test_raters_who_share_no_agent_are_never_fully_trusted(platform: Platform, made: Callable[..., Scope]) -> None:
    scope = made(
        "delete from {s}.evidence_opinion where metric_id = 'qa_listening_score' and is_second",
        "update {s}.evidence_opinion set rater_key = 'Q' || (substr(agent_key, 2)::integer / 20)"
        " where metric_id = 'qa_listening_score'",
        # One colleague each scores the same contacts alike, so agreement within a team is perfect.
        "insert into {s}.evidence_opinion select metric_id, row_key || 'x', contact_key, agent_key, rater_key || 'x',"
        " form_key, business_date, true, true, false, null, false, row_value from {s}.evidence_opinion"
        " where metric_id = 'qa_listening_score'",
    )
    found = parts(platform, scope, "qa_listening_score")[COHORT]
    assert found["details"]["alpha"] == 1
    assert found["details"]["is_connected"] is False
    assert (found["f_agree"], found["details"]["basis"]["f_agree"]) == (0.7, "unconnected")


def test_a_lenient_rater_is_taken_off_the_scores(platform: Platform, made: Callable[..., Scope]) -> None:
    lenient = (
        "update {s}.evidence_opinion set row_value = 80 + (hashtext(row_key) % 3) where metric_id ="
        " 'qa_listening_score'",
        "update {s}.evidence_opinion set row_value = row_value + 12 where metric_id = 'qa_listening_score'"
        " and rater_key = 'Q1'",
    )
    scope = made(*lenient)
    raters = {
        rater: (adjustment, is_connected, flag)
        for rater, adjustment, is_connected, flag in rows(
            platform,
            "select rater_key, adjustment, is_connected, flags -> 0 ->> 'flag' from stats.rater_profile"
            " where calc_id = %(calc)s and metric_id = 'qa_listening_score'",
            scope,
        )
    }
    points = raters["Q1"][0]
    # 12 points above three others, less its own part of the mean, drawn to 0 by 20 reviews.
    assert 7 < points < 9
    assert raters["Q1"][1:] == (True, "lenient")
    # Every agent loses these points for the share of reviews that this rater gave.
    found = rows(
        platform,
        "select e.rater_adjustment, avg((o.rater_key = 'Q1')::integer) as share from stats.agent_estimate as e"
        f" inner join {scope.calc_id}.evidence_opinion as o on e.agent_key = o.agent_key and e.metric_id = o.metric_id"
        " where e.calc_id = %(calc)s and e.metric_id = 'qa_listening_score' and o.is_valid"
        " group by e.agent_key, e.rater_adjustment",
        scope,
    )
    others = [adjustment for rater, (adjustment, _, _) in raters.items() if rater != "Q1"]
    assert len(found) == 40
    assert not any(others)
    assert all(float(moved) == pytest.approx(-float(points * share)) for moved, share in found)


def test_a_small_cohort_borrows_its_parent_and_says_so(platform: Platform, made: Callable[..., Scope]) -> None:
    split = (
        "update {s}.int_plan_agent set cohort_key = cohort_key || case when substr(agent_key, 2)::integer <= 5"
        " then '/voice' else '/chat' end",
        "update {s}.evidence_eligible set cohort_key = cohort_key || case when substr(agent_key, 2)::integer <= 5"
        " then '/voice' else '/chat' end",
    )
    found = parts(platform, made(*split), "csat_rate")
    voice, chat = found[f"{COHORT}/voice"], found[f"{COHORT}/chat"]
    assert (voice["borrowed_from"], voice["agents"]) == (COHORT, 40)
    assert (chat["borrowed_from"], chat["agents"]) == (None, 35)
    whole = parts(platform, made(), "csat_rate")[COHORT]
    for name in ("rho", "f_bias", "cohort_mean", "prior_strength", "n"):
        assert voice[name] == whole[name]


def test_shrinkage_learns_from_earlier_periods(platform: Platform, made: Callable[..., Scope]) -> None:
    alone = parts(platform, made(agents=20), "csat_rate")[COHORT]
    assert (alone["prior_basis"], alone["details"]["units"]) == ("too_few_units", 20)
    with platform.warehouse.connect(Role.OWNER) as owner:
        # A demo learns from a demo alone, as a real period does from real ones.
        for period, mode in (("before", "demo"), ("for pay", "real")):
            owner.execute(
                "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
                " values ('period', %s, 1, 'x', '2027-01-01', %s)",
                [period, Jsonb({"end": "2026-10-31", "mode": mode})],
            )
            owner.execute(
                "insert into stats.agent_estimate (calc_id, period_id, metric_id, cohort_key, agent_key, n, total)"
                " select 'history', %s, 'csat_rate', 'demo_v7/agent', 'A' || a, 40, 20 + a"
                " from generate_series(1, 20) as a",
                [period],
            )
    try:
        learnt = parts(platform, made(agents=20), "csat_rate")[COHORT]
    finally:
        with platform.warehouse.connect(Role.OWNER) as owner:
            owner.execute("delete from stats.agent_estimate where calc_id = 'history'")
    assert learnt["details"]["units"] == 40
    assert learnt["prior_basis"] != "too_few_units"


def test_a_second_run_writes_the_same_rows(platform: Platform, made: Callable[..., Scope]) -> None:
    scope = made()
    tables = ("cohort_reliability", "agent_estimate", "rater_profile", "double_score_task")
    statement = "select md5(string_agg(t::text, '|' order by t::text)) from stats.{} as t where calc_id = %(calc)s"
    first = [rows(platform, statement.format(table), scope) for table in tables]
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        # The same rows in another order.
        for table in ("evidence_opinion", "evidence_eligible", "int_plan_agent"):
            name = f"{scope.calc_id}.{table}"
            connection.execute(f"create temporary table swapped as select * from {name} order by random()".encode())
            connection.execute(f"truncate {name}".encode())
            connection.execute(f"insert into {name} select * from swapped".encode())
            connection.execute("drop table swapped")
    profile(platform, scope)
    estimate(platform, scope)
    assert [rows(platform, statement.format(table), scope) for table in tables] == first


def test_a_person_decides_by_the_own_login(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    period = platform.period().period_id
    with platform.warehouse.connect(Role.OWNER) as owner:
        owner.execute("create role dora login password 'of dora'; grant kefu_payroll to dora")
        owner.execute(
            "insert into stats.integrity_result values ('live', %s, 'I1', 'csat_rate', %s, 'A1', 30, 1, 0, 0, 0, true,"
            " 'tested', '{}')",
            [period, COHORT],
        )
    with pytest.raises(CloseRefused, match="expected it in KEFU_LOGIN_DORA_PASSWORD"):
        connect(platform, "dora")
    monkeypatch.setenv("KEFU_LOGIN_DORA_PASSWORD", "of dora")
    monkeypatch.setattr("kefu.cli_integrity.Platform", lambda settings: platform)
    said = CliRunner().invoke(
        app, ["integrity", "decide", "A1", "I1", "csat_rate", "confirmed", "--because", "seen in recordings", "--login",
              "dora"],
    )  # fmt: skip
    try:
        assert said.exit_code == 0, said.output
        found = rows(
            platform, "select verdict, decided_by from ops.integrity_decision", platform.scope(platform.period())
        )
        assert found == [("confirmed", "dora")]
        with connect(platform, "dora") as signed_in, pytest.raises(WarehouseError, match="permission denied"):
            approve_waiver(signed_in, 1)
    finally:
        with platform.warehouse.connect(Role.OWNER) as owner:
            owner.execute("drop role dora")


def test_nobody_approves_an_own_waiver(platform: Platform) -> None:
    with platform.warehouse.connect(Role.PLAN_AUTHOR) as author:
        row = author.execute(
            "insert into ops.reliability_waiver (metric_id, cohort_key, period_id, weight_factor, reason)"
            " values ('csat_rate', 'c', 'p', 0.5, 'survey was down') returning waiver_id, requested_by"
        ).fetchone()
    assert row is not None and row[1] == "kefu_plan_author"
    with pytest.raises(errors.InsufficientPrivilege), platform.warehouse.connect(Role.PLAN_AUTHOR) as author:
        author.execute("insert into ops.reliability_waiver_approval (waiver_id) values (%s)", [row[0]])
    with platform.warehouse.connect(Role.PLAN_APPROVER) as checker:
        own = checker.execute(
            "insert into ops.reliability_waiver (metric_id, cohort_key, period_id, weight_factor, reason)"
            " values ('csat_rate', 'c', 'p', 0.5, 'survey was down') returning waiver_id"
        ).fetchone()
        assert own is not None
        checker.execute("insert into ops.reliability_waiver_approval (waiver_id) values (%s)", [row[0]])
    refused = pytest.raises(errors.RaiseException, match="nobody approves an own waiver")
    with refused, platform.warehouse.connect(Role.PLAN_APPROVER) as checker:
        checker.execute("insert into ops.reliability_waiver_approval (waiver_id) values (%s)", [own[0]])
    with pytest.raises(errors.RaiseException, match="append-only"), platform.warehouse.connect(Role.OWNER) as owner:
        owner.execute("update ops.reliability_waiver set weight_factor = 1")
