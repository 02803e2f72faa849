"""A simulated month through real formats, connectors and models: every number must be the generator's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from kefu.pipeline.context import Platform
from kefu.pipeline.run import daily
from kefu.settings import Settings
from kefu.simulation.run import served_desk, write_operation
from kefu.simulation.scenario import Scenario
from kefu.simulation.truth import TRUTH, truth_tables
from kefu.warehouse import Role

SCENARIO = Scenario(seed=7, agents=30, contacts_per_agent_day=5)
PERIOD = "2026_10_simulated"
# Metrics of the catalogue that nothing in the simulation can tell, each with the reason.
WITHOUT_TRUTH: dict[str, str] = {}

Key = tuple[str, str, str, str]
Number = tuple[Decimal, Decimal | None, int]


@dataclass(frozen=True)
class Simulated:
    """The month in the warehouse and as it was, by metric: numbers per unit, channel and day or `month`."""

    platform: Platform
    said: list[str]
    true: dict[str, dict[Key, Number]]
    found: dict[str, dict[Key, Number]]


@pytest.fixture(scope="module")
def simulated(settings: Settings, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    folder = tmp_path_factory.mktemp("simulated")
    world = write_operation(SCENARIO, folder / "operation", base=project / "config", is_alone=True)
    configured = settings.model_copy(update={"kefu_config_dir": folder / "operation" / "config"})
    platform = Platform(configured, "t_simulated")
    said: list[str] = []
    with served_desk(world):
        daily(platform, "simulated", say=said.append)
    true: dict[str, dict[Key, Number]] = {}
    for row in truth_tables(world, SCENARIO)["metric_value"].to_pylist():
        day = "month" if row["period_kind"] == "month" else row["period"]
        numbers = true.setdefault(row["metric_id"], {})
        numbers[row["unit_kind"], row["unit_key"], row["channel"], day] = (
            row["numerator"], row["denominator"], row["n"],
        )  # fmt: skip
    found: dict[str, dict[Key, Number]] = {}
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        for metric, *key, numerator, denominator, n in connection.execute(
            "select metric_id, unit_kind, unit_key, channel, case period_kind when 'day' then period_id else 'month'"
            " end, coalesce(numerator, 0), denominator, n from wh_kpi.metric_value"
            " where period_kind <> 'day' or period_id between '2026-10-01' and '2026-10-31'"
        ):
            found.setdefault(metric, {})[key[0], key[1], key[2], key[3]] = (numerator, denominator, n)
    yield Simulated(platform, said, true, found)


def test_every_metric_of_the_catalogue_has_a_truth(simulated: Simulated) -> None:
    catalogue = set(simulated.platform.catalogue.metrics)
    assert catalogue - set(TRUTH) == set(WITHOUT_TRUTH)
    assert set(TRUTH) <= catalogue


@pytest.mark.parametrize("metric", sorted(TRUTH))
def test_the_warehouse_says_what_happened(simulated: Simulated, metric: str) -> None:
    true, found = simulated.true[metric], simulated.found[metric]
    assert len(true) > 50
    different = {key: (number, found.get(key)) for key, number in true.items() if found.get(key) != number}
    assert different == {}, f"{len(different)} of {len(true)}"


def test_every_record_was_taken(simulated: Simulated) -> None:
    loads = [line for line in simulated.said if " read = " in line]
    assert len(loads) > 25
    assert [line for line in loads if not line.endswith(" 0 in quarantine")] == []
