"""What is taken away when its time is over (`retention` in config/defaults.yml, reliability.md 8)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import psycopg

from kefu.payroll.login import fetch
from kefu.pipeline.context import Platform
from kefu.warehouse import Role


def purge(platform: Platform) -> Iterator[str]:
    """Takes away message text, row evidence and scores that are past their retention; yields a line for each.

    The database decides what may go and records it in the audit. Manifests, counts, sums and hashes stay, so
    `kefu payroll audit` and payroll's own files still prove what was paid. A second call finds nothing to do.
    """
    retention = platform.catalogue.defaults.retention
    with platform.warehouse.connect(Role.TEXT) as connection:
        texts = connection.execute(
            "delete from vault.message_text where stored_at < now() - make_interval(days => %s)", [retention.text_days]
        ).rowcount
    yield f"{texts} texts deleted, those of the last {retention.text_days} days kept"
    with platform.warehouse.connect(Role.OWNER) as connection:
        evidence = connection.execute("select counts from payroll.erase_row_evidence()").fetchone()
    counts = evidence[0] if evidence else {"text_feature": 0, "quarantine": 0}
    yield f"{counts['text_feature']} excerpts and {counts['quarantine']} payloads of settled quarantine records erased"
    for row in fetch(
        platform,
        "select c.period_id from payroll.closed_period as c where not exists"
        " (select 1 from payroll.erasure as e where e.period_id = c.period_id)"
        " and payroll.may_be_erased_at(c.period_end, %s) <= payroll.clock() order by c.period_end, c.period_id",
        [retention.scores],
    ):
        yield _erase(platform, row["period_id"])
    for row in fetch(platform, "select period_id, version from payroll.erasure where part = 'scores'"):
        _remove_files(platform, row["period_id"], row["version"])


def _erase(platform: Platform, period_id: str) -> str:
    with platform.warehouse.connect(Role.OWNER) as connection:
        try:
            found = connection.execute(
                "select version, counts from payroll.erase_scores(%s) order by version", [period_id]
            ).fetchall()
        except psycopg.errors.RaiseException as error:
            return f"{error.diag.message_primary}. Remedy: {error.diag.message_hint}"
    said = ", ".join(f"version {version} of {counts['snapshot']} people" for version, counts in found)
    return f"{period_id}: scores erased, {said}"


def _remove_files(platform: Platform, period_id: str, version: int) -> None:
    """Removes the pages and exports that the close of a version wrote, and pages written of the period since."""
    data = platform.settings.kefu_data_dir
    for folder in (
        *(data / "reports").glob(f"{period_id}_v{version}_*"),
        data / "reports" / period_id,
        data / "payroll" / f"{period_id}_v{version}",
    ):
        if folder.is_dir():
            shutil.rmtree(folder)
