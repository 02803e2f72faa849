"""The daily run: every step in order, under one lock, with words for people on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from psycopg import IsolationLevel

from connectors.contract import Window
from kefu.catalogue.files import catalogue_on, in_force
from kefu.load.version_log import LoadReport
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.decline import scan
from kefu.pipeline.ingest import entities_to_ingest, ingest, prepare
from kefu.pipeline.integrity import test as test_integrity
from kefu.pipeline.live_line import said
from kefu.pipeline.publish import Published, publish
from kefu.pipeline.raters import profile
from kefu.pipeline.reliability import estimate
from kefu.pipeline.text import derive
from kefu.pipeline.transform import build, end_run, start_run
from kefu.warehouse import Role

Say = Callable[[str], None]
# Does something in a platform and returns a line about it.
Step = Callable[[Platform], str]


def calculate(
    platform: Platform, scope: Scope, run_id: str, say: Say = lambda _: None, with_facts: Step | None = None
) -> None:
    """Builds every layer of a calculation: facts, metrics, trust, scores; `with_facts` is done between the first two.

    Raises:
        BuildError: naming the models or tests that failed.
    """
    facts = f"facts: {build(platform, scope, 'core', run_id)} models and tests"
    say(f"{facts}, {said(platform, run_id)}" if scope.calc_id == "live" else facts)
    if with_facts:
        say(with_facts(platform))
    say(f"metrics: {build(platform, scope, 'kpi', run_id)} models and tests")
    for line in judge(platform, scope):
        say(line)
    checks = check_quality(platform, scope, say)
    say(f"checks: {checks['passed']} passed, {checks['failed']} failed")
    say(f"appraisal: {build(platform, scope, 'appraisal', run_id)} models and tests")


def judge(platform: Platform, scope: Scope) -> Iterator[str]:
    """Computes what PostgreSQL has no functions for: raters, trust, integrity, declines; yields one line for each."""
    yield f"raters: {profile(platform, scope)} profiles of who scores"
    yield f"reliability: {estimate(platform, scope)} cohorts of subjective metrics estimated"
    yield f"integrity: {test_integrity(platform, scope)} flags for people to look into"
    if scope.calc_id == "live":
        yield f"declines: {scan(platform, scope).line()}"


def check_quality(platform: Platform, scope: Scope, say: Say = lambda _: None) -> dict[str, int]:
    """Runs the quality suites of a calculation and says what failed; returns how many checks passed and failed.

    Suites of a metric run when a plan of the period uses it.
    """
    from expectations.runner import run_suites
    from expectations.suites import load_suites

    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found, plans, periods = (
            in_force(connection, kind, scope.period_start) for kind in ("defaults", "plan", "period")
        )
    used = {entry.metric_id for plan_id in periods[scope.period_id].plan_ids for entry in plans[plan_id].metrics}
    suites = [suite for suite in load_suites() if suite.metric_id is None or suite.metric_id in used]
    defaults = found["defaults"].model_dump(mode="json", by_alias=True)
    results = run_suites(platform.warehouse, suites, scope.calc_id, scope.schema, defaults)
    for severity in ("critical", "warning", "info"):
        for result in results:
            if not result.success and result.expectation.severity == severity:
                say(f"  {result.line}")
    passed = sum(result.success for result in results)
    return {"passed": passed, "failed": len(results) - passed}


def daily(
    platform: Platform, run_id: str, window: Window | None = None, say: Say = lambda _: None,
    with_facts: Step | None = None,
) -> Published:  # fmt: skip
    """Loads all sources, builds everything and publishes; returns the publication.

    `with_facts` is what a layer above this one does as soon as facts are built, before numbers are made of them.

    Raises:
        WarehouseError: when any step cannot be done; what was committed before stays, and a new run goes on from there.
    """
    prepare(platform)
    start_run(platform, run_id, "daily", {"window": [str(window.start), str(window.end)] if window else None})
    try:
        with platform.warehouse.pipeline_lock(f"daily run {run_id}"):
            for source_id, entity in entities_to_ingest(platform):
                say(line_of(ingest(platform, run_id, source_id, entity, window)))
            for read in derive(platform):
                say(read.line())
            scope = platform.scope(platform.period())
            calculate(platform, scope, run_id, say, with_facts)
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
    """Writes the static pages from one snapshot of what is published; returns their paths, the index first.

    The handbook is that of the last day of the published period.
    """
    from bi.site import render_site
    from kefu.catalogue.handbook import chapters

    with platform.warehouse.connect(Role.AUDITOR) as connection:
        published = connection.execute(
            "select period_id from ops.publication order by publication_id desc limit 1"
        ).fetchone()
        shown_on = platform.period(published[0] if published else None).end
        catalogue = catalogue_on(connection, platform.catalogue, shown_on)
    with platform.warehouse.connect(Role.BI) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ

        def fetch(statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
            with connection.cursor() as cursor:
                cursor.execute(statement.encode())
                return [column.name for column in cursor.description or ()], cursor.fetchall()

        return render_site(
            fetch,
            out_dir or platform.settings.kefu_data_dir / "site",
            handbook=lambda language: chapters(catalogue, language),
        )
