"""Who may approve and what may be recorded is decided by the database from the login, never by the program."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from kefu.payroll import Close, CloseRefused, calculate, cut, export, status, step
from kefu.payroll.close import APPROVER, CHECKER
from kefu.payroll.commands import approve_plan
from kefu.pipeline.context import Platform, Scope
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line
from tests.payroll.fabricated import GATES, Agent, Calculation, calculating, installation, query

PERIOD = "2026_11_demo"
CALCULATION = f"calc_{PERIOD}_v1"
OTHERS = [Role.LOADER, Role.TRANSFORMER, Role.TEXT, Role.BI, Role.AUDITOR, Role.PAYROLL_CLERK]
RECORD = f"select payroll.record_calculation('{PERIOD}', 'configuration')"


@pytest.fixture(scope="module")
def calculated(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A cut period whose results stand in its calculation, not recorded yet."""
    platform = installation(settings, "t_calculated", tmp_path_factory.mktemp("calculated"))
    cut(platform, PERIOD)
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(f"create schema {CALCULATION}".encode())
    period = platform.period(PERIOD)
    Calculation([Agent("CS1001", Decimal("84.96"), "B", 120_000)])(
        platform, Scope(CALCULATION, 0, period.as_of, PERIOD, "", ""), "a run", lambda line: None
    )
    return platform


def change(platform: Platform, *statements: str, role: Role = Role.TRANSFORMER) -> None:
    with platform.warehouse.connect(role) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def count(platform: Platform, table: str) -> Any:
    return query(platform, f"select count(*) from {table}")[0][0]


