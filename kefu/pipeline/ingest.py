"""Reading sources into the version logs."""

from __future__ import annotations

from typing import Any

from connectors.contract import Window
from connectors.registry import systems
from expectations.suites import load_suites
from kefu.catalogue.files import apply
from kefu.load.raw_tables import ensure_raw_tables
from kefu.load.version_log import LoadReport, LoadRequest, load_entity
from kefu.pipeline.context import Platform
from kefu.warehouse import Role
from kefu.warehouse.migrate import migrate


def prepare(platform: Platform) -> list[str]:
    """Brings warehouse, raw tables and configuration up to date; returns what changed (nothing on a second run).

    A demo plan is approved by the demo's own second login, so that a demo closes without people; a real one waits.
    """
    platform.warehouse.ensure_running()
    with platform.warehouse.connect(Role.OWNER) as connection:
        # Two first starts at once must not race each other; released when this connection closes.
        connection.execute("select pg_advisory_lock(hashtext('kefu prepare'))")
        return _prepare(platform)


def _prepare(platform: Platform) -> list[str]:
    changed = migrate(platform.warehouse)
    for system in systems().values():
        changed += ensure_raw_tables(platform.warehouse, system)
    changed += apply(platform.warehouse, platform.catalogue, shipped())
    with platform.warehouse.connect(Role.PLAN_APPROVER) as connection:
        for plan in platform.catalogue.plans.values():
            if plan.mode == "demo":
                connection.execute("select cfg.approve_plan(%s, %s)", [plan.plan_id, plan.version])
    return changed


def shipped() -> dict[tuple[str, str], dict[str, Any]]:
    """Returns what the program declares and models read: what each system can record, and every quality check."""
    found: dict[tuple[str, str], dict[str, Any]] = {
        ("system", name): {"assignment_mode": system.assignment_mode, "cannot": sorted(system.cannot)}
        for name, system in systems().items()
    }
    return found | {("suite", suite.suite): suite.model_dump(mode="json") for suite in load_suites()}


def ingest(
    platform: Platform, run_id: str, source_id: str, entity_name: str, window: Window | None = None,
    *, accept_shrink: bool = False,
) -> LoadReport:  # fmt: skip
    """Loads one entity of one source; without a window everything the source holds.

    A window is read with the entity's overlap before its start, because records arrive late.
    """
    source, entity = platform.entity(source_id, entity_name)
    read, settings = platform.reader(source)
    is_windowed = window is not None and entity.window_on is not None
    if is_windowed:
        assert window is not None
        window = Window(window.start - source.overlap(entity_name), window.end)
    effective = window if is_windowed else None
    request = LoadRequest(
        run_id=run_id,
        source_id=source_id,
        system=source.system,
        entity=entity,
        window=effective,
        is_complete=source.reads_completely,
        shrink_limit=0.0 if accept_shrink else source.shrink_limit,
    )
    return load_entity(platform.warehouse, request, read(settings, entity, effective, platform.context(source)))


def entities_to_ingest(platform: Platform) -> list[tuple[str, str]]:
    """Returns (source, entity) in the fixed order in which a complete run reads them."""
    return [(source.source_id, entity) for source in platform.catalogue.sources.values() for entity in source.entities]
