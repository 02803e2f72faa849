"""What does not fit is found: a missing day, a late record, and that the list of readable stretches is complete."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.contract import FieldType
from connectors.registry import systems
from kefu.pipeline.context import Platform
from kefu.pipeline.publish import publish
from kefu.pipeline.transform import invoke
from kefu.settings import PROJECT
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line


@pytest.fixture
def platform(line: Line, copy_of: Copy) -> Platform:
    return copy_of(line.platform, "t_operations")


def change(platform: Platform, *statements: str) -> None:
    with platform.warehouse.connect(Role.OWNER) as connection:
        for statement in statements:
            assert connection.execute(statement.encode()).rowcount > 0, statement


def rows(platform: Platform, statement: str, role: Role = Role.TRANSFORMER) -> list[tuple[Any, ...]]:
    with platform.warehouse.connect(role) as connection:
        return connection.execute(statement.encode()).fetchall()


def build(platform: Platform, *models: str) -> None:
    variables = json.dumps(platform.scope(platform.period()).variables())
    results = invoke(platform, ["run", "--select", *models, "--vars", variables])
    assert {result["status"] for result in results} == {"success"}


def test_the_recordings_reconcile_with_what_their_sources_count(platform: Platform) -> None:
    found = rows(
        platform,
        "select source_id, rule_id, sum(our_value), sum(source_value), bool_and(is_within)"
        " from wh_operations.reconciliation where unit_kind = 'source' group by source_id, rule_id order by 1, 2",
    )
    # 256 chats: 12 were never closed, 28 closed without anybody's message, 216 with one. Of 311 answered calls 7 had
    # not ended when the recording did, and two came back to a queue.
    assert found == [
        ("chat", "chats_by_department", 216, 216, True),
        ("chat", "chats_by_operator", 235, 235, True),
        ("chat", "chats_by_owner", 216, 216, True),
        ("chat", "chats_with_last_message", 244, 244, True),
        ("chat", "first_response_seconds", 6343, 6343, True),
        ("chat", "wait_seconds", 9379, 9379, True),
        ("pbx", "answered_calls", 302, 302, True),
    ]


def test_a_missing_day_withholds_the_scores_and_no_dashboard(platform: Platform) -> None:
    values = rows(platform, "select count(*) from pub_kpi.metric_value", Role.BI)
    change(platform, "delete from wh_core.fct_conversation where source_id = 'chat' and business_date = '2026-11-03'")
    build(platform, "reconciliation", "close_gate")
    [(is_passed, detail)] = rows(
        platform, "select is_passed, detail_en from wh_appraisal.close_gate where gate = 'reconciliation'"
    )
    assert not is_passed
    assert detail.startswith(
        "our totals agree with those the sources count themselves: chat chats_by_department of chat on 2026-11-03 is 0"
    )
    published = publish(platform, platform.scope(platform.period()))
    assert published.withheld == ["reconciliation"]
    assert rows(platform, "select count(*) from pub_appraisal.score", Role.BI) == [(0,)]
    assert rows(platform, "select count(*) from pub_kpi.metric_value", Role.BI) == values
    [(apart,)] = rows(
        platform,
        "select count(distinct business_date) from pub_operations.reconciliation where not is_within",
        Role.BI,
    )
    assert apart == 1


def test_a_difference_within_the_tolerance_passes(platform: Platform) -> None:
    change(
        platform,
        "update wh_core.fct_segment set accept_delay_seconds = accept_delay_seconds + 1 where segment_key = (select"
        " segment_key from wh_core.fct_segment where source_id = 'chat' and accept_delay_seconds is not null and"
        " segment_number = 1 order by 1 limit 1)",
    )
    build(platform, "reconciliation")
    found = rows(
        platform,
        "select is_within, difference_share > 0 from wh_operations.reconciliation where rule_id = 'wait_seconds' and"
        " our_value <> source_value and unit_kind = 'source'",
    )
    assert found == [(True, True)]


def test_a_record_that_came_later_than_the_look_back_is_an_alert(platform: Platform) -> None:
    [(last,)] = rows(platform, "select max(completed_at) from ops.load")
    evening = last + timedelta(days=10)
    # Two daily reads with twelve hours of look-back for calls; the second one is made wider and finds what the first
    # had not found.
    change(platform, *(late_load(evening + timedelta(days=day)) for day in (0, 1)))
    change(
        platform,
        "insert into raw_asterisk.cdr select (jsonb_populate_record(c, jsonb_build_object('_key', 'late', 'started_at',"
        f" '{evening - timedelta(hours=30)}'::timestamptz, '_load_seq', (select max(load_seq) from ops.load)))).*"
        " from raw_asterisk.cdr as c limit 1",
    )
    build(platform, "source_record", "lateness")
    found = rows(
        platform,
        "select later_count, late_count, late_change_count, longest_late_seconds, look_back_seconds, beyond_count,"
        " is_exceeded from wh_operations.lateness where source_id = 'pbx' and entity = 'cdr'",
    )
    assert found == [(1, 1, 0, 30 * 3600, 12 * 3600, 1, True)]
    # The appraisal of what came is right; the alert is about reading.
    assert publish(platform, platform.scope(platform.period())).withheld == []
    assert rows(platform, "select entity from pub_operations.lateness where is_exceeded", Role.BI) == [("cdr",)]


def late_load(started: datetime) -> str:
    return (
        "insert into ops.load (load_seq, run_id, source_id, system, entity, window_start, window_end, read_count,"
        " inserted_count, unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule,"
        " started_at, completed_at) select max(load_seq) + 1, 'later', 'pbx', 'asterisk', 'cdr', began.at"
        " - interval '30 hours', began.at, 1, 1, 0, 0, 0, 0, '{}', began.at, began.at"
        f" from ops.load, (values ('{started}'::timestamptz)) as began (at) group by began.at"
    )


def test_every_readable_stretch_is_measured() -> None:
    from jinja2 import Environment

    class Returned(Exception):
        pass

    kept: list[Any] = []

    def keep(value: Any) -> None:
        kept.extend(value)
        raise Returned

    text = (PROJECT / "dbt_project" / "macros" / "lateness.sql").read_text("utf-8").split("{# Every version")[0]
    with pytest.raises(Returned):
        Environment().from_string(text + "{{ windowed_entities() }}").render({"return": keep})
    declared = [
        (
            system,
            entity.name,
            entity.window_on,
            "day" if entity.fields[entity.window_on].type is FieldType.DATE else "instant",
        )
        for system, found in sorted(systems().items())
        for entity in sorted(found.entities.values(), key=lambda entity: entity.name)
        if entity.window_on
    ]
    assert len(declared) >= 34
    assert kept == declared
