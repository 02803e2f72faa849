"""Runs of DAGs by Airflow, and steps of runs that meet, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kefu.payroll import accept_fallback
from kefu.pipeline.context import Platform
from kefu.pipeline.transform import start_run
from kefu.settings import Settings
from kefu.warehouse import Role, Warehouse, WarehouseError
from tests.e2e.support import Line
from tests.payroll import fabricated
from tests.payroll.fabricated import Agent, Calculation, calculating, query, set_clock

PERIOD_ID = "2026_11_demo"


@pytest.fixture(autouse=True)
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tasks run on."""
    monkeypatch.setattr("kefu.settings.settings", lambda: settings)


def test_daily_publishes_what_the_command_line_publishes(
    line: Line, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = line.platform.settings
    monkeypatch.setattr("kefu.settings.settings", lambda: settings)
    monkeypatch.setenv("KEFU_DATABASE", "t_daily_dag")

    run = dags["daily"].test(logical_date=datetime.now(UTC), run_conf={"period_id": PERIOD_ID})

    assert run.state == "success"
    platform = Platform(settings, "t_daily_dag")
    assert _fetch(platform.warehouse, "select content_hash, withheld, data_cut from ops.publication") == [
        (line.published.content_hash, bool(line.published.withheld), platform.scope(platform.period()).data_cut)
    ]
    assert _fetch(platform.warehouse, "select kind, status, detail from ops.run") == [
        ("daily", "succeeded", {"period_id": PERIOD_ID, "window": None})
    ]
    assert _fetch(platform.warehouse, "select count(*), count(window_start), sum(read_count) > 0 from ops.load") == [
        (57, 0, True)
    ]


def test_an_ingest_run_reads_its_business_day_and_says_so(
    settings: Settings, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEFU_DATABASE", "t_ingest_dag")

    run = dags["ingest_callcenter"].test(logical_date=datetime(2026, 11, 22, 9, 30, tzinfo=UTC))

    assert run.state == "success"
    start, end = datetime(2026, 11, 20, 23, tzinfo=UTC), datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert (run.data_interval_start, run.data_interval_end) == (start, end)
    warehouse = Platform(settings, "t_ingest_dag").warehouse
    loads = _fetch(warehouse, "select entity, window_start, window_end, read_count > 0 from ops.load order by entity")
    hours = {"cdr": 12, "cel": 6, "queue_log": 6}
    assert loads == [(entity, start - timedelta(hours=hours[entity]), end, True) for entity in hours]
    assert _fetch(warehouse, "select kind, status from ops.run") == [("ingest", "succeeded")]
    assert _asset_events() == [
        (
            "callcenter_loaded",
            {
                "window": {"start": "2026-11-20T23:00:00+00:00", "end": "2026-11-21T23:00:00+00:00"},
                "period_id": PERIOD_ID,
            },
        )
    ]


def test_a_run_does_not_go_on_after_a_later_one_has_begun(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import steps

    monkeypatch.setenv("KEFU_DATABASE", warehouse.database)
    platform = Platform(settings, warehouse.database)
    scope = platform.scope(platform.period()).variables()
    monkeypatch.setattr("kefu.pipeline.transform.build", lambda platform, scope, layer, run_id: len(layer))
    start_run(platform, "first", "daily", {})
    start_run(platform, "beside", "ingest", {})
    assert steps.build("first", scope, "kpi") == 3

    start_run(platform, "second", "build", {})
    with pytest.raises(WarehouseError, match=r"first does not go on.*'second'.*Remedy: trigger a new run"):
        steps.build("first", scope, "kpi")
    assert steps.build("second", scope, "kpi") == 3
    statuses = dict(_fetch(warehouse, "select run_id, status from ops.run"))
    assert statuses == {"first": "failed", "beside": "running", "second": "running"}


def test_a_step_and_the_start_of_a_run_wait_while_another_pipeline_works(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import steps

    monkeypatch.setenv("KEFU_DATABASE", warehouse.database)
    platform = Platform(settings, warehouse.database)
    scope = platform.scope(platform.period()).variables()
    start_run(platform, "held up", "daily", {})
    with platform.warehouse.pipeline_lock("somebody else"):
        with pytest.raises(WarehouseError, match=r"pipeline: somebody else"):
            steps.build("held up", scope, "kpi")
        with pytest.raises(WarehouseError, match=r"pipeline: somebody else"):
            steps.prepare("not begun", "daily", {})
    statuses = dict(_fetch(warehouse, "select run_id, status from ops.run"))
    assert statuses["held up"] == "failed" and "not begun" not in statuses


def _approval(name: str | None, choice: str = "Approve") -> dict[str, Any]:
    return {
        "chosen_options": [choice],
        "params_input": {},
        "responded_at": datetime(2026, 11, 25, 8, tzinfo=UTC),
        "responded_by_user": {"id": name, "name": name} if name else None,
    }


@pytest.fixture
def closing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Platform]:
    """A warehouse whose close calculates what a test decides, with people known to Airflow by name."""
    mode, plan_ids, database = request.param
    # A real period with slow metrics is cut eight days after its end.
    declared = {"period_id": "p", "mode": mode, "end": "2026-11-16", "plan_ids": plan_ids}
    here = fabricated.installation(settings, database, tmp_path, [declared])
    set_clock(here, "2026-11-25T08:00:00Z")
    actors = {"ana": "kefu_plan_author", "ben": "kefu_plan_approver", "cho": "kefu_hr_approver"}
    known = here.settings.model_copy(update={"kefu_actors": actors if mode == "real" else {}})
    monkeypatch.setattr("kefu.settings.settings", lambda: known)
    query(
        here,
        "insert into cfg.plan_approval select object_id, version, content_hash, 'kefu_plan_approver',"
        " '2026-10-30T08:00:00Z' from cfg.object_version where kind = 'plan' on conflict do nothing",
    )
    agents = [Agent("CS1001", Decimal("85.03"), "A", 100_030), Agent("CS1003", None, None, 80_000)]
    with calculating(monkeypatch, Calculation(agents)):
        yield Platform(known, database)


@pytest.mark.parametrize("closing", [("real", ["balanced_im"], "t_close_steps")], indirect=True)
def test_the_tasks_of_a_close_act_as_the_people_airflow_recorded(closing: Platform) -> None:
    from dags import steps

    assert steps.closing("p")["state"] == "open"
    with pytest.raises(PermissionError, match=r"found the Airflow user None, expected one of \['ana', 'ben', 'cho'\]"):
        steps.calculate_close("close 1", "p", None)
    done = steps.calculate_close("close 1", "p", "ana")
    shown = done["result_hash"]
    assert len(shown) == 16 and done | {"result_hash": ""} == {
        "scores": "1 of 2", "amount": "1,800.30", "result_hash": "",
    }  # fmt: skip
    for refused in (_approval("ben", "Reject"), _approval(None)):
        with pytest.raises(PermissionError, match="no approval by a person"):
            steps.review_close("close 1", "p", shown, refused)
    with pytest.raises(PermissionError, match="found the Airflow user eve"):
        steps.review_close("close 1", "p", shown, _approval("eve"))
    with pytest.raises(WarehouseError, match="kefu_plan_author applied plan balanced_im and cannot close a period"):
        steps.review_close("close 1", "p", shown, _approval("ana"))
    assert steps.review_close("close 1", "p", shown, _approval("ben")) == "2026-12-02 23:00:00+00:00"
    assert steps.window_is_over("p") is False
    with pytest.raises(ValueError, match=rf"its result is {shown}, the people of this run were shown 0000"):
        steps.close("close 1", "p", "0000", _approval("cho"))
    set_clock(closing, "2026-12-03T08:00:00Z")
    # Nobody is asked to approve what the database would refuse: CS1003 is paid without enough evidence.
    assert steps.window_is_over("p") is False
    for login in ("kefu_plan_approver", "kefu_hr_approver"):
        accept_fallback(closing, "p", "CS1003", "new in the team, paid as usual", login)
    assert steps.window_is_over("p") is True
    with pytest.raises(WarehouseError, match="was reviewed by kefu_plan_approver and cannot be approved by the same"):
        steps.close("close 1", "p", shown, _approval("ben"))
    done = steps.close("close 1", "p", shown, _approval("cho"))
    assert (done["version"], done["row_count"]) == (1, 2)
    assert query(closing, "select state, actor from payroll.transition order by transition_id") == [
        ("cut", "kefu_plan_author"), ("calculated", "kefu_plan_author"), ("reviewed", "kefu_plan_approver"),
        ("published", "kefu_plan_approver"), ("dispute_window", "kefu_plan_approver"),
        ("approved", "kefu_hr_approver"), ("locked", "kefu_hr_approver"), ("exported", "kefu_hr_approver"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"closed already\. Remedy: `kefu period export p`"):
        steps.closing("p")


@pytest.mark.parametrize("closing", [("demo", ["demo"], "t_close_dag")], indirect=True)
def test_the_dag_closes_a_period_that_people_approve(
    closing: Platform, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waiting itself is Airflow's; here its operator answers at once what the API would have recorded."""
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    monkeypatch.setattr(ApprovalOperator, "execute", lambda self, context: _approval(self.task_id))
    monkeypatch.setattr(ApprovalOperator, "validate_params", lambda self: None, raising=False)

    run = dags["payroll_close"].test(run_conf={"period_id": "p"})

    assert run.state == "success"
    assert query(closing, "select period_id, version, row_count, approved_by from payroll.close") == [
        ("p", 1, 2, "kefu_hr_approver")
    ]
    assert query(closing, "select kind, status from ops.run where kind = 'approved close'") == [
        ("approved close", "succeeded")
    ]


def _fetch(warehouse: Warehouse, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(Role.TRANSFORMER) as connection:
        return connection.execute(statement.encode()).fetchall()


def _asset_events() -> list[tuple[str, dict[str, Any]]]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return [(event.asset.name, event.extra) for event in session.query(AssetEvent).all()]
