"""Who looked at pay and scores: no reading without its record, and no record that a reader could change."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from kefu.cli import app
from kefu.payroll import CloseRefused, Reader, close_period, export, reading, rows_of
from kefu.pipeline.context import Platform
from kefu.settings import PROJECT, Settings
from kefu.warehouse import Role
from tests.payroll.fabricated import Agent, Calculation, calculating, installation, query

DEMO, REAL = "2026_11_demo", "2026_11_real"
AGENTS = [Agent("CS1001", Decimal("84.96"), "B", 120_000), Agent("CS1002", Decimal("91.20"), "A", 150_050)]
READERS = [Role.AUDITOR, Role.PLAN_AUTHOR, Role.PLAN_APPROVER, Role.HR_APPROVER, Role.PAYROLL_CLERK]


@pytest.fixture(scope="module")
def closed(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = installation(
        settings, "t_access", tmp_path_factory.mktemp("access"),
        [{}, {"period_id": REAL, "mode": "real", "plan_ids": ["balanced_im"]}],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, calculating(patch, Calculation(AGENTS)):
        close_period(platform, DEMO)
        yield platform


def log(platform: Platform) -> list[tuple[Any, ...]]:
    return query(
        platform,
        "select login, command, mart, period_id, agent_key, purpose from payroll.access order by access_id",
    )


# --- every command --------------------------------------------------------------------------------------------------

# `kefu explain`, `reports` and `compare` are in tests/explain, `kefu plan simulate` in tests/plans.
COMMANDS: dict[str, list[str]] = {
    "kefu period show": ["period", "show", DEMO],
    "kefu period export": ["period", "export", DEMO],
    "kefu payroll corrections": ["payroll", "corrections", "--purpose", "what waits for HR"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_who_read_what(closed: Platform, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("kefu.payroll.commands.settings", lambda: closed.settings)
    before = log(closed)
    done = CliRunner().invoke(app, [*COMMANDS[command], "--login", "kefu_hr_approver"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    [new] = log(closed)[len(before) :]
    period = None if "corrections" in command else DEMO
    assert new[:2] == ("kefu_hr_approver", command) and new[3:5] == (period, "all")
    said = CliRunner().invoke(app, ["payroll", "access", "--period", DEMO]).output
    assert f": {command}, " in said and " kefu_hr_approver (" in said
    assert query(closed, "select * from payroll.verify()") == []


def test_a_reading_is_recorded_before_it_begins_and_stays_when_it_fails(closed: Platform) -> None:
    who = Reader("kefu_auditor", "a reading that fails", "to see what stays")
    with (
        pytest.raises(psycopg.errors.UndefinedTable),
        reading(closed, who, "payroll.snapshot", DEMO, ["CS1001", "CS1002"]) as reader,
    ):
        assert [row[4] for row in log(closed)[-2:]] == ["CS1001", "CS1002"]
        reader.execute("select * from payroll.nothing")
    assert [row[1] for row in log(closed)[-2:]] == [who.command] * 2


def test_a_person_is_recorded_by_the_own_login(closed: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    query(closed, "drop role if exists eva; create role eva login password 'hers'; grant kefu_payroll to eva")
    who = Reader("eva", "kefu period show")
    before = log(closed)
    monkeypatch.setenv("KEFU_LOGIN_EVA_PASSWORD", "his")
    with pytest.raises(CloseRefused, match="eva cannot log in"):
        rows_of(closed, who, DEMO)
    assert log(closed) == before
    monkeypatch.setenv("KEFU_LOGIN_EVA_PASSWORD", "hers")
    assert len(rows_of(closed, who, DEMO)) == len(AGENTS)
    assert log(closed) == [*before, ("eva", who.command, "payroll.snapshot", DEMO, "all", None)]
    query(closed, "drop role eva")


def test_pay_of_a_real_period_is_read_for_a_purpose(closed: Platform) -> None:
    for purpose, problem in ((None, "read for a purpose, and none is given.*--purpose"), ("x", "five characters")):
        before = log(closed)
        with pytest.raises(CloseRefused, match=problem):
            rows_of(closed, Reader("kefu_auditor", "kefu period show", purpose), REAL)
        assert log(closed) == before
    assert rows_of(closed, Reader("kefu_auditor", "kefu period show", "an audit of HR"), REAL) == []


@pytest.mark.parametrize("login", [Role.BI, Role.LOADER, Role.TEXT, Role.TRANSFORMER])
def test_a_login_without_rights_on_pay_reads_nothing_by_a_command(closed: Platform, login: Role) -> None:
    before = log(closed)
    with pytest.raises(CloseRefused, match=rf"{login.value}.*may not call payroll.record_access|permission denied"):
        export(closed, DEMO, login=login.value)
    assert log(closed) == before


@pytest.mark.parametrize("role", READERS)
def test_who_may_read_pay_cannot_touch_the_log(closed: Platform, role: Role) -> None:
    for statement in (
        "delete from payroll.access", "update payroll.access set login = 'kefu_bi'", "truncate payroll.access",
        "insert into payroll.access (login, account, accessed_at, command, mart, agent_key)"
        " values ('x', 'x', now(), 'x', 'x', 'all')",
        "select payroll.write_audit('read', 'access 1', '{}')", "set log_statement = 'none'",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege), closed.warehouse.connect(role) as connection:
            connection.execute(statement.encode())


# --- SQL of their own -----------------------------------------------------------------------------------------------


def test_the_server_logs_what_readers_ask_by_sql_of_their_own(closed: Platform, settings: Settings) -> None:
    """Also when they roll back, which takes every record out of a table."""
    query(closed, "drop role if exists ana; create role ana login; grant kefu_payroll to ana")
    assert query(closed, "select login from payroll.sql_reader where not is_logged") == [("ana",)]
    query(closed, "select payroll.log_sql_readers()")
    found = dict(query(closed, "select login, is_logged from payroll.sql_reader"))
    assert found == dict.fromkeys(["ana", *(role.value for role in READERS)], True)
    with closed.warehouse.connect(Role.PAYROLL_CLERK) as connection:
        connection.execute("select amount_fen from payroll.snapshot where agent_key = 'CS1001'")
        connection.rollback()
    lines = (settings.kefu_data_dir / "postgres.log").read_text(encoding="utf-8", errors="replace")
    assert re.search(r"kefu_payroll_clerk@t_access \[\d+\] LOG: .*select amount_fen from payroll.snapshot", lines)
    query(closed, "drop role ana")


# --- nothing reads past it ------------------------------------------------------------------------------------------

MODELS = ("score", "payment", "score_component")
PAY = re.compile(
    r"payroll\.(snapshot(_as_of|_component)?\b|closed_score|closed_component|canonical_csv|adjustment as)"
    rf"|\.({'|'.join(MODELS)})\b"
)


def sinks(path: str, source: str) -> dict[str, bool]:
    """Functions that name a relation of pay, and whether they read it on a connection of `reading` only."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = {}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        nodes = list(ast.walk(function))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        texts += [constants[node.id] for node in nodes if isinstance(node, ast.Name) and node.id in constants]
        texts += [
            f".{node.args[0].value}"
            for node in nodes
            if isinstance(node, ast.Call) and called(node) == "rows" and isinstance(node.args[0], ast.Constant)
        ]
        if not any(PAY.search(text) for text in texts if text != ast.get_docstring(function, clean=False)):
            continue
        given = "reader" in {argument.arg for argument in function.args.args}
        opened = [item for node in nodes if isinstance(node, ast.With) for item in node.items]
        calls = {called(item.context_expr) for item in opened if isinstance(item.context_expr, ast.Call)}
        found[f"{path}:{function.name}"] = given or "reading" in calls
    return found


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def readers_bound_elsewhere(source: str) -> list[int]:
    """Lines where something else than `reading` is called `reader`."""
    return [
        item.context_expr.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and item.optional_vars.id == "reader"
        and not (isinstance(item.context_expr, ast.Call) and called(item.context_expr) == "reading")
    ]


