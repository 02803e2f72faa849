"""What a close leaves behind: files, hashes, a snapshot that nobody changes, and export noticing when somebody did."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from kefu.payroll import Close, CloseRefused, close_period, export, verify
from kefu.pipeline.context import Platform
from kefu.warehouse import Role
from tests.conftest import Copy

PERIOD = "2026_11_demo"
LOGINS = [role for role in Role if role is not Role.OWNER]
HEADER = (
    "period_id,version,agent_key,team_key,plan_id,plan_version,definition_hash,data_cut,status,worked_share,composite,"
    "composite_before_gates,composite_unadjusted,grade,own_data_weight,coefficient,base_fen,bonus_fen,piece_fen,"
    "adjustment_fen,held_fen,pool_share,amount_fen,check_min_wage,row_hash"
)


def query(platform: Platform, statement: str, role: Role = Role.OWNER) -> list[tuple[Any, ...]]:
    with platform.warehouse.connect(role) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_the_exported_file_is_the_snapshot_and_hashes_to_what_the_manifest_says(
    closed: tuple[Platform, Close],
) -> None:
    platform, result = closed
    content = (result.folder / "DEMO_appraisal.csv").read_bytes()
    text = (result.folder / "DEMO_manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert hashlib.sha256(content).hexdigest() == result.content_hash == manifest["content_hash"]
    assert hashlib.sha256(text.encode()).hexdigest() == result.manifest_hash
    assert content.decode().splitlines()[0] == HEADER
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    compared = [name for name in HEADER.split(",") if name not in ("worked_share", "coefficient", "pool_share")]
    stored = query(platform, f"select {', '.join(compared)} from payroll.snapshot order by agent_key")
    assert [[row[name] for name in compared] for row in rows] == [
        ["" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in row]
        for row in stored
    ]
    assert [row["agent_key"] for row in rows] == [f"CS{number}" for number in range(1001, 1013)]
    assert (result.row_count, manifest["row_count"], manifest["period_mode"]) == (12, 12, "demo")
    assert (manifest["data_cut"], manifest["as_of"]) == (21, "2026-11-24T23:00:00+00:00")
    assert [manifest[f"{step}_by"] for step in ("calculated", "reviewed", "approved")] == [
        "kefu_plan_author", "kefu_plan_approver", "kefu_hr_approver",
    ]  # fmt: skip
    assert (manifest["version"], manifest["chain_position"], manifest["previous_manifest_hash"]) == (1, 1, "0" * 64)
    amounts = [int(row["amount_fen"]) for row in rows if row["amount_fen"]]
    assert (manifest["amount_fen"], manifest["rows_without_amount"]) == (sum(amounts), 12 - len(amounts))
    assert sum(manifest["amount_fen_by_team"].values()) == manifest["amount_fen"]
    assert manifest["plans"]["demo"]["approved_by"] == "kefu_plan_approver"


def test_everything_of_a_demo_period_is_marked_demo_and_checks_offline(closed: tuple[Platform, Close]) -> None:
    _, result = closed
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "DEMO_appraisal.csv", "DEMO_appraisal.xlsx", "DEMO_chain.json", "DEMO_manifest.json", "DEMO_manifest.sig",
        "DEMO_public_key.pem",
    ]  # fmt: skip
    assert verify(result.folder)["content_hash"] == result.content_hash


def test_every_score_is_the_sum_of_its_lines(closed: tuple[Platform, Close]) -> None:
    platform, _ = closed
    lines = query(
        platform,
        "select agent_key, metric_id, nominal_weight, effective_weight, curve_score, points"
        " from payroll.snapshot_component where is_adjusted",
    )
    scores = dict(query(platform, "select agent_key, composite from payroll.snapshot"))
    assert len(lines) == 12 * 7
    for agent, composite in scores.items():
        own = [line for line in lines if line[0] == agent]
        assert sum(line[2] for line in own) == sum(line[3] for line in own) == 100
        points = [round(line[3] * (line[4] or 0) / 100, 6) for line in own]
        assert points == [line[5] for line in own]
        assert abs(sum(points) - composite) <= Decimal("0.005")


def test_exporting_again_writes_the_same_bytes(closed: tuple[Platform, Close]) -> None:
    platform, result = closed
    before = {path.name: path.read_bytes() for path in result.folder.iterdir()}
    assert export(platform, PERIOD) == result
    assert {path.name: path.read_bytes() for path in result.folder.iterdir()} == before


def test_a_closed_period_is_not_closed_again(closed: tuple[Platform, Close]) -> None:
    platform, _ = closed
    before = query(platform, "select * from payroll.close")
    with pytest.raises(
        CloseRefused, match=r"2026_11_demo is already closed. A closed period never changes; a correcti"
    ):
        close_period(platform, PERIOD)
    assert query(platform, "select * from payroll.close") == before
    # The database refuses by itself too, whoever asks and whatever the program believes.
    with pytest.raises(psycopg.errors.RaiseException, match="period 2026_11_demo is already closed"):
        query(platform, f"select payroll.cut('{PERIOD}', 'once more')", Role.PLAN_APPROVER)


def test_an_open_period_is_not_exported(line: Any) -> None:
    with pytest.raises(CloseRefused, match=r"period 2026_11_demo is not closed. Remedy: run `kefu period status"):
        export(line.platform, PERIOD)


def test_a_period_that_is_not_declared_is_named_with_a_remedy(closed: tuple[Platform, Close]) -> None:
    platform, _ = closed
    with pytest.raises(Exception, match=r"2027_01.*periods.yml") as raised:
        close_period(platform, "2027_01")
    assert not isinstance(raised.value, KeyError)


# --- nothing recorded is ever changed --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(closed: tuple[Platform, Close], copy_of: Copy) -> Platform:
    """A closed period with a row in every append-only table."""
    platform = copy_of(closed[0], "t_recorded")
    with platform.warehouse.connect(Role.PLAN_APPROVER) as connection:
        connection.execute(
            "insert into ops.reliability_override (metric_id, cohort_key, period_id, weight_factor, reason)"
            " values ('csat_rate', 'demo_v1/agent', %s, 1, 'a test')",
            [PERIOD],
        )
    return platform


# Those of the schema payroll are tried in test_tampering.py.
APPEND_ONLY = {
    "cfg.object_version": "body",
    "cfg.plan_approval": "approved_by",
    "ops.load": "read_count",
    "ops.load_file": "file",
    "ops.reliability_override": "weight_factor",
}


@pytest.mark.parametrize("operation", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0} cascade"])
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_no_login_changes_what_was_recorded(recorded: Platform, table: str, operation: str) -> None:
    statement = operation.format(table, APPEND_ONLY[table])
    count = query(recorded, f"select count(*) from {table}")[0][0]
    assert count > 0
    with pytest.raises(psycopg.errors.RaiseException, match="is append-only"):
        query(recorded, statement + ("" if "truncate" in statement else " returning 1"))
    for login in LOGINS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), recorded.warehouse.connect(login) as connection:
            connection.execute(statement.encode())
    assert query(recorded, f"select count(*) from {table}")[0][0] == count
