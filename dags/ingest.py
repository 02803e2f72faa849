"""One DAG per source family. A family is the channel its sources declare, so a new source needs no new DAG."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Metadata, dag, task

from dags import steps
from dags.common import DEFAULTS, LOADED, business_day, tags, this_run


def ingest_dag(family: str, channel: str, what: str) -> None:
    """Declares the DAG that reads the sources of one channel, one business day a run."""

    @dag(
        dag_id=f"ingest_{family}",
        schedule=business_day(),
        catchup=False,
        max_active_runs=1,
        max_active_tasks=4,
        default_args=DEFAULTS,
        tags=tags("ingest", "scheduled", "tier-3"),
        doc_md=f"""
### {what}

Reads every entity of the sources with `channel: {channel}` in `config/sources.yml` for one business day of the site,
plus each source's overlap, because records arrive late. Reading a day again changes nothing.

**Fails when** a source does not answer, breaks its contract, or shrank too far. **By hand:** clear the failed task;
for past days `airflow backfill create --dag-id ingest_{family} --from-date ... --to-date ...`.
""",
    )
    def ingest() -> None:
        @task
        def prepare(
            data_interval_start: datetime | None = None, data_interval_end: datetime | None = None
        ) -> dict[str, str]:
            window = steps.window_of(data_interval_start, data_interval_end)
            steps.prepare(this_run(), "ingest", {"window": window})
            return window

        @task
        def entities() -> list[dict[str, str]]:
            return steps.entities(channel)

        @task(map_index_template="{{ task.op_kwargs['source_id'] }}/{{ task.op_kwargs['entity'] }}")
        def load(source_id: str, entity: str, window: dict[str, str]) -> list[str]:
            return steps.load(this_run(), source_id, window, entity)

        @task(outlets=[LOADED[family]])
        def loaded(window: dict[str, str]) -> Any:
            yield Metadata(LOADED[family], extra=steps.loaded(this_run(), window))

        window: Any = prepare()
        load.partial(window=window).expand_kwargs(entities()) >> loaded(window)

    ingest()


ingest_dag("callcenter", "voice", "Call centre")
ingest_dag("im", "chat", "Chat systems")
ingest_dag("hr", "none", "HR system, sheets and the inbox")
