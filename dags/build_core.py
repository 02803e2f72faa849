"""From what is loaded to what is published, after every source family has delivered."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from dags import steps
from dags.common import DEFAULTS, LOADED, PERIOD, calculate_and_publish, tags, this_run


@dag(
    schedule=list(LOADED.values()),
    max_active_runs=1,
    default_args=DEFAULTS,
    params={"period_id": PERIOD},
    tags=tags("calculation", "scheduled", "tier-2"),
)
def build_core() -> None:
    """### Facts, metrics, trust, scores, publication

    Starts when all ingest DAGs have delivered since its last run. It has no data interval: it covers everything loaded
    so far, for the period that the asset event names or that the parameter `period_id` asks for.

    **Fails when** a model or its test fails, another pipeline holds the warehouse, or a critical check keeps the
    previous publication. **By hand:** clear the failed task; the scope of the run stays the same. If a source family
    cannot deliver, trigger this DAG with `{"period_id": "..."}`: the checks then say which numbers are not trusted.
    """

    @task
    def prepare(params: dict[str, Any] | None = None, triggering_asset_events: Any = None) -> str:
        period_id = steps.period_of(params or {}, triggering_asset_events)
        steps.prepare(this_run(), "build", {"period_id": period_id})
        return period_id

    period_id: Any = prepare()
    calculate_and_publish(period_id, after=period_id)


build_core()
