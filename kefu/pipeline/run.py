"""The daily run: every step in order, under one lock, with words for people on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg import IsolationLevel

from connectors.contract import Window
from kefu.catalogue.files import in_force
from kefu.load.version_log import LoadReport
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.ingest import entities_to_ingest, ingest, prepare
from kefu.pipeline.publish import Published, publish
from kefu.pipeline.reliability import estimate
from kefu.pipeline.transform import build, end_run, start_run
from kefu.warehouse import Role

Say = Callable[[str], None]


def calculate(platform: Platform, scope: Scope, run_id: str, say: Say = lambda _: None) -> None:
    """Builds every layer of a calculation: facts, metrics, trust, scores.

    Raises:
        BuildError: naming the models or tests that failed.
    """
    say(f"facts: {build(platform, scope, 'core', run_id)} models and tests")
    say(f"metrics: {build(platform, scope, 'kpi', run_id)} models and tests")
    say(f"reliability: {estimate(platform, scope)} subjective metrics estimated")
    checks = check_quality(platform, scope)
    say(f"checks: {checks['passed']} passed, {checks['failed']} failed")
    say(f"appraisal: {build(platform, scope, 'appraisal', run_id)} models and tests")


def check_quality(platform: Platform, scope: Scope) -> dict[str, int]:
    """Runs all quality suites on a calculation; returns how many checks passed and failed."""
    from expectations.runner import run_suites
    from expectations.suites import load_suites

    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        defaults = in_force(connection, "defaults", scope.period_start)["defaults"].model_dump(
            mode="json", by_alias=True
        )
    results = run_suites(platform.warehouse, load_suites(), scope.calc_id, scope.schema, defaults)
    passed = sum(result.success for result in results)
    return {"passed": passed, "failed": len(results) - passed}


def daily(platform: Platform, run_id: str, window: Window | None = None, say: Say = lambda _: None) -> Published:
    """Loads all sources, builds everything and publishes; returns the publication.

    Raises:
        WarehouseError: when any step cannot be done; what was committed before stays, and a new run goes on from there.
    """
    prepare(platform)
    start_run(platform, run_id, "daily", {"window": [str(window.start), str(window.end)] if window else None})
    try:
        with platform.warehouse.pipeline_lock(f"daily run {run_id}"):
            for source_id, entity in entities_to_ingest(platform):
                say(line_of(ingest(platform, run_id, source_id, entity, window)))
            scope = platform.scope(platform.period())
            calculate(platform, scope, run_id, say)
            published = publish(platform, scope)
    except BaseException:
        end_run(platform, run_id, "failed")
        raise
    end_run(platform, run_id, "succeeded")
    say(f"published: number {published.publication_id}, content {published.content_hash[:12]}")
    return published


def line_of(report: LoadReport) -> str:
    """Returns one line that says where every record of a load went."""
    parts = (
        f"{report.inserted} new, {report.unchanged} unchanged, {sum(report.filtered.values())} filtered, "
        f"{report.quarantined} in quarantine"
    )
    deleted = f", {report.tombstoned} deleted" if report.tombstoned else ""
    return f"{report.source_id}/{report.entity}: {report.read} read = {parts}{deleted}"


def render(platform: Platform, out_dir: Path | None = None) -> list[Path]:
    """Writes the static pages from one snapshot of what is published; returns their paths, the index first."""
    from bi.site import render_site
    from kefu.catalogue.handbook import chapters

    with platform.warehouse.connect(Role.BI) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ

        def fetch(statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
            with connection.cursor() as cursor:
                cursor.execute(statement.encode())
                return [column.name for column in cursor.description or ()], cursor.fetchall()

        return render_site(
            fetch,
            out_dir or platform.settings.kefu_data_dir / "site",
            handbook=lambda language: chapters(platform.catalogue, language),
        )
