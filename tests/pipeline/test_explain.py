"""`kefu metrics explain`: the rows behind a number add up to exactly that number, for every metric and unit."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from kefu import cli
from kefu.catalogue.models import Text
from kefu.catalogue.texts import text_values
from kefu.pipeline.context import Platform, UnknownPeriod
from kefu.pipeline.metrics import Explanation, explain
from kefu.warehouse import Role, WarehouseError
from tests.conftest import Copy
from tests.e2e.support import Line

UNITS = [("site", "site"), ("team", "general"), ("queue", "chat_cs"), ("agent", "CS1001"), ("agent", "CS1005")]


def test_the_rows_behind_every_number_add_up_to_it(line: Line) -> None:
    compared: Counter[str] = Counter()
    for metric in line.platform.catalogue.metrics.values():
        for unit in UNITS:
            if metric.kind == "elsewhere" or unit[0] not in metric.units or unit[0] in metric.needs:
                continue
            found = explain(line.platform, metric.metric_id, unit, most_rows=3)
            if found.null_reason not in ("source_missing", "not_measured"):
                compared[metric.kind] += adds_up(found)
                assert all(len(part.rows) == min(3, part.row_count) for part in found.parts)
    assert compared["ratio"] > 200 and compared["sum"] > 20 and compared["percentile"] >= 4


def adds_up(found: Explanation) -> int:
    """How many numbers of an explanation were compared with the rows behind them."""
    if found.metric.kind == "percentile":
        assert found.parts[0].total == found.n, found
        return 1
    compared = 0
    for role, number in (("numerator", found.numerator), ("denominator", found.denominator)):
        parts = [part.total for part in found.parts if part.role == role]
        if parts:
            assert sum(parts) == number, (found.metric.metric_id, found.unit_key, found.period_kind, role)
            compared += 1
    return compared


def test_days_weeks_and_months_of_a_channel_are_explained_too(line: Line) -> None:
    with line.platform.warehouse.connect(Role.AUDITOR) as connection:
        # Of each metric one value that has numbers, of whatever range, unit and channel.
        values = connection.execute(
            "select distinct on (metric_id) metric_id, unit_kind, unit_key, channel, period_kind, period_id, value,"
            " interval_low, n from wh_kpi.metric_value"
            " where period_kind <> 'period' and n > 0 and unit_key not like '%:%'"
            " order by metric_id, md5(metric_id || period_kind), md5(metric_id || unit_kind),"
            " md5(metric_id || unit_key || channel || period_id)"
        ).fetchall()
    compared: Counter[str] = Counter()
    for metric_id, kind, key, channel, grain, period_id, value, low, n in values:
        found = explain(
            line.platform, metric_id, (kind, key), period_id, period_kind=grain, channel=channel, most_rows=1
        )
        assert (found.value, found.n, found.interval and found.interval[0]) == (value, n, low)
        compared[grain] += adds_up(found)
        compared[kind] += 1
        compared["interval"] += found.interval is not None
    assert all(compared[grain] > 20 for grain in ("day", "week", "month")), compared
    assert all(compared[kind] > 0 for kind in ("agent", "team", "queue", "site")), compared
    assert compared["interval"] > 20, compared


def test_published_formulas_and_those_of_the_files_name_the_same_values(line: Line) -> None:
    catalogue = line.platform.catalogue
    values = text_values(catalogue)
    with line.platform.warehouse.connect(Role.AUDITOR) as connection:
        published = connection.execute(
            "select metric_id, formula_zh, formula_en from pub_kpi.metric_definition"
        ).fetchall()
        told = connection.execute(
            "select value_name, value_zh, value_en from wh_staging.stg_cfg__text_value"
        ).fetchall()
    assert {name: Text(zh=zh, en=en) for name, zh, en in told} == values
    assert len(published) == len(catalogue.metrics)
    for metric_id, zh, en in published:
        assert Text(zh=zh, en=en) == catalogue.metrics[metric_id].formula.filled(values)


def test_an_explanation_shows_formula_numbers_and_rows(line: Line) -> None:
    found = explain(line.platform, "abandonment_rate", ("site", "site"))
    lines = found.lines()
    assert lines[0] == "放弃率 / Abandonment rate (abandonment_rate), version 1"
    assert "Abandoned after 5 s / (offered − abandoned within 5 s)" in lines
    assert lines[-4:-2] == ["= (queue_abandoned) / (queue_offered)", "= 47 / 588"]
    assert Decimal(lines[-2].removeprefix("= ")) == found.value
    assert found.interval is not None
    assert lines[-1] == "interval {:f} to {:f}".format(*(limit.normalize() for limit in found.interval))
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


def test_the_version_that_counted_is_explained(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_explain")
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute(
            "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
            " select kind, object_id, 2, 'changed', '2026-10-01',"
            """ body || '{"version": 2, "valid_from": "2026-10-01", "numerator": ["queue_offered"]}'"""
            " from cfg.object_version where kind = 'metric' and object_id = 'abandonment_rate' and version = 1"
        )
    found, expected = (explain(one, "abandonment_rate", ("site", "site")) for one in (platform, line.platform))
    assert found.metric.version == 1
    assert found.parts == expected.parts


def test_the_command_takes_unit_channel_and_range(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_platform", lambda: line.platform)
    with line.platform.warehouse.connect(Role.AUDITOR) as connection:
        found = connection.execute(
            "select unit_key, period_id, numerator, denominator, n, interval_low from wh_kpi.metric_value"
            " where metric_id = 'avg_response_time' and unit_kind = 'agent' and period_kind = 'month'"
            " and channel = 'chat' and interval_low is not null order by n desc, unit_key limit 1"
        ).fetchone()
    assert found is not None
    agent, month, numerator, denominator, n, low = found
    options = ["--agent", agent, "--channel", "chat", "--period-kind", "month", "--period", month, "--rows", "2"]
    shown = CliRunner().invoke(cli.app, ["metrics", "explain", "avg_response_time", *options])
    assert shown.exit_code == 0, shown.output
    assert f"agent {agent}, channel chat, month {month} (" in shown.output
    assert f"n = {n}, as of 2026-" in shown.output
    assert f"\n= {numerator:f} / {denominator:f}\n" in shown.output
    assert f"\ninterval {low.normalize():f} to " in shown.output
    assert "hours_mode = roster" in shown.output
    assert f"... {n - 2} more rows; --rows shows them" in shown.output
    wrong = CliRunner().invoke(cli.app, ["metrics", "explain", "asa", "--period-kind", "year"])
    assert wrong.exit_code == 2


def test_a_range_without_a_name_is_asked_for(line: Line) -> None:
    with pytest.raises(WarehouseError, match=r"which week\? Remedy: name it, e\.g\. 2026-W45"):
        explain(line.platform, "asa", ("site", "site"), period_kind="week")


@pytest.mark.parametrize(
    ("metric_id", "unit", "period", "said"),
    [
        ("nothing", ("site", "site"), None, "no metric nothing. Remedy: see `kefu metrics list`"),
        ("asa", ("agent", "CS1001"), None, "there is no value of asa for the agent CS1001"),
        ("asa", ("team", "nobody"), None, "there is no value of asa for the team nobody"),
    ],
)
def test_what_cannot_be_explained_says_why(
    line: Line, metric_id: str, unit: tuple[str, str], period: str | None, said: str
) -> None:
    with pytest.raises(WarehouseError, match=said):
        explain(line.platform, metric_id, unit, period)


def test_a_team_s_attainment_is_its_values_beside_their_targets(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    team = "general"
    found = explain(line.platform, "team_target_attainment", ("team", team), channel="chat", most_rows=100)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert len(rows) == found.row_count > 10
    by_metric = {row["metric_id"]: row for row in rows}
    for metric_id, row in by_metric.items():
        value = explain(line.platform, metric_id, ("team", team), channel="chat").value
        assert row["value"] == value, metric_id
        if value and row["direction"] == "higher" and row["target"]:
            assert row["attainment_ratio"] == pytest.approx(value / row["target"]), metric_id
    asa = by_metric["asa"]
    assert asa["attainment_ratio"] == pytest.approx(asa["target"] / asa["value"])
    monkeypatch.setattr(cli, "_platform", lambda: line.platform)
    options = ["--team", team, "--channel", "chat", "--rows", "3"]
    shown = CliRunner().invoke(cli.app, ["metrics", "explain", "team_target_attainment", *options])
    assert shown.exit_code == 0, shown.output
    told = shown.output.splitlines()
    assert told[3] == "Team value / target (target / value where lower is better), from pooled numerators"
    assert told[4].startswith(f"{len(rows)} rows of target_attainment.attainment_ratio; what is behind a value: kefu")
    assert len(told[5:]) == 4 and all(line.startswith("  metric_id = ") for line in told[5:8])
    assert told[8] == f"  ... {len(rows) - 3} more rows; --rows shows them"


def test_balance_and_gauges_come_from_the_models_that_compute_them(line: Line) -> None:
    found = explain(line.platform, "workload_balance_index", ("team", "general"), "2026-11", period_kind="month")
    [row] = (dict(zip(found.columns, row, strict=True)) for row in found.rows)
    assert row["mean_load_share"] <= row["highest_load_share"] and row["agent_count"] > 3
    with line.platform.warehouse.connect(Role.AUDITOR) as connection:
        samples = connection.execute("select count(*) from wh_core.fct_live_sample").fetchone()
    assert samples == (0,)
    with pytest.raises(WarehouseError, match="no row of site site, channel all, period 2026_11_demo"):
        explain(line.platform, "queue_length", ("site", "site"))


def test_a_score_is_explained_where_its_readings_are_recorded(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_platform", lambda: line.platform)
    shown = CliRunner().invoke(cli.app, ["metrics", "explain", "composite_score", "--agent", "CS1001"])
    assert isinstance(shown.exception, WarehouseError) and shown.output == ""
    assert "`kefu explain --agent CS1001 --period 2026_11_demo`" in str(shown.exception)
    with pytest.raises(WarehouseError, match="`kefu explain --agent <personnel number>` prints"):
        explain(line.platform, "composite_score", ("site", "site"), "2026-11", period_kind="month")


def test_what_no_model_holds_is_named(line: Line) -> None:
    for unit, grain, period_id in (
        (("team", "nobody"), "month", "2026-11"), (("agent", "CS1001"), "month", "2026-11"),
        (("team", "general"), "month", "2020-01"), (("team", "general"), "day", "2026-11-03"),
    ):  # fmt: skip
        with pytest.raises(
            WarehouseError, match=f"no row of {unit[0]} {unit[1]}.* the metric is for team by month, period"
        ):
            explain(line.platform, "team_target_attainment", unit, period_id, period_kind=grain)


def test_an_unknown_period_is_named(line: Line) -> None:
    with pytest.raises(UnknownPeriod, match="found the period 2020_01"):
        explain(line.platform, "asa", ("site", "site"), "2020_01")
