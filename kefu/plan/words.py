"""A plan in words, in both languages: curves, gates and pay as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from bi.formats import Formatter
from bi.spec import Language
from kefu.catalogue.defaults import Defaults
from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Metric, Text
from kefu.catalogue.plans import Gate, Plan, PlanCurve, PlanMetric, Relative
from kefu.statistics.curves import (
    Attainment,
    Deduction,
    Linear,
    PassZero,
    Piecewise,
    Step,
    Stretch,
    TargetBand,
)


class PlanLine(NamedTuple):
    """One metric of a plan in words."""

    metric: str
    weight: str
    strategic_goal: str
    goal: str
    curve: str
    rules: str


class Words:
    """Says things of plans in one language."""

    def __init__(self, catalogue: Catalogue, language: Language) -> None:
        self.catalogue = catalogue
        self.language = language
        self.formatter = Formatter(language)

    def say(self, zh: str, en: str) -> str:
        """Returns the text of the language."""
        return zh if self.language == "zh-CN" else en

    def text(self, text: Text) -> str:
        """Returns a declared text in the language."""
        return self.say(text.zh, text.en)

    def metric(self, metric_id: str) -> str:
        """Returns a metric's name."""
        return self.text(self.catalogue.metrics[metric_id].name)

    def interval(self) -> str:
        """Returns what heads intervals."""
        coverage = self.catalogue.defaults.interval.coverage
        return self.say(f"{coverage} 区间", f"{coverage} interval")

    def number(self, value: Decimal | int) -> str:
        """Returns a number without idle zeros."""
        return self.formatter.number(value, _decimals(Decimal(value)))

    def value(self, value: Decimal, metric: Metric) -> str:
        """Returns a value of a metric in its unit, without idle zeros."""
        shown = value * 100 if metric.unit == "share" else value / 100 if metric.unit == "fen" else value
        return self.formatter.value(value, metric.unit, _decimals(shown))

    def money(self, fen: int) -> str:
        """Returns an amount in yuan."""
        return f"¥{self.formatter.number(Decimal(fen) / 100, 2)}"

    def curve(self, curve: PlanCurve, metric: Metric) -> str:
        """Returns what a curve does with a value of the metric."""

        def at(value: Decimal) -> str:
            return self.value(value, metric)

        def knots(pairs: list[tuple[Decimal, Decimal]]) -> str:
            return self.say("；", ", ").join(f"{at(value)} → {self.number(points)}" for value, points in pairs)

        match curve:
            case Linear():
                line = knots([(curve.floor, Decimal(0)), (curve.target, Decimal(100))])
            case Stretch():
                line = knots([(curve.floor, Decimal(0)), (curve.target, Decimal(100)), (curve.stretch, curve.cap)])
            case Piecewise():
                line = knots(list(curve.knots))
            case Step():
                return self._bands(curve, metric)
            case TargetBand():
                low, high, away = at(curve.low), at(curve.high), at(curve.distance)
                return self.say(
                    f"{low} 至 {high} 得100分，超出 {away} 降为0分",
                    f"100 from {low} to {high}, falling to 0 at {away} outside",
                )
            case Deduction():
                target, per, points = at(curve.target), at(curve.per), self.number(curve.points)
                return self.say(
                    f"达到 {target} 得100分，每差 {per} 扣{points}分",
                    f"100 at {target}, less {points} for every {per} short",
                )
            case Attainment():
                target, cap = at(curve.target), self.number(curve.cap)
                return self.say(f"完成 {target} 的百分比，最高{cap}分", f"percent of {target} reached, {cap} at most")
            case PassZero():
                threshold, points = at(curve.threshold), self.number(curve.points)
                return self.say(f"达到 {threshold} 得{points}分，否则0分", f"{points} at {threshold}, else 0")
            case Relative():
                return self.say(
                    "群体中等得70分，每高一个标准差加10分",
                    "70 in the middle of the cohort, 10 for each standard deviation",
                )
        return line + self.say("，中间按直线", ", straight between")

    def _bands(self, curve: Step, metric: Metric) -> str:
        def band(low: Decimal | None, high: Decimal | None) -> str:
            if low is None:
                return self.say(f"{self.value(high, metric)} 以下", f"below {self.value(high, metric)}") if high else ""
            if high is None:
                return self.say(f"{self.value(low, metric)} 起", f"from {self.value(low, metric)}")
            return self.say(
                f"{self.value(low, metric)} 至 {self.value(high, metric)}",
                f"{self.value(low, metric)} to {self.value(high, metric)}",
            )

        parts = (f"{band(part.low, part.high)} → {self.number(part.points)}" for part in curve.bands)
        return self.say("；", ", ").join(parts)

    def gate(self, gate: Gate) -> str:
        """Returns what a gate does."""
        value = self.number(gate.value or 0)
        effect = {
            "zero": self.say("得分为0", "the score is 0"),
            "cap": (
                self.say(
                    f"等级最高{gate.grade}，系数最高为该等级最高分的系数",
                    f"the grade is {gate.grade} at most, and the coefficient that of its highest score",
                )
                if gate.grade
                else self.say(f"得分最高{value}", f"the score is {value} at most")
            ),
            "multiply": self.say(f"得分乘以{value}", f"the score is multiplied by {value}"),
            "hold": self.say("暂缓发放", "the pay is held"),
        }[gate.effect]
        spared = self.say("（新人免）", " (not for new hires)") if gate.spares_new_hires else ""
        return f"{self.text(gate.name)}{self.say('：', ': ')}{effect}{spared}"

    def pay(self, plan: Plan) -> Iterator[tuple[str, str]]:
        """Yields how a score becomes money, part and sentence; nothing when the plan says nothing about pay."""
        pay = plan.pay
        if pay is None:
            return
        yield "base", self.say(f"系数1时 {self.money(pay.base_fen)}", f"{self.money(pay.base_fen)} at coefficient 1")
        knots = self.say("；", ", ").join(
            f"{self.number(score)} → {self.number(coefficient)}"
            for score, coefficient in pay.coef or self.catalogue.defaults.coef.knots
        )
        yield "coef", self.say(f"系数：{knots}，中间按直线", f"coefficient: {knots}, straight between")
        if pay.piece:
            piece = pay.piece
            factors = self.say("；", ", ").join(
                f"≥ {self.number(limit)} × {self.number(factor)}"
                for limit, factor in sorted((piece.k_qa or self.catalogue.defaults.piece.k_qa).items(), reverse=True)
            )
            counted, judged = self.metric(piece.metric_id), self.metric(piece.quality_metric_id)
            rate, baseline = self.money_exact(piece.unit_rate_fen), self.number(piece.baseline)
            yield (
                "piece",
                self.say(
                    f"计件：{counted}超过{baseline}的部分每个 {rate}，再乘{judged}系数（{factors}）",
                    f"piece pay: {rate} for each of {counted} above {baseline}, times a factor by {judged} ({factors})",
                ),
            )
        if pay.pool:
            budget = self.money(pay.pool.budget_fen)
            yield "pool", self.say(f"奖金池 {budget}，按比例折算", f"all bonuses are scaled to a pool of {budget}")
        if pay.hold_under_review:
            yield "hold", self.say("疑似指标的部分暂缓发放", "the part of a metric under review is held")

    def money_exact(self, fen: Decimal) -> str:
        """Returns an amount in yuan with as many decimals as it has, two at least."""
        return f"¥{self.formatter.number(fen / 100, max(2, _decimals(fen / 100)))}"

    def rules(self, entry: PlanMetric) -> Iterator[str]:
        """Yields what else holds for one metric."""
        if entry.min_n is not None:
            yield self.say(f"最少样本{entry.min_n}", f"at least {entry.min_n} cases")
        if entry.initial_g is not None:
            share = self.number(entry.initial_g)
            yield self.say(f"起始可信系数{share}", f"opening trust {share}")
        if entry.quota is not None:
            yield self.say(f"每人抽检{entry.quota}次", f"{entry.quota} reviews per agent")
        if entry.mode is not None:
            yield self.say(f"小样本处理 {entry.mode}", f"few rows: {entry.mode}")
        if entry.is_ramped is not None:
            yield self.say(
                "新人目标递增" if entry.is_ramped else "新人目标不减",
                "new hires are asked for less" if entry.is_ramped else "no less for new hires",
            )

    def new_hires(self, plan: Plan, defaults: Defaults) -> str:
        """Returns what new hires are asked for."""
        ramp = plan.new_hire.ramp or [Decimal(str(share)) for share in defaults.ramp]
        shares = self.say("、", ", ").join(f"{self.number(share * 100)}%" for share in ramp)
        asked = self.say(f"新人各月目标 {shares}", f"targets of new hires by month: {shares}")
        if not any(gate.spares_new_hires for gate in plan.gates):
            return asked
        days = plan.new_hire.gate_free_days
        return asked + self.say(f"；入职前{days}天免部分否决项", f"; some gates spare them in the first {days} days")

    def line(self, plan: Plan, entry: PlanMetric) -> PlanLine:
        """Returns one metric of the plan in words."""
        goal = plan.strategic_goals.get(entry.strategic_goal or "")
        return PlanLine(
            self.metric(entry.metric_id),
            self.number(entry.weight),
            self.text(goal) if goal else "",
            self.text(entry.goal),
            self.curve(entry.curve, self.catalogue.metrics[entry.metric_id]),
            self.say("；", "; ").join(self.rules(entry)),
        )


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))
