"""Beside another sheet: the parts of every difference add up to it, and a planted cause shows as itself."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from kefu.explain.appraisal import Appraisal, load, scope_of
from kefu.explain.compare import Difference, comparison, differences, read_sheet
from kefu.warehouse import Role, WarehouseError
from tests.e2e.support import Line

METRIC = "transfer_out_rate"


@pytest.fixture(scope="module")
def appraisals(line: Line) -> dict[str, Appraisal]:
    platform = line.platform
    with platform.warehouse.connect(Role.AUDITOR) as reader:
        found = load(reader, scope_of(platform, platform.period()))
    return {agent: appraisal for agent, appraisal in found.items() if appraisal.score["composite"] is not None}


def planned(appraisals: dict[str, Appraisal]) -> list[dict[str, Any]]:
    """What a sheet with our values, curves and planned weights says."""
    rows = []
    for agent, appraisal in appraisals.items():
        row: dict[str, Any] = {"工号": agent, "总分": appraisal.score["composite_unadjusted"]}
        for line in appraisal.components:
            if line["unadjusted_points"]:
                row[f"{line['metric_id']} points"] = line["unadjusted_points"]
            if line["metric_id"] == METRIC:
                row[METRIC] = line["raw_value"]
        rows.append(row)
    return rows


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    if path.suffix == ".xlsx":
        workbook = Workbook()
        workbook.active.append(headings)
        for row in rows:
            workbook.active.append([row.get(heading) for heading in headings])
        workbook.save(path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, headings)
            writer.writeheader()
            writer.writerows(rows)
    return path


def found(
    line: Line, appraisals: dict[str, Appraisal], path: Path, rows: list[dict[str, Any]]
) -> dict[str, Difference]:
    sheet = read_sheet(written(path, rows), line.platform.catalogue)
    result = {item.agent_key: item for item in differences(appraisals, sheet, line.platform.catalogue)}
    for item in result.values():
        assert item.ours - item.theirs == item.value + item.rule + item.trust + item.gate + item.unexplained
    return result


def test_a_sheet_with_our_values_and_planned_weights_differs_by_trust_alone(
    line: Line, appraisals: dict[str, Appraisal], tmp_path: Path
) -> None:
    result = found(line, appraisals, tmp_path / "old.csv", planned(appraisals))
    assert result.keys() == appraisals.keys() and len(result) >= 10
    for agent, item in result.items():
        score = appraisals[agent].score
        # What is left is the rounding of the two published scores and of the lines.
        assert abs(item.value) + abs(item.rule) + abs(item.unexplained) <= Decimal("0.02")
        assert abs(item.trust - (score["composite_before_gates"] - score["composite_unadjusted"])) <= Decimal("0.01")


def test_another_value_shows_as_another_value_and_other_points_as_another_rule(
    line: Line, appraisals: dict[str, Appraisal], tmp_path: Path
) -> None:
    rows = planned(appraisals)
    curve = next(m.curve for m in line.platform.catalogue.plans["demo"].metrics if m.metric_id == METRIC)
    for row in rows:
        own = next(c for c in appraisals[row["工号"]].components if c["metric_id"] == METRIC)
        weight = own["unadjusted_weight"] * own["stint_share"]
        row[METRIC] = "30%"
        row[f"{METRIC} points"] = weight * curve.score(Decimal("0.3")) / 100  # type: ignore[union-attr]
        row["exam_score points"] = Decimal(str(row.get("exam_score points", 0))) + 2
    result = found(line, appraisals, tmp_path / "old.xlsx", rows)
    for agent, item in result.items():
        own = next(c for c in appraisals[agent].components if c["metric_id"] == METRIC)
        assert abs(item.value - (own["unadjusted_points"] - item_points(rows, agent))) <= Decimal("0.001")
        assert abs(item.rule + 2) <= Decimal("0.02")


def item_points(rows: list[dict[str, Any]], agent: str) -> Decimal:
    return Decimal(str(next(row for row in rows if row["工号"] == agent)[f"{METRIC} points"]))


def test_who_is_on_one_side_only_and_what_was_not_read_is_said(
    line: Line, appraisals: dict[str, Appraisal], tmp_path: Path
) -> None:
    platform = line.platform
    rows = [{"工号": "CS9999", "总分": 80, "备注": "x"}, {"工号": "CS1001", "总分": 90}]
    sheet = read_sheet(written(tmp_path / "a.csv", rows), platform.catalogue)
    document = comparison(appraisals, sheet, platform.catalogue, platform.period(), "en", "a.csv")
    points = document.parts[0].points
    assert points[0] == "Only in the sheet: CS9999"
    assert points[1].startswith("Not in the sheet: CS1002") and points[-1] == "Columns not recognised: 备注"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"工号": "CS1001", "总分": "good"}], r"a.csv: row 2, 总分: found 'good', expected a number. Remedy"),
        ([{"工号": "CS1001", "分": 1}], r"found headings \['工号', '分'\], expected one for the score such as 总分"),
        (
            [{"名": "x", "总分": 1}],
            r"expected one for the agent such as 工号 or employee number. Remedy: name it, or say --column",
        ),
    ],
)
def test_a_sheet_that_cannot_be_read_says_why(
    line: Line, rows: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WarehouseError, match=message):
        read_sheet(written(tmp_path / "a.csv", rows), line.platform.catalogue)
