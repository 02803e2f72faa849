"""What holds for every DAG: how many there are, who answers for them, what they import, which intervals they get."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from kefu.catalogue.models import Channel
from kefu.pipeline.context import Platform
from kefu.settings import Settings

DAGS = Path(__file__).parents[2] / "dags"
INGEST = {"ingest_callcenter": "voice", "ingest_im": "chat", "ingest_hr": "none"}
MANUAL = {"daily", "payroll_close"}
BERLIN = ZoneInfo("Europe/Berlin")


def test_exactly_these_dags_are_found(dags: dict[str, Any]) -> None:
    assert sorted(dags) == sorted([*INGEST, "build_core", *MANUAL])


def test_every_dag_says_whose_it_is_and_what_to_do(dags: dict[str, Any]) -> None:
    from dags.common import TAGS

    for dag in dags.values():
        assert dag.max_active_runs == 1 and not dag.catchup, dag.dag_id
        assert dag.doc_md and "**Fails when**" in dag.doc_md and "**By hand:**" in dag.doc_md, dag.dag_id
        assert dag.tags <= TAGS, dag.dag_id
        assert len([tag for tag in dag.tags if tag.startswith("tier-")]) == 1, dag.dag_id
        for one in dag.tasks:
            assert one.owner == "data-engineering", one
            assert one.retries >= 1 and one.retry_delay >= timedelta(minutes=1), one
    assert {dag.dag_id for dag in dags.values() if "tier-1" in dag.tags} == {"payroll_close"}


def test_an_unknown_tag_is_refused(airflow_home: Path) -> None:
    from dags.common import tags

    with pytest.raises(ValueError, match=r"unknown tags.*urgent"):
        tags("ingest", "urgent")


def test_files_import_nothing_of_airflow_but_its_sdk() -> None:
    files = sorted(DAGS.glob("*.py"))
    assert len(files) == 7
    for path in files:
        assert not path.name.startswith("dbt_")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imports += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
        airflow = {name for name in imports if name.split(".")[0] == "airflow"}
        assert airflow <= {"airflow.sdk", "airflow.providers.standard.operators.hitl"}, path.name


# Runs in a process of its own: reads the given files as Airflow does and says what it must not have done.
_PARSE = """
import importlib.util, sys
import airflow.sdk, airflow.providers.standard.operators.hitl
import croniter  # Airflow imports it with the first cron schedule; it asks `file` whether Python has 32 bits
heavy = {"bi", "connectors", "dbt", "great_expectations", "kefu", "numpy", "psycopg", "pyarrow"}
found = set()
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen"):
        found.add(event)
    if event == "open" and str(arguments[0]).endswith((".env", "airflow.cfg")):
        found.add(f"open {arguments[0]}")
