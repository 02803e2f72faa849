"""Closing a period: calculated in a schema of its own, sealed by the database, exported byte for byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.publish import config_hash
from kefu.pipeline.run import Say, calculate
from kefu.pipeline.transform import drop_schema, end_run, start_run
from kefu.warehouse import Role, WarehouseError


class CloseRefused(WarehouseError):
    """The period cannot be closed; the message says what to settle first."""


@dataclass(frozen=True)
class Close:
    """A sealed period and where its files are. `content_hash` is the SHA-256 of the exported CSV."""

    period_id: str
    version: int
    row_count: int
    content_hash: str
    manifest_hash: str
    folder: Path


def close_period(platform: Platform, period_id: str, say: Say = lambda _: None) -> Close:
    """Calculates a period in full in its own schema, seals the snapshot and exports it.

    The login that seals differs from the one that applied the plan; the database compares them. The calculation
    schema is dropped once the snapshot is sealed; after a crash a second call starts it afresh, or removes it when
    the crash came after the seal.

    Raises:
        CloseRefused: the period is closed already, a gate failed, or maker and checker are the same.
    """
    period = platform.period(period_id)
    calc_id = f"calc_{period_id}_v1"
    with platform.warehouse.connect(Role.PLAN_APPROVER) as connection:
        closed = connection.execute("select 1 from payroll.closed_period where period_id = %s", [period_id]).fetchone()
    scope = platform.scope(period, calc_id)
    if closed:
        drop_schema(platform, scope)
        raise CloseRefused(
            f"period {period_id} is already closed. A closed period never changes; a correction is a restatement"
        )
    run_id = f"close {period_id} {scope.data_cut}"
    start_run(platform, run_id, "close", {"period_id": period_id, "data_cut": scope.data_cut})
    try:
        with platform.warehouse.pipeline_lock(f"close of {period_id}"):
            drop_schema(platform, scope)
            with platform.warehouse.connect(Role.TRANSFORMER) as connection:
                connection.execute(f'create schema "{calc_id}"'.encode())
            calculate(platform, scope, run_id, say)
            _seal(platform, scope)
            drop_schema(platform, scope)
    except BaseException:
        end_run(platform, run_id, "failed")
        raise
    end_run(platform, run_id, "succeeded")
    return export(platform, period_id)


def _seal(platform: Platform, scope: Scope) -> None:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        configured = config_hash(connection, scope)
    with platform.warehouse.connect(Role.PLAN_APPROVER) as connection:
        try:
            connection.execute(
                "select payroll.close_period(%s, %s, %s, %s, %s)",
                [scope.period_id, scope.calc_id, scope.data_cut, scope.as_of, configured],
            )
        except psycopg.errors.RaiseException as error:
            hint = f". Remedy: {error.diag.message_hint}" if error.diag.message_hint else ""
            raise CloseRefused(f"{error.diag.message_primary}{hint}") from error


def export(platform: Platform, period_id: str) -> Close:
    """Writes the canonical CSV and the manifest of a closed period; writing again gives the same bytes.

    Raises:
        CloseRefused: the period is not closed, or the stored rows no longer match their manifest.
    """
    with platform.warehouse.connect(Role.PLAN_APPROVER) as connection:
        cursor = connection.cursor(row_factory=dict_row).execute(
            "select c.*, payroll.canonical_csv(period_id, version) as content, payroll.component_hash(period_id,"
            " version) as component_hash_now, payroll.manifest_hash(c) as manifest_hash_now from payroll.close as c"
            " where period_id = %s order by version desc limit 1",
            [period_id],
        )
        sealed = cursor.fetchone()
    if sealed is None:
        raise CloseRefused(f"period {period_id} is not closed. Remedy: run `kefu period close {period_id}`")
    content = str(sealed.pop("content")).encode()
    sealed["content_hash_now"] = hashlib.sha256(content).hexdigest()
    for what in ("content", "component", "manifest"):
        now, then = sealed.pop(f"{what}_hash_now"), sealed[f"{what}_hash"]
        if now != then:
            raise CloseRefused(
                f"the {what} of {period_id} hashes to {now[:16]}, the seal says {then[:16]}: it was tampered with and "
                "is not exported. Remedy: call the auditor"
            )
    folder = platform.settings.kefu_data_dir / "payroll" / f"{period_id}_v{sealed['version']}"
    folder.mkdir(parents=True, exist_ok=True)
    mark = "DEMO_" if sealed["period_mode"] == "demo" else ""
    (folder / f"{mark}appraisal.csv").write_bytes(content)
    (folder / f"{mark}manifest.json").write_text(
        json.dumps(_manifest(sealed), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return Close(
        period_id, sealed["version"], sealed["row_count"], sealed["content_hash"], sealed["manifest_hash"], folder
    )


def _manifest(sealed: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int | str) else value.isoformat() for name, value in sealed.items()}
