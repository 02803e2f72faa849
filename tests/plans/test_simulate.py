"""Plans tried out on the closed demo period of the recordings."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kefu.catalogue.files import ConfigError, load_catalogue
from kefu.catalogue.plans import Plan
from kefu.cli import app
from kefu.payroll import Close, Reader
from kefu.pipeline.context import Platform
from kefu.plan.files import applied, late_approvals, plan_of
from kefu.plan.simulate import CannotSimulate, Simulation, as_csv, simulate
from kefu.warehouse import Role, WarehouseError
from kefu.yaml_files import read_yaml

PERIOD = "2026_11_demo"
WHO = Reader("kefu_auditor", "a test")


@pytest.fixture(scope="module")
def platform(closed: tuple[Platform, Close]) -> Platform:
    return closed[0]


def body_of(platform: Platform, name: str) -> dict[str, Any]:
    body = read_yaml(platform.settings.kefu_config_dir / "plans" / f"{name}.yml")
    assert isinstance(body, dict)
    return body


def one(platform: Platform, plan: Plan) -> Simulation:
    [found] = simulate(platform, WHO, plan)
    return found


def composites(platform: Platform) -> dict[str, tuple[Decimal | None, str | None]]:
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute("select agent_key, composite, grade from payroll.closed_score").fetchall()
    return {agent: (composite, grade) for agent, composite, grade in rows}


def test_the_plan_in_force_gives_the_closed_composites_again(platform: Platform) -> None:
    """Exactly, with the reference statistics in place of the warehouse's SQL, for everybody."""
    found = one(platform, platform.catalogue.plans["demo"])
    closed = composites(platform)
    assert len(closed) >= 10
    assert {c.person.agent_key: (c.after.composite, c.after.grade) for c in found.changes} == closed
    assert found.mismatched == ()
    assert found.regraded == 0
    assert math.isclose(found.tau, 1)
    before, after = found.cost()
    assert before == after > 0


def test_the_curves_of_the_plan_give_the_closed_points_again(platform: Platform) -> None:
    curves = {entry.metric_id: entry.curve for entry in platform.catalogue.plans["demo"].metrics}
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select metric_id, scored_value, curve_score from payroll.closed_component where scored_value is not null"
        ).fetchall()
    assert len(rows) > 50
    assert all(curves[name].score(value) == score for name, value, score in rows)  # type: ignore[union-attr]


def test_a_planted_change_moves_the_right_people(platform: Platform) -> None:
    """Five points from the exam to attendance: who has the better score in attendance wins, and only they."""
    body = body_of(platform, "demo")
    for entry in body["metrics"]:
        entry["weight"] += {"exam_score": -5, "attendance_rate": 5}.get(entry["metric_id"], 0)
    found = one(platform, Plan.model_validate(body))
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select agent_key, metric_id, curve_score from payroll.closed_component"
            " where metric_id in ('exam_score', 'attendance_rate') and curve_score is not null"
        ).fetchall()
    scores: dict[str, dict[str, Decimal]] = {}
    for agent, metric, score in rows:
        scores.setdefault(agent, {})[metric] = score
    both = {agent: own for agent, own in scores.items() if len(own) == 2}
    checked = 0
    for change in found.changes:
        own = both.get(change.person.agent_key)
        if own is None or change.points is None:
            continue
        difference = own["attendance_rate"] - own["exam_score"]
        if abs(difference) > Decimal("0.5"):
            assert (change.points > 0) == (difference > 0), change.person.agent_key
            checked += 1
    assert checked >= 5


def test_money_follows_the_plan(platform: Platform) -> None:
    body = body_of(platform, "demo")
    body["pay"]["base_fen"] *= 2
    body["pay"].pop("piece")
    doubled = one(platform, Plan.model_validate(body))
    for change in doubled.changes:
        assert change.points in (None, 0)
        assert change.after.piece_fen in (None, 0)
    body["pay"]["pool"] = {"budget_fen": 1_234_567}
    pooled = one(platform, Plan.model_validate(body))
    assert sum(change.after.bonus_fen or 0 for change in pooled.changes) == 1_234_567
    by_goal = pooled.by_goal()
    assert sum(by_goal.values()) == 1_234_567
    assert set(by_goal) <= {*body["strategic_goals"], "none"}
    assert sum(pooled.cost(team)[1] for team in pooled.teams) == pooled.cost()[1]


def test_a_count_that_nobody_of_a_team_has_is_no_work_of_theirs(platform: Platform) -> None:
    """Counts that the plan in force does not score, here both with a curve that rises."""
    body = body_of(platform, "demo")
    counts = {"exam_score": "calls_inbound_handled", "attendance_rate": "slow_response_count"}
    for entry in body["metrics"]:
        if name := counts.get(entry["metric_id"]):
            entry |= {"metric_id": name, "curve": {"kind": "linear", "floor": "0", "target": "10"}}
    found = one(platform, Plan.model_validate(body))
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select v.unit_key, v.metric_id, max(v.n) over (partition by s.team_key, v.metric_id) > 0"
            " from pub_kpi.metric_value as v join payroll.closed_score as s on v.unit_key = s.agent_key"
            " where v.unit_kind = 'agent' and v.channel = 'all' and v.period_kind = 'period'"
            " and v.metric_id = any(%s)",
            [list(counts.values())],
        ).fetchall()
    is_done = {(agent, name): done for agent, name, done in rows}
    measured = {
        (change.person.agent_key, name): change.person.metrics[name].is_measured
        for change in found.changes
        for name in counts.values()
    }
    assert {key: is_done[key] for key in measured} == measured
    assert set(measured.values()) == {True, False}


