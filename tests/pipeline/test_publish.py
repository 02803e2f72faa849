"""Results become visible after the gates, at once or not at all."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from bi.spec import load_contract
from connectors.contract import SourceError
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import ingest
from kefu.pipeline.publish import PublicationRefused, publish
from kefu.pipeline.run import daily
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line, replace

TABLES = sorted(set(load_contract()) - {"pub_operations.publication"})


@pytest.fixture
def platform(line: Line, copy_of: Copy) -> Platform:
    return copy_of(line.platform, "t_publish")


def change(platform: Platform, statement: str) -> None:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        assert connection.execute(statement.encode()).rowcount != 0


def seen(platform: Platform) -> dict[str, int]:
    """What dashboards see: the number of rows of each table."""
    with platform.warehouse.connect(Role.BI) as connection:
        return {
            table: connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0] for table in TABLES
        }


def banner(platform: Platform) -> tuple[Any, ...]:
    with platform.warehouse.connect(Role.BI) as connection:
        [row] = connection.execute(
            "select publication_id, data_cut, banner_zh, banner_en from pub_operations.publication"
        ).fetchall()
    return row


def test_publishing_the_same_again_is_the_same_publication(line: Line, platform: Platform) -> None:
    again = publish(platform, platform.scope(platform.period()))
    assert (again.publication_id, again.content_hash) == (line.published.publication_id, line.published.content_hash)
    assert (again.changed, again.withheld) == ([], [])
    assert banner(platform) == (1, 21, None, None)


def test_a_failed_critical_gate_keeps_the_last_publication_under_a_banner(platform: Platform) -> None:
    before = seen(platform)
    assert len(before) >= 10
    # Some tables have nothing to say about the recordings, e.g. declines and sales.
    assert sum(map(bool, before.values())) >= 20
    change(platform, "delete from wh_kpi.metric_value")
    change(
        platform,
        "update wh_appraisal.close_gate set is_passed = false, detail_en = 'every critical check passed: csat_rating_"
        "unique' where gate = 'critical_checks'",
    )
    with pytest.raises(
        PublicationRefused, match=r"previous publication stays, because: critical_checks: every .*csat_rating_unique"
    ):
        publish(platform, platform.scope(platform.period()))
    assert seen(platform) == before
    number, cut, chinese, english = banner(platform)
    assert (number, cut) == (1, 21)
    assert chinese == "数据停留在上一次发布：关键质量检查须全部通过"
    assert english == "Numbers are those of the last publication: every critical check passed: csat_rating_unique"


@pytest.mark.parametrize(
    "gate", ["plan_approved", "weights_sum_to_100", "effective_weights_sum_to_100", "reliability_evaluated",
             "agents_mapped", "pause_reasons_mapped", "quarantine_settled", "reconciliation", "sources_fresh"],
)  # fmt: skip
def test_any_other_failed_gate_withholds_the_scores_only(platform: Platform, gate: str) -> None:
    before = seen(platform)
    change(platform, f"update wh_appraisal.close_gate set is_passed = false where gate = '{gate}'")
    published = publish(platform, platform.scope(platform.period()))
    assert published.withheld == [gate]
    hidden = {"pub_appraisal.score": 0, "pub_appraisal.score_component": 0}
    assert seen(platform) == before | hidden
    assert banner(platform)[2:] == ("有检查未通过，绩效得分暂不公布", "A check failed, so scores are withheld")


def test_a_failure_in_the_middle_of_publishing_changes_nothing(platform: Platform) -> None:
    before = seen(platform)
    change(platform, "delete from wh_kpi.metric_value")
    change(platform, "drop table wh_operations.contradiction")
    with pytest.raises(psycopg.errors.UndefinedTable):
        publish(platform, platform.scope(platform.period()))
    assert seen(platform) == before


def test_a_run_whose_source_is_gone_fails_with_a_message_and_may_be_repeated(platform: Platform) -> None:
    before = seen(platform)
    replace(
        platform.settings.kefu_config_dir / "sources.yml",
        {"samples/asterisk/queue_log": "samples/asterisk/nothing_here",
         "- source_id: pbx\n  version: 1\n  valid_from: 2026-01-01":
         "- source_id: pbx\n  version: 2\n  valid_from: 2026-01-02"},
    )  # fmt: skip
    for attempt in (1, 2):
        with pytest.raises(SourceError, match="nothing_here"):
            daily(platform, f"attempt {attempt}")
    assert seen(platform) == before
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        runs = connection.execute("select run_id, status, completed_at is not null from ops.run order by 1").fetchall()
    assert runs == [("attempt 1", "failed", True), ("attempt 2", "failed", True), ("first run", "succeeded", True)]


@pytest.mark.parametrize(("source_id", "entity"), [("pbxx", "queue_log"), ("pbx", "queue_lag")])
def test_an_unknown_source_or_entity_is_named_with_what_there_is(
    platform: Platform, source_id: str, entity: str
) -> None:
    with pytest.raises(Exception, match=r"pbxx|queue_lag") as raised:
        ingest(platform, "wrong name", source_id, entity)
    assert not isinstance(raised.value, KeyError)
