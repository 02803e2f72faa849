"""A period is calculated with the configuration in force when it starts, also after files have moved on."""

from __future__ import annotations

from typing import Any

import pytest

from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import prepare
from kefu.pipeline.publish import config_hash
from kefu.pipeline.reliability import estimate
from kefu.pipeline.run import check_quality
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line, replace

NEXT = "version: 2\nvalid_from: 2027-01-01"


@pytest.fixture(scope="module")
def moved_on(line: Line, copy_of: Copy) -> Platform:
    """The line, into which next year's defaults and next year's plan were applied after the period."""
    platform = copy_of(line.platform, "t_moved_on")
    config = platform.settings.kefu_config_dir
    first = "version: 1\nvalid_from: 2026-01-01"
    replace(
        config / "defaults.yml",
        {first: NEXT, "zero_below: 0.30": "zero_below: 0.45", "full_from: 0.80": "full_from: 0.95",
         "M_fallback: 40": "M_fallback: 80", "resp: [0.05, 0.20, 0.5]": "resp: [0.60, 0.90, 0.5]"},
    )  # fmt: skip
    replace(config / "plans" / "demo.yml", {first: NEXT, "quota: 7": "quota: 20"})
    assert prepare(platform) == ["plan demo version 2", "defaults defaults version 2"]
    return platform


def query(platform: Platform, statement: str) -> list[tuple[Any, ...]]:
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.mark.parametrize("table", ["cohort_reliability", "agent_estimate"])
def test_statistics_do_not_move(line: Line, moved_on: Platform, table: str) -> None:
    statement = f"select * from stats.{table} order by metric_id, cohort_key, 5"
    before = query(line.platform, statement)
    assert len(before) == {"cohort_reliability": 2, "agent_estimate": 24}[table]
    assert estimate(moved_on, moved_on.scope(moved_on.period())) == 2
    assert query(moved_on, statement) == before


def test_thresholds_of_checks_do_not_move(line: Line, moved_on: Platform) -> None:
    statement = "select suite, expectation_id, threshold, success, observed from ops.quality_result order by 1, 2"
    before = query(line.platform, statement)
    check_quality(moved_on, moved_on.scope(moved_on.period()))
    assert query(moved_on, statement) == before


def test_the_hash_of_the_configuration_does_not_move(line: Line, moved_on: Platform) -> None:
    hashes = []
    for platform in (line.platform, moved_on):
        with platform.warehouse.connect(Role.TRANSFORMER) as connection:
            hashes.append(config_hash(connection, platform.scope(platform.period())))
    assert hashes[0] == hashes[1]
