"""The target of a metric that is best in a band says how far the band reaches, and no other does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from kefu.catalogue.files import ConfigError, load_catalogue


@pytest.mark.parametrize(
    ("metric", "target", "message"),
    [
        (
            "occupancy", {"value": "0.80"},
            "found tolerance None where direction is band, expected one for a band and only there. Remedy: say how far"
            " from its middle a band reaches, or remove it",
        ),
        (
            "utilization", {"value": "0.85", "tolerance": "0.05"},
            "found tolerance 0.05 where direction is higher, expected one for a band and only there. Remedy: say how"
            " far from its middle a band reaches, or remove it",
        ),
        (
            "occupancy", {"value": "0.80", "tolerance": "0.80"},
            "found tolerance 0.80, expected below the middle 0.80. Remedy: narrow the band, which begins above 0",
        ),
    ],
)  # fmt: skip
def test_a_band_reaches_from_above_nothing_to_either_side(
    project: Path, tmp_path: Path, metric: str, target: dict[str, str], message: str
) -> None:
    path = shutil.copytree(project / "config", tmp_path / "config") / "metrics/time.yml"
    metrics = yaml.safe_load(path.read_text(encoding="utf-8"))
    next(item for item in metrics if item["metric_id"] == metric)["targets"] = [{"from": "2026-01-01", **target}]
    path.write_text(yaml.safe_dump(metrics, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_catalogue(tmp_path / "config")
    (problem,) = refused.value.problems
    assert f"metric {metric}: targets: {message}" in problem


def test_the_bands_of_the_specification_are_declared(project: Path) -> None:
    metrics = load_catalogue(project / "config").metrics
    bands = {name: target for name, metric in metrics.items() for target in metric.targets if target.tolerance}
    assert {
        name: (str(target.value - target.tolerance), str(target.value + target.tolerance))
        for name, target in bands.items()
        if target.tolerance
    } == {
        "qa_ratio": ("1.0", "2.0"), "occupancy": ("0.75", "0.85"), "conformance": ("0.95", "1.05"),
        "survey_response_rate": ("0.10", "0.30"),
    }  # fmt: skip
