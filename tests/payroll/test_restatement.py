"""After the lock nothing changes: a correction is a version beside the old one and a line in a later period."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kefu.payroll import (
    Close,
    CloseRefused,
    Reader,
    calculate,
    close_period,
    cut,
    decide_correction,
    export,
    restate,
    rows_of,
    status,
    step,
)
from kefu.payroll.close import APPROVER, CHECKER, MAKER
from kefu.pipeline.context import Platform
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.payroll.fabricated import Agent, Calculation, calculating, installation, query

WHO = Reader("kefu_auditor", "a test")
PERIOD, NEXT, LAST = "2026_10_demo", "2026_11_demo", "2026_12_demo"
BEFORE = [
    Agent("CS1001", Decimal("84.96"), "B", 99_840),
    Agent("CS1002", Decimal("91.20"), "A", 150_000, "team_b"),
    Agent("CS1003", Decimal("72.00"), "B", 70_000, "team_b"),
    Agent("CS1004", Decimal("80.00"), "B", 80_000),
    Agent("CS1005", None, None, None),
]
AFTER = [
    Agent("CS1001", Decimal("85.03"), "A", 100_030),
    Agent("CS1002", Decimal("91.30"), "A", 150_099, "team_b"),
    Agent("CS1003", Decimal("71.40"), "B", 69_000, "team_b"),
    Agent("CS1004", Decimal("80.50"), "B", 80_000, held_fen=7_000),
    Agent("CS1005", None, None, None),
    Agent("CS1006", Decimal("60.00"), "C", 5_000),
]


@pytest.fixture(scope="module")
def restated(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A closed period, late data, and the period as it was restated; the next two periods are open."""
    folder = tmp_path_factory.mktemp("restated")
    platform = installation(
        settings, "t_restated", folder,
        [
            {"period_id": PERIOD, "start": "2026-10-05", "end": "2026-10-31", "as_of": "2026-11-10T00:00:00Z"},
            {"period_id": NEXT, "start": "2026-11-02", "end": "2026-11-21"},
            {"period_id": LAST, "start": "2026-12-01", "end": "2026-12-31", "as_of": "2027-01-10T00:00:00Z"},
        ],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, calculating(patch, Calculation(BEFORE, g_next=Decimal("0.8"))):
        first = close_period(platform, PERIOD)
    between = datetime.now(UTC)
    with pytest.MonkeyPatch.context() as patch, calculating(patch, Calculation(AFTER)):
        restate(platform, PERIOD, "late_data", "the ratings of the last day arrived late")
        step(platform, PERIOD, "review", CHECKER)
        step(platform, PERIOD, "approve", APPROVER)
        step(platform, PERIOD, "lock", APPROVER)
        second = export(platform, PERIOD)
    return platform, first, between, second


def test_the_lines_of_what_is_paid_add_up_also_where_money_is_held(
    restated: tuple[Platform, Close, datetime, Close],
) -> None:
    [path] = restated[3].folder.glob("*_appraisal.csv")
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["amount_fen"]]
    assert {row["agent_key"]: row["held_fen"] for row in rows if row["held_fen"] != "0"} == {"CS1004": "7000"}
    for row in rows:
        lines = sum(int(row[name] or 0) for name in ("bonus_fen", "piece_fen", "adjustment_fen"))
        assert int(row["amount_fen"]) == lines - int(row["held_fen"])


def test_golden_9_8_late_data_changes_a_grade_and_pays_one_line(
    restated: tuple[Platform, Close, datetime, Close],
) -> None:
    platform, first, _, second = restated
    rows = {version: {row["agent_key"]: row for row in rows_of(platform, WHO, PERIOD, version)} for version in (1, 2)}
    assert [(rows[v]["CS1001"]["composite"], rows[v]["CS1001"]["grade"]) for v in (1, 2)] == [
        (Decimal("84.96"), "B"), (Decimal("85.03"), "A"),
    ]  # fmt: skip
    assert query(
        platform,
        "select reason_code, old_composite, new_composite, old_grade, new_grade, delta_fen, made_by, approved_by,"
        " (select to_period_id from payroll.approved_adjustment as p where p.adjustment_id = a.adjustment_id)"
        " from payroll.adjustment as a where agent_key = 'CS1001'",
    ) == [("late_data", Decimal("84.96"), Decimal("85.03"), "B", "A", 190, MAKER, APPROVER, NEXT)]
    # The first version and its manifest are what they were.
    [(manifest_hash,)] = query(platform, "select manifest_hash from payroll.close where version = 1")
    assert manifest_hash == first.manifest_hash
    again = export(platform, PERIOD, 1)
    assert (again.content_hash, again.folder) == (first.content_hash, first.folder)
    assert (second.version, second.content_hash != first.content_hash) == (2, True)
    assert query(platform, "select * from payroll.verify()") == []


