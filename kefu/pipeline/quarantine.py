"""Reading the quarantine and replaying it after a correction (DESIGN 4.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from connectors.conform import conform
from kefu.load.vault import Vault
from kefu.load.version_log import LoadReport, LoadRequest, load_entity
from kefu.pipeline.context import Platform
from kefu.warehouse import Role, Warehouse, WarehouseError


@dataclass(frozen=True)
class Record:
    """One quarantined record, without its payload."""

    quarantine_id: int
    source_id: str
    entity: str
    locator: str
    field: str
    found: str
    expected: str
    remedy: str

    def line(self) -> str:
        """Returns the record as one readable line."""
        return (
            f"#{self.quarantine_id} {self.source_id}/{self.entity} {self.locator}: {self.field} is {self.found}, "
            f"expected {self.expected}. Remedy: {self.remedy}"
        )


def open_records(warehouse: Warehouse) -> Iterator[Record]:
    """Yields the records that wait, oldest first."""
    with warehouse.connect(Role.LOADER) as connection:
        yield from (
            Record(*row)
            for row in connection.execute(
                "select quarantine_id, source_id, entity, locator, field, found, expected, remedy from ops.quarantine"
                " where status = 'open' order by quarantine_id"
            ).fetchall()
        )


def replay(platform: Platform, source_id: str, entity_name: str) -> LoadReport:
    """Loads the open records of an entity with today's declaration; those that pass are marked as replayed."""
    source, entity = platform.entity(source_id, entity_name)
    vault = Vault(platform.settings)
    identity = f"{source_id}/{entity_name}"
    with platform.warehouse.connect(Role.LOADER) as connection:
        rows = connection.execute(
            "select quarantine_id, payload_encrypted from ops.quarantine"
            " where source_id = %s and entity = %s and status = 'open' order by quarantine_id",
            [source_id, entity_name],
        ).fetchall()
    ids = [row[0] for row in rows]
    payloads = [json.loads(vault.decrypt(bytes(row[1]), identity)) for row in rows]
    names = sorted({name for payload in payloads for name in payload})
    table = pa.table(
        {
            name: pa.array([None if p.get(name) is None else str(p[name]) for p in payloads], pa.string())
            for name in names
        }
    )
    chunk = conform(entity, table, platform.context(source), locator=lambda index: f"quarantine #{ids[index]}")
    still_wrong = {reject.locator for reject in chunk.rejects}
    report = load_entity(
        platform.warehouse,
        LoadRequest(f"replay {identity}", source_id, source.system, entity, is_replay=True),
        [chunk],
    )
    passed = [number for number in ids if f"quarantine #{number}" not in still_wrong]
    with platform.warehouse.connect(Role.LOADER) as connection:
        connection.execute(
            "update ops.quarantine set status = 'replayed', resolved_load_id = (select max(load_id) from ops.load"
            " where source_id = %s and entity = %s) where quarantine_id = any(%s)",
            [source_id, entity_name, passed],
        )
    return report


def payload(platform: Platform, quarantine_id: int) -> dict[str, Any]:
    """Returns an open record as its source delivered it, personal data included: for the eyes of who repairs it.

    Raises:
        WarehouseError: when no such record waits.
    """
    with platform.warehouse.connect(Role.LOADER) as connection:
        row = connection.execute(
            "select source_id || '/' || entity, payload_encrypted from ops.quarantine"
            " where quarantine_id = %s and status = 'open'",
            [quarantine_id],
        ).fetchone()
    if row is None:
        raise _not_open(quarantine_id)
    return dict(json.loads(Vault(platform.settings).decrypt(bytes(row[1]), row[0])))


def dismiss(warehouse: Warehouse, quarantine_id: int, by: str, because: str) -> None:
    """Settles an open record that will never be loaded; who decided it and why is kept.

    Raises:
        WarehouseError: when no such record waits.
    """
    with warehouse.connect(Role.LOADER) as connection:
        settled = connection.execute(
            "update ops.quarantine set status = 'dismissed', dismissed_by = %s, dismissed_because = %s"
            " where quarantine_id = %s and status = 'open'",
            [by, because, quarantine_id],
        ).rowcount
    if not settled:
        raise _not_open(quarantine_id)


def _not_open(quarantine_id: int) -> WarehouseError:
    return WarehouseError(f"no open record #{quarantine_id}. Remedy: see `kefu quarantine list`")
