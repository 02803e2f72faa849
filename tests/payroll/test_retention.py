"""What is past its retention goes, and what is left still proves what was paid."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kefu.payroll import (
    Close,
    CloseRefused,
    Reader,
    broken,
    close_period,
    disputes,
    export,
    restate,
    rows_of,
    step,
    verify,
)
from kefu.payroll.close import APPROVER, CHECKER
from kefu.payroll.retention import purge
from kefu.pipeline.context import Platform
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.payroll.fabricated import Agent, Calculation, calculating, installation, query, set_clock

OLD, NEW = "2026_10_demo", "2026_11_demo"
AGENTS = [Agent("CS1001", Decimal("84.96"), "B", 120_000), Agent("CS1002", Decimal("91.20"), "A", 150_050)]
WHO = Reader("kefu_auditor", "a test")
# 36 months after 31 October 2026, and a day before.
OVER, BEFORE = "2029-11-01T00:00:00Z", "2029-10-31T23:59:59Z"
ROWS = ("snapshot", "snapshot_component", "snapshot_estimate")


@pytest.fixture(scope="module")
def made(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Close, Path]]:
    """Two closed periods, and what payroll received of the first."""
    folder = tmp_path_factory.mktemp("retention")
    platform = installation(
        settings, "t_retention", folder,
        [{"period_id": OLD, "start": "2026-10-05", "end": "2026-10-31", "as_of": "2026-11-10T00:00:00Z"}, {}],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, calculating(patch, Calculation(AGENTS)):
        first = close_period(platform, OLD)
        received = shutil.copytree(first.folder, folder / "received")
        close_period(platform, NEW)
        yield platform, first, received


@pytest.fixture
def platform(made: tuple[Platform, Close, Path], copy_of: Copy, monkeypatch: pytest.MonkeyPatch) -> Any:
    with calculating(monkeypatch, Calculation(AGENTS)):
        yield copy_of(made[0], "t_retention_copy")


def left(platform: Platform, period: str) -> list[int]:
    return [
        query(platform, f"select count(*) from payroll.{table} where period_id = '{period}'")[0][0] for table in ROWS
    ]


def test_an_old_period_goes_and_its_manifest_still_verifies(
    platform: Platform, made: tuple[Platform, Close, Path]
) -> None:
    export(platform, OLD)
    pages = platform.settings.kefu_data_dir / "reports" / f"{OLD}_v1_0123456789ab"
    pages.mkdir(parents=True)
    before = query(platform, "select * from payroll.close order by chain_position")
    set_clock(platform, OVER)
    assert f"{OLD}: scores erased, version 1 of 2 people" in list(purge(platform))
    assert (left(platform, OLD), left(platform, NEW)) == ([0, 0, 0], [2, 4, 2])
    assert query(platform, "select * from payroll.close order by chain_position") == before
    assert query(platform, f"select count(*) from payroll.snapshot_reliability where period_id = '{OLD}'") == [(1,)]
    assert broken(platform) == []
    [(content, counts, months, actor)] = query(
        platform, "select content_hash, counts, months, erased_by from payroll.erasure"
    )
    assert (content, counts, months, actor) == (
        made[1].content_hash, {"snapshot": 2, "snapshot_component": 4, "snapshot_estimate": 2}, 36, "postgres",
    )  # fmt: skip
    assert query(platform, "select count(*) from payroll.audit where action = 'erase'") == [(1,)]
    # The platform keeps no copy of the rows; payroll's own still proves them, and the next one in the chain too.
    assert not pages.exists() and not (platform.settings.kefu_data_dir / "payroll" / f"{OLD}_v1").exists()
    assert verify(made[2])["content_hash"] == made[1].content_hash
    assert verify(export(platform, NEW).folder)["chain_position"] == 2
    assert rows_of(platform, WHO, OLD) == []
    with pytest.raises(CloseRefused, match=f"the rows of {OLD} were erased on 2029-11-01"):
        export(platform, OLD)
    # Calculated against nothing, a restatement would pay everything a second time.
    with pytest.raises(CloseRefused, match=f"period {OLD} is past its retention and was erased"):
        restate(platform, OLD, "late_data", "too late for that")
    with pytest.raises(CloseRefused, match=f"period {OLD} is past its retention and was erased"):
        disputes.submit(platform, OLD, "CS1001", "the score was wrong")

    state = query(platform, "select max(position) from payroll.audit")
    assert not any("scores erased" in line for line in purge(platform))
    assert query(platform, "select * from payroll.erase_scores('2026_10_demo')") == []
    assert query(platform, "select max(position) from payroll.audit") == state


def test_a_younger_period_stays(platform: Platform) -> None:
    set_clock(platform, BEFORE)
    list(purge(platform))
    with pytest.raises(psycopg.errors.RaiseException, match="ends on 2026-10-31, and scores are kept 36 months"):
        query(platform, f"select payroll.erase_scores('{OLD}')")
    assert left(platform, OLD) == [2, 4, 2]


def test_what_is_still_argued_about_stays(platform: Platform) -> None:
    number = disputes.submit(platform, OLD, "CS1001", "the score was wrong")
    set_clock(platform, OVER)
    assert f"period {OLD} is not erased: these disputes are open: {number}" in " ".join(purge(platform))
    disputes.close(platform, number, "taken back by the agent", CHECKER)
    with calculating(pytest.MonkeyPatch(), Calculation([*AGENTS[:1], Agent("CS1002", Decimal(80), "B", 1)])):
        restate(platform, OLD, "late_data", "a rating came late")
    assert f"period {OLD} is not erased: it is calculated, and only a closed" in " ".join(purge(platform))
    assert left(platform, OLD) == [2, 4, 2]


def test_a_correction_that_waits_keeps_what_it_corrects(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    with calculating(monkeypatch, Calculation([AGENTS[0], Agent("CS1002", Decimal(80), "B", 1)])):
        restate(platform, OLD, "late_data", "a rating came late")
    for name, login in (("review", CHECKER), ("approve", APPROVER), ("lock", APPROVER)):
        step(platform, OLD, name, login)  # type: ignore[arg-type]
    set_clock(platform, OVER)
    assert "is not erased: these corrections of it are not paid or refused: 1" in " ".join(purge(platform))
    query(platform, "select payroll.decide_adjustment(1, false, 'left the company')", Role.HR_APPROVER)
    assert f"{OLD}: scores erased, version 1 of 2 people, version 2 of 2 people" in list(purge(platform))
    assert broken(platform) == []


def test_only_what_an_erasure_names_is_deleted(platform: Platform) -> None:
    for table in ROWS:
        with pytest.raises(psycopg.errors.RaiseException, match="is append-only: DELETE refused"):
            query(platform, f"delete from payroll.{table}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(platform, f"select payroll.erase_scores('{OLD}')", Role.HR_APPROVER)
    set_clock(platform, OVER)
    list(purge(platform))
    for table in ROWS:
        with pytest.raises(psycopg.errors.RaiseException, match="is append-only: DELETE refused"):
            query(platform, f"delete from payroll.{table}")
        with pytest.raises(psycopg.errors.RaiseException, match="is append-only: UPDATE refused"):
            query(platform, f"update payroll.{table} set period_id = period_id")


@pytest.mark.parametrize(
    ("what", "statement", "part"),
    [
        ("before its time", "update payroll.erasure set erased_at = '2028-01-01'", "erasure"),
        ("of another content", "update payroll.erasure set content_hash = md5('x')", "erasure"),
        ("of nothing that was recorded", "delete from payroll.erasure", "snapshot"),
        ("with other counts", "update payroll.erasure set counts = '{}'", "record"),
        ("of what is not there", "delete from payroll.snapshot_reliability where period_id = '2026_10_demo'", "trust"),
        (
            "of rows that are back",
            'insert into payroll.snapshot select (jsonb_populate_record(s, \'{"period_id": "2026_10_demo"}\')).*'
            " from payroll.snapshot as s",
            "snapshot",
        ),
    ],
)
def test_a_forged_erasure_is_found(platform: Platform, what: str, statement: str, part: str) -> None:
    set_clock(platform, OVER)
    list(purge(platform))
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement.encode())
        found = connection.execute("select part, object from payroll.verify()").fetchall()
        connection.rollback()
    assert part in {link for link, _ in found}, (what, found)


EVIDENCE = """
set session_replication_role = replica;
insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count, unchanged_count,
    filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at, completed_at)
