"""Texts name the values that decide, and each value is told as it is in force on the day that is shown."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from kefu import cli
from kefu.catalogue.files import apply, catalogue_on, load_catalogue
from kefu.catalogue.handbook import chapters
from kefu.catalogue.texts import text_values
from kefu.pipeline.context import Platform
from kefu.settings import Settings
from kefu.warehouse import Role, Warehouse


@pytest.fixture(scope="module")
def platform(
    warehouse: Warehouse, settings: Settings, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Platform:
    """Where an abandonment is short below 5 s, from 15 November below 8 s, and such calls are left out."""
    config = shutil.copytree(project / "config", tmp_path_factory.mktemp("texts") / "config")
    apply(warehouse, load_catalogue(config), {})
    path = config / "parameters.yml"
    parameters: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
    for parameter in parameters:
        if change := {"short_abandon_seconds": "8", "sl_abandon_mode": "ignore"}.get(parameter["parameter_id"]):
            parameter.update(version=2, valid_from="2026-11-15", value=change)
    path.write_text(json.dumps(parameters, default=str, ensure_ascii=False), encoding="utf-8")
    assert len(apply(warehouse, load_catalogue(config), {})) == 2
    return Platform(settings.model_copy(update={"kefu_config_dir": config}), warehouse.database)


BEFORE = "Answered within the queue's limit / (answered + abandoned after 5 s); an abandonment misses the promise"
AFTER = (
    "Answered within the queue's limit / (answered + abandoned after 8 s);"
    " an abandonment within the promised time is left out"
)


@pytest.mark.parametrize(
    ("day", "formula", "parameters"),
    [
        ("2019-05-01", BEFORE, "= 5"),
        ("2026-11-14", BEFORE, "= 5"),
        ("2026-11-15", AFTER, "= 8"),
        ("2027-03-01", AFTER, "= 8"),
    ],
)
def test_a_changed_parameter_changes_texts_from_its_day_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, day: str, formula: str, parameters: str
) -> None:
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        catalogue = catalogue_on(connection, platform.catalogue, date.fromisoformat(day))
    entries = [entry for chapter in chapters(catalogue, "en") for entry in chapter.entries]
    [shown] = [entry for entry in entries if entry.key == "service_level"]
    assert shown.formula == formula
    assert parameters in dict(shown.facts)["Parameters"]
    monkeypatch.setattr(cli, "_platform", lambda: platform)
    said = CliRunner().invoke(cli.app, ["metrics", "show", "service_level", "--day", day], catch_exceptions=False)
    assert f"  {formula}\n" in said.output


def test_a_metric_is_shown_as_on_the_last_day_of_the_latest_period(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert platform.period().end > date(2026, 11, 15)
    monkeypatch.setattr(cli, "_platform", lambda: platform)
    said = CliRunner().invoke(cli.app, ["metrics", "show", "service_level"], catch_exceptions=False)
    assert f"  {AFTER}\n" in said.output and "排队超过8秒后放弃" in said.output


def test_values_are_told_as_people_read_them(project: Path) -> None:
    values = text_values(load_catalogue(project / "config"))
    told = {
        name: (values[name].zh, values[name].en)
        for name in ("fcr_window_days", "complex_case_ratio", "utilization_base", "site.acw_cap_seconds",
                     "rating.window_h", "rating.fast_share_exclude")
    }  # fmt: skip
    assert told == {
        "fcr_window_days": ("7", "7"),
        "complex_case_ratio": ("1.25", "1.25"),
        "utilization_base": ("签入时间", "signed-in time"),
        "site.acw_cap_seconds": ("600", "600"),
        "rating.window_h": ("72", "72"),
        "rating.fast_share_exclude": ("20%", "20 %"),
    }


def test_no_text_of_the_shipped_catalogue_is_left_unfilled(project: Path) -> None:
    catalogue = load_catalogue(project / "config")
    named = {name for metric in catalogue.metrics.values() for name in metric.formula.named | metric.question.named}
    assert len(named) > 25
    shown = [entry for chapter in chapters(catalogue, "zh-CN") for entry in chapter.entries]
    assert [entry.key for entry in shown if "{" in entry.formula + entry.question] == []
