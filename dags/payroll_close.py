"""Closing a period: calculated for one person, reviewed and approved by two others, sealed by the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseSensorOperator, dag, task

from dags import steps
from dags.common import DEFAULTS, PERIOD, tags, this_run

_BODY = """
{% set asked = ti.xcom_pull(task_ids="request") %}
{% set done = ti.xcom_pull(task_ids="calculate") %}
| | |
| --- | --- |
| 周期 / period | {{ asked["period"] }} ({{ asked["mode"] }}) |
| 已发布 / published | {{ asked["publication"] }} |
| 得分 / scores | {{ done["scores"] }} |
| 应发合计（元） / amount | {{ done["amount"] }} |
| 计算结果 / result | {{ done["result_hash"] }} |
| 申请人 / asked for by | {{ dag_run.triggering_user_name }} |
"""


class DisputeWindow(BaseSensorOperator):
    """Waits until the dispute window of the run's period is over, no dispute is open and nobody needs a decision."""

    def poke(self, context: Any) -> bool:
        """Returns whether the wait is over."""
        return steps.window_is_over(steps.period_of(context["params"]))


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

    Parameter: `period_id`. The steps are those of `kefu period`: data is cut and calculated for the person who
    triggered the run; then it waits up to three days for a person to press *Approve* under *Required Actions* (review),
    until the dispute window is over, no dispute is open and every pay without enough evidence is accepted
    (`kefu period accept-fallback`), and again up to three days for the approval. The variable KEFU_ACTORS says which
    database login each Airflow user acts with, and the database refuses a login that took a step before. An answer
    counts for the result that was shown and no other. A rejection ends the run; the period stays where it is.

    **Fails when** the period is closed already, a precondition is not met, somebody acts who may not, or nobody
    answers. **By hand:** settle what the message names and trigger again: the run goes on from the state the period is
    in. `kefu period status PERIOD_ID` shows it; `kefu period export PERIOD_ID` writes the files again.
    """

    @task
    def request(params: dict[str, Any] | None = None) -> dict[str, str]:
        period_id = steps.period_of(params or {})
        return {"period_id": period_id, **steps.closing(period_id)}

    @task
    def calculate(asked: dict[str, str], dag_run: Any = None) -> dict[str, str]:
        return steps.calculate_close(this_run(), asked["period_id"], dag_run.triggering_user_name)

    @task
    def publish(asked: dict[str, str], done: dict[str, str], answer: dict[str, Any]) -> str:
        return steps.review_close(this_run(), asked["period_id"], done["result_hash"], answer)

    @task
    def close(asked: dict[str, str], done: dict[str, str], answer: dict[str, Any]) -> dict[str, Any]:
        return steps.close(this_run(), asked["period_id"], done["result_hash"], answer)

    review, approve = (
        ApprovalOperator(
            task_id=name,
            subject=f"{subject} {{{{ params.period_id }}}}",
            body=f"{_BODY}\n{note}\n",
            response_timeout=timedelta(days=3),
        )
        for name, subject, note in (
            (
                "review",
                "复核绩效周期 / Review period",
                "复核后公布并进入申诉期。A review publishes it and opens the dispute window.",
            ),
            ("approve", "批准发薪 / Approve period", "批准后不可更改。An approved period never changes."),
        )
    )
    asked: Any = request()
    calculated: Any = calculate(asked)
    published = publish(asked, calculated, review.output)  # type: ignore[arg-type]
    over = DisputeWindow(
        task_id="dispute_window", mode="reschedule", poke_interval=3600, timeout=timedelta(days=30).total_seconds()
    )
    calculated >> review
    published >> over >> approve
    close(asked, calculated, approve.output)  # type: ignore[arg-type]


payroll_close()
