"""Closing a period: asked for by one person, approved by another, sealed by the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import dag, task

from dags import steps
from dags.common import DEFAULTS, PERIOD, tags, this_run

_BODY = """
{% set asked = ti.xcom_pull(task_ids="request") %}
| | |
| --- | --- |
| 周期 / period | {{ asked["period"] }} ({{ asked["mode"] }}) |
| 已发布 / published | {{ asked["publication"] }} |
| 得分 / scores | {{ asked["scores"] }} |
| 申请人 / asked for by | {{ dag_run.triggering_user_name }} |

关闭后不可更改。A closed period never changes.
"""


@dag(
    schedule=None,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=DEFAULTS,
    params={"period_id": PERIOD},
    tags=tags("payroll", "manual", "tier-1"),
)
def payroll_close() -> None:
    """### Close a period and export it for payroll

    Parameter: `period_id`. The run waits up to three days for a person to press *Approve* under *Required Actions*; in
    a real period that is somebody else than the person who triggered it. A rejection ends the run without a close. Who
    asked and who approved is kept with the run in `ops.run`; a closed period never changes.

    **Fails when** the period is closed already, a gate of the close fails, or nobody answers. **By hand:** settle what
    the message names and trigger again. If a run ended after the seal but before the files were written:
    `kefu period export PERIOD_ID` writes them.
    """

    @task
    def request(params: dict[str, Any] | None = None) -> dict[str, str]:
        period_id = steps.period_of(params or {})
        return {"period_id": period_id, **steps.closing(period_id)}

    @task
    def close(asked: dict[str, str], approval: dict[str, Any], dag_run: Any = None) -> dict[str, Any]:
        return steps.close(this_run(), asked["period_id"], dag_run.triggering_user_name, approval)

    approve = ApprovalOperator(
        task_id="approve",
        subject="关闭绩效周期 / Close period {{ params.period_id }}",
        body=_BODY,
        response_timeout=timedelta(days=3),
    )
    asked: Any = request()
    asked >> approve
    close(asked, approve.output)  # type: ignore[arg-type]


payroll_close()
