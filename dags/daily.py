"""The whole line in one run, as `kefu run` does it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from dags import steps
from dags.common import DEFAULTS, PERIOD, WINDOW, calculate_and_publish, tags, this_run


@dag(
    schedule=None,
    max_active_runs=1,
    max_active_tasks=4,
    is_paused_upon_creation=False,
    default_args=DEFAULTS,
    params={"period_id": PERIOD, "window": WINDOW},
    tags=tags("ingest", "calculation", "manual", "tier-2"),
)
def daily() -> None:
    """### Load everything, calculate, publish

    For the first load, for repairs and for trying things out. Parameters: `period_id` (required) and `window`, the
    start and end of what is read; without it the sources are read completely. The steps are those of `kefu run`, so
    both publish the same numbers.

    **Fails when** any step of the ingest DAGs or of `build_core` would. **By hand:** clear the failed task.
    """

    @task
    def prepare(params: dict[str, Any] | None = None) -> dict[str, Any]:
        given = params or {}
        asked: dict[str, Any] = {
            "period_id": steps.period_of(given),
            "window": steps.window_of(*given["window"]) if given.get("window") else None,
        }
        steps.prepare(this_run(), "daily", asked)
        return asked

    @task
    def sources() -> list[str]:
        return steps.sources()

    @task(map_index_template="{{ task.op_kwargs['source_id'] }}")
    def load(source_id: str, asked: dict[str, Any]) -> list[str]:
        return steps.load(this_run(), source_id, asked["window"])

    asked: Any = prepare()
    calculate_and_publish(asked["period_id"], after=load.partial(asked=asked).expand(source_id=sources()))


daily()