select n, 'r', 'desk', 'desk', 'message', 1, 1, 0, 0, 0, 0, '{}', day, day
from (values (1, timestamptz '2026-06-01'), (2, timestamptz '2027-06-01')) as loads (n, day);
insert into ops.text_feature
select 'desk', 'message', 'm' || n, 'text', n, 'begged_score', 1, 1, 'please give me five' from generate_series(1, 2) n;
insert into ops.quarantine (source_id, system, entity, payload_digest, locator, field, found, expected, remedy,
    payload_encrypted, first_load_id, status, resolved_load_id)
select 'desk', 'desk', 'message', convert_to(n || status, 'UTF8'), 'row 1', 'score', '188', '0 to 100', 'correct it',
    'secret', l.load_id, status, case when status = 'replayed' then l.load_id end
from (values (1, 'replayed'), (1, 'open'), (2, 'replayed')) as records (n, status)
join ops.load as l on l.load_seq = records.n;
"""


def evidence(platform: Platform) -> tuple[list[Any], list[Any]]:
    return (
        query(platform, "select message_key from ops.text_feature order by 1"),
        query(
            platform,
            "select status, found, payload_encrypted = '' from ops.quarantine order by quarantine_id",
        ),
    )


def test_row_evidence_goes_by_its_age_and_a_record_of_it_stays(platform: Platform) -> None:
    """Nothing that a restatement may still count: the two closed periods begin in October 2026."""
    query(platform, EVIDENCE)
    whole = evidence(platform)
    set_clock(platform, "2028-05-31T00:00:00Z")
    list(purge(platform))
    assert evidence(platform) == whole
    with pytest.raises(psycopg.errors.RaiseException, match=r"ops.text_feature is append-only: DELETE refused"):
        query(platform, "delete from ops.text_feature")
    for now in ("2028-06-02T00:00:00Z", "2029-06-02T00:00:00Z", "2029-06-02T00:00:00Z"):
        set_clock(platform, now)
        list(purge(platform))
        assert evidence(platform) == (
            [("m2",)], [("replayed", "", True), ("open", "188", False), ("replayed", "188", False)],
        )  # fmt: skip
    [(until, counts)] = query(platform, "select loaded_before, counts from payroll.erasure")
    assert until.date() == date(2026, 6, 2) and counts == {"text_feature": 1, "quarantine": 1}
    assert broken(platform) == []