def files() -> Iterator[tuple[str, str]]:
    for folder in ("kefu", "dags"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield str(path.relative_to(PROJECT)), path.read_text(encoding="utf-8")


def test_everything_that_reads_pay_is_recorded() -> None:
    found: dict[str, bool] = {}
    for path, source in files():
        found |= sinks(path, source)
        assert readers_bound_elsewhere(source) == [], path
    assert {name for name, is_recorded in found.items() if is_recorded} == {
        "kefu/cli_explain.py:compare",
        "kefu/cli_explain.py:explain",
        "kefu/cli_explain.py:reports",
        "kefu/explain/appraisal.py:load",
        "kefu/payroll/close.py:corrections",
        "kefu/payroll/close.py:export",
        "kefu/payroll/close.py:hand_out",
        "kefu/payroll/close.py:rows_of",
        "kefu/plan/simulate.py:_people",
        "kefu/plan/simulate.py:simulate",
    }
    # Neither shows anybody's pay: the number and sum of all scores, and what the pipeline compares with older periods.
    assert {name for name, is_recorded in found.items() if not is_recorded} == {
        "dags/steps.py:_result",
        "kefu/pipeline/decline.py:_closed_values",
    }


def test_a_reader_that_records_nothing_is_found() -> None:
    path = "kefu/payroll/close.py"
    source = (PROJECT / path).read_text(encoding="utf-8")
    assert sinks(path, source)[f"{path}:rows_of"]
    for wrong in (
        source.replace("with reading(platform, who,", "with connect(platform, who,"),
        source + "\n\ndef peek(connection):\n    return connection.execute('select * from payroll.closed_score')\n",
    ):
        assert not all(sinks(path, wrong).values())
    assert readers_bound_elsewhere("with connect() as reader:\n    pass\n") == [1]
