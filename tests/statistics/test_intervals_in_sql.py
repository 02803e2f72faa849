"""The intervals of published values against numpy and scipy, from the same days and cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jinja2
import numpy as np
import psycopg
import pytest
from scipy import stats

from kefu.settings import PROJECT, Settings
from kefu.statistics.intervals import wilson
from kefu.warehouse import Role, Warehouse
from kefu.yaml_files import read_yaml

MACROS = (PROJECT / "dbt_project" / "macros" / "intervals.sql").read_text("utf-8")
SCENARIOS = PROJECT / "dbt_project" / "models" / "kpi" / "_intervals__unit_tests.yml"
Z = 1.96
LEVEL = stats.norm.cdf(Z)


def macro(call: str) -> str:
    """The SQL a macro of the project writes."""
    return jinja2.Environment(autoescape=False).from_string(MACROS + "{{ " + call + " }}").render()


def given_and_expected(name: str) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """The rows a scenario begins with by their model, and those it ends with."""
    (scenario,) = (test for test in read_yaml(SCENARIOS)["unit_tests"] if test["name"] == name)
    return {one["input"]: one["rows"] for one in scenario["given"]}, scenario["expect"]["rows"]


@pytest.fixture(scope="module")
def owner(settings: Settings) -> Iterator[psycopg.Connection]:
    with Warehouse(settings, "postgres").connect(Role.OWNER) as connection:
        yield connection


def mean_interval(channels: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float] | None:
    """Ratio of sums over days, channels apart from each other: Student's t on what each day is off the ratio."""
    ratio = sum(y.sum() for y, _ in channels) / sum(x.sum() for _, x in channels)
    freedom = sum(len(y) - 1 for y, _ in channels)
    if freedom < 4 or any(len(y) < 2 for y, _ in channels):
        return None
    variance = sum(len(y) * np.var(y - ratio * x, ddof=1) for y, x in channels)
    half = stats.t.ppf(LEVEL, freedom) * np.sqrt(variance) / sum(x.sum() for _, x in channels)
    return ratio - half, ratio + half


def test_means_are_estimated_from_their_days() -> None:
    given, expected = given_and_expected("a_mean_is_as_sure_as_its_days_agree")
    intervals = 0
    for row in expected:
        days = [
            day
            for day in given["ref('metric_day')"]
            if day["unit_key"] == row["unit_key"] and row["channel"] in (day["channel"], "all") and not day["is_exempt"]
        ]
        channels = [
            (
                np.array([day["numerator"] for day in days if day["channel"] == channel], float),
                np.array([day["denominator"] for day in days if day["channel"] == channel], float),
            )
            for channel in sorted({day["channel"] for day in days})
        ]
        found = mean_interval(channels) if channels else None
        if found is None:
            assert (row["interval_low"], row["interval_high"]) == (None, None)
            continue
        intervals += 1
        low, high = float(row["interval_low"]), float(row["interval_high"])
        assert (low, high) == pytest.approx((max(found[0], 0), found[1]), rel=2e-3)
    assert intervals == 5


def test_percentiles_are_estimated_from_their_cases() -> None:
    given, expected = given_and_expected("a_percentile_lies_between_cases_of_certain_ranks")
    quantiles = {row["metric_id"]: float(row["quantile"]) for row in given["ref('stg_cfg__metric_version')"]}
    for row in expected:
        cases = np.concatenate(
            [
                np.repeat((1.01 / 0.99) ** one["bucket"] / 1.01, one["bucket_count"])
                for one in given["ref('measure_histogram')"]
                if one["unit_key"] == row["unit_key"]
            ]
        )
        q, n = quantiles[row["metric_id"]], len(cases)
        reach = Z * np.sqrt(n * q * (1 - q))
        low, high = int(np.floor(n * q - reach)), int(np.ceil(n * q + reach))
        assert float(row["value"]) == pytest.approx(np.sort(cases)[int(np.ceil(n * q)) - 1], rel=0.01)
        if low < 1 or high > n:
            assert (row["interval_low"], row["interval_high"]) == (None, None)
        else:
            ends = float(row["interval_low"]), float(row["interval_high"])
            assert ends == pytest.approx(tuple(np.sort(cases)[[low - 1, high - 1]]), rel=0.01)
    assert [row["interval_low"] is None for row in expected].count(True) == 2


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95])
def test_the_ranks_hold_the_quantile_as_often_as_they_should(owner: psycopg.Connection, quantile: float) -> None:
    low, high = (macro(f"quantile_rank('n', '{quantile}', '{Z}', {sign})") for sign in (-1, 1))
    rows = owner.execute(f"select n, {low}, {high} from generate_series(8, 800) as n").fetchall()
    found = [(n, int(first), int(last)) for n, first, last in rows if first >= 1 and last <= n]
    # The quantile lies between the two cases when at least the first and fewer than the last lie below it.
    held = [
        stats.binom.cdf(last - 1, n, quantile) - stats.binom.cdf(first - 1, n, quantile) for n, first, last in found
    ]
    assert len(held) > 600
    assert min(held) > 0.93 and np.mean(held) > 0.95


def test_student_s_t_is_that_of_the_tables(owner: psycopg.Connection) -> None:
    quantile = macro(f"student_t('{Z}', 'freedom')")
    rows = owner.execute(f"select freedom, {quantile} from generate_series(4, 200) as freedom").fetchall()
    for freedom, found in rows:
        assert float(found) == pytest.approx(stats.t.ppf(LEVEL, freedom), rel=3e-3)


def test_shares_have_the_interval_of_the_statistics(owner: psycopg.Connection) -> None:
    low, high = (macro(f"wilson('x', 'n', '{Z}', {sign})") for sign in (-1, 1))
    rows = owner.execute(
        f"select x, n, {low}, {high} from generate_series(1::numeric, 60) as n"
        " cross join lateral generate_series(0, n) as x"
    ).fetchall()
    expected = wilson([float(row[0]) for row in rows], [float(row[1]) for row in rows], Z)
    assert [float(row[2]) for row in rows] == pytest.approx(list(expected.low), abs=1e-12)
    assert [float(row[3]) for row in rows] == pytest.approx(list(expected.high), abs=1e-12)


def test_days_that_differ_as_days_need_wider_intervals_than_their_cases() -> None:
    """20 days of 30 cases: intervals of days hold the truth in 95 %, those of independent cases in far fewer."""
    generator = np.random.default_rng(7)
    by_days = by_cases = 0
    for _ in range(1_000):
        cases = 100 + generator.normal(0, 10, (20, 1)) + generator.normal(0, 20, (20, 30))
        found = mean_interval([(cases.sum(axis=1), np.full(20, 30.0))])
        assert found is not None
        by_days += found[0] <= 100 <= found[1]
        half = Z * cases.std(ddof=1) / np.sqrt(cases.size)
        by_cases += abs(cases.mean() - 100) <= half
    assert 930 <= by_days <= 970
    assert by_cases < 650