def test_only_material_changes_make_a_line(restated: tuple[Platform, Close, datetime, Close]) -> None:
    platform = restated[0]
    lines = query(platform, "select agent_key, delta_fen from payroll.adjustment order by agent_key")
    # CS1002 gains 0.10 points and 99 fen, CS1005 has no score in either; 0.5 points without money are a line.
    assert lines == [("CS1001", 190), ("CS1003", -1000), ("CS1004", 0), ("CS1006", 5000)]


def test_any_version_is_given_back_by_its_instant(restated: tuple[Platform, Close, datetime, Close]) -> None:
    platform, _, between, _ = restated

    def composite(**at: Any) -> Any:
        return [row["composite"] for row in rows_of(platform, WHO, PERIOD, **at) if row["agent_key"] == "CS1001"]

    assert composite(as_of=between) == composite(version=1) == [Decimal("84.96")]
    assert composite() == composite(version=2) == [Decimal("85.03")]
    assert rows_of(platform, WHO, PERIOD, as_of=datetime(2026, 1, 1, tzinfo=UTC)) == []


def test_later_periods_learn_from_the_latest_version_and_keep_what_was_announced(
    restated: tuple[Platform, Close, datetime, Close],
) -> None:
    platform = restated[0]
    assert query(platform, "select version, count(*) from payroll.closed_score group by version", Role.TRANSFORMER) == [
        (2, 6)
    ]
    assert query(
        platform, "select version, agent_key, n, total from payroll.closed_estimate limit 1", Role.TRANSFORMER
    ) == [(2, "CS1001", 40, 36)]
    assert query(
        platform, "select distinct version, g_next, details ->> 'state' from payroll.closed_reliability",
        Role.TRANSFORMER,
    ) == [(1, Decimal("0.8"), "reliable")]  # fmt: skip
    assert query(platform, "select count(*), bool_and(is_adjusted) from payroll.closed_component") == [(6, True)]


