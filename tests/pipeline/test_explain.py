"""`kefu metrics explain`: the rows behind a number add up to exactly that number, for every metric and unit."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from kefu.pipeline.context import Platform, UnknownPeriod
from kefu.pipeline.metrics import explain
from kefu.warehouse import WarehouseError
from tests.e2e.support import Line

UNITS = [("site", "site"), ("team", "general"), ("queue", "chat_cs"), ("agent", "CS1001"), ("agent", "CS1005")]


def test_the_rows_behind_every_number_add_up_to_it(line: Line) -> None:
    compared: Counter[str] = Counter()
    for metric in line.platform.catalogue.metrics.values():
        for unit in UNITS:
            if metric.kind == "elsewhere" or unit[0] not in metric.units or unit[0] in metric.needs:
                continue
            found = explain(line.platform, metric.metric_id, unit, most_rows=3)
            if found.null_reason in ("source_missing", "not_measured"):
                continue
            for role, number in (("numerator", found.numerator), ("denominator", found.denominator)):
                parts = [part.total for part in found.parts if part.role == role]
                if parts and metric.kind not in ("percentile", "last"):
                    assert sum(parts) == number, (metric.metric_id, unit, role)
                    compared[metric.kind] += 1
            if metric.kind == "percentile":
                assert found.parts[0].total == found.n, (metric.metric_id, unit)
                compared[metric.kind] += 1
            assert all(len(part.rows) == min(3, part.row_count) for part in found.parts)
    assert compared["ratio"] > 200 and compared["sum"] > 20 and compared["percentile"] >= 4


def test_an_explanation_shows_formula_numbers_and_rows(line: Line) -> None:
    found = explain(line.platform, "abandonment_rate", ("site", "site"))
    lines = found.lines()
    assert lines[0] == "放弃率 / Abandonment rate (abandonment_rate), version 1"
    assert lines[-3:-1] == ["= (queue_abandoned) / (queue_offered)", "= 47 / 588"]
    assert Decimal(lines[-1].removeprefix("= ")) == found.value
    part = found.parts[0]
    assert part.heading().startswith("numerator queue_abandoned = 47 (number of rows of queue_visit where outcome")
    assert (part.columns[0], part.row_count, len(part.rows)) == ("queue_visit_key", 47, 20)


def test_a_definition_that_has_moved_on_explains_nothing_of_an_earlier_period(line: Line) -> None:
    moved = Platform(line.platform.settings, line.platform.warehouse.database)
    later = {"version": 2, "valid_from": date(2027, 1, 1), "numerator": ("queue_offered",)}
    metrics = moved.catalogue.objects["metric"]
    metrics["abandonment_rate"] = metrics["abandonment_rate"].model_copy(update=later)
    found, expected = (explain(one, "abandonment_rate", ("site", "site")) for one in (moved, line.platform))
    assert found.lines() == expected.lines()
    assert found.parts == expected.parts


@pytest.mark.parametrize(
    ("metric_id", "unit", "period", "said"),
    [
        ("nothing", ("site", "site"), None, "no metric nothing. Remedy: see `kefu metrics list`"),
        ("composite_score", ("agent", "CS1001"), None, "is not made of measures: it is computed in score.composite"),
        ("asa", ("agent", "CS1001"), None, "there is no value of asa for the agent CS1001"),
        ("asa", ("team", "nobody"), None, "there is no value of asa for the team nobody"),
    ],
)
def test_what_cannot_be_explained_says_why(
    line: Line, metric_id: str, unit: tuple[str, str], period: str | None, said: str
) -> None:
    with pytest.raises(WarehouseError, match=said):
        explain(line.platform, metric_id, unit, period)


def test_an_unknown_period_is_named(line: Line) -> None:
    with pytest.raises(UnknownPeriod, match="found the period 2020_01"):
        explain(line.platform, "asa", ("site", "site"), "2020_01")
