"""One person's card: how the score came about, in words that add up to it (features.md N6, N7; reliability.md 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from bi.document import Cell, Document, Grid, Part, Spread, Tone
from bi.spec import Language, load_labels
from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Metric, Period
from kefu.catalogue.plans import PlanMetric, Relative
from kefu.explain.appraisal import Appraisal, Row
from kefu.plan.words import Words
from kefu.statistics.reach import least_value
from kefu.statistics.rounding import half_up, largest_remainder

_TONES: dict[str, Tone] = {"published": "good", "under_review": "warn"}
_PLACES = 2
_WIDEST = Decimal(120)


def card(appraisal: Appraisal, catalogue: Catalogue, period: Period, language: Language) -> Document:
    """Returns the card of a person in one language.

    Weights and points are shown with two decimals by largest remainder, so the shown lines add up to the shown sum.
    """
    return _Card(appraisal, catalogue, period, language).document()


class _Card:
    def __init__(self, appraisal: Appraisal, catalogue: Catalogue, period: Period, language: Language) -> None:
        self.appraisal = appraisal
        self.score = appraisal.score
        self.catalogue = catalogue
        self.period = period
        self.words = Words(catalogue, language)
        self.say = self.words.say

    def document(self) -> Document:
        score, say = self.score, self.say
        plan = self.catalogue.plans[score["plan_id"]]
        title = say(f"{score['agent_name']} 的绩效说明", f"Score of {score['agent_name']}")
        days = " – ".join(self.words.formatter.day(day) for day in (self.period.start, self.period.end))
        return Document(
            language=self.words.language,
            title=title,
            subtitle=say(
                f"{score['agent_key']} · {self.words.text(self.period.name)}（{days}）· "
                f"{self.words.text(plan.name)} v{plan.version}",
                f"{score['agent_key']} · {self.words.text(self.period.name)} ({days}) · "
                f"{self.words.text(plan.name)} v{plan.version}",
            ),
            is_demo=score["period_mode"] == "demo",
            facts=self._facts(),
            notes=list(self._notes()),
            parts=[part for part in self._parts() if part is not None],
        )

    def _facts(self) -> list[tuple[str, str, Tone]]:
        score, say, number = self.score, self.say, self.words.formatter.number
        status = load_labels().code("score_status", score["status"]).of(self.words.language)

        def shown(value: Decimal | None) -> str:
            return "—" if value is None else number(value, _PLACES)

        facts: list[tuple[str, str, Tone]] = [
            (say("综合得分", "Score"), shown(score["composite"]), "plain"),
            (say("等级", "Grade"), score["grade"] or "—", "plain"),
            (say("状态", "Status"), status, _TONES.get(score["status"], "warn")),
            (say("未调整得分", "Without adjustment for trust"), shown(score["composite_unadjusted"]), "muted"),
        ]
        if score["interval_low"] is not None:
            interval = f"{shown(score['interval_low'])} – {shown(score['interval_high'])}"
            facts.append((self.words.interval(), interval, "muted"))
        if self.appraisal.payment and self.appraisal.payment["amount_fen"] is not None:
            facts.append((say("奖金", "Pay"), self.words.money(self.appraisal.payment["amount_fen"]), "plain"))
        return facts

    def _notes(self) -> Iterator[str]:
        if self.score["status"] != "published":
            yield self.score["status_" + self._suffix]
        if note := self.score["grade_note_" + self._suffix]:
            yield note
        if gates := self.score["gates_" + self._suffix]:
            yield self.say(f"否决项：{gates}", f"Gates: {gates}")
        for finding in self.appraisal.findings:
            yield finding["reason_" + self._suffix]

    @property
    def _suffix(self) -> str:
        return self.say("zh", "en")

    def _parts(self) -> Iterator[Part | None]:
        yield self._adding_up()
        yield self._lines()
        yield self._weights()
        yield self._next_grade()
        yield self._excluded()
        yield self._attendance()
        yield self._facts_behind_gates()
        yield self._payment()
        yield self._coaching()
        yield self._comments()
        yield self._history()
        yield self._dispute()

    def _components(self) -> list[Row]:
        return [row for row in self.appraisal.components if row["effective_weight"] or row["points"]]

    def _name(self, row: Row) -> str:
        if row["metric_id"] in self.catalogue.metrics:
            return self.words.metric(row["metric_id"])
        return load_labels().code("score_line", row["metric_id"]).of(self.words.language)

    def _adding_up(self) -> Part:
        """Every line's points and their sum, the published score."""
        say, number = self.say, self.words.formatter.number
        rows = self._components()
        points = [row["points"] for row in rows]
        total = sum(points, Decimal(0))
        total = half_up(total, _PLACES)
        shown = (
            largest_remainder(dict(enumerate(points)), total, _PLACES)
            if total
            else dict.fromkeys(range(len(rows)), total)
        )
        grid = Grid(
            headings=(
                (say("指标", "Metric"), "start"), (say("曲线得分", "Points by the curve"), "end"),
                (say("有效权重", "Effective weight"), "end"), (say("贡献", "Adds"), "end"),
                (say("同组分布", "Peers"), "start"),
            ),
            rows=[
                (
                    Cell(self._name(row), self._stint(row)),
                    Cell("—" if row["curve_score"] is None else number(row["curve_score"], _PLACES)),
                    Cell(number(row["shown_weight"], _PLACES)),
                    Cell(number(line, _PLACES)),
                    Cell("", spread=self._spread((row["plan_id"], row["metric_id"]), row["curve_score"])),
                )
                for row, line in zip(rows, shown.values(), strict=True)
            ],
        )  # fmt: skip
        weights = sum((row["shown_weight"] * row["stint_share"] for row in rows), Decimal(0))
        grid.totals.append(
            (Cell(say("合计", "Sum")), Cell(""), Cell(number(weights, _PLACES)), Cell(number(total, _PLACES)), Cell(""))
        )
        before, published = self.score["composite_before_gates"], self.score["composite"]
        if published is not None and before is not None and before != published:
            gated = (Cell(say("否决项与加减分后", "After gates and extra points")), Cell(""), Cell(""))
            grid.totals.append((*gated, Cell(number(published, _PLACES)), Cell("")))
        return Part(
            say("得分怎么来的", "How the score came about"),
            say(
                "每项贡献 = 曲线得分 × 有效权重 ÷ 100，加起来就是综合得分。"
                "同组分布画的是同方案同事的得分：线为10%–90%，框为中间一半，竖线为中位数，圆点是本人；少于5人不画。",
                "Each line adds its points by the curve times its weight / 100; together they are the score. "
                "Peers shows the points of people with the same plan: line 10–90 %, box the middle half, tick the "
                "median, dot yourself; not drawn for fewer than five.",
            ),
            [grid],
        )

    @staticmethod
    def _signed(value: Decimal) -> str:
        return f"{value:+.2f}" if half_up(value, _PLACES) else "0"

    def _stint(self, row: Row) -> str:
        if row["stint_share"] == 1:
            return ""
        share = self.words.formatter.number(row["stint_share"] * 100, 0)
        plan = self.words.text(self.catalogue.plans[row["plan_id"]].name)
        return self.say(f"{plan}，占工时 {share}%", f"{plan}, {share}% of the hours")

    def _spread(self, key: tuple[str, str], own: Decimal | None) -> Spread | None:
        marks = self.appraisal.peers.get(key)
        if marks is None:
            return None

        def place(value: float) -> float:
            return round(min(max(100 * value / float(_WIDEST), 0), 100), 2)

        low, quarter, median, three_quarters, high = (place(mark) for mark in marks)
        return Spread((low, quarter, median, three_quarters, high), None if own is None else place(float(own)))

    def _value(self, row: Row, value: Decimal | None) -> str:
        if value is None:
            return "—"
        metric = self.catalogue.metrics[row["metric_id"]]
        return self.words.formatter.value(value, metric.unit, metric.decimals)

    def _lines(self) -> Part:
        """From the raw value over the valid rows to the value that is scored, with its curve."""
        say = self.say
        grid = Grid(
            headings=(
                (say("指标", "Metric"), "start"), (say("实际值", "Actual"), "end"), (say("样本", "n"), "end"),
                (self.words.interval(), "end"), (say("计分值", "Scored as"), "end"),
                (say("怎么得分", "Curve"), "start"),
            ),
            rows=[],
        )  # fmt: skip
        for row in self.appraisal.components:
            if row["metric_id"] not in self.catalogue.metrics:
                continue
            entry = entry_of(row, self.catalogue)
            low, high = row["interval_low"], row["interval_high"]
            scored = self._value(row, row["scored_value"])
            shrunk = row["scored_value"] is not None and row["scored_value"] == row["shrunk_value"] != row["raw_value"]
            grid.rows.append(
                (
                    Cell(self.words.metric(row["metric_id"]), self._about(row["metric_id"], entry)),
                    Cell(self._value(row, row["raw_value"])),
                    Cell("—" if row["n"] is None else str(row["n"])),
                    Cell("—" if low is None else f"{self._value(row, low)} – {self._value(row, high)}"),
                    Cell(scored, say("样本少，向群体均值靠拢", "few cases, drawn to the cohort") if shrunk else ""),
                    Cell(
                        self.words.curve(entry.curve, self.catalogue.metrics[row["metric_id"]]) if entry else "",
                        "" if row["na_reason"] is None else row["reason_" + self._suffix],
                    ),
                )
            )
        return Part(say("每个指标的数值", "The values"), "", [grid])

    def _about(self, metric_id: str, entry: PlanMetric | None) -> str:
        """The id a dispute names a metric by, its goal, and the days that count where they are not the period's."""
        said = [metric_id, *([self.words.text(entry.goal)] if entry else [])]
        if metric_id in self.appraisal.counted:
            days = " – ".join(self.words.formatter.day(day) for day in self.appraisal.counted[metric_id])
            said.append(self.say(f"计入 {days}：观察期在本周期内结束", f"counts {days}: watched until this period"))
        return self.say("；", "; ").join(said)

    def _weights(self) -> Part:
        """Nominal to effective weight with the reason of each change, and what the change did."""
        say, number = self.say, self.words.formatter.number
        grid = Grid(
            headings=(
                (say("指标", "Metric"), "start"), (say("方案权重", "Weight in the plan"), "end"),
                (say("可信系数", "Trust"), "end"), (say("有效权重", "Effective weight"), "end"),
                (say("对得分的影响", "Effect on the score"), "end"), (say("原因", "Why"), "start"),
            ),
            rows=[],
        )  # fmt: skip
        total = Decimal(0)
        for row in self.appraisal.components:
            effect = row["points"] - row["unadjusted_points"]
            total += effect
            grid.rows.append(
                (
                    Cell(self._name(row), self._stint(row)),
                    Cell(number(row["nominal_weight"], _PLACES)),
                    Cell("—" if row["weight_factor"] is None else number(row["weight_factor"], _PLACES)),
                    Cell(number(row["shown_weight"], _PLACES)),
                    Cell(self._signed(effect)),
                    Cell(row["reason_" + self._suffix]),
                )
            )
        before, without = self.score["composite_before_gates"], self.score["composite_unadjusted"]
        # As the two published scores differ; without them, as the lines add up.
        total = total if before is None or without is None else before - without
        grid.totals.append((Cell(say("合计", "Sum")), *[Cell("")] * 3, Cell(self._signed(total)), Cell("")))
        return Part(
            say("权重为什么变了", "Why weights changed"),
            say(
                "主观指标不可信时权重降低，让出的权重按方案规则转给其他指标；合计始终为100。",
                "A subjective metric that cannot be trusted weighs less; what it gives up goes to other metrics by the "
                "plan's rules. The sum stays 100.",
            ),
            [grid],
        )

    def _next_grade(self) -> Part | None:
        """The smallest change of one metric that would reach the next grade."""
        composite = self.score["composite"]
        if composite is None or self.score["gates_en"] or self.score["grade_note_en"]:
            return None
        plan = self.catalogue.plans[self.score["plan_id"]]
        title = self.say("怎样到下一等级", "What would reach the next grade")
        above = [(limit, grade) for grade, limit in plan.grades.items() if limit > composite]
        if not above:
            return Part(title, "", points=[self.say("已是最高等级。", "This is the best grade.")])
        limit, grade = min(above)
        steps = [step for row in self._components() if (step := self._step(row, limit - composite))]
        return Part(
            title,
            self.say(
                f"到 {grade} 还差 {self.words.number(limit - composite)} 分。其他不变时，下面任何一项单独做到即可：",
                f"{self.words.number(limit - composite)} points are missing to {grade}. With all else as it is, any "
                "one of these would do:",
            ),
            points=steps
            or [self.say("没有单独一项能够做到，需要几项一起提高。", "No single metric can do it; it takes several.")],
        )

    def _step(self, row: Row, gap: Decimal) -> str | None:
        entry = entry_of(row, self.catalogue)
        if (
            entry is None
            or isinstance(entry.curve, Relative)
            or row["scored_value"] is None
            or row["curve_score"] is None
        ):
            return None
        metric = self.catalogue.metrics[row["metric_id"]]
        scale = scale_of(row, metric)
        needed = row["curve_score"] + gap * 100 / (row["effective_weight"] * row["stint_share"])
        decimals = metric.decimals + (2 if metric.unit == "share" else 0)
        value = least_value(entry.curve, row["scored_value"], needed, decimals)
        if value is None:
            return None
        return self.say(
            f"{self.words.metric(row['metric_id'])}：从 {self._value(row, row['scored_value'] * scale)} 到 "
            f"{self._value(row, value * scale)}",
            f"{self.words.metric(row['metric_id'])}: from {self._value(row, row['scored_value'] * scale)} to "
            f"{self._value(row, value * scale)}",
        )

    def _excluded(self) -> Part:
        say = self.say
        grid = Grid(
            headings=((say("日期", "Date"), "start"), (say("评价、质检或出勤", "Rating, review or day"), "start"),
                      (say("规则与证据", "Rule and evidence"), "start")),
            rows=[
                (
                    Cell("—" if row["business_date"] is None else self.words.formatter.day(row["business_date"])),
                    Cell(row["row_key"], load_labels().code("row_severity", row["severity"]).of(self.words.language)),
                    Cell(row["evidence_" + self._suffix]),
                )
                for row in self.appraisal.excluded
            ],
        )  # fmt: skip
        return Part(
            say("没有计入的评价、质检与出勤", "Ratings, reviews and days of attendance that do not count"),
            "" if grid.rows else say("全部计入。", "All of them count."),
            [grid] if grid.rows else [],
        )

    def _attendance(self) -> Part | None:
        """The days that tell against somebody, each with the number a dispute names it by."""
        if not self.appraisal.attendance:
            return None
        say, formatter = self.say, self.words.formatter

        def told(row: Row) -> str:
            attended, required = (
                formatter.duration(Decimal(row[name]), 0) for name in ("attended_seconds", "required_seconds")
            )
            said = [say(f"出勤 {attended}，应出勤 {required}", f"{attended} of {required}")]
            if row["is_late"]:
                late = formatter.duration(Decimal(row["late_seconds"]), 0)
                said.append(say(f"迟到 {late}", f"late by {late}"))
            if row["is_early_leave"]:
                said.append(say("早退", "left early"))
            return say("；", "; ").join(said)

        grid = Grid(
            headings=((say("日期", "Date"), "start"), (say("编号", "Number"), "start"),
                      (say("记录", "What is recorded"), "start")),
            rows=[
                (Cell(formatter.day(row["business_date"])), Cell(row["attendance_key"]), Cell(told(row)))
                for row in self.appraisal.attendance
            ],
        )  # fmt: skip
        return Part(say("有迟到、早退或缺勤的日子", "Days with time missing"), "", [grid])

    def _facts_behind_gates(self) -> Part | None:
        """What stops, lowers or raises the score, each fact with the number a dispute names it by."""
        if not self.appraisal.facts:
            return None
        say = self.say
        grid = Grid(
            headings=((say("日期", "Date"), "start"), (say("编号", "Number"), "start"),
                      (say("作用与状态", "What it does"), "start")),
            rows=[
                (
                    Cell(self.words.formatter.day(row["business_date"])),
                    Cell(row["fact_key"]),
                    Cell(row["reason_" + self._suffix]),
                )
                for row in self.appraisal.facts
            ],
        )  # fmt: skip
        return Part(say("否决项与加减分的依据", "Facts behind gates and extra points"), "", [grid])

    def _payment(self) -> Part | None:
        payment = self.appraisal.payment
        if payment is None or payment["amount_fen"] is None:
            return None
        say, words = self.say, self.words
        factors = (payment["coefficient"], payment["worked_share"], payment["pool_share"])
        product = " × ".join(words.number(round(factor, 4)) for factor in factors if factor is not None)
        lines = [
            (
                say(
                    "奖金 = 基数 × 系数 × 出勤折算（× 奖金池比例）",
                    "Bonus = base × coefficient × share of the time (× share of the pool)",
                ),
                payment["bonus_fen"],
                f"{words.money(payment['base_fen'])} × {product}",
            ),
            (say("计件", "Piece pay"), payment["piece_fen"], ""),
            (say("往期调整", "Corrections of earlier periods"), payment["adjustment_fen"], ""),
            (say("审核期间暂缓", "Held while under review"), -payment["held_fen"] if payment["held_fen"] else None, ""),
        ]
        grid = Grid(
            headings=((say("项目", "Item"), "start"), (say("金额", "Amount"), "end")),
            rows=[(Cell(label, note), Cell(words.money(fen))) for label, fen, note in lines if fen is not None],
            totals=[(Cell(say("合计", "Sum")), Cell(words.money(payment["amount_fen"])))],
        )
        points = [payment["reason_" + self._suffix]] if payment.get("reason_" + self._suffix) else []
        return Part(say("钱怎么算的", "How the money came about"), "", [grid], points)

    def _coaching(self) -> Part | None:
        points = [
            text
            for row in self.appraisal.coaching
            for text in (row["words_" + self._suffix], row["training_" + self._suffix])
            if text
        ]
        return Part(self.say("辅导与培训建议", "Coaching and training"), points=points) if points else None

    def _comments(self) -> Part | None:
        points = [
            f"{self.words.metric(row['metric_id'])}{self.say('：', ': ')}{row['comment']}"
            if row["metric_id"] in self.catalogue.metrics
            else row["comment"]
            for row in self.appraisal.comments
        ]
        return Part(self.say("主管点评", "Comments of the manager"), points=points) if points else None

    def _history(self) -> Part | None:
        if not self.appraisal.history:
            return None
        number = self.words.formatter.number
        grid = Grid(
            headings=(
                (self.say("周期", "Period"), "start"),
                (self.say("得分", "Score"), "end"),
                (self.say("等级", "Grade"), "start"),
            ),
            rows=[
                (
                    Cell(row["period_id"]),
                    Cell("—" if row["composite"] is None else number(row["composite"], _PLACES)),
                    Cell(row["grade"] or "—"),
                )
                for row in self.appraisal.history
            ],
        )
        return Part(self.say("以往得分", "Earlier scores"), "", [grid])

    def _dispute(self) -> Part:
        days = self.catalogue.defaults.period.dispute_days
        return Part(
            self.say("不同意怎么办", "How to dispute"),
            points=[
                self.say(
                    f"公布后 {days} 个工作日内可以对任何一条评价、质检、一天的出勤、数值、否决项或总分提出申诉；"
                    "由原评分人以外的人处理。",
                    f"Within {days} business days of publication any rating, review, day of attendance, value, gate or "
                    "the score itself can be disputed; somebody other than the original scorer decides.",
                ),
                self.say(
                    "填写申诉表交给主管，写明工号、周期、本页上的编号（指标写其代码）与理由；申诉不会招致额外抽检。",
                    "Hand in the dispute sheet with personnel number, period, the number on this page (of a metric its "
                    "id) and your reason; a dispute never leads to extra sampling.",
                ),
                self.say(
                    "本得分由公开的规则算出，经具名的人复核后才生效；可以要求人工说明。",
                    "The score follows published rules and holds only after a named person has reviewed it; you may "
                    "ask for an explanation by a person.",
                ),
            ],
        )


def entry_of(row: Row, catalogue: Catalogue) -> PlanMetric | None:
    """Returns what the plan of a line says about its metric; None for points that no metric earned."""
    plan = catalogue.plans.get(row["plan_id"])
    return next((entry for entry in plan.metrics if entry.metric_id == row["metric_id"]), None) if plan else None


def scale_of(row: Row, metric: Metric) -> Decimal:
    """Returns how much of the actual value one of the scored value is; below 1 where less is asked of somebody.

    A subjective metric is scored as it was shrunk, so its scored value is shown as it is.
    """
    if metric.metric_type == "subjective" or not row["raw_value"] or not row["scored_value"]:
        return Decimal(1)
    scale: Decimal = row["raw_value"] / row["scored_value"]
    return scale


def with_other(document: Document, name: str) -> Document:
    """Returns the document with a link to the same one in the other language."""
    return replace(document, other=name)
