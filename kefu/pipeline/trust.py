"""What people decide about trust, and the sheet of double scoring they fill (reliability.md 3.3, DESIGN 4.8)."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg import Connection, errors, sql

from connectors.tabular import SYSTEM
from connectors.tabular.headings import HEADINGS
from kefu.pipeline.context import Platform
from kefu.warehouse import Role, WarehouseError

_REMEDY = "Remedy: see `kefu trust list` for metrics and cohorts; a factor lies between 0 and 1"


def override(
    platform: Platform, signed_in: Connection, where: tuple[str, str, str], factor: Decimal, reason: str
) -> int:
    """Records that a login decided the weight factor of a metric, cohort and period; returns its number.

    It holds last, whatever was measured, and is shown everywhere. A later one counts instead.
    """
    return _insert(platform, signed_in, "reliability_override", "override_id", where, factor, reason)


def request_waiver(
    platform: Platform, signed_in: Connection, where: tuple[str, str, str], factor: Decimal, reason: str
) -> int:
    """Records the wish to use a factor although the metric was not evaluated; returns its number.

    It counts once another login has approved it.
    """
    return _insert(platform, signed_in, "reliability_waiver", "waiver_id", where, factor, reason)


def approve_waiver(signed_in: Connection, waiver_id: int) -> None:
    """Approves a waiver as a login that did not request it.

    Raises:
        WarehouseError: it is the login's own, is approved already or does not exist.
    """
    try:
        signed_in.execute("insert into ops.reliability_waiver_approval (waiver_id) values (%s)", [waiver_id])
    except (errors.RaiseException, errors.IntegrityError, errors.InsufficientPrivilege) as error:
        raise WarehouseError(
            f"waiver {waiver_id} is not approved: {error.diag.message_primary}. Remedy: let another person approve it"
        ) from error


def _insert(
    platform: Platform,
    signed_in: Connection,
    table: str,
    number: str,
    where: tuple[str, str, str],
    factor: Decimal,
    reason: str,
) -> int:
    metric_id, cohort_key, period_id = where
    known = {(row["metric_id"], row["cohort_key"], row["period_id"]) for row in factors(platform)}
    if where not in known:
        raise WarehouseError(f"found no subjective metric {metric_id} of {cohort_key} in {period_id}. {_REMEDY}")
    statement = sql.SQL(
        "insert into {} (metric_id, cohort_key, period_id, weight_factor, reason) values (%s, %s, %s, %s, %s)"
        " returning {}"
    ).format(sql.Identifier("ops", table), sql.Identifier(number))
    try:
        row = signed_in.execute(statement, [metric_id, cohort_key, period_id, factor, reason]).fetchone()
    except (errors.CheckViolation, errors.InsufficientPrivilege) as error:
        raise WarehouseError(f"not recorded: {error.diag.message_primary}. {_REMEDY}") from error
    assert row is not None
    return int(row[0])


def factors(platform: Platform) -> list[dict[str, Any]]:
    """Returns the trust of every subjective metric of the live line, as in model `metric_reliability`."""
    return _rows(
        platform,
        "select period_id, metric_id, cohort_key, state, rho, g_announced, g_current, g_next, weight_factor, reason_zh,"
        " reason_en from wh_appraisal.metric_reliability order by metric_id, cohort_key",
    )


def _rows(platform: Platform, statement: str) -> list[dict[str, Any]]:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        cursor = connection.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def write_double_scoring(platform: Platform, path: Path) -> int:
    """Writes the reviews to score again as a sheet for the inbox; returns how many there are.

    The sheet has the headings of quality reviews with everything filled but the scores. The first score and who gave
    it are not in it.

    Raises:
        WarehouseError: the file is there already and may be filled.
    """
    if path.exists():
        raise WarehouseError(f"{path} is there already and may be filled. Remedy: move it away")
    tasks = _rows(
        platform,
        "select t.review_key, t.agent_key as employee_number, t.second_rater_key as reviewer_number,"
        " r.conversation_key, r.contact_at, r.form_version from wh_appraisal.double_scoring as t"
        " inner join wh_core.fct_qa_review as r on t.review_key = r.review_key"
        " order by t.second_rater_key, t.review_key",
    )
    fields = list(SYSTEM.entities["qa_review"].fields)
    labels = [HEADINGS["qa_review"].fields[field].label for field in fields]
    path.parent.mkdir(parents=True, exist_ok=True)
    # With a byte order mark, or Excel takes the headings for text in a local code page.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(labels)
        for task in tasks:
            source, _, contact = (task["conversation_key"] or "").partition(":")
            filled = {
                "review_id": f"second {task['review_key'].partition(':')[2]}",
                "employee_number": task["employee_number"],
                "reviewer_number": task["reviewer_number"],
                "contact_source_id": source,
                "contact_id": contact,
                "contact_at": task["contact_at"].isoformat() if task["contact_at"] else "",
                "form_version": task["form_version"],
                "is_blind": "yes",
            }
            sheet.writerow([filled.get(field, "") for field in fields])
    return len(tasks)
