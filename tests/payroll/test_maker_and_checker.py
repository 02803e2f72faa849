"""Who may approve and who may seal is decided by the database from the login, never by the program."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from kefu.payroll import Close, export
from kefu.pipeline.context import Platform
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line

PERIOD = "2026_11_demo"
CALCULATION = f"calc_{PERIOD}_v1"
COPIED = {
    "stg_cfg__period": "wh_staging.stg_cfg__period",
    "close_gate": "wh_appraisal.close_gate",
    "score": "wh_appraisal.score",
    "score_component": "wh_appraisal.score_component",
}
OTHERS = [Role.LOADER, Role.TRANSFORMER, Role.TEXT, Role.BI, Role.AUDITOR]


@pytest.fixture(scope="module")
def calculated(line: Line, copy_of: Copy) -> Platform:
    """A warehouse in which the live results stand in the schema of a close, ready to be sealed."""
    platform = copy_of(line.platform, "t_calculated")
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(f"create schema {CALCULATION}".encode())
        for name, origin in COPIED.items():
            connection.execute(f"create table {CALCULATION}.{name} as select * from {origin}".encode())
    return platform


def seal(platform: Platform, role: Role, schema: str = CALCULATION, period: str = PERIOD) -> None:
    with platform.warehouse.connect(role) as connection:
        connection.execute(
            "select payroll.close_period(%s, %s, 21, '2026-11-24T23:00:00Z', 'configuration')", [period, schema]
        )


def change(platform: Platform, *statements: str, role: Role = Role.TRANSFORMER) -> None:
    with platform.warehouse.connect(role) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def count(platform: Platform, table: str) -> Any:
    with platform.warehouse.connect(Role.OWNER) as connection:
        return connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0]


def test_the_author_of_a_plan_does_not_approve_it(calculated: Platform) -> None:
    with pytest.raises(
        psycopg.errors.RaiseException,
        match="plan balanced_im version 1 was applied by kefu_plan_author and cannot be approved by the same login",
    ):
        change(calculated, "select cfg.approve_plan('balanced_im', 1)", role=Role.PLAN_AUTHOR)
    assert count(calculated, "cfg.plan_approval") == 1


def test_a_plan_that_was_not_applied_is_not_approved(calculated: Platform) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="plan demo version 2 is not applied") as raised:
        change(calculated, "select cfg.approve_plan('demo', 2)", role=Role.PLAN_APPROVER)
    assert raised.value.diag.message_hint == "run `kefu config apply` first"


@pytest.mark.parametrize("role", OTHERS)
def test_nobody_else_approves_or_seals(calculated: Platform, role: Role) -> None:
    for statement in (
        "select cfg.approve_plan('balanced_im', 1)",
        f"select payroll.close_period('{PERIOD}', '{CALCULATION}', 21, now(), 'x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            change(calculated, statement, role=role)


def test_a_login_cannot_pretend_to_be_another(calculated: Platform) -> None:
    for statement in (
        "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body, applied_by)"
        " values ('plan', 'mine', 1, 'x', '2026-01-01', '{}', 'kefu_plan_approver')",
        "insert into cfg.plan_approval values ('balanced_im', 1, 'x', 'kefu_plan_approver', now())",
        "insert into ops.reliability_override (metric_id, cohort_key, period_id, weight_factor, reason, decided_by)"
        " values ('csat_rate', 'demo_v1/agent', 'x', 1, 'x', 'somebody')",
        "set role kefu_plan_approver",
        "set session authorization kefu_plan_approver",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            change(calculated, statement, role=Role.PLAN_AUTHOR)


def test_the_maker_does_not_seal(calculated: Platform) -> None:
    with pytest.raises(
        psycopg.errors.RaiseException, match="kefu_plan_author applied plan demo and cannot close a period with it"
    ) as raised:
        seal(calculated, Role.PLAN_AUTHOR)
    assert raised.value.diag.message_hint == "the checker is somebody else than the maker"
    assert count(calculated, "payroll.close") == 0


@pytest.mark.parametrize(
    ("schema", "period", "message"),
    [
        ("wh_appraisal", PERIOD, "schema wh_appraisal is not a calculation schema"),
        ('calc_x"; drop schema payroll', PERIOD, "is not a calculation schema"),
        (CALCULATION, "2026_12", "2026_12"),
    ],
)
def test_only_the_calculation_of_the_period_is_sealed(
    calculated: Platform, schema: str, period: str, message: str
) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match=message):
        seal(calculated, Role.PLAN_APPROVER, schema, period)


GATES = [
    "plan_approved", "weights_sum_to_100", "effective_weights_sum_to_100", "reliability_evaluated", "agents_mapped",
    "critical_checks", "quarantine_settled", "reconciliation",
]  # fmt: skip


def test_every_gate_by_itself_refuses_the_seal(calculated: Platform) -> None:
    with calculated.warehouse.connect(Role.TRANSFORMER) as connection:
        found = connection.execute(f"select gate from {CALCULATION}.close_gate where is_passed".encode()).fetchall()
    assert sorted(gate for (gate,) in found) == sorted(GATES)
    for gate in GATES:
        change(calculated, f"update {CALCULATION}.close_gate set is_passed = gate <> '{gate}'")
        with pytest.raises(psycopg.errors.RaiseException, match=f"period {PERIOD} cannot be closed: {gate}: "):
            seal(calculated, Role.PLAN_APPROVER)
    change(calculated, f"update {CALCULATION}.close_gate set is_passed = true")
    assert count(calculated, "payroll.close") == 0


def test_a_gate_that_is_missing_or_unknown_does_not_pass(calculated: Platform, copy_of: Copy) -> None:
    for statement in (f"delete from {CALCULATION}.close_gate", f"update {CALCULATION}.close_gate set is_passed = null"):
        platform = copy_of(calculated, "t_gates")
        change(platform, statement)
        with pytest.raises(psycopg.errors.RaiseException, match="cannot be closed"):
            seal(platform, Role.PLAN_APPROVER)


def test_a_period_without_scores_is_not_sealed(calculated: Platform, copy_of: Copy) -> None:
    platform = copy_of(calculated, "t_empty")
    change(platform, f"delete from {CALCULATION}.score")
    with pytest.raises(psycopg.errors.RaiseException, match=f"period {PERIOD} has no scores to close"):
        seal(platform, Role.PLAN_APPROVER)
    assert count(platform, "payroll.close") == 0


def test_sealing_runs_no_code_of_the_calculation_with_the_rights_of_the_owner(
    calculated: Platform, copy_of: Copy
) -> None:
    """Whoever builds the calculation (dbt's login) must not become the owner through a view or a cast."""
    platform = copy_of(calculated, "t_escalation")
    change(
        platform,
        f"create table {CALCULATION}.who (name text)",
        f"grant insert on {CALCULATION}.who to public",
        f"grant usage on schema {CALCULATION} to public",
        f"create function {CALCULATION}.passed() returns boolean language plpgsql as $$ begin"
        f" insert into {CALCULATION}.who values (current_user); return true; end $$",
        f"drop table {CALCULATION}.close_gate",
        f"create view {CALCULATION}.close_gate as select gate, {CALCULATION}.passed() as is_passed, detail_zh,"
        " detail_en from wh_appraisal.close_gate",
    )
    try:
        seal(platform, Role.PLAN_APPROVER)
    except psycopg.errors.RaiseException as refused:
        assert "close_gate" in str(refused)
    with platform.warehouse.connect(Role.OWNER) as connection:
        names = {name for (name,) in connection.execute(f"select name from {CALCULATION}.who".encode())}
    assert names <= {"kefu_transformer"}


def test_a_demo_plan_does_not_seal_a_real_period(calculated: Platform, copy_of: Copy) -> None:
    """`kefu config` refuses it too, but its author may apply rows without the program."""
    platform = copy_of(calculated, "t_mode")
    change(
        platform,
        "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
        " select kind, '2026_11_real', 1, 'x', valid_from, body"
        ' || \'{"period_id": "2026_11_real", "mode": "real"}\''
        f" from cfg.object_version where kind = 'period' and object_id = '{PERIOD}'",
        role=Role.PLAN_AUTHOR,
    )
    change(
        platform,
        *(f"update {CALCULATION}.{table} set period_id = '2026_11_real'" for table in COPIED if table != "close_gate"),
        f"update {CALCULATION}.stg_cfg__period set period_mode = 'real'",
    )
    with pytest.raises(psycopg.errors.RaiseException, match="demo"):
        seal(platform, Role.PLAN_APPROVER, period="2026_11_real")


def test_the_checker_seals_what_was_calculated(
    calculated: Platform, copy_of: Copy, closed: tuple[Platform, Close]
) -> None:
    platform = copy_of(calculated, "t_sealed")
    seal(platform, Role.PLAN_APPROVER)
    # The live line and the calculation of the close are the same models over the same data.
    assert export(platform, PERIOD).content_hash == closed[1].content_hash
    with pytest.raises(psycopg.errors.RaiseException, match="already closed"):
        seal(platform, Role.PLAN_APPROVER)
    with platform.warehouse.connect(Role.OWNER) as connection:
        audit = connection.execute("select actor, action, object, previous_hash from payroll.audit").fetchall()
    assert audit == [("kefu_plan_approver", "close", f"{PERIOD} v1", "0" * 64)]
