"""The metrics of a simulated operation, computed from what happened and from nothing else.

Every number of the warehouse has gone through source formats, connectors and SQL; these have not. One function stands
for each metric of the catalogue.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.scenario import Scenario
from kefu.simulation.truth import conversations, sales, sheets, time, voice
from kefu.simulation.truth.facts import Entry, Facts, Metric
from kefu.simulation.truth.values import VALUES, values_of
from kefu.simulation.world import World

__all__ = ["TRUTH", "VALUES", "Entry", "Facts", "Metric", "metric_values", "truth_tables", "write_truth"]

_TOPICS = (conversations, time, voice, sheets, sales)
TRUTH: dict[str, Metric] = {metric_id: metric for topic in _TOPICS for metric_id, metric in topic.TRUTH.items()}
if len(TRUTH) < sum(len(topic.TRUTH) for topic in _TOPICS):
    raise ValueError("two topics tell the truth of one metric")


def metric_values(facts: Facts, metrics: Iterable[str] = tuple(TRUTH)) -> pa.Table:
    """Returns the true values of some metrics: rows with the schema `VALUES`, as `values_of` describes them."""
    return values_of(facts, {metric_id: TRUTH[metric_id] for metric_id in metrics})


def truth_tables(world: World, scenario: Scenario, as_of: dt.datetime | None = None) -> dict[str, pa.Table]:
    """Returns the true metric values as `metric_value` and what was planted as `planted`.

    `as_of` is the moment of looking, `scenario.as_of` of the last day unless given.
    """
    as_of = as_of or scenario.as_of(scenario.end)
    return {"metric_value": metric_values(Facts(world, scenario, as_of)), "planted": world.planted}


def write_truth(world: World, scenario: Scenario, path: Path, as_of: dt.datetime | None = None) -> None:
    """Writes the scenario, what was planted and the values of every month as JSON; the same world, the same bytes."""
    tables = truth_tables(world, scenario, as_of)
    months = tables["metric_value"].filter(pc.equal(tables["metric_value"]["period_kind"], "month"))
    body = {
        "scenario": scenario.model_dump(mode="json"),
        "planted": tables["planted"].to_pylist(),
        "metric_values": months.drop_columns("period_kind").to_pylist(),
    }
    text = json.dumps(body, ensure_ascii=False, indent=1, default=_as_json)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _as_json(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