def test_forced_grades_are_simulated_with_the_intervals_of_the_close(platform: Platform) -> None:
    """The half width of every closed composite is found again from its lines; grades then follow the quotas."""
    body = body_of(platform, "demo")
    body["forced_distribution"] = {"quotas": {"S": "0.1", "A": "0.2", "B": "0.4", "C": "0.2", "D": "0.1"}}
    body["forced_distribution"]["min_cohort"] = 5
    found = one(platform, Plan.model_validate(body))
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        closed = dict(
            connection.execute(
                "select agent_key, (interval_high - interval_low) / 2 from payroll.closed_score"
                " where composite is not null"
            ).fetchall()
        )
    scored = [change for change in found.changes if change.after.composite is not None]
    assert {change.person.agent_key for change in scored} == set(closed)
    for change in scored:
        assert abs(change.after.half_width - closed[change.person.agent_key]) <= Decimal("0.01")
    assert {change.points for change in scored} == {Decimal(0)}
    best = sorted(scored, key=lambda change: -(change.after.composite or 0))
    assert [change.after.grade for change in best[:2]] == ["S", "A"]
    assert "SABCD".index(best[-1].after.grade or "") >= "SABCD".index(best[0].after.grade or "")


def test_another_profile_takes_stored_values_of_metrics_the_old_plan_lacked(platform: Platform) -> None:
    found = one(platform, platform.catalogue.plans["balanced_im"])
    assert found.replaced.plan_id == "demo"
    scored = [change for change in found.changes if "avg_response_time" in change.after.lines]
    assert scored
    assert -1 <= found.tau <= 1
    kinds = {group.kind for group in found.groups}
    assert kinds <= {"shift", "tenure"}
    assert all(math.isnan(group.low) or group.low <= group.difference <= group.high for group in found.groups)


def test_the_reading_is_recorded(platform: Platform) -> None:
    who = Reader("kefu_hr_approver", "kefu plan simulate", "the plan of next year")
    simulate(platform, who, platform.catalogue.plans["demo"])
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        last = connection.execute(
            "select login, command, mart, period_id, agent_key, purpose from payroll.access"
            " order by access_id desc limit 1"
        ).fetchone()
    assert last == (who.login, who.command, "payroll.closed_score", PERIOD, "all", who.purpose)


def test_every_person_is_in_the_csv(platform: Platform) -> None:
    found = one(platform, platform.catalogue.plans["demo"])
    rows = list(csv.DictReader(io.StringIO(as_csv([found]))))
    assert len(rows) == len(found.changes)
    assert {row["composite_change"] for row in rows} <= {"0.00", ""}
    assert {row["period_id"] for row in rows} == {PERIOD}


def test_a_plan_of_another_name_must_say_what_it_replaces_where_that_is_not_clear(platform: Platform) -> None:
    with pytest.raises(CannotSimulate, match=r"closed with demo .* Remedy: say it with --instead-of"):
        simulate(platform, WHO, platform.catalogue.plans["balanced_im"], instead_of="cost_leadership")


def test_what_stored_values_cannot_tell_is_refused(platform: Platform) -> None:
    body = body_of(platform, "demo")
    next(entry for entry in body["metrics"] if entry["metric_id"] == "csat_rate")["mode"] = "jd_count"
    with pytest.raises(CannotSimulate, match="found mode jd_count"):
        simulate(platform, WHO, Plan.model_validate(body))


def test_versions_are_those_that_were_applied(platform: Platform) -> None:
    assert applied(platform, "demo", 1) == platform.catalogue.plans["demo"]
    with pytest.raises(WarehouseError, match=r"plan demo: found no applied version 9, expected one of \[1\]"):
        applied(platform, "demo", 9)


def test_a_real_period_needs_an_approval_before_it_starts(platform: Platform, tmp_path: Path) -> None:
    assert late_approvals(platform) == []
    config = shutil.copytree(platform.settings.kefu_config_dir, tmp_path / "config")
    [period] = read_yaml(config / "periods.yml")
    period |= {"period_id": "real", "mode": "real", "plan_ids": ["balanced_im"]}
    (config / "periods.yml").write_text(json.dumps([period], default=str), encoding="utf-8")
    database = platform.warehouse.parameters(Role.OWNER)["dbname"]
    real = Platform(platform.settings.model_copy(update={"kefu_config_dir": config}), database)
    assert late_approvals(real) == [
        "period real: plan balanced_im version 1: found no approval, expected an approval by somebody else than its"
        " author before 2026-11-02. Remedy: `kefu period approve-plan balanced_im 1`"
    ]


class TestCommands:
    """What people type; plans are read from the shipped configuration."""

    def said(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, ["plan", *arguments], catch_exceptions=False, env={"COLUMNS": "300"})
        assert result.exit_code == 0, result.output
        return result.output

    def test_validate(self) -> None:
        lines = self.said("validate").splitlines()
        assert "market_growth version 1 from 2026-01-01 (real): valid" in lines

    def test_show(self) -> None:
        said = self.said("show", "cost_leadership", "--lang", "zh-CN")
        assert "成本领先方案" in said
        assert "奖金池 ¥30,000.00，按比例折算" in said

    def test_a_file_is_checked_against_the_guard_rails(self, tmp_path: Path, project: Path) -> None:
        body = read_yaml(project / "config" / "plans" / "demo.yml")
        body["metrics"][0]["weight"], body["metrics"][1]["weight"] = 28, 2
        (tmp_path / "mine.yml").write_text(json.dumps(body, default=str), encoding="utf-8")
        with pytest.raises(ConfigError, match="conversations_handled: found weight 2, expected 3 to 40"):
            plan_of(str(tmp_path / "mine.yml"), load_catalogue(project / "config"))
