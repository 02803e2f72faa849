"""One plan as people read it: a table of metrics and a list of what else holds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from bi.spec import Language
from kefu.catalogue.files import Catalogue
from kefu.catalogue.plans import Plan
from kefu.plan.words import PlanLine, Words


def heading(plan: Plan, words: Words) -> str:
    """Returns name, version, first day and kind of a plan."""
    kind = words.say("示例，不用于薪酬", "demo, never for pay") if plan.mode == "demo" else words.say("正式", "real")
    day = words.formatter.day(plan.valid_from)
    return words.say(
        f"{plan.name.zh}（{plan.plan_id} 第{plan.version}版，自{day}起，{kind}）",
        f"{plan.name.en} ({plan.plan_id} version {plan.version}, from {day}, {kind})",
    )


def columns(words: Words) -> PlanLine:
    """Returns the headings of the table of metrics."""
    if words.language == "zh-CN":
        return PlanLine("指标", "权重", "战略目标", "目的", "得分曲线", "其他规则")
    return PlanLine("metric", "weight", "strategic goal", "purpose", "points", "other rules")


def lines(plan: Plan, words: Words) -> list[PlanLine]:
    """Returns the table of metrics, heaviest first."""
    return [words.line(plan, entry) for entry in sorted(plan.metrics, key=lambda entry: -entry.weight)]


def goal_shares(plan: Plan) -> dict[str, Decimal]:
    """Returns the points of weight that serve each strategic goal; empty when the plan declares none."""
    return {
        goal: sum((entry.weight for entry in plan.metrics if entry.strategic_goal == goal), Decimal(0))
        for goal in plan.strategic_goals
    }


def rules(plan: Plan, catalogue: Catalogue, language: Language) -> dict[str, str]:
    """Returns what holds beside the metrics, by a name for each rule: goals, grades, stages, teams, gates, pay."""
    return dict(_rules(plan, catalogue, Words(catalogue, language)))


def _rules(plan: Plan, catalogue: Catalogue, words: Words) -> Iterator[tuple[str, str]]:
    say, separator, colon = words.say, words.say("、", ", "), words.say("：", ": ")
    if shares := goal_shares(plan):
        served = separator.join(
            f"{words.text(plan.strategic_goals[goal])} {words.number(share)}%" for goal, share in shares.items()
        )
        yield "goals", say("战略目标占比", "weight by strategic goal") + colon + served
    for name, given in plan.inputs.items():
        yield f"input {name}", f"{words.text(given.question)} {given.value}"
    grades = separator.join(f"{name} ≥ {words.number(limit)}" for name, limit in plan.grades.items())
    lowest = catalogue.defaults.score.lowest_grade
    yield "grades", say("等级", "grades") + colon + grades + separator + say(f"其余 {lowest}", f"{lowest} below")
    if plan.teams:
        yield "teams", say("适用团队", "for teams") + colon + separator.join(_team(words, name) for name in plan.teams)
    for stage in plan.stages:
        weights = stage.weights.items()
        changed = separator.join(f"{words.metric(name)} {words.number(weight)}" for name, weight in weights)
        day = words.formatter.day(stage.from_)
        text = say(f"自{day}起，{stage.name.zh}", f"from {day}, {stage.name.en}")
        yield f"stage {stage.stage_id}", text + colon + changed
    for overlay in plan.overlays:
        changed = separator.join(f"{words.metric(name)} {points:+f}" for name, points in overlay.points.items())
        yield f"overlay {overlay.team_id}", say("", "team ") + _team(words, overlay.team_id) + colon + changed
    if own := plan.weights.model_dump(exclude_none=True, exclude={"substitutions"}, mode="json"):
        said = separator.join(f"{key} {value}" for key, value in own.items())
        yield "weights", say("权重规则", "rules of weights") + colon + said
    for entry in plan.weights.substitutions:
        taken = separator.join(f"{words.metric(to.metric_id)} {words.number(to.share * 100)}%" for to in entry.to)
        freed = words.metric(entry.metric_id)
        text = say(f"{freed}让出的权重给", f"weight that {freed} gives up goes to")
        yield f"substitution {entry.metric_id}", text + colon + taken
    yield "new_hire", words.new_hires(plan, catalogue.defaults)
    for gate in plan.gates:
        yield f"gate {gate.gate_id}", say("否决项 ", "gate: ") + words.gate(gate)
    for part, sentence in words.pay(plan):
        yield f"pay {part}", say("薪酬 ", "pay: ") + sentence
    if plan.forced_distribution:
        shares = plan.forced_distribution.quotas
        quotas = separator.join(f"{grade} {words.number(share * 100)}%" for grade, share in shares.items())
        yield (
            "quotas",
            say(
                f"强制分布：{quotas}。末位不等于不胜任，不得作为解除合同的依据",
                f"quotas of grades: {quotas}. The last rank is not incompetence, and this is no list for dismissals",
            ),
        )
    fallback = {
        "last_composites": say("取最近三期已锁定得分的均值", "the mean of the last three locked scores"),
        "neutral_coefficient": say("系数为1.00", "coefficient 1.00"),
    }[plan.insufficient_evidence_fallback]
    yield (
        "fallback",
        say(
            f"证据不足时{fallback}，由主管与人事共同记录",
            f"too little evidence: {fallback}, recorded by manager and HR",
        ),
    )


def _team(words: Words, team_id: str) -> str:
    team = words.catalogue.teams.get(team_id)
    return words.text(team.name) if team else team_id
