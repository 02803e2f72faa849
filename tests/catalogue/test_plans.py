"""Guard rails of plans: each refuses with a line that names plan, metric, found, expected and remedy."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kefu.catalogue.files import Catalogue, ConfigError, content_hash, load_catalogue
from kefu.catalogue.plan_rules import check_plan
from kefu.catalogue.plans import Plan
from kefu.plan.diff import changes
from kefu.plan.files import plan_of
from kefu.plan.show import goal_shares, heading, lines, rules
from kefu.plan.words import Words
from kefu.settings import PROJECT
from kefu.yaml_files import read_yaml

Body = dict[str, Any]
SHIPPED = ("balanced_im", "call_centre_sample", "cost_leadership", "demo", "differentiation", "market_growth")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(PROJECT / "config")


def shipped(name: str) -> Body:
    body = read_yaml(PROJECT / "config" / "plans" / f"{name}.yml")
    assert isinstance(body, dict)
    return body


def entry(plan: Body, name: str) -> Body:
    found = next(entry for entry in plan["metrics"] if entry["metric_id"] == name)
    assert isinstance(found, dict)
    return found


def move(plan: Body, name: str, weight: int, other: str) -> None:
    """Gives a metric a weight at the cost of another."""
    entry(plan, other)["weight"] -= weight - entry(plan, name)["weight"]
    entry(plan, name)["weight"] = weight


STAGE = {"name": {"zh": "阶段", "en": "stage"}}
FAULTS = {fault["fault"]: fault for fault in read_yaml(Path(__file__).parent / "plan_faults.yml")}


def place(plan: Body, path: str) -> tuple[Body, str]:
    """Returns the object a dotted path lies in and its key; metrics are named by id."""
    *way, key = path.split(".")
    for step in way:
        plan = {one["metric_id"]: one for one in plan["metrics"]} if step == "metrics" else plan[step]
    return plan, key


@pytest.mark.parametrize("name", FAULTS)
def test_a_guard_rail_refuses_with_its_message(catalogue: Catalogue, tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    body = shipped(fault["plan"])
    for path, value in fault.get("set", {}).items():
        found, key = place(body, path)
        found[key] = value
    for path in fault.get("remove", ()):
        found, key = place(body, path)
        del found[key]
    (tmp_path / f"{fault['plan']}.yml").write_text(json.dumps(body, default=str), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        plan_of(str(tmp_path / f"{fault['plan']}.yml"), catalogue)
    beginning, dots, _ = fault["says"].partition("...")
    pattern = re.escape(beginning) + (".*" if dots else "")
    assert any(re.fullmatch(pattern, line, re.DOTALL) for line in refused.value.problems), refused.value.problems


def test_a_refused_plan_stops_the_configuration(tmp_path: Path) -> None:
    config = shutil.copytree(PROJECT / "config", tmp_path / "config")
    body = shipped("demo")
    entry(body, "csat_rate").pop("initial_g")
    (config / "plans" / "demo.yml").write_text(json.dumps(body, default=str), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^plans/demo\.yml: csat_rate: found no initial_g"):
        load_catalogue(config)


def test_a_plan_holds_before_its_period_starts(tmp_path: Path) -> None:
    config = shutil.copytree(PROJECT / "config", tmp_path / "config")
    body = shipped("demo") | {"valid_from": "2026-11-03"}
    (config / "plans" / "demo.yml").write_text(json.dumps(body, default=str), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_catalogue(config)
    assert refused.value.problems == [
        "periods.yml: 2026_11_demo: plan demo: found valid_from 2026-11-03, expected 2026-11-02 or earlier, because a"
        " plan holds before its period starts. Remedy: use it in a later period"
    ]


def test_the_five_profiles_are_shipped_and_valid(catalogue: Catalogue) -> None:
    assert sorted(catalogue.plans) == list(SHIPPED)
    profiles = {plan.strategy for plan in catalogue.plans.values() if plan.mode == "real"}
    assert profiles == {"balanced", "growth", "differentiation", "cost_leadership", "call_centre_standard"}
    assert not [problem for plan in catalogue.plans.values() for problem in check_plan(plan, catalogue)]
    for plan in catalogue.plans.values():
        assert sum(goal_shares(plan).values()) == 100


OUR_ANSWERS = {
    "volume_covers": "inbound", "listening_weight": 20, "work_order_weight": 10, "exam_weight": 5, "daily_weight": 10,
    "call_baseline": 2000, "call_rate_fen": 40, "base_fen": 200_000,
}  # fmt: skip


class TestTemplate:
    """The call-centre standard has figures that nobody but the customer can give."""

    template = PROJECT / "config" / "plans" / "templates" / "call_centre_standard.yml"

    def test_it_cannot_be_activated_until_every_input_has_a_value(self, tmp_path: Path) -> None:
        config = shutil.copytree(PROJECT / "config", tmp_path / "config")
        shutil.copy(self.template, config / "plans" / "mine.yml")
        with pytest.raises(ConfigError) as refused:
            load_catalogue(config)
        [problem] = refused.value.problems
        asked = re.findall(r"input (\w+): found nothing, expected (.+?)\. Remedy: answer it: \S+", problem)
        assert problem.startswith("mine.yml: plan call_centre_standard cannot be used yet:")
        assert asked == [
            ("volume_covers", "one of inbound, outbound, both"), ("listening_weight", "points of weight"),
            ("work_order_weight", "points of weight"), ("exam_weight", "points of weight"),
            ("daily_weight", "points of weight"), ("call_baseline", "calls"), ("dial_baseline", "dials"),
            ("call_rate_fen", "fen"), ("base_fen", "fen"),
        ]  # fmt: skip

    def filled(self, **answers: object) -> Body:
        body = read_yaml(self.template)
        for name, value in (OUR_ANSWERS | answers).items():
            body["inputs"][name]["value"] = value
        assert isinstance(body, dict)
        return body

    def test_the_sample_is_the_template_with_our_answers(self) -> None:
        sample, made = (
            Plan.model_validate(body).model_dump(exclude={"plan_id", "name", "inputs"})
            for body in (shipped("call_centre_sample"), self.filled())
        )
        assert sample == made
        assert "sample" in shipped("call_centre_sample")["name"]["en"]

    @pytest.mark.parametrize(
        ("reading", "volume", "needs"),
        [
            ("inbound", {"calls_inbound_handled": 40}, "call_baseline"),
            ("outbound", {"calls_outbound_dialed": 40}, "dial_baseline"),
            ("both", {"calls_inbound_handled": 20, "calls_outbound_dialed": 20}, "dial_baseline"),
        ],
    )
    def test_40_covers_what_the_customer_says(
        self, catalogue: Catalogue, reading: str, volume: dict[str, int], needs: str
    ) -> None:
        body = self.filled(volume_covers=reading, **{needs: 1000})
        plan = Plan.model_validate(body)
        weights = {entry.metric_id: entry.weight for entry in plan.metrics}
        assert {name: weight for name, weight in weights.items() if name.startswith("calls_")} == volume
        assert check_plan(plan, catalogue) == []
        body["inputs"][needs].pop("value")
        with pytest.raises(ValueError, match=f"input {needs}: found nothing"):
            Plan.model_validate(body)

    def test_weights_that_do_not_fill_the_45_are_refused(self) -> None:
        body = self.filled(exam_weight=6)
        with pytest.raises(ValueError, match=r"found weights of 101\.0 together"):
            Plan.model_validate(body)


@st.composite
def staged_plans(draw: st.DrawFn) -> Plan:
    """The demo plan with a drawn overlay and drawn stages that move weight between metrics."""
    body = shipped("demo")
    names = [entry["metric_id"] for entry in body["metrics"]]
    now = {entry["metric_id"]: entry["weight"] for entry in body["metrics"]}
    body["stages"] = []
    for number in range(draw(st.integers(0, 3))):
        giver, taker = draw(st.permutations(names))[:2]
        moved = draw(st.integers(0, now[giver]))
        now |= {giver: now[giver] - moved, taker: now[taker] + moved}
        stage = {"stage_id": f"s{number}", "from": f"2026-0{number + 2}-01", "weights": dict(now)}
        body["stages"].append(STAGE | stage)
    giver, taker = draw(st.permutations(names))[:2]
    points = draw(st.integers(1, 5))
    body["overlays"] = [{"team_id": "vip", "points": {giver: -points, taker: points}}]
    return Plan.model_validate(body)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=staged_plans(), day=st.dates(date(2026, 1, 1), date(2027, 1, 1)), team=st.sampled_from([None, "vip"]))
def test_weights_of_a_valid_plan_add_up_to_100_after_stages_and_overlays(
    catalogue: Catalogue, plan: Plan, day: date, team: str | None
) -> None:
    assume(not check_plan(plan, catalogue))
    weights = plan.weights_on(day, team)
    assert sum(weights.values()) == 100
    assert all(3 <= weight <= 40 for weight in weights.values())


def test_a_plan_that_says_nothing_new_keeps_its_hash() -> None:
    plan = Plan.model_validate(shipped("balanced_im"))
    body = plan.model_dump(mode="json", by_alias=True)
    assert "forced_distribution" not in body
    assert "mode" not in body["metrics"][0]
    assert content_hash(Plan.model_validate(body).model_dump(mode="json", by_alias=True)) == content_hash(body)


def test_a_plan_reads_in_words_in_both_languages(catalogue: Catalogue) -> None:
    plan = catalogue.plans["cost_leadership"]
    english, chinese = Words(catalogue, "en"), Words(catalogue, "zh-CN")
    assert heading(plan, english) == "Cost leadership plan (cost_leadership version 1, from 1 Jan 2026, real)"
    said = {line.metric: line.curve for line in lines(plan, english)}
    assert said["Average handle time"] == "100 from 4 min to 7 min, falling to 0 at 4 min outside"
    assert said["Quality review score"] == "100 at 90, less 2 for every 1 short"
    assert said["Calls per hour"] == "percent of 8 reached, 120 at most"
    assert "pay: all bonuses are scaled to a pool of ¥30,000.00" in rules(plan, catalogue, "en").values()
    assert "薪酬 奖金池 ¥30,000.00，按比例折算" in rules(plan, catalogue, "zh-CN").values()
    said = {line.metric: line.curve for line in lines(plan, chinese)}
    assert said["平均处理时长"] == "4分钟 至 7分钟 得100分，超出 4分钟 降为0分"


def test_a_difference_is_said_in_words(catalogue: Catalogue) -> None:
    before = Plan.model_validate(shipped("demo"))
    body = shipped("demo")
    move(body, "csat_rate", 15, "exam_score")
    entry(body, "csat_rate")["curve"]["knots"][0][0] = "0.50"
    body["pay"]["base_fen"] = 250000
    after = Plan.model_validate(body)
    assert changes(before, before, catalogue, "en") == []
    assert changes(before, after, catalogue, "en") == [
        "Satisfaction rate: weight 20 → 15 (-5)",
        "Satisfaction rate: points 40% → 0, 60% → 60, 85% → 100, 100% → 120, straight between → 50% → 0, 60% → 60,"
        " 85% → 100, 100% → 120, straight between",
        "Exam score: weight 10 → 15 (+5)",
        "weight by strategic goal: Customers do not wait 15%, Solved without passing on 20%, Satisfied customers and"
        " good service 40%, Serve more customers 25% → weight by strategic goal: Customers do not wait 15%, Solved"
        " without passing on 25%, Satisfied customers and good service 35%, Serve more customers 25%",
        "pay: ¥2,000.00 at coefficient 1 → pay: ¥2,500.00 at coefficient 1",
    ]
    assert changes(before, after, catalogue, "zh-CN")[0] == "满意率：权重由 20 改为 15 (-5)"
    assert Decimal(100) == sum(goal_shares(after).values())
