"""What the DAGs share: the site's business day, defaults, tags, assets and the tasks of the calculation.

DAG files are parsed every few seconds, so nothing here asks a database, the network or Airflow; the one file that is
read says where the business day begins.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import (
    Asset,
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    chain,
    get_current_context,
    task,
)

from dags import steps

PROJECT = Path(__file__).resolve().parents[1]
DEFAULTS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    # With one run at a time, a task that hangs would hold up every later one.
    "execution_timeout": timedelta(hours=3),
    # What was asked for is wrong, and asking again does not make it right.
    "retry_policy": ExceptionRetryPolicy(rules=[RetryRule([ValueError, PermissionError], RetryAction.FAIL)]),
}
# Every tag a DAG may carry. A tier says what a failure touches: 1 pay, 2 published numbers, 3 one source family.
TAGS = frozenset({"ingest", "calculation", "payroll", "scheduled", "manual", "tier-1", "tier-2", "tier-3"})
LOADED = {family: Asset(name=f"{family}_loaded") for family in ("callcenter", "im", "hr")}

PERIOD = Param(None, type=["null", "string"], description="period_id of config/periods.yml")
WINDOW = Param(
    None,
    type=["null", "array"],
    items={"type": "string", "format": "date-time"},
    minItems=2,
    maxItems=2,
    description="start (inclusive) and end (exclusive) with offset; empty reads everything the sources hold",
)


def business_day() -> CronDataIntervalTimetable:
    """Returns the schedule whose intervals are the site's business days, from cut-over to cut-over, local time."""
    folder = Path(os.environ.get("KEFU_CONFIG_DIR") or PROJECT / "config")
    site = yaml.safe_load((folder / "site.yml").read_text(encoding="utf-8"))
    hour, minute = site["day_cutover"].split(":")
    return CronDataIntervalTimetable(f"{int(minute)} {int(hour)} * * *", timezone=site["time_zone"])


def tags(*names: str) -> list[str]:
    """Returns the tags of a DAG. Raises ValueError for one that is not in `TAGS`."""
    if unknown := set(names) - TAGS:
        raise ValueError(f"unknown tags {sorted(unknown)}; known are {sorted(TAGS)}")
    return list(names)


def this_run() -> str:
    """Returns the id of the running task's run in `ops.run`. Airflow's own is unique within its DAG only."""
    run = get_current_context()["dag_run"]
    return f"{run.dag_id} {run.run_id}"


def calculate_and_publish(period_id: Any, after: Any) -> None:
    """Adds the tasks from facts to pages behind `after`; the first decides the scope that all others use."""

    @task
    def facts(period_id: str) -> dict[str, Any]:
        return steps.facts(this_run(), period_id)

    @task
    def metrics(scope: dict[str, Any]) -> int:
        return steps.build(this_run(), scope, "kpi")

    @task
    def judge(scope: dict[str, Any]) -> list[str]:
        return steps.judge(this_run(), scope)

    @task
    def checks(scope: dict[str, Any]) -> dict[str, int]:
        return steps.checks(this_run(), scope)

    @task
    def appraisal(scope: dict[str, Any]) -> int:
        return steps.build(this_run(), scope, "appraisal")

    @task
    def publish(scope: dict[str, Any]) -> dict[str, Any]:
        return steps.publish(this_run(), scope)

    @task
    def pages() -> list[str]:
        return steps.pages()

    scope: Any = facts(period_id)
    chain(after, scope, metrics(scope), judge(scope), checks(scope), appraisal(scope), publish(scope), pages())