def refused(platform: Platform, *statements: str) -> str:
    """Returns why a calculation that the transformer changed is not recorded; the change does not stay."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("set session authorization kefu_transformer")
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute("set session authorization kefu_plan_author")
        with pytest.raises(psycopg.errors.RaiseException) as raised:
            connection.execute(RECORD.encode())
        connection.rollback()
    return str(raised.value.diag.message_primary)


def test_the_author_of_a_plan_does_not_approve_it(calculated: Platform) -> None:
    with pytest.raises(
        psycopg.errors.RaiseException,
        match="plan balanced_im version 1 was applied by kefu_plan_author and cannot be approved by the same login",
    ):
        change(calculated, "select cfg.approve_plan('balanced_im', 1)", role=Role.PLAN_AUTHOR)
    assert count(calculated, "cfg.plan_approval where plan_id = 'balanced_im'") == 0


def test_the_command_says_so_without_a_stack_trace(calculated: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kefu.payroll.commands._platform", lambda: calculated)
    with pytest.raises(CloseRefused, match=r"cannot be approved by the same login. Remedy: another person approves it"):
        approve_plan("balanced_im", 1, Role.PLAN_AUTHOR)


def test_a_plan_that_was_not_applied_is_not_approved(calculated: Platform) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="plan demo version 99 is not applied") as raised:
        change(calculated, "select cfg.approve_plan('demo', 99)", role=Role.PLAN_APPROVER)
    assert raised.value.diag.message_hint == "run `kefu config apply` first"


@pytest.mark.parametrize("role", OTHERS)
def test_nobody_else_approves_or_takes_a_step(calculated: Platform, role: Role) -> None:
    steps = ("cut", "review", "publish", "approve", "lock")
    for statement in (
        "select cfg.approve_plan('balanced_im', 1)",
        RECORD,
        *(f"select payroll.{name}('{PERIOD}')" for name in steps),
        f"select payroll.restate('{PERIOD}', 'defect', 'no reason')",
        f"select payroll.record_export('{PERIOD}', 1, 'm', 's', 'k')",
        f"select payroll.waive('{PERIOD}', 'plan_approved_in_time', 'no reason')",
        "select payroll.decide_adjustment(1, true, 'no reason')",
        f"select payroll.accept_fallback('{PERIOD}', 'CS1001', 'no reason')",
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
        "insert into ops.row_exclusion (row_kind, row_key, dispute_id, is_excluded, decided_by, decided_at)"
        " values ('rating', 'x', 1, true, 'somebody', now())",
        "set role kefu_plan_approver",
        "set session authorization kefu_plan_approver",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            change(calculated, statement, role=Role.PLAN_AUTHOR)


def test_every_gate_of_the_line_is_one_that_a_close_asks_for(line: Line) -> None:
    found = query(line.platform, "select gate from wh_appraisal.close_gate where is_passed")
    assert sorted(gate for (gate,) in found) == GATES


@pytest.mark.parametrize("gate", GATES)
def test_every_gate_by_itself_refuses_the_calculation(calculated: Platform, gate: str) -> None:
    for statement, message in (
        (f"update {CALCULATION}.close_gate set is_passed = gate <> '{gate}'", f"{gate} is not settled"),
        (f"update {CALCULATION}.close_gate set is_passed = null where gate = '{gate}'", f"{gate} is not settled"),
        (f"delete from {CALCULATION}.close_gate where gate = '{gate}'", "was not evaluated"),
    ):
        assert refused(calculated, statement) == f"period {PERIOD} cannot be closed: {gate}: {message}"
    assert status(calculated, PERIOD).state == "cut"


def test_a_gate_nobody_knows_refuses_too(calculated: Platform) -> None:
    unknown = f"insert into {CALCULATION}.close_gate values ('new_gate', false, '未通过', 'is not settled')"
    assert refused(calculated, unknown) == f"period {PERIOD} cannot be closed: new_gate: is not settled"


def test_only_a_source_that_ends_early_is_accepted_and_by_somebody_who_does_not_calculate(calculated: Platform) -> None:
    waived = (
        "set session authorization kefu_hr_approver",
        f"select payroll.waive('{PERIOD}', 'sources_fresh', 'no survey ran in the last week')",
        "set session authorization kefu_transformer",
    )
    stale = f"update {CALCULATION}.close_gate set is_passed = false where gate = 'sources_fresh'"
    for statement, message in (
        (f"update {CALCULATION}.close_gate set is_passed = gate <> 'reconciliation'", "reconciliation is not settled"),
        (f"delete from {CALCULATION}.close_gate where gate = 'sources_fresh'", "sources_fresh: was not evaluated"),
        (f"update {CALCULATION}.close_gate set is_passed = null where gate = 'sources_fresh'", "sources_fresh: "),
    ):
        assert message in refused(calculated, *waived, stale, statement)
    with calculated.warehouse.connect(Role.OWNER) as connection:
        for statement in (*waived, stale, "set session authorization kefu_plan_author", RECORD):
            connection.execute(statement.encode())
        connection.rollback()
    # Another cut of the same data changes nothing for the waiver; of more data it does.
    cut_again = (
        "set session authorization kefu_plan_author",
        f"select payroll.cut('{PERIOD}', 'a source was read again')",
        "set session authorization kefu_transformer",
    )
    more_loaded = (
        "reset session authorization",
        "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
        " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at)"
        " values (7, 'r', 'chat', 'live_helper_chat', 'chat', 1, 1, 0, 0, 0, 0, '{}', now())",
    )
    other = f"update {CALCULATION}.close_gate set is_passed = false where gate = 'reconciliation'"
    assert "sources_fresh" not in refused(calculated, *waived, *cut_again, stale, other)
    assert "sources_fresh" in refused(calculated, *waived, *more_loaded, *cut_again, stale, other)
    with pytest.raises(psycopg.errors.RaiseException, match="cannot close a period with it"):
        change(calculated, waived[1], role=Role.PLAN_AUTHOR)


def test_scores_and_payments_belong_together(calculated: Platform) -> None:
    for statement, message in (
        (f"delete from {CALCULATION}.score", f"scores: period {PERIOD} has no scores to close"),
        (f"delete from {CALCULATION}.payment", "payments: 1 agents have 1 scores and 0 payments, 0 of them matched"),
        (
            f"insert into {CALCULATION}.payment select * from {CALCULATION}.payment",
            "payments: 1 agents have 1 scores and 2 payments, 2 of them matched",
        ),
    ):
        assert refused(calculated, statement) == f"period {PERIOD} cannot be closed: {message}"


def test_recording_runs_no_code_of_the_calculation_with_the_rights_of_the_owner(
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
        f"alter table {CALCULATION}.close_gate rename to gates",
        f"create view {CALCULATION}.close_gate as select gate, {CALCULATION}.passed() as is_passed, detail_zh,"
        f" detail_en from {CALCULATION}.gates",
    )
    with pytest.raises(psycopg.errors.RaiseException, match="close_gate is not a plain table"):
        change(platform, RECORD, role=Role.PLAN_AUTHOR)
    names = {name for (name,) in query(platform, f"select name from {CALCULATION}.who")}
    assert names <= {"kefu_transformer"}


@pytest.mark.parametrize(
    "trap",
    [
        "create index on {0}.score (composite) where {0}.passed()",
        "create index on {0}.score ({0}.named(agent_key))",
        "alter table {0}.score add constraint trap check ({0}.passed()) not valid",
        "create table {0}.more () inherits ({0}.score)",
        "alter table {0}.score enable row level security",
        "create rule trap as on insert to {0}.score do also select 1",
    ],
)
def test_planning_runs_no_code_of_the_calculation_either(calculated: Platform, trap: str) -> None:
    """A predicate, an expression or a check is evaluated by whoever reads the table, before the first row."""
    functions = (
        f"create function {CALCULATION}.passed() returns boolean language sql immutable as 'select true'",
        f"create function {CALCULATION}.named(text) returns text language sql immutable as 'select $1'",
    )
    with calculated.warehouse.connect(Role.OWNER) as connection:
        connection.execute("set session authorization kefu_transformer")
        for statement in (*functions, trap.format(CALCULATION)):
            connection.execute(statement.encode())
        connection.execute("set session authorization kefu_plan_author")
        with pytest.raises(psycopg.errors.RaiseException, match="score is not a plain table"):
            connection.execute(RECORD.encode())
        connection.rollback()


def test_a_demo_plan_does_not_close_a_real_period(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kefu config` refuses it too, but its author may apply rows without the program."""
    platform = installation(settings, "t_mode", tmp_path_factory.mktemp("mode"))
    change(
        platform,
        "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
        " select kind, object_id, 99, 'x', valid_from,"
        ' body || \'{"mode": "real", "start": "2025-11-02", "end": "2025-11-21", "as_of": "2025-11-25T00:00:00Z"}\''
        f" from cfg.object_version where kind = 'period' and object_id = '{PERIOD}'",
        "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
        " select kind, object_id, 99, 'x', '2025-01-01', body from cfg.object_version"
        " where kind in ('site', 'defaults', 'calendar', 'plan')",
        role=Role.PLAN_AUTHOR,
    )
    with (
        calculating(monkeypatch, Calculation([Agent("CS1001", Decimal("84.96"), "B", 120_000)])),
        pytest.raises(Exception, match="plan_mode: the period is real and demo is a demo plan"),
    ):
        cut(platform, PERIOD)
        calculate(platform, PERIOD)


