"""What docs/how-to-add-a-metric.md promises: one entry for a metric, one column and one entry for a measure."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu.catalogue.measure_sql import generate
from kefu.pipeline import transform
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import prepare
from kefu.pipeline.metrics import explain
from kefu.settings import PROJECT
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line

GUIDE = (PROJECT / "docs/how-to-add-a-metric.md").read_text(encoding="utf-8")
VERSION_2 = "version: 2\nvalid_from: 2026-11-01"
DOWNSTREAM = (
    "stg_cfg__metric_version", "stg_cfg__metric", "stg_cfg__metric_measure", "stg_cfg__metric_scope", "exempt_day",
    "metric_day", "metric_value",
)  # fmt: skip


@pytest.fixture(scope="module")
def platform(line: Line, copy_of: Copy) -> Platform:
    return copy_of(line.platform, "t_new_metric")


def shown_entry() -> dict[str, Any]:
    """The metric that the guide shows."""
    [entry] = yaml.safe_load(GUIDE.split("```yaml\n")[1].split("```")[0])
    return {**entry, "valid_from": "2026-11-01"}


def build(platform: Platform, *models: str) -> None:
    arguments = [
        "build",
        "--select",
        *models,
        "--exclude-resource-type",
        "unit_test",
        "--exclude-resource-type",
        "test",
    ]
    results = transform.invoke(
        platform, [*arguments, "--vars", json.dumps(platform.scope(platform.period()).variables())]
    )
    assert [result for result in results if result["status"] != "success"] == []


def scalar(platform: Platform, statement: str) -> Any:
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_metric_of_existing_measures_is_one_entry(platform: Platform) -> None:
    config = platform.settings.kefu_config_dir
    (config / "metrics/own.yml").write_text(json.dumps([shown_entry()]), encoding="utf-8")
    own = Platform(platform.settings, platform.warehouse.database)
    assert "metric segments_per_conversation version 1" in prepare(own)
    build(own, *DOWNSTREAM)
    expected = scalar(
        own,
        "select (select count(*) from wh_core.fct_segment where is_effective and business_date between '2026-11-02'"
        " and '2026-11-21')::numeric / (select count(*) from wh_core.fct_unit_conversation where site_key = 'site'"
        " and business_date between '2026-11-02' and '2026-11-21')",
    )
    assert expected > 1
    found = explain(own, "segments_per_conversation", ("site", "site"))
    assert found.value is not None
    assert abs(found.value - expected) < Decimal("1e-12")
    assert [part.total for part in found.parts] == [found.numerator, found.denominator]


def test_a_new_measure_is_one_column_and_one_entry(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PROJECT / "dbt_project", tmp_path / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    column = "    extract(epoch from credited.ended_at - credited.assigned_at)::bigint as open_seconds,\n"
    assert column.strip().rstrip(",") in GUIDE
    fact = tmp_path / "dbt_project/models/core/fct_segment.sql"
    fact.write_text(fact.read_text().replace("    credited.is_transfer,\n", f"{column}    credited.is_transfer,\n"))
    described = tmp_path / "dbt_project/models/core/_core__models.yml"
    models = yaml.safe_load(described.read_text(encoding="utf-8"))
    [segment] = [model for model in models["models"] if model["name"] == "fct_segment"]
    segment["columns"].append({"name": "open_seconds", "data_type": "bigint", "description": "Assignment to end."})
    described.write_text(json.dumps(models), encoding="utf-8")

    config = platform.settings.kefu_config_dir
    topic = config / "measures/conversations.yml"
    entry = GUIDE.split("under measures:\n")[1].split("```")[0]
    declared = topic.read_text(encoding="utf-8").rstrip().replace("version: 1\nvalid_from: 2026-01-01", VERSION_2, 1)
    topic.write_text(f"{declared}\n{entry}", encoding="utf-8")
    metric = shown_entry() | {
        "metric_id": "open_time",
        "numerator": ["open_seconds"],
        "denominator": ["segments_effective"],
    }
    (config / "metrics/open.yml").write_text(json.dumps([metric | {"unit": "seconds"}]), encoding="utf-8")
    own = Platform(platform.settings.model_copy(update={"kefu_data_dir": tmp_path}), platform.warehouse.database)
    for path, text in generate(own.catalogue).items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    prepare(own)
    monkeypatch.setattr(transform, "PROJECT", tmp_path)
    build(own, "fct_segment", "measure_segment", "measure_day", *DOWNSTREAM)
    expected = scalar(
        own,
        "select avg(extract(epoch from ended_at - assigned_at)) from wh_core.fct_segment where is_effective"
        " and business_date between '2026-11-02' and '2026-11-21'",
    )
    found = explain(own, "open_time", ("site", "site"))
    assert found.value is not None and expected > 0
    assert abs(found.value - expected) < Decimal("1e-6")