sys.addaudithook(watch)
for number, path in enumerate(sys.argv[1:]):
    spec = importlib.util.spec_from_file_location(f"parsed_{number}", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
found |= {f"import {name}" for name in heavy & set(sys.modules)}
print("\\n".join(sorted(found)))
"""


def _parse(home: Path, *paths: Path) -> list[str]:
    environment = os.environ | {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(DAGS.parent)}
    command = [sys.executable, "-c", _PARSE, *map(str, paths)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.split("\n")[:-1] if result.stdout.strip() else []


def test_parsing_asks_nobody_and_loads_nothing_heavy(airflow_home: Path) -> None:
    files = [path for path in sorted(DAGS.glob("*.py")) if path.name != "__init__.py"]
    assert len(files) == 6
    assert _parse(airflow_home, *files) == []


def test_a_dag_that_asks_at_parse_time_is_caught(airflow_home: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "import socket, sqlite3\nimport psycopg\nsqlite3.connect(':memory:')\n"
        "with socket.socket() as probe:\n    probe.connect_ex(('127.0.0.1', 9))\n",
        encoding="utf-8",
    )
    assert _parse(airflow_home, planted) == ["import psycopg", "socket.connect", "sqlite3.connect"]


@pytest.mark.parametrize("dag_id", INGEST)
def test_every_kind_of_ingest_run_has_an_interval_of_one_business_day(dags: dict[str, Any], dag_id: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    scheduler = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags[dag_id]))
    timetable = scheduler.timetable
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    scheduled = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    manual = timetable.infer_manual_data_interval(run_after=_pendulum("2026-11-22T09:30:00Z"))
    backfill = [
        run.data_interval
        for month, days in ((3, (28, 31)), (10, (24, 27)))
        for run in scheduler.iter_dagrun_infos_between(
            _pendulum(f"2026-{month:02}-{days[0]}T00:00:00+00:00"), _pendulum(f"2026-{month:02}-{days[1]}T00:00:00Z")
        )
    ]
    assert scheduled is not None and len(backfill) == 6
    for interval in (scheduled.data_interval, manual, *backfill):
        assert interval.start < interval.end
        local = interval.start.astimezone(BERLIN), interval.end.astimezone(BERLIN)
        assert [moment.strftime("%H:%M") for moment in local] == ["00:00", "00:00"]
        assert local[1].date() - local[0].date() == timedelta(days=1)
    assert (manual.start, manual.end) == (
        datetime(2026, 11, 20, 23, tzinfo=UTC),
        datetime(2026, 11, 21, 23, tzinfo=UTC),
    )
    # The days on which clocks change have 23 and 25 hours, and no instant is left out or read twice.
    assert sorted({(run.end - run.start).total_seconds() / 3600 for run in backfill}) == [23, 24, 25]
    assert all(left.end == right.start for left, right in pairwise(backfill) if left.end.month == right.start.month)


def test_other_dags_are_asked_for_by_assets_or_people(dags: dict[str, Any]) -> None:
    from dags.common import LOADED

    names = {one.name for one in dags["build_core"].timetable.asset_condition.objects}
    assert names == {asset.name for asset in LOADED.values()} and len(names) == len(INGEST)
    assert {outlet.name for dag in INGEST for one in dags[dag].tasks for outlet in one.outlets} == names
    assert {dag_id for dag_id, dag in dags.items() if dag.schedule is None} == MANUAL


def test_the_calculation_is_the_same_chain_in_both_dags(dags: dict[str, Any]) -> None:
    chain = ["facts", "metrics", "judge", "checks", "appraisal", "publish", "pages"]
    for dag_id in ("daily", "build_core"):
        for left, right in pairwise(chain):
            assert right in dags[dag_id].task_dict[left].downstream_task_ids, (dag_id, left)
    assert "load" in dags["daily"].task_dict["facts"].upstream_task_ids


def test_the_close_waits_for_an_approval(dags: dict[str, Any]) -> None:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    dag = dags["payroll_close"]
    for name in ("review", "approve"):
        assert isinstance(dag.task_dict[name], ApprovalOperator)
    chain = ["request", "calculate", "review", "publish", "dispute_window", "approve", "close"]
    assert set(dag.task_dict) == set(chain)
    for left, right in pairwise(chain):
        assert left in dag.task_dict[right].upstream_task_ids, (left, right)
        assert dag.task_dict[right].trigger_rule == "all_success"


def test_every_entity_is_read_by_exactly_one_family(
    dags: dict[str, Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dags import steps

    monkeypatch.setattr("kefu.settings.settings", lambda: settings)
    assert sorted(get_args(Channel)) == sorted(INGEST.values())
    for dag_id, channel in INGEST.items():
        assert f"`channel: {channel}`" in dags[dag_id].doc_md
    by_family = [load for channel in INGEST.values() for load in steps.entities(channel)]
    declared = Platform(settings).catalogue.sources
    everything = [(name, entity) for name, source in declared.items() for entity in source.entities]
    assert len(everything) == 57
    assert sorted((load["source_id"], load["entity"]) for load in by_family) == sorted(everything)
    assert steps.sources() == list(declared)
    assert sorted(name for channel in INGEST.values() for name in steps.sources(channel)) == sorted(declared)


def test_a_run_without_period_or_window_fails_with_a_message() -> None:
    from dags.steps import period_of, window_of

    with pytest.raises(ValueError, match=r"no period: found neither .* Remedy: trigger it again"):
        period_of({"period_id": None}, {})
    with pytest.raises(ValueError, match=r"no data interval: .* Remedy: trigger it with --logical-date"):
        window_of(None, None)
    day = datetime(2026, 11, 2, tzinfo=UTC)
    with pytest.raises(ValueError, match=r"found 2026-11-02T00:00:00\+00:00 to 2026-11-02T00:00:00\+00:00"):
        window_of(day, day)
    with pytest.raises(ValueError, match="both with an offset"):
        window_of("2026-11-02T00:00:00", "2026-11-03T00:00:00")
    assert window_of("2026-11-02T00:00:00+01:00", day + timedelta(days=1)) == {
        "start": "2026-11-02T00:00:00+01:00",
        "end": "2026-11-03T00:00:00+00:00",
    }


def test_the_period_is_the_parameter_else_that_of_the_newest_event() -> None:
    from dags.steps import period_of

    day = datetime(2026, 11, 2, tzinfo=UTC)
    events = {
        "hr": [SimpleNamespace(extra={"period_id": "new"}, timestamp=day + timedelta(hours=2))],
        "im": [
            SimpleNamespace(extra={"period_id": "old"}, timestamp=day),
            SimpleNamespace(extra={}, timestamp=day + timedelta(hours=5)),
        ],
    }
    assert period_of({"period_id": "asked"}, events) == "asked"
    assert period_of({"period_id": None}, events) == "new"


def _pendulum(text: str) -> Any:
    import pendulum

    return pendulum.parse(text)
