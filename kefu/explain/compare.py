"""Our scores beside those of the spreadsheet in use: agent by agent, where the difference comes from."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from bi.document import Cell, Document, Grid, Part
from bi.spec import Language
from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Period
from kefu.catalogue.plans import Relative
from kefu.explain.appraisal import Appraisal, Row
from kefu.explain.card import entry_of, scale_of
from kefu.plan.words import Words
from kefu.warehouse import WarehouseError

_AGENT = ("工号", "员工编号", "agent", "employee number", "personnel number", "agent_key")
_SCORE = ("总分", "综合得分", "绩效得分", "得分", "score", "total", "composite")
_POINTS = ("得分", "分数", "加权分", "points")
_PLACES = 2


@dataclass(frozen=True)
class Sheet:
    """What a spreadsheet says: by personnel number the score, and by metric the value and the weighted points."""

    scores: dict[str, Decimal]
    values: dict[str, dict[str, Decimal]]
    points: dict[str, dict[str, Decimal]]
    unknown: list[str]


@dataclass(frozen=True)
class Difference:
    """Why two scores of one agent differ, in points; the parts add up to `ours - theirs` exactly.

    Attributes:
        value: the sheet has other values of metrics: ours through our curve less theirs through our curve.
        rule: same values, other curve or weight: theirs through our curve and weight less the sheet's points.
        trust: what our effective weights change against the plan's weights.
        gate: gates and extra points of ours.
        unexplained: what the sheet does not say enough about.
    """

    agent_key: str
    ours: Decimal
    theirs: Decimal
    value: Decimal
    rule: Decimal
    trust: Decimal
    gate: Decimal
    unexplained: Decimal
    by_metric: dict[str, Decimal]


def read_sheet(path: Path, catalogue: Catalogue, columns: Mapping[str, str] | None = None) -> Sheet:
    """Returns a filled sheet (.xlsx or .csv, headings in the first row).

    A heading that is the name or id of a metric holds its values, as percent or share; with 得分 or `points` after it
    the weighted points. `columns` says of other headings what they hold: `agent`, `score`, a metric id, or
    `<metric id> points`.

    Raises:
        WarehouseError: no column holds personnel numbers or scores, or a number cannot be read.
    """
    headings, rows = _table(path)
    meaning = {heading: _meaning(heading, catalogue, columns or {}) for heading in headings}
    for needed, examples in (("agent", _AGENT), ("score", _SCORE)):
        if needed not in meaning.values():
            raise WarehouseError(
                f"{path.name}: found headings {headings}, expected one for the {needed} such as {examples[0]} or "
                f"{examples[3]}. Remedy: name it, or say --column '<heading>={needed}'"
            )
    sheet = Sheet({}, {}, {}, [heading for heading, what in meaning.items() if what is None])
    for number, row in enumerate(rows, 2):
        cells = {
            meaning[heading]: (heading, cell)
            for heading, cell in row.items()
            if meaning[heading] and cell not in (None, "")
        }
        if "agent" not in cells:
            continue
        agent = str(cells.pop("agent")[1]).strip()
        sheet.values[agent], sheet.points[agent] = {}, {}
        for what, (heading, cell) in cells.items():
            assert what is not None
            value = _number(path, number, heading, cell)
            metric_id, _, kind = what.partition(" ")
            if what == "score":
                sheet.scores[agent] = value
            elif kind == "points":
                sheet.points[agent][metric_id] = value
            else:
                is_percent = catalogue.metrics[metric_id].unit == "share" and (value > 1 or "%" in str(cell))
                sheet.values[agent][metric_id] = value / 100 if is_percent else value
    return sheet


def _table(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines: list[list[Any]] = [list(line) for line in csv.reader(file)]
    else:
        workbook = load_workbook(path, read_only=True, data_only=True)
        lines = [list(line) for line in workbook.worksheets[0].iter_rows(values_only=True)]
        workbook.close()
    if not lines:
        raise WarehouseError(f"{path.name}: found no rows, expected headings and one row for each agent")
    headings = ["" if cell is None else str(cell).strip() for cell in lines[0]]
    return [heading for heading in headings if heading], [
        {heading: cell for heading, cell in zip(headings, line, strict=False) if heading} for line in lines[1:]
    ]


def _meaning(heading: str, catalogue: Catalogue, columns: Mapping[str, str]) -> str | None:
    if heading in columns:
        return columns[heading]
    plain = heading.casefold()
    if plain in _AGENT:
        return "agent"
    if plain in _SCORE:
        return "score"
    names = {
        name.casefold(): metric_id
        for metric_id, metric in catalogue.metrics.items()
        for name in (metric_id, metric.name.zh, metric.name.en)
    }
    if plain in names:
        return names[plain]
    for ending in _POINTS:
        if plain.endswith(ending) and (found := names.get(plain.removesuffix(ending).strip(" _-（("))):
            return f"{found} points"
    return None


def _number(path: Path, row: int, heading: str, cell: Any) -> Decimal:
    try:
        return Decimal(str(cell).strip().removesuffix("%").replace(",", ""))
    except InvalidOperation:
        raise WarehouseError(
            f"{path.name}: row {row}, {heading}: found {cell!r}, expected a number. Remedy: correct the cell "
            "or empty it"
        ) from None


def differences(appraisals: Mapping[str, Appraisal], sheet: Sheet, catalogue: Catalogue) -> list[Difference]:
    """Returns the differences of everybody who has both scores, the largest first."""
    found = [
        _difference(agent, appraisal, sheet, catalogue)
        for agent, appraisal in appraisals.items()
        if agent in sheet.scores and appraisal.score["composite"] is not None
    ]
    return sorted(found, key=lambda difference: (-abs(difference.ours - difference.theirs), difference.agent_key))


def _difference(agent: str, appraisal: Appraisal, sheet: Sheet, catalogue: Catalogue) -> Difference:
    score = appraisal.score
    ours, theirs = score["composite"], sheet.scores[agent]
    value = rule = trust = Decimal(0)
    by_metric: dict[str, Decimal] = {}
    for row in appraisal.components:
        metric_id, own, planned = row["metric_id"], row["points"], row["unadjusted_points"]
        trust += own - planned
        points = sheet.points[agent].get(metric_id)
        if points is not None:
            at_theirs = _at_their_value(row, sheet.values[agent].get(metric_id), catalogue)
            value += planned - at_theirs
            rule += at_theirs - points
            by_metric[metric_id] = own - points
    gate = ours - sum((row["points"] for row in appraisal.components), Decimal(0))
    unexplained = (ours - theirs) - value - rule - trust - gate
    return Difference(agent, ours, theirs, value, rule, trust, gate, unexplained, by_metric)


def _at_their_value(row: Row, theirs: Decimal | None, catalogue: Catalogue) -> Decimal:
    """Returns the points the sheet's value would earn by our curve and planned weight."""
    planned: Decimal = row["unadjusted_points"]
    entry = entry_of(row, catalogue)
    if theirs is None or entry is None or isinstance(entry.curve, Relative):
        return planned
    weight: Decimal = row["unadjusted_weight"] * row["stint_share"]
    return weight * entry.curve.score(theirs / scale_of(row, catalogue.metrics[row["metric_id"]])) / 100


