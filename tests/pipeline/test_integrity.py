"""Findings from the line to the people who decide, and back: what a rule takes away can be given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kefu.payroll.login import connect
from kefu.pipeline.context import Platform
from kefu.pipeline.integrity import decide, findings
from kefu.pipeline.integrity import test as examine
from kefu.pipeline.transform import invoke
from kefu.warehouse import Role, WarehouseError
from tests.e2e.support import Line

Copy = Callable[[Platform, str], Platform]
FINDING = (None, "CS1001", "I1", "csat_rate")


@pytest.fixture(scope="module")
def tested(line: Line, copy_of: Copy) -> Platform:
    """A copy of the line in which one agent's ratings all fall in the last days of the period."""
    platform = copy_of(line.platform, "t_integrity")
    with platform.warehouse.connect(Role.OWNER) as connection:
        changed = connection.execute(
            "update wh_appraisal.evidence_rating_conduct set rating_count = 30, last_count = 20, eligible_count = 200,"
            " eligible_last_count = 20 where agent_key = 'CS1001'"
        ).rowcount
    assert changed == 1
    return platform


def build(platform: Platform, *models: str) -> None:
    scope = platform.scope(platform.period())
    results = invoke(
        platform,
        ["build", "--select", *models, "--exclude-resource-type", "unit_test", "--vars", json.dumps(scope.variables())],
    )
    assert {str(result["status"]) for result in results} <= {"success", "pass"}


def decide_as(platform: Platform, login: str, *what: Any) -> int:
    with connect(platform, login) as signed_in:
        return decide(platform, signed_in, *what)


def results(platform: Platform) -> list[tuple[object, ...]]:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        return connection.execute(
            "select * from stats.integrity_result order by rule_id, metric_id, agent_key"
        ).fetchall()


def test_every_agent_has_a_result_of_every_rule_and_a_second_run_changes_nothing(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_integrity_again")
    before = results(platform)
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        agents, rules = (
            connection.execute(statement).fetchall()
            for statement in (
                b"select agent_key from wh_intermediate.int_plan_agent group by agent_key",
                b"select rule_id, jsonb_array_elements_text(metric_ids) from wh_staging.stg_cfg__integrity_rule",
            )
        )
    assert len(rules) == 17 and len(agents) >= 12
    assert len(before) == len(agents) * len(rules)
    assert {row[12] for row in before} == {"tested", "not_enough_data", "not_evaluated"}
    examine(platform, platform.scope(platform.period()))
    assert results(platform) == before


def test_a_flag_is_a_suspicion_until_a_login_decides(tested: Platform) -> None:
    assert examine(tested, tested.scope(tested.period())) >= 1
    build(tested, "integrity_finding")
    [suspected] = [finding for finding in findings(tested, None, ["suspected"]) if finding.rule_id == "I1"]
    assert suspected.agent_key == "CS1001" and "20 of 30 in the last 3 business days" in suspected.reason_en
    decide_as(tested, Role.PLAN_APPROVER, FINDING, "confirmed", "seen in the recordings of three calls")
    build(tested, "integrity_finding")
    [confirmed] = [finding for finding in findings(tested, None, ["confirmed"]) if finding.rule_id == "I1"]
    assert confirmed.reason_en == (
        "Burst of ratings: confirmed by kefu_plan_approver: seen in the recordings of three calls"
    )
    # A later decision counts instead, and both stay.
    decide_as(tested, Role.PLAN_APPROVER, FINDING, "dismissed", "the exchange delivered them late")
    build(tested, "integrity_finding")
    assert "I1" in {finding.rule_id for finding in findings(tested, None, ["dismissed"])}
    with tested.warehouse.connect(Role.AUDITOR) as connection:
        decided = connection.execute("select verdict, decided_by from ops.integrity_decision order by decision_id")
        assert decided.fetchall() == [("confirmed", "kefu_plan_approver"), ("dismissed", "kefu_plan_approver")]


@pytest.mark.parametrize(
    ("login", "finding", "verdict", "reason", "message"),
    [
        (Role.PLAN_APPROVER, (None, "CS1002", "I1", "csat_rate"), "confirmed", "a good reason", "no test has flagged"),
        (Role.PLAN_APPROVER, FINDING, "guilty", "a good reason", "not decided"),
        (Role.PLAN_APPROVER, FINDING, "confirmed", "because  ", "not decided"),
        (Role.BI, FINDING, "confirmed", "a good reason", "permission denied"),
        (Role.TRANSFORMER, FINDING, "confirmed", "a good reason", "permission denied"),
    ],
)
def test_a_decision_needs_a_flag_a_word_a_reason_and_a_login(
    tested: Platform, login: Role, finding: tuple[str | None, str, str, str], verdict: str, reason: str, message: str
) -> None:
    examine(tested, tested.scope(tested.period()))
    with pytest.raises(WarehouseError, match=message):
        decide_as(tested, login, finding, verdict, reason)


def test_decisions_are_never_changed(tested: Platform) -> None:
    examine(tested, tested.scope(tested.period()))
    decide_as(tested, Role.PLAN_APPROVER, FINDING, "dismissed", "the exchange delivered them late")
    for statement in ("update ops.integrity_decision set verdict = 'confirmed'", "truncate ops.integrity_decision"):
        with pytest.raises(psycopg.errors.RaiseException), tested.warehouse.connect(Role.OWNER) as connection:
            connection.execute(statement.encode())


def test_invariant_6_excluding_a_row_and_including_it_again_restores_the_hash(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_invariant_6")

    def content() -> tuple[str, ...]:
        build(platform, "int_rating_signal", "fct_rating", "evidence_rating", "row_finding")
        with platform.warehouse.connect(Role.TRANSFORMER) as connection:
            return tuple(
                str(row[0])
                for table in ("wh_core.fct_rating", "wh_appraisal.evidence_rating", "wh_appraisal.row_finding")
                for row in connection.execute(
                    f"select md5(string_agg(t::text, '' order by t::text)) from {table} as t".encode()
                )
            )

    def listed(phone: str | None) -> None:
        with platform.warehouse.connect(Role.OWNER) as connection:
            connection.execute(
                "update wh_staging.stg_tabular__employee set phone_key = %s where employee_number = 'CS1001'", [phone]
            )

    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        own = connection.execute(
            "select max(phone_key) from wh_staging.stg_tabular__employee where employee_number = 'CS1001'"
        ).fetchone()
        rater = connection.execute(
            "select min(customer_key) from wh_core.fct_rating where is_valid_for_score and instrument_kind = 'csat'"
        ).fetchone()
    assert own and rater and rater[0]
    before = content()
    # The customer becomes a member of staff: the rating is out (V3), and everything that shows it differs.
    listed(rater[0])
    excluded = content()
    assert all(one != other for one, other in zip(before, excluded, strict=True))
    listed(own[0])
    assert content() == before
