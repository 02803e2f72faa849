"""Runs of DAGs by Airflow, and steps of runs that meet, on a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kefu.payroll import Close
from kefu.pipeline.context import Platform
from kefu.pipeline.transform import start_run
from kefu.settings import Settings
from kefu.warehouse import Role, Warehouse, WarehouseError
from tests.e2e.support import Line

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
        (54, 0, True)
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
    overlap = timedelta(minutes=360)
    assert loads == [(entity, start - overlap, end, True) for entity in ("cdr", "cel", "queue_log")]
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


def _approval(name: str, choice: str = "Approve") -> dict[str, Any]:
    return {
        "chosen_options": [choice],
        "params_input": {},
        "responded_at": datetime(2026, 11, 25, 8, tzinfo=UTC),
        "responded_by_user": {"id": name, "name": name},
    }


def test_a_close_records_who_asked_and_who_approved(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dags import steps

    monkeypatch.setenv("KEFU_DATABASE", warehouse.database)
    closed: list[str] = []

    def close_period(platform: Platform, period_id: str, say: Any) -> Close:
        closed.append(period_id)
        return Close(period_id, 1, 12, "c0", "m0", tmp_path)

    monkeypatch.setattr("kefu.payroll.close_period", close_period)
    done = steps.close("close 1", PERIOD_ID, "ana", _approval("ben"))
    assert done == {"version": 1, "row_count": 12, "content_hash": "c0", "folder": str(tmp_path)}
    assert _fetch(warehouse, "select status, detail from ops.run where run_id = 'close 1'") == [
        (
            "succeeded",
            {
                "period_id": PERIOD_ID,
                "requested_by": "ana",
                "approved_by": {"id": "ben", "name": "ben"},
                "approved_at": "2026-11-25 08:00:00+00:00",
            },
        )
    ]
    for refused in (_approval("ben", "Reject"), _approval("ben") | {"responded_by_user": None}):
        with pytest.raises(PermissionError, match="no approval by a person"):
            steps.close("close 2", PERIOD_ID, "ana", refused)
    monkeypatch.setattr(Platform, "period", lambda self, period_id: SimpleNamespace(mode="real"))
    for asked_by in ("ben", None):
        with pytest.raises(PermissionError, match=r"expected two people"):
            steps.close("close 3", PERIOD_ID, asked_by, _approval("ben"))
    assert closed == [PERIOD_ID]


def test_a_close_can_only_be_asked_for_a_declared_open_period(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import steps

    monkeypatch.setenv("KEFU_DATABASE", warehouse.database)
    assert steps.closing(PERIOD_ID) == {
        "period": "2026-11-02 to 2026-11-21",
        "mode": "demo",
        "publication": "none",
        "scores": "not published",
    }
    with pytest.raises(ValueError, match=r"found the period 2026_12, expected one of \['2026_11_demo'\]"):
        steps.closing("2026_12")
    with warehouse.connect(Role.OWNER) as owner:
        owner.execute(
            "insert into payroll.close select %s, 1, '2026-11-02', '2026-11-21', 'demo', 1, now(), 'h', 0, 'h', 'h',"
            " 'h', 'h', 'kefu_plan_approver', now()",
            [PERIOD_ID],
        )
    with pytest.raises(ValueError, match=r"closed already. Remedy: `kefu period export 2026_11_demo`"):
        steps.closing(PERIOD_ID)


def _fetch(warehouse: Warehouse, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(Role.TRANSFORMER) as connection:
        return connection.execute(statement.encode()).fetchall()


def _asset_events() -> list[tuple[str, dict[str, Any]]]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return [(event.asset.name, event.extra) for event in session.query(AssetEvent).all()]