COPIED = ["close_gate", "metric_reliability", "payment", "score", "score_component"]


def test_what_is_closed_is_what_the_live_line_calculates(
    line: Line, copy_of: Copy, closed: tuple[Platform, Close], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live line and the calculation of a close are the same models over the same data."""
    platform = copy_of(line.platform, "t_sealed")

    def copied(target: Platform, scope: Scope, run_id: str, say: Any) -> None:
        with target.warehouse.connect(Role.TRANSFORMER) as connection:
            for name in COPIED:
                connection.execute(f"create table {scope.calc_id}.{name} as table wh_appraisal.{name}".encode())
            connection.execute(
                "create temporary table moved as select * from stats.agent_estimate where calc_id = 'live'"
            )
            connection.execute("update moved set calc_id = %s", [scope.calc_id])
            connection.execute("insert into stats.agent_estimate select * from moved")

    monkeypatch.setattr("kefu.payroll.close.run.calculate", copied)
    monkeypatch.setattr("kefu.payroll.close.hand_out", lambda *_: None)  # the cards need more than what is copied
    cut(platform, PERIOD)
    calculate(platform, PERIOD)
    step(platform, PERIOD, "review", CHECKER)
    step(platform, PERIOD, "publish", CHECKER)
    step(platform, PERIOD, "approve", APPROVER)
    step(platform, PERIOD, "lock", APPROVER)
    assert export(platform, PERIOD).content_hash == closed[1].content_hash
    hashes = "select content_hash, component_hash, trust_hash from payroll.close"
    assert query(platform, hashes) == query(closed[0], hashes)