def comparison(
    appraisals: Mapping[str, Appraisal],
    sheet: Sheet,
    catalogue: Catalogue,
    period: Period,
    language: Language,
    name: str,
) -> Document:
    """Returns every agent with the parts of the difference, and who is on one side only, as a document."""
    words = Words(catalogue, language)
    say = words.say
    found = differences(appraisals, sheet, catalogue)
    grid = Grid(
        headings=(
            (say("工号", "Agent"), "start"), (say("我们", "Ours"), "end"), (say("表格", "Sheet"), "end"),
            (say("差异", "Difference"), "end"), (say("数值不同", "Other values"), "end"),
            (say("曲线或权重不同", "Other curve or weight"), "end"), (say("可信度调整", "Trust"), "end"),
            (say("否决与加减分", "Gates"), "end"), (say("无法解释", "Not explained"), "end"),
            (say("差异最大的指标", "Largest in"), "start"),
        ),
        rows=[_row(difference, words) for difference in found],
    )  # fmt: skip
    both = {difference.agent_key for difference in found}
    points = [
        *_one_sided(say("只在表格中", "Only in the sheet"), set(sheet.scores) - set(appraisals), words),
        *_one_sided(say("表格中没有", "Not in the sheet"), set(appraisals) - set(sheet.scores), words),
        *_one_sided(say("我们没有给出得分", "No score of ours"), set(sheet.scores) & set(appraisals) - both, words),
        *_one_sided(say("没有认出的列", "Columns not recognised"), sheet.unknown, words),
    ]
    return Document(
        language=language,
        title=say(f"与 {name} 对照", f"Compared with {name}"),
        subtitle=words.text(period.name),
        is_demo=period.mode == "demo",
        facts=[
            (say("两边都有得分", "Scored in both"), str(len(found)), "plain"),
            (
                say("差异不超过1分", "Within one point"),
                str(sum(abs(difference.ours - difference.theirs) <= 1 for difference in found)),
                "plain",
            ),
        ],
        parts=[
            Part(
                say("逐人差异", "Agent by agent"),
                say(
                    "差异 = 数值不同 + 曲线或权重不同 + 可信度调整 + 否决与加减分 + 无法解释。",
                    "Difference = other values + other curve or weight + trust + gates + not explained.",
                ),
                [grid],
                points,
            )
        ],
    )


def _row(difference: Difference, words: Words) -> tuple[Cell, ...]:
    def signed(value: Decimal) -> Cell:
        return Cell(f"{value:+.2f}" if round(value, _PLACES) else "0")

    number = words.formatter.number
    largest = max(difference.by_metric.items(), key=lambda item: (abs(item[1]), item[0]), default=None)
    return (
        Cell(difference.agent_key), Cell(number(difference.ours, _PLACES)), Cell(number(difference.theirs, _PLACES)),
        signed(difference.ours - difference.theirs), signed(difference.value), signed(difference.rule),
        signed(difference.trust), signed(difference.gate), signed(difference.unexplained),
        Cell(f"{words.metric(largest[0])} {largest[1]:+.2f}" if largest else "—"),
    )  # fmt: skip


def _one_sided(label: str, names: Iterable[str], words: Words) -> list[str]:
    listed = sorted(names)
    return [f"{label}{words.say('：', ': ')}{words.say('、', ', ').join(listed)}"] if listed else []
