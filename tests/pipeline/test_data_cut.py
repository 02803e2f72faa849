"""A calculation as of an earlier data cut gives the earlier numbers, whatever was loaded since."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from kefu.pipeline.context import Platform
from kefu.pipeline.run import calculate
from kefu.pipeline.transform import drop_schema, start_run
from kefu.warehouse import Role
from tests.e2e.support import Line

NUMBERS = (
    "select unit_kind, unit_key, channel, metric_id, period_kind, period_id, numerator, denominator, n, value,"
    " null_reason from {kpi}.metric_value"
)
SCORES = "select agent_key, composite, composite_unadjusted, grade, status from {appraisal}.score"


def rows(platform: Platform, statement: str) -> set[tuple[Any, ...]]:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        return set(connection.execute(statement.encode()).fetchall())


def test_an_earlier_data_cut_gives_the_earlier_numbers(line: Line, planted: Platform) -> None:
    before = rows(line.platform, NUMBERS.format(kpi="wh_kpi"))
    scores = rows(line.platform, SCORES.format(appraisal="wh_appraisal"))
    later = rows(planted, NUMBERS.format(kpi="wh_kpi"))
    calls = {
        key[:6]: (Fraction(key[6]), key[7])
        for key in later
        if key[:4] == ("agent", "CS1001", "voice", "calls_inbound_handled") and key[4] == "period"
    }
    earlier = next(key for key in before if key[:6] in calls)
    assert list(calls.values()) == [(Fraction(earlier[6]) + 1, None)]
    assert before != later

    scope = replace(planted.scope(planted.period(), "calc_earlier_cut"), data_cut=21)
    with planted.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("create schema calc_earlier_cut")
    start_run(planted, "as of the first run", "as_of", {})
    calculate(planted, scope, "as of the first run")
    assert rows(planted, NUMBERS.format(kpi="calc_earlier_cut")) == before
    assert rows(planted, SCORES.format(appraisal="calc_earlier_cut")) == scores
    drop_schema(planted, scope)
    # The live line is not touched by it.
    assert rows(planted, NUMBERS.format(kpi="wh_kpi")) == later