def test_money_is_taken_back_only_after_hr_decided_and_never_netted(
    restated: tuple[Platform, Close, datetime, Close], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = restated[0]
    due = "select agent_key, amount_fen, to_period_id from payroll.approved_adjustment order by agent_key"
    assert query(platform, due) == [("CS1001", 190, NEXT), ("CS1006", 5000, NEXT)]
    [(positive,)] = query(platform, "select adjustment_id from payroll.adjustment where agent_key = 'CS1001'")
    [(negative,)] = query(platform, "select adjustment_id from payroll.adjustment where agent_key = 'CS1003'")
    with pytest.raises(CloseRefused, match="is positive and is paid with the next period"):
        decide_correction(platform, positive, False, "no money left")
    for login in (MAKER, CHECKER):
        with pytest.raises(CloseRefused, match=r"may not call payroll\.decide_adjustment"):
            decide_correction(platform, negative, True, "agreed with the agent", login)
    # The next period is cut before HR decides, so the decision falls into the one after it.
    cut(platform, NEXT)
    decide_correction(platform, negative, True, "agreed with the agent")
    assert query(platform, due) == [("CS1001", 190, NEXT), ("CS1003", -1000, LAST), ("CS1006", 5000, NEXT)]
    with pytest.raises(CloseRefused):
        decide_correction(platform, negative, False, "second thoughts")
    with calculating(monkeypatch, Calculation(BEFORE)):
        calculate(platform, NEXT)
    assert query(platform, due)[0] == ("CS1001", 190, NEXT)


def test_somebody_who_left_still_gets_a_correction(
    restated: tuple[Platform, Close, datetime, Close], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = restated[0]
    # CS1006 is no longer there in the period that pays the line.
    with calculating(monkeypatch, Calculation(BEFORE)):
        close_period(platform, NEXT)
    [row] = [row for row in rows_of(platform, WHO, NEXT) if row["agent_key"] == "CS1006"]
    assert (row["status"], row["composite"], row["adjustment_fen"], row["amount_fen"]) == (
        "correction_only", None, 5000, 5000,
    )  # fmt: skip
    [(rows, amount)] = query(platform, f"select row_count, amount_fen from payroll.close where period_id = '{NEXT}'")
    assert (rows, amount) == (6, 399_840 + 5000)


def restate_with(
    platform: Platform, agents: list[Agent], monkeypatch: pytest.MonkeyPatch, reason: str = "the defect was corrected"
) -> None:
    with calculating(monkeypatch, Calculation(agents)):
        restate(platform, PERIOD, "defect", reason)
        cut(platform, PERIOD, "another record came in")
        calculate(platform, PERIOD)
        step(platform, PERIOD, "review", CHECKER)
        step(platform, PERIOD, "approve", APPROVER)
        step(platform, PERIOD, "lock", APPROVER)


def test_a_later_version_corrects_what_was_really_paid(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What HR refused to take back is not paid a second time, and cents of several versions add up."""
    days = {"period_id": PERIOD, "start": "2026-10-05", "end": "2026-10-31", "as_of": "2026-11-10T00:00:00Z"}
    platform = installation(settings, "t_restated_twice", tmp_path, [days])

    def paid(refused: int, drifting: int) -> list[Agent]:
        return [
            Agent("CS1001", Decimal("80.00"), "B", refused), Agent("CS1002", Decimal("80.00"), "B", drifting),
        ]  # fmt: skip

    lines = "select version, agent_key, delta_fen from payroll.adjustment order by adjustment_id"
    with calculating(monkeypatch, Calculation(paid(10_000, 10_000))):
        close_period(platform, PERIOD)
    restate_with(platform, paid(8_000, 10_090), monkeypatch)
    assert query(platform, lines) == [(2, "CS1001", -2_000)]
    with pytest.raises(CloseRefused, match="these earlier corrections of it wait for HR: 1"):
        restate_with(platform, paid(10_000, 10_180), monkeypatch, "it was right before")
    decide_correction(platform, 1, False, "the agent could not know")
    assert step(platform, PERIOD, "approve", APPROVER).state == "approved"
    with calculating(monkeypatch, Calculation([])):
        step(platform, PERIOD, "lock", APPROVER)
    # CS1001 has the 100.00 already; CS1002 has 100.00 of 101.80.
    assert query(platform, lines)[1:] == [(3, "CS1001", 0), (3, "CS1002", 180)]
    restate_with(platform, paid(9_000, 10_180), monkeypatch)
    assert query(platform, lines)[3:] == [(4, "CS1001", -1_000)]
    decide_correction(platform, 4, False, "the agent could not know")
    # What was refused is not asked for once more.
    restate_with(platform, paid(9_000, 10_180), monkeypatch)
    assert query(platform, lines)[4:] == []
    # The reason of a line is why the period is restated, not why data was cut once more.
    assert query(platform, "select distinct version, reason from payroll.adjustment order by version") == [
        (2, "the defect was corrected"), (3, "it was right before"), (4, "the defect was corrected"),
    ]  # fmt: skip
    assert query(platform, "select count(distinct as_of) from payroll.close") == [(1,)]
    assert query(platform, "select * from payroll.verify()") == []


def test_an_open_or_forgotten_period_is_not_restated(
    restated: tuple[Platform, Close, datetime, Close], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = restated[0]
    with pytest.raises(CloseRefused, match="is open, and a restatement needs it locked or exported or acknowledged"):
        restate(platform, LAST, "late_data", "nothing to correct")
    with pytest.raises(CloseRefused, match="found the reason mood, expected one of late_data"):
        restate(platform, PERIOD, "mood", "nothing to correct")
    with pytest.raises(CloseRefused, match="needs a reason in words"):
        restate(platform, PERIOD, "late_data", "")
    assert status(platform, PERIOD).version == 2


def test_a_restatement_needs_a_maker_and_two_checkers_too(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = installation(settings, "t_restated_by", tmp_path)
    with calculating(monkeypatch, Calculation(BEFORE)):
        close_period(platform, "2026_11_demo")
        restate(platform, "2026_11_demo", "defect", "the curve was wrong", login=CHECKER)
    with pytest.raises(CloseRefused, match="cannot be reviewed by the same login"):
        step(platform, "2026_11_demo", "review", CHECKER)
    step(platform, "2026_11_demo", "review", APPROVER)
    with pytest.raises(CloseRefused, match="cannot be approved by the same login"):
        step(platform, "2026_11_demo", "approve", APPROVER)
    with pytest.raises(CloseRefused, match="is a restatement and goes from review to approval"):
        step(platform, "2026_11_demo", "publish", CHECKER)


def test_a_restatement_keeps_the_definitions_of_its_period(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed under other definitions it is refused; where a source is read from is no definition."""
    platform = installation(settings, "t_restated_under", tmp_path)
    version = (
        "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body) select kind,"
        " object_id, 99, 'x', valid_from, body from cfg.object_version where kind = '{0}' and object_id = '{1}'"
    )
    with calculating(monkeypatch, Calculation(BEFORE)):
        close_period(platform, "2026_11_demo")
        query(platform, version.format("source", "chat"))
        assert restate(platform, "2026_11_demo", "late_data", "late ratings").state == "calculated"
        query(platform, version.format("metric", "csat_rate"))
        cut(platform, "2026_11_demo", "once more")
        with pytest.raises(CloseRefused, match="period 2026_11_demo was closed under other definitions"):
            calculate(platform, "2026_11_demo")
