"""A metric whose cases are watched for some days counts a day where its window ends: only sums can be moved so."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu.catalogue.files import ConfigError, load_catalogue


def changed(config: Path, file: str, **fields: Any) -> None:
    """Writes other values for the fields of the section or the metric that has them in a file."""
    path = config / file
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(body, list):
        next(metric for metric in body if metric["metric_id"] == fields["metric_id"]).update(fields)
    else:
        body["period"].update(fields)
    path.write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "metric", "found"),
    [
        ("conversations", "unique_customers_served", "['customers_served']"),
        ("conversations", "first_response_median", "['first_response_histogram']"),
        ("tickets", "backlog", "['tickets_open']"),
        ("operations", "workload_balance_index", "kind elsewhere"),
    ],
)
def test_what_is_no_sum_of_days_cannot_wait_for_its_cases(
    project: Path, tmp_path: Path, file: str, metric: str, found: str
) -> None:
    config = shutil.copytree(project / "config", tmp_path / "config")
    changed(config, f"metrics/{file}.yml", metric_id=metric, matures_in="fcr_window_days")
    with pytest.raises(ConfigError) as refused:
        load_catalogue(config)
    assert refused.value.problems == [
        f"metrics: {metric}: found matures_in fcr_window_days on {found}, expected sums of days, because by"
        " period.late_mature: shift of defaults.yml a day counts where its window ends. Remedy: make the metric of"
        " sums, remove matures_in, or declare late_mature: wait"
    ]
    changed(config, "defaults.yml", late_mature="wait")
    assert load_catalogue(config).metrics[metric].matures_in == "fcr_window_days"
